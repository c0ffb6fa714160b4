//! The one place that knows ureq: HTTP/1.1 over sockets that can be cancelled.
//!
//! A provider describes an [`HttpRequest`]; [`Transport::send`] returns when the head of
//! the response is here; [`Body::read`] gives the body as it arrives. All of it runs on
//! the calling thread and obeys its [`Token`]: four deadlines and a cancellation. ureq
//! frames requests and bodies and keeps the pool; connecting, proxies, TLS, the socket and
//! the heads of responses are our own ([`conn`], [`dial`], [`proxy`], [`tls`], [`framing`]).

mod conn;
mod dial;
mod framing;
mod gzip;
mod headers;
mod proxy;
mod reach;
mod secure;
mod tape;
mod tls;
mod token;
mod url;

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use ureq::config::Config;
use ureq::http;
use ureq::{Agent, AsSendBody, BodyReader};

use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::secret::Secret;
use conn::{Current, Dialler, NoResolver};
use gzip::Gunzip;
pub(crate) use headers::Headers;
use proxy::Proxies;
pub(crate) use proxy::ProxyChoice;
use reach::Reach;
pub(crate) use tape::TapeChoice;
use tape::{Playback, Tape, Track};
pub(crate) use tls::{Roots, TlsOptions};
pub(crate) use token::{Limits, Token};
pub(crate) use url::{Url, cut_query, join};

/// How much of a spent body is read so that its connection can be used again (pitfall 12).
const MAX_LEFTOVER: usize = 64 * 1024;

/// How to reach servers: fixed for the life of a [`Transport`].
pub(crate) struct Options {
    pub(crate) proxy: ProxyChoice,
    pub(crate) tls: TlsOptions,
    pub(crate) max_header_bytes: usize,
    /// A request that may have reached the server can be sent again.
    pub(crate) resend: bool,
    pub(crate) tape: TapeChoice,
    /// Foreign requests may go to addresses that are not public.
    pub(crate) foreign_private: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

pub(crate) struct HttpRequest {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    /// It asks for a credential: the answer is one.
    pub(crate) is_credential: bool,
    /// Its URL is not the config's: somebody else names it. It goes over connections of its
    /// own, on which this client shows no certificate, to public addresses alone.
    pub(crate) is_foreign: bool,
    /// The server that named its URL, where one did.
    pub(crate) named_by: Option<String>,
}

impl HttpRequest {
    pub(crate) fn get(url: &str, headers: Headers) -> HttpRequest {
        HttpRequest { method: Method::Get, ..HttpRequest::post(url, headers, Vec::new()) }
    }

    /// The type of `body` is among the headers.
    pub(crate) fn post(url: &str, headers: Headers, body: Vec<u8>) -> HttpRequest {
        let url = url.to_owned();
        HttpRequest {
            method: Method::Post,
            url,
            headers,
            body,
            is_credential: false,
            is_foreign: false,
            named_by: None,
        }
    }

    pub(crate) fn post_json(
        url: &str,
        headers: Headers,
        body: &impl Serialize,
    ) -> Result<HttpRequest> {
        Ok(HttpRequest::post(url, headers, memory::json(body)?.into_bytes()))
    }

    /// The `error` of this request: a wrong URL is the mistake of the server that named it.
    fn told(&self, error: Error) -> Error {
        match &self.named_by {
            Some(server) if error.kind() == ErrorKind::Argument => Error::new(
                ErrorKind::Protocol,
                format!("{server} answered with a URL that cannot be fetched: {error}"),
            ),
            _ => error,
        }
    }
}

pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Body,
}

/// A pool of connections of one TLS and proxy setting.
pub(crate) struct Transport {
    agent: Agent,
    /// For foreign requests.
    foreign: Agent,
    resend: bool,
    tape: Tape,
    /// Of the proxies.
    secrets: Vec<Secret>,
}

impl Transport {
    /// # Errors
    /// [`ErrorKind::Argument`] when a proxy or a certificate cannot be read.
    pub(crate) fn new(options: Options) -> Result<Transport> {
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
        let proxies = Arc::new(Proxies::new(options.proxy)?);
        let secrets = proxies.secrets();
        let tls = tls::configs(&options.tls)?;
        let agent = |tls, reach| {
            let max_header_bytes = options.max_header_bytes;
            let dialler = Dialler { proxies: Arc::clone(&proxies), reach, tls, max_header_bytes };
            Agent::with_parts(config.clone(), dialler, NoResolver)
        };
        let foreign = if options.foreign_private { Reach::Any } else { Reach::Public };
        Ok(Transport {
            agent: agent(tls.own, Reach::Any),
            foreign: agent(tls.anonymous, foreign),
            resend: options.resend,
            tape: Tape::open(&options.tape)?,
            secrets,
        })
    }

    /// What must not be seen in an error, a log line or a recording.
    pub(crate) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// Keeps `secret` out of what is recorded from now on.
    pub(crate) fn hide(&self, secret: &Secret) {
        if let Tape::Recording(recorder) = &self.tape {
            recorder.hide(secret);
        }
    }

    /// Waits for `delay` before another try. A recording without its pauses is in no hurry
    /// to spare a server.
    pub(crate) fn pause(&self, delay: Duration, token: &Token) -> Result<()> {
        match &self.tape {
            Tape::Playing(player) if !player.has_pauses() => token.left().map(|_| ()),
            _ => token.sleep(delay),
        }
    }

    /// Sends `request` and waits for the head of its response, of whatever status.
    pub(crate) fn send(&self, request: &HttpRequest, token: &Arc<Token>) -> Result<HttpResponse> {
        Url::parse(&request.url)
            .map_err(|wrong| Error::new(ErrorKind::Argument, format!("the URL {wrong}")))?;
        match &self.tape {
            Tape::Off => self.ask(request, token),
            Tape::Recording(recorder) => {
                let mut track = recorder.begin(request)?;
                match self.ask(request, token) {
                    Ok(mut response) => {
                        track.head(response.status, &response.headers)?;
                        response.body.track = Some(track);
                        Ok(response)
                    }
                    Err(error) => {
                        track.failed(&error).ok();
                        Err(error)
                    }
                }
            }
            Tape::Playing(player) => {
                let (status, headers, playback) = player.play(request, token)?;
                let body = Body::new(Source::Tape(playback), "the recording".to_owned(), token);
                Ok(HttpResponse { status, headers, body })
            }
        }
    }

    fn ask(&self, request: &HttpRequest, token: &Arc<Token>) -> Result<HttpResponse> {
        let mut message = http::Request::builder()
            .method(match request.method {
                Method::Get => http::Method::GET,
                Method::Post => http::Method::POST,
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
        let current = Current::enter(token, longest_line(request));
        let response = match self.run(message.clone(), request, true) {
            // The server closed a kept connection just as it was taken up again: nothing of
            // the request was answered, so it goes once more over a new one. Whether it was
            // processed is not known, unless nothing was sent or it does not matter.
            Err(error)
                if current.used_kept_connection()
                    && is_lost(&error)
                    && (self.resend || request.method == Method::Get || !current.has_sent()) =>
            {
                self.run(message, request, false)
            }
            outcome => outcome,
        };
        let (head, body) =
            response.map_err(|error| request.told(to_error(error, &host)))?.into_parts();
        let headers = current.answer();
        let mut body = Body::new(Source::Socket(body.into_reader()), host, token);
        body.coding = Coding::Unknown(unreadable_coding(&headers));
        Ok(HttpResponse { status: head.status.as_u16(), headers, body })
    }

    fn run(
        &self,
        message: http::Request<()>,
        request: &HttpRequest,
        take_kept_connection: bool,
    ) -> std::result::Result<http::Response<ureq::Body>, ureq::Error> {
        let agent = if request.is_foreign { &self.foreign } else { &self.agent };
        match request.method {
            Method::Get => agent.run(configured(agent, message, take_kept_connection)),
            Method::Post => {
                let message = message.map(|()| &request.body[..]);
                agent.run(configured(agent, message, take_kept_connection))
            }
        }
    }
}

fn configured<S: AsSendBody>(
    agent: &Agent,
    message: http::Request<S>,
    take_kept_connection: bool,
) -> http::Request<S> {
    if take_kept_connection {
        return message;
    }
    agent.configure_request(message).max_idle_age(Duration::ZERO).build()
}

/// The body of a response, as it arrives.
pub(crate) struct Body {
    source: Source,
    coding: Coding,
    host: String,
    token: Arc<Token>,
    /// Where it is recorded.
    track: Option<Track>,
}

enum Source {
    Socket(BodyReader<'static>),
    Tape(Playback),
}

/// How the bytes of a body are to be taken.
enum Coding {
    /// Its first byte will tell. If that is not of gzip, it is in this coding.
    Unknown(Option<String>),
    Plain,
    Gzip(Box<Gunzip>),
}

impl Body {
    fn new(source: Source, host: String, token: &Arc<Token>) -> Body {
        Body { source, coding: Coding::Unknown(None), host, token: Arc::clone(token), track: None }
    }

    /// Reads what is there, waiting for at least a byte; 0 is the body's proper end.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] when the connection ends before the body does.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let outcome = self.inflated(buffer);
        if let Some(track) = &mut self.track {
            match &outcome {
                Ok(0) => track.end(self.token.is_whole())?,
                Ok(count) => {
                    return track.bytes(buffer.get(..*count).unwrap_or_default()).and(outcome);
                }
                // It says more than that the file is full.
                Err(error) => drop(track.failed(error)),
            }
            self.track = None;
        }
        outcome
    }

    fn inflated(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            if let Coding::Gzip(gunzip) = &mut self.coding {
                let count = gunzip.read(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            let count = self.receive(buffer)?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if let (Coding::Unknown(unreadable), Some(first)) = (&self.coding, bytes.first()) {
                self.coding = match (*first, unreadable) {
                    (gzip::FIRST_BYTE, _) => Coding::Gzip(Box::new(Gunzip::new())),
                    (_, None) => Coding::Plain,
                    (_, Some(coding)) => {
                        return Err(Error::new(
                            ErrorKind::Protocol,
                            format!(
                                "{} sends its answer in the coding {coding:?}, which it was not \
                                 asked for; this library reads gzip",
                                self.host
                            ),
                        ));
                    }
                };
            }
            match &mut self.coding {
                Coding::Gzip(gunzip) if count > 0 => gunzip.feed(bytes)?,
                Coding::Gzip(gunzip) => {
                    if !gunzip.is_whole() {
                        self.token.broken_off();
                    }
                    return Ok(0);
                }
                _ => return Ok(count),
            }
        }
    }

    /// What the server sent, as it sent it.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let reader = match &mut self.source {
            Source::Socket(reader) => reader,
            Source::Tape(playback) => return playback.read(buffer),
        };
        reader.read(buffer).map_err(|error| match to_error(ureq::Error::from(error), &self.host) {
            lost if lost.kind() == ErrorKind::Connect => Error::new(
                ErrorKind::Truncated,
                format!("{} closed the connection before the end of its answer", self.host),
            ),
            error => error,
        })
    }

    /// Reads on into `body`, to the end or to `limit` bytes in all; says whether it is whole.
    pub(crate) fn read_to_limit(&mut self, limit: usize, body: &mut Vec<u8>) -> Result<bool> {
        let mut buffer = vec![0; 8 * 1024];
        loop {
            let count = self.read(&mut buffer)?;
            memory::append(body, buffer.get(..count).unwrap_or_default())?;
            if body.len() > limit {
                body.truncate(limit);
                return Ok(false);
            }
            if count == 0 {
                return Ok(true);
            }
        }
    }

    /// Reads on a little to the end of a spent body, so that its connection goes back to
    /// the pool; where the end is not near, the connection is closed.
    pub(crate) fn finish(mut self) {
        self.token.linger();
        let mut buffer = [0; 4 * 1024];
        let mut left = MAX_LEFTOVER;
        while let Ok(count @ 1..) = self.receive(&mut buffer) {
            match left.checked_sub(count) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }
}

/// Whether the connection was lost, as a server's closing it loses it.
fn is_lost(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => {
            conn::is_closed(error) || error.kind() == io::ErrorKind::UnexpectedEof
        }
        _ => false,
    }
}

/// The longest line of the head of `request`, or somewhat more.
fn longest_line(request: &HttpRequest) -> usize {
    const REST: usize = "POST  HTTP/1.1\r\n".len();
    let lines = request.headers.iter().map(|(name, value)| name.len() + value.len());
    lines.max().unwrap_or_default().max(request.url.len()) + REST
}

/// The coding of a body that cannot be read.
fn unreadable_coding(headers: &Headers) -> Option<String> {
    let coding = headers.get("content-encoding")?.trim().to_ascii_lowercase();
    // Some servers put a charset there.
    let readable = ["", "identity", "none", "utf-8", "utf8", "gzip", "x-gzip"];
    // Enough of it to be known by: it goes into a message.
    (!readable.contains(&&*coding)).then(|| coding.chars().take(40).collect())
}

fn to_error(error: ureq::Error, host: &str) -> Error {
    let new = |kind, message: String| Error::new(kind, message);
    match error {
        ureq::Error::Other(other) => match other.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => new(ErrorKind::Internal, format!("talking to {host}: {other}")),
        },
        ureq::Error::Io(error) => {
            if let Some(ours) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                return ours.clone();
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

#[cfg(test)]
mod tests;
