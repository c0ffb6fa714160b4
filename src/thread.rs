//! The library's threads: small stacks, every signal blocked, kept a moment for reuse.
//!
//! A job is handed to an idle thread where there is one. A mutex and condition variables
//! do that: they leave nothing behind in the host's threads, as a channel would.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use once_cell::race::OnceBox;

use crate::error::{Error, ErrorKind, Result};
use crate::host;
use crate::panics;
use crate::process::PerProcess;

struct Job {
    work: Box<dyn FnOnce() + Send>,
    /// The session that it is done for.
    session: u64,
}

/// Deep enough for TLS and a debug build, which take 112 KiB; untouched pages cost nothing.
const STACK_SIZE: usize = 512 * 1024;

/// How long an idle thread waits for the next job before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// The threads of a process.
#[derive(Default)]
struct Crew {
    state: Mutex<State>,
    /// Told when there is a job, or none will come.
    work: Condvar,
    /// Told when a thread ends.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Jobs that idle threads are about to take.
    jobs: VecDeque<Job>,
    idle: usize,
    alive: usize,
    threads: Vec<JoinHandle<()>>,
    /// Idle threads are to end.
    dismissed: bool,
}

static CREW: PerProcess<Crew> = PerProcess::new();

/// Gives back the unused part of the calling thread's stack; it needs code of the system.
static GIVE_BACK: OnceBox<fn()> = OnceBox::new();

thread_local! {
    /// This thread is the library's own, and so is its stack.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job for an idle thread; `None` when it has waited long enough.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        state.idle += 1;
        let waited = self
            .work
            .wait_timeout_while(state, IDLE, |state| state.jobs.is_empty() && !state.dismissed);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.jobs.pop_front()
    }
}

/// Runs `job` on a thread of the library's own, for the session that this thread works for.
/// Fails when the system gives no thread.
pub(crate) fn spawn(name: &str, job: impl FnOnce() + Send + 'static) -> Result<()> {
    let crew = CREW.get();
    // What it holds is never on the thread's stack, which is small.
    let job = Job { work: Box::new(job), session: host::session() };
    let mut state = crew.lock();
    if state.idle > state.jobs.len() {
        state.jobs.push_back(job);
        crew.work.notify_one();
        return Ok(());
    }
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK_SIZE);
    let spawned = with_signals_blocked(|| {
        builder.spawn(move || {
            OWN.set(true);
            run(job);
            while let Some(job) = crew.next_job() {
                run(job);
            }
            crew.lock().alive -= 1;
            crew.ended.notify_all();
        })
    });
    let thread = spawned.map_err(|error| {
        Error::new(ErrorKind::NoMemory, format!("the system gives no more threads: {error}"))
    })?;
    state.threads.retain(|thread| !thread.is_finished());
    state.threads.push(thread);
    state.alive += 1;
    Ok(())
}

/// From now on [`give_back_stack`] does its work by `give_back`.
pub(crate) fn give_back_stacks_by(give_back: fn()) {
    // Another client was first.
    GIVE_BACK.set(Box::new(give_back)).ok();
}

/// Gives back the memory of the stack that is not in use any more, on a thread of the
/// library's own: it may be going to wait for long.
pub(crate) fn give_back_stack() {
    if let Some(give_back) = GIVE_BACK.get().filter(|_| OWN.get()) {
        give_back();
    }
}

/// What a job that panicked comes to.
pub(crate) fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "a worker panicked: this is a bug in tolmach, please report it")
}

/// Lets idle threads end, and waits for them where all are idle, but not long: a process
/// that ends cleanly leaves none behind, one that ends in the midst of things is not held.
pub(crate) fn dismiss(patience: Duration) {
    let crew = CREW.get();
    let mut state = crew.lock();
    state.dismissed = true;
    crew.work.notify_all();
    let ended = crew.ended.wait_timeout_while(state, patience, |state| state.alive > 0);
    let (mut state, _) = ended.unwrap_or_else(PoisonError::into_inner);
    let threads = std::mem::take(&mut state.threads);
    let all_ended = state.alive == 0;
    state.dismissed = false;
    drop(state);
    if all_ended && !threads.is_empty() {
        join(threads, patience);
    }
}

/// Waits until `threads` are gone, within bounds: behind their last words the host may have
/// put some of its own, which wait for whoever waits here.
fn join(threads: Vec<JoinHandle<()>>, patience: Duration) {
    let (gone, all_gone) = mpsc::channel();
    let builder = Builder::new().name("tolmach-exit".to_owned()).stack_size(STACK_SIZE);
    let joining = with_signals_blocked(|| {
        builder.spawn(move || {
            // What they had to say, they have said.
            threads.into_iter().for_each(|thread| drop(thread.join()));
            gone.send(()).ok();
        })
    });
    if let (Ok(joining), Ok(())) = (joining, all_gone.recv_timeout(patience)) {
        joining.join().ok();
    }
}

/// A panic ends its job alone; jobs report their own failures.
fn run(job: Job) {
    host::for_session(job.session, || panics::caught(job.work));
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
