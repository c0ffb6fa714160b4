//! The hand-over of chunks from the worker to the program: bounded in bytes, one wake-up
//! for all chunks of a read, none while nothing happens.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::readiness::{Ready, Signal};
use super::waiter::Waiter;
use crate::answer::Sink;
use crate::cancel_token::cancelled;
use crate::chunk::Batch;
use crate::error::Result;
use crate::sync::{Condvar, Mutex, MutexGuard};

pub(crate) struct Queue {
    state: Mutex<State>,
    /// Woken when there is something to take.
    consumer: Condvar,
    /// Woken when there is room.
    producer: Condvar,
    max_bytes: usize,
}

#[derive(Default)]
struct State {
    ready: Batch,
    /// The program holds chunks that it has not seen yet.
    in_hand: bool,
    /// The worker is done, and this is what came of it.
    outcome: Option<Result<()>>,
    cancelled: bool,
    /// One of them waits, and nobody has woken it yet.
    consumer_waits: bool,
    producer_waits: bool,
    signal: Signal,
    /// When a wait for several sessions found this one last; 0 for never.
    turn: usize,
}

/// What [`Queue::take`] found.
pub(crate) enum Taken {
    /// The batch given has been exchanged for one with chunks.
    Chunks,
    Nothing,
    Over(Result<()>),
}

impl Queue {
    pub(crate) fn new(max_bytes: usize) -> Queue {
        Queue {
            state: Mutex::default(),
            consumer: Condvar::new(),
            producer: Condvar::new(),
            max_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exchanges the empty `batch` for the chunks that are ready; waits for them until
    /// `deadline`, or for ever without one.
    pub(crate) fn take(&self, batch: &mut Batch, deadline: Option<Instant>) -> Taken {
        let mut state = self.lock();
        loop {
            if state.cancelled {
                return Taken::Over(Err(cancelled()));
            }
            if !state.ready.is_empty() {
                std::mem::swap(&mut state.ready, batch);
                state.in_hand = true;
                let waits = std::mem::take(&mut state.producer_waits);
                drop(state);
                if waits {
                    self.producer.notify_one();
                }
                return Taken::Chunks;
            }
            if let Some(outcome) = &state.outcome {
                return Taken::Over(outcome.clone());
            }
            state.consumer_waits = true;
            state = match deadline {
                None => self.consumer.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        state.consumer_waits = false;
                        return Taken::Nothing;
                    }
                    self.consumer
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.consumer_waits = false;
        }
    }

    /// The program has seen all chunks it took: there may be nothing to come for now.
    pub(crate) fn settle(&self) {
        let mut state = self.lock();
        state.in_hand = false;
        if !state.is_ready() {
            state.signal.lower();
        }
    }

    /// The worker is done. Later outcomes do not count.
    pub(crate) fn finish(&self, outcome: Result<()>) {
        let mut state = self.lock();
        state.outcome.get_or_insert(outcome);
        self.tell(state);
    }

    /// Releases both sides, at once and for good. Returns the callback to be called.
    pub(crate) fn cancel(&self) -> Option<Arc<Ready>> {
        let mut state = self.lock();
        state.cancelled = true;
        let ready = state.signal.raise();
        self.wake_consumer(state);
        self.producer.notify_one();
        ready
    }

    /// Tells the program that there is something to poll for.
    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let ready = state.signal.raise();
        self.wake_consumer(state);
        // The program's own code runs without a lock of ours.
        if let Some(ready) = ready {
            ready.call();
        }
    }

    /// Wakes the consumer where it waits. The lock is free by then: the consumer takes it.
    fn wake_consumer(&self, mut state: MutexGuard<'_, State>) {
        let waits = std::mem::take(&mut state.consumer_waits);
        drop(state);
        if waits {
            self.consumer.notify_one();
        }
    }

    /// Wakes `waiter` once there is something to poll for; at once where there is now.
    pub(super) fn enlist(&self, waiter: &Arc<Waiter>) {
        self.lock().signal.enlist(waiter);
    }

    /// Forgets `waiter`.
    pub(super) fn withdraw(&self, waiter: &Arc<Waiter>) {
        self.lock().signal.withdraw(waiter);
    }

    /// Which turn this session had last, if there is something to poll for: for certain where
    /// `is_cancelled` says so, which may not have come here yet.
    pub(super) fn turn(&self, is_cancelled: bool) -> Option<usize> {
        let state = self.lock();
        (is_cancelled || state.is_ready()).then_some(state.turn)
    }

    /// A wait found this session.
    pub(super) fn take_turn(&self, turn: usize) {
        self.lock().turn = turn;
    }

    /// A descriptor that is readable while there is something to come for; `None` where
    /// the system has no such thing. It stays the queue's own.
    pub(crate) fn fd(&self) -> Option<i32> {
        self.lock().signal.fd()
    }

    /// Calls `ready` whenever there is something to come for again, from now on.
    pub(crate) fn on_ready(&self, ready: Option<Arc<Ready>>) {
        let (now, replaced) = self.lock().signal.watch(ready);
        // Both are the program's own code, which runs without a lock of ours.
        drop(replaced);
        if let Some(ready) = now {
            ready.call();
        }
    }
}

#[cfg(all(test, loom))]
impl Queue {
    /// Whether the signal is raised, and whether there is something to poll for.
    pub(super) fn signal(&self) -> (bool, bool) {
        let state = self.lock();
        (state.signal.is_raised(), state.is_ready())
    }
}

impl State {
    fn is_ready(&self) -> bool {
        self.in_hand || !self.ready.is_empty() || self.outcome.is_some() || self.cancelled
    }
}

impl Sink for Queue {
    fn deliver(&self, batch: &mut Batch) -> Result<()> {
        let mut state = self.lock();
        // One batch is always taken, however large.
        while !state.ready.is_empty()
            && state.ready.size() + batch.size() > self.max_bytes
            && !state.cancelled
        {
            state.producer_waits = true;
            state = self.producer.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.producer_waits = false;
        }
        if state.cancelled {
            return Err(cancelled());
        }
        state.ready.reserve(batch)?;
        state.ready.append_batch(batch);
        self.tell(state);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::chunk::{Chunk, ChunkKind};

    fn batch(bytes: usize) -> Batch {
        let mut batch = Batch::default();
        batch.push(&Chunk { bytes: &vec![7; bytes], ..Chunk::new(ChunkKind::Image) }).unwrap();
        batch
    }

    /// Whether a worker that delivers `bytes` more waits for room.
    fn waits(queue: &Queue, bytes: usize) -> bool {
        thread::scope(|scope| {
            let worker = scope.spawn(|| queue.deliver(&mut batch(bytes)));
            let waits = loop {
                if queue.lock().producer_waits {
                    break true;
                }
                if worker.is_finished() {
                    break false;
                }
                thread::yield_now();
            };
            assert!(matches!(queue.take(&mut Batch::default(), None), Taken::Chunks));
            worker.join().unwrap().unwrap();
            waits
        })
    }

    #[test]
    fn worker_waits_where_the_bound_would_be_passed_and_not_before() {
        let queue = Queue::new(100_000);
        queue.deliver(&mut batch(40_000)).unwrap();
        assert!(!waits(&queue, 40_000));
        queue.deliver(&mut batch(40_000)).unwrap();
        assert!(waits(&queue, 70_000));
    }

    #[test]
    fn one_batch_is_taken_however_large() {
        let queue = Queue::new(1000);
        queue.deliver(&mut batch(1_000_000)).unwrap();
        assert!(waits(&queue, 1));
    }
}
