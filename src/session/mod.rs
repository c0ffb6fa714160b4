//! [`Session`]: one answer on its way, and the worker thread behind it.

mod bell;
mod control;
mod current;
mod descriptor;
mod interrupter;
mod list;
#[cfg(all(test, loom))]
mod models;
mod queue;
mod readiness;
mod reply;
mod waiter;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::attempt::Facts;
use crate::cancel_token::{CancelToken, cancelled};
use crate::chunk::{Batch, Chunk, Plain};
use crate::client::{Call, Client};
use crate::config::Config;
use crate::error::Result;
use crate::host;
use crate::panics;
use crate::raw::Raw;
use crate::request::Request;
use crate::thread;
pub use control::Control;
use current::Current;
pub use current::Replies;
use interrupter::Place;
pub(crate) use interrupter::end_interrupter;
use queue::{Queue, Taken};
pub use readiness::Ready;
pub(crate) use reply::WholeCall;

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

/// What a poll found, without the chunk.
pub(crate) enum Step {
    Chunk,
    Pending,
    End,
}

/// One answer on its way. Dropping it cancels what is left of it, without waiting.
pub struct Session {
    control: Control,
    facts: Facts,
    current: Current,
    /// How the answer ended, once the program knows.
    over: Option<Result<()>>,
    /// Where a cancellation finds it.
    place: Place,
}

impl Session {
    /// Asks `request` of `client`. Returns at once: everything that can block happens on
    /// a worker thread.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) when there is not enough to copy the
    /// request, or the system gives no thread or file descriptor.
    pub fn open(client: &Client, request: &Request) -> Result<Session> {
        let own = client.config_for(request)?;
        let token = CancelToken::new(own.as_ref().unwrap_or(client.config()).limits);
        Session::begin(client, Call::Request(request.copy()?), own, token)
    }

    /// Lists the models there are, in the provider's order: chunks of kind
    /// [`ChunkKind::Model`](crate::ChunkKind::Model). Returns at once, as [`Session::open`] does.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) when the system gives no thread or
    /// file descriptor.
    pub fn open_models(client: &Client) -> Result<Session> {
        let token = CancelToken::new(client.config().limits);
        Session::begin(client, Call::Models, None, token)
    }

    /// Makes an HTTP request of the program's own to `path` below the config's base URL, with the
    /// client's credentials. The body of the response comes in chunks of kind
    /// [`ChunkKind::Body`](crate::ChunkKind::Body); a status other than 2xx is an error. Returns
    /// at once, as [`Session::open`] does. Without a `content_type`, `body` is JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument) when `method` is not GET, POST, PUT,
    /// PATCH or DELETE, has a body that it should not have, or `path` is not a path below the
    /// base URL; [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) as for [`Session::open`].
    pub fn open_raw(
        client: &Client,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Session> {
        let raw = Raw::new(client.config(), method, path, content_type, body)?;
        let token = CancelToken::new(client.config().limits);
        Session::begin(client, Call::Raw(raw), None, token)
    }

    /// Starts a worker that does `call`, by the config `own` where there is one.
    fn begin(
        client: &Client,
        call: Call,
        own: Option<Config>,
        token: Arc<CancelToken>,
    ) -> Result<Session> {
        let config = own.as_ref().unwrap_or(client.config());
        let control = Control { queue: Arc::new(Queue::new(config.queue_bytes)), token };
        let place = interrupter::enter(client.number(), &control)?;
        let id = place.number();
        let current = Current::new(id, config.max_reply_bytes);
        let facts = Facts::new(config.provider, &control.token);
        // In a box, the worker has no copy of it on its stack.
        let worker = Box::new(Worker {
            client: client.clone(),
            call,
            config: own,
            control: control.clone(),
            facts: facts.clone(),
        });
        host::for_session(id, || thread::spawn("tolmach", move || worker.work()))?;
        Ok(Session { control, facts, current, over: None, place })
    }

    /// The next chunk, waited for up to `timeout`, or for ever without one.
    ///
    /// # Errors
    /// What the answer ended with; repeated by later polls.
    pub fn poll(&mut self, timeout: Option<Duration>) -> Result<Polled<'_>> {
        Ok(match self.advance(timeout, 1)? {
            Step::Chunk => self.chunk().map_or(Polled::Pending, Polled::Chunk),
            Step::Pending => Polled::Pending,
            Step::End => Polled::End,
        })
    }

    /// As [`Session::poll`], for up to `limit` chunks at once of those that are there. They
    /// are [`Session::chunks`] then, and the last is [`Session::chunk`].
    #[inline]
    pub(crate) fn advance(&mut self, timeout: Option<Duration>, limit: usize) -> Result<Step> {
        if self.current.is_done() || self.control.token.is_cancelled() {
            match self.refill(timeout)? {
                Step::Chunk => {}
                other => return Ok(other),
            }
        }
        self.current.advance(limit);
        if self.current.is_done() {
            self.control.queue.settle();
        }
        if let Some(index) = self.current.start() {
            self.start(index);
        }
        Ok(Step::Chunk)
    }

    /// The chunk at `index` is the answer's start: it names the model.
    #[cold]
    #[inline(never)]
    fn start(&self, index: usize) {
        if let Some(start) = self.current.chunks().0.get(index) {
            self.facts.answers(start.name);
        }
    }

    /// The chunk that was polled last.
    pub(crate) fn chunk(&self) -> Option<Chunk<'_>> {
        self.current.chunk()
    }

    /// The chunks of the last poll: their batch, and which of it they are.
    pub(crate) fn chunks(&self) -> (&Batch, Range<usize>) {
        self.current.chunks()
    }

    /// The last chunk, where it is a plain one.
    #[inline]
    pub(crate) fn plain(&self) -> Option<Plain<'_>> {
        self.current.plain()
    }

    /// Takes more chunks from the queue.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, timeout: Option<Duration>) -> Result<Step> {
        if self.over.is_none() {
            let taken = match self.control.token.is_cancelled() {
                true => Taken::Over(Err(cancelled())),
                false => {
                    // A timeout too long for the clock is none.
                    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
                    self.current.exchange(|batch| self.control.queue.take(batch, deadline))?
                }
            };
            match taken {
                Taken::Chunks => return Ok(Step::Chunk),
                Taken::Nothing => return Ok(Step::Pending),
                Taken::Over(outcome) => {
                    self.current.release();
                    self.over = Some(outcome);
                }
            }
        }
        self.over.clone().unwrap_or(Ok(())).map(|()| Step::End)
    }

    /// Cancels every session that was opened with `client` or a clone of it, as
    /// [`Control::cancel`] does. Later ones are not affected.
    pub fn cancel_all(client: &Client) {
        interrupter::cancel_all(client.number());
    }

    /// The number of this session, unique in the process: they count from 1. Its log lines
    /// carry it.
    pub fn id(&self) -> u64 {
        self.place.number()
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
        self.current.replies()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody is to be called for a session that is no more.
        self.control.on_ready(None);
        drop(self.control.end());
    }
}

struct Worker {
    client: Client,
    call: Call,
    /// Where it differs from that of the client.
    config: Option<Config>,
    control: Control,
    facts: Facts,
}

impl Worker {
    fn work(&self) {
        let Control { queue, token, .. } = &self.control;
        let worked = panics::caught(|| {
            let config = self.config.as_ref().unwrap_or(self.client.config());
            let (outcome, attempt) =
                self.client.run(&self.call, config, token, &**queue, &self.facts);
            // The program hears of the end first; the connection is put away after it.
            self.facts.ended();
            queue.finish(outcome);
            attempt.linger();
        });
        if worked.is_none() {
            self.facts.ended();
            queue.finish(Err(thread::panicked()));
        }
    }
}
