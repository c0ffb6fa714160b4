// Makes images, and writes them to NAME-1.png and so on: images NAME PROVIDER PROMPT [KEY=VALUE ...]
import Foundation
import Tolmach

func complain(_ why: String, code: Int32) -> Never {
  FileHandle.standardError.write(Data("images: \(why)\n".utf8))
  exit(code)
}

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.count < 3 {
  complain("usage: images NAME PROVIDER PROMPT [KEY=VALUE ...]", code: 2)
}
let settings = arguments.dropFirst(3).map { argument in
  let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
  return Setting(String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
}

do {
  let client = try Client(arguments[1], settings)
  let answer = try await client.ask(Request(arguments[2]))
  for (at, image) in answer.images.enumerated() {
    guard let data = image.data else {
      print(image.url ?? "an image without data")
      continue
    }
    let suffix = image.type?.split(separator: "/").last.map(String.init) ?? "bin"
    try data.write(to: URL(fileURLWithPath: "\(arguments[0])-\(at + 1).\(suffix)"))
  }
} catch {
  complain("\(error)", code: 1)
}
