import Foundation
import Testing
import Tolmach

/// The scripted server that the tests ask: the model names the scene, and most scenes go by
/// their message.
enum Stage {
  static let url = variable("TOLMACH_TEST_URL")
  static let key = variable("TOLMACH_TEST_KEY")
  static let emoji = "Привет, 世界 👋 👩‍👩‍👧 ok"
  static let many = 20_000
  /// A PNG of one pixel.
  static let pixel = Data(
    base64Encoded: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6"
      + "kgAAAABJRU5ErkJggg==")!

  static func client(_ settings: [String: String] = [:]) throws -> Client {
    let usual = [
      "base_url": url, "api_key": key, "proxy": "direct", "total_timeout_ms": "600000",
    ]
    return try Client("openai", usual.merging(settings) { $1 })
  }

  static func session(
    _ scene: String, _ message: String = "Hi", _ settings: [String: String] = [:]
  ) throws -> Session {
    try client(settings).stream(Request(message, model: scene))
  }

  /// Returns once the server saw that the request with that message was closed.
  static func sawClosing(of message: String) async throws {
    #expect(try await session("was-closed", message).text() == "closed")
  }

  static func open(_ message: String) async throws {
    #expect(try await session("open", message).text() == "opened")
  }
}

/// A real server, which nobody wrote for these tests.
enum Real {
  static let url = variable("TOLMACH_TEST_REAL_URL")
  static let key = variable("TOLMACH_TEST_REAL_KEY")

  static func client(_ settings: [String: String] = [:]) throws -> Client {
    try Stage.client(settings.merging(["base_url": url, "api_key": key]) { $1 })
  }
}

private func variable(_ name: String) -> String {
  guard let value = ProcessInfo.processInfo.environment[name] else {
    fatalError("\(name) is not set: the tests are run by test.sh")
  }
  return value
}

/// A message that no other test sends.
func unique(_ function: String = #function) -> String { "\(function) \(UUID())" }

extension AsyncSequence where Element == Chunk {
  func text() async throws -> String {
    try await reduce(into: "") { $0 += $1.text ?? "" }
  }

  func contents() async throws -> [Chunk.Content] {
    try await reduce(into: []) { $0.append($1.content) }
  }
}

/// What `body` throws, which has to be an error of the library's.
func failure(_ body: () async throws -> some Any) async throws -> TolmachError {
  do {
    let result = try await body()
    throw Unexpected("no error, but \("\(result)".prefix(200))")
  } catch let error as TolmachError {
    return error
  }
}

struct Unexpected: Error {
  let what: String
  init(_ what: String) { self.what = what }
}

/// A port of the loopback where nobody ever says anything: connections are refused, or where it
/// listens, taken.
final class Port: Sendable {
  let number: UInt16
  private let descriptor: Int32

  var url: String { "http://127.0.0.1:\(number)/v1" }

  init(listens: Bool) throws {
    #if canImport(Darwin)
      let descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #else
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #endif
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    self.descriptor = descriptor
    number = UInt16(bigEndian: address.sin_port)
    guard isBound, !listens || listen(descriptor, 64) == 0 else { throw Unexpected("no port") }
  }

  deinit { close(descriptor) }
}
