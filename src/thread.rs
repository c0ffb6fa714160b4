//! The library's threads: small stacks, every signal blocked, kept a moment for reuse.
//!
//! A session's worker is a job handed to an idle thread where there is one. The hand-over
//! is a channel without room: it succeeds only while a thread is waiting at it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use once_cell::sync::Lazy;

use crate::error::{Error, ErrorKind, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Deep enough for TLS and a debug build (http.md 8: 112 KiB); untouched pages cost nothing.
const STACK_SIZE: usize = 512 * 1024;

/// How long an idle thread waits for the next job before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// Threads do not survive a fork, so a child process starts with a counter of its own.
struct Counter {
    process: u32,
    jobs: Sender<Job>,
    waiting: Receiver<Job>,
}

static COUNTER: Lazy<Mutex<Counter>> = Lazy::new(|| Mutex::new(Counter::new()));

impl Counter {
    fn new() -> Counter {
        let (jobs, waiting) = bounded(0);
        Counter { process: std::process::id(), jobs, waiting }
    }
}

/// Runs `job` on a thread of the library's own. Fails when the system gives no thread.
pub(crate) fn spawn(name: &str, job: impl FnOnce() + Send + 'static) -> Result<()> {
    let mut counter = COUNTER.lock().unwrap_or_else(PoisonError::into_inner);
    if counter.process != std::process::id() {
        *counter = Counter::new();
    }
    let Err(refused) = counter.jobs.try_send(Box::new(job)) else { return Ok(()) };
    let first = refused.into_inner();
    let next = counter.waiting.clone();
    drop(counter);
    let spawned = with_signals_blocked(|| {
        std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_SIZE).spawn(move || {
            run(first);
            while let Ok(job) = next.recv_timeout(IDLE) {
                run(job);
            }
        })
    });
    spawned.map(drop).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("the system gives no more threads: {error}"))
    })
}

/// A panic ends its job alone; jobs report their own failures.
fn run(job: Job) {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).ok();
}

/// A new thread inherits its creator's signal mask: the host's signals stay the host's.
#[cfg(unix)]
fn with_signals_blocked<T>(create: impl FnOnce() -> T) -> T {
    use nix::sys::signal::{SigSet, SigmaskHow};
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let created = create();
    if let Ok(before) = before {
        before.thread_set_mask().ok();
    }
    created
}

#[cfg(not(unix))]
fn with_signals_blocked<T>(create: impl FnOnce() -> T) -> T {
    create()
}
