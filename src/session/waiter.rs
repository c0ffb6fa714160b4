//! Waiting for several sessions at once, on every system: the waiter is told by each
//! session's signal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::control::Control;
use crate::sync::{Condvar, Mutex};

/// Who waits for several sessions.
#[derive(Default)]
pub(super) struct Waiter {
    woken: Mutex<bool>,
    wake: Condvar,
}

/// How many waits have found a session.
static TURNS: AtomicUsize = AtomicUsize::new(0);

impl Waiter {
    /// Ends the wait. Called with the lock of a queue held, and takes none but its own.
    pub(super) fn wake(&self) {
        if !std::mem::replace(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner), true)
        {
            self.wake.notify_one();
        }
    }

    /// Waits to be woken, until `deadline` or without limit.
    fn wait(&self, deadline: Option<Instant>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = match deadline {
                None => self.wake.wait(woken).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.wake.wait_timeout(woken, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Control {
    /// Waits until one of `sessions` has something to poll for, for at most `timeout`, or
    /// without limit; returns its index, or `None` when the time is over. `None` among the
    /// sessions is skipped. A session that has ended or was cancelled always has something
    /// to poll for.
    ///
    /// Of several sessions it is the one that was returned the longest ago, so that a program
    /// that waits again and again reaches each of them.
    pub fn wait_for_any(sessions: &[Option<Control>], timeout: Option<Duration>) -> Option<usize> {
        // A timeout too long for the clock is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(found) = next(sessions) {
                return Some(found);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return None;
            }
            let waiter = Arc::new(Waiter::default());
            for session in sessions.iter().flatten() {
                session.queue.enlist(&waiter);
            }
            waiter.wait(deadline);
            for session in sessions.iter().flatten() {
                session.queue.withdraw(&waiter);
            }
        }
    }
}

/// The session whose turn it is among those with something to poll for.
fn next(sessions: &[Option<Control>]) -> Option<usize> {
    let ready = sessions.iter().enumerate().filter_map(|(index, session)| {
        let session = session.as_ref()?;
        let turn = session.queue.turn(session.token.is_cancelled())?;
        Some((turn, index, session))
    });
    let (_, index, session) = ready.min_by_key(|(turn, index, _)| (*turn, *index))?;
    session.queue.take_turn(TURNS.fetch_add(1, Ordering::Relaxed) + 1);
    Some(index)
}
