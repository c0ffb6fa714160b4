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
struct Owner<'t> {
    /// That of this thread, looked up once: every call of the ABI comes here.
    ours: &'t Cell<bool>,
    before: bool,
}

impl Drop for Owner<'_> {
    #[inline]
    fn drop(&mut self) {
        self.ours.set(self.before);
    }
}

#[inline]
fn run<T>(is_ours: bool, work: impl FnOnce() -> T) -> T {
    OURS.with(|ours| {
        let _owner = Owner { ours, before: ours.replace(is_ours) };
        work()
    })
}

/// Does `work` of the library's own.
#[inline]
pub(crate) fn ours<T>(work: impl FnOnce() -> T) -> T {
    run(true, work)
}

/// Does `work` of the host's: a callback.
pub(crate) fn theirs<T>(work: impl FnOnce() -> T) -> T {
    run(false, work)
}

/// Whether this thread runs code of the library.
pub(crate) fn is_ours() -> bool {
    OURS.get()
}
