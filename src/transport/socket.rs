//! Sockets that can be cancelled, whose reads end with our deadlines, and that never raise
//! SIGPIPE.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::current;
use crate::cancel_token::CancelToken;
use crate::error::{Error, Result};

/// A socket, read and written within the deadlines of the token that it is bound to.
///
/// It has no `write_vectored`: that is `writev`, which raises SIGPIPE in the host's
/// process where `write` does not.
pub(super) struct Socket {
    stream: Arc<TcpStream>,
    token: Option<Arc<CancelToken>>,
    /// What the socket was last told about how long a read may take.
    read_limit: Option<Duration>,
}

impl Socket {
    /// Lets `token` interrupt `stream`.
    pub(super) fn bound(stream: TcpStream, token: Arc<CancelToken>) -> Result<Socket> {
        let stream = Arc::new(stream);
        token.bind(&stream)?;
        Ok(Socket { stream, token: Some(token), read_limit: None })
    }

    /// The token of the call at hand; binds a connection that comes from the pool.
    pub(super) fn token(&mut self) -> Result<Arc<CancelToken>> {
        if let Some(token) = &self.token {
            return Ok(Arc::clone(token));
        }
        let token = current::token()?;
        token.bind(&self.stream)?;
        self.token = Some(Arc::clone(&token));
        Ok(token)
    }

    /// Unbinds it from the call that is over.
    pub(super) fn release(&mut self) {
        if let Some(token) = self.token.take() {
            token.unbind(&self.stream);
        }
    }

    /// Whether it is open, with nothing to be read: an end, or bytes that nobody asked for,
    /// make it useless.
    pub(super) fn is_quiet(&self) -> bool {
        let peek = || {
            self.stream.set_nonblocking(true)?;
            let peeked = self.stream.peek(&mut [0]);
            self.stream.set_nonblocking(false)?;
            Ok::<bool, io::Error>(
                peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            )
        };
        peek().unwrap_or(false)
    }

    /// Lets a read end about when `left` is over. The system is told only when that
    /// changes by much: a read that ends too early is just done again, and a tenth too
    /// late is in time.
    fn limit_read(&mut self, left: Option<Duration>) -> io::Result<()> {
        let fits = match (left, self.read_limit) {
            (None, None) => true,
            (Some(left), Some(limit)) => limit <= left + left / 10 && limit >= left / 2,
            _ => false,
        };
        if !fits {
            self.stream.set_read_timeout(left.map(at_least_a_moment))?;
            self.read_limit = left;
        }
        Ok(())
    }
}

impl Drop for Socket {
    /// The token would keep the socket open for as long as the call is held.
    fn drop(&mut self) {
        self.release();
    }
}

/// Zero would mean for ever.
fn at_least_a_moment(time: Duration) -> Duration {
    time.max(Duration::from_millis(1))
}

/// Whether the time that the socket was given is over. (`TimedOut` is that on Windows
/// alone; elsewhere it is a connection that has died.)
fn is_out_of_time(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::WouldBlock => true,
        io::ErrorKind::TimedOut => cfg!(windows),
        _ => false,
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let token = self.token().map_err(io::Error::other)?;
        loop {
            let left = token.left().map_err(io::Error::other)?;
            self.limit_read(left)?;
            match (&*self.stream).read(buffer) {
                Ok(count @ 1..) => return Ok(count),
                Err(error)
                    if is_out_of_time(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                // An end or a failure that the cancellation made is the cancellation.
                ended => return token.left().map_err(io::Error::other).and(ended),
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let token = self.token().map_err(io::Error::other)?;
        loop {
            let left = token.left().map_err(io::Error::other)?;
            self.stream.set_write_timeout(left.map(at_least_a_moment))?;
            match (&*self.stream).write(bytes) {
                Ok(count) => {
                    current::set_sent(true);
                    return Ok(count);
                }
                Err(error)
                    if is_out_of_time(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                failed => return token.left().map_err(io::Error::other).and(failed),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An error of this library that travelled as an I/O error.
pub(super) fn ours(error: &io::Error) -> Option<Error> {
    error.get_ref()?.downcast_ref::<Error>().cloned()
}
