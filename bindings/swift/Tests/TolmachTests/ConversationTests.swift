import Foundation
import Testing
import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct ConversationTests {
  private struct City: Decodable, Equatable {
    let city: String
  }

  private static func tools(_ name: String) -> String {
    """
    [{"type": "function", "function": {"name": "\(name)", "parameters":
      {"type": "object", "properties": {"city": {"type": "string"}}}}}]
    """
  }

  /// Asks, and appends the answer to the conversation.
  private func ask(_ client: Client, _ conversation: inout Request) async throws -> (
    text: String, toolCalls: [ToolCall]
  ) {
    let session = client.stream(conversation)
    let text = try await session.text()
    try conversation.append(session)
    return (text, session.toolCalls)
  }

  @Test func conversationOfThreeTurnsWithAToolKeepsEverything() async throws {
    let client = try Stage.client()
    let result = "3 °C \u{0} 👩‍👩‍👧"
    var conversation = try Request("How warm is it in Oslo?", model: "weather")
    try conversation.set("tools", json: Self.tools("weather"))
    let asked = try await ask(client, &conversation)
    let call = try #require(asked.toolCalls.first)
    #expect(asked.toolCalls.count == 1)
    #expect(call.name == "weather" && call.id == "call_1")
    #expect(
      try JSONDecoder().decode(City.self, from: Data(call.arguments.utf8)) == City(city: "Oslo"))

    try conversation.append(resultOf: call.id, result)
    let told = try await ask(client, &conversation)
    #expect(told.text == "It is \(result).")

    try conversation.append(.user, "And tomorrow?")
    #expect(try await ask(client, &conversation).text == "After 4 messages.")
  }

  @Test func replyIsTheMessageOfTheAssistant() async throws {
    struct Message: Decodable {
      let role, content: String
    }
    let session = try Stage.session("words")
    _ = try await session.text()
    let reply = try JSONDecoder().decode(Message.self, from: Data(session.reply.utf8))
    #expect(reply.role == "assistant" && reply.content == "One two three.")
  }

  @Test func copyOfARequestGoesItsOwnWay() throws {
    let original = try Request("Hi", model: "words")
    var copy = original
    try copy.append(.assistant, "Hello")
    try copy.set("temperature", to: 0.5)
    #expect(!original.json.contains("Hello") && !original.json.contains("temperature"))
    #expect(copy.json.contains("Hello") && copy.json.contains("\"temperature\":0.5"))
    #expect(try Request(json: copy.json).json == copy.json)
  }

  @Test func copiesMayBeChangedByTasksAtOnce() async throws {
    let original = try Request("Hi", model: "words")
    let changed = try await withThrowingTaskGroup(of: String.self) { group in
      for number in 0..<50 {
        group.addTask {
          var copy = original
          try copy.append(.user, "Number \(number).")
          return copy.json
        }
      }
      return try await group.reduce(into: Set()) { $0.insert($1) }
    }
    #expect(changed.count == 50)
    #expect(!original.json.contains("Number"))
  }

  @Test func requestHoldsWhatItWasGiven() throws {
    struct Whole: Decodable {
      struct Message: Decodable, Equatable {
        let role, content: String
      }
      let model: String
      let messages: [Message]
      let temperature: Double
      let stop: [String]
      let user: String?
    }
    let odd = "\u{0} \"\\ 𝄞 👋🏽 \u{2028}"
    var request = try Request(model: "words")
    try request.append(.system, odd)
    try request.append(.developer, "")
    try request.append(.user, odd)
    try request.append(.assistant, "Yes")
    try request.set("temperature", to: 0.2)
    try request.set("stop", to: ["a", "b"])
    try request.set("user", to: "me")
    try request.set("user", json: "null")
    let whole = try JSONDecoder().decode(Whole.self, from: Data(request.json.utf8))
    #expect(whole.model == "words" && whole.temperature == 0.2 && whole.stop == ["a", "b"])
    #expect(whole.user == nil)
    #expect(whole.messages.map(\.role) == ["system", "developer", "user", "assistant"])
    #expect(whole.messages.map(\.content) == [odd, "", odd, "Yes"])
  }

  @Test func wrongRequestsAreRefusedAndChangeNothing() async throws {
    var request = try Request(model: "words")
    let before = request.json
    let attempts: [(inout Request) throws -> Void] = [
      { try $0.attach(Stage.pixel) },
      { try $0.append(resultOf: "", "3") },
      { try $0.append(resultOf: "a\0b", "3") },
      { try $0.set("temperature", json: "{") },
      { try $0.set("messages", json: "1") },
      { try $0.set("na\0me", to: 1) },
    ]
    for attempt in attempts {
      #expect(try await failure { try attempt(&request) }.kind == .argument)
    }
    #expect(request.json == before)
    #expect(try await failure { try Request(json: "[1]") }.kind == .argument)
    #expect(try await failure { try Request(model: "a\0b") }.kind == .argument)
    request = try Request("Hi")
    for url in ["ftp://example.org/a.png", "http://example.org/\0"] {
      #expect(try await failure { try request.attach(url: url) }.kind == .argument)
    }
    #expect(try await failure { try request.attach([0, 1, 2] as [UInt8]) }.kind == .argument)
    #expect(try await failure { try request.attach(Stage.pixel, type: "a\0b") }.kind == .argument)
  }

  @Test func imagesGoInAsBytes() async throws {
    let sum = Stage.pixel.reduce(0) { $0 + Int($1) }
    let seen = "image/png \(Stage.pixel.count) bytes, sum \(sum)."
    let client = try Stage.client()
    var request = try Request("Look", model: "look")
    try request.attach(Stage.pixel)
    #expect(try await client.stream(request).text() == seen)
    try request.attach(Array(Stage.pixel), type: "image/png")
    #expect(try await client.stream(request).text() == "\(seen) \(seen)")
    try request.attach(url: "data:image/png;base64,\(Stage.pixel.base64EncodedString())")
    #expect(try await client.stream(request).text() == "\(seen) \(seen) \(seen)")
  }

  @Test func imagesComeOutAsBytes() async throws {
    let contents = try await Stage.session("gpt-image-1", "Paint a pixel").contents()
    let images = contents.compactMap { if case .image(let image) = $0 { image } else { nil } }
    #expect(images.count == 1)
    #expect(images.first?.data == Stage.pixel)
    #expect(images.first?.type == "image/png")
    #expect(images.first?.url == nil)
  }

  @Test func realServerAnswersAConversationWithATool() async throws {
    let client = try Real.client()
    var conversation = try Request("weather", model: "gpt-4o")
    try conversation.set("tools", json: Self.tools("get_weather"))
    let call = try #require(try await ask(client, &conversation).toolCalls.first)
    #expect(call.name == "get_weather" && call.arguments == #"{"city":"Oslo"}"#)
    try conversation.append(resultOf: call.id, "3 degrees")
    #expect(try await ask(client, &conversation).text == "Three degrees in Oslo.")
    try conversation.append(.user, "hello")
    #expect(try await ask(client, &conversation).text.hasPrefix("Hello from a server"))
  }
}
