import CTolmach
import Testing

@testable import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct StreamingTests {
  @Test func chunkIsInHandBeforeTheServerGoesOn() async throws {
    let message = unique()
    var chunks = try Stage.session("gated", message).makeAsyncIterator()
    var heard = ""
    while heard.isEmpty { heard += try #require(await chunks.next()).text ?? "" }
    #expect(heard == "first ")
    try await Stage.open(message)
    while let chunk = try await chunks.next() { heard += chunk.text ?? "" }
    #expect(heard == "first second")
  }

  @Test func emojiSplitAcrossReadsArriveWhole() async throws {
    let pieces = try await Stage.session("emoji").compactMap(\.text).reduce(into: []) {
      $0.append($1)
    }
    #expect(pieces.joined() == Stage.emoji)
    #expect(pieces.allSatisfy { !$0.contains("\u{FFFD}") })
  }

  @Test func manyPiecesArriveInOrder() async throws {
    let pieces = try await Stage.session("many").compactMap(\.text).reduce(into: []) {
      $0.append($1)
    }
    #expect(pieces.joined() == (0..<Stage.many).map { "\($0) " }.joined())
  }

  @Test func slowReaderLosesNothing() async throws {
    let client = try Stage.client(["queue_bytes": "1024"])
    var expected = 0
    for try await chunk in client.stream(try Request("Hi", model: "many")) {
      guard let text = chunk.text else { continue }
      #expect(text == "\(expected) ")
      expected += 1
      if expected % 100 == 0 { await Task.yield() }
    }
    #expect(expected == Stage.many)
  }

  @Test func everythingOfAnAnswerIsThere() async throws {
    let contents = try await Stage.session("words").contents()
    #expect(contents.contains(.reasoning("Hm.")))
    #expect(
      contents.filter { if case .text = $0 { true } else { false } }
        == [.text("One "), .text("two "), .text("three.")])
    #expect(contents.contains(.finish(.stop, original: "stop")))
    let usage = try #require(
      contents.lazy.compactMap { if case .usage(let usage) = $0 { usage } else { nil } }.last)
    #expect(usage.input == 3 && usage.output == 5)
    #expect(usage.cachedInput == nil)
    #expect(usage.cacheWrite == nil)
  }

  @Test func usageHasEveryCount() async throws {
    let contents = try await Stage.session("counted").contents()
    let usage = try #require(
      contents.lazy.compactMap { if case .usage(let usage) = $0 { usage } else { nil } }.last)
    #expect(usage.input == 9 && usage.output == 5 && usage.total == 14)
    #expect(usage.cachedInput == 4 && usage.cacheWrite == 3 && usage.reasoning == 2)
  }

  @Test func everyKindOfTheHeaderIsKnown() {
    var chunk = tolmach_chunk()
    let contents = (TOLMACH_CHUNK_START...TOLMACH_CHUNK_LOGPROBS).map { kind in
      chunk.kind = kind
      return Chunk(chunk).content
    }
    #expect(contents.allSatisfy { if case .unknown = $0 { false } else { true } })
    #expect(contents.last == .logprobs(""))
    chunk.kind = 77
    #expect(Chunk(chunk).content == .unknown(77, text: ""))
  }

  @Test func undecodedEventsArePassedOnWhenAskedFor() async throws {
    let contents = try await Stage.session("words", "Hi", ["raw_chunks": "true"]).contents()
    #expect(
      contents.contains { if case .raw(let event) = $0 { event.contains("One ") } else { false } })
  }

  @MainActor @Test func mainActorReadsWithoutLeavingItself() async throws {
    let message = unique()
    var heard = ""
    for try await chunk in try Stage.session("gated", message) {
      MainActor.assertIsolated()
      heard += chunk.text ?? ""
      if heard == "first " { try await Stage.open(message) }
    }
    #expect(heard == "first second")
  }

  @Test func requestIsCopiedWhenItIsSent() async throws {
    let message = unique()
    var request = try Request(message, model: "gated")
    let session = try Stage.client().stream(request)
    try request.append(.user, "Another message, which the server never sees")
    try await Stage.open(message)
    #expect(try await session.text() == "first second")
  }
}
