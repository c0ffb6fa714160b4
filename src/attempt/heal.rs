//! Self-healing parameters: what a server refuses by name is left out or renamed, once per
//! request, and remembered for the URL and the model.
//!
//! Nothing is changed silently: every change is told. The config's `heal` switches it off.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use super::{Attempt, Response};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::http::{Headers, HttpRequest};

/// A refusal, and what to do about it.
struct Cure {
    /// The refusal names one of these.
    named: &'static [&'static str],
    /// Changes the body. Returns the parameter and what was done to it; `None` where there is
    /// nothing to change.
    apply: fn(&mut Map<String, Value>) -> Option<(&'static str, &'static str)>,
}

/// The first cure that fits is taken.
static CURES: &[Cure] = &[Cure {
    named: &["stream_options", "include_usage"],
    apply: |body| body.shift_remove("stream_options").map(|_| ("stream_options", "left out")),
}];

/// How many pairs of URL and model are remembered.
const MOST: usize = 1024;

/// Sends requests of one client, healed.
pub(crate) struct Healer {
    /// The cures that a URL and a model need, by their places in the table.
    known: Mutex<HashMap<(String, String), Vec<usize>>>,
}

impl Healer {
    pub(crate) fn new(_: &Config) -> Healer {
        Healer { known: Mutex::default() }
    }

    /// Posts `body` with what is known to heal it; where the server refuses a parameter, once
    /// more without it.
    pub(crate) fn post(
        &self,
        url: &str,
        headers: &Headers,
        body: &mut Map<String, Value>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response> {
        let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
        let place = (url.to_owned(), model.to_owned());
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let cures = known().get(&place).cloned().unwrap_or_default();
        for cure in cures.iter().filter_map(|number| CURES.get(*number)) {
            cure.heal(body, attempt);
        }
        let error = match attempt.send(HttpRequest::post_json(url, headers.clone(), body)?) {
            Err(error) if matches!(error.http_status(), Some(400 | 422)) => error,
            outcome => return outcome,
        };
        let mut fitting = CURES.iter().zip(0..).filter(|(cure, _)| cure.fits(&error));
        let Some((_, number)) = fitting.find(|(cure, _)| cure.heal(body, attempt)) else {
            return Err(error);
        };
        let mut known = known();
        if known.len() < MOST {
            known.entry(place).or_default().push(number);
        }
        drop(known);
        attempt.send(HttpRequest::post_json(url, headers.clone(), body)?)
    }
}

impl Cure {
    fn fits(&self, error: &Error) -> bool {
        let names = |text: &str| self.named.iter().any(|name| text.contains(name));
        names(error.message()) || names(error.body())
    }

    /// Whether there was something to change.
    fn heal(&self, body: &mut Map<String, Value>, attempt: &Attempt<'_>) -> bool {
        let changed = (self.apply)(body);
        if let Some((field, what)) = changed {
            attempt.changed(field, what);
        }
        changed.is_some()
    }
}
