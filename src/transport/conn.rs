//! One own connector and transport under ureq: sockets that can be cancelled, whose reads
//! end with our deadlines, and that never raise SIGPIPE.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, InvalidMessage};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::dial;
use super::framing::{Inbound, Taken};
use super::headers::Headers;
use super::proxy::Proxies;
use super::reach::Reach;
use super::secure::Secure;
use super::token::Token;
use super::url::{Authority, default_port};
use crate::error::{Error, ErrorKind, Result};

thread_local! {
    /// The call that this thread is about: nothing else gets through ureq to a connector.
    static TOKEN: RefCell<Option<Arc<Token>>> = const { RefCell::new(None) };
    static DIALLED: Cell<bool> = const { Cell::new(false) };
    /// Whether any of the request has left this machine, as far as is known.
    static SENT: Cell<bool> = const { Cell::new(false) };
    /// The longest line of the head of the request.
    static LONGEST_LINE: Cell<usize> = const { Cell::new(0) };
    /// The header lines of the answer.
    static ANSWER: RefCell<Option<Headers>> = const { RefCell::new(None) };
}

/// While it lives, connections that this thread makes or takes up obey one token.
pub(super) struct Current(());

impl Current {
    /// `longest_line` is that of the head of the request which is about to be sent.
    pub(super) fn enter(token: &Arc<Token>, longest_line: usize) -> Current {
        TOKEN.set(Some(Arc::clone(token)));
        DIALLED.set(false);
        SENT.set(false);
        LONGEST_LINE.set(longest_line);
        Current(())
    }

    /// Whether what was sent since went over a connection from the pool.
    pub(super) fn used_kept_connection(&self) -> bool {
        !DIALLED.get()
    }

    /// Whether anything was sent since.
    pub(super) fn has_sent(&self) -> bool {
        SENT.get()
    }

    /// The header lines of the answer whose head has come.
    pub(super) fn answer(&self) -> Headers {
        ANSWER.take().unwrap_or_default()
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        TOKEN.set(None);
        ANSWER.set(None);
    }
}

fn current() -> Result<Arc<Token>> {
    TOKEN
        .with_borrow(Option::clone)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a connection is used outside of a call"))
}

fn other(error: Error) -> ureq::Error {
    ureq::Error::Other(Box::new(error))
}

/// Addresses are found by the dialler, beside connecting.
#[derive(Debug)]
pub(super) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(([0, 0, 0, 0], 0).into());
        Ok(addresses)
    }
}

/// Makes connections: through a proxy or not, with TLS or not.
pub(super) struct Dialler {
    pub(super) proxies: Arc<Proxies>,
    pub(super) reach: Reach,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) max_header_bytes: usize,
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialler")
    }
}

impl Connector<()> for Dialler {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> std::result::Result<Option<Connection>, ureq::Error> {
        DIALLED.set(true);
        self.dial(details.uri, details.needs_tls()).map(Some).map_err(other)
    }
}

impl Dialler {
    fn dial(&self, uri: &Uri, https: bool) -> Result<Connection> {
        let token = current()?;
        token.connecting();
        let place = uri.authority().map_or("", |authority| authority.as_str());
        let place = Authority::parse(place)
            .map_err(|wrong| Error::new(ErrorKind::Argument, format!("the URL {wrong}")))?;
        let host = place.host.as_str();
        let port = place.port.unwrap_or(default_port(https));
        let proxy = self.proxies.find(https, host, port);
        let socket = match proxy {
            Some(proxy) => dial::connect(&proxy.host, proxy.port, Reach::Any, &token)?,
            None => dial::connect(host, port, self.reach, &token)?,
        };
        // Where this fails there is no small-packet delay to be had, and that is all.
        socket.set_nodelay(true).ok();
        let socket = Arc::new(socket);
        token.bind(&socket)?;
        let mut connection = Connection {
            line: Line {
                wire: Wire { socket, token: Some(token), read_limit: None },
                proxy_tls: None,
            },
            tls: None,
            inbound: Inbound::new(format!("{host}:{port}"), self.max_header_bytes),
            buffers: SmallBuffers::default(),
            send_failure: None,
        };
        if let Some(proxy) = proxy {
            let token = current()?;
            if proxy.is_over_tls() {
                connection.line.proxy_tls =
                    Some(self.handshake(&proxy.host, &mut connection.line)?);
            }
            proxy.tunnel(&mut connection.line, host, port, self.reach, &token)?;
        }
        if https {
            current()?.shaking_hands();
            connection.tls = Some(self.handshake(host, &mut connection.line)?);
        }
        // What was sent so far is not of the request.
        SENT.set(false);
        Ok(connection)
    }

    fn handshake(&self, host: &str, line: &mut Line) -> Result<Box<Secure>> {
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let failed = |what: &dyn fmt::Display| {
            Error::new(ErrorKind::Tls, format!("no TLS connection to {host}: {what}"))
        };
        let name = ServerName::try_from(name).map_err(|error| failed(&error))?;
        let mut tls = Secure::new(&self.tls, name).map_err(|error| failed(&error))?;
        while tls.is_handshaking() {
            let step = if tls.wants_write() { tls.write_tls(line) } else { tls.read_tls(line) };
            match step {
                Ok(0) if !tls.wants_write() => {
                    return Err(failed(&"the server closed the connection during the handshake"));
                }
                Ok(_) => {}
                Err(error) => match ours(&error) {
                    Some(ours) => return Err(ours),
                    None => return Err(failed(&error)),
                },
            }
            if let Err(error) = tls.process_new_packets() {
                // The server is told why; whether it hears it does not matter.
                tls.write_tls(line).ok();
                return Err(match &error {
                    rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                        failed(&"it does not answer in TLS (is the URL to begin with http://?)")
                    }
                    rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
                        failed(
                            &"it speaks only other protocols there, such as HTTP/2; this \
                              library speaks HTTP/1.1",
                        )
                    }
                    error => failed(error),
                });
            }
        }
        Ok(Box::new(tls))
    }
}

/// An error of this library that travelled as an I/O error.
fn ours(error: &io::Error) -> Option<Error> {
    error.get_ref()?.downcast_ref::<Error>().cloned()
}

/// What a connection's bytes go over: a socket, or TLS to a proxy over it.
struct Line {
    wire: Wire,
    proxy_tls: Option<Box<Secure>>,
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.proxy_tls {
            Some(tls) => tls.read(&mut self.wire, buffer),
            None => self.wire.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.proxy_tls {
            Some(tls) => tls.write_all(&mut self.wire, bytes).map(|()| bytes.len()),
            None => self.wire.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket, read and written within the deadlines of the token that it is bound to.
///
/// It has no `write_vectored`: that is `writev`, which raises SIGPIPE in the host's
/// process where `write` does not (http.md 2.5).
struct Wire {
    socket: Arc<TcpStream>,
    token: Option<Arc<Token>>,
    /// What the socket was last told about how long a read may take.
    read_limit: Option<Duration>,
}

impl Wire {
    /// The token of the call at hand; binds a connection that comes from the pool.
    fn token(&mut self) -> Result<Arc<Token>> {
        if let Some(token) = &self.token {
            return Ok(Arc::clone(token));
        }
        let token = current()?;
        token.bind(&self.socket)?;
        self.token = Some(Arc::clone(&token));
        Ok(token)
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
            self.socket.set_read_timeout(left.map(at_least_a_moment))?;
            self.read_limit = left;
        }
        Ok(())
    }
}

impl Drop for Wire {
    /// The token would keep the socket open for as long as the call is held.
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.unbind(&self.socket);
        }
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

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let token = self.token().map_err(io::Error::other)?;
        loop {
            let left = token.left().map_err(io::Error::other)?;
            self.limit_read(left)?;
            match (&*self.socket).read(buffer) {
                Ok(count @ 1..) => return Ok(count),
                Err(error)
                    if is_out_of_time(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                // An end or a failure that the cancellation made is the cancellation.
                ended => return token.left().map_err(io::Error::other).and(ended),
            }
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let token = self.token().map_err(io::Error::other)?;
        loop {
            let left = token.left().map_err(io::Error::other)?;
            self.socket.set_write_timeout(left.map(at_least_a_moment))?;
            match (&*self.socket).write(bytes) {
                Ok(count) => {
                    SENT.set(true);
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

/// A connection as ureq sees it.
pub(super) struct Connection {
    line: Line,
    tls: Option<Box<Secure>>,
    inbound: Inbound,
    buffers: SmallBuffers,
    /// The server closed the connection while the request was being sent. It may have
    /// answered before: a big upload that it refuses. This counts if there is no answer.
    send_failure: Option<io::Error>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    fn send(&mut self, amount: usize) -> io::Result<()> {
        let bytes = self.buffers.output.get(..amount).unwrap_or_default();
        match &mut self.tls {
            Some(tls) => tls.write_all(&mut self.line, bytes),
            None => self.line.write_all(bytes),
        }
    }

    fn receive(&mut self) -> io::Result<usize> {
        let space = self.buffers.space();
        let Some(tls) = &mut self.tls else { return self.line.read(space) };
        match tls.read(&mut self.line, space) {
            // Many servers end without saying so to TLS: whether the answer is whole is
            // for its protocol to tell, where it can.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.line.wire.token().map_err(io::Error::other)?.broken_off();
                Ok(0)
            }
            read => read,
        }
    }

    /// Takes up what was received, and says whether there is something for ureq in it.
    fn take_up(&mut self, count: usize) -> Result<bool> {
        match self.inbound.take(self.buffers.received(count))? {
            Taken::Here(kept) => {
                self.buffers.input_appended(kept);
                Ok(kept > 0)
            }
            Taken::Head(headers, bytes) => {
                ANSWER.set(Some(headers));
                self.buffers.append(&bytes);
                Ok(true)
            }
        }
    }
}

/// Whether sending failed as it does where the other side has closed the connection.
pub(super) fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind as Io;
    matches!(error.kind(), Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe)
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(
        &mut self,
        amount: usize,
        _: NextTimeout,
    ) -> std::result::Result<(), ureq::Error> {
        if self.send_failure.is_some() {
            return Ok(());
        }
        self.line.wire.token().map_err(other)?.sending();
        self.inbound.expect_head();
        match self.send(amount) {
            Err(error) if is_closed(&error) => {
                self.send_failure = Some(error);
                Ok(())
            }
            sent => sent.map_err(ureq::Error::from),
        }
    }

    fn await_input(&mut self, _: NextTimeout) -> std::result::Result<bool, ureq::Error> {
        loop {
            self.inbound.check().map_err(other)?;
            match (self.receive(), self.send_failure.take()) {
                (Ok(count @ 1..), failure) => {
                    self.send_failure = failure;
                    if self.take_up(count).map_err(other)? {
                        return Ok(true);
                    }
                }
                (Err(error), _) if ours(&error).is_some() => return Err(error.into()),
                (_, Some(failure)) => return Err(failure.into()),
                (Ok(_), None) => return self.inbound.ended().map(|()| false).map_err(other),
                (Err(error), None) => return Err(error.into()),
            }
        }
    }

    /// Asked before a connection goes into the pool and when it comes out of it.
    fn is_open(&mut self) -> bool {
        // First of all: a late cancellation of the last call must not hit the next one.
        if let Some(token) = self.line.wire.token.take() {
            token.unbind(&self.line.wire.socket);
        }
        let quiet = || {
            self.line.wire.socket.set_nonblocking(true)?;
            let peeked = self.line.wire.socket.peek(&mut [0]);
            self.line.wire.socket.set_nonblocking(false)?;
            // An end, or bytes that nobody asked for, make it useless.
            Ok::<bool, io::Error>(
                peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            )
        };
        let nothing_held = [&mut self.line.proxy_tls, &mut self.tls]
            .into_iter()
            .flatten()
            .all(|tls| tls.holds_nothing());
        self.send_failure.is_none() && nothing_held && quiet().unwrap_or(false)
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

/// Buffers that are there while they are needed.
#[derive(Default)]
struct SmallBuffers {
    input: Vec<u8>,
    filled: usize,
    consumed: usize,
    output: Vec<u8>,
    progress: bool,
}

/// One record of TLS.
const BUFFER_SIZE: usize = 16 * 1024;

impl SmallBuffers {
    /// Room for input. What has been sent makes room for it.
    fn space(&mut self) -> &mut [u8] {
        self.output = Vec::new();
        self.input_append_buf()
    }

    /// What was just read into the space.
    fn received(&mut self, count: usize) -> &mut [u8] {
        self.input.get_mut(self.filled..self.filled + count).unwrap_or_default()
    }

    /// Adds input that was read elsewhere.
    fn append(&mut self, bytes: &[u8]) {
        let size = (self.filled + bytes.len()).max(self.input.len());
        self.input.resize(size, 0);
        let space = self.input.get_mut(self.filled..).unwrap_or_default();
        space.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.input_appended(bytes.len());
    }
}

impl Buffers for SmallBuffers {
    /// A line of the request's head has to fit.
    fn output(&mut self) -> &mut [u8] {
        self.output.resize(BUFFER_SIZE.max(LONGEST_LINE.get()), 0);
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.consumed..self.filled).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.consumed > 0 {
            self.input.copy_within(self.consumed..self.filled, 0);
            self.filled -= self.consumed;
            self.consumed = 0;
        }
        if self.filled == self.input.len() {
            self.input.resize(self.filled + BUFFER_SIZE, 0);
        }
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = (self.filled + amount).min(self.input.len());
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed = (self.consumed + amount).min(self.filled);
        if self.consumed == self.filled {
            self.consumed = 0;
            self.filled = 0;
        }
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output.resize(BUFFER_SIZE, 0);
        self.input_append_buf();
        (self.input.get_mut(self.filled..).unwrap_or_default(), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.filled > self.consumed && self.progress
    }
}
