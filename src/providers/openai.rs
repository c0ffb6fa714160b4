//! OpenAI's chat completions, the protocol that most of the field speaks
//! (providers.md 2, dialects.md 3.4 A).

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::state::States;
use super::tags::{Files, Think};
use super::{Capabilities, Protocol, Provider};
use crate::call::{Call, Response};
use crate::chunk::{Chunk, ChunkKind, Usage};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::media;
use crate::memory;
use crate::model::Model;
use crate::prompt;
use crate::request::Request;
use crate::secret::Secret;
use crate::transport::{Headers, HttpRequest};
use crate::wire::json::{Content, Int, List, Maybe, Text, TextOrJson};

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
            .with(Capabilities::IMAGES)
            .with(Capabilities::LIST_MODELS)
            .with(Capabilities::NEEDS_AUTH)
            .with(Capabilities::WORKING),
        keys: &["api_key", "endpoint", "organization", "think_tags", "fallback_models"],
        extra_root: None,
        connect: |config| Ok(Box::new(OpenAi::new(config)?)),
    }
}

struct OpenAi {
    config: Config,
    /// The whole URL of the chat call: `endpoint`, else below the base URL.
    chat_url: String,
    api_key: Secret,
    /// Models whose servers refuse to be asked for usage (pitfall 16).
    without_usage: Mutex<HashSet<String>>,
    /// Models that make images, as the server's list said when the program asked for it.
    painters: Mutex<HashSet<String>>,
}

impl OpenAi {
    fn new(config: &Config) -> Result<OpenAi> {
        let endpoint = config.option("endpoint").map(str::to_owned);
        Ok(OpenAi {
            config: config.clone(),
            chat_url: endpoint.unwrap_or_else(|| config.url("/chat/completions")),
            api_key: config.credentials()?,
            without_usage: Mutex::default(),
            painters: Mutex::default(),
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
        if let Some(organization) = self.config.option("organization") {
            headers.set("OpenAI-Organization", organization)?;
        }
        Ok(headers)
    }

    fn ask(&self, body: &Map<String, Value>, call: &mut Call<'_>) -> Result<Response> {
        let stream = body.get("stream") == Some(&Value::Bool(true));
        self.post(
            &self.chat_url,
            if stream { "text/event-stream" } else { "application/json" },
            body,
            call,
        )
    }

    fn post(
        &self,
        url: &str,
        accept: &str,
        body: &Map<String, Value>,
        call: &mut Call<'_>,
    ) -> Result<Response> {
        let mut headers = self.headers(accept)?;
        headers.set("Content-Type", "application/json")?;
        call.send(HttpRequest::post_json(url, headers, body)?)
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

impl OpenAi {
    fn chat(&self, model: &str, request: &Request, call: &mut Call<'_>) -> Result<()> {
        let mut body = request.to_object()?;
        body.insert("model".to_owned(), model.into());
        body.insert("stream".to_owned(), request.stream().into());
        hoist_conversation(&mut body);
        let response = if request.stream() && !body.contains_key("stream_options") {
            self.ask_with_usage(&mut body, call)?
        } else {
            self.ask(&body, call)?
        };
        let think = self.config.option("think_tags") == Some("true");
        let mut answer = if think { Answer::thinking_in_tags(model) } else { Answer::of(model) };
        answer.read_to_end(response, call)?;
        answer.finish(call)
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

    /// Asks for an image (providers.md 2.9).
    fn paint(&self, model: &str, request: &Request, call: &mut Call<'_>) -> Result<()> {
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
        let response = self.post(&url, "application/json", &body, call)?;
        let answer = call.document(response)?;
        take_images(&answer, model, call)
    }

    fn list(&self, call: &mut Call<'_>) -> Result<Vec<Model>> {
        let url = self.config.url("/models");
        let response = call.send(HttpRequest::get(&url, self.headers("application/json")?))?;
        let list = call.aside(response)?;
        let entries = list.get("data").or_else(|| list.get("models")).unwrap_or(&list);
        let Some(entries) = entries.as_array() else {
            return Err(call.protocol_error("answered with no list of models"));
        };
        let models: Vec<Model> = entries.iter().filter_map(Model::from_entry).collect();
        let painters = models.iter().filter(|model| model.capabilities.has(Capabilities::IMAGES));
        let painters = painters.map(|model| model.id.clone()).collect();
        *self.painters.lock().unwrap_or_else(PoisonError::into_inner) = painters;
        Ok(models)
    }
}

impl Protocol for OpenAi {
    fn run(&self, request: &Request, call: &mut Call<'_>) -> Result<()> {
        call.hide(&self.api_key);
        let model = self.config.model_for(request);
        if self.is_for_image(model, request) {
            return self.paint(model, request, call);
        }
        self.chat(model, request, call)
    }

    fn models(&self, call: &mut Call<'_>) -> Result<Vec<Model>> {
        call.hide(&self.api_key);
        let listed = self.list(call);
        match (&listed, self.config.option("fallback_models")) {
            (Err(error), Some(names)) if error.kind() != ErrorKind::Cancelled => {
                let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
                Ok(names.map(Model::named).collect())
            }
            _ => listed,
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

/// Width and height of an aspect ratio (providers.md 2.9).
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

/// The images of an answer to `/images/generations`.
pub(super) fn take_images(answer: &Value, model: &str, call: &mut Call<'_>) -> Result<()> {
    let items = answer.get("data").and_then(Value::as_array).filter(|items| !items.is_empty());
    let Some(items) = items else {
        return Err(call.protocol_error("answered without an image"));
    };
    let text = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    call.start("", &text(answer, "model").unwrap_or_else(|| model.to_owned()));
    for item in items {
        // One image at a time is held.
        call.flush()?;
        let prompt = text(item, "revised_prompt").unwrap_or_default();
        let data = item.get("b64_json").and_then(Value::as_str);
        let bytes = data.map(media::decode_base64).transpose()?.flatten();
        match (bytes, text(item, "url")) {
            (Some(bytes), _) => call.image(0, &bytes, &prompt),
            (None, Some(url)) => call.image_at(0, &url, &prompt),
            (None, None) => return Err(call.protocol_error("answered with an image that is none")),
        }
    }
    if let Some(usage) = answer.get("usage").and_then(usage_of) {
        call.usage(usage);
    }
    call.finish(0, "stop", "");
    Ok(())
}

fn refuses_usage(error: &Error) -> bool {
    let names = |text: &str| text.contains("stream_options") || text.contains("include_usage");
    matches!(error.http_status(), Some(400 | 422))
        && (names(error.message()) || names(error.body()))
}

/// How the text of an answer is read.
enum Reading {
    AsItIs,
    /// Reasoning stands between tags, for each choice.
    ThinkTags(Vec<(i32, Think)>),
    /// Tags show files.
    FileTags(Files),
}

/// What has become of an answer so far.
pub(super) struct Answer {
    /// Named where the answer itself names none.
    model: String,
    reading: Reading,
    started: bool,
    /// The end mark has come.
    done: bool,
    /// A piece has come: whole messages now only repeat what was said.
    in_pieces: bool,
    /// The choices that have said something.
    choices: Vec<i32>,
    /// The reason that each finished choice gave.
    finishes: Vec<(i32, String)>,
    calls: Vec<ToolCall>,
    /// The function call of each choice, held while tool calls may come instead of it.
    functions: Vec<FunctionCall>,
    /// What the provider wants back, of each choice.
    states: States,
    usage: Option<Usage>,
    cited: bool,
    /// Files that the text shows, in their order.
    files: Vec<String>,
    /// Base64 of audio that more is to come of.
    audio: String,
    /// There were more choices, tool calls or files than are told apart (pitfall 26).
    too_many: bool,
}

/// A tool call whose pieces are coming in.
struct ToolCall {
    choice: i32,
    /// Index and id on the wire, where given.
    wire_index: Option<i64>,
    wire_id: String,
    /// The one that the program knows it by.
    id: String,
    index: i32,
    named: bool,
}

/// What the provider wants back with a tool call.
#[derive(Serialize)]
struct StateOfCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_specific_fields: Option<&'a Value>,
    id: &'a str,
}

/// A call in the legacy field `function_call`. Some servers send it in addition to the same
/// call in `tool_calls`, which is then the one that counts.
struct FunctionCall {
    choice: i32,
    id: String,
    name: String,
    arguments: String,
}

/// The wire index of a function call among tool calls, which have none below 0.
const FUNCTION_CALL: i64 = -1;

/// Longer arguments of a function call are not held: no tool calls come after so much.
const LONGEST_HELD: usize = 64 * 1024;

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
    conversation: Option<Box<Value>>,
    // Marks of an error, looked into only where there is one.
    error: Option<IgnoredAny>,
    error_message: Option<IgnoredAny>,
    base_resp: Option<IgnoredAny>,
    #[serde(borrow)]
    object: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
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
    /// In a completion that is older than chat.
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    finish_reason: Text<'a>,
    usage: Option<Box<Value>>,
    error: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow)]
    content: Content<'a, Part<'a>>,
    #[serde(borrow)]
    reasoning_content: Text<'a>,
    #[serde(borrow)]
    reasoning: Text<'a>,
    /// OpenRouter's, and LiteLLM's: blocks of reasoning, which it wants back.
    reasoning_details: List<Map<String, Value>>,
    thinking_blocks: List<Map<String, Value>>,
    #[serde(borrow)]
    refusal: Text<'a>,
    #[serde(borrow)]
    tool_calls: List<Piece<'a>>,
    #[serde(borrow)]
    function_call: Maybe<Box<Function<'a>>>,
    /// GigaChat's id of that call.
    #[serde(borrow)]
    functions_state_id: Text<'a>,
    #[serde(borrow)]
    audio: Maybe<Box<Audio<'a>>>,
    #[serde(borrow)]
    images: List<Image<'a>>,
    #[serde(borrow)]
    annotations: List<Annotation<'a>>,
}

impl Message<'_> {
    fn says(&self) -> bool {
        let texts = [
            &self.content.text,
            &self.reasoning_content,
            &self.reasoning,
            &self.refusal,
            &self.functions_state_id,
        ];
        texts.iter().any(|text| !text.is_empty())
            || [self.content.parts.len(), self.reasoning_details.len(), self.tool_calls.len()]
                .iter()
                .chain(&[self.thinking_blocks.len(), self.images.len(), self.annotations.len()])
                .any(|count| *count > 0)
            || self.function_call.0.is_some()
            || self.audio.0.is_some()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    refusal: Text<'a>,
    #[serde(borrow)]
    thinking: Content<'a, Thought<'a>>,
    #[serde(borrow)]
    signature: Text<'a>,
}

impl Part<'_> {
    /// A part that is reasoning, as the provider wants it back.
    fn as_thinking(&self) -> Option<Map<String, Value>> {
        if &*self.kind != "thinking" {
            return None;
        }
        let text = |thought: &Thought<'_>| json!({"type": "text", "text": &*thought.text});
        let thinking = match self.thinking.parts.is_empty() {
            true => json!(&*self.thinking.text),
            false => self.thinking.parts.iter().map(text).collect(),
        };
        let mut block = Map::new();
        block.insert("type".to_owned(), "thinking".into());
        block.insert("thinking".to_owned(), thinking);
        if !self.signature.is_empty() {
            block.insert("signature".to_owned(), (*self.signature).into());
        }
        Some(block)
    }
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
    /// Gemini's and LiteLLM's: the signature of the reasoning that led to the call.
    extra_content: Option<Box<Value>>,
    provider_specific_fields: Option<Box<Value>>,
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
            || [&self.object, &self.kind].iter().any(|kind| &***kind == "error")
            || self.choices.iter().any(|choice| choice.error.is_some())
    }
}

impl Answer {
    pub(super) fn of(model: &str) -> Answer {
        Answer {
            model: model.to_owned(),
            reading: Reading::AsItIs,
            started: false,
            done: false,
            in_pieces: false,
            choices: Vec::new(),
            finishes: Vec::new(),
            calls: Vec::new(),
            functions: Vec::new(),
            states: States::new(),
            usage: None,
            cited: false,
            files: Vec::new(),
            audio: String::new(),
            too_many: false,
        }
    }

    /// An answer whose reasoning stands between `<think>` and `</think>`.
    pub(super) fn thinking_in_tags(model: &str) -> Answer {
        Answer { reading: Reading::ThinkTags(Vec::new()), ..Answer::of(model) }
    }

    /// An answer whose text shows files.
    pub(super) fn showing_files(model: &str) -> Answer {
        Answer { reading: Reading::FileTags(Files::default()), ..Answer::of(model) }
    }

    /// Reads the answer to its end, all but usage and the reasons: what else there is to
    /// deliver comes before them.
    pub(super) fn read_to_end(&mut self, response: Response, call: &mut Call<'_>) -> Result<()> {
        let mut events = call.events(response);
        while !self.done && call.next(&mut events)? {
            let event = events.event();
            if event.name == b"error" {
                return Err(call.error_of(event));
            }
            self.done = event.is_done();
            if !self.done {
                self.take(event.data, call)?;
            }
        }
        self.close(call)?;
        call.end(events);
        Ok(())
    }

    /// The files that the text showed.
    pub(super) fn files(&mut self) -> Vec<String> {
        std::mem::take(&mut self.files)
    }

    /// Takes one event, or a whole answer, which has the same shape.
    pub(super) fn take(&mut self, data: &[u8], call: &mut Call<'_>) -> Result<()> {
        if data.trim_ascii().is_empty() {
            return Ok(());
        }
        if let Ok(Maybe(Some(event))) = serde_json::from_slice::<Maybe<Event<'_>>>(data) {
            if !event.may_be_error() {
                return self.take_event(&event, call);
            }
        }
        // An error, something that is no event, or JSON that has to be mended.
        let value: Value =
            serde_json::from_slice(data).or_else(|error| call.repair(data, &error))?;
        // Some put the whole answer in a list.
        let value = match value {
            Value::Array(items) => items.into_iter().next().unwrap_or_default(),
            value => value,
        };
        let choices = value.get("choices").and_then(Value::as_array).into_iter().flatten();
        if let Some(error) =
            [&value].into_iter().chain(choices).find_map(|part| call.error_in(part))
        {
            return Err(error);
        }
        match Maybe::<Event<'_>>::deserialize(&value) {
            Ok(Maybe(Some(event))) => self.take_event(&event, call),
            _ => Ok(()),
        }
    }

    fn take_event(&mut self, event: &Event<'_>, call: &mut Call<'_>) -> Result<()> {
        let says = !event.id.is_empty() || !event.model.is_empty() || !event.choices.is_empty();
        if !self.started && says {
            self.started = true;
            let model = if event.model.is_empty() { &self.model } else { &*event.model };
            call.start(&event.id, model);
        }
        for choice in event.choices.iter() {
            self.take_choice(choice, call);
        }
        if let Some(conversation) = &event.conversation {
            call.state(0, &BTreeMap::from([("conversation", conversation)]));
        }
        self.take_citations(event.citations.as_deref(), call);
        let groq = event.x_groq.as_deref().and_then(|groq| groq.get("usage"));
        for usage in groq.into_iter().chain(event.usage.as_deref()) {
            self.usage = usage_of(usage).or(self.usage);
        }
        match self.too_many {
            true => Err(call.too_many_calls()),
            false => Ok(()),
        }
    }

    fn take_choice(&mut self, choice: &Choice<'_>, call: &mut Call<'_>) {
        let number = choice.index.0.and_then(|index| i32::try_from(index).ok()).unwrap_or(0);
        if !self.choices.contains(&number) {
            // Nobody asks for so many: they are looked through one by one (pitfall 26).
            self.too_many |= self.choices.len() >= call.max_tool_calls();
            if self.too_many {
                return;
            }
            self.choices.push(number);
        }
        let delta = choice.delta.0.as_ref();
        self.in_pieces |= delta.is_some_and(Message::says);
        // Perplexity repeats all that was said beside each piece, MiniMax behind the last,
        // Together the piece itself as text.
        let whole = choice.message.0.as_deref().filter(|_| !self.in_pieces);
        for message in delta.into_iter().chain(whole) {
            self.take_message(number, message, call);
        }
        if delta.is_none() && choice.message.0.is_none() {
            self.take_text(number, &choice.text, call);
        }
        self.usage = choice.usage.as_deref().and_then(usage_of).or(self.usage);
        // A whole answer is finished even where nobody says why.
        if !choice.finish_reason.is_empty() || (whole.is_some() && delta.is_none()) {
            self.finishes.retain(|(finished, _)| *finished != number);
            self.finishes.push((number, choice.finish_reason.to_string()));
        }
    }

    fn take_message(&mut self, choice: i32, message: &Message<'_>, call: &mut Call<'_>) {
        if &*message.role == "function_in_progress" {
            return call.progress(&message.content.text);
        }
        take_reasoning(choice, message, call);
        self.keep_state(choice, message, call);
        self.take_text(choice, &message.content.text, call);
        for part in message.content.parts.iter() {
            self.take_text(choice, if &*part.kind == "thinking" { "" } else { &part.text }, call);
            call.refusal(choice, &part.refusal);
        }
        call.refusal(choice, &message.refusal);
        for piece in message.tool_calls.iter() {
            let function = piece.function.0.as_ref();
            let name = function.map_or("", |function| &*function.name);
            let text = function.map_or("", |function| &*function.arguments.0);
            self.take_tool_call(choice, piece.index.0, &piece.id, name, text, call);
            self.give_state_of_call(choice, piece, call);
        }
        if let Some(function) = message.function_call.0.as_deref() {
            self.take_function_call(choice, &message.functions_state_id, function, call);
        }
        if let Some(audio) = &message.audio.0 {
            let bytes = self.audio_of(&audio.data).unwrap_or_else(|error| {
                call.fail(error);
                Vec::new()
            });
            let text = &*audio.transcript;
            if !bytes.is_empty() || !text.is_empty() {
                let chunk = Chunk::new(ChunkKind::Audio);
                call.take(&Chunk { choice, text, id: &audio.id, bytes: &bytes, ..chunk });
            }
        }
        let links = message.images.iter().filter_map(|image| image.image_url.0.as_ref());
        for link in links {
            call.image_at(choice, &link.url, "");
        }
        for link in message.annotations.iter().filter_map(|note| note.url_citation.0.as_ref()) {
            call.source(choice, &link.url, &link.title);
        }
    }

    /// Pieces belong to the call of their index, else of their id, else to the latest. A
    /// new id, or a name where nothing else tells, begins a new call (pitfall 8).
    fn take_tool_call(
        &mut self,
        choice: i32,
        wire_index: Option<i64>,
        wire_id: &str,
        name: &str,
        text: &str,
        call: &mut Call<'_>,
    ) {
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
        self.too_many |= self.calls.len() >= call.max_tool_calls();
        if self.too_many {
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
        // A call that is sent back without the reasoning that led to it is refused.
        let state = self.states.take_before_end(choice);
        give_state(choice, state, call);
        self.calls.push(ToolCall {
            choice,
            wire_index,
            wire_id: wire_id.to_owned(),
            id: id.to_owned(),
            index,
            named: !name.is_empty(),
        });
        call.take(&Chunk { choice, index, text, id, name, ..Chunk::new(ChunkKind::ToolCall) });
    }

    /// Keeps the reasoning that the provider wants back.
    fn keep_state(&mut self, choice: i32, message: &Message<'_>, call: &mut Call<'_>) {
        let lists = [message.thinking_blocks.len(), message.reasoning_details.len()];
        if lists == [0, 0] && message.content.parts.is_empty() {
            return;
        }
        let parts = message.content.parts.iter().filter_map(Part::as_thinking);
        let parts: Vec<Map<String, Value>> = parts.collect();
        let fields = [
            ("thinking_blocks", &*message.thinking_blocks),
            ("reasoning_details", &*message.reasoning_details),
            ("content", &*parts),
        ];
        for (field, pieces) in fields.into_iter().filter(|(_, pieces)| !pieces.is_empty()) {
            if let Err(error) = self.states.keep(choice, field, pieces) {
                call.fail(error);
            }
        }
    }

    /// Gives what of it stands in the call that `piece` is of.
    fn give_state_of_call(&self, choice: i32, piece: &Piece<'_>, call: &mut Call<'_>) {
        let (extra_content, provider_specific_fields) =
            (piece.extra_content.as_deref(), piece.provider_specific_fields.as_deref());
        if extra_content.is_none() && provider_specific_fields.is_none() {
            return;
        }
        let known =
            self.calls.iter().rev().filter(|known| known.choice == choice).find(
                |known| match piece.index.0 {
                    Some(_) => known.wire_index == piece.index.0,
                    None => piece.id.is_empty() || known.wire_id == *piece.id,
                },
            );
        if let Some(known) = known {
            let state = StateOfCall { extra_content, provider_specific_fields, id: &known.id };
            call.state(choice, &BTreeMap::from([("tool_calls", [state])]));
        }
    }

    /// Holds a piece of a function call.
    fn take_function_call(
        &mut self,
        choice: i32,
        id: &str,
        function: &Function<'_>,
        call: &mut Call<'_>,
    ) {
        // It makes no chunk yet, but the answer goes on.
        call.goes_on();
        let at = self.functions.iter().position(|held| held.choice == choice);
        let at = at.unwrap_or(self.functions.len());
        if at == self.functions.len() {
            let (id, name, arguments) = Default::default();
            self.functions.push(FunctionCall { choice, id, name, arguments });
        }
        let Some(held) = self.functions.get_mut(at) else { return };
        if held.id.is_empty() {
            held.id.push_str(id);
        }
        if held.name.is_empty() {
            held.name.push_str(&function.name);
        }
        held.arguments.push_str(&function.arguments.0);
        if held.arguments.len() > LONGEST_HELD {
            let held = self.functions.swap_remove(at);
            self.give_function_call(&held, call);
        }
    }

    /// Gives a function call as a tool call, unless the choice made tool calls.
    fn give_function_call(&mut self, held: &FunctionCall, call: &mut Call<'_>) {
        if !self.calls_tools(held.choice) {
            let index = Some(FUNCTION_CALL);
            self.take_tool_call(held.choice, index, &held.id, &held.name, &held.arguments, call);
        }
    }

    fn calls_tools(&self, choice: i32) -> bool {
        let is_function = |known: &ToolCall| known.wire_index == Some(FUNCTION_CALL);
        self.calls.iter().any(|known| known.choice == choice && !is_function(known))
    }

    /// Perplexity and xAI repeat their sources in every event.
    fn take_citations(&mut self, citations: Option<&Value>, call: &mut Call<'_>) {
        let Some(citations) = citations.and_then(Value::as_array).filter(|_| !self.cited) else {
            return;
        };
        self.cited = !citations.is_empty();
        for url in citations.iter().filter_map(Value::as_str) {
            call.source(0, url, "");
        }
    }

    /// The bytes of a piece of audio; what is cut off inside of four letters of its base64
    /// waits for the next piece.
    fn audio_of(&mut self, data: &str) -> Result<Vec<u8>> {
        memory::push_str(&mut self.audio, data)?;
        let whole = if data.ends_with('=') { self.audio.len() } else { self.audio.len() / 4 * 4 };
        let later = self.audio.get(whole..).unwrap_or_default().to_owned();
        let now = std::mem::replace(&mut self.audio, later);
        Ok(media::decode_base64(now.get(..whole).unwrap_or_default())?.unwrap_or_default())
    }

    fn take_text(&mut self, choice: i32, text: &str, call: &mut Call<'_>) {
        match &mut self.reading {
            Reading::AsItIs => call.text(choice, text),
            Reading::FileTags(files) => {
                self.files.extend(files.take(text, |text| call.text(choice, text)));
                self.too_many |= self.files.len() > call.max_tool_calls();
            }
            Reading::ThinkTags(thinks) => {
                if !thinks.iter().any(|(known, _)| *known == choice) {
                    thinks.push((choice, Think::default()));
                }
                for (_, think) in thinks.iter_mut().filter(|(known, _)| *known == choice) {
                    think.take(text, |inside, text| thought_or_text(inside, choice, text, call));
                }
            }
        }
    }

    /// The answer is at its end with the end mark, or where every choice gave a reason.
    fn close(&mut self, call: &mut Call<'_>) -> Result<()> {
        match &mut self.reading {
            Reading::AsItIs => {}
            Reading::FileTags(files) => files.end(|text| call.text(0, text)),
            Reading::ThinkTags(thinks) => {
                for (choice, think) in thinks {
                    think.end(|inside, text| thought_or_text(inside, *choice, text, call));
                }
            }
        }
        for held in std::mem::take(&mut self.functions) {
            self.give_function_call(&held, call);
        }
        let is_finished =
            |choice: &i32| self.finishes.iter().any(|(finished, _)| finished == choice);
        let open: Vec<i32> =
            self.choices.iter().copied().filter(|choice| !is_finished(choice)).collect();
        if !self.done && (self.finishes.is_empty() || !open.is_empty()) {
            return Err(call.truncated());
        }
        for choice in self.choices.clone() {
            let state = self.states.take(choice);
            give_state(choice, state, call);
        }
        self.finishes.extend(open.into_iter().map(|choice| (choice, String::new())));
        if self.finishes.is_empty() {
            self.finishes.push((0, String::new()));
        }
        self.finishes.sort_by_key(|(choice, _)| *choice);
        Ok(())
    }

    /// Gives usage and the reasons, last of all: whoever reads on to a finish has it all.
    pub(super) fn finish(self, call: &mut Call<'_>) -> Result<()> {
        if let Some(usage) = self.usage {
            call.usage(usage);
        }
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

fn thought_or_text(inside: bool, choice: i32, text: &str, call: &mut Call<'_>) {
    if inside { call.reasoning(choice, text, "think") } else { call.text(choice, text) }
}

/// Gives what the provider wants back.
fn give_state(choice: i32, state: Result<Option<Value>>, call: &mut Call<'_>) {
    match state {
        Ok(Some(state)) => call.state(choice, &state),
        Ok(None) => {}
        Err(error) => call.fail(error),
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
    let text = |block: &Map<String, Value>, name| {
        block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for detail in message.reasoning_details.iter() {
        call.reasoning(choice, &text(detail, "text"), "reasoning_details");
        call.reasoning(choice, &text(detail, "summary"), "reasoning_details");
    }
    if !message.reasoning_details.is_empty() {
        return;
    }
    for block in message.thinking_blocks.iter() {
        call.reasoning(choice, &text(block, "thinking"), "thinking_blocks");
    }
    for part in message.content.parts.iter().filter(|part| &*part.kind == "thinking") {
        call.reasoning(choice, &part.thinking.text, "thinking");
        for thought in part.thinking.parts.iter() {
            call.reasoning(choice, &thought.text, "thinking");
        }
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
        "" | "stop" | "eos" | "end_turn" | "stop_sequence" | "STOP_SEQUENCE" | "COMPLETE"
        | "STOP" => {
            if calls {
                "tool_calls"
            } else {
                "stop"
            }
        }
        "length"
        | "max_tokens"
        | "MAX_TOKENS"
        | "model_length"
        | "max_output_tokens"
        | "model_context_window_exceeded" => "length",
        "tool_calls" | "tool_use" | "TOOL_CALL" | "function_call" => "tool_calls",
        "content_filter"
        | "refusal"
        | "content_filtered"
        | "guardrail_intervened"
        | "sensitive"
        | "blacklist"
        | "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => "content_filter",
        "error"
        | "ERROR"
        | "TIMEOUT"
        | "network_error"
        | "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "abort"
        | "insufficient_system_resource" => {
            return None;
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_all_providers_are_openais() {
        for (raw, reason) in [
            ("STOP_SEQUENCE", Some("stop")),
            ("model_context_window_exceeded", Some("length")),
            ("function_call", Some("tool_calls")),
            ("guardrail_intervened", Some("content_filter")),
            ("PROHIBITED_CONTENT", Some("content_filter")),
            ("MALFORMED_FUNCTION_CALL", None),
            ("insufficient_system_resource", None),
            ("pause_turn", Some("pause_turn")),
        ] {
            assert_eq!(finish_reason(raw, false), reason, "{raw}");
        }
        assert_eq!(finish_reason("stop", true), Some("tool_calls"));
        assert_eq!(finish_reason("length", true), Some("length"));
    }

    #[test]
    fn usage_is_read_in_every_spelling() {
        for (usage, [input, output, total, cached, reasoning]) in [
            (
                json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 4}),
                [1, 2, 4, -1, -1],
            ),
            (
                json!({"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 1}}),
                [1, 2, 3, -1, 1],
            ),
            (json!({"promptTokens": 1, "completionTokens": 2}), [1, 2, 3, -1, -1]),
            (
                json!({"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 5}),
                [1, 2, 5, -1, -1],
            ),
            (json!({"prompt": 1, "completion": 2}), [1, 2, 3, -1, -1]),
            (json!({"prompt_tokens": 9, "prompt_cache_hit_tokens": 3}), [9, -1, -1, 3, -1]),
            (json!({"prompt_tokens": 9, "cached_tokens": 4}), [9, -1, -1, 4, -1]),
            (json!({"prompt_tokens": 9, "precached_prompt_tokens": 5}), [9, -1, -1, 5, -1]),
            (
                json!({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 6}}),
                [9, -1, -1, 6, -1],
            ),
            (json!({"completion_tokens": -3}), [-1, 0, -1, -1, -1]),
        ] {
            let wanted = Usage { input, output, total, cached_input: cached, reasoning };
            assert_eq!(usage_of(&usage), Some(wanted), "{usage}");
        }
        for none in [json!({}), json!(null), json!({"prompt_tokens": null}), json!([1])] {
            assert_eq!(usage_of(&none), None, "{none}");
        }
    }

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

    #[test]
    fn audio_is_whole_wherever_its_base64_is_cut() {
        let data = "AAECAwQFBgcICQ==";
        for cut in 0..data.len() {
            let (first, second) = data.split_at(cut);
            let mut answer = Answer::of("m");
            let bytes = [first, second].map(|data| answer.audio_of(data).unwrap()).concat();
            assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "cut at {cut}");
        }
    }
}
