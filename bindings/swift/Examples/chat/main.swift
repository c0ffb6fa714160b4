// Asks a model and prints its answer as it arrives: chat PROVIDER PROMPT [KEY=VALUE ...]
import Foundation
import Tolmach

func complain(_ why: String, code: Int32) -> Never {
  FileHandle.standardError.write(Data("chat: \(why)\n".utf8))
  exit(code)
}

let arguments = CommandLine.arguments.dropFirst()
if arguments.count < 2 {
  complain("usage: chat PROVIDER PROMPT [KEY=VALUE ...]", code: 2)
}
var settings: [String: String] = [:]
for argument in arguments.dropFirst(2) {
  let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
  settings[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
}

do {
  let client = try Client(arguments[1], settings)
  let request = try Request(arguments[2])
  for try await chunk in client.stream(request) {
    guard let text = chunk.text else { continue }
    FileHandle.standardOutput.write(Data(text.utf8))
  }
  print()
} catch let error as TolmachError where error.kind == .rateLimited {
  complain("\(error.message); try again in \(error.retryAfter ?? .seconds(1))", code: 1)
} catch {
  complain("\(error)", code: 1)
}
