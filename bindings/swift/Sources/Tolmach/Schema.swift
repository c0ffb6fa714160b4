import Foundation

/// A JSON schema of an object: of a tool's arguments, or of an answer.
///
/// It is derived from a `Decodable` type by decoding one that notes what it asks for:
///
///     struct Place: Decodable {
///       enum Unit: String, Decodable, CaseIterable { case celsius, fahrenheit }
///       let city: String
///       let unit: Unit?
///     }
///     let schema = try Schema(of: Place.self, descriptions: ["city": "in English"])
///
/// Members are required, and an Optional may be null; other members are not allowed. An
/// enumeration has to be `CaseIterable`, and its raw values texts or numbers.
public struct Schema: Sendable, Equatable {
  /// The schema as JSON.
  public let json: String
  /// Whether all members are required and no object is open, as strict modes want it.
  public let isStrict: Bool

  /// Takes a schema as it is.
  public init(json: String, isStrict: Bool = false) {
    self.json = json
    self.isStrict = isStrict
  }

  /// Derives the schema of `type`, whose `init(from:)` is called with made-up values.
  ///
  /// - Parameter descriptions: what the members mean, by their names in JSON; those of an object
  ///   within, by names with dots between, such as "place.city".
  /// - Throws: `TolmachError` `.argument` where that does not tell the schema: for a type that is
  ///   no object, is within itself, or refuses made-up values. Give its schema as JSON.
  public init<Root: Decodable>(of type: Root.Type, descriptions: [String: String] = [:]) throws {
    let shape = Shape()
    do {
      _ = try shape.sample(type, within: [])
    } catch let unfit as Unfit {
      throw TolmachError(.argument, unfit.description)
    } catch {
      throw TolmachError(.argument, Unfit(type, "refuses made-up values").description)
    }
    guard case .object = shape.kind else {
      throw TolmachError(.argument, Unfit(type, "is not an object").description)
    }
    var left = Set(descriptions.keys)
    json = try shape.json(descriptions, &left, at: "")
    if let unknown = left.min() {
      throw TolmachError(.argument, "\(type) has no member \(unknown) to describe")
    }
    isStrict = shape.isStrict
  }
}

/// Why a type does not tell its schema.
private struct Unfit: Error {
  let description: String

  init(_ type: any Any.Type, _ why: String) {
    description = "\(type) \(why): give the schema as JSON, Schema(json:)"
  }
}

/// What a type asked for when it was decoded.
private final class Shape {
  enum Kind {
    case unknown
    /// A type of JSON, and the further members of its schema.
    case value(String, limits: [String])
    /// Values that are right, as JSON, of that type of JSON.
    case choices(String, [String])
    case list(Shape)
    case object
    /// An object with any members, of that shape.
    case map(Shape)
  }

  var kind = Kind.unknown
  var isNullable = false
  /// Of an object, in the order in which they were asked for.
  var members: [(name: String, shape: Shape)] = []
  /// Members that were looked for before they were asked for.
  var optional: Set<String> = []

  func member(_ name: String) -> Shape {
    kind = .object
    if let known = members.first(where: { $0.name == name }) { return known.shape }
    members.append((name, Shape()))
    return members[members.count - 1].shape
  }

  var isStrict: Bool {
    switch kind {
    case .object: optional.isEmpty && members.allSatisfy(\.shape.isStrict)
    case .list(let items): items.isStrict
    case .map, .unknown: false
    case .value, .choices: true
    }
  }

  /// A value of that type, whose shape this becomes.
  func sample<Value: Decodable>(_ type: Value.Type, within outer: [any Any.Type]) throws -> Value {
    if let made = try plain(type, within: outer) {
      guard let made = made as? Value else { throw Unfit(type, "has no schema") }
      return made
    }
    if outer.contains(where: { $0 == type }) { throw Unfit(type, "is within itself") }
    let made: Value
    do {
      made = try type.init(from: Recorder(shape: self, within: outer + [type]))
    } catch let unfit as Unfit {
      throw unfit
    } catch {
      throw Unfit(type, "refuses made-up values")
    }
    if case .unknown = kind { kind = .object }
    return made
  }

  /// A value of a type that is known beforehand; nil for others.
  private func plain(_ type: any Any.Type, within outer: [any Any.Type]) throws -> Any? {
    func value(_ name: String, _ limits: String..., as made: Any) -> Any {
      kind = .value(name, limits: limits)
      return made
    }
    switch type {
    case is Bool.Type: return value("boolean", as: false)
    case is String.Type: return value("string", as: "")
    case is Date.Type:
      return value("string", #""format":"date-time""#, as: Date(timeIntervalSince1970: 0))
    case is URL.Type: return value("string", #""format":"uri""#, as: URL(fileURLWithPath: "/"))
    case is UUID.Type: return value("string", #""format":"uuid""#, as: UUID())
    case is Data.Type: return value("string", #""contentEncoding":"base64""#, as: Data())
    case is Decimal.Type: return value("number", as: Decimal.zero)
    case let integer as any FixedWidthInteger.Type:
      return integer.isSigned
        ? value("integer", as: integer.zero) : value("integer", #""minimum":0"#, as: integer.zero)
    case let number as any BinaryFloatingPoint.Type: return value("number", as: number.zero)
    case let optional as any OptionalShape.Type:
      isNullable = true
      return try optional.sample(self, within: outer)
    case let list as any ListShape.Type:
      let items = Shape()
      try list.sampleItem(items, within: outer)
      kind = .list(items)
      return list.empty
    case let map as any MapShape.Type:
      let values = Shape()
      try map.sampleValue(values, within: outer)
      kind = .map(values)
      return map.empty
    case let choices as any CaseIterable.Type: return try choice(choices)
    default: return nil
    }
  }

  private func choice<Choice: CaseIterable>(_ type: Choice.Type) throws -> Any? {
    let raw = type.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue }
    guard raw.count == type.allCases.count, let first = type.allCases.first else { return nil }
    if let texts = raw as? [String] {
      kind = .choices("string", try texts.map(JSON.encode))
    } else if let numbers = raw as? [any FixedWidthInteger] {
      kind = .choices("integer", numbers.map { "\($0)" })
    } else {
      return nil
    }
    return first
  }

  /// `left` loses the descriptions that are used.
  func json(_ descriptions: [String: String], _ left: inout Set<String>, at path: String) throws
    -> String
  {
    let description = left.remove(path) == nil ? nil : descriptions[path]
    var parts: [String] = []
    func add(_ type: String) {
      parts.append(isNullable ? #""type":["\#(type)","null"]"# : #""type":"\#(type)""#)
    }
    switch kind {
    case .unknown: break
    case .value(let type, let limits):
      add(type)
      parts += limits
    case .choices(let type, let choices):
      add(type)
      parts.append(#""enum":[\#((choices + (isNullable ? ["null"] : [])).joined(separator: ","))]"#)
    case .list(let items):
      add("array")
      parts.append(#""items":\#(try items.json(descriptions, &left, at: path))"#)
    case .map(let values):
      add("object")
      parts.append(#""additionalProperties":\#(try values.json(descriptions, &left, at: path))"#)
    case .object:
      add("object")
      var properties: [String] = []
      for (name, shape) in members {
        let inner = path.isEmpty ? name : "\(path).\(name)"
        let schema = try shape.json(descriptions, &left, at: inner)
        properties.append("\(try JSON.encode(name)):\(schema)")
      }
      let required = try members.map(\.name).filter { !optional.contains($0) }.map(JSON.encode)
      parts.append(#""properties":{\#(properties.joined(separator: ","))}"#)
      parts.append(#""required":[\#(required.joined(separator: ","))]"#)
      parts.append(#""additionalProperties":false"#)
    }
    if let description {
      parts.append(#""description":\#(try JSON.encode(description))"#)
    }
    return "{\(parts.joined(separator: ","))}"
  }
}

private protocol OptionalShape {
  static func sample(_ shape: Shape, within outer: [any Any.Type]) throws -> Any
}

extension Optional: OptionalShape where Wrapped: Decodable {
  fileprivate static func sample(_ shape: Shape, within outer: [any Any.Type]) throws -> Any {
    try shape.sample(Wrapped.self, within: outer)
  }
}

private protocol ListShape {
  static func sampleItem(_ shape: Shape, within outer: [any Any.Type]) throws
  static var empty: Any { get }
}

extension Array: ListShape where Element: Decodable {
  fileprivate static func sampleItem(_ shape: Shape, within outer: [any Any.Type]) throws {
    _ = try shape.sample(Element.self, within: outer)
  }
  fileprivate static var empty: Any { [Element]() }
}

extension Set: ListShape where Element: Decodable {
  fileprivate static func sampleItem(_ shape: Shape, within outer: [any Any.Type]) throws {
    _ = try shape.sample(Element.self, within: outer)
  }
  fileprivate static var empty: Any { Set<Element>() }
}

private protocol MapShape {
  static func sampleValue(_ shape: Shape, within outer: [any Any.Type]) throws
  static var empty: Any { get }
}

extension Dictionary: MapShape where Key == String, Value: Decodable {
  fileprivate static func sampleValue(_ shape: Shape, within outer: [any Any.Type]) throws {
    _ = try shape.sample(Value.self, within: outer)
  }
  fileprivate static var empty: Any { [String: Value]() }
}

/// Decodes made-up values, and notes in a shape what is asked for.
private struct Recorder: Decoder {
  let shape: Shape
  let within: [any Any.Type]
  let codingPath: [any CodingKey] = []
  let userInfo: [CodingUserInfoKey: Any] = [:]

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
    shape.kind = .object
    return KeyedDecodingContainer(Members(recorder: self))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    throw Unfit(within.last ?? Recorder.self, "is a list of its own kind")
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { Single(recorder: self) }
}

private struct Single: SingleValueDecodingContainer {
  let recorder: Recorder
  let codingPath: [any CodingKey] = []

  func decodeNil() -> Bool {
    recorder.shape.isNullable = true
    return false
  }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try recorder.shape.sample(type, within: recorder.within)
  }
}

private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let recorder: Recorder
  let codingPath: [any CodingKey] = []
  let allKeys: [Key] = []

  func contains(_ key: Key) -> Bool {
    recorder.shape.optional.insert(key.stringValue)
    return true
  }

  /// A member that may be null need not be left out.
  func decodeNil(forKey key: Key) -> Bool {
    recorder.shape.optional.remove(key.stringValue)
    recorder.shape.member(key.stringValue).isNullable = true
    return false
  }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try recorder.shape.member(key.stringValue).sample(type, within: recorder.within)
  }

  func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type, forKey key: Key)
    -> KeyedDecodingContainer<Inner>
  { inner(key).container(keyedBy: type) }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try inner(key).unkeyedContainer()
  }

  func superDecoder() -> any Decoder {
    Recorder(shape: recorder.shape.member("super"), within: recorder.within)
  }

  func superDecoder(forKey key: Key) -> any Decoder { inner(key) }

  private func inner(_ key: Key) -> Recorder {
    Recorder(shape: recorder.shape.member(key.stringValue), within: recorder.within)
  }
}
