//! Whose code a thread runs: the library's, for which session, or the host's.
//!
//! The library's panics are bugs of ours, and kept off standard error; those of a callback
//! are the host's to report.

use std::cell::Cell;

thread_local! {
    /// This thread runs code of the library, not of the host.
    static OURS: Cell<bool> = const { Cell::new(false) };
    /// The session that this thread works for; 0 for none. Its log lines name it.
    static SESSION: Cell<u64> = const { Cell::new(0) };
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

/// Does `work` of the host's: a callback. What it starts belongs to no session.
pub(crate) fn theirs<T>(work: impl FnOnce() -> T) -> T {
    for_session(0, || run(false, work))
}

/// Sets the thread's session back when it is dropped.
struct Before(u64);

impl Drop for Before {
    fn drop(&mut self) {
        SESSION.set(self.0);
    }
}

/// Does `work` for the session of that id.
pub(crate) fn for_session<T>(id: u64, work: impl FnOnce() -> T) -> T {
    let _before = Before(SESSION.replace(id));
    work()
}

/// The id of the session that this thread works for; 0 for none.
pub(crate) fn session() -> u64 {
    SESSION.get()
}

/// Whether this thread runs code of the library.
pub(crate) fn is_ours() -> bool {
    OURS.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callback_works_for_no_session() {
        let seen = for_session(7, || (session(), theirs(session), for_session(8, session)));
        assert_eq!(seen, (7, 0, 8));
        assert!(!for_session(7, || theirs(is_ours)));
        assert_eq!(session(), 0);
    }
}
