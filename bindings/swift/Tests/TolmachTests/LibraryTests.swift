import Testing
import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct LibraryTests {
  @Test func modelsAreListed() async throws {
    let models = try await Stage.client().models(timeout: .seconds(60))
    #expect(models.map(\.id) == ["words", "emoji"])
    #expect(models.allSatisfy { $0.contextLength == 4096 && $0.owner == "stage" })
    #expect(models.allSatisfy { $0.json.contains("\"object\"") })
  }

  @Test func modelsThatDoNotComeInTimeAreATimeout() async throws {
    let port = try Port(listens: true)
    let client = try Stage.client(["base_url": port.url])
    let error = try await failure { try await client.models(timeout: .milliseconds(50)) }
    #expect(error.kind == .timeout)
    #expect(try await failure { try await client.models(timeout: .seconds(-1)) }.kind == .argument)
  }

  @Test func longestTimeoutIsTaken() async throws {
    #expect(try await !Stage.client().models(timeout: .seconds(Int64.max)).isEmpty)
  }

  @Test func providersAreListed() throws {
    let openai = try #require(Provider(named: "openai"))
    #expect(Provider.all.contains(openai))
    #expect(Provider.all.count >= 5)
    #expect(openai.keyVariable == "OPENAI_API_KEY")
    #expect(openai.baseURL.hasPrefix("https://") && !openai.label.isEmpty)
    #expect(openai.capabilities.isSuperset(of: [.stream, .tools, .listModels, .needsAuth]))
    #expect(Provider(named: "nobody") == nil)
    #expect(Provider(named: "openai\0") == nil)
  }

  @Test func versionIsThatOfTheLibrary() {
    #expect(Library.version.split(separator: ".").count == 3)
    #expect(Library.abiVersion >= 1)
  }

  @Test func logIsHeardAndShowsNoKey() async throws {
    let (lines, said) = AsyncStream<Library.LogLine>.makeStream()
    Library.log(upTo: .trace) { said.yield($0) }
    #expect(try await Stage.session("words").text() == "One two three.")
    Library.stopLog()
    said.finish()
    var count = 0
    var ofSessions = 0
    for await line in lines {
      count += 1
      ofSessions += line.session > 0 ? 1 : 0
      #expect(!line.message.contains(Stage.key))
      #expect(!line.message.isEmpty && line.level >= .error)
    }
    #expect(count > 0 && ofSessions > 0)
  }

  @Test func realServerStreams() async throws {
    let session = try Real.client().stream(Request("hello", model: "gpt-4o"))
    let pieces = try await session.compactMap(\.text).reduce(into: []) { $0.append($1) }
    #expect(pieces.joined() == "Hello from a server that nobody here wrote: Привет, 世界 👋!")
    #expect(pieces.count > 5)
  }

  @Test func realServerLimitsTheRate() async throws {
    let client = try Real.client(["max_retries": "0"])
    let error = try await failure {
      try await client.stream(Request("too fast", model: "gpt-4o")).text()
    }
    #expect(error.kind == .rateLimited)
    #expect(error.retryAfter == .seconds(7))
    #expect(error.httpStatus == 429)
  }

  @Test func realServerCutsAnAnswer() async throws {
    let error = try await failure {
      try await Real.client().stream(Request("cut me off", model: "gpt-4o")).text()
    }
    #expect(error.kind == .truncated)
  }

  @Test func realServerListsItsModels() async throws {
    #expect(try await !Real.client().models().isEmpty)
  }
}
