//! OpenAI's Responses API, also spoken by xAI, OpenRouter, Azure, Ollama, vLLM, llama-server
//! and Bedrock Mantle.

mod reader;
mod request;

use std::time::Duration;

use serde_json::{Map, Value};

use self::reader::ResponseReader;
use self::request::Mapping;
use super::shared::{embeddings, models};
use super::{Dialect, read};
use crate::answer::Answer;
use crate::attempt::heal::Healer;
use crate::attempt::{Attempt, Response};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Headers, HttpRequest};
use crate::model::Model;
use crate::raw::Raw;
use crate::request::Request;
use crate::secret::Secret;

/// How often a lost answer is asked for again without any more of it coming.
const MOST_RESUMES: u32 = 5;

pub(super) struct OpenAiResponses {
    config: Config,
    url: String,
    api_key: Secret,
    background: bool,
    healer: Healer,
}

impl OpenAiResponses {
    pub(super) fn new(config: &Config) -> Result<OpenAiResponses> {
        let endpoint = config.option("endpoint").map(str::to_owned);
        Ok(OpenAiResponses {
            config: config.clone(),
            url: endpoint.unwrap_or_else(|| config.url("/responses")),
            api_key: config.credentials()?,
            background: config.option("background") == Some("true"),
            healer: Healer::new(config),
        })
    }

    fn headers(&self, accept: &str) -> Result<Headers> {
        let mut headers = Headers::default();
        headers.set("Accept", accept)?;
        // Compression makes intermediaries hold tokens back.
        headers.set("Accept-Encoding", "identity")?;
        let key = self.api_key.expose();
        match self.config.option("auth_scheme") {
            _ if key.is_empty() => {}
            Some("api-key") => headers.set("api-key", key)?,
            _ => headers.set("Authorization", &format!("Bearer {key}"))?,
        }
        for (option, name) in
            [("organization", "OpenAI-Organization"), ("project", "OpenAI-Project")]
        {
            if let Some(value) = self.config.option(option) {
                headers.set(name, value)?;
            }
        }
        Ok(headers)
    }

    /// Where the answer goes on after the last event that `reader` had; `None` where it does
    /// not.
    fn place_to_resume(&self, reader: &ResponseReader) -> Option<String> {
        let (id, number) = reader.place()?;
        let url = http::join(&self.url, &format!("/{id}"));
        let separator = if url.contains('?') { '&' } else { '?' };
        Some(format!("{url}{separator}stream=true&starting_after={number}"))
    }

    /// Reads an answer whose connection was lost on to its end.
    fn resume(
        &self,
        reader: &mut ResponseReader,
        mut lost: Error,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let (mut tries, mut last) = (0, None);
        while let Some(url) = self.place_to_resume(reader) {
            // Numbers alone are no progress: they could go on for ever.
            tries = if last == Some(reader.said()) { tries + 1 } else { 0 };
            last = Some(reader.said());
            if tries == MOST_RESUMES {
                break;
            }
            if tries > 0 {
                attempt.pause(Duration::from_millis(250 << tries))?;
            }
            reader.resume();
            let request = HttpRequest::get(&url, self.headers("text/event-stream")?);
            lost = match attempt.send(request) {
                Ok(response) => match read(response, reader, attempt, answer) {
                    Err(error) if is_lost(&error) => error,
                    outcome => return outcome,
                },
                Err(error) if can_heal(&error) => error,
                Err(error) => return Err(error),
            };
        }
        Err(lost)
    }
}

impl Dialect for OpenAiResponses {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        attempt.hide(&self.api_key);
        let model = self.config.model_for(request);
        answer.asked(request, model);
        let mapping = Mapping {
            model,
            label: self.config.provider.label,
            background: self.background,
            heal: self.config.heal,
        };
        let mut body: Map<String, Value> =
            request::body(request, &mapping, &mut |field, what| attempt.changed(field, what))?;
        let is = |name: &str| body.get(name) == Some(&Value::Bool(true));
        let background = is("background");
        let accept = if is("stream") { "text/event-stream" } else { "application/json" };
        let mut headers = self.headers(accept)?;
        headers.set("Content-Type", "application/json")?;
        let response = self.healer.post(&self.url, &headers, &mut body, attempt)?;
        let mut reader =
            ResponseReader::new(self.config.max_event_bytes, self.config.max_tool_calls);
        match read(response, &mut reader, attempt, answer) {
            Err(lost) if background && is_lost(&lost) => {
                self.resume(&mut reader, lost, attempt, answer)?;
            }
            outcome => outcome?,
        }
        answer.finish()
    }

    fn embed(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        attempt.hide(&self.api_key);
        let mut body = embeddings::body(request, &self.config, answer)?;
        let mut headers = self.headers("application/json")?;
        headers.set("Content-Type", "application/json")?;
        let url = self.config.url("/embeddings");
        let response = self.healer.post(&url, &headers, &mut body, attempt)?;
        embeddings::read(response, request, attempt, answer)
    }

    fn send_raw(&self, raw: &Raw, attempt: &mut Attempt<'_>) -> Result<Response> {
        attempt.hide(&self.api_key);
        attempt.send(raw.request(self.headers("*/*")?)?)
    }

    fn models(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Model>> {
        attempt.hide(&self.api_key);
        models::list(&self.config.url("/models"), self.headers("application/json")?, attempt)
    }
}

/// Whether it is the connection that failed, and not the answer.
fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Connect)
}

/// Whether asking for the rest once more can help.
fn can_heal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connect | ErrorKind::RateLimited | ErrorKind::Server)
}
