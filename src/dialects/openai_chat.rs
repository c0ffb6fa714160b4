//! OpenAI's chat completions, the dialect that most of the field speaks.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::shared::chat::ChatReader;
use super::shared::embeddings;
use super::shared::families::{self, House};
use super::shared::images::Images;
use super::shared::models;
use super::{Dialect, read};
use crate::answer::Answer;
use crate::attempt::heal::Healer;
use crate::attempt::{Attempt, Response};
use crate::capabilities::Capabilities;
use crate::config::Config;
use crate::error::{ErrorKind, Result};
use crate::http::Headers;
use crate::model::Model;
use crate::prompt;
use crate::raw::Raw;
use crate::request::Request;
use crate::secret::Secret;

pub(super) struct OpenAiChat {
    config: Config,
    /// The whole URL of the chat call: `endpoint`, else below the base URL.
    chat_url: String,
    api_key: Secret,
    healer: Healer,
    /// Models that make images, as the server's list said when the program asked for it.
    painters: Mutex<HashSet<String>>,
}

impl OpenAiChat {
    pub(super) fn new(config: &Config) -> Result<OpenAiChat> {
        let endpoint = config.option("endpoint").map(str::to_owned);
        Ok(OpenAiChat {
            config: config.clone(),
            chat_url: endpoint.unwrap_or_else(|| config.url("/chat/completions")),
            api_key: config.credentials()?,
            healer: Healer::new(config),
            painters: Mutex::default(),
        })
    }

    fn headers(&self, accept: &str) -> Result<Headers> {
        let mut headers = Headers::default();
        headers.set("Accept", accept)?;
        // Compression makes intermediaries hold tokens back.
        headers.set("Accept-Encoding", "identity")?;
        if !self.api_key.expose().is_empty() {
            headers.set("Authorization", &format!("Bearer {}", self.api_key.expose()))?;
        }
        if let Some(organization) = self.config.option("organization") {
            headers.set("OpenAI-Organization", organization)?;
        }
        Ok(headers)
    }

    fn post(
        &self,
        url: &str,
        accept: &str,
        body: &mut Map<String, Value>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response> {
        let mut headers = self.headers(accept)?;
        headers.set("Content-Type", "application/json")?;
        self.healer.post(url, &headers, body, attempt)
    }

    /// Sends the chat call. Its body and its stack are gone before the answer is waited for.
    #[inline(never)]
    fn ask(&self, model: &str, request: &Request, attempt: &mut Attempt<'_>) -> Result<Response> {
        let house = House::of(&self.chat_url);
        let mut body = body_of(request, model, house)?;
        if self.config.heal && house.has_openais_models() {
            fit_to_model(&mut body, model, &mut |field, what| attempt.changed(field, what));
        }
        let accept = if request.stream() { "text/event-stream" } else { "application/json" };
        self.post(&self.chat_url, accept, &mut body, attempt)
    }

    fn chat(
        &self,
        model: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let response = self.ask(model, request, attempt)?;
        let think = self.config.option("think_tags") == Some("true");
        let reader = if think { ChatReader::thinking_in_tags() } else { ChatReader::new() };
        let format = request.field("audio").and_then(|audio| audio.get("format")?.as_str());
        let mut reader = reader.with_audio(format.unwrap_or_default());
        read(response, &mut reader, attempt, answer)?;
        answer.finish()
    }

    /// Whether `request` is for an image: it says so, or its model is one that makes them.
    fn is_for_image(&self, model: &str, request: &Request) -> bool {
        const PAINTERS: &[&str] =
            &["dall-e", "gpt-image", "chatgpt-image", "imagen", "flux", "stable-diffusion"];
        let painters = self.painters.lock().unwrap_or_else(PoisonError::into_inner);
        painters.contains(model)
            || request
                .field("prompt")
                .and_then(Value::as_str)
                .is_some_and(|prompt| !prompt.is_empty())
            || PAINTERS.iter().any(|painter| model.starts_with(painter))
    }

    /// Asks for an image.
    fn paint(
        &self,
        model: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let mut body = request.to_object()?;
        for name in ["messages", "stream", "stream_options"] {
            body.shift_remove(name);
        }
        let prompt = request.field("prompt").and_then(Value::as_str).map(str::to_owned);
        let prompt = prompt
            .filter(|prompt| !prompt.is_empty())
            .unwrap_or_else(|| prompt::last_user_message(request.messages()));
        body.insert("prompt".to_owned(), prompt.into());
        body.insert("model".to_owned(), model.into());
        let ratio = body.shift_remove("aspect_ratio");
        if let Some((width, height)) =
            ratio.as_ref().and_then(Value::as_str).and_then(size_of_ratio)
        {
            body.entry("width").or_insert(width.into());
            body.entry("height").or_insert(height.into());
        }
        let url = self.config.url("/images/generations");
        let response = self.post(&url, "application/json", &mut body, attempt)?;
        read(response, &mut Images::default(), attempt, answer)?;
        answer.finish()
    }

    fn list(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Model>> {
        let url = self.config.url("/models");
        let models = models::list(&url, self.headers("application/json")?, attempt)?;
        let painters = models.iter().filter(|model| model.capabilities.has(Capabilities::IMAGES));
        let painters = painters.map(|model| model.id.clone()).collect();
        *self.painters.lock().unwrap_or_else(PoisonError::into_inner) = painters;
        Ok(models)
    }
}

impl Dialect for OpenAiChat {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        attempt.hide(&self.api_key);
        let model = self.config.model_for(request);
        answer.asked(request, model);
        match self.is_for_image(model, request) {
            true => self.paint(model, request, attempt, answer),
            false => self.chat(model, request, attempt, answer),
        }
    }

    fn embed(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        attempt.hide(&self.api_key);
        let mut body = embeddings::body(request, &self.config, answer)?;
        let url = self.config.url("/embeddings");
        let response = self.post(&url, "application/json", &mut body, attempt)?;
        embeddings::read(response, request, attempt, answer)
    }

    fn send_raw(&self, raw: &Raw, attempt: &mut Attempt<'_>) -> Result<Response> {
        attempt.hide(&self.api_key);
        attempt.send(raw.request(self.headers("*/*")?)?)
    }

    fn models(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Model>> {
        attempt.hide(&self.api_key);
        let listed = self.list(attempt);
        match (&listed, self.config.option("fallback_models")) {
            (Err(error), Some(names)) if error.kind() != ErrorKind::Cancelled => {
                let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
                Ok(names.map(Model::named).collect())
            }
            _ => listed,
        }
    }
}

/// The body of the chat call.
fn body_of(request: &Request, model: &str, house: House) -> Result<Map<String, Value>> {
    let mut body = request.to_object()?;
    body.insert("model".to_owned(), model.into());
    body.insert("stream".to_owned(), request.stream().into());
    hoist_conversation(&mut body);
    if request.stream() {
        // Usage comes at the end of a stream, where it is asked for. OpenAI fills its events up
        // to hide their lengths from who listens to TLS, which doubles them.
        let options = match house {
            House::OpenAi => json!({"include_usage": true, "include_obfuscation": false}),
            _ => json!({"include_usage": true}),
        };
        body.entry("stream_options").or_insert(options);
    }
    if house == House::Mistral {
        speak_mistrals(&mut body);
    }
    Ok(body)
}

/// Mistral has another name for the seed, and takes no ids of tool calls but its own kind.
fn speak_mistrals(body: &mut Map<String, Value>) {
    if let Some(seed) = body.shift_remove("seed") {
        body.entry("random_seed").or_insert(seed);
    }
    let rename = |id: &mut Value| {
        if let Some(short) = id.as_str().map(families::mistral_call_id) {
            *id = short.into();
        }
    };
    for message in families::messages(body) {
        message.get_mut("tool_call_id").into_iter().for_each(rename);
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        calls.into_iter().flatten().filter_map(|call| call.get_mut("id")).for_each(rename);
    }
}

/// Changes what OpenAI's reasoning models are known to refuse.
fn fit_to_model(body: &mut Map<String, Value>, model: &str, changed: &mut dyn FnMut(&str, &str)) {
    const SAMPLING: &[&str] = &[
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
        "logit_bias",
    ];
    let Some(version) = families::reasoning_version(model) else { return };
    if let Some(most) = body.shift_remove("max_tokens") {
        body.entry("max_completion_tokens").or_insert(most);
        changed("max_tokens", "sent as max_completion_tokens");
    }
    let mut has_system = false;
    for role in families::messages(body).filter_map(|message| message.get_mut("role")) {
        if *role == "system" {
            *role = "developer".into();
            has_system = true;
        }
    }
    if has_system {
        changed("messages", "role \"system\" sent as \"developer\"");
    }
    let effort = body.get("reasoning_effort").and_then(Value::as_str);
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let has_functions = tools.into_iter().any(|tool| tool.get("function").is_some());
    if has_functions && families::refuses_tools_in_chat(model, effort) {
        body.insert("reasoning_effort".to_owned(), "none".into());
        changed("reasoning_effort", "set to \"none\", because the request has function tools");
    }
    let effort = body.get("reasoning_effort").and_then(Value::as_str);
    if !families::takes_sampling(version, effort) {
        for field in SAMPLING {
            if body.shift_remove(*field).is_some() {
                changed(field, "left out: the model does not take it");
            }
        }
    }
}

/// A conversation that the last reply brought is the request's own field.
fn hoist_conversation(body: &mut Map<String, Value>) {
    let messages = body.get_mut("messages").and_then(Value::as_array_mut);
    let kept = messages.into_iter().flatten().filter_map(|message| {
        message.as_object_mut().and_then(|message| message.shift_remove("conversation"))
    });
    if let Some(conversation) = kept.last() {
        body.entry("conversation").or_insert(conversation);
    }
}

/// Width and height of an aspect ratio.
fn size_of_ratio(ratio: &str) -> Option<(u32, u32)> {
    Some(match ratio {
        "16:9" => (1024, 576),
        "9:16" => (576, 1024),
        "1:1" => (1024, 1024),
        "4:3" => (1024, 768),
        "3:4" => (768, 1024),
        "3:2" => (1024, 682),
        "2:3" => (682, 1024),
        "21:9" => (1024, 440),
        "9:21" => (440, 1024),
        "4:5" => (832, 1040),
        "5:4" => (1040, 832),
        "2:1" => (1024, 512),
        "1:2" => (512, 1024),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aspect_ratios_have_their_sizes() {
        for (ratio, size) in [
            ("16:9", (1024, 576)),
            ("9:16", (576, 1024)),
            ("1:1", (1024, 1024)),
            ("4:3", (1024, 768)),
            ("3:4", (768, 1024)),
            ("3:2", (1024, 682)),
            ("2:3", (682, 1024)),
            ("21:9", (1024, 440)),
            ("9:21", (440, 1024)),
            ("4:5", (832, 1040)),
            ("5:4", (1040, 832)),
            ("2:1", (1024, 512)),
            ("1:2", (512, 1024)),
        ] {
            assert_eq!(size_of_ratio(ratio), Some(size), "{ratio}");
        }
        assert_eq!(size_of_ratio("7:3"), None);
    }
}
