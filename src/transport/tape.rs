//! Exchanges with servers, written to a file and played back from it without a network.
//!
//! A recording is JSON Lines. The first says what it is; of the others each is a moment of
//! an exchange, `at_ms` milliseconds after its request:
//!
//! ```text
//! {"tolmach_recording":1}
//! {"exchange":1,"at_ms":0,"method":"POST","url":"https://...","body":"{\"model\":..."}
//! {"exchange":1,"at_ms":312,"status":200,"headers":[["content-type","text/event-stream"]]}
//! {"exchange":1,"at_ms":312,"text":"data: ..."}      or "base64" for what is no UTF-8
//! {"exchange":1,"at_ms":640,"end":true}              or "failed":-18,"message":"..."
//! ```
//!
//! Bodies are written as they were before compression. Headers of requests are not written,
//! and no credential is: neither one that is known, nor one that an exchange is there to
//! get. `"end":false` is an end that nothing vouched for. An exchange without an end was left
//! before it: it ends truncated when played. So does what follows a last line that is not
//! whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crossbeam_channel::after;
use serde_json::{Map, Value, json};

use super::HttpRequest;
use super::headers::Headers;
use super::token::Token;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::secret::{BLOT, Redacted, Secret, redact, redacted};

/// The version of what is written here.
const VERSION: u64 = 1;

/// The headers of answers that mean something to this library. Others may be credentials.
const KEPT_HEADERS: &[&str] = &[
    "content-type",
    "location",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-amzn-requestid",
    "cf-ray",
];

/// What a client does beside talking to servers, or in the place of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TapeChoice {
    pub(crate) record: Option<PathBuf>,
    pub(crate) replay: Option<PathBuf>,
    /// Plays with the pauses that there were.
    pub(crate) timing: bool,
}

impl TapeChoice {
    pub(crate) fn is_used(&self) -> bool {
        self.record.is_some() || self.replay.is_some()
    }
}

pub(super) enum Tape {
    Off,
    Recording(Arc<Recorder>),
    Playing(Player),
}

impl Tape {
    /// # Errors
    /// [`ErrorKind::Argument`] when a file cannot be made, or is no recording.
    pub(super) fn open(choice: &TapeChoice) -> Result<Tape> {
        match (&choice.record, &choice.replay) {
            (None, None) => Ok(Tape::Off),
            (Some(path), None) => Ok(Tape::Recording(Arc::new(Recorder::create(path)?))),
            (None, Some(path)) => Ok(Tape::Playing(Player::open(path, choice.timing)?)),
            _ => Err(argument("\"record_file\" and \"replay_file\" are not set both".to_owned())),
        }
    }
}

/// Writes exchanges to a file.
pub(super) struct Recorder {
    path: PathBuf,
    file: Mutex<File>,
    exchanges: AtomicU64,
    secrets: Mutex<Vec<Secret>>,
}

impl Recorder {
    fn create(path: &Path) -> Result<Recorder> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // It holds prompts and answers: they are nobody else's.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| {
            argument(format!(
                "\"record_file\": {path:?} cannot be made ({error}); one that is there is not overwritten"
            ))
        })?;
        let recorder = Recorder {
            path: path.to_owned(),
            file: Mutex::new(file),
            exchanges: AtomicU64::new(0),
            secrets: Mutex::default(),
        };
        recorder.write(&json!({"tolmach_recording": VERSION}))?;
        Ok(recorder)
    }

    fn secrets(&self) -> MutexGuard<'_, Vec<Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps `secret` out of what is written from now on.
    pub(super) fn hide(&self, secret: &Secret) {
        let mut secrets = self.secrets();
        let is_known = secrets.iter().any(|known| known.expose() == secret.expose());
        if !is_known {
            secrets.push(secret.clone());
        }
    }

    fn write(&self, line: &Value) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{line}\n").as_bytes()).map_err(|error| {
            argument(format!("\"record_file\": {:?} cannot be written: {error}", self.path))
        })
    }

    /// Begins to write an exchange.
    pub(super) fn begin(self: &Arc<Recorder>, request: &HttpRequest) -> Result<Track> {
        // The body is redacted, and written as JSON.
        memory::room_for(request.body.len().saturating_mul(4))?;
        let number = self.exchanges.fetch_add(1, Ordering::Relaxed) + 1;
        let track = Track {
            recorder: Arc::clone(self),
            number,
            started: Instant::now(),
            is_credential: request.is_credential,
            credential: Vec::new(),
            text: Redacted::default(),
        };
        let mut line = track.line();
        line.insert("method".to_owned(), request.method.name().into());
        line.insert("url".to_owned(), track.clean(&without_user(&request.url)).into());
        if request.is_credential {
            line.insert("credential".to_owned(), true.into());
        }
        if !request.body.is_empty() {
            let body = redacted(&request.body, &self.secrets());
            let (key, body) = text_or_base64(&body, "body");
            line.insert(key, body);
        }
        self.write(&Value::Object(line))?;
        Ok(track)
    }
}

/// An exchange that is being written.
pub(super) struct Track {
    recorder: Arc<Recorder>,
    number: u64,
    started: Instant,
    is_credential: bool,
    /// What a credential was so far, in an exchange that asks for one.
    credential: Vec<u8>,
    /// The body so far, redacted.
    text: Redacted,
}

impl Track {
    fn line(&self) -> Map<String, Value> {
        let at = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut line = Map::new();
        line.insert("exchange".to_owned(), self.number.into());
        line.insert("at_ms".to_owned(), at.into());
        line
    }

    fn write(&self, key: &str, value: Value) -> Result<()> {
        let mut line = self.line();
        line.insert(key.to_owned(), value);
        self.recorder.write(&Value::Object(line))
    }

    pub(super) fn head(&mut self, status: u16, headers: &Headers) -> Result<()> {
        // What a server refuses with is worth reading, and holds no new credential.
        self.is_credential &= (200..300).contains(&status);
        let is_kept = |name: &str| KEPT_HEADERS.contains(&&*name.to_ascii_lowercase());
        // Where a redirect leads to, its query may be the key to.
        let value = |value: &str| self.clean(value.split(['?', '#']).next().unwrap_or_default());
        let headers = headers.iter().filter(|(name, _)| is_kept(name));
        let headers: Vec<Value> = headers.map(|(name, text)| json!([name, value(text)])).collect();
        let mut line = self.line();
        line.insert("status".to_owned(), status.into());
        line.insert("headers".to_owned(), headers.into());
        self.recorder.write(&Value::Object(line))
    }

    /// The next bytes of the body.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_credential {
            self.credential.extend_from_slice(bytes);
            return Ok(());
        }
        let sure = self.text.push(bytes, &self.recorder.secrets());
        self.write_bytes(&sure)
    }

    /// The body is at its end.
    pub(super) fn end(&mut self, is_whole: bool) -> Result<()> {
        self.flush()?;
        self.write("end", is_whole.into())
    }

    /// The exchange failed, here or earlier.
    pub(super) fn failed(&mut self, error: &Error) -> Result<()> {
        // It is the program that left, not the server.
        if error.kind() == ErrorKind::Cancelled {
            return Ok(());
        }
        self.flush()?;
        let mut line = self.line();
        line.insert("failed".to_owned(), (error.kind() as i32).into());
        line.insert("message".to_owned(), self.clean(error.message()).into());
        if let Some(retry) = error.details().and_then(|details| details.should_retry) {
            line.insert("retry".to_owned(), retry.into());
        }
        self.recorder.write(&Value::Object(line))
    }

    /// Writes what is held.
    fn flush(&mut self) -> Result<()> {
        let credential = std::mem::take(&mut self.credential);
        if !credential.is_empty() {
            let masked = serde_json::from_slice(&credential).map_or(json!(BLOT), without_texts);
            return self.write("text", masked.to_string().into());
        }
        let rest = self.text.end(&self.recorder.secrets());
        self.write_bytes(&rest)
    }

    fn write_bytes(&self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let (key, value) = text_or_base64(bytes, "text");
        self.write(&key, value)
    }

    fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        redact(&mut text, &self.recorder.secrets());
        text
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        // Whoever left the answer has no more use for an error.
        self.flush().ok();
    }
}

/// Plays the exchanges of a file: each once, in their order.
pub(super) struct Player {
    path: PathBuf,
    exchanges: Vec<Arc<Exchange>>,
    played: Mutex<Vec<bool>>,
    timing: bool,
}

/// An exchange as it was recorded.
#[derive(Default)]
struct Exchange {
    method: String,
    /// Path and query of its URL: it is played to whichever host is asked.
    place: String,
    body: Vec<u8>,
    /// It got a credential, and is played as often as one is asked for.
    is_credential: bool,
    moments: Vec<(Duration, Moment)>,
}

#[derive(Clone)]
enum Moment {
    Head(u16, Headers),
    Bytes(Vec<u8>),
    /// And whether it is to be believed.
    End(bool),
    Failed(Error),
}

impl Player {
    fn open(path: &Path, timing: bool) -> Result<Player> {
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

    pub(super) fn has_pauses(&self) -> bool {
        self.timing
    }

    /// Answers `request` as it was answered when it was recorded.
    pub(super) fn play(
        &self,
        request: &HttpRequest,
        token: &Arc<Token>,
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
    fn next(&self, request: &HttpRequest) -> Result<Arc<Exchange>> {
        let place = place_of(&request.url);
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        let fits =
            |it: &Exchange| it.method == request.method.name() && is_same_place(&it.place, place);
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
                self.path,
                request.method.name(),
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
pub(super) struct Playback {
    exchange: Arc<Exchange>,
    /// The next of its moments.
    next: usize,
    /// The bytes of the latest, and how many were given.
    bytes: Vec<u8>,
    given: usize,
    /// When it began, where its pauses are played.
    started: Option<Instant>,
    token: Arc<Token>,
}

impl Playback {
    /// Reads the body as it arrived; 0 is its end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
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

/// Reads a recording; what is wrong with it.
fn exchanges_of(text: &str) -> std::result::Result<Vec<Exchange>, String> {
    // A process that was killed, or a full disk, leaves the last line as it is.
    let text = match text.rsplit_once('\n') {
        Some((whole, last)) if serde_json::from_str::<Value>(last).is_err() => whole,
        _ => text,
    };
    let mut lines = text.lines().zip(1..).map(|(line, number)| {
        serde_json::from_str::<Value>(line)
            .map_err(|error| format!("is no recording: line {number}: {error}"))
    });
    let first = lines.next().transpose()?.unwrap_or_default();
    match first.get("tolmach_recording").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => return Err(format!("is of version {other}; this library plays {VERSION}")),
        None => return Err("is no recording of this library".to_owned()),
    }
    let mut exchanges: Vec<(u64, Exchange)> = Vec::new();
    for (line, number) in lines.zip(2..) {
        let line = line?;
        let key = line.get("exchange").and_then(Value::as_u64).unwrap_or_default();
        if let Some(exchange) = begun(&line) {
            exchanges.push((key, exchange));
            continue;
        }
        let exchange = exchanges.iter_mut().rev().find(|(known, _)| *known == key);
        match (exchange, moment_of(&line)) {
            (Some((_, exchange)), Some(moment)) => exchange.moments.push(moment),
            _ => return Err(format!("is no recording: line {number} makes no sense")),
        }
    }
    Ok(exchanges.into_iter().map(|(_, exchange)| exchange).collect())
}

/// The exchange that begins with `line`, if one does.
fn begun(line: &Value) -> Option<Exchange> {
    Some(Exchange {
        method: line.get("method")?.as_str()?.to_owned(),
        place: place_of(line.get("url")?.as_str()?).to_owned(),
        body: bytes_of(line, "body").unwrap_or_default(),
        is_credential: line.get("credential") == Some(&Value::Bool(true)),
        moments: Vec::new(),
    })
}

fn moment_of(line: &Value) -> Option<(Duration, Moment)> {
    let at = Duration::from_millis(line.get("at_ms").and_then(Value::as_u64)?);
    let moment = if let Some(status) = line.get("status").and_then(Value::as_u64) {
        let mut headers = Headers::default();
        for header in line.get("headers").and_then(Value::as_array).into_iter().flatten() {
            headers.push(header.get(0)?.as_str()?, header.get(1)?.as_str()?);
        }
        Moment::Head(u16::try_from(status).ok()?, headers)
    } else if let Some(kind) = line.get("failed").and_then(Value::as_i64) {
        let message = line.get("message").and_then(Value::as_str)?;
        let error = Error::new(ErrorKind::of_code(kind)?, message);
        Moment::Failed(match line.get("retry").and_then(Value::as_bool) {
            Some(true) => error.worth_a_retry(),
            Some(false) => error.not_to_be_retried(),
            None => error,
        })
    } else if let Some(end) = line.get("end") {
        Moment::End(end.as_bool()?)
    } else {
        Moment::Bytes(bytes_of(line, "text")?)
    };
    Some((at, moment))
}

/// Bytes under `key` where they are UTF-8, else in base64 under another.
fn text_or_base64(bytes: &[u8], key: &str) -> (String, Value) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (key.to_owned(), text.into()),
        Err(_) => ("base64".to_owned(), BASE64.encode(bytes).into()),
    }
}

fn bytes_of(line: &Value, key: &str) -> Option<Vec<u8>> {
    match line.get(key) {
        Some(text) => Some(text.as_str()?.as_bytes().to_vec()),
        None => BASE64.decode(line.get("base64")?.as_str()?).ok(),
    }
}

/// Path and query of `url`.
fn place_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
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

/// `url` without the name and password that may stand in it.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, place) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{place}")
}

/// `value` with every text in it blotted out.
fn without_texts(value: Value) -> Value {
    match value {
        Value::String(_) => json!(BLOT),
        Value::Array(items) => items.into_iter().map(without_texts).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, without_texts(value))).collect()
        }
        other => other,
    }
}

fn left_early() -> Error {
    Error::new(ErrorKind::Truncated, "the recording stops before the end of this answer")
}

fn argument(message: String) -> Error {
    Error::new(ErrorKind::Argument, message)
}
