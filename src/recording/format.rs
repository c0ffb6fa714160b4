//! The lines of a recording.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::http::Headers;

/// The version of what is written here.
pub(super) const VERSION: u64 = 1;

/// A request, as far as it is recorded or looked up.
pub(crate) struct Asked<'r> {
    pub(crate) method: &'static str,
    pub(crate) url: &'r str,
    pub(crate) body: &'r [u8],
    /// The answer is a credential.
    pub(crate) is_credential: bool,
}

/// An exchange as it was recorded.
#[derive(Default)]
pub(super) struct Exchange {
    pub(super) method: String,
    /// Path and query of its URL: it is played to whichever host is asked.
    pub(super) place: String,
    pub(super) body: Vec<u8>,
    /// It got a credential, and is played as often as one is asked for.
    pub(super) is_credential: bool,
    pub(super) moments: Vec<(Duration, Moment)>,
}

#[derive(Clone)]
pub(super) enum Moment {
    Head(u16, Headers),
    Bytes(Vec<u8>),
    /// And whether it is to be believed.
    End(bool),
    Failed(Error),
}

/// Reads a recording; what is wrong with it.
pub(super) fn exchanges_of(text: &str) -> std::result::Result<Vec<Exchange>, String> {
    // A process that was killed, or a full disk, leaves the last line as it is.
    let text = match text.rsplit_once('\n') {
        Some((whole, last)) if serde_json::from_slice::<Value>(last.as_bytes()).is_err() => whole,
        _ => text,
    };
    let mut lines = text.lines().zip(1..).map(|(line, number)| {
        serde_json::from_slice::<Value>(line.as_bytes())
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
pub(super) fn text_or_base64(bytes: &[u8], key: &str) -> (String, Value) {
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
pub(super) fn place_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

pub(super) fn argument(message: String) -> Error {
    Error::new(ErrorKind::Argument, message)
}
