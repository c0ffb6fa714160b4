internal import CTolmach
import Foundation

/// Owns an object of the library, and frees it with the last reference.
final class Handle: Sendable {
  private nonisolated(unsafe) let pointer: OpaquePointer
  private let free: @convention(c) (OpaquePointer?) -> Void

  init(
    freedBy free: @escaping @convention(c) (OpaquePointer?) -> Void,
    _ make: (
      _ out: UnsafeMutablePointer<OpaquePointer?>, _ error: UnsafeMutablePointer<OpaquePointer?>
    ) -> tolmach_status
  ) throws {
    var made: OpaquePointer?
    try check { make(&made, $0) }
    guard let made else { throw TolmachError(.internal, "the library made nothing") }
    pointer = made
    self.free = free
  }

  deinit { free(pointer) }

  @discardableResult
  func use<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(self) { try body(pointer) }
  }
}

/// Calls the library; throws what it reports.
@discardableResult
func check(
  _ call: (_ error: UnsafeMutablePointer<OpaquePointer?>) throws -> tolmach_status
) throws -> tolmach_status {
  var error: OpaquePointer?
  let status = try call(&error)
  if status >= 0 { return status }
  defer { tolmach_error_free(error) }
  if status == TOLMACH_E_CANCELLED { throw CancellationError() }
  throw TolmachError(status, error)
}

/// Refuses text with a NUL byte where the library takes text that ends at one: the rest of it
/// would be lost.
func refuseNUL(_ text: String, in name: String) throws {
  if text.utf8.contains(0) { throw TolmachError(.argument, "\(name) has a NUL byte in it") }
}

/// Milliseconds, rounded up so that a short wait is not none; -1 where there is no limit.
func milliseconds(_ duration: Duration?) throws -> Int64 {
  guard let duration else { return -1 }
  guard duration >= .zero else { throw TolmachError(.argument, "a timeout below zero") }
  let (seconds, attoseconds) = duration.components
  let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
  let rest = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  return overflow || whole > .max - rest ? .max : whole + rest
}

extension String {
  init(_ text: tolmach_str) {
    let bytes = UnsafeRawBufferPointer(start: text.ptr, count: text.len)
    self.init(decoding: bytes, as: UTF8.self)
  }

  /// Nil where the library says nothing.
  var unlessEmpty: String? { isEmpty ? nil : self }
}

/// A value that one thread at a time may look at, for a moment.
final class Locked<Value>: @unchecked Sendable {
  private let lock = NSLock()
  private var value: Value

  init(_ value: Value) { self.value = value }

  func use<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
