//! The host's log: one replaceable function, off by default.
//!
//! Lines name hosts, statuses and durations; never a credential, a header or a prompt.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use arc_swap::ArcSwapOption;

use crate::host;

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

type Sink = dyn Fn(Level, &str, &str) + Send + Sync;

static MAX_LEVEL: AtomicI32 = AtomicI32::new(0);
/// Swapped without a lock: a fork could leave one locked.
static SINK: ArcSwapOption<Box<Sink>> = ArcSwapOption::const_empty();

/// Sends lines of `max_level` and below to `sink` from now on; `None` removes it.
///
/// A line already on its way to the sink before may still arrive there.
pub fn set(max_level: i32, sink: Option<Box<Sink>>) {
    MAX_LEVEL.store(if sink.is_some() { max_level } else { 0 }, Ordering::Relaxed);
    SINK.store(sink.map(Arc::new));
}

/// One line for the host, formatted only when somebody listens.
pub(crate) fn line(level: Level, target: &str, message: fmt::Arguments<'_>) {
    if level as i32 > MAX_LEVEL.load(Ordering::Relaxed) {
        return;
    }
    if let Some(sink) = SINK.load_full() {
        let message = message.to_string();
        host::theirs(|| sink(level, target, &message));
    }
}
