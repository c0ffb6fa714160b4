//! Playing exchanges.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::after;

use super::format::{Asked, Exchange, Moment, argument, exchanges_of, place_of};
use crate::cancel_token::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Headers;
use crate::memory;
use crate::secret::BLOT;

/// Plays the exchanges of a file: each once, in their order.
pub(crate) struct Player {
    path: PathBuf,
    exchanges: Vec<Arc<Exchange>>,
    played: Mutex<Vec<bool>>,
    timing: bool,
}

impl Player {
    pub(super) fn open(path: &Path, timing: bool) -> Result<Player> {
        let wrong = |why: String| argument(format!("\"replay_file\": {path:?} {why}"));
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::OutOfMemory => memory::no_memory(),
            _ => wrong(format!("cannot be read: {error}")),
        })?;
        // It is parsed, line by line, and its bodies are copied.
        memory::room_for(text.len().saturating_mul(2))?;
        let exchanges = exchanges_of(&text).map_err(wrong)?;
        Ok(Player {
            path: path.to_owned(),
            played: Mutex::new(vec![false; exchanges.len()]),
            exchanges: exchanges.into_iter().map(Arc::new).collect(),
            timing,
        })
    }

    pub(crate) fn has_pauses(&self) -> bool {
        self.timing
    }

    /// Answers `request` as it was answered when it was recorded.
    pub(crate) fn play(
        &self,
        request: &Asked<'_>,
        token: &Arc<CancelToken>,
    ) -> Result<(u16, Headers, Playback)> {
        token.asking("the recording");
        token.sending();
        let mut playback = Playback {
            exchange: self.next(request)?,
            next: 0,
            bytes: Vec::new(),
            given: 0,
            started: self.timing.then(Instant::now),
            token: Arc::clone(token),
        };
        match playback.moment()? {
            Moment::Head(status, headers) => Ok((status, headers, playback)),
            Moment::Failed(error) => Err(error),
            _ => Err(left_early()),
        }
    }

    /// The next exchange for `request`: of those for its place the first with its body,
    /// else the first; bodies may differ by a random id.
    fn next(&self, request: &Asked<'_>) -> Result<Arc<Exchange>> {
        let place = place_of(request.url);
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |it: &Exchange| it.method == request.method && is_same_place(&it.place, place);
        let fitting = || {
            let all = self.exchanges.iter().zip(played.iter()).enumerate();
            all.filter(|(_, (it, _))| fits(it))
        };
        let waiting = || fitting().filter(|(_, (_, played))| !**played);
        let found = waiting()
            .find(|(_, (it, _))| it.body == request.body)
            .or_else(|| waiting().next())
            .or_else(|| fitting().rfind(|(_, (it, _))| it.is_credential));
        let Some((at, (exchange, _))) = found else {
            let count = self.exchanges.iter().filter(|it| fits(it)).count();
            let path = place.split('?').next().unwrap_or_default();
            return Err(argument(format!(
                "the recording {:?} has no more answers to {} {path}: it has {count}",
                self.path, request.method,
            )));
        };
        let exchange = Arc::clone(exchange);
        if let Some(played) = played.get_mut(at) {
            *played = true;
        }
        Ok(exchange)
    }
}

/// An exchange that is being played.
pub(crate) struct Playback {
    exchange: Arc<Exchange>,
    /// The next of its moments.
    next: usize,
    /// The bytes of the latest, and how many were given.
    bytes: Vec<u8>,
    given: usize,
    /// When it began, where its pauses are played.
    started: Option<Instant>,
    token: Arc<CancelToken>,
}

impl Playback {
    /// Reads the body as it arrived; 0 is its end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.given == self.bytes.len() {
            self.given = 0;
            self.bytes = match self.moment()? {
                Moment::Bytes(bytes) => bytes,
                Moment::End(is_whole) => {
                    if !is_whole {
                        self.token.broken_off();
                    }
                    return Ok(0);
                }
                Moment::Failed(error) => return Err(error),
                Moment::Head(..) => return Err(left_early()),
            };
        }
        let waiting = self.bytes.get(self.given..).unwrap_or_default();
        let count = waiting.len().min(buffer.len());
        buffer.iter_mut().zip(waiting).for_each(|(to, from)| *to = *from);
        self.given += count;
        Ok(count)
    }

    /// The next moment, when it is time for it.
    fn moment(&mut self) -> Result<Moment> {
        self.token.left()?;
        let (at, moment) = self.exchange.moments.get(self.next).ok_or_else(left_early)?;
        self.next += 1;
        if let Some(started) = self.started {
            self.token.wait(&after(at.saturating_sub(started.elapsed())))?;
        }
        Ok(match moment {
            Moment::Bytes(bytes) => Moment::Bytes(memory::bytes(bytes)?),
            other => other.clone(),
        })
    }
}

/// Whether `recorded`, in which a key may be blotted out, is `place`.
fn is_same_place(recorded: &str, place: &str) -> bool {
    match (recorded.split(BLOT).next(), recorded.rsplit(BLOT).next()) {
        (Some(start), Some(end)) if recorded.contains(BLOT) => {
            place.len() >= start.len() + end.len()
                && place.starts_with(start)
                && place.ends_with(end)
        }
        _ => recorded == place,
    }
}

fn left_early() -> Error {
    Error::new(ErrorKind::Truncated, "the recording stops before the end of this answer")
}
