use super::caller::Caller;
use super::status::{TOLMACH_OK, tolmach_status};
use super::text::{Text, tolmach_str};
use crate::error::Error;

/// What went wrong, for people and logs; code decides by the status. Given by a failed
/// call through its last argument, never changed afterwards, freed by the caller with
/// tolmach_error_free(). Its texts live as long as it does. Message and body may hold the
/// provider's own words, but no credential of yours: each of 8 bytes or more is redacted,
/// however the provider quotes it.
///
/// Functions: tolmach_error_status(), tolmach_error_message(), tolmach_error_http_status(),
/// tolmach_error_retry_after_ms(), tolmach_error_provider_code(), tolmach_error_request_id(),
/// tolmach_error_body(), tolmach_error_free().
pub struct tolmach_error {
    error: Error,
    message: Text,
    provider_code: Text,
    request_id: Text,
    body: Text,
}

impl From<Error> for tolmach_error {
    fn from(error: Error) -> tolmach_error {
        tolmach_error {
            message: Text::new(error.message()),
            provider_code: Text::new(error.provider_code()),
            request_id: Text::new(error.request_id()),
            body: Text::new(error.body()),
            error,
        }
    }
}

/// The status that the failed call returned.
///
/// Returns: a TOLMACH_E_ status; TOLMACH_OK for NULL.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_error_status(error: *const tolmach_error) -> tolmach_status {
    // SAFETY: `error` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(TOLMACH_OK, || {
        Some(caller.shared("error", error).ok()?.error.kind() as tolmach_status)
    })
}

/// One line, without control characters: what was wrong and what would be right.
///
/// Returns: the message; empty for NULL.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_error_message(error: *const tolmach_error) -> tolmach_str {
    // SAFETY: `error` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(tolmach_str::EMPTY, || Some(caller.shared("error", error).ok()?.message.as_str()))
}

/// The HTTP status that the provider refused with, or that an error within its answer names.
///
/// Returns: such as 429; 200 for a web page in the place of an answer; 0 when there is none.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_error_http_status(error: *const tolmach_error) -> i32 {
    // SAFETY: `error` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(0, || Some(i32::from(caller.shared("error", error).ok()?.error.http_status()?)))
}

/// How long the provider asks to wait before the next try.
///
/// Returns: milliseconds; -1 when it did not say.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_error_retry_after_ms(error: *const tolmach_error) -> i64 {
    // SAFETY: `error` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(-1, || {
        let after = caller.shared("error", error).ok()?.error.retry_after()?;
        i64::try_from(after.as_millis()).ok()
    })
}

/// The provider's own code or type for this error, such as "model_not_found". It is as it
/// came, but at most 256 bytes long and without control characters.
///
/// Returns: the code; empty when there was none.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_error_provider_code(error: *const tolmach_error) -> tolmach_str {
    // SAFETY: `error` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(tolmach_str::EMPTY, || {
        Some(caller.shared("error", error).ok()?.provider_code.as_str())
    })
}

/// The provider's id of the failed request: what its support asks for. It is there whenever
/// the provider answered with one, also when the answer failed later, and is at most 256
/// bytes long.
///
/// Returns: the id; empty when there was none.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_error_request_id(error: *const tolmach_error) -> tolmach_str {
    // SAFETY: `error` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller
        .value(tolmach_str::EMPTY, || Some(caller.shared("error", error).ok()?.request_id.as_str()))
}

/// The body of the provider's answer, or the event, that the error came in; cut at
/// `max_error_bytes`.
///
/// Returns: the body; empty when there was none.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_error_body(error: *const tolmach_error) -> tolmach_str {
    // SAFETY: `error` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(tolmach_str::EMPTY, || Some(caller.shared("error", error).ok()?.body.as_str()))
}

/// Frees an error. NULL is none.
///
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_error_free(error: *mut tolmach_error) {
    // SAFETY: `error` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.free(error);
}
