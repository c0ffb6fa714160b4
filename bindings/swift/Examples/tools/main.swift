// Tools that the model calls: tools PROVIDER [KEY=VALUE ...]
import Foundation
import Tolmach

func complain(_ why: String, code: Int32) -> Never {
  FileHandle.standardError.write(Data("tools: \(why)\n".utf8))
  exit(code)
}

struct Place: Decodable {
  let city: String
}

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.count < 1 {
  complain("usage: tools PROVIDER [KEY=VALUE ...]", code: 2)
}
let settings = arguments.dropFirst(1).map { argument in
  let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
  return Setting(String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
}

do {
  let client = try Client(arguments[0], settings)
  let descriptions = ["city": "the name of a city"]
  let schema = try Schema(of: Place.self, descriptions: descriptions)
  let weather = try Tool("weather", "How warm it is in a city now", schema: schema) {
    (place: Place) in
    let warmth = ["Oslo": "3 °C", "Bergen": "5 °C"][place.city] ?? "unknown"
    print("[weather of \(place.city): \(warmth)]")
    return warmth
  }
  var question = try Request("How warm is it in Oslo and in Bergen?")
  print(try await client.run(&question, tools: [weather], maxRounds: 5).text)
} catch {
  complain("\(error)", code: 1)
}
