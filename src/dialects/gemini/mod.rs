//! Google's Gemini: generateContent, of the Gemini API and of Vertex AI
//! (docs/dialects/gemini.md).

mod args;
mod reader;
mod request;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::answer::Answer;
use crate::attempt::heal::Healer;
use crate::attempt::{Attempt, Response};
use crate::capabilities::Capabilities;
use crate::config::Config;
use crate::dialects::{self, Dialect};
use crate::error::Result;
use crate::http::{Headers, HttpRequest};
use crate::model::Model;
use crate::raw::Raw;
use crate::request::Request;
use crate::secret::Secret;

use reader::GeminiReader;

/// An answer is continued so often at most. Each request of it is about as long as the model
/// can answer in one.
const MAX_CONTINUATIONS: usize = 100;

/// A list of models has so many pages at most.
const MAX_PAGES: usize = 50;

/// What stands in a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) struct Gemini {
    config: Config,
    api_key: Secret,
    has_bearer: bool,
    healer: Healer,
}

impl Gemini {
    pub(crate) fn new(config: &Config) -> Result<Gemini> {
        Ok(Gemini {
            api_key: config.credentials()?,
            has_bearer: config.option("auth_scheme") == Some("bearer"),
            healer: Healer::new(config),
            config: config.clone(),
        })
    }

    fn headers(&self, accept: &str) -> Result<Headers> {
        let mut headers = Headers::default();
        headers.set("Accept", accept)?;
        headers.set("Accept-Encoding", "identity")?;
        let key = self.api_key.expose();
        match key.is_empty() {
            true => {}
            false if self.has_bearer => headers.set("Authorization", &format!("Bearer {key}"))?,
            false => headers.set("x-goog-api-key", key)?,
        }
        Ok(headers)
    }

    /// The path of `model`, which may be named with its collection.
    fn path(model: &str, method: &str) -> String {
        let (collection, model) = match model.split_once('/') {
            Some((collection @ ("models" | "tunedModels"), model)) => (collection, model),
            _ => ("models", model),
        };
        format!("/{collection}/{}:{method}", utf8_percent_encode(model, PLAIN))
    }
}

impl Dialect for Gemini {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        attempt.hide(&self.api_key);
        let model = self.config.model_for(request);
        answer.asked(request, model);
        let as_given = !self.config.heal;
        let request::Mapped { mut body, changes } = request::map(model, request, as_given)?;
        for (field, what) in changes {
            attempt.changed(field, what);
        }
        let (path, accept) = match request.stream() {
            true => (Gemini::path(model, "streamGenerateContent?alt=sse"), "text/event-stream"),
            false => (Gemini::path(model, "generateContent"), "application/json"),
        };
        let url = self.config.url(&path);
        let mut headers = self.headers(accept)?;
        headers.set("Content-Type", "application/json")?;
        let mut reader = GeminiReader::default();
        for _ in 0..MAX_CONTINUATIONS {
            let response = self.healer.post(&url, &headers, &mut body, attempt)?;
            dialects::read(response, &mut reader, attempt, answer)?;
            let Some(token) = reader.continuation() else { return answer.finish() };
            let token = Value::from(token);
            // The same token again would bring the same again.
            if body.get("continuationToken") == Some(&token) {
                break;
            }
            answer.add_usage();
            body.insert("continuationToken".to_owned(), token);
        }
        reader.give_up(answer);
        answer.finish()
    }

    fn send_raw(&self, raw: &Raw, attempt: &mut Attempt<'_>) -> Result<Response> {
        attempt.hide(&self.api_key);
        attempt.send(raw.request(self.headers("*/*")?)?)
    }

    fn models(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Model>> {
        attempt.hide(&self.api_key);
        let mut models = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let page = match &*cursor {
                "" => String::new(),
                cursor => format!("&pageToken={}", utf8_percent_encode(cursor, PLAIN)),
            };
            let url = self.config.url(&format!("/models?pageSize=1000{page}"));
            let request = HttpRequest::get(&url, self.headers("application/json")?);
            let response = attempt.send(request)?;
            let list = attempt.aside(response)?;
            let entries = list.get("models").or(list.get("publisherModels"));
            let Some(entries) = entries.and_then(Value::as_array) else {
                return Err(attempt.protocol_error("returned no list of models"));
            };
            models.extend(entries.iter().filter_map(model_of));
            let next = list.get("nextPageToken").and_then(Value::as_str).unwrap_or_default();
            if next.is_empty() || next == cursor {
                break;
            }
            next.clone_into(&mut cursor);
        }
        Ok(models)
    }
}

/// A model that answers chats.
fn model_of(entry: &Value) -> Option<Model> {
    let methods = entry.get("supportedGenerationMethods").and_then(Value::as_array);
    if methods.is_some_and(|methods| !methods.iter().any(|method| method == "generateContent")) {
        return None;
    }
    let mut model = Model::from_entry(entry)?;
    if let Some((_, id)) = model.id.rsplit_once("models/") {
        model.id = id.to_owned();
    }
    // The list does not tell what a model reads and makes; its name does.
    let is_image = model.id.contains("-image");
    if model.id.starts_with("gemini-") && !model.id.contains("-tts") {
        let more = if is_image { Capabilities::IMAGES } else { Capabilities::TOOLS };
        model.capabilities = model.capabilities.with(Capabilities::VISION).with(more);
    }
    Some(model)
}
