// Ends an answer that takes too long: cancel SECONDS PROVIDER [KEY=VALUE ...]
import Foundation
import Tolmach

func complain(_ why: String, code: Int32) -> Never {
  FileHandle.standardError.write(Data("cancel: \(why)\n".utf8))
  exit(code)
}

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.count < 2 {
  complain("usage: cancel SECONDS PROVIDER [KEY=VALUE ...]", code: 2)
}
let settings = arguments.dropFirst(2).map { argument in
  let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
  return Setting(String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
}

do {
  guard let seconds = Double(arguments[0]) else { complain("no number of seconds", code: 2) }
  let client = try Client(arguments[1], settings)
  let request = try Request("Tell me a long story.")
  let reading = Task {
    for try await chunk in client.stream(request) {
      FileHandle.standardOutput.write(Data((chunk.text ?? "").utf8))
    }
  }
  let clock = Task {
    try await Task.sleep(for: .seconds(seconds))
    // Cancelling the task that reads ends the request at once.
    reading.cancel()
  }
  do {
    try await reading.value
    print()
  } catch is CancellationError {
    print("[stopped]")
  }
  clock.cancel()
} catch {
  complain("\(error)", code: 1)
}
