internal import CTolmach

/// One answer on its way: a sequence of chunks for one loop to read, which draws each when it
/// wants it. A reader who is slow slows the provider down.
///
/// The request ends when the task that reads is cancelled (the loop throws
/// `CancellationError`), when the loop is left, when `cancel()` is called, or when nobody
/// holds the session any more.
public final class Session: AsyncSequence, Sendable {
  public typealias Element = Chunk

  /// Where opening failed, the loop throws why.
  let handle: Result<Handle, any Error>
  private let readiness = Readiness()
  /// Held while chunks are drawn and copied: they live until the next ones are.
  private let drawn = Locked(Drawn())
  private let hasLoop = Locked(false)

  init(client: Client, request: Request) {
    let readiness = readiness
    handle = Result {
      let session = try client.handle.use { client in
        try request.use { request in
          try Handle(freedBy: tolmach_session_free) {
            tolmach_session_open(client, request, $0, $1)
          }
        }
      }
      try session.use { try readiness.watch($0) }
      return session
    }
  }

  /// Ends the request at once: a loop that waits throws `CancellationError`. Does nothing
  /// where the answer has ended. Any task may call it.
  public func cancel() {
    guard case .success(let handle) = handle else { return }
    handle.use { tolmach_session_cancel($0) }
    // Chunks are left only while the library has not told the end.
    drawn.use { $0.waiting = [] }
  }

  /// Reads what is left of the answer, and returns the whole of choice 0, with what a loop has
  /// read before.
  ///
  /// - Throws: what a loop would. `answerSoFar` has what arrived before.
  public func answer() async throws -> Answer {
    for try await _ in self {}
    return answerSoFar
  }

  /// What has arrived so far of choice 0, put together. It may be some chunks ahead of the loop.
  public var answerSoFar: Answer {
    drawn.use {
      var answer = $0.answer
      guard case .success(let handle) = handle else { return answer }
      answer.requestID = handle.use {
        tolmach_session_info_get($0).flatMap { String($0.pointee.request_id).unlessEmpty }
      }
      return answer
    }
  }

  /// Reads what the library knows, while nobody draws chunks; nil where opening failed.
  func read<Value>(_ body: (OpaquePointer) -> Value) -> Value? {
    guard case .success(let handle) = handle else { return nil }
    return drawn.use { _ in handle.use(body) }
  }

  /// The tool calls of what has arrived so far, of every choice, put together. Their arguments
  /// are whole JSON once the answer has ended.
  public var toolCalls: [ToolCall] { drawn.use { $0.answer.toolCalls + $0.otherToolCalls } }

  /// What has arrived so far, put together: the assistant's message as JSON; empty while there
  /// is nothing to send back. It may be some chunks ahead of the loop. To go on with the
  /// conversation, append the session to its request.
  public var reply: String {
    get throws {
      let handle = try handle.get()
      return drawn.use { _ in handle.use { String(tolmach_session_reply($0)) } }
    }
  }

  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

  public struct AsyncIterator: AsyncIteratorProtocol {
    private let loop: Loop

    fileprivate init(_ session: Session) { loop = Loop(session) }

    public mutating func next() async throws -> Chunk? {
      try await next(isolation: nil)
    }

    /// Stays where the caller is: a chunk that is there costs no switch of threads.
    public mutating func next(isolation: isolated (any Actor)?) async throws -> Chunk? {
      guard loop.isAlone else { throw Session.busy }
      return try await loop.session.next(isolation: isolation)
    }
  }

  /// Lives as long as the loop's iterator, to end the request with it.
  private final class Loop: Sendable {
    let session: Session
    let isAlone: Bool

    init(_ session: Session) {
      self.session = session
      isAlone = session.hasLoop.use { hasLoop in
        defer { hasLoop = true }
        return !hasLoop
      }
    }

    deinit {
      guard isAlone else { return }
      session.cancel()
      session.hasLoop.use { $0 = false }
    }
  }

  private func next(isolation: isolated (any Actor)?) async throws -> Chunk? {
    let handle = try handle.get()
    while true {
      if Task.isCancelled { cancel() }
      switch try poll(handle) {
      case .chunk(let chunk): return chunk
      case .end: return nil
      case .pending: try await waitUntilReady(isolation: isolation)
      }
    }
  }

  private enum Polled {
    case chunk(Chunk)
    case pending, end
  }

  /// Takes a chunk that has been drawn, else draws all that have arrived.
  private func poll(_ handle: Handle) throws -> Polled {
    try drawn.use { drawn in
      if let chunk = drawn.waiting.popFirst() { return .chunk(chunk) }
      return try handle.use { session in
        var batch: UnsafePointer<tolmach_batch>?
        let status = try check { tolmach_session_poll_many(session, 0, &batch, $0) }
        guard let batch else { return status == TOLMACH_END ? .end : .pending }
        drawn.add(batch.pointee)
        return drawn.waiting.popFirst().map { .chunk($0) } ?? .pending
      }
    }
  }

  /// What cancels the session makes it ready, and so ends the wait.
  private func waitUntilReady(isolation: isolated (any Actor)?) async throws {
    let isReady = await withTaskCancellationHandler {
      await readiness.wait(isolation: isolation)
    } onCancel: {
      cancel()
    }
    if !isReady { throw Session.busy }
  }

  private static var busy: TolmachError {
    TolmachError(.busy, "another loop is reading this session")
  }
}

/// What has been drawn of a session.
private struct Drawn {
  /// Chunks that no loop has read.
  var waiting: ArraySlice<Chunk> = []
  var answer = Answer()
  /// Those of the other choices.
  var otherToolCalls: [ToolCall] = []

  mutating func add(_ batch: tolmach_batch) {
    // The library may be newer than the header, and its chunks larger.
    let first = UnsafeRawPointer(batch.chunks!)
    let chunks = (0..<batch.count).map { at in
      Chunk(first.load(fromByteOffset: at * batch.chunk_size, as: tolmach_chunk.self))
    }
    for chunk in chunks {
      answer.add(chunk)
      if chunk.choice != 0 { otherToolCalls.add(chunk) }
    }
    waiting = chunks[...]
  }
}

/// Wakes the task that waits for a session. No thread waits with it.
final class Readiness: Sendable {
  private enum State {
    case idle, ready
    case awaited(CheckedContinuation<Bool, Never>)
  }

  private let state = Locked(State.idle)

  /// Has the library say whenever `session` is ready. It holds this object until it has said
  /// so for the last time.
  func watch(_ session: OpaquePointer) throws {
    let user = Unmanaged.passRetained(self)
    do {
      try check {
        tolmach_session_on_ready(
          session,
          { Unmanaged<Readiness>.fromOpaque($0!).takeUnretainedValue().wake() },
          user.toOpaque(),
          { Unmanaged<Readiness>.fromOpaque($0!).release() },
          $0)
      }
    } catch {
      user.release()
      throw error
    }
  }

  /// Returns true once polls may have something to say; false at once where another task is
  /// waiting.
  func wait(isolation: isolated (any Actor)?) async -> Bool {
    await withCheckedContinuation(isolation: isolation) { continuation in
      let known: Bool? = state.use {
        switch $0 {
        case .idle:
          $0 = .awaited(continuation)
          return nil
        case .ready:
          $0 = .idle
          return true
        case .awaited: return false
        }
      }
      if let known { continuation.resume(returning: known) }
    }
  }

  func wake() {
    let continuation: CheckedContinuation<Bool, Never>? = state.use {
      guard case .awaited(let continuation) = $0 else {
        $0 = .ready
        return nil
      }
      $0 = .idle
      return continuation
    }
    continuation?.resume(returning: true)
  }
}
