use std::ffi::{CStr, c_char};

/// Result of a call. 0 is success, positive values are outcomes that are not errors (END,
/// PENDING), negative values are errors. The set is open: treat a number that you do not know
/// by its sign.
pub type tolmach_status = i32;

/// Done.
pub const TOLMACH_OK: tolmach_status = 0;
/// The session has delivered everything.
pub const TOLMACH_END: tolmach_status = 1;
/// Nothing yet; the session goes on.
pub const TOLMACH_PENDING: tolmach_status = 2;
/// NULL, invalid UTF-8 or JSON, an unknown key or provider. Fix the call; the message says
/// what was expected.
pub const TOLMACH_E_ARGUMENT: tolmach_status = -1;
/// Another thread is polling this session.
pub const TOLMACH_E_BUSY: tolmach_status = -2;
/// The session was cancelled.
pub const TOLMACH_E_CANCELLED: tolmach_status = -3;
/// A deadline passed: connect, first byte, idle or total; the message says which.
pub const TOLMACH_E_TIMEOUT: tolmach_status = -4;
/// The host's name could not be resolved.
pub const TOLMACH_E_DNS: tolmach_status = -5;
/// The connection was refused or reset, the host is unreachable, or the proxy rejected the
/// request.
pub const TOLMACH_E_CONNECT: tolmach_status = -6;
/// The TLS handshake or a certificate failed.
pub const TOLMACH_E_TLS: tolmach_status = -7;
/// Missing or rejected credentials (HTTP 401, 403).
pub const TOLMACH_E_AUTH: tolmach_status = -8;
/// Payment required or quota spent (HTTP 402, insufficient_quota).
pub const TOLMACH_E_QUOTA: tolmach_status = -9;
/// Too many requests (HTTP 429). tolmach_error_retry_after_ms() may say when to return.
pub const TOLMACH_E_RATE_LIMITED: tolmach_status = -10;
/// The provider says that the request is wrong (HTTP 400, 413, 422).
pub const TOLMACH_E_BAD_REQUEST: tolmach_status = -11;
/// No such model or endpoint (HTTP 404).
pub const TOLMACH_E_NOT_FOUND: tolmach_status = -12;
/// The prompt does not fit the model's context.
pub const TOLMACH_E_CONTEXT_LENGTH: tolmach_status = -13;
/// Content policy, or a bot-protection page.
pub const TOLMACH_E_BLOCKED: tolmach_status = -14;
/// The provider failed or is overloaded (HTTP 5xx).
pub const TOLMACH_E_SERVER: tolmach_status = -15;
/// An error of the provider's that fits no class above.
pub const TOLMACH_E_PROVIDER: tolmach_status = -16;
/// Not the protocol expected: a web page, bad JSON, a redirect.
pub const TOLMACH_E_PROTOCOL: tolmach_status = -17;
/// The answer stopped before its end.
pub const TOLMACH_E_TRUNCATED: tolmach_status = -18;
/// A configured limit was exceeded.
pub const TOLMACH_E_TOO_LARGE: tolmach_status = -19;
/// The provider, or this build, cannot do that.
pub const TOLMACH_E_UNSUPPORTED: tolmach_status = -20;
/// A bug in this library: please report it.
pub const TOLMACH_E_INTERNAL: tolmach_status = -21;
/// The system has no more memory, threads or file descriptors. Free something and call again;
/// other sessions go on.
pub const TOLMACH_E_NO_MEMORY: tolmach_status = -22;

/// The name of a status, such as "TOLMACH_E_TIMEOUT".
///
/// Returns: a static string; "unknown status" for a number that is none.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn tolmach_status_name(status: tolmach_status) -> *const c_char {
    name(status).as_ptr()
}

/// Whether the same call may succeed later: no connection, a timeout, too many requests, a provider that failed, an answer that was cut. The library has already tried
/// again as often as the config's max_retries says where nothing had been answered.
///
/// Returns: 1 if so; 0 if not, and for a status that is no error.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn tolmach_status_is_transient(status: tolmach_status) -> i32 {
    i32::from(matches!(
        status,
        TOLMACH_E_TIMEOUT
            | TOLMACH_E_DNS
            | TOLMACH_E_CONNECT
            | TOLMACH_E_RATE_LIMITED
            | TOLMACH_E_SERVER
            | TOLMACH_E_TRUNCATED
    ))
}

fn name(status: tolmach_status) -> &'static CStr {
    match status {
        TOLMACH_OK => c"TOLMACH_OK",
        TOLMACH_END => c"TOLMACH_END",
        TOLMACH_PENDING => c"TOLMACH_PENDING",
        TOLMACH_E_ARGUMENT => c"TOLMACH_E_ARGUMENT",
        TOLMACH_E_BUSY => c"TOLMACH_E_BUSY",
        TOLMACH_E_CANCELLED => c"TOLMACH_E_CANCELLED",
        TOLMACH_E_TIMEOUT => c"TOLMACH_E_TIMEOUT",
        TOLMACH_E_DNS => c"TOLMACH_E_DNS",
        TOLMACH_E_CONNECT => c"TOLMACH_E_CONNECT",
        TOLMACH_E_TLS => c"TOLMACH_E_TLS",
        TOLMACH_E_AUTH => c"TOLMACH_E_AUTH",
        TOLMACH_E_QUOTA => c"TOLMACH_E_QUOTA",
        TOLMACH_E_RATE_LIMITED => c"TOLMACH_E_RATE_LIMITED",
        TOLMACH_E_BAD_REQUEST => c"TOLMACH_E_BAD_REQUEST",
        TOLMACH_E_NOT_FOUND => c"TOLMACH_E_NOT_FOUND",
        TOLMACH_E_CONTEXT_LENGTH => c"TOLMACH_E_CONTEXT_LENGTH",
        TOLMACH_E_BLOCKED => c"TOLMACH_E_BLOCKED",
        TOLMACH_E_SERVER => c"TOLMACH_E_SERVER",
        TOLMACH_E_PROVIDER => c"TOLMACH_E_PROVIDER",
        TOLMACH_E_PROTOCOL => c"TOLMACH_E_PROTOCOL",
        TOLMACH_E_TRUNCATED => c"TOLMACH_E_TRUNCATED",
        TOLMACH_E_TOO_LARGE => c"TOLMACH_E_TOO_LARGE",
        TOLMACH_E_UNSUPPORTED => c"TOLMACH_E_UNSUPPORTED",
        TOLMACH_E_INTERNAL => c"TOLMACH_E_INTERNAL",
        TOLMACH_E_NO_MEMORY => c"TOLMACH_E_NO_MEMORY",
        _ => c"unknown status",
    }
}
