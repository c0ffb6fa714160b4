//! The library's threads: small stacks, every signal blocked, kept a moment for reuse.
//!
//! A session's worker is a job handed to an idle thread where there is one. The hand-over
//! is a channel without room: it succeeds only while a thread is waiting at it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
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
    /// Every thread holds one; when all have ended, `ended` is disconnected.
    alive: Sender<()>,
    ended: Receiver<()>,
}

static CREW: Lazy<Mutex<Crew>> = Lazy::new(|| Mutex::new(Crew::new()));

impl Crew {
    fn new() -> Crew {
        let (jobs, waiting) = bounded(0);
        let (alive, ended) = bounded(0);
        let threads = Vec::new();
        Crew { process: std::process::id(), jobs, waiting, threads, alive, ended }
    }

    /// The crew of this process.
    fn lock() -> MutexGuard<'static, Crew> {
        let mut crew = CREW.lock().unwrap_or_else(PoisonError::into_inner);
        if crew.process != std::process::id() {
            // Handles of threads that are not here must not be waited for.
            std::mem::take(&mut crew.threads).into_iter().for_each(drop);
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
    let (next, alive) = (crew.waiting.clone(), crew.alive.clone());
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK_SIZE);
    let spawned = with_signals_blocked(|| {
        builder.spawn(move || {
            let _alive = alive;
            run(first);
            while let Ok(job) = next.recv_timeout(IDLE) {
                run(job);
            }
        })
    });
    let thread = spawned.map_err(|error| {
        Error::new(ErrorKind::Internal, format!("the system gives no more threads: {error}"))
    })?;
    crew.threads.retain(|thread| !thread.is_finished());
    crew.threads.push(thread);
    Ok(())
}

/// Lets idle threads end, and waits for them where all are idle, but not long: a process
/// that ends cleanly leaves none behind, one that ends in the midst of things is not held.
pub(crate) fn dismiss(patience: Duration) {
    let mut crew = Crew::lock();
    let crew = std::mem::replace(&mut *crew, Crew::new());
    drop((crew.jobs, crew.waiting, crew.alive));
    if crew.ended.recv_deadline(Instant::now() + patience) == Err(RecvTimeoutError::Disconnected) {
        for thread in crew.threads {
            // It ran to its end; what it had to say, it has said.
            thread.join().ok();
        }
    }
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
