// An answer as a value of a type: structured PROVIDER [KEY=VALUE ...]
import Foundation
import Tolmach

func complain(_ why: String, code: Int32) -> Never {
  FileHandle.standardError.write(Data("structured: \(why)\n".utf8))
  exit(code)
}

struct Report: Decodable {
  let city: String
  let celsius: Double
}

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.count < 1 {
  complain("usage: structured PROVIDER [KEY=VALUE ...]", code: 2)
}
let settings = arguments.dropFirst(1).map { argument in
  let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
  return Setting(String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
}

do {
  let client = try Client(arguments[0], settings)
  let question = try Request("It is three degrees in Oslo.")
  let report = try await client.ask(question, for: Report.self).value
  print("\(report.city): \(report.celsius) °C")
} catch {
  complain("\(error)", code: 1)
}
