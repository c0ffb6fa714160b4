internal import CTolmach
import Foundation

/// All chunks of a session put together: the whole of choice 0.
public struct Answer: Sendable, Equatable {
  /// The id of the answer, as the provider calls it.
  public internal(set) var id: String?
  /// The model that answered.
  public internal(set) var model: String?
  /// The provider's id of the request: what its support asks for.
  public internal(set) var requestID: String?
  /// The text of the answer.
  public internal(set) var text = ""
  /// The reasoning before it; empty where there was none.
  public internal(set) var reasoning = ""
  /// Why the model refused, if it did.
  public internal(set) var refusal: String?
  /// The tools that the model calls, in their order.
  public internal(set) var toolCalls: [ToolCall] = []
  /// The images that the model made, in their order.
  public internal(set) var images: [Chunk.Image] = []
  /// What the model said aloud, if it did.
  public internal(set) var audio: Audio?
  /// The pages that the answer is based on, in their order.
  public internal(set) var sources: [Source] = []
  /// How likely the tokens were, where the request asks for it with "logprobs": JSON, in the
  /// pieces that it came in.
  public internal(set) var logprobs: [String] = []
  /// Why the answer ended; nil while it has not.
  public internal(set) var finishReason: Chunk.FinishReason?
  /// The tokens that were counted; nil where the provider did not say.
  public internal(set) var usage: Chunk.Usage?

  /// What the model said aloud.
  public struct Audio: Sendable, Hashable {
    public internal(set) var data = Data()
    /// The media type of the data, such as "audio/wav".
    public internal(set) var type: String?
    /// What is said in it; empty where the provider did not say.
    public internal(set) var transcript = ""
  }

  /// A page that the answer is based on.
  public struct Source: Sendable, Hashable {
    public let url: String
    /// Its title, if that is said.
    public let title: String?
  }
}

/// A call of one of the tools that a request offered.
public struct ToolCall: Hashable, Sendable {
  /// Which of n answers it belongs to.
  public let choice: Int
  /// Which call of that answer it is.
  public let index: Int
  /// What its result has to name.
  public internal(set) var id: String
  /// The tool.
  public internal(set) var name: String
  /// What to call it with: JSON, as the model wrote it.
  public internal(set) var arguments: String

  /// Reads the arguments. A call without arguments is read as `{}`.
  public func decode<Arguments: Decodable>(_ type: Arguments.Type = Arguments.self) throws
    -> Arguments
  {
    let isEmpty = arguments.allSatisfy(\.isWhitespace)
    return try JSON.decode(type, from: isEmpty ? "{}" : arguments)
  }
}

extension Answer {
  mutating func add(_ chunk: Chunk) {
    if case .usage(let counted) = chunk.content { usage = counted }
    guard chunk.choice == 0 else { return }
    switch chunk.content {
    case .start(let id, let model):
      self.id = id.unlessEmpty
      self.model = model.unlessEmpty
    case .text(let piece): text += piece
    case .reasoning(let piece): reasoning += piece
    case .refusal(let piece): refusal = (refusal ?? "") + piece
    case .toolCall: toolCalls.add(chunk)
    case .image(let image): images.append(image)
    case .audio(let data, let type, let transcript):
      var whole = audio ?? Audio()
      audio = nil
      whole.data.append(data)
      whole.type = type.unlessEmpty ?? whole.type
      whole.transcript += transcript
      audio = whole
    case .source(let url, let title): sources.append(Source(url: url, title: title.unlessEmpty))
    case .logprobs(let json): logprobs.append(json)
    case .finish(let reason, _): finishReason = reason
    case .usage, .progress, .raw, .state, .retry, .unknown: break
    }
  }
}

extension [ToolCall] {
  mutating func add(_ chunk: Chunk) {
    guard case .toolCall(let id, let name, let arguments) = chunk.content else { return }
    let known = lastIndex { $0.choice == chunk.choice && $0.index == chunk.index }
    let at = known ?? count
    if known == nil {
      append(ToolCall(choice: chunk.choice, index: chunk.index, id: "", name: "", arguments: ""))
    }
    if !id.isEmpty { self[at].id = id }
    if !name.isEmpty { self[at].name = name }
    self[at].arguments += arguments
  }
}

/// JSON as this package reads and writes it: dates as ISO 8601.
enum JSON {
  static func decode<Value: Decodable>(_ type: Value.Type, from text: String) throws -> Value {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    return try decoder.decode(type, from: Data(text.utf8))
  }

  static func encode(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
