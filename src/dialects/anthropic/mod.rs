//! Anthropic's Messages, which others speak as well.
//!
//! `request` maps a chat request, `reader` reads the answer's events, and `models_table` says
//! what which model takes.

mod models_table;
mod reader;
mod request;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::{Dialect, read};
use crate::answer::Answer;
use crate::attempt::heal::Healer;
use crate::attempt::{Attempt, Response};
use crate::capabilities::Capabilities;
use crate::config::Config;
use crate::error::Result;
use crate::http::{Headers, HttpRequest};
use crate::memory;
use crate::model::Model;
use crate::raw::Raw;
use crate::request::Request;
use crate::secret::Secret;
use models_table::Traits;
use reader::Messages;
use request::Target;

/// An item of a reply that is no block: the id of the container where code ran.
const CONTAINER: &str = "tolmach_container";

/// The version of the API that every server of the protocol knows.
const VERSION: &str = "2023-06-01";

/// How often an answer that pauses is gone on with.
const MOST_PAUSES: usize = 10;

/// How many pages of a list of models are read.
const MOST_PAGES: usize = 50;

pub(super) struct Anthropic {
    config: Config,
    /// The whole URL of the call: `endpoint`, else below the base URL.
    url: String,
    api_key: Secret,
    healer: Healer,
    /// What models take, as the server's list said when the program asked for it.
    listed: Mutex<HashMap<String, Traits>>,
}

impl Anthropic {
    pub(super) fn new(config: &Config) -> Result<Anthropic> {
        let endpoint = config.option("endpoint").map(str::to_owned);
        Ok(Anthropic {
            config: config.clone(),
            url: endpoint.unwrap_or_else(|| config.url("/messages")),
            api_key: config.credentials()?,
            healer: Healer::new(config),
            listed: Mutex::default(),
        })
    }

    fn version(&self) -> &str {
        self.config.option("anthropic_version").unwrap_or(VERSION)
    }

    fn headers(&self, accept: &str) -> Result<Headers> {
        let mut headers = Headers::default();
        headers.set("Accept", accept)?;
        // Compression makes intermediaries hold tokens back.
        headers.set("Accept-Encoding", "identity")?;
        headers.set("anthropic-version", self.version())?;
        if let Some(betas) = self.config.option("anthropic_beta") {
            headers.set("anthropic-beta", betas)?;
        }
        let key = self.api_key.expose();
        match self.config.option("auth_scheme") {
            _ if key.is_empty() => {}
            Some("bearer") => headers.set("Authorization", &format!("Bearer {key}"))?,
            _ => headers.set("x-api-key", key)?,
        }
        Ok(headers)
    }

    fn traits(&self, model: &str) -> Traits {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.get(model).copied().unwrap_or_else(|| Traits::of(model))
    }
}

impl Dialect for Anthropic {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        attempt.hide(&self.api_key);
        let model = self.config.model_for(request);
        answer.asked(request, model);
        let mapped = request::map(
            request,
            &Target {
                model,
                label: self.config.provider.label,
                version: self.version(),
                traits: self.traits(model),
                heal: self.config.heal,
            },
        )?;
        for (field, what) in &mapped.changes {
            attempt.changed(field, what);
        }
        let mut body = mapped.body;
        let stream = request.stream();
        let accept = if stream { "text/event-stream" } else { "application/json" };
        let mut headers = self.headers(accept)?;
        headers.set("Content-Type", "application/json")?;
        let mut reader = Messages::new(
            self.config.max_tool_calls,
            attempt.config().max_reply_bytes,
            may_pause(&body),
        );
        let mut response = self.healer.post(&self.url, &headers, &mut body, attempt)?;
        let own = messages_of(&body);
        for pauses in 0.. {
            read(response, &mut reader, attempt, answer)?;
            let Some(parts) = reader.paused().filter(|_| pauses < MOST_PAUSES) else { break };
            go_on(&mut body, own, parts, reader.container())?;
            reader.go_on();
            answer.add_usage();
            let request = HttpRequest::post_json(&self.url, headers.clone(), &body)?;
            response = attempt.send(request)?;
        }
        answer.reason(0, reader.stop_reason());
        answer.finish()
    }

    fn send_raw(&self, raw: &Raw, attempt: &mut Attempt<'_>) -> Result<Response> {
        attempt.hide(&self.api_key);
        attempt.send(raw.request(self.headers("*/*")?)?)
    }

    fn models(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Model>> {
        attempt.hide(&self.api_key);
        let url = self.config.url("/models");
        let mark = if url.contains('?') { '&' } else { '?' };
        let mut models = Vec::new();
        let mut listed = HashMap::new();
        let mut after = String::new();
        for _ in 0..MOST_PAGES {
            let cursor = match &*after {
                "" => String::new(),
                id => format!("&after_id={}", utf8_percent_encode(id, NON_ALPHANUMERIC)),
            };
            let url = format!("{url}{mark}limit=1000{cursor}");
            let page = HttpRequest::get(&url, self.headers("application/json")?);
            let page = attempt.send(page)?;
            let page = attempt.aside(page)?;
            let entries = page.get("data").or_else(|| page.get("models")).unwrap_or(&page);
            let Some(entries) = entries.as_array() else {
                return Err(attempt.protocol_error("returned no list of models"));
            };
            for entry in entries {
                let Some(mut model) = Model::from_entry(entry) else { continue };
                if takes(entry, "image_input") {
                    model.capabilities = model.capabilities.with(Capabilities::VISION);
                }
                listed.insert(model.id.clone(), Traits::of(&model.id).as_listed(entry));
                memory::push(&mut models, model)?;
            }
            let last = page.get("last_id").and_then(Value::as_str).unwrap_or_default();
            let is_last = page.get("has_more") != Some(&Value::Bool(true));
            if is_last || last.is_empty() || last == after {
                break;
            }
            last.clone_into(&mut after);
        }
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = listed;
        Ok(models)
    }
}

/// Whether an answer may pause: only tools that run at the provider make it.
fn may_pause(body: &Map<String, Value>) -> bool {
    let tools = body.get("tools").and_then(Value::as_array);
    let is_theirs = |tool: &Value| tool.get("type").is_some_and(|kind| kind != "custom");
    body.contains_key("mcp_servers") || tools.into_iter().flatten().any(is_theirs)
}

fn messages_of(body: &Map<String, Value>) -> usize {
    body.get("messages").and_then(Value::as_array).map_or(0, Vec::len)
}

/// Puts what the answer said so far behind the `own` messages of the request.
fn go_on(
    body: &mut Map<String, Value>,
    own: usize,
    parts: &[Value],
    container: Option<&str>,
) -> Result<()> {
    if let Some(Value::Array(messages)) = body.get_mut("messages") {
        messages.truncate(own);
        let mut message = Map::new();
        message.insert("role".to_owned(), "assistant".into());
        message.insert("content".to_owned(), Value::Array(memory::values(parts)?));
        messages.push(Value::Object(message));
    }
    if let Some(id) = container {
        match body.get_mut("container") {
            Some(Value::Object(fields)) => {
                fields.insert("id".to_owned(), id.into());
            }
            _ => {
                body.insert("container".to_owned(), id.into());
            }
        }
    }
    Ok(())
}

fn takes(entry: &Value, capability: &str) -> bool {
    let said = entry.pointer(&format!("/capabilities/{capability}/supported"));
    said.and_then(Value::as_bool).unwrap_or(false)
}
