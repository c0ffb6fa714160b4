import Testing
import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct CancellationTests {
  /// Reads until the server has nothing more to say, tells it, and waits on.
  private func wait(for session: Session, _ heard: AsyncStream<Void>.Continuation) async throws {
    for try await chunk in session where chunk.text == "first " { heard.yield() }
  }

  @Test func cancelledTaskStopsWaitingAndClosesTheConnection() async throws {
    let message = unique()
    let (heard, said) = AsyncStream<Void>.makeStream()
    let session = try Stage.session("held", message)
    let task = Task { try await wait(for: session, said) }
    for await _ in heard { break }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    try await Stage.sawClosing(of: message)
  }

  @Test func taskCancelledBeforeItsFirstChunkStopsWaiting() async throws {
    let message = unique()
    let session = try Stage.session("silent", message)
    let task = Task { try await session.text() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func cancelledTaskReadsNoChunkThatIsThere() async throws {
    let session = try Stage.session("many")
    let task = Task {
      for try await chunk in session where chunk.text == "0 " {
        withUnsafeCurrentTask { $0?.cancel() }
      }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func cancelDropsTheChunksThatWereDrawnTogether() async throws {
    let session = try Stage.session("many")
    await #expect(throws: CancellationError.self) {
      for try await chunk in session where chunk.text == "0 " {
        session.cancel()
      }
    }
    await #expect(throws: CancellationError.self) { try await session.answer() }
    #expect(session.answerSoFar.text.hasPrefix("0 "))
  }

  @Test func cancelledGroupStopsAllItsTasks() async throws {
    let messages = (0..<20).map { _ in unique() }
    let (heard, said) = AsyncStream<Void>.makeStream()
    let stopped = try await withThrowingTaskGroup(of: Bool.self) { group in
      for message in messages {
        let session = try Stage.session("held", message)
        group.addTask {
          do {
            try await self.wait(for: session, said)
            return false
          } catch is CancellationError {
            return true
          }
        }
      }
      var count = 0
      for await _ in heard {
        count += 1
        if count == messages.count { break }
      }
      group.cancelAll()
      return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(stopped == messages.count)
    for message in messages { try await Stage.sawClosing(of: message) }
  }

  @Test func failureOfOneTaskCancelsTheOthersOfItsGroup() async throws {
    let message = unique()
    let (heard, said) = AsyncStream<Void>.makeStream()
    let error = try await failure {
      try await withThrowingTaskGroup(of: Void.self) { group in
        let held = try Stage.session("held", message)
        group.addTask { try await self.wait(for: held, said) }
        for await _ in heard { break }
        group.addTask { _ = try await Stage.session("fails").text() }
        while try await group.next() != nil {}
      }
    }
    #expect(error.kind == .provider)
    try await Stage.sawClosing(of: message)
  }

  @Test func leavingTheLoopEndsTheRequest() async throws {
    let message = unique()
    let session = try Stage.session("held", message)
    for try await chunk in session where chunk.text == "first " { break }
    try await Stage.sawClosing(of: message)
    #expect(try session.reply.contains("first "))
  }

  @Test func throwingOutOfTheLoopEndsTheRequest() async throws {
    let message = unique()
    await #expect(throws: Unexpected.self) {
      for try await chunk in try Stage.session("held", message) where chunk.text == "first " {
        throw Unexpected("Enough")
      }
    }
    try await Stage.sawClosing(of: message)
  }

  @Test func droppingTheSessionAndItsIteratorEndsTheRequest() async throws {
    let message = unique()
    var chunks: Session.AsyncIterator? = try Stage.session("held", message).makeAsyncIterator()
    while let chunk = try await chunks?.next(), chunk.text != "first " {}
    chunks = nil
    try await Stage.sawClosing(of: message)
  }

  @Test func cancelEndsTheWaitOfAnotherTask() async throws {
    let message = unique()
    let (heard, said) = AsyncStream<Void>.makeStream()
    let session = try Stage.session("held", message)
    let task = Task { try await wait(for: session, said) }
    for await _ in heard { break }
    session.cancel()
    session.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    await #expect(throws: CancellationError.self) { try await session.text() }
    try await Stage.sawClosing(of: message)
  }

  @Test func cancelAfterTheEndChangesNothing() async throws {
    let session = try Stage.session("words")
    #expect(try await session.text() == "One two three.")
    session.cancel()
    #expect(try await session.text() == "")
  }

  @Test func taskThatWaitsForModelsStopsAtOnce() async throws {
    let port = try Port(listens: true)
    let client = try Stage.client(["base_url": port.url])
    let tasks = (0..<50).map { _ in Task { try await client.models() } }
    // While they wait, others have the pool to themselves.
    #expect(try await Stage.session("words").text() == "One two three.")
    for task in tasks { task.cancel() }
    for task in tasks {
      await #expect(throws: CancellationError.self) { try await task.value }
    }
  }
}
