//! Whose code a thread runs: the library's, or the host's.
//!
//! The library's panics are bugs of ours, and kept off standard error; those of a callback
//! are the host's to report.

use std::cell::Cell;

thread_local! {
    /// This thread runs code of the library, not of the host.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, the code that this thread runs is the library's, or is not.
struct Owner {
    before: bool,
}

impl Owner {
    fn enter(is_ours: bool) -> Owner {
        Owner { before: OURS.replace(is_ours) }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        OURS.set(self.before);
    }
}

/// Does `work` of the library's own.
pub(crate) fn ours<T>(work: impl FnOnce() -> T) -> T {
    let _ours = Owner::enter(true);
    work()
}

/// Does `work` of the host's: a callback.
pub(crate) fn theirs<T>(work: impl FnOnce() -> T) -> T {
    let _theirs = Owner::enter(false);
    work()
}

/// Whether this thread runs code of the library.
pub(crate) fn is_ours() -> bool {
    OURS.get()
}
