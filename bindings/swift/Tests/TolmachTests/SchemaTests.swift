import Foundation
import Testing

@testable import Tolmach

@Suite(.timeLimit(.minutes(20)))
struct SchemaTests {
  private enum Unit: String, Codable, CaseIterable { case celsius, fahrenheit }
  private enum Level: Int, Decodable, CaseIterable { case low = 1, high = 3 }

  private struct Report: Codable, Equatable {
    let city: String
    let celsius: Double
  }

  private struct Inner: Decodable {
    let flag: Bool
    let tags: Set<String>
  }

  private struct Everything: Decodable {
    let text: String
    let whole: Int
    let count: UInt8
    let number: Float
    let unit: Unit
    let level: Level?
    let list: [Inner]
    let maybe: Inner?
    let day: Date
    let link: URL
    let data: Data
    let odd_name: Int

    enum CodingKeys: String, CodingKey {
      case text, whole, count, number, unit, level, list, maybe, day, link, data
      case odd_name = "odd \"name\""
    }
  }

  private func same(_ one: String, _ other: String) throws -> Bool {
    func parsed(_ text: String) throws -> NSObject? {
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSObject
    }
    return try parsed(one) == parsed(other)
  }

  @Test func schemaIsDerivedFromAType() throws {
    let inner = #"""
      "properties": {"flag": {"type": "boolean"}, "tags": {"type": "array", "items": {"type": "string"}}},
      "required": ["flag", "tags"], "additionalProperties": false
      """#
    let schema = try Schema(of: Everything.self)
    #expect(schema.isStrict)
    #expect(
      try same(
        schema.json,
        #"""
        {"type": "object", "properties": {
          "text": {"type": "string"}, "whole": {"type": "integer"},
          "count": {"type": "integer", "minimum": 0}, "number": {"type": "number"},
          "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
          "level": {"type": ["integer", "null"], "enum": [1, 3, null]},
          "list": {"type": "array", "items": {"type": "object", \#(inner)}},
          "maybe": {"type": ["object", "null"], \#(inner)},
          "day": {"type": "string", "format": "date-time"},
          "link": {"type": "string", "format": "uri"},
          "data": {"type": "string", "contentEncoding": "base64"},
          "odd \"name\"": {"type": "integer"}},
        "required": ["text", "whole", "count", "number", "unit", "level", "list", "maybe", "day",
          "link", "data", "odd \"name\""],
        "additionalProperties": false}
        """#))
  }

  @Test func openObjectsAndOptionalMembersAreNotStrict() throws {
    struct Open: Decodable {
      let counts: [String: Int]
    }
    struct Loose: Decodable {
      enum CodingKeys: CodingKey { case city }
      let city: String
      init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        city = members.contains(.city) ? try members.decode(String.self, forKey: .city) : "Oslo"
      }
    }
    let open = try Schema(of: Open.self)
    #expect(!open.isStrict)
    #expect(open.json.contains(#""additionalProperties":{"type":"integer"}"#))
    let loose = try Schema(of: Loose.self)
    #expect(!loose.isStrict && loose.json.contains(#""required":[]"#))
  }

  @Test func membersAreDescribed() throws {
    struct Trip: Decodable {
      let from: Report
      let stops: [Report]
    }
    let descriptions = ["": "a trip", "from.city": "in \"English\"", "stops": "in order"]
    let json = try Schema(of: Trip.self, descriptions: descriptions).json
    #expect(json.contains(#""city":{"type":"string","description":"in \"English\""}"#))
    #expect(json.hasSuffix(#","description":"a trip"}"#))
    #expect(json.contains(#","description":"in order"}"#))
    #expect(throws: TolmachError.self) { try Schema(of: Trip.self, descriptions: ["form": "?"]) }
  }

  @Test func typeThatDoesNotTellItsSchemaIsRefused() async throws {
    final class Node: Decodable {
      let next: [Node]
    }
    struct Even: Decodable {
      struct City: Decodable {
        init(from decoder: any Decoder) throws {
          let name = try decoder.singleValueContainer().decode(String.self)
          if name.isEmpty { throw Unexpected("empty") }
        }
      }
      let city: City
    }
    struct Pair: Decodable {
      init(from decoder: any Decoder) throws { _ = try decoder.unkeyedContainer() }
    }
    enum Shape: Decodable { case circle(Int), square(Int) }
    for (why, derive) in [
      ("within itself", { try Schema(of: Node.self) }),
      ("made-up values", { try Schema(of: Even.self) }),
      ("list of its own kind", { try Schema(of: Pair.self) }),
      ("made-up values", { try Schema(of: Shape.self) }),
      ("not an object", { try Schema(of: String.self) }),
      ("not an object", { try Schema(of: [Report].self) }),
    ] as [(String, () throws -> Schema)] {
      let error = try await failure { try derive() }
      #expect(error.kind == .argument)
      #expect(error.message.contains(why) && error.message.contains("Schema(json:)"))
    }
  }

  @Test func answerIsReadIntoAType() async throws {
    let (report, answer) = try await Stage.client().ask(
      Request("How warm?", model: "gpt-4o"), for: Report.self)
    #expect(report == Report(city: "Oslo", celsius: 3))
    #expect(answer.finishReason == .stop)
  }

  @Test func answerThatDoesNotFitIsAnErrorWithIt() async throws {
    let client = try Stage.client()
    for (text, why) in [
      ("There is no JSON.", "it: "), (#"{"celsius":3}"#, "city is missing"),
      (#"{"city":3,"celsius":3}"#, "city is not of type String"), ("[]", "it is not of type"),
      (#"{"city":null,"celsius":3}"#, "city"),
    ] {
      do {
        _ = try await client.ask(Request(text, model: "echo"), for: Report.self)
        Issue.record("\(text) fits")
      } catch let error as AnswerError {
        #expect(error.kind == .format && error.answer.text == text)
        #expect(error.message.hasPrefix(why) && error.message.hasSuffix(text))
      }
    }
    let limited = try Stage.client(["max_retries": "0"])
    let error = try await failure {
      try await limited.ask(Request("Hi", model: "status-429"), for: Report.self).value
    }
    #expect(error.kind == .rateLimited)
  }
}
