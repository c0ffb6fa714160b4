//! [`Body`]: the body of a response, as it arrives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agent::Incoming;
use super::gzip::{self, Gunzip};
use super::pipe::BeforeWaiting;
use crate::cancel_token::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Headers, HttpRequest};
use crate::memory;
use crate::recording::{Playback, Track};

/// How much of a spent body is read so that its connection can be used again: about what
/// arrives in the time of making a new one.
const MAX_LEFTOVER: usize = 64 * 1024;

/// The body of a response, as it arrives.
pub(crate) struct Body {
    source: Source,
    coding: Coding,
    host: String,
    token: Arc<CancelToken>,
    /// Its headers say that it is compressed.
    says_gzip: bool,
    /// Where it is recorded.
    track: Option<Track>,
    arrivals: Arrivals,
}

/// When data of a body arrived, and the longest time between two arrivals.
struct Arrivals {
    /// The call tells of them.
    count: bool,
    last: Option<Instant>,
    longest: Duration,
}

enum Source {
    Server(Incoming),
    Recording(Playback),
}

/// How the bytes of a body are to be taken.
enum Coding {
    /// Its first byte will tell. If that is not of gzip, it is in this coding.
    Unknown(Option<String>),
    Plain,
    Gzip(Box<Gunzip>),
}

impl Body {
    /// As it comes from a server that sent these headers with it; `track`: to be recorded.
    pub(super) fn received(
        incoming: Incoming,
        request: &HttpRequest,
        headers: &Headers,
        track: Option<Track>,
        token: &Arc<CancelToken>,
    ) -> Body {
        Body {
            host: incoming.host().to_owned(),
            source: Source::Server(incoming),
            coding: Coding::Unknown(unreadable_coding(headers)),
            token: Arc::clone(token),
            says_gzip: headers.get("content-encoding").is_some_and(is_gzip),
            track,
            arrivals: Arrivals::of(request),
        }
    }

    /// As it was recorded.
    pub(super) fn played(
        playback: Playback,
        request: &HttpRequest,
        token: &Arc<CancelToken>,
    ) -> Body {
        Body {
            host: "the recording".to_owned(),
            source: Source::Recording(playback),
            coding: Coding::Unknown(None),
            token: Arc::clone(token),
            says_gzip: false,
            track: None,
            arrivals: Arrivals::of(request),
        }
    }

    /// It is a file of any type: only where its headers say so it is compressed, and not where
    /// it begins as such files do.
    pub(crate) fn is_file(&mut self) {
        if !self.says_gzip && matches!(self.coding, Coding::Unknown(None)) {
            self.coding = Coding::Plain;
        }
    }

    /// Reads what is there, waiting for at least a byte; 0 is the body's proper end.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] when the connection ends before the body does.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.read_with(buffer, &mut || Ok(()))
    }

    /// The same; `before_waiting` is called before a read that may have to wait for the
    /// server, and where little that has come can be a lot to read.
    pub(crate) fn read_with(
        &mut self,
        buffer: &mut [u8],
        before_waiting: &mut dyn FnMut() -> Result<()>,
    ) -> Result<usize> {
        let mut is_stopped = false;
        let outcome =
            self.inflated(buffer, &mut || before_waiting().inspect_err(|_| is_stopped = true));
        if let Some(track) = &mut self.track {
            match &outcome {
                Ok(0) => track.end(self.token.is_whole())?,
                Ok(count) => {
                    return track.bytes(buffer.get(..*count).unwrap_or_default()).and(outcome);
                }
                // That is not of the answer.
                Err(_) if is_stopped => {}
                // It says more than that the file is full.
                Err(error) => drop(track.failed(error)),
            }
            self.track = None;
        }
        outcome
    }

    fn inflated(&mut self, buffer: &mut [u8], before_waiting: BeforeWaiting<'_>) -> Result<usize> {
        loop {
            if let Coding::Gzip(gunzip) = &mut self.coding {
                before_waiting()?;
                let count = gunzip.read(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            let count = self.receive(buffer, before_waiting)?;
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
    fn receive(&mut self, buffer: &mut [u8], before_waiting: BeforeWaiting<'_>) -> Result<usize> {
        let count = match &mut self.source {
            Source::Server(incoming) => incoming.read(buffer, before_waiting)?,
            Source::Recording(playback) => {
                before_waiting()?;
                playback.read(buffer)?
            }
        };
        if count > 0 {
            self.arrivals.add(&self.token);
        }
        Ok(count)
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
        // The program may have been told of the end.
        self.arrivals.count = false;
        self.token.linger();
        let mut buffer = [0; 4 * 1024];
        let mut left = MAX_LEFTOVER;
        while let Ok(count @ 1..) = self.receive(&mut buffer, &mut || Ok(())) {
            match left.checked_sub(count) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }
}

impl Arrivals {
    fn of(request: &HttpRequest) -> Arrivals {
        Arrivals { count: !request.is_file, last: None, longest: Duration::ZERO }
    }

    /// Something arrived. The call is told only of a gap that is longer than those before it:
    /// they soon become rare.
    fn add(&mut self, token: &CancelToken) {
        let now = Instant::now();
        let Some(last) = self.last.replace(now) else { return };
        let gap = now.duration_since(last);
        if gap > self.longest && self.count {
            self.longest = gap;
            token.times().gap(gap);
        }
    }
}

fn is_gzip(coding: &str) -> bool {
    ["gzip", "x-gzip"].iter().any(|gzip| coding.trim().eq_ignore_ascii_case(gzip))
}

/// The coding of a body that cannot be read.
fn unreadable_coding(headers: &Headers) -> Option<String> {
    let coding = headers.get("content-encoding")?.trim().to_ascii_lowercase();
    // Some servers put a charset there.
    let readable = ["", "identity", "none", "utf-8", "utf8", "gzip", "x-gzip"];
    // Enough of it to be known by: it goes into a message.
    (!readable.contains(&&*coding)).then(|| coding.chars().take(40).collect())
}
