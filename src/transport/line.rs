//! [`Link`]: the bytes of a connection, whatever they go over.

use std::io::{self, Read, Write};
use std::sync::Arc;

use super::secure::Secure;
use super::socket::Socket;
use crate::cancel_token::CancelToken;
use crate::error::Result;

/// What a connection's bytes go over: a socket, or TLS to a proxy over it.
pub(super) struct Line {
    pub(super) socket: Socket,
    pub(super) proxy_tls: Option<Box<Secure>>,
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.proxy_tls {
            Some(tls) => tls.read(&mut self.socket, buffer),
            None => self.socket.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.proxy_tls {
            Some(tls) => tls.write_all(&mut self.socket, bytes).map(|()| bytes.len()),
            None => self.socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection to a server: a line, and TLS over it where the URL says so.
pub(super) struct Link {
    pub(super) line: Line,
    pub(super) tls: Option<Box<Secure>>,
}

impl Link {
    /// The token of the call at hand.
    pub(super) fn token(&mut self) -> Result<Arc<CancelToken>> {
        self.line.socket.token()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.write_all(&mut self.line, bytes),
            None => self.line.write_all(bytes),
        }
    }

    pub(super) fn receive(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.line.read(space) };
        match tls.read(&mut self.line, space) {
            // Many servers end without saying so to TLS: whether the answer is whole is
            // for its protocol to tell, where it can.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.token().map_err(io::Error::other)?.broken_off();
                Ok(0)
            }
            read => read,
        }
    }

    /// Whether [`Link::receive`] gives something without asking the socket.
    pub(super) fn holds_input(&mut self) -> bool {
        let outermost = self.tls.as_mut().or(self.line.proxy_tls.as_mut());
        outermost.is_some_and(|tls| tls.holds_input())
    }

    /// Whether another request can be sent over it. It no longer belongs to the last call.
    pub(super) fn is_reusable(&mut self) -> bool {
        // First of all: a late cancellation of the last call must not hit the next one.
        self.line.socket.release();
        let nothing_held = [&mut self.line.proxy_tls, &mut self.tls]
            .into_iter()
            .flatten()
            .all(|tls| tls.holds_nothing());
        nothing_held && self.line.socket.is_quiet()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}
