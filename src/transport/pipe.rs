//! [`Pipe`]: a connection beneath ureq, and the answers that come over it.
//!
//! ureq sends requests over it, is told how each answer begins, and keeps it between
//! requests. Bodies are read from it directly, into the buffer of whoever reads them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::framing::{Head, Inbound};
use super::line::Link;
use super::socket::ours;
use crate::error::Result;
use crate::times::Stage;

/// What is done before a read that may have to wait for the server.
pub(super) type BeforeWaiting<'a> = &'a mut dyn FnMut() -> Result<()>;

/// A [`Pipe`], of which ureq holds a share. They are of one thread at a time.
#[derive(Clone)]
pub(super) struct SharedPipe(Arc<Mutex<Pipe>>);

impl SharedPipe {
    pub(super) fn new(link: Link, inbound: Inbound) -> SharedPipe {
        SharedPipe(Arc::new(Mutex::new(Pipe { link, inbound, send_failure: None })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Pipe> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Pipe {
    link: Link,
    inbound: Inbound,
    /// The server closed the connection while the request was being sent. It may have
    /// answered before: a big upload that it refuses. This counts if there is no answer.
    send_failure: Option<io::Error>,
}

impl Pipe {
    /// Sends a piece of a request.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.send_failure.is_some() {
            return Ok(());
        }
        self.link.token().map_err(io::Error::other)?.sending();
        self.inbound.expect_head();
        match self.link.send(bytes) {
            Err(error) if is_closed(&error) => {
                self.send_failure = Some(error);
                Ok(())
            }
            sent => sent,
        }
    }

    /// The request has been sent.
    pub(super) fn sent(&mut self) -> Result<()> {
        self.link.token().map(|token| token.times().reach(Stage::Sent))
    }

    /// Reads the head of the answer; `None` when the connection ends before that does.
    pub(super) fn head(&mut self) -> io::Result<Option<Head>> {
        let Pipe { link, inbound, send_failure } = self;
        inbound.head(|space| receive(link, send_failure, space))
    }

    /// Reads some of the body; 0 is its end. What is here already is taken first.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the connection ends before the body does.
    pub(super) fn body(
        &mut self,
        buffer: &mut [u8],
        before_waiting: BeforeWaiting<'_>,
    ) -> io::Result<usize> {
        use io::ErrorKind as Io;
        let Pipe { link, inbound, send_failure } = self;
        inbound.body(buffer, |space| {
            if !link.holds_input() {
                before_waiting().map_err(io::Error::other)?;
            }
            match receive(link, send_failure, space) {
                Err(error)
                    if matches!(
                        error.kind(),
                        Io::UnexpectedEof | Io::ConnectionAborted | Io::ConnectionReset
                    ) =>
                {
                    // It may not be the end that the server meant.
                    link.token().map_err(io::Error::other)?.broken_off();
                    Ok(0)
                }
                received => received,
            }
        })
    }

    /// Whether another request can be sent over it.
    pub(super) fn is_reusable(&mut self) -> bool {
        let is_reusable = self.link.is_reusable();
        is_reusable && self.inbound.is_whole() && self.send_failure.is_none()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.link.is_tls()
    }
}

/// Reads what comes from the server, waiting for at least a byte; 0 is the connection's end.
fn receive(
    link: &mut Link,
    send_failure: &mut Option<io::Error>,
    space: &mut [u8],
) -> io::Result<usize> {
    match (link.receive(space), send_failure.take()) {
        (Ok(count @ 1..), failure) => {
            *send_failure = failure;
            Ok(count)
        }
        (Err(error), _) if ours(&error).is_some() => Err(error),
        (_, Some(failure)) => Err(failure),
        (received, None) => received,
    }
}

/// Whether sending failed as it does where the other side has closed the connection.
pub(super) fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind as Io;
    matches!(error.kind(), Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe)
}
