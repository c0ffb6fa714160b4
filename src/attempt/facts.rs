//! [`Facts`]: what a session knows beside its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use super::rates::Rates;
use crate::cancel_token::CancelToken;
use crate::catalog::Provider;
use crate::error::Result;
use crate::http::{Headers, HttpRequest};
use crate::memory;
use crate::secret::{Secret, redact};
use crate::times::{Reached, Stage, Times};
use crate::transport::HttpResponse;

/// Headers of responses that are credentials.
const CREDENTIALS: [&str; 9] = [
    "set-cookie",
    "set-cookie2",
    "cookie",
    "authorization",
    "proxy-authorization",
    "authentication-info",
    "proxy-authentication-info",
    "x-auth-token",
    "x-amz-security-token",
];

/// What a session knows beside its answer; all its attempts add to it.
#[derive(Clone)]
pub(crate) struct Facts {
    known: Arc<Mutex<Known>>,
    times: Arc<Times>,
    provider: &'static str,
}

#[derive(Default)]
struct Known {
    /// The parameters of the request that were changed, and how.
    changed: Vec<Change>,
    healed: bool,
    model: String,
    attempts: i64,
    response: Received,
}

/// What is known of the latest response; nothing before it.
#[derive(Default)]
struct Received {
    status: u16,
    request_id: String,
    /// Its header lines without credentials, each `name: value` and a line feed.
    headers: String,
    /// When it came.
    time: Option<SystemTime>,
}

#[derive(PartialEq, Serialize)]
struct Change {
    field: String,
    change: String,
}

/// All that the facts tell at a time.
pub(crate) struct Told {
    pub(crate) attempts: i64,
    pub(crate) changed: String,
    pub(crate) request_id: String,
    pub(crate) model: String,
    pub(crate) provider: &'static str,
    pub(crate) http_status: u16,
    pub(crate) reached: Reached,
    pub(crate) rates: Rates,
}

impl Facts {
    /// Nothing yet, of a call to `provider` that has this token.
    pub(crate) fn new(provider: &Provider, token: &CancelToken) -> Facts {
        Facts { known: Arc::default(), times: Arc::clone(token.times()), provider: provider.name }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more attempt: the response of the one before it does not count any more.
    pub(super) fn begin_attempt(&self) {
        let mut known = self.lock();
        known.attempts += 1;
        known.response = Received::default();
        self.times.restart();
    }

    /// The parameter `field` of the request was changed, and how.
    pub(super) fn changed(&self, field: &str, what: &str) {
        let change = Change { field: field.to_owned(), change: what.to_owned() };
        let mut known = self.lock();
        // A further attempt changes the same again.
        if !known.changed.contains(&change) {
            known.changed.push(change);
        }
    }

    /// Whether a refused request was changed.
    pub(super) fn is_healed(&self) -> bool {
        self.lock().healed
    }

    pub(super) fn set_healed(&self) {
        self.lock().healed = true;
    }

    /// `response` to `request` has come.
    pub(super) fn answered(
        &self,
        request: &HttpRequest,
        response: &HttpResponse,
        request_id: &str,
        secrets: &[Secret],
    ) {
        let mut received = Received {
            status: response.status,
            request_id: request_id.to_owned(),
            headers: String::new(),
            time: Some(SystemTime::now()),
        };
        // What grants a credential may say it in a header.
        if !(request.is_credential && (200..300).contains(&response.status)) {
            received.headers = lines(&response.headers);
        }
        redact(&mut received.request_id, secrets);
        redact(&mut received.headers, secrets);
        self.lock().response = received;
    }

    /// The program is told that this model answers.
    pub(crate) fn answers(&self, model: &str) {
        model.clone_into(&mut self.lock().model);
    }

    /// The session is over.
    pub(crate) fn ended(&self) {
        self.times.reach(Stage::Ended);
    }

    /// The value of a header of the latest response; of several lines, joined by commas.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.lock().response.header(name)
    }

    pub(crate) fn told(&self) -> Result<Told> {
        let known = self.lock();
        let Received { status, request_id, time, .. } = &known.response;
        let header = |name: &str| known.response.header(name);
        Ok(Told {
            attempts: known.attempts,
            changed: memory::json(&known.changed)?,
            request_id: request_id.clone(),
            model: known.model.clone(),
            provider: self.provider,
            http_status: *status,
            reached: self.times.reached(),
            rates: time.map_or(Rates::default(), |time| Rates::of(header, time)),
        })
    }
}

impl Received {
    fn header(&self, name: &str) -> Option<String> {
        let lines = self.headers.split('\n').filter_map(|line| line.split_once(": "));
        let values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.map(|(_, value)| value.to_owned()).reduce(|all, value| all + ", " + &value)
    }
}

/// The header lines without credentials.
fn lines(headers: &Headers) -> String {
    let is_shown =
        |name: &str| !CREDENTIALS.iter().any(|credential| credential.eq_ignore_ascii_case(name));
    let shown = headers.iter().filter(|(name, _)| is_shown(name));
    let mut lines = String::new();
    for (name, value) in shown {
        for part in [name, ": ", value, "\n"] {
            lines.push_str(part);
        }
    }
    lines
}
