import Foundation
import Testing

@testable import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct SettingsTests {
  /// A setting of each key, by its own function.
  private static let all: [Setting] = [
    .apiKey("x"),
    .baseURL("http://localhost"),
    .model("x"),
    .headers(["X-Name": "value"]),
    .proxy("direct"),
    .caFile("x"),
    .caPEM("x"),
    .tlsRoots("bundled"),
    .tlsVerify(true),
    .tlsPins([
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ]),
    .clientCert("x"),
    .clientKey("x"),
    .connectTimeout(.seconds(1)),
    .firstByteTimeout(.seconds(1)),
    .idleTimeout(.seconds(1)),
    .totalTimeout(nil),
    .maxRetries(1),
    .retryChunks(true),
    .maxEventBytes(1048576),
    .maxErrorBytes(1048576),
    .maxHeaderBytes(1048576),
    .maxJSONDepth(100),
    .maxToolCalls(100),
    .maxReplyBytes(1048576),
    .queueBytes(1048576),
    .userAgent("x"),
    .recordFile("x"),
    .replayFile("x"),
    .replayTiming(true),
    .rawChunks(true),
    .modelAliases(["mine": ["one", "other"]]),
    .estimateUsage(true),
    .heal(true),
    .fetchURLs(true),
    .fetchPrivateURLs(true),
    .endpoint("http://localhost/chat"),
    .api("chat"),
    .organization("x"),
    .project("x"),
    .thinkTags(true),
    .fallbackModels(["one", "other"]),
    .authScheme("bearer"),
    .background(true),
    .anthropicVersion("2023-06-01"),
    .anthropicBeta(["one", "other"]),
    .scope("GIGACHAT_API_CORP"),
    .authURL("http://localhost/token"),
    .accessToken("x"),
    .user("x"),
    .password("x"),
    .apiVersion("v2"),
    .cookie("x"),
  ]

  @Test func everyKeyHasASettingThatItsProviderTakes() throws {
    var unused = Set(Self.all.map(\.key))
    #expect(unused.count == Self.all.count)
    for provider in Provider.all {
      for key in try provider.keys {
        let setting = try #require(
          Self.all.first { $0.key == key.name }, "no function for \(provider.name)'s \(key.name)")
        unused.remove(key.name)
        do {
          _ = try Client(provider.name, [.apiKey("key"), setting])
        } catch let error as TolmachError {
          // What else is wrong with all of them together, a client says after the keys.
          #expect(!error.message.contains("key \"\(key.name)\""), "\(error)")
        }
      }
    }
    #expect(unused.isEmpty)
  }

  @Test func keysSayWhatTheyAre() throws {
    let keys = try #require(Provider(named: "openai")).keys
    func key(_ name: String) throws -> Key { try #require(keys.first { $0.name == name }) }
    #expect(keys.allSatisfy { !$0.help.isEmpty })
    #expect(try key("api_key").kind == .secret && key("api_key").defaultValue == nil)
    #expect(try key("total_timeout_ms").kind == .milliseconds && key("total_timeout_ms").isOption)
    #expect(try !key("proxy").isOption && key("max_retries").defaultValue == "2")
    #expect(try key("api").choices == ["auto", "chat", "responses"])
    #expect(keys.allSatisfy { if case .unknown = $0.kind { false } else { true } })
  }

  @Test func durationsAreMilliseconds() {
    for (limit, value) in [
      (.milliseconds(1500), "1500"), (.nanoseconds(1), "1"), (.zero, "0"), (nil, "-1"),
    ] as [(Duration?, String)] {
      #expect(Setting.totalTimeout(limit) == Setting("total_timeout_ms", value))
    }
  }

  private func client(_ more: Setting...) throws -> Client {
    let usual = [
      Setting.baseURL(Stage.url), .apiKey(Stage.key), .proxy("direct"), .maxRetries(0),
    ]
    return try Client("openai", usual + more)
  }

  @Test func typedSettingsMakeAClient() async throws {
    #expect(try await client().ask(Request("Hi", model: "words")).text == "One two three.")
    let impatient = try client(.firstByteTimeout(.milliseconds(50)))
    let error = try await failure { try await impatient.ask(Request(unique(), model: "silent")) }
    #expect(error.kind == .timeout)
  }

  @Test func wrongSettingsAreRefused() async throws {
    for setting in [
      Setting("colour", "blue"), .maxRetries(-7), .idleTimeout(.seconds(-5)), .proxy("a\0b"),
      Setting("a\0", "b"), .default("colour"), .headers(["a b": "c"]),
    ] {
      #expect(try await failure { try client(setting) }.kind == .argument)
    }
    #expect(try await failure { try Client("nobody", [.maxRetries(1)]) }.kind == .argument)
    #expect(try await failure { try Client("openai\0", [.maxRetries(1)]) }.kind == .argument)
  }

  @Test func lastSettingOfAKeyCounts() async throws {
    let client = try client(
      .model("html"), .model("words"), .maxRetries(7), .default("max_retries"))
    #expect(try await client.ask(Request("Hi")).text == "One two three.")
  }

  @Test func clientIsMadeOfJSON() async throws {
    let json = #"{"provider": "openai", "max_retries": 0, "model": "words", "heal": true}"#
    let client = try Client(
      json: json, [.baseURL(Stage.url), .apiKey(Stage.key), .proxy("direct")])
    #expect(try await client.ask(Request("Hi")).text == "One two three.")
    for wrong in ["", "{", #"{"provider":"nobody"}"#, #"{"provider":"openai","colour":"blue"}"#] {
      #expect(try await failure { try Client(json: wrong) }.kind == .argument)
    }
  }

  @Test func optionIsForOneRequest() async throws {
    let client = try client()
    var request = try Request(unique(), model: "silent")
    try request.option(.totalTimeout(.milliseconds(50)))
    #expect(try await failure { try await client.ask(request) }.kind == .timeout)
    // A copy has it as well, also where it has been changed.
    var copy = request
    try copy.append(.user, unique())
    #expect(copy.count == 2 && request.count == 1)
    #expect(try await failure { try await client.ask(copy) }.kind == .timeout)
    #expect(!copy.json.contains("timeout"))
    try copy.set("model", to: "words")
    try copy.option(.default("total_timeout_ms"))
    #expect(try await client.ask(copy).text == "One two three.")
    for wrong in [Setting.proxy("direct"), .maxRetries(-7), Setting("a\0", nil)] {
      #expect(try await failure { try copy.option(wrong) }.kind == .argument)
    }
  }
}
