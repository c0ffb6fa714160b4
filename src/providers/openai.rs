//! OpenAI's chat completions, the protocol that most of the field speaks
//! (providers.md 2, dialects.md 3.4 A).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Capabilities, Protocol, Provider};
use crate::call::{Call, Response};
use crate::chunk::{Chunk, ChunkKind, Usage};
use crate::config::{Config, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::media;
use crate::model::Model;
use crate::request::Request;
use crate::transport::{Headers, HttpRequest, Method};
use crate::wire::json::{self, Content, Int, List, Maybe, Text, TextOrJson};

pub(super) fn provider() -> Provider {
    Provider {
        name: "openai",
        label: "OpenAI",
        url: "https://platform.openai.com",
        base_url: "https://api.openai.com/v1",
        default_model: "",
        api_key_env: "OPENAI_API_KEY",
        capabilities: Capabilities::STREAM
            .with(Capabilities::HISTORY)
            .with(Capabilities::SYSTEM)
            .with(Capabilities::TOOLS)
            .with(Capabilities::VISION)
            .with(Capabilities::LIST_MODELS)
            .with(Capabilities::NEEDS_AUTH)
            .with(Capabilities::WORKING),
        keys: &["api_key", "endpoint", "organization"],
        connect: |config| Ok(Box::new(OpenAi::new(config)?)),
    }
}

struct OpenAi {
    /// The whole URL of the chat call: `endpoint`, else below the base URL.
    chat_url: String,
    models_url: String,
    default_model: String,
    api_key: Secret,
    organization: Option<String>,
    /// Models whose servers refuse to be asked for usage (pitfall 16).
    without_usage: Mutex<HashSet<String>>,
}

impl OpenAi {
    fn new(config: &Config) -> Result<OpenAi> {
        let base = &config.base_url;
        let endpoint = config.option("endpoint").map(str::to_owned);
        let default_model = match config.model.as_str() {
            "" => config.provider.default_model,
            model => model,
        };
        Ok(OpenAi {
            chat_url: endpoint.unwrap_or_else(|| format!("{base}/chat/completions")),
            models_url: format!("{base}/models"),
            default_model: default_model.to_owned(),
            api_key: config.credentials()?,
            organization: config.option("organization").map(str::to_owned),
            without_usage: Mutex::new(HashSet::new()),
        })
    }

    fn headers(&self, accept: &str) -> Result<Headers> {
        let mut headers = Headers::default();
        headers.set("Accept", accept)?;
        // Compression makes intermediaries hold tokens back (pitfall 15).
        headers.set("Accept-Encoding", "identity")?;
        if !self.api_key.expose().is_empty() {
            headers.set("Authorization", &format!("Bearer {}", self.api_key.expose()))?;
        }
        if let Some(organization) = &self.organization {
            headers.set("OpenAI-Organization", organization)?;
        }
        Ok(headers)
    }

    fn ask(&self, body: &Map<String, Value>, call: &mut Call<'_>) -> Result<Response> {
        let stream = body.get("stream") == Some(&Value::Bool(true));
        let mut headers =
            self.headers(if stream { "text/event-stream" } else { "application/json" })?;
        headers.set("Content-Type", "application/json")?;
        let body = serde_json::to_vec(body)
            .map_err(|error| Error::new(ErrorKind::Internal, format!("the request: {error}")))?;
        call.send(HttpRequest { method: Method::Post, url: self.chat_url.clone(), headers, body })
    }

    /// Asks for usage at the end of a stream, unless the caller decided about it; where
    /// the server does not know of it, asks again without, now and from now on.
    fn ask_with_usage(
        &self,
        body: &mut Map<String, Value>,
        call: &mut Call<'_>,
    ) -> Result<Response> {
        let model = body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
        let refused = || self.without_usage.lock().unwrap_or_else(PoisonError::into_inner);
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        if refused().contains(&model) {
            body.shift_remove("stream_options");
            return self.ask(body, call);
        }
        match self.ask(body, call) {
            Err(error) if refuses_usage(&error) => {
                refused().insert(model);
                body.shift_remove("stream_options");
                self.ask(body, call)
            }
            answered => answered,
        }
    }
}

impl Protocol for OpenAi {
    fn run(&self, request: &Request, call: &mut Call<'_>) -> Result<()> {
        let mut body = request.to_object();
        let model = request.model().unwrap_or(&self.default_model);
        body.insert("model".to_owned(), model.into());
        body.insert("stream".to_owned(), request.stream().into());
        let response = if request.stream() && !body.contains_key("stream_options") {
            self.ask_with_usage(&mut body, call)?
        } else {
            self.ask(&body, call)?
        };
        let mut events = call.events(response);
        let mut answer = Answer::default();
        while !answer.done && call.next(&mut events)? {
            let event = events.event();
            answer.done = event.is_done();
            if !answer.done {
                answer.take(event.data, call)?;
            }
        }
        answer.end(call)?;
        call.end(events);
        Ok(())
    }

    fn models(&self, call: &mut Call<'_>) -> Result<Vec<Model>> {
        let response = call.send(HttpRequest {
            method: Method::Get,
            url: self.models_url.clone(),
            headers: self.headers("application/json")?,
            body: Vec::new(),
        })?;
        let list = call.document(response)?;
        let entries = list.get("data").or_else(|| list.get("models")).unwrap_or(&list);
        let Some(entries) = entries.as_array() else {
            return Err(call.protocol_error("answered with no list of models"));
        };
        Ok(entries.iter().filter_map(Model::from_entry).collect())
    }
}

fn refuses_usage(error: &Error) -> bool {
    let names = |text: &str| text.contains("stream_options") || text.contains("include_usage");
    matches!(error.http_status(), Some(400 | 422))
        && (names(error.message()) || names(error.body()))
}

/// What has become of an answer so far.
#[derive(Default)]
pub(super) struct Answer {
    started: bool,
    /// The end mark has come.
    done: bool,
    /// The choices that have said something.
    choices: Vec<i32>,
    /// The reason that each finished choice gave.
    finishes: Vec<(i32, String)>,
    calls: Vec<ToolCall>,
    usage: Option<Usage>,
    cited: bool,
}

/// A tool call whose pieces are coming in.
struct ToolCall {
    choice: i32,
    /// Index and id on the wire, where given.
    wire_index: Option<i64>,
    wire_id: String,
    index: i32,
    named: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    choices: List<Choice<'a>>,
    usage: Option<Box<Value>>,
    x_groq: Option<Box<Value>>,
    citations: Option<Box<Value>>,
    // Marks of an error, looked into only where there is one.
    error: Option<IgnoredAny>,
    error_message: Option<IgnoredAny>,
    base_resp: Option<IgnoredAny>,
    #[serde(borrow)]
    object: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice<'a> {
    index: Int,
    /// In a stream.
    #[serde(borrow)]
    delta: Maybe<Message<'a>>,
    /// In a whole answer.
    #[serde(borrow)]
    message: Maybe<Box<Message<'a>>>,
    #[serde(borrow)]
    finish_reason: Text<'a>,
    usage: Option<Box<Value>>,
    error: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    content: Content<'a, Part<'a>>,
    #[serde(borrow)]
    reasoning_content: Text<'a>,
    #[serde(borrow)]
    reasoning: Text<'a>,
    #[serde(borrow)]
    reasoning_details: List<Part<'a>>,
    #[serde(borrow)]
    refusal: Text<'a>,
    #[serde(borrow)]
    tool_calls: List<Piece<'a>>,
    #[serde(borrow)]
    function_call: Maybe<Box<Function<'a>>>,
    #[serde(borrow)]
    audio: Maybe<Box<Audio<'a>>>,
    #[serde(borrow)]
    images: List<Image<'a>>,
    #[serde(borrow)]
    annotations: List<Annotation<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    summary: Text<'a>,
    #[serde(borrow)]
    refusal: Text<'a>,
    #[serde(borrow)]
    thinking: Content<'a, Thought<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Thought<'a> {
    #[serde(borrow)]
    text: Text<'a>,
}

/// A piece of a tool call.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece<'a> {
    index: Int,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    function: Maybe<Function<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Function<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    arguments: TextOrJson<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Audio<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(borrow)]
    transcript: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Image<'a> {
    #[serde(borrow)]
    image_url: Maybe<Link<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotation<'a> {
    #[serde(borrow)]
    url_citation: Maybe<Link<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Link<'a> {
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
}

impl Event<'_> {
    /// Whether there is anything that needs a closer look.
    fn may_be_error(&self) -> bool {
        let marks = [&self.error, &self.error_message, &self.base_resp];
        marks.iter().any(|mark| mark.is_some())
            || &*self.object == "error"
            || self.choices.iter().any(|choice| choice.error.is_some())
    }
}

impl Answer {
    /// Takes one event, or a whole answer, which has the same shape.
    pub(super) fn take(&mut self, data: &[u8], call: &mut Call<'_>) -> Result<()> {
        if data.trim_ascii().is_empty() {
            return Ok(());
        }
        let error = match serde_json::from_slice::<Maybe<Event<'_>>>(data) {
            Ok(Maybe(Some(event))) if !event.may_be_error() => {
                self.take_event(&event, call);
                return Ok(());
            }
            Ok(_) => None,
            Err(error) => Some(error),
        };
        // An error, something that is no event, or JSON that has to be mended.
        let value = match error {
            None => serde_json::from_slice(data).unwrap_or_default(),
            Some(error) => json::repair(data, &error)?,
        };
        let choices = value.get("choices").and_then(Value::as_array).into_iter().flatten();
        if let Some(error) =
            [&value].into_iter().chain(choices).find_map(|part| call.error_in(part))
        {
            return Err(error);
        }
        if let Ok(Maybe(Some(event))) = Maybe::<Event<'_>>::deserialize(&value) {
            self.take_event(&event, call);
        }
        Ok(())
    }

    fn take_event(&mut self, event: &Event<'_>, call: &mut Call<'_>) {
        let says = !event.id.is_empty() || !event.model.is_empty() || !event.choices.is_empty();
        if !self.started && says {
            self.started = true;
            call.start(&event.id, &event.model);
        }
        for choice in event.choices.iter() {
            self.take_choice(choice, call);
        }
        self.take_citations(event.citations.as_deref(), call);
        let groq = event.x_groq.as_deref().and_then(|groq| groq.get("usage"));
        for usage in groq.into_iter().chain(event.usage.as_deref()) {
            self.usage = usage_of(usage).or(self.usage);
        }
    }

    fn take_choice(&mut self, choice: &Choice<'_>, call: &mut Call<'_>) {
        let number = choice.index.0.and_then(|index| i32::try_from(index).ok()).unwrap_or(0);
        if !self.choices.contains(&number) {
            self.choices.push(number);
        }
        for message in choice.delta.0.iter().chain(choice.message.0.as_deref()) {
            self.take_message(number, message, call);
        }
        self.usage = choice.usage.as_deref().and_then(usage_of).or(self.usage);
        // A whole answer is finished even where nobody says why.
        if !choice.finish_reason.is_empty() || choice.message.0.is_some() {
            self.finishes.retain(|(finished, _)| *finished != number);
            self.finishes.push((number, choice.finish_reason.to_string()));
        }
    }

    fn take_message(&mut self, choice: i32, message: &Message<'_>, call: &mut Call<'_>) {
        take_reasoning(choice, message, call);
        call.text(choice, &message.content.text);
        for part in message.content.parts.iter() {
            call.text(choice, if &*part.kind == "thinking" { "" } else { &part.text });
            call.refusal(choice, &part.refusal);
        }
        call.refusal(choice, &message.refusal);
        for piece in message.tool_calls.iter() {
            let function = piece.function.0.as_ref();
            self.take_tool_call(choice, piece.index.0, &piece.id, function, call);
        }
        if let Some(function) = message.function_call.0.as_deref() {
            self.take_tool_call(choice, Some(0), "", Some(function), call);
        }
        if let Some(audio) = &message.audio.0 {
            let bytes = media::decode_base64(&audio.data).unwrap_or_default();
            let text = &*audio.transcript;
            if !bytes.is_empty() || !text.is_empty() {
                let chunk = Chunk::new(ChunkKind::Audio);
                call.take(&Chunk { choice, text, id: &audio.id, bytes: &bytes, ..chunk });
            }
        }
        let links = message.images.iter().filter_map(|image| image.image_url.0.as_ref());
        for (link, index) in links.zip(0..) {
            take_image(choice, index, &link.url, call);
        }
        for link in message.annotations.iter().filter_map(|note| note.url_citation.0.as_ref()) {
            let chunk = Chunk::new(ChunkKind::Source);
            call.take(&Chunk { choice, text: &link.url, name: &link.title, ..chunk });
        }
    }

    /// Pieces belong to the call of their index, else of their id, else to the latest. A
    /// new id, or a name where nothing else tells, begins a new call (pitfall 8).
    fn take_tool_call(
        &mut self,
        choice: i32,
        wire_index: Option<i64>,
        wire_id: &str,
        function: Option<&Function<'_>>,
        call: &mut Call<'_>,
    ) {
        let name = function.map_or("", |function| &*function.name);
        let text = function.map_or("", |function| &*function.arguments.0);
        let ours = |known: &&mut ToolCall| known.choice == choice;
        let known = self.calls.iter_mut().rev().filter(ours).find(|known| match wire_index {
            Some(_) => known.wire_index == wire_index,
            None if !wire_id.is_empty() => known.wire_id == wire_id,
            None => name.is_empty(),
        });
        let another = |known: &ToolCall| {
            !wire_id.is_empty() && !known.wire_id.is_empty() && known.wire_id != wire_id
        };
        if let Some(known) = known.filter(|known| !another(known)) {
            let name = if known.named { "" } else { name };
            known.named |= !name.is_empty();
            if !name.is_empty() || !text.is_empty() {
                let index = known.index;
                call.take(&Chunk { choice, index, text, name, ..Chunk::new(ChunkKind::ToolCall) });
            }
            return;
        }
        let index = self.calls.iter().filter(|known| known.choice == choice).count();
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        let made_up = if wire_id.is_empty() {
            format!("call_{}", Uuid::new_v4().simple())
        } else {
            String::new()
        };
        let id = if wire_id.is_empty() { &made_up } else { wire_id };
        self.calls.push(ToolCall {
            choice,
            wire_index,
            wire_id: wire_id.to_owned(),
            index,
            named: !name.is_empty(),
        });
        call.take(&Chunk { choice, index, text, id, name, ..Chunk::new(ChunkKind::ToolCall) });
    }

    /// Perplexity and xAI repeat their sources in every event.
    fn take_citations(&mut self, citations: Option<&Value>, call: &mut Call<'_>) {
        let Some(citations) = citations.and_then(Value::as_array).filter(|_| !self.cited) else {
            return;
        };
        self.cited = !citations.is_empty();
        for (text, index) in citations.iter().filter_map(Value::as_str).zip(0..) {
            call.take(&Chunk { index, text, ..Chunk::new(ChunkKind::Source) });
        }
    }

    /// Gives usage and the reasons at the end: whoever reads on to a finish has it all.
    ///
    /// An answer is at its end with the end mark, or where every choice gave a reason.
    pub(super) fn end(mut self, call: &mut Call<'_>) -> Result<()> {
        for choice in std::mem::take(&mut self.choices) {
            if !self.finishes.iter().any(|(finished, _)| *finished == choice) {
                if !self.done {
                    self.finishes.clear();
                    break;
                }
                self.finishes.push((choice, String::new()));
            }
        }
        if self.finishes.is_empty() {
            if !self.done {
                return Err(call.truncated());
            }
            self.finishes.push((0, String::new()));
        }
        if let Some(usage) = self.usage {
            call.usage(usage);
        }
        self.finishes.sort_by_key(|(choice, _)| *choice);
        for (choice, raw) in &self.finishes {
            let calls = self.calls.iter().any(|known| known.choice == *choice);
            match finish_reason(raw, calls) {
                Some(reason) => call.finish(*choice, reason, raw),
                None => return Err(call.failed(raw)),
            }
        }
        Ok(())
    }
}

/// The first of the names of reasoning that says something.
fn take_reasoning(choice: i32, message: &Message<'_>, call: &mut Call<'_>) {
    if !message.reasoning_content.is_empty() {
        return call.reasoning(choice, &message.reasoning_content, "reasoning_content");
    }
    if !message.reasoning.is_empty() {
        return call.reasoning(choice, &message.reasoning, "reasoning");
    }
    for detail in message.reasoning_details.iter() {
        let text = if detail.text.is_empty() { &detail.summary } else { &detail.text };
        call.reasoning(choice, text, "reasoning");
    }
    for part in message.content.parts.iter().filter(|part| &*part.kind == "thinking") {
        call.reasoning(choice, &part.thinking.text, "thinking");
        for thought in part.thinking.parts.iter() {
            call.reasoning(choice, &thought.text, "thinking");
        }
    }
}

fn take_image(choice: i32, index: i32, url: &str, call: &mut Call<'_>) {
    let chunk = Chunk { choice, index, ..Chunk::new(ChunkKind::Image) };
    match media::decode_data_url(url) {
        Some((mime, bytes)) => {
            let mime = media::sniff(&bytes).unwrap_or(&mime);
            call.take(&Chunk { mime, bytes: &bytes, ..chunk });
        }
        None => call.take(&Chunk { text: url, ..chunk }),
    }
}

/// Token counts in any of the spellings in use; `None` where none is given.
pub(super) fn usage_of(usage: &Value) -> Option<Usage> {
    if !usage.is_object() {
        return None;
    }
    let count = |paths: &[&str]| {
        let found = paths.iter().find_map(|path| usage.pointer(path)?.as_i64());
        found.map_or(-1, |count| count.max(0))
    };
    let mut counts = Usage {
        input: count(&[
            "/prompt_tokens",
            "/input_tokens",
            "/promptTokens",
            "/promptTokenCount",
            "/prompt",
        ]),
        output: count(&[
            "/completion_tokens",
            "/output_tokens",
            "/completionTokens",
            "/candidatesTokenCount",
            "/completion",
        ]),
        total: count(&["/total_tokens", "/totalTokenCount"]),
        cached_input: count(&[
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens",
            "/cached_tokens",
            "/precached_prompt_tokens",
        ]),
        reasoning: count(&[
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
            "/reasoning_tokens",
        ]),
    };
    if counts == Usage::default() {
        return None;
    }
    if counts.total < 0 && counts.input >= 0 && counts.output >= 0 {
        counts.total = counts.input.saturating_add(counts.output);
    }
    Some(counts)
}

/// OpenAI's word for a reason; `None` where the reason is a failure (dialects.md 3.6).
pub(super) fn finish_reason(raw: &str, calls: bool) -> Option<&str> {
    Some(match raw {
        "" | "stop" | "eos" | "end_turn" | "stop_sequence" | "COMPLETE" | "STOP" => {
            if calls {
                "tool_calls"
            } else {
                "stop"
            }
        }
        "length" | "max_tokens" | "MAX_TOKENS" | "model_length" | "max_output_tokens" => "length",
        "tool_calls" | "tool_use" | "TOOL_CALL" | "function_call" => "tool_calls",
        "content_filter" | "refusal" | "content_filtered" | "sensitive" | "blacklist"
        | "SAFETY" => "content_filter",
        "error"
        | "ERROR"
        | "TIMEOUT"
        | "network_error"
        | "abort"
        | "insufficient_system_resource" => {
            return None;
        }
        other => other,
    })
}
