import Foundation
import Testing

@testable import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct AnswerTests {
  @Test func askGivesTheWholeAnswer() async throws {
    let answer = try await Stage.client().ask(Request("Hi", model: "words"))
    #expect(answer.text == "One two three.")
    #expect(answer.reasoning == "Hm.")
    #expect(answer.finishReason == .stop)
    #expect(answer.usage?.input == 3 && answer.usage?.output == 5)
    #expect(answer.refusal == nil && answer.audio == nil)
    #expect(answer.toolCalls.isEmpty && answer.images.isEmpty && answer.sources.isEmpty)
  }

  @Test func askThrowsWhatALoopThrows() async throws {
    let client = try Stage.client(["max_retries": "0"])
    for (scene, kind) in [
      ("status-429", TolmachError.Kind.rateLimited), ("truncated", .truncated), ("fails", .provider),
    ] {
      let error = try await failure { try await client.ask(Request("Hi", model: scene)) }
      #expect(error.kind == kind)
    }
  }

  @Test func answerHasWhatALoopReadBefore() async throws {
    let message = unique()
    let session = try Stage.session("gated", message)
    for try await chunk in session where chunk.text == "first " {
      #expect(session.answerSoFar.text == "first ")
      #expect(session.answerSoFar.finishReason == nil)
      try await Stage.open(message)
    }
    #expect(try await session.answer().text == "first second")
    #expect(try await session.answer() == session.answerSoFar)
  }

  @Test func answerBeforeAnErrorIsThere() async throws {
    let session = try Stage.session("truncated")
    #expect(try await failure { try await session.answer() }.kind == .truncated)
    #expect(session.answerSoFar.text == "first ")
    let refused = try Stage.session("status-429", "Hi", ["max_retries": "0"])
    #expect(try await failure { try await refused.answer() }.kind == .rateLimited)
    #expect(refused.answerSoFar.requestID == "req-42")
  }

  @Test func cancelledAskClosesTheConnection() async throws {
    let message = unique()
    let client = try Stage.client()
    let task = Task { try await client.ask(Request(message, model: "silent")) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func toolCallsOfAnAnswerAreWholeAndDecoded() async throws {
    struct Place: Decodable, Equatable {
      let city: String
    }
    var request = try Request("How warm?", model: "tools")
    try request.set("tools", json: #"[{"type": "function", "function": {"name": "weather"}}]"#)
    let answer = try await Stage.client().ask(request)
    #expect(answer.finishReason == .toolCalls)
    #expect(try answer.toolCalls.map { try $0.decode(Place.self).city } == ["Oslo", "Bergen"])
    #expect(answer.toolCalls.map(\.id) == ["call_1", "call_2"])
  }

  @Test func imagesOfAnAnswerAreBytes() async throws {
    let answer = try await Stage.client().ask(Request("Paint", model: "gpt-image-1"))
    #expect(answer.images.map(\.data) == [Stage.pixel])
  }

  @Test func everyPieceOfAnAnswerHasItsPlace() {
    var answer = Answer()
    func add(_ content: Chunk.Content, choice: Int = 0, index: Int = 0) {
      answer.add(Chunk(choice: choice, index: index, content: content))
    }
    add(.start(id: "a", model: "m"))
    add(.text("Yes"))
    add(.text("No"), choice: 1)
    add(.refusal("I will "))
    add(.refusal("not."))
    add(.audio(Data([1]), type: "audio/wav", transcript: "He"))
    add(.audio(Data([2]), type: "", transcript: "llo"))
    add(.source(url: "https://example.org", title: ""))
    add(.logprobs("[1]"))
    add(.toolCall(id: "x", name: "f", arguments: ""), index: 0)
    add(.toolCall(id: "y", name: "g", arguments: ""), index: 1)
    add(.toolCall(id: "", name: "", arguments: "{}"), index: 0)
    add(.toolCall(id: "z", name: "h", arguments: ""), choice: 1)
    add(.finish(.length, original: "max"), choice: 1)
    #expect(answer.id == "a" && answer.model == "m" && answer.text == "Yes")
    #expect(answer.refusal == "I will not.")
    #expect(answer.audio?.data == Data([1, 2]) && answer.audio?.type == "audio/wav")
    #expect(answer.audio?.transcript == "Hello")
    #expect(answer.sources == [Answer.Source(url: "https://example.org", title: nil)])
    #expect(answer.logprobs == ["[1]"])
    #expect(answer.toolCalls.map(\.arguments) == ["{}", ""])
    #expect(answer.finishReason == nil)
  }

  @Test func errorsAreTransientOrNot() async throws {
    let client = try Stage.client(["max_retries": "0"])
    for (scene, isTransient) in [
      ("status-503", true), ("status-429", true), ("truncated", true), ("status-401", false),
      ("html", false),
    ] {
      let error = try await failure { try await client.ask(Request("Hi", model: scene)) }
      #expect(error.isTransient == isTransient)
    }
  }

  @Test func retriesAreToldWhenAskedFor() async throws {
    // Nobody listens there, so that each attempt fails at once.
    let port = try Port(listens: false)
    let settings = ["base_url": port.url, "max_retries": "1", "retry_chunks": "true"]
    var attempts: [Int] = []
    let error = try await failure {
      for try await chunk in try Stage.session("words", "Hi", settings) {
        if case .retry(let why, let attempt, _) = chunk.content, !why.isEmpty {
          attempts.append(attempt)
        }
      }
    }
    #expect(error.kind == .connect)
    #expect(attempts == [2])
  }
}
