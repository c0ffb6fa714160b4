//! The end of the host's process.

use std::sync::Once;
use std::time::Duration;

use crate::thread;

/// How long the end of a process may be held up by threads that are about to end.
const PATIENCE: Duration = Duration::from_millis(50);

/// Has the library's idle threads end before the process does, so that leak checkers find
/// a clean house.
pub(super) fn tidy_up_at_exit() {
    #[cfg(unix)]
    {
        use std::ffi::c_int;

        unsafe extern "C" {
            fn atexit(function: extern "C" fn()) -> c_int;
        }

        extern "C" fn tidy_up() {
            std::panic::catch_unwind(|| thread::dismiss(PATIENCE)).ok();
        }

        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // SAFETY: the library is never unloaded, so that the function stays where it is.
            unsafe { atexit(tidy_up) };
        });
    }
}
