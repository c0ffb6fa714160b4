//! The host's process: its forks and its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::stack;
use crate::{panics, process, session, thread};

/// How long the end of a process may be held up by threads that are about to end.
const PATIENCE: Duration = Duration::from_millis(50);

/// The process in which an object was made. The object's threads and locks are of no use
/// in a child of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Process(u32);

impl Process {
    /// This one. Costs no system call, as getpid() would: every poll asks.
    #[inline]
    pub(super) fn current() -> Process {
        Process(process::forks())
    }
}

/// From now on forks are counted, the library's idle threads end before the process does, so
/// that leak checkers find none, and its threads can give back their stacks.
pub(super) fn watch() {
    thread::give_back_stacks_by(stack::give_back);
    #[cfg(unix)]
    {
        use std::ffi::c_int;

        type Function = extern "C" fn();

        unsafe extern "C" {
            fn atexit(function: Function) -> c_int;
            fn pthread_atfork(
                prepare: Option<Function>,
                parent: Option<Function>,
                child: Option<Function>,
            ) -> c_int;
        }

        extern "C" fn forked() {
            process::forked();
        }

        extern "C" fn tidy_up() {
            panics::caught(|| {
                session::end_interrupter();
                thread::dismiss(PATIENCE);
            });
        }

        // Two threads may register at once, which does no harm; a lock that keeps them
        // apart could be left locked by a fork.
        static WATCHED: AtomicBool = AtomicBool::new(false);
        if !WATCHED.load(Ordering::Acquire) {
            // SAFETY: the library is never unloaded, so that the function stays where it is;
            // a child process may call it, for it only adds to an atomic number.
            unsafe { pthread_atfork(None, None, Some(forked)) };
            // SAFETY: the library is never unloaded, so that the function stays where it is.
            unsafe { atexit(tidy_up) };
            WATCHED.store(true, Ordering::Release);
        }
    }
}
