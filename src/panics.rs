//! Panics of this library: caught, kept off standard error, and logged.
//!
//! A panic is a bug, and ends the call or the job it happens in with
//! [`ErrorKind::Internal`](crate::ErrorKind::Internal). Rust's default hook prints a message
//! to standard error before a panic is caught; that output belongs to the host.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::host;
use crate::log;

thread_local! {
    /// What the hook saw of the latest panic of this thread.
    static LATEST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Does `work` of the library's own; `None` where it panicked, which is logged.
#[inline]
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    match host::ours(|| panic::catch_unwind(AssertUnwindSafe(work))) {
        Ok(done) => Some(done),
        Err(payload) => {
            tell();
            drop(payload);
            None
        }
    }
}

/// Logs the panic that this thread caught. Not in the hook: the host's log must be free to do
/// what it likes.
#[cold]
#[inline(never)]
fn tell() {
    let latest = LATEST.take();
    let tell = || match latest.as_str() {
        // The hook that Rust has by default, or the host's, has told of it.
        "" => log::line(log::Level::Error, "panic", format_args!("a panic was caught")),
        latest => {
            log::line(log::Level::Error, "panic", format_args!("a bug in tolmach: {latest}"));
        }
    };
    // A log that panics as well has told the host by itself.
    panic::catch_unwind(AssertUnwindSafe(tell)).ok();
}

/// Keeps panics inside [`caught`] off standard error, from now on and for the whole process.
/// All others go where they went before.
#[inline]
pub(crate) fn keep_quiet() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.load(Ordering::Relaxed) {
        set_hook(&DONE);
    }
}

#[cold]
fn set_hook(done: &AtomicBool) {
    // A hook cannot be set while a panic unwinds. No lock: a fork could leave it locked.
    if thread::panicking() || done.swap(true, Ordering::Relaxed) {
        return;
    }
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if host::is_ours() {
            let said = line(info.location(), info.payload());
            LATEST.try_with(|latest| latest.replace(said)).ok();
        } else {
            others(info);
        }
    }));
}

/// Where a panic was, and what it said up to its first quotation: that may be a prompt.
fn line(location: Option<&Location<'_>>, payload: &(dyn Any + Send)) -> String {
    let said = payload.downcast_ref::<&str>().copied();
    let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let said = said.unwrap_or_default().split(['`', '"', '\n']).next().unwrap_or_default();
    match location {
        Some(location) => format!("panicked at {location}: {said}"),
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_of_a_panic_quotes_nothing() {
        let quoting =
            "byte index 1 is not a char boundary; it is inside 'é' of `a prompt`".to_owned();
        let said = line(None, &quoting);
        assert!(said.starts_with("byte index 1") && !said.contains("prompt"), "{said}");
        assert_eq!(line(None, &"two\nlines"), "two");
        assert_eq!(line(None, &7), "");
    }
}
