import Foundation
import Testing

@testable import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct ConcurrencyTests {
  @Test func fiveHundredTasksWaitWithoutThreadsOfTheirOwn() async throws {
    let count = 500
    let message = unique()
    let client = try Stage.client()
    let request = try Request(message, model: "gated")
    let (heard, said) = AsyncStream<Void>.makeStream()
    try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<count {
        group.addTask {
          var text = ""
          for try await chunk in client.stream(request) {
            text += chunk.text ?? ""
            if chunk.text == "first " { said.yield() }
          }
          return text
        }
      }
      var waiting = 0
      for await _ in heard {
        waiting += 1
        if waiting == count { break }
      }
      #if os(Linux)
        let threads = try threadNames()
        #expect(threads.contains("tolmach"))
        #expect(threads.filter { !$0.hasPrefix("tolmach") }.count < 200)
      #endif
      try await Stage.open(message)
      let answers = try await group.reduce(into: []) { $0.append($1) }
      #expect(answers == Array(repeating: "first second", count: count))
    }
  }

  #if os(Linux)
    /// Of every thread of this process. The library names its own after itself.
    private func threadNames() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap {
        // A thread may end meanwhile.
        try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)
          .trimmingCharacters(in: .newlines)
      }
    }
  #endif

  @Test func manyMoreTasksThanThreadsOfThePoolGoOnWhileOthersWait() async throws {
    let message = unique()
    let client = try Stage.client()
    let request = try Request(message, model: "gated")
    let waiting = (0..<64).map { _ in Task { try await client.stream(request).text() } }
    for _ in 0..<20 { #expect(try await Stage.session("words").text() == "One two three.") }
    try await Stage.open(message)
    for task in waiting { #expect(try await task.value == "first second") }
  }

  @Test func hundredsOfSessionsThatAreDroppedAreFreed() async throws {
    let client = try Stage.client()
    var dropped: [Weak] = []
    for round in 0..<300 {
      let message = unique()
      let session = client.stream(try Request(message, model: round % 2 == 0 ? "held" : "words"))
      dropped.append(Weak(session))
      switch round % 6 {
      case 0, 1: break
      case 2: for try await _ in session { break }
      case 3: _ = try await session.text()
      case 4:
        let task = Task { try await session.text() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
      default:
        var loop = session.makeAsyncIterator()
        _ = try await loop.next()
      }
    }
    // A task that was cancelled may hold its session for a moment after it has been heard of.
    while !dropped.allSatisfy({ $0.session == nil }) { await Task.yield() }
  }

  private struct Weak {
    weak var session: Session?
    init(_ session: Session) { self.session = session }
  }

  @Test func wakingIsNeverMissed() async {
    let readiness = Readiness()
    let made = Locked(0)
    let rounds = 20_000
    let waking = Task.detached {
      for _ in 0..<rounds {
        made.use { $0 += 1 }
        readiness.wake()
      }
    }
    while made.use({ $0 }) < rounds { #expect(await readiness.wait(isolation: nil)) }
    await waking.value
  }

  @Test func sessionOutlivesItsClientAndItsRequest() async throws {
    let message = unique()
    func open() throws -> Session { try Stage.client().stream(Request(message, model: "gated")) }
    let session = try open()
    try await Stage.open(message)
    #expect(try await session.text() == "first second")
    #expect(try await session.text() == "")
  }

  @Test func sessionIsCancelledByManyWhileItIsRead() async throws {
    for _ in 0..<50 {
      let session = try Stage.session("many")
      await withTaskGroup(of: Void.self) { group in
        group.addTask {
          do { _ = try await session.text() } catch { #expect(error is CancellationError) }
        }
        for _ in 0..<4 { group.addTask { session.cancel() } }
        group.addTask {
          _ = session.toolCalls
          _ = try? session.reply
        }
      }
    }
  }
}
