import Foundation
import Testing

@testable import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct ToolTests {
  private struct Place: Decodable {
    let city: String
  }

  private struct Nothing: Decodable {}

  private static func weather() throws -> Tool {
    try Tool("weather", "How warm it is in a city") { (place: Place) in
      ["Oslo": "3 °C", "Bergen": "5 °C"][place.city] ?? "unknown"
    }
  }

  private struct Message: Decodable {
    struct Call: Decodable {
      let id: String
    }
    let role: String
    let content: String?
    let tool_calls: [Call]?
  }

  private func messages(_ request: Request) throws -> [Message] {
    struct Whole: Decodable {
      let messages: [Message]
    }
    return try JSONDecoder().decode(Whole.self, from: Data(request.json.utf8)).messages
  }

  /// A request that has `calls` call the tools, each with its arguments.
  private func calling(_ calls: [[String]], _ model: String = "calls") throws -> Request {
    try Request(String(decoding: JSONEncoder().encode(calls), as: UTF8.self), model: model)
  }

  @Test func runCallsToolsUntilTheAnswer() async throws {
    let client = try Stage.client()
    var request = try Request("How warm?", model: "weather")
    let answer = try await client.run(&request, tools: [Self.weather()], maxRounds: 2)
    #expect(answer.text == "It is 3 °C.")
    #expect(try messages(request).map(\.role) == ["user", "assistant", "tool", "assistant"])
    request = try Request("How warm?", model: "tools")
    let both = try await client.run(&request, tools: [Self.weather()])
    #expect(both.text == "Oslo: 3 °C, Bergen: 5 °C.")
    #expect(try messages(request).map(\.role) == ["user", "assistant", "tool", "tool", "assistant"])
  }

  @Test func runWithoutToolsIsATurn() async throws {
    var request = try Request("Hi", model: "words")
    let answer = try await Stage.client().run(&request, tools: [], maxRounds: 1)
    #expect(answer.text == "One two three.")
    #expect(try messages(request).map(\.role) == ["user", "assistant"])
  }

  @Test func modelIsToldWhatIsWrongWithItsCalls() async throws {
    struct Broken: LocalizedError {
      var errorDescription: String? { "out of order" }
    }
    let tools = [
      try Self.weather(),
      try Tool("fails", "") { (_: Nothing) -> String in throw Broken() },
      try Tool("numbers", "") { (_: Nothing) in [1, 2] },
      Tool("by_hand", "", json: nil) { $0 },
    ]
    var request = try calling([
      ["weather", #"{"city":7}"#], ["weather", "{}"], ["climate", "{}"], ["fails", ""],
      ["weather", #"{"city":"Oslo"}"#], ["numbers", "{}"], ["by_hand", #"{"x":1}"#],
    ])
    let answer = try await Stage.client().run(&request, tools: tools)
    let told = try JSONDecoder().decode([String].self, from: Data(answer.text.utf8))
    #expect(
      told == [
        "error: wrong arguments: city is not of type String",
        "error: wrong arguments: city is missing",
        "error: there is no tool climate",
        "error: out of order",
        "3 °C",
        "[1,2]",
        #"{"x":1}"#,
      ])
  }

  @Test func runEndsAfterItsRounds() async throws {
    let client = try Stage.client()
    var request = try calling([["weather", #"{"city":"Oslo"}"#]], "calls-for-ever")
    do {
      try await client.run(&request, tools: [Self.weather()], maxRounds: 2)
      Issue.record("no error")
    } catch let error as AnswerError {
      #expect(error.kind == .rounds && error.message.contains("2 rounds"))
      #expect(error.answer.toolCalls.map(\.name) == ["weather"])
      #expect(error.localizedDescription == error.message)
    }
    // Each call in it has its result, so that it can be run again.
    let roles = ["user", "assistant", "tool", "assistant", "tool"]
    #expect(try messages(request).map(\.role) == roles)
    let error = try await failure { try await client.run(&request, tools: [], maxRounds: 0) }
    #expect(error.kind == .argument)
  }

  @Test func callsOfAnAnswerRunAtOnce() async throws {
    let arrived = Locked(0)
    let tool = try Tool("weather", "") { (place: Place) in
      arrived.use { $0 += 1 }
      while arrived.use({ $0 }) < 2 { await Task.yield() }
      return place.city
    }
    var request = try Request("How warm?", model: "tools")
    let answer = try await Stage.client().run(&request, tools: [tool])
    #expect(answer.text == "Oslo: Oslo, Bergen: Bergen.")
  }

  @Test func cancelledRunLeavesTheRequestAsItWas() async throws {
    let client = try Stage.client()
    let request = try Request("How warm?", model: "weather")
    let (called, said) = AsyncStream<Void>.makeStream()
    let slow = try Tool("weather", "") { (place: Place) in
      said.yield()
      try await Task.sleep(for: .seconds(600))
      return place.city
    }
    let task = Task {
      var own = request
      do {
        try await client.run(&own, tools: [slow])
        return "no error"
      } catch is CancellationError {
        return try messages(own).map(\.role).joined(separator: " ")
      }
    }
    for await _ in called { break }
    task.cancel()
    #expect(try await task.value == "user")
  }

  @Test func failedTurnKeepsTheTurnsBeforeIt() async throws {
    let client = try Stage.client(["max_retries": "0"])
    var request = try Request("Hi", model: "status-500")
    #expect(try await failure { try await client.run(&request, tools: []) }.kind == .server)
    #expect(try messages(request).map(\.role) == ["user"])
  }

  @Test func wrongToolsAreRefused() async throws {
    let client = try Stage.client()
    for tool in [
      Tool("", "", json: nil) { $0 }, Tool("a b", "", json: nil) { $0 },
      Tool("a\0", "", json: nil) { $0 }, Tool("a", "b\0", json: nil) { $0 },
      Tool("a", "", json: Schema(json: "[]")) { $0 },
    ] {
      var request = try Request("Hi", model: "words")
      let before = request.json
      #expect(try await failure { try await client.run(&request, tools: [tool]) }.kind == .argument)
      #expect(request.json == before)
    }
    #expect(try await failure { try Tool("a", "") { (_: String) in "" } }.kind == .argument)
  }

  @Test func toolIsOfferedWithItsSchema() throws {
    var request = try Request("Hi")
    try request.add(Self.weather())
    try request.add(Self.weather())
    let json = request.json
    #expect(json.components(separatedBy: #""name":"weather""#).count == 2)
    #expect(json.contains("How warm it is in a city") && json.contains(#""city":{"type":"string"}"#))
  }
}
