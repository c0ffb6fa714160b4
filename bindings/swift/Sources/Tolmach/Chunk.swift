internal import CTolmach
import Foundation

/// One piece of an answer.
public struct Chunk: Sendable, Equatable {
  /// Which of n answers it belongs to.
  public let choice: Int
  /// Which tool call, image, ... of that answer.
  public let index: Int
  public let content: Content

  /// A piece of the answer's text; nil where the chunk carries something else.
  public var text: String? {
    if case .text(let text) = content { text } else { nil }
  }

  /// What a chunk carries. The set is open: skip what you do not know.
  public enum Content: Sendable, Equatable {
    /// The answer begins: its id, and the model that answers.
    case start(id: String, model: String)
    /// A piece of the answer's text, in whole characters of Unicode.
    case text(String)
    /// A piece of the model's reasoning.
    case reasoning(String)
    /// A piece of a refusal.
    case refusal(String)
    /// A piece of a tool call: id and name on its first, else empty, and a piece of its
    /// arguments. `Session.toolCalls` puts them together.
    case toolCall(id: String, name: String, arguments: String)
    case image(Image)
    /// A piece of audio, of that media type.
    case audio(Data, type: String, transcript: String)
    case source(url: String, title: String)
    /// What the provider says it is doing.
    case progress(String)
    case usage(Usage)
    /// The end of a choice, in common words and as the provider put it.
    case finish(FinishReason, original: String)
    /// With the setting `raw_chunks` alone: an undecoded event.
    case raw(String)
    /// Opaque state of the provider's, as JSON. `Request.append` of the session has it already.
    case state(String)
    /// How likely the tokens of the answer were, as JSON.
    case logprobs(String)
    /// With the setting `retry_chunks` alone: the request has failed, and its attempt of that
    /// number follows after that wait.
    case retry(String, attempt: Int, wait: Duration)
    /// A kind that only a later version of the library knows, by its number.
    case unknown(Int32, text: String)
  }

  init(choice: Int, index: Int, content: Content) {
    self.choice = choice
    self.index = index
    self.content = content
  }

  init(_ chunk: tolmach_chunk) {
    choice = Int(chunk.choice)
    index = Int(chunk.index)
    let text = String(chunk.text)
    content =
      switch chunk.kind {
      case TOLMACH_CHUNK_START: .start(id: text, model: String(chunk.name))
      case TOLMACH_CHUNK_TEXT: .text(text)
      case TOLMACH_CHUNK_REASONING: .reasoning(text)
      case TOLMACH_CHUNK_REFUSAL: .refusal(text)
      case TOLMACH_CHUNK_TOOL_CALL:
        .toolCall(id: String(chunk.id), name: String(chunk.name), arguments: text)
      case TOLMACH_CHUNK_IMAGE: .image(Image(chunk))
      case TOLMACH_CHUNK_AUDIO:
        .audio(Data(chunk), type: String(chunk.mime), transcript: text)
      case TOLMACH_CHUNK_SOURCE: .source(url: text, title: String(chunk.name))
      case TOLMACH_CHUNK_PROGRESS: .progress(text)
      case TOLMACH_CHUNK_USAGE: .usage(Usage(chunk.usage))
      case TOLMACH_CHUNK_FINISH:
        .finish(FinishReason(rawValue: text), original: String(chunk.name))
      case TOLMACH_CHUNK_RAW: .raw(text)
      case TOLMACH_CHUNK_STATE: .state(text)
      case TOLMACH_CHUNK_LOGPROBS: .logprobs(text)
      case TOLMACH_CHUNK_RETRY:
        .retry(
          text, attempt: Int(chunk.index), wait: .milliseconds(Int64(String(chunk.name)) ?? 0))
      default: .unknown(chunk.kind, text: text)
      }
  }
}

extension Chunk {
  /// Why an answer ended. The set is open: providers have words of their own.
  public struct FinishReason: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    public static let stop = FinishReason(rawValue: "stop")
    public static let length = FinishReason(rawValue: "length")
    public static let toolCalls = FinishReason(rawValue: "tool_calls")
    public static let contentFilter = FinishReason(rawValue: "content_filter")
  }

  /// An image: its bytes, or where it is.
  public struct Image: Hashable, Sendable {
    public let data: Data?
    /// The media type of the bytes, such as "image/png".
    public let type: String?
    public let url: String?
    /// The prompt as the provider revised it.
    public let revisedPrompt: String?

    init(_ chunk: tolmach_chunk) {
      data = chunk.bytes == nil ? nil : Data(chunk)
      type = String(chunk.mime).unlessEmpty
      url = String(chunk.text).unlessEmpty
      revisedPrompt = String(chunk.name).unlessEmpty
    }
  }

  /// Counts of tokens; nil where the provider did not say.
  public struct Usage: Hashable, Sendable {
    /// Of the prompt, cached ones included.
    public let input: Int?
    /// Of the answer, reasoning included.
    public let output: Int?
    public let total: Int?
    /// Of the prompt, from a cache.
    public let cachedInput: Int?
    /// Of the answer, spent on reasoning.
    public let reasoning: Int?
    /// Of the prompt, written to a cache.
    public let cacheWrite: Int?

    init(_ usage: tolmach_usage) {
      input = count(usage.input)
      output = count(usage.output)
      total = count(usage.total)
      cachedInput = count(usage.cached_input)
      reasoning = count(usage.reasoning)
      cacheWrite = count(usage.cache_write)
    }
  }
}

/// A number that the library gives as -1 where it was not said.
func count(_ number: Int64) -> Int? { number < 0 ? nil : Int(clamping: number) }

extension Data {
  fileprivate init(_ chunk: tolmach_chunk) {
    self.init(UnsafeBufferPointer(start: chunk.bytes, count: chunk.bytes_len))
  }
}
