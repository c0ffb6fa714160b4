internal import CTolmach
import Foundation

/// Why the library or a provider would not. Code decides by the kind; the rest is for people
/// and logs, and never shows a credential of yours.
///
/// Cancellation is no error of this type, but Swift's own `CancellationError`.
public struct TolmachError: Error, Sendable {
  /// What went wrong. The set is open: later versions may add to it.
  public enum Kind: Hashable, Sendable {
    /// A key, value or request that cannot be right. Mend the program.
    case argument
    /// Another loop is reading the same session.
    case busy
    /// A deadline passed: connect, first byte, idle or total; the message says which.
    case timeout
    /// The host's name could not be resolved.
    case dns
    /// Refused, reset, unreachable, or the proxy would not.
    case connect
    /// The TLS handshake or a certificate failed.
    case tls
    /// Missing or rejected credentials (HTTP 401, 403).
    case auth
    /// Payment required or quota spent (HTTP 402, insufficient_quota).
    case quota
    /// Too many requests (HTTP 429); `retryAfter` may say when to return.
    case rateLimited
    /// The provider says that the request is wrong (HTTP 400, 413, 422).
    case badRequest
    /// No such model or endpoint (HTTP 404).
    case notFound
    /// The prompt does not fit the model's context.
    case contextLength
    /// Content policy, or a bot-protection page.
    case blocked
    /// The provider failed or is overloaded (HTTP 5xx).
    case server
    /// An error of the provider's that fits no kind above.
    case provider
    /// Not the protocol expected: a web page, bad JSON, a redirect.
    case `protocol`
    /// The answer stopped before its end.
    case truncated
    /// A configured limit was exceeded.
    case tooLarge
    /// The provider, or this build of the library, cannot do that.
    case unsupported
    /// A bug in the library: please report it.
    case `internal`
    /// The system has no more memory, threads or file descriptors.
    case noMemory
    /// A kind that only a later version of the library knows, by its number.
    case unknown(Int32)
  }

  public let kind: Kind
  /// One line: what was wrong and what would be right.
  public let message: String
  /// Whether the same request may succeed later: no connection, a timeout, too many requests, a
  /// provider that failed, an answer that was cut. Before the first chunk the library has
  /// already tried again (`max_retries`).
  public let isTransient: Bool
  /// The HTTP status of the provider's answer, if there was one.
  public let httpStatus: Int?
  /// How long the provider asks to wait before the next try, if it said so.
  public let retryAfter: Duration?
  /// The provider's own code for this error, such as "model_not_found".
  public let providerCode: String?
  /// The provider's id of the failed request: what its support asks for.
  public let requestID: String?
  /// The body of the provider's answer, or the event, that the error came in; cut at the
  /// config's `max_error_bytes`.
  public let body: String?

  /// An error that this package finds by itself.
  init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
    isTransient = false
    httpStatus = nil
    retryAfter = nil
    providerCode = nil
    requestID = nil
    body = nil
  }

  /// What a failed call reported.
  init(_ status: tolmach_status, _ error: OpaquePointer?) {
    kind = Kind(status)
    isTransient = tolmach_status_is_transient(status) == 1
    message = String(tolmach_error_message(error))
    let http = tolmach_error_http_status(error)
    httpStatus = http == 0 ? nil : Int(http)
    let wait = tolmach_error_retry_after_ms(error)
    retryAfter = wait < 0 ? nil : .milliseconds(wait)
    providerCode = String(tolmach_error_provider_code(error)).unlessEmpty
    requestID = String(tolmach_error_request_id(error)).unlessEmpty
    body = String(tolmach_error_body(error)).unlessEmpty
  }
}

extension TolmachError: LocalizedError, CustomStringConvertible {
  public var errorDescription: String? { message }
  public var description: String { "\(kind): \(message)" }
}

extension TolmachError.Kind {
  init(_ status: tolmach_status) {
    self =
      switch status {
      case TOLMACH_E_ARGUMENT: .argument
      case TOLMACH_E_BUSY: .busy
      case TOLMACH_E_TIMEOUT: .timeout
      case TOLMACH_E_DNS: .dns
      case TOLMACH_E_CONNECT: .connect
      case TOLMACH_E_TLS: .tls
      case TOLMACH_E_AUTH: .auth
      case TOLMACH_E_QUOTA: .quota
      case TOLMACH_E_RATE_LIMITED: .rateLimited
      case TOLMACH_E_BAD_REQUEST: .badRequest
      case TOLMACH_E_NOT_FOUND: .notFound
      case TOLMACH_E_CONTEXT_LENGTH: .contextLength
      case TOLMACH_E_BLOCKED: .blocked
      case TOLMACH_E_SERVER: .server
      case TOLMACH_E_PROVIDER: .provider
      case TOLMACH_E_PROTOCOL: .protocol
      case TOLMACH_E_TRUNCATED: .truncated
      case TOLMACH_E_TOO_LARGE: .tooLarge
      case TOLMACH_E_UNSUPPORTED: .unsupported
      case TOLMACH_E_INTERNAL: .internal
      case TOLMACH_E_NO_MEMORY: .noMemory
      default: .unknown(status)
      }
  }
}
