//! Cancelling from anywhere, signal handlers included.
//!
//! A signal handler may take no lock and allocate nothing. So a cancellation only sets
//! the session's flag and rings the [`bell`]. One thread per process, started with the first
//! session, answers the bell and does the rest: it wakes the poll and shuts the socket.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bell;
use super::control::Control;
use super::readiness::Ready;
use crate::error::Result;
use crate::panics;
use crate::process::PerProcess;
use crate::thread;

static INTERRUPTER: PerProcess<Interrupter> = PerProcess::new();

#[derive(Default)]
pub(super) struct Interrupter {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The sessions that are not cancelled, by their numbers, each with that of its client.
    sessions: BTreeMap<u64, (usize, Control)>,
    /// The number of the latest.
    latest: u64,
    /// The thread runs.
    running: bool,
    /// The process ends: so does the thread, where there are no sessions.
    ending: bool,
}

/// A session's place among those that can be cancelled; left when it is dropped.
pub(super) struct Place(u64);

impl Place {
    /// The number of the session: they count from 1.
    pub(super) fn number(&self) -> u64 {
        self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = INTERRUPTER.get().lock().sessions.remove(&self.0);
        // It may be the last that has the queue, and so the program's callback: without the lock.
        drop(left);
    }
}

/// Lets `control`, of a session of that client, be cancelled from now on.
///
/// # Errors
/// [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) when the system gives no thread or
/// no descriptor.
pub(super) fn enter(client: usize, control: &Control) -> Result<Place> {
    let interrupter = INTERRUPTER.get();
    bell::make()?;
    let mut state = interrupter.lock();
    state.ending = false;
    if cfg!(unix) && !state.running {
        thread::spawn("tolmach", || INTERRUPTER.get().work())?;
        state.running = true;
    }
    state.latest += 1;
    let place = Place(state.latest);
    state.sessions.insert(place.0, (client, control.clone()));
    Ok(place)
}

/// Cancels every session of that client.
pub(super) fn cancel_all(client: usize) {
    let state = INTERRUPTER.get().lock();
    let sessions = state.sessions.values().filter(|(owner, _)| *owner == client);
    let controls: Vec<Control> = sessions.map(|(_, control)| control.clone()).collect();
    drop(state);
    // Where there is no bell, this calls the program's own code: without the lock.
    controls.iter().for_each(Control::cancel);
}

/// The process ends: the thread need not wait for more sessions.
pub(crate) fn end_interrupter() {
    INTERRUPTER.get().lock().ending = true;
    bell::ring(|| ());
}

impl Interrupter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while bell::wait() {
            let callbacks: Vec<_> =
                self.cancelled().iter().filter_map(|control| control.end()).collect();
            // The program's code may wait for what this thread is to do next.
            for ready in callbacks {
                call_apart(ready);
            }
            let mut state = self.lock();
            if state.sessions.is_empty() && state.ending {
                state.running = false;
                return;
            }
        }
        self.lock().running = false;
    }

    /// Takes out the sessions whose flag is set.
    fn cancelled(&self) -> Vec<Control> {
        let mut cancelled = Vec::new();
        self.lock().sessions.retain(|_, (_, control)| {
            let lives = !control.token.is_cancelled();
            if !lives {
                cancelled.push(control.clone());
            }
            lives
        });
        cancelled
    }
}

/// Calls `ready` on a thread of its own; on this one where the system gives no other.
fn call_apart(ready: Arc<Ready>) {
    let call = {
        let ready = Arc::clone(&ready);
        move || ready.call()
    };
    if thread::spawn("tolmach", call).is_err() {
        panics::caught(|| ready.call());
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::queue::Queue;
    use super::*;
    use crate::cancel_token::CancelToken;
    use crate::config::Limits;

    /// What a program's callback owns; its end may open a session.
    struct Owned(Arc<AtomicBool>);

    impl Drop for Owned {
        fn drop(&mut self) {
            let is_free = !matches!(
                INTERRUPTER.get().state.try_lock(),
                Err(std::sync::TryLockError::WouldBlock)
            );
            self.0.store(is_free, Ordering::Relaxed);
        }
    }

    #[test]
    fn last_of_a_session_is_dropped_without_the_lock() {
        // Other tests may hold the lock for a moment.
        for _ in 0..1000 {
            let was_free = Arc::new(AtomicBool::new(false));
            let owned = Owned(Arc::clone(&was_free));
            let control = Control {
                queue: Arc::new(Queue::new(1)),
                token: CancelToken::new(Limits::default()),
            };
            control.on_ready(Some(Ready::new(move || drop(Arc::clone(&owned.0)))));
            let place = enter(usize::MAX, &control).unwrap();
            drop(control);
            drop(place);
            if was_free.load(Ordering::Relaxed) {
                return;
            }
        }
        panic!("the lock is held");
    }
}
