import Foundation
import Testing

@testable import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct ErrorTests {
  @Test(arguments: [
    ("status-400", TolmachError.Kind.badRequest), ("status-401", .auth), ("status-402", .quota),
    ("status-403", .auth), ("status-404", .notFound), ("status-413", .badRequest),
    ("status-422", .badRequest), ("status-429", .rateLimited), ("status-500", .server),
    ("status-503", .server), ("quota", .quota), ("context-length", .contextLength),
    ("blocked", .blocked), ("no such scene", .notFound), ("fails", .provider),
    ("html", .protocol), ("truncated", .truncated),
  ])
  func kindTellsWhatWentWrong(scene: String, kind: TolmachError.Kind) async throws {
    let error = try await failure {
      try await Stage.session(scene, "Hi", ["max_retries": "0"]).text()
    }
    #expect(error.kind == kind)
    #expect(!error.message.isEmpty)
  }

  @Test func rateLimitSaysWhenToComeBackAndWhatToTellTheSupport() async throws {
    let error = try await failure {
      try await Stage.session("status-429", "Hi", ["max_retries": "0"]).text()
    }
    #expect(error.kind == .rateLimited)
    #expect(error.retryAfter == .seconds(7))
    #expect(error.httpStatus == 429)
    #expect(error.requestID == "req-42")
    #expect(error.providerCode == "code_429")
    #expect(error.message.contains("Scripted 429"))
    #expect(try #require(error.body).contains("scripted_error"))
    #expect(error.localizedDescription == error.message)
    #expect("\(error)" == "rateLimited: \(error.message)")
  }

  @Test func whatAnErrorDoesNotSayIsNil() async throws {
    let error = try await failure { try await Stage.session("truncated").text() }
    #expect(error.retryAfter == nil)
    #expect(error.requestID == nil)
    #expect(error.providerCode == nil)
  }

  @Test func textBeforeAFailureIsDelivered() async throws {
    for scene in ["fails", "truncated"] {
      var heard = ""
      let error = try await failure {
        for try await chunk in try Stage.session(scene) { heard += chunk.text ?? "" }
      }
      #expect(heard == "first ")
      #expect(error.kind == (scene == "fails" ? .provider : .truncated))
    }
  }

  @Test func failureIsToldAgain() async throws {
    let session = try Stage.session("html")
    for _ in 0..<2 {
      #expect(try await failure { try await session.text() }.kind == .protocol)
    }
  }

  @Test func wrongKeyIsRefusedAndNeverShown() async throws {
    let error = try await failure {
      try await Stage.session("words", "Hi", ["api_key": "sk-secret"]).text()
    }
    #expect(error.kind == .auth && error.httpStatus == 401)
    #expect(!"\(error) \(error.body ?? "")".contains("sk-secret"))
  }

  @Test func wrongSettingsAreRefusedAtOnce() async throws {
    for settings in [["no_such_key": "1"], ["max_retries": "many"], ["proxy": "a\0b"], ["a\0": ""]]
    {
      let error = try await failure { try Stage.client(settings) }
      #expect(error.kind == .argument && !error.message.isEmpty)
    }
    for provider in ["no such provider", "openai\0", ""] {
      #expect(try await failure { try Client(provider) }.kind == .argument)
    }
  }

  @Test func silenceIsATimeout() async throws {
    let settings = ["first_byte_timeout_ms": "50", "max_retries": "0"]
    let error = try await failure { try await Stage.session("silent", unique(), settings).text() }
    #expect(error.kind == .timeout)
  }

  @Test func largeEventIsRefused() async throws {
    var request = try Request("How warm is it?", model: "weather")
    try request.set("tools", json: #"[{"type": "function", "function": {"name": "weather"}}]"#)
    let client = try Stage.client(["max_event_bytes": "1024"])
    let session = client.stream(request)
    _ = try await session.text()
    try request.append(session)
    try request.append(
      resultOf: #require(session.toolCalls.first).id, String(repeating: "warm ", count: 100_000))
    #expect(try await failure { try await client.stream(request).text() }.kind == .tooLarge)
  }

  @Test func closedPortIsRefused() async throws {
    let port = try Port(listens: false)
    let settings = ["base_url": port.url, "max_retries": "0"]
    #expect(
      try await failure { try await Stage.session("words", "Hi", settings).text() }.kind == .connect
    )
  }

  @Test func unknownHostIsNotFound() async throws {
    let settings = ["base_url": "http://nothing.invalid/v1", "max_retries": "0"]
    #expect(
      try await failure { try await Stage.session("words", "Hi", settings).text() }.kind == .dns)
  }

  @Test func serverWithoutTLSIsRefused() async throws {
    let url = Real.url.replacingOccurrences(of: "http://", with: "https://")
    let settings = ["base_url": url, "max_retries": "0"]
    #expect(
      try await failure { try await Stage.session("words", "Hi", settings).text() }.kind == .tls)
  }

  @Test func secondLoopBesideAnotherIsBusyAndDoesNotDisturbIt() async throws {
    let message = unique()
    let session = try Stage.session("gated", message)
    var heard = ""
    for try await chunk in session {
      heard += chunk.text ?? ""
      guard chunk.text == "first " else { continue }
      #expect(try await failure { try await session.text() }.kind == .busy)
      try await Stage.open(message)
    }
    #expect(heard == "first second")
    #expect(try await session.text() == "")
  }

  @Test func everyStatusHasItsKind() {
    let kinds = (-22 ... -1).map { TolmachError.Kind($0) }
    #expect(Set(kinds).count == 22)
    #expect(TolmachError.Kind(-21) == .internal)
    #expect(TolmachError.Kind(-22) == .noMemory)
    // Cancellation alone is no error of this type.
    #expect(kinds.filter { if case .unknown = $0 { true } else { false } } == [.unknown(-3)])
    #expect(TolmachError.Kind(-77) == .unknown(-77))
  }
}
