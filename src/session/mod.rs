//! [`Session`]: one answer on its way, and the worker thread behind it.

mod bell;
mod control;
mod descriptor;
mod interrupter;
mod queue;
mod readiness;
mod reply;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::attempt::Facts;
use crate::cancel_token::CancelToken;
use crate::chunk::{Batch, Chunk, ChunkKind};
use crate::client::Client;
use crate::error::Result;
use crate::panics;
use crate::request::Request;
use crate::thread;
pub use control::Control;
use interrupter::Place;
pub(crate) use interrupter::end_interrupter;
use queue::{Queue, Taken};
pub use readiness::Ready;
use reply::Reply;

/// What a poll found.
#[derive(Debug, PartialEq)]
pub enum Polled<'s> {
    /// The next chunk, until the next poll.
    Chunk(Chunk<'s>),
    /// Nothing within the time given; the session runs on.
    Pending,
    /// Everything has been delivered.
    End,
}

/// One answer on its way. Dropping it cancels what is left of it, without waiting.
pub struct Session {
    control: Control,
    facts: Facts,
    reply: Replies,
    /// The chunks in hand, and which of them is next.
    batch: Batch,
    next: usize,
    /// How the answer ended, once the program knows.
    over: Option<Result<()>>,
    /// Where a cancellation finds it.
    _place: Place,
}

/// What a session has delivered so far, put together; shared with it.
#[derive(Clone)]
pub struct Replies(Arc<Mutex<Reply>>);

impl Session {
    /// Asks `request` of `client`. Returns at once: everything that can block happens on
    /// a worker thread.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) when there is not enough to copy the
    /// request, or the system gives no thread or file descriptor.
    pub fn open(client: &Client, request: &Request) -> Result<Session> {
        let control = Control {
            queue: Arc::new(Queue::new(client.config().queue_bytes)),
            token: CancelToken::new(client.config().limits),
        };
        let place = interrupter::enter(&control)?;
        let facts = Facts::default();
        let worker = Worker {
            client: client.clone(),
            request: request.copy()?,
            control: control.clone(),
            facts: facts.clone(),
        };
        thread::spawn("tolmach", move || worker.work())?;
        Ok(Session {
            control,
            facts,
            reply: Replies(Arc::new(Mutex::new(Reply::new(client.config().max_reply_bytes)))),
            batch: Batch::default(),
            next: 0,
            over: None,
            _place: place,
        })
    }

    /// The next chunk, waited for up to `timeout`, or for ever without one.
    ///
    /// # Errors
    /// What the answer ended with; repeated by later polls.
    pub fn poll(&mut self, timeout: Option<Duration>) -> Result<Polled<'_>> {
        if self.over.is_none() && self.control.token.is_cancelled() {
            self.batch.clear();
            self.next = 0;
            self.over = Some(Err(queue::cancelled()));
        } else if self.over.is_none() && self.next == self.batch.len() {
            self.batch.clear();
            self.next = 0;
            // A timeout too long for the clock is none.
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            match self.control.queue.take(&mut self.batch, deadline) {
                Taken::Chunks => {}
                Taken::Nothing => return Ok(Polled::Pending),
                Taken::Over(outcome) => self.over = Some(outcome),
            }
        }
        if let Some(outcome) = &self.over {
            return outcome.clone().map(|()| Polled::End);
        }
        self.next += 1;
        let chunk = self.batch.get(self.next - 1);
        let Some(chunk) = chunk else { return Ok(Polled::Pending) };
        self.reply.lock().take(&chunk);
        if chunk.kind == ChunkKind::Start {
            self.facts.answers(chunk.name);
        }
        if self.next == self.batch.len() {
            self.control.queue.settle();
        }
        Ok(Polled::Chunk(chunk))
    }

    /// The handle by which other threads cancel and watch this session.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// What is known of its requests.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What has been delivered so far; stays good after the session.
    pub fn replies(&self) -> &Replies {
        &self.reply
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody is to be called for a session that is no more.
        self.control.on_ready(None);
        drop(self.control.end());
    }
}

impl Replies {
    fn lock(&self) -> MutexGuard<'_, Reply> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The assistant's message so far, as JSON; empty where there is none to send back. Its
    /// field `incomplete` is true where the answer is longer than `max_reply_bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) when there is not enough for it.
    pub fn to_json(&self) -> Result<String> {
        self.lock().to_json()
    }
}

struct Worker {
    client: Client,
    request: Request,
    control: Control,
    facts: Facts,
}

impl Worker {
    fn work(self) {
        let Control { queue, token, .. } = &self.control;
        let worked = panics::caught(|| {
            let (outcome, call) = self.client.run(&self.request, token, &**queue, &self.facts);
            // The program hears of the end first; the connection is put away after it.
            queue.finish(outcome);
            call.linger();
        });
        if worked.is_none() {
            queue.finish(Err(thread::panicked()));
        }
    }
}
