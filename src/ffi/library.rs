use std::ffi::{CStr, c_char, c_void};

use super::caller::Caller;
use super::text::{Text, tolmach_str};
use crate::{host, log};

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

/// Takes a line of the log.
///
/// `user`: as given to tolmach_log_set(). `level`: 1 error, 2 warning, 3 info, 4 debug,
/// 5 trace. `session`: the id of the session that the line belongs to; 0 if it belongs to
/// none. `message`: the line, `len` bytes of UTF-8 and a NUL byte that `len` does not count.
/// It begins with the part of the library that wrote it, such as "http: ", and is valid
/// until the function returns.
///
/// It may be called on any thread, by several threads at once. It may call any function of
/// this header, also tolmach_log_set(), but must not block.
pub type tolmach_log_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        level: i32,
        session: u64,
        message: *const c_char,
        len: usize,
    ),
>;

/// Is told that the library does not need the `user` of a callback any more.
pub type tolmach_release_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Sends the library's log lines to `log`, for the whole process. Off by default. A line
/// never shows a credential, a header or a prompt.
///
/// `log`: replaces the function before; NULL removes it. `user`: passed to every call of
/// `log`. `release`: if not NULL, it is called once with `user` after the last call of `log`
/// with that `user`: when `log` is removed or replaced, also by itself, or at once if `log` is
/// NULL. A line that another thread is writing may still arrive after tolmach_log_set() has
/// returned; then `release` is called on that thread, after the line. It is not called for a
/// function that is still set when the process ends. `max_level`: lines above it are not
/// made (1 errors only .. 5 everything; 0 or less none).
/// Blocks: no. Threads: any thread, also in a call of `log` or `release`. This function
/// cannot fail. After fork(), the child has the function of its parent. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_log_set(
    log: tolmach_log_fn,
    user: *mut c_void,
    release: tolmach_release_fn,
    max_level: i32,
) {
    // SAFETY: `log`, `user` and `release` keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value((), || {
        let user = User { pointer: user, release };
        let Some(log) = log else {
            log::set(0, None);
            return None;
        };
        let sink = move |level: log::Level, session: u64, message: &str| {
            let message = Text::new(message);
            let tolmach_str { ptr, len } = message.as_str();
            // SAFETY: the header lets `log` be called with its `user` from any thread.
            unsafe { log(user.pointer(), level as i32, session, ptr, len) };
        };
        log::set(max_level, Some(Box::new(sink)));
        None
    });
}

/// The pointer that a program wants back with every call of its function, released when
/// nobody will call it any more.
pub(super) struct User {
    pub(super) pointer: *mut c_void,
    pub(super) release: tolmach_release_fn,
}

impl User {
    pub(super) fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the header lets `release` be called with its `user`, once, as here.
            host::theirs(|| unsafe { release(self.pointer) });
        }
    }
}

// SAFETY: the library only passes it on; the header says that it happens on any thread.
unsafe impl Send for User {}
// SAFETY: as above, several at once.
unsafe impl Sync for User {}
