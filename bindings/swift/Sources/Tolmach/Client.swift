internal import CTolmach
import Foundation

/// A provider and how to reach it, with its open connections. Make one and share it: any
/// number of tasks may use it at once.
public final class Client: Sendable {
  let handle: Handle

  /// Makes a client. Touches no network.
  ///
  /// - Parameters:
  ///   - provider: its name, such as "openai"; `Provider.all` has them.
  ///   - settings: the keys of `tolmach.h` with their values, such as "api_key", "model",
  ///     "base_url" or "idle_timeout_ms". Durations are in milliseconds.
  /// - Throws: `TolmachError`: `.argument` for an unknown provider or key, or a wrong value;
  ///   `.auth` where there is neither a key nor its environment variable.
  public convenience init(_ provider: String, _ settings: [String: String] = [:]) throws {
    try self.init(provider, settings.sorted { $0.key < $1.key }.map { Setting($0.key, $0.value) })
  }

  init(config: Handle, _ settings: [Setting]) throws {
    for setting in settings {
      try setting.refuseNULs()
      try config.use { config in
        try check { tolmach_config_set(config, setting.key, setting.value, $0) }
      }
    }
    handle = try config.use { config in
      try Handle(freedBy: tolmach_client_free) { tolmach_client_new(config, $0, $1) }
    }
  }

  /// Asks `request`, and returns at once. The answer is an asynchronous sequence of chunks,
  /// for one loop to read; whatever goes wrong is thrown there.
  ///
  /// The request ends when the task that reads is cancelled, when the loop is left, or when
  /// nobody holds the session any more.
  public func stream(_ request: Request) -> Session {
    Session(client: self, request: request)
  }

  /// Asks `request`, and waits for the whole answer. The request stays as it is: `run` appends
  /// the answer to it.
  ///
  /// - Throws: `TolmachError`, or `CancellationError` where the task is cancelled. To have what
  ///   arrived before an error, use `stream` and the session's `answer()` and `answerSoFar`.
  public func ask(_ request: Request) async throws -> Answer {
    try await stream(request).answer()
  }

  /// Asks for the models there are.
  ///
  /// The library waits for them in a thread of its own. Where the task is cancelled, this
  /// throws `CancellationError` at once, and the thread ends a while later.
  ///
  /// - Parameter timeout: for all of it, retries included; nil leaves it to the settings.
  /// - Throws: `TolmachError`: `.unsupported` where the provider lists none; `.timeout`; all
  ///   that a session can throw.
  public func models(timeout: Duration? = nil) async throws -> [Model] {
    let limit = try milliseconds(timeout)
    let models = Awaited<[Model]>()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        guard models.isAwaited(by: continuation) else { return }
        Thread.detachNewThread { models.give(Result { try self.waitForModels(limit) }) }
      }
    } onCancel: {
      models.give(.failure(CancellationError()))
    }
  }

  private func waitForModels(_ limit: Int64) throws -> [Model] {
    let list = try handle.use { client in
      try Handle(freedBy: tolmach_models_free) { tolmach_client_models(client, limit, $0, $1) }
    }
    return list.use { list in
      (0..<tolmach_models_count(list)).compactMap { tolmach_models_get(list, $0).map(Model.init) }
    }
  }
}

/// A model of a provider's.
public struct Model: Hashable, Sendable, Identifiable {
  /// The name to ask for it by.
  public let id: String
  /// Who made or serves it, if that is said.
  public let owner: String?
  /// The provider's whole entry, as JSON.
  public let json: String
  /// Tokens that fit its context, if that is said.
  public let contextLength: Int?
  /// What its entry says it can do.
  public let capabilities: Capabilities

  init(_ model: UnsafePointer<tolmach_model>) {
    id = String(model.pointee.id)
    owner = String(model.pointee.owner).unlessEmpty
    json = String(model.pointee.json)
    contextLength = count(model.pointee.context_length)
    capabilities = Capabilities(rawValue: model.pointee.capabilities)
  }
}

/// A result that a task waits for: the first that is given counts.
private final class Awaited<Value: Sendable>: Sendable {
  private enum State {
    case open
    case awaited(CheckedContinuation<Value, any Error>)
    case given(Result<Value, any Error>)
  }

  private let state = Locked(State.open)

  /// False where the result was there already, and the continuation has it.
  func isAwaited(by continuation: CheckedContinuation<Value, any Error>) -> Bool {
    let given: Result<Value, any Error>? = state.use {
      if case .given(let result) = $0 { return result }
      $0 = .awaited(continuation)
      return nil
    }
    if let given { continuation.resume(with: given) }
    return given == nil
  }

  func give(_ result: Result<Value, any Error>) {
    let before = state.use { state in
      defer { if case .given = state {} else { state = .given(result) } }
      return state
    }
    if case .awaited(let continuation) = before { continuation.resume(with: result) }
  }
}
