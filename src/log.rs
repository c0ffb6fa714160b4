//! The host's log: one replaceable function, off by default.
//!
//! Lines name hosts, statuses and durations; never a credential, a header or a prompt.

use std::fmt;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use crate::host;
use crate::process::PerProcess;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Something failed that nobody else will report.
    Error = 1,
    /// Something unusual that was dealt with.
    Warn = 2,
    /// The course of a request.
    Info = 3,
    /// Its details.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

type Sink = dyn Fn(Level, u64, &str) + Send + Sync;

static MAX_LEVEL: AtomicI32 = AtomicI32::new(0);
/// Swapped without a lock that a line has to take: a fork could leave one locked.
static SINK: ArcSwapOption<Box<Sink>> = ArcSwapOption::const_empty();
/// Held while both are set, so that they belong together.
static SETTING: PerProcess<Mutex<()>> = PerProcess::new();

/// Sends lines of `max_level` and below to `sink` from now on; `None` removes it.
///
/// `sink` gets the level, the [id](crate::Session::id) of the session that the line belongs
/// to (0 for none), and the line. A line already on its way to the sink before may still
/// arrive there; that sink is dropped after its last line.
pub fn set(max_level: i32, sink: Option<Box<Sink>>) {
    let setting = SETTING.get().lock().unwrap_or_else(PoisonError::into_inner);
    MAX_LEVEL.store(if sink.is_some() { max_level } else { 0 }, Ordering::Relaxed);
    let replaced = SINK.swap(sink.map(Arc::new));
    drop(setting);
    // The host's code, which may call this function again.
    host::theirs(|| drop(replaced));
}

/// One line for the host, formatted only when somebody listens. `part` is the part of the
/// library that it comes from.
pub(crate) fn line(level: Level, part: &str, message: fmt::Arguments<'_>) {
    if level as i32 > MAX_LEVEL.load(Ordering::Relaxed) {
        return;
    }
    if let Some(sink) = SINK.load_full() {
        let (session, message) = (host::session(), format!("{part}: {message}"));
        host::theirs(|| {
            sink(level, session, &message);
            // If it was replaced meanwhile, this drops it.
            drop(sink);
        });
    }
}
