//! The wake-up protocol, model-checked: loom runs each model once for every order in which
//! its threads can take the locks. A thread that is never woken is a deadlock, which loom
//! reports. tests/README.md has the command.

use std::sync::Arc;
use std::time::Instant;

use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use serde_json::Value;

use super::control::Control;
use super::current::Current;
use super::queue::{Queue, Taken};
use super::readiness::Ready;
use crate::answer::Sink;
use crate::cancel_token::CancelToken;
use crate::chunk::{Batch, Chunk, ChunkKind};
use crate::config::Limits;
use crate::error::{ErrorKind, Result};

/// Tries every order with at most three preemptions: an error needs no more as a rule.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A queue in which one chunk passes the bound, or far too large for that.
fn queue(is_narrow: bool) -> Arc<Queue> {
    Arc::new(Queue::new(if is_narrow { 1 } else { 1 << 20 }))
}

fn batch(text: &str) -> Batch {
    let mut batch = Batch::default();
    batch.push(&Chunk { text, ..Chunk::new(ChunkKind::Text) }).unwrap();
    batch
}

/// The worker: a batch for each text, and the end.
fn answer(queue: &Arc<Queue>, texts: &'static [&'static str]) -> thread::JoinHandle<Result<()>> {
    let queue = Arc::clone(queue);
    thread::spawn(move || {
        let delivered = texts.iter().try_for_each(|text| queue.deliver(&mut batch(text)));
        queue.finish(delivered.clone());
        delivered
    })
}

/// Takes what is ready, as a poll does, and sees all of it.
fn take(queue: &Queue, deadline: Option<Instant>, seen: &mut String) -> Taken {
    let mut batch = Batch::default();
    let taken = queue.take(&mut batch, deadline);
    (0..batch.len()).filter_map(|at| batch.get(at)).for_each(|chunk| seen.push_str(chunk.text));
    if !batch.is_empty() {
        queue.settle();
    }
    taken
}

/// Everything up to the end, waited for.
fn take_all(queue: &Queue) -> (String, std::result::Result<(), ErrorKind>) {
    let mut seen = String::new();
    loop {
        if let Taken::Over(outcome) = take(queue, None, &mut seen) {
            return (seen, outcome.map_err(|error| error.kind()));
        }
    }
}

#[test]
fn program_that_waits_gets_every_chunk_and_the_end() {
    check(|| {
        let queue = queue(false);
        let worker = answer(&queue, &["a", "b"]);
        assert_eq!(take_all(&queue), ("ab".to_owned(), Ok(())));
        worker.join().unwrap().unwrap();
    });
}

#[test]
fn worker_that_waits_for_room_goes_on() {
    check(|| {
        let queue = queue(true);
        let worker = answer(&queue, &["a", "b", "c"]);
        assert_eq!(take_all(&queue), ("abc".to_owned(), Ok(())));
        worker.join().unwrap().unwrap();
    });
}

#[test]
fn cancellation_releases_a_program_that_waits() {
    check(|| {
        let queue = queue(false);
        let canceller = Arc::clone(&queue);
        let canceller = thread::spawn(move || drop(canceller.cancel()));
        assert_eq!(take_all(&queue).1, Err(ErrorKind::Cancelled));
        canceller.join().unwrap();
    });
}

#[test]
fn cancellation_releases_a_worker_that_waits_for_room() {
    check(|| {
        let queue = queue(true);
        let worker = answer(&queue, &["a", "b"]);
        drop(queue.cancel());
        assert_eq!(worker.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(take_all(&queue).1, Err(ErrorKind::Cancelled));
    });
}

#[test]
fn signal_is_raised_exactly_while_there_is_something_to_poll_for() {
    check(|| {
        let queue = queue(false);
        let worker = answer(&queue, &["a", "b"]);
        let program = Arc::clone(&queue);
        let program = thread::spawn(move || take_all(&program));
        let (is_raised, is_ready) = queue.signal();
        assert_eq!(is_raised, is_ready);
        assert_eq!(program.join().unwrap(), ("ab".to_owned(), Ok(())));
        worker.join().unwrap().unwrap();
        assert_eq!(queue.signal(), (true, true));
    });
}

#[test]
fn callback_comes_whenever_there_is_something_to_poll_for_again() {
    check(|| {
        let queue = queue(false);
        let called = Arc::new((Mutex::new(false), Condvar::new()));
        let caller = Arc::clone(&called);
        queue.on_ready(Some(Arc::new(Ready::new(move || {
            *caller.0.lock().unwrap() = true;
            caller.1.notify_one();
        }))));
        let worker = answer(&queue, &["a", "b"]);
        let mut seen = String::new();
        // An event loop: it sleeps until it is called, and then polls until that is pending.
        'sleeps: loop {
            let mut is_called = called.0.lock().unwrap();
            while !*is_called {
                is_called = called.1.wait(is_called).unwrap();
            }
            *is_called = false;
            drop(is_called);
            loop {
                match take(&queue, Some(Instant::now()), &mut seen) {
                    Taken::Chunks => {}
                    Taken::Nothing => break,
                    Taken::Over(outcome) => break 'sleeps outcome.unwrap(),
                }
            }
        }
        assert_eq!(seen, "ab");
        worker.join().unwrap().unwrap();
    });
}

/// A session to wait for, without its worker.
fn control(queue: &Arc<Queue>) -> Option<Control> {
    let limits = Limits { connect: None, first_byte: None, idle: None, total: None };
    Some(Control { queue: Arc::clone(queue), token: CancelToken::new(limits) })
}

#[test]
fn program_that_waits_for_several_sessions_misses_none() {
    check(|| {
        let queues = [queue(false), queue(false)];
        let workers = [answer(&queues[0], &["a"]), answer(&queues[1], &[])];
        let mut sessions = queues.each_ref().map(control);
        let mut seen = [String::new(), String::new()];
        while sessions.iter().any(Option::is_some) {
            let index = Control::wait_for_any(&sessions, None).unwrap();
            match take(&queues[index], Some(Instant::now()), &mut seen[index]) {
                Taken::Chunks => {}
                Taken::Over(outcome) => {
                    outcome.unwrap();
                    sessions[index] = None;
                }
                Taken::Nothing => panic!("{index} is not ready"),
            }
        }
        assert_eq!(seen, ["a", ""]);
        workers.into_iter().for_each(|worker| worker.join().unwrap().unwrap());
    });
}

#[test]
fn cancellation_ends_a_wait_for_several_sessions() {
    check(|| {
        let queues = [queue(false), queue(false)];
        let sessions = queues.each_ref().map(control);
        let canceller = Arc::clone(&queues[1]);
        let canceller = thread::spawn(move || drop(canceller.cancel()));
        assert_eq!(Control::wait_for_any(&sessions, None), Some(1));
        canceller.join().unwrap();
    });
}

#[test]
fn two_programs_that_wait_for_one_session_are_both_woken() {
    check(|| {
        let queue = queue(false);
        let sessions = [control(&queue)];
        let other = [control(&queue)];
        let other = thread::spawn(move || Control::wait_for_any(&other, None));
        queue.finish(Ok(()));
        assert_eq!(Control::wait_for_any(&sessions, None), Some(0));
        assert_eq!(other.join().unwrap(), Some(0));
    });
}

#[test]
fn reply_asked_for_during_polls_is_what_was_polled() {
    check(|| {
        let queue = queue(false);
        let mut both = batch("a");
        both.push(&Chunk { text: "b", ..Chunk::new(ChunkKind::Text) }).unwrap();
        queue.deliver(&mut both).unwrap();
        let mut current = Current::new(1, 1000);
        let replies = current.replies().clone();
        // How many polls have begun.
        let begun = Arc::new(AtomicUsize::new(0));
        let asker = {
            let begun = Arc::clone(&begun);
            thread::spawn(move || {
                let said = content(&replies.to_json().unwrap());
                assert!(said.len() <= begun.load(Ordering::SeqCst), "{said:?} is too early");
                said
            })
        };
        let mut seen = String::new();
        for more in ["c", "d", ""] {
            let taken = current.exchange(|batch| queue.take(batch, Some(Instant::now()))).unwrap();
            assert!(matches!(taken, Taken::Chunks));
            while !current.is_done() {
                begun.fetch_add(1, Ordering::SeqCst);
                current.advance(1);
                seen.push_str(current.chunk().unwrap().text);
            }
            queue.deliver(&mut batch(more)).unwrap();
        }
        assert_eq!(seen, "abcd");
        let said = asker.join().unwrap();
        assert!(seen.starts_with(&said), "{said:?}");
        assert_eq!(content(&current.replies().to_json().unwrap()), seen);
        current.release();
        assert_eq!(content(&current.replies().to_json().unwrap()), seen);
    });
}

/// The text of a reply.
fn content(reply: &str) -> String {
    let reply: Value = serde_json::from_str(reply).unwrap_or_default();
    reply["content"].as_str().unwrap_or_default().to_owned()
}
