//! [`Agent`]: the one place that knows ureq, which writes requests and keeps the pool. It is
//! given a connector and a transport of our own.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{self, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout};
use ureq::{AsSendBody, BodyReader};

use super::current::{self, Current};
use super::dial::Dialler;
use super::framing::Inbound;
use super::pipe::{BeforeWaiting, SharedPipe, is_closed};
use super::socket::ours;
use crate::cancel_token::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Authority, Headers, HttpRequest, Method, Origin};

/// A pool of connections that are made in one way.
pub(super) struct Agent(ureq::Agent);

impl Agent {
    pub(super) fn new(dialler: Dialler, max_header_bytes: usize) -> Agent {
        // Nothing of ureq's own timing, redirecting, proxying or header making.
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_idle_connections(64)
            .max_idle_connections_per_host(8)
            .max_idle_age(Duration::from_secs(60))
            .build();
        let connector = DiallerOfUreq { dialler, max_header_bytes };
        Agent(ureq::Agent::with_parts(config, connector, NoResolver))
    }

    /// Sends `request` and waits for the head of its answer.
    pub(super) fn ask(
        &self,
        request: &HttpRequest,
        token: &Arc<CancelToken>,
    ) -> Result<(u16, Headers, Incoming)> {
        let mut message = http::Request::builder()
            .method(match request.method {
                Method::Get => http::Method::GET,
                Method::Post => http::Method::POST,
                Method::Put => http::Method::PUT,
                Method::Patch => http::Method::PATCH,
                Method::Delete => http::Method::DELETE,
            })
            .uri(&request.url);
        for (name, value) in request.headers.iter() {
            message = message.header(name, value);
        }
        let message = message.body(()).map_err(|error| {
            let what = format!("the request's URL or headers: {error}");
            request.told(Error::new(ErrorKind::Argument, what))
        })?;
        let host = message.uri().authority().map_or("", |authority| authority.host()).to_owned();
        token.asking(&host);
        let current = Current::enter(token, output_size(request));
        let response = match self.run(message.clone(), request, true) {
            // The server closed a kept connection just as it was taken up again: nothing of
            // the request was answered, so it goes once more over a new one. Whether it was
            // processed is not known, unless nothing was sent or it does not matter.
            Err(error)
                if current.used_kept_connection()
                    && is_lost(&error)
                    && (request.resend
                        || request.method.is_idempotent()
                        || !current.has_sent()) =>
            {
                self.run(message, request, false)
            }
            outcome => outcome,
        };
        let (head, body) =
            response.map_err(|error| request.told(to_error(error, &host)))?.into_parts();
        let (headers, pipe) = current.answer();
        let rest = pipe.map(|pipe| Rest { pipe, reader: body.into_reader() });
        Ok((head.status.as_u16(), headers, Incoming { rest, host }))
    }

    fn run(
        &self,
        message: http::Request<()>,
        request: &HttpRequest,
        take_kept_connection: bool,
    ) -> std::result::Result<http::Response<ureq::Body>, ureq::Error> {
        let agent = &self.0;
        match request.method.has_body() {
            false => agent.run(configured(agent, message, take_kept_connection)),
            true => {
                let message = message.map(|()| &request.body[..]);
                agent.run(configured(agent, message, take_kept_connection))
            }
        }
    }
}

fn configured<S: AsSendBody>(
    agent: &ureq::Agent,
    message: http::Request<S>,
    take_kept_connection: bool,
) -> http::Request<S> {
    if take_kept_connection {
        return message;
    }
    agent.configure_request(message).max_idle_age(Duration::ZERO).build()
}

/// The body of an answer, without its framing.
pub(super) struct Incoming {
    /// What is to come of it.
    rest: Option<Rest>,
    host: String,
}

/// A body that has not been read to its end.
struct Rest {
    pipe: SharedPipe,
    /// ureq's share of the connection. The body that it reads has no content, and ends when the
    /// other one is at its end: then ureq keeps the connection, or closes it. It closes it
    /// where it never gets to that.
    reader: BodyReader<'static>,
}

impl Incoming {
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Reads what the server sent, as it sent it; 0 is its end. `before_waiting` is called
    /// before a read that may have to wait for the server.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] when the connection ends before the body does.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        before_waiting: BeforeWaiting<'_>,
    ) -> Result<usize> {
        let Some(rest) = &mut self.rest else { return Ok(0) };
        let read = rest.pipe.lock().body(buffer, before_waiting);
        let count = read.map_err(|error| {
            ours(&error).unwrap_or_else(|| {
                Error::new(
                    ErrorKind::Truncated,
                    format!("{} closed the connection before the end of its answer", self.host),
                )
            })
        })?;
        if count == 0 {
            // It closes the connection where this fails.
            rest.reader.read_to_end(&mut Vec::new()).ok();
            self.rest = None;
        }
        Ok(count)
    }
}

/// Whether the connection was lost, as a server's closing it loses it.
fn is_lost(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => is_closed(error) || error.kind() == io::ErrorKind::UnexpectedEof,
        _ => false,
    }
}

/// How much of `request` is written at once: all of its head or body where it is short, up to
/// one record of TLS, and at least each line of its head.
fn output_size(request: &HttpRequest) -> usize {
    /// More than what ureq adds beside the host.
    const OWN_LINES: usize = 256;
    const LINE_END: usize = ": \r\n".len();
    // The host of the URL is written once more.
    let mut head = 2 * request.url.len() + OWN_LINES;
    let mut longest_line = request.url.len() + OWN_LINES;
    for (name, value) in request.headers.iter() {
        let line = name.len() + value.len() + LINE_END;
        head += line;
        longest_line = longest_line.max(line);
    }
    head.max(request.body.len()).min(BUFFER_SIZE).max(longest_line)
}

fn to_error(error: ureq::Error, host: &str) -> Error {
    let new = |kind, message: String| Error::new(kind, message);
    match error {
        ureq::Error::Other(other) => match other.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => new(ErrorKind::Internal, format!("talking to {host}: {other}")),
        },
        ureq::Error::Io(error) => {
            if let Some(ours) = ours(&error) {
                return ours;
            }
            match error.kind() {
                io::ErrorKind::UnexpectedEof => new(
                    ErrorKind::Connect,
                    format!("{host} closed the connection without an answer"),
                ),
                _ => new(ErrorKind::Connect, format!("the connection to {host} was lost: {error}")),
            }
        }
        // What ureq says shows the URL, whose query may hold a key.
        ureq::Error::BadUri(_) => new(
            ErrorKind::Argument,
            "the URL is not one that can be asked: it wants http:// or https:// and a host"
                .to_owned(),
        ),
        // Of what the server sends, ureq sees only what is right.
        ureq::Error::Protocol(error) => new(
            ErrorKind::Argument,
            format!("the request's URL or headers cannot be sent to {host}: {error}"),
        ),
        ureq::Error::BodyStalled => new(
            ErrorKind::Protocol,
            format!("{host} does not answer in HTTP: its body makes no sense"),
        ),
        other => new(ErrorKind::Internal, format!("talking to {host}: {other}")),
    }
}

fn other(error: Error) -> ureq::Error {
    ureq::Error::Other(Box::new(error))
}

/// Addresses are found by the dialler, beside connecting.
#[derive(Debug)]
struct NoResolver;

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

/// The [`Dialler`] as ureq sees it.
struct DiallerOfUreq {
    dialler: Dialler,
    max_header_bytes: usize,
}

impl fmt::Debug for DiallerOfUreq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialler")
    }
}

impl Connector<()> for DiallerOfUreq {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> std::result::Result<Option<Connection>, ureq::Error> {
        current::set_dialled();
        self.dial(details.uri, details.needs_tls()).map(Some).map_err(other)
    }
}

impl DiallerOfUreq {
    fn dial(&self, uri: &Uri, https: bool) -> Result<Connection> {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let authority = Authority::of(authority)
            .map_err(|wrong| Error::new(ErrorKind::Argument, format!("the URL {wrong}")))?;
        let origin = Origin::new(https, authority);
        let place = format!("{}:{}", origin.host(), origin.port());
        let inbound = Inbound::new(place, self.max_header_bytes);
        let pipe = SharedPipe::new(self.dialler.dial(&origin)?, inbound);
        Ok(Connection { pipe, buffers: SmallBuffers::default() })
    }
}

/// A connection as ureq sees it: of each answer it reads the head, and nothing of the body.
struct Connection {
    pipe: SharedPipe,
    buffers: SmallBuffers,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl ureq::unversioned::transport::Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(
        &mut self,
        amount: usize,
        _: NextTimeout,
    ) -> std::result::Result<(), ureq::Error> {
        let output = self.buffers.output.get(..amount).unwrap_or_default();
        self.pipe.lock().send(output).map_err(ureq::Error::Io)
    }

    fn await_input(&mut self, _: NextTimeout) -> std::result::Result<bool, ureq::Error> {
        self.buffers.sent();
        self.pipe.lock().sent().map_err(other)?;
        let head = self.pipe.lock().head().map_err(ureq::Error::Io)?;
        let Some(head) = head else { return Ok(false) };
        self.buffers.append(head.for_ureq().as_bytes());
        let body = head.has_body().then(|| self.pipe.clone());
        current::set_answer(head.headers, body);
        Ok(true)
    }

    /// Asked before a connection goes into the pool and when it comes out of it.
    fn is_open(&mut self) -> bool {
        self.pipe.lock().is_reusable()
    }

    fn is_tls(&self) -> bool {
        self.pipe.lock().is_tls()
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

/// The most of a request that is sent at once, but for a long line of its head: one record of
/// TLS.
const BUFFER_SIZE: usize = 16 * 1024;

impl SmallBuffers {
    /// What has been sent is not needed any more, nor the room that ureq had for sending it.
    fn sent(&mut self) {
        self.output = Vec::new();
        self.input.truncate(self.filled);
        self.input.shrink_to_fit();
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
        self.output.resize(current::output_size(), 0);
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
            self.input.resize(self.filled + current::output_size(), 0);
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
        self.output.resize(current::output_size(), 0);
        self.input_append_buf();
        (self.input.get_mut(self.filled..).unwrap_or_default(), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.filled > self.consumed && self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_to_send_is_what_the_request_takes_and_one_record_at_most() {
        let mut request = HttpRequest::get("http://localhost/v1/models", Headers::default());
        assert!(output_size(&request) < 1024, "{}", output_size(&request));
        request.body = vec![b'x'; 5000];
        assert_eq!(output_size(&request), 5000);
        request.body = vec![b'x'; 1_000_000];
        assert_eq!(output_size(&request), BUFFER_SIZE);
        // Each line of the head goes in one piece.
        request.headers.set("X-Long", &"x".repeat(2 * BUFFER_SIZE)).unwrap();
        assert!(output_size(&request) > 2 * BUFFER_SIZE);
    }
}
