use std::ffi::{CStr, c_char, c_void};

use super::caller::Caller;
use super::text::{Text, tolmach_str};
use crate::log;

const ABI_VERSION: u32 = 1;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The version of the library that runs, such as "0.1.0". The header's own is
/// TOLMACH_VERSION.
///
/// Returns: a static string.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn tolmach_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The version of the ABI that runs: it grows by one when something is added to it.
///
/// Returns: 1 in this version.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn tolmach_abi_version() -> u32 {
    ABI_VERSION
}

/// Takes a line of the log. `level`: 1 error, 2 warning, 3 info, 4 debug, 5 trace. The
/// strings live until it returns. It may be called from any thread, several at once, and
/// may call any function of this header but must not block.
pub type tolmach_log_fn = Option<
    unsafe extern "C" fn(user: *mut c_void, level: i32, target: tolmach_str, message: tolmach_str),
>;

/// Sends the library's log lines to `log`, for the whole process. Off by default. A line
/// never shows a credential, a header or a prompt.
///
/// `log`: replaces the one before; NULL removes it. `user` is passed to every call, and
/// must live on for a moment after it is replaced: a line under way may still arrive.
/// `max_level`: lines above it are not made (1 errors only .. 5 everything; 0 none).
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_log_set(log: tolmach_log_fn, user: *mut c_void, max_level: i32) {
    // SAFETY: `log` and `user` keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value((), || {
        let Some(log) = log else {
            log::set(0, None);
            return None;
        };
        let user = User(user);
        let sink = move |level: log::Level, target: &str, message: &str| {
            let (target, message) = (Text::new(target), Text::new(message));
            // SAFETY: the header lets `log` be called with its `user` from any thread.
            unsafe { log(user.pointer(), level as i32, target.as_str(), message.as_str()) };
        };
        log::set(max_level, Some(Box::new(sink)));
        None
    });
}

/// The pointer that a program wants back with every call of its function.
pub(super) struct User(pub(super) *mut c_void);

impl User {
    pub(super) fn pointer(&self) -> *mut c_void {
        self.0
    }
}

// SAFETY: the library only passes it on; the header says that it happens on any thread.
unsafe impl Send for User {}
// SAFETY: as above, several at once.
unsafe impl Sync for User {}
