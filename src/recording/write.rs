//! Writing exchanges.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::format::{Asked, VERSION, argument, text_or_base64};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Headers;
use crate::memory;
use crate::secret::{BLOT, Redacted, Secret, redact, redacted};

/// The headers of answers that mean something to this library. Others may be credentials.
const KEPT_HEADERS: &[&str] = &[
    "content-type",
    "date",
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

/// Writes exchanges to a file.
pub(crate) struct Recorder {
    path: PathBuf,
    file: Mutex<File>,
    exchanges: AtomicU64,
    secrets: Mutex<Vec<Secret>>,
}

impl Recorder {
    pub(super) fn create(path: &Path) -> Result<Recorder> {
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
    pub(crate) fn hide(&self, secret: &Secret) {
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
    pub(crate) fn begin(self: &Arc<Recorder>, request: &Asked<'_>) -> Result<Track> {
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
        line.insert("method".to_owned(), request.method.into());
        line.insert("url".to_owned(), track.clean(request.url).into());
        if request.is_credential {
            line.insert("credential".to_owned(), true.into());
        }
        if !request.body.is_empty() {
            let body = redacted(request.body, &self.secrets());
            let (key, body) = text_or_base64(&body, "body");
            line.insert(key, body);
        }
        self.write(&Value::Object(line))?;
        Ok(track)
    }
}

/// An exchange that is being written.
pub(crate) struct Track {
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

    pub(crate) fn head(&mut self, status: u16, headers: &Headers) -> Result<()> {
        // What a server refuses with is worth reading, and holds no new credential.
        self.is_credential &= (200..300).contains(&status);
        let is_kept = |name: &str| {
            let name = name.to_ascii_lowercase();
            KEPT_HEADERS.contains(&&*name) || name.contains("ratelimit")
        };
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
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_credential {
            self.credential.extend_from_slice(bytes);
            return Ok(());
        }
        let sure = self.text.push(bytes, &self.recorder.secrets());
        self.write_bytes(&sure)
    }

    /// The body is at its end.
    pub(crate) fn end(&mut self, is_whole: bool) -> Result<()> {
        self.flush()?;
        self.write("end", is_whole.into())
    }

    /// The exchange failed, here or earlier.
    pub(crate) fn failed(&mut self, error: &Error) -> Result<()> {
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
