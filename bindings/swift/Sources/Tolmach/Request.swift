internal import CTolmach
import Foundation

/// What to ask: a conversation, and how to answer it, in the terms of OpenAI's chat request,
/// which is translated for every provider. A value: a copy goes its own way.
public struct Request: Sendable {
  /// Changed only while nobody else holds it.
  private var handle: Handle

  public enum Role: String, Sendable {
    case system, developer, user, assistant
  }

  /// Makes a request with one message of the user's.
  ///
  /// - Parameter model: nil asks the client's model, else the provider's default.
  public init(_ message: String, model: String? = nil) throws {
    try self.init(model: model)
    try append(.user, message)
  }

  /// Makes a request without messages.
  ///
  /// - Parameter model: nil asks the client's model, else the provider's default.
  public init(model: String? = nil) throws {
    if let model { try refuseNUL(model, in: "the model's name") }
    handle = try Handle(freedBy: tolmach_request_free) { tolmach_request_new(model, $0, $1) }
  }

  /// Makes a request of a whole one in OpenAI's chat format, up to 127 levels deep.
  public init(json: String) throws {
    handle = try Handle(freedBy: tolmach_request_free) { out, error in
      json.withCString { tolmach_request_from_json($0, json.utf8.count, out, error) }
    }
  }

  /// The request as it stands, in OpenAI's chat format.
  public var json: String { handle.use { String(tolmach_request_json($0)) } }

  /// Appends a message.
  public mutating func append(_ role: Role, _ text: String) throws {
    try change { request, error in
      text.withCString {
        tolmach_request_message(request, role.rawValue, $0, text.utf8.count, error)
      }
    }
  }

  /// Appends what `session` has answered so far, with its tool calls: the next turn of the
  /// conversation.
  public mutating func append(_ session: Session) throws {
    let session = try session.handle.get()
    try session.use { session in
      try change { request, error in tolmach_request_reply(request, session, error) }
    }
  }

  /// Offers a tool to the model. One of the same name is replaced.
  public mutating func add(_ tool: Tool) throws {
    try refuseNUL(tool.name, in: "the tool's name")
    try refuseNUL(tool.description, in: "the tool's description")
    let schema = tool.schema?.json
    try change { request, error in
      let length = schema?.utf8.count ?? 0
      let description = tool.description.unlessEmpty
      return tolmach_request_tool(request, tool.name, description, schema, length, error)
    }
  }

  /// Appends the result of the tool call of that id, as text or JSON.
  public mutating func append(resultOf id: String, _ text: String) throws {
    try refuseNUL(id, in: "the id of the call")
    try change { request, error in
      text.withCString {
        tolmach_request_tool_result(request, id, $0, text.utf8.count, error)
      }
    }
  }

  /// Attaches an image, audio or PDF to the last message of the user's.
  ///
  /// - Parameter type: its media type, such as "image/png"; nil where the bytes tell it (JPEG,
  ///   PNG, GIF, WebP, WAV, MP3, Ogg, FLAC, PDF).
  public mutating func attach(_ data: some ContiguousBytes, type: String? = nil) throws {
    if let type { try refuseNUL(type, in: "the media type") }
    try change { request, error in
      data.withUnsafeBytes {
        tolmach_request_attach(request, $0.baseAddress, $0.count, type, error)
      }
    }
  }

  /// Attaches what an http, https or data URL points to, to the last message of the user's.
  /// The provider fetches it, or the library where it does not ("gigachat") and the config's
  /// `fetch_urls` is "true".
  public mutating func attach(url: String) throws {
    try refuseNUL(url, in: "the URL")
    try change { request, error in tolmach_request_attach_url(request, url, error) }
  }

  /// Sets any field of the request, such as "temperature" to 0.2. The last value wins.
  public mutating func set(_ name: String, to value: some Encodable) throws {
    try set(name, json: String(decoding: JSONEncoder().encode(value), as: UTF8.self))
  }

  /// Sets any field of the request to a value in JSON, such as "tools" to a list; `null`
  /// removes it. The last value wins.
  public mutating func set(_ name: String, json: String) throws {
    try refuseNUL(name, in: "the field's name")
    try change { request, error in
      json.withCString { tolmach_request_set(request, name, $0, json.utf8.count, error) }
    }
  }

  func use<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
    try handle.use(body)
  }

  mutating func change(
    _ body: (_ request: OpaquePointer, _ error: UnsafeMutablePointer<OpaquePointer?>)
      -> tolmach_status
  ) throws {
    if !isKnownUniquelyReferenced(&handle) {
      handle = try handle.use { request in
        try Handle(freedBy: tolmach_request_free) { tolmach_request_clone(request, $0, $1) }
      }
    }
    try handle.use { request in try check { body(request, $0) } }
  }
}
