//! The library's threads: small stacks, every signal blocked, kept a moment for reuse.
//!
//! A session's worker is a job handed to an idle thread where there is one. The hand-over
//! is a channel without room: it succeeds only while a thread is waiting at it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use once_cell::sync::Lazy;

use crate::error::{Error, ErrorKind, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Deep enough for TLS and a debug build (http.md 8: 112 KiB); untouched pages cost nothing.
const STACK_SIZE: usize = 512 * 1024;

/// How long an idle thread waits for the next job before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// Threads do not survive a fork, so a child process starts with a crew of its own.
struct Crew {
    process: u32,
    jobs: Sender<Job>,
    waiting: Receiver<Job>,
    threads: Vec<JoinHandle<()>>,
    /// How many have not ended.
    alive: usize,
}

static CREW: Lazy<Mutex<Crew>> = Lazy::new(|| Mutex::new(Crew::new()));

/// Told when a thread of the crew ends.
static ENDED: Condvar = Condvar::new();

impl Crew {
    fn new() -> Crew {
        let (jobs, waiting) = bounded(0);
        Crew { process: std::process::id(), jobs, waiting, threads: Vec::new(), alive: 0 }
    }

    /// The crew of this process.
    fn lock() -> MutexGuard<'static, Crew> {
        let mut crew = CREW.lock().unwrap_or_else(PoisonError::into_inner);
        if crew.process != std::process::id() {
            *crew = Crew::new();
        }
        crew
    }
}

/// Runs `job` on a thread of the library's own. Fails when the system gives no thread.
pub(crate) fn spawn(name: &str, job: impl FnOnce() + Send + 'static) -> Result<()> {
    let mut crew = Crew::lock();
    let Err(refused) = crew.jobs.try_send(Box::new(job)) else { return Ok(()) };
    let first = refused.into_inner();
    let next = crew.waiting.clone();
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK_SIZE);
    let spawned = with_signals_blocked(|| {
        builder.spawn(move || {
            run(first);
            while let Ok(job) = next.recv_timeout(IDLE) {
                run(job);
            }
            Crew::lock().alive -= 1;
            ENDED.notify_all();
        })
    });
    let thread = spawned.map_err(|error| {
        Error::new(ErrorKind::Internal, format!("the system gives no more threads: {error}"))
    })?;
    crew.threads.retain(|thread| !thread.is_finished());
    crew.threads.push(thread);
    crew.alive += 1;
    Ok(())
}

/// Runs `job` on a thread of the library's own, and waits for what comes of it.
pub(crate) fn call<T: Send + 'static>(
    name: &str,
    job: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let place = Arc::new((Mutex::new(None), Condvar::new()));
    let theirs = Arc::clone(&place);
    spawn(name, move || {
        let outcome = catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|_| Err(panicked()));
        *theirs.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        theirs.1.notify_one();
    })?;
    let mut outcome = place.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(outcome) = outcome.take() {
            return outcome;
        }
        outcome = place.1.wait(outcome).unwrap_or_else(PoisonError::into_inner);
    }
}

/// What a job that panicked comes to.
pub(crate) fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "a worker panicked: this is a bug in tolmach, please report it")
}

/// Lets idle threads end, and waits for them where all are idle, but not long: a process
/// that ends cleanly leaves none behind, one that ends in the midst of things is not held.
pub(crate) fn dismiss(patience: Duration) {
    let mut crew = Crew::lock();
    let (jobs, waiting) = bounded(0);
    crew.jobs = jobs;
    crew.waiting = waiting;
    let ended = ENDED.wait_timeout_while(crew, patience, |crew| crew.alive > 0);
    let (mut crew, _) = ended.unwrap_or_else(PoisonError::into_inner);
    let threads = std::mem::take(&mut crew.threads);
    let all_ended = crew.alive == 0;
    drop(crew);
    for thread in threads.into_iter().filter(|_| all_ended) {
        // It ran to its end; what it had to say, it has said.
        thread.join().ok();
    }
}

/// A panic ends its job alone; jobs report their own failures.
fn run(job: Job) {
    catch_unwind(AssertUnwindSafe(job)).ok();
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
