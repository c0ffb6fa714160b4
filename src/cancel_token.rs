//! [`CancelToken`]: the cancellation and the deadlines of one call.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};

use crate::config::Limits;
use crate::error::{Error, ErrorKind, Result};
use crate::times::Times;

/// How long a spent connection may take to come to its end: a new one costs about as much.
const LINGER: Duration = Duration::from_millis(150);

/// What a call is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connect,
    /// The end of connecting.
    Handshake,
    FirstByte,
    Idle,
    Linger,
    /// For something that is no server's: the total deadline alone counts.
    Wait,
}

/// Shared between the worker of a call and whoever may cancel it.
pub(crate) struct CancelToken {
    limits: Limits,
    /// What the program calls the total limit.
    total_key: &'static str,
    started: Instant,
    times: Arc<Times>,
    cancelled: AtomicBool,
    state: Mutex<State>,
    /// Closed by the cancellation: what a wait that is no socket's waits on.
    woken: Receiver<()>,
}

struct State {
    phase: Phase,
    since: Instant,
    host: String,
    /// The socket to shut.
    socket: Option<Arc<TcpStream>>,
    /// The other end of `woken`.
    alive: Option<Sender<()>>,
    /// The answer is complete: cancelling is too late to harm its connection.
    detached: bool,
    /// The connection ended as an attacker could have made it end.
    broken_off: bool,
}

impl CancelToken {
    /// The total deadline counts from here.
    pub(crate) fn new(limits: Limits) -> Arc<CancelToken> {
        CancelToken::limited(limits, "total_timeout_ms")
    }

    /// As [`CancelToken::new`], where the total limit is not the config's; errors call it `total_key`.
    pub(crate) fn limited(limits: Limits, total_key: &'static str) -> Arc<CancelToken> {
        let (alive, woken) = bounded(0);
        let started = Instant::now();
        Arc::new(CancelToken {
            limits,
            total_key,
            started,
            times: Arc::new(Times::new(started)),
            cancelled: AtomicBool::new(false),
            state: Mutex::new(State {
                phase: Phase::Connect,
                since: started,
                host: String::new(),
                socket: None,
                alive: Some(alive),
                detached: false,
                broken_off: false,
            }),
            woken,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the call reached what.
    pub(crate) fn times(&self) -> &Arc<Times> {
        &self.times
    }

    /// Ends the call, whatever it is waiting for. Sticky; from any thread.
    pub(crate) fn cancel(&self) {
        let mut state = self.lock();
        self.cancelled.store(true, Ordering::Release);
        state.alive = None;
        if let Some(socket) = state.socket.take() {
            interrupt(&socket);
        }
    }

    /// Marks the call as cancelled, for a [`CancelToken::cancel`] to come. Takes no lock.
    pub(crate) fn set_cancelled(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// A new request goes to `host`.
    pub(crate) fn asking(&self, host: &str) {
        let mut state = self.lock();
        host.clone_into(&mut state.host);
        state.detached = false;
        state.broken_off = false;
    }

    /// A connection is being made.
    pub(crate) fn connecting(&self) {
        self.enter(Phase::Connect);
    }

    /// The connection is there, and TLS is being agreed on: still a part of connecting.
    pub(crate) fn shaking_hands(&self) {
        self.lock().phase = Phase::Handshake;
    }

    /// A piece of the request is being sent.
    pub(crate) fn sending(&self) {
        self.enter(Phase::FirstByte);
    }

    /// Something of the answer arrived that means something: the idle limit counts anew.
    pub(crate) fn progress(&self) {
        self.enter(Phase::Idle);
    }

    /// The answer is complete: from now on cancelling leaves its connection alone.
    pub(crate) fn detach(&self) {
        let mut state = self.lock();
        state.detached = true;
        state.socket = None;
    }

    /// The answer ended without the end of its TLS or its compression.
    pub(crate) fn broken_off(&self) {
        self.lock().broken_off = true;
    }

    /// Whether the end of the body, if nothing in it tells its end, is to be believed.
    pub(crate) fn is_whole(&self) -> bool {
        !self.lock().broken_off
    }

    /// The rest of a complete answer is being read.
    pub(crate) fn linger(&self) {
        self.detach();
        self.enter(Phase::Linger);
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = phase;
        state.since = Instant::now();
    }

    /// What the call still has, until its next deadline; `None` is no limit.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`], or [`ErrorKind::Timeout`] when a deadline has passed.
    pub(crate) fn left(&self) -> Result<Option<Duration>> {
        let state = self.lock();
        if self.is_cancelled() && !state.detached {
            return Err(cancelled());
        }
        let now = Instant::now();
        let (limit, key) = match state.phase {
            Phase::Connect | Phase::Handshake => (self.limits.connect, "connect_timeout_ms"),
            Phase::FirstByte => (self.limits.first_byte, "first_byte_timeout_ms"),
            Phase::Idle => (self.limits.idle, "idle_timeout_ms"),
            Phase::Linger => (Some(LINGER), "linger"),
            Phase::Wait => (None, ""),
        };
        let until =
            |since: Instant, limit: Duration| limit.saturating_sub(now.duration_since(since));
        let phase = limit.map(|limit| (until(state.since, limit), limit, key));
        let total = self.limits.total.map(|t| (until(self.started, t), t, self.total_key));
        let Some((left, limit, key)) =
            phase.into_iter().chain(total).min_by_key(|(left, ..)| *left)
        else {
            return Ok(None);
        };
        if left.is_zero() {
            return Err(overdue(&state, limit, key));
        }
        Ok(Some(left))
    }

    /// Lets a cancellation shut `socket`, until another is bound or none.
    pub(crate) fn bind(&self, socket: &Arc<TcpStream>) -> Result<()> {
        let mut state = self.lock();
        if self.is_cancelled() {
            return Err(cancelled());
        }
        state.socket = Some(Arc::clone(socket));
        Ok(())
    }

    /// Takes back `socket`; another one that was bound since stays.
    pub(crate) fn unbind(&self, socket: &Arc<TcpStream>) {
        let mut state = self.lock();
        if state.socket.as_ref().is_some_and(|bound| Arc::ptr_eq(bound, socket)) {
            state.socket = None;
        }
    }

    /// Closed once the call is cancelled.
    pub(crate) fn woken(&self) -> &Receiver<()> {
        &self.woken
    }

    /// Waits until `done` is closed.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`], or [`ErrorKind::Timeout`] when the total deadline passes.
    pub(crate) fn wait_for(&self, done: &Receiver<()>) -> Result<()> {
        // Only an answer that is complete is not to be harmed by a cancellation: this is none.
        self.lock().detached = false;
        self.enter(Phase::Wait);
        self.wait(done)
    }

    /// Waits until `done` is closed or says something, as long as this call has.
    pub(crate) fn wait<T>(&self, done: &Receiver<T>) -> Result<()> {
        loop {
            let deadline = self.left()?.map_or_else(never, after);
            select! {
                recv(done) -> _ => return Ok(()),
                // The next turn says which of the two it was.
                recv(self.woken) -> _ => {}
                recv(deadline) -> _ => {}
            }
        }
    }

    /// Whether the call may wait for `delay`.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when the total deadline would pass meanwhile.
    pub(crate) fn check_lasts(&self, delay: Duration) -> Result<()> {
        match self.limits.total {
            Some(total) if self.started.elapsed() + delay >= total => {
                Err(overdue(&self.lock(), total, self.total_key))
            }
            _ => Ok(()),
        }
    }

    /// Waits for `delay`.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] as soon as the call is; [`ErrorKind::Timeout`] at once when
    /// the total deadline would pass meanwhile.
    pub(crate) fn sleep(&self, delay: Duration) -> Result<()> {
        self.check_lasts(delay)?;
        match self.woken.recv_timeout(delay) {
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Ok(()),
            _ => Err(cancelled()),
        }
    }
}

/// What a cancelled session ends with.
pub(crate) fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the session was cancelled")
}

fn overdue(state: &State, limit: Duration, key: &str) -> Error {
    let host = &state.host;
    let time = if limit.subsec_millis() == 0 {
        format!("{} s", limit.as_secs())
    } else {
        format!("{} ms", limit.as_millis())
    };
    let what = match key {
        "total_timeout_ms" | "timeout_ms" => {
            format!("the answer of {host} was not complete within {time}")
        }
        "connect_timeout_ms" if state.phase == Phase::Handshake => {
            format!("no TLS handshake with {host} within {time} (does it speak TLS there?)")
        }
        "connect_timeout_ms" => format!("no connection to {host} within {time}"),
        "first_byte_timeout_ms" => format!("no answer from {host} within {time}"),
        _ => format!("the answer of {host} stopped for {time}"),
    };
    Error::new(ErrorKind::Timeout, format!("{what} ({key})"))
}

/// Makes every call on `socket` end, also one that is blocked in it.
fn interrupt(socket: &TcpStream) {
    // It fails when the other side was faster, which is as good.
    socket.shutdown(Shutdown::Both).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_after_a_complete_answer_is_cancelled() {
        let token =
            CancelToken::new(Limits { connect: None, first_byte: None, idle: None, total: None });
        // An answer before the wait was complete.
        token.detach();
        token.cancel();
        let (_fetching, done) = bounded(0);
        let (told, waited) = bounded(1);
        std::thread::spawn(move || told.send(token.wait_for(&done)).ok());
        assert!(waited.recv_timeout(Duration::from_secs(5)).unwrap().is_err());
    }
}
