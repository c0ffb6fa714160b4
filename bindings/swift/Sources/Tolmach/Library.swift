internal import CTolmach

/// The library beneath.
public enum Library {
  /// The version of the library that runs, such as "0.1.0".
  public static var version: String { String(cString: tolmach_version()) }

  /// The version of its ABI: it grows by one when something is added.
  public static var abiVersion: Int { Int(tolmach_abi_version()) }

  public enum LogLevel: Int32, Comparable, Sendable {
    case error = 1
    case warning, info, debug, trace

    public static func < (one: LogLevel, other: LogLevel) -> Bool { one.rawValue < other.rawValue }
  }

  /// A line of the library's log. It never shows a credential, a header or a prompt.
  public struct LogLine: Sendable {
    public let level: LogLevel
    /// The number of the session that the line belongs to; 0 for none.
    public let session: UInt64
    public let message: String
  }

  private static let logger = Locked<(@Sendable (LogLine) -> Void)?>(nil)

  /// Sends the library's log, up to `level`, to `logger`, for the whole process and in the
  /// place of the one before. Off by default. `logger` is called from any thread, several at
  /// once, and must not block.
  public static func log(upTo level: LogLevel, to logger: @escaping @Sendable (LogLine) -> Void) {
    self.logger.use { $0 = logger }
    tolmach_log_set(forward, nil, nil, level.rawValue)
  }

  /// Ends the log. A line under way may still arrive.
  public static func stopLog() {
    tolmach_log_set(nil, nil, nil, 0)
    logger.use { $0 = nil }
  }

  private static let forward: tolmach_log_fn = { _, level, session, message, length in
    guard let logger = Library.logger.use({ $0 }) else { return }
    let level = LogLevel(rawValue: level) ?? .trace
    let text = String(tolmach_str(ptr: message, len: length))
    logger(LogLine(level: level, session: session, message: text))
  }
}
