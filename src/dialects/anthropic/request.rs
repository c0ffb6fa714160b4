//! Maps a chat request to the body of a Messages request.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::CONTAINER;
use super::models_table::{Disabled, Sampling, Traits};
use crate::dialects::shared::asked::{self, Part, Source, ToolChoice};
use crate::error::{Error, Result};
use crate::kept::{self, Piece};
use crate::memory;
use crate::prompt;
use crate::request::Request;

/// The dialect's name in what a reply keeps.
pub(super) const DIALECT: &str = "anthropic";

/// How many tokens an answer may have where nobody says.
const MAX_TOKENS: i64 = 8192;

/// The least that a model may be given to think.
const LEAST_BUDGET: i64 = 1024;

/// From this version on the API takes system messages in their place, and no sampling
/// parameters for any model.
const NEWER_VERSION: &str = "2026-10-21";

/// Comes first where a conversation begins with what the assistant said: the API wants a user
/// message there.
const OPENER: &str = "(The conversation begins.)";

const JSON_ONLY: &str = "Answer with a single JSON object and nothing else.";

/// Fields that have no counterpart, and without which the answer would not be what was asked.
const UNSUPPORTED: &[&str] =
    &["logprobs", "top_logprobs", "logit_bias", "audio", "web_search_options", "functions"];

/// Fields that have no counterpart, and are only hints.
const HINTS: &[&str] = &[
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "store",
    "stream_options",
    "prediction",
    "verbosity",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "moderation",
    "function_call",
];

/// Fields that are mapped one by one.
const MAPPED: &[&str] = &[
    "model",
    "messages",
    "stream",
    "system",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "user",
    "metadata",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "output_config",
    "service_tier",
    "n",
    "modalities",
];

/// What is known beside the request.
pub(super) struct Target<'a> {
    pub(super) model: &'a str,
    /// The provider's name for people.
    pub(super) label: &'static str,
    /// The version of the API, a date.
    pub(super) version: &'a str,
    pub(super) traits: Traits,
    /// What the model is known to refuse is left out.
    pub(super) heal: bool,
}

/// A body, and what is different in it from what was asked: fields, and what became of them.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) body: Map<String, Value>,
    pub(super) changes: Vec<(String, String)>,
}

pub(super) fn map(request: &Request, target: &Target<'_>) -> Result<Mapped> {
    let mut mapper = Mapper {
        target,
        changes: Vec::new(),
        body: Map::new(),
        output_config: Map::new(),
        container: None,
    };
    mapper.refuse_unsupported(request)?;
    mapper.body.insert("model".to_owned(), target.model.into());
    mapper.map_messages(request)?;
    mapper.map_fields(request)?;
    mapper.map_tools(request)?;
    mapper.map_reasoning(request);
    if target.heal {
        mapper.fit_max_tokens();
        mapper.fit_thinking();
        mapper.fit_sampling();
        mapper.fit_tool_choice();
    }
    if !mapper.output_config.is_empty() {
        mapper.body.insert("output_config".to_owned(), Value::Object(mapper.output_config));
    }
    mapper.body.insert("stream".to_owned(), request.stream().into());
    Ok(Mapped { body: mapper.body, changes: mapper.changes })
}

struct Mapper<'a> {
    target: &'a Target<'a>,
    changes: Vec<(String, String)>,
    body: Map<String, Value>,
    /// The body's field of that name.
    output_config: Map<String, Value>,
    /// The container that the calls came from which are answered now.
    container: Option<String>,
}

/// A message as the API takes it.
struct Turn {
    role: &'static str,
    blocks: Vec<Value>,
}

/// Ids by which blocks of a conversation belong together.
#[derive(Default)]
struct Links<'m> {
    /// Calls that have results.
    answered: HashSet<&'m str>,
    /// Uses of server tools, and those that have results.
    used: HashSet<&'m str>,
    resulted: HashSet<&'m str>,
    /// Uses of server tools that made calls of the program's tools.
    callers: HashSet<&'m str>,
}

impl Mapper<'_> {
    fn tell(&mut self, field: &str, what: impl Into<String>) {
        self.changes.push((field.to_owned(), what.into()));
    }

    fn unsupported(&self, field: &str) -> Error {
        asked::unsupported(field, self.target.label)
    }

    fn refuse_unsupported(&self, request: &Request) -> Result<()> {
        let asks = |name: &&&str| request.field(name).is_some_and(asks_for_something);
        if let Some(name) = UNSUPPORTED.iter().find(asks) {
            return Err(self.unsupported(name));
        }
        if request.field("n").and_then(Value::as_i64).is_some_and(|n| n > 1) {
            return Err(self.unsupported("n"));
        }
        let modalities = request.field("modalities").and_then(Value::as_array);
        if modalities.into_iter().flatten().any(|modality| modality != "text") {
            return Err(self.unsupported("modalities"));
        }
        Ok(())
    }

    // Messages

    fn map_messages(&mut self, request: &Request) -> Result<()> {
        let messages = request.messages();
        let pieces: Vec<Vec<Piece<'_>>> = messages
            .iter()
            .map(|message| match prompt::role_of(message) {
                "assistant" => kept::pieces(message, DIALECT),
                _ => Vec::new(),
            })
            .collect();
        let links = Links::of(messages, &pieces);
        let mut system = self.native_system(request)?;
        let mut turns: Vec<Turn> = Vec::new();
        for (number, (message, pieces)) in messages.iter().zip(&pieces).enumerate() {
            let is_last = number + 1 == messages.len();
            let (role, mut blocks) = match prompt::role_of(message) {
                "system" | "developer" if turns.is_empty() => {
                    let mut blocks = self.content(message)?;
                    mark_cached(message, &mut blocks)?;
                    system.append(&mut blocks);
                    continue;
                }
                "system" | "developer" => self.later_system(message)?,
                "user" => ("user", self.content(message)?),
                "assistant" => ("assistant", self.assistant(message, pieces, &links, is_last)?),
                "tool" => ("user", vec![self.tool_result(message)?]),
                role => {
                    return Err(self.unsupported(&format!("messages of the role {role:?}")));
                }
            };
            if prompt::role_of(message) != "tool" {
                mark_cached(message, &mut blocks)?;
            }
            if message.get("name").is_some_and(asks_for_something) {
                self.tell("messages.name", "left out");
            }
            add(&mut turns, role, blocks);
        }
        self.finish_turns(&mut turns, !system.is_empty());
        if !system.is_empty() {
            self.body.insert("system".to_owned(), Value::Array(system));
        }
        let messages = turns.into_iter().map(|turn| {
            let mut message = Map::new();
            message.insert("role".to_owned(), turn.role.into());
            message.insert("content".to_owned(), Value::Array(turn.blocks));
            Value::Object(message)
        });
        self.body.insert("messages".to_owned(), messages.collect());
        Ok(())
    }

    /// The request's own field `system`.
    fn native_system(&self, request: &Request) -> Result<Vec<Value>> {
        match request.field("system") {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(vec![text_block(text)?]),
            Some(Value::Array(blocks)) => memory::values(blocks),
            _ => Ok(Vec::new()),
        }
    }

    /// A system message in the middle of the conversation.
    fn later_system(&mut self, message: &Value) -> Result<(&'static str, Vec<Value>)> {
        if self.target.version >= NEWER_VERSION {
            return Ok(("system", self.content(message)?));
        }
        let text = prompt::text_of(message.get("content").unwrap_or(&Value::Null));
        if text.trim().is_empty() {
            return Ok(("user", Vec::new()));
        }
        self.tell("messages", "a later system message is sent as a part of a user message");
        Ok(("user", vec![text_block(&format!("<system>\n{text}\n</system>"))?]))
    }

    /// The blocks of a message's content.
    fn content(&mut self, message: &Value) -> Result<Vec<Value>> {
        match message.get("content") {
            Some(Value::String(text)) if text.trim().is_empty() => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text_block(text)?]),
            Some(Value::Array(items)) => {
                let mut blocks = Vec::new();
                for item in items {
                    blocks.extend(self.part(item)?);
                }
                Ok(blocks)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// A part of a message's content; `None` for a text without any.
    fn part(&mut self, item: &Value) -> Result<Option<Value>> {
        let Some(part) = asked::parts(item).into_iter().next() else { return Ok(None) };
        let mut block = match part {
            Part::Text(text) if text.trim().is_empty() => return Ok(None),
            Part::Text(text) | Part::Refusal(text) => text_block(text)?,
            Part::Image { source, detail } => {
                if detail.is_some_and(|detail| detail != "auto") {
                    self.tell("image_url.detail", "left out");
                }
                with_source("image", self.source(source)?)
            }
            Part::File { source, name } => self.file(source, name)?,
            Part::Audio { .. } => return Err(self.unsupported("input_audio")),
            Part::Other(block) => return memory::value(block).map(Some),
        };
        for name in ["cache_control", "citations"] {
            let value = item.get(name).filter(|value| !value.is_null());
            let is_refused = name == "citations"
                && block.get("type").is_some_and(|kind| kind == "text")
                && self.target.version >= NEWER_VERSION;
            match (value, &mut block) {
                (Some(_), _) if is_refused => self.tell("citations", "left out of a text"),
                (Some(value), Value::Object(fields)) => {
                    fields.insert(name.to_owned(), memory::value(value)?);
                }
                _ => {}
            }
        }
        Ok(Some(block))
    }

    fn source(&self, source: Source<'_>) -> Result<Value> {
        let (kind, name, value) = match source {
            Source::Data { mime, base64 } => {
                let mut data = source_of("base64", "data", base64)?;
                if let Value::Object(fields) = &mut data {
                    let mime = if mime.is_empty() { "application/octet-stream" } else { mime };
                    fields.insert("media_type".to_owned(), mime.into());
                }
                return Ok(data);
            }
            Source::Url(url) => ("url", "url", url),
            Source::Id(id) => ("file", "file_id", id),
        };
        source_of(kind, name, value)
    }

    fn file(&mut self, source: Source<'_>, name: Option<&str>) -> Result<Value> {
        if let Source::Data { mime, base64 } = &source {
            match mime.split_once('/') {
                Some(("image", _)) => return Ok(with_source("image", self.source(source)?)),
                Some(("text", _)) => {
                    let bytes = crate::media::decode_base64(base64)?.unwrap_or_default();
                    let mut text = source_of("text", "data", &memory::lossy(&bytes)?)?;
                    if let Value::Object(fields) = &mut text {
                        fields.insert("media_type".to_owned(), "text/plain".into());
                    }
                    return Ok(titled(with_source("document", text), name));
                }
                _ if *mime == "application/pdf" => {}
                _ => return Err(self.unsupported(&format!("a file of type {mime:?}"))),
            }
        }
        Ok(titled(with_source("document", self.source(source)?), name))
    }

    fn tool_result(&mut self, message: &Value) -> Result<Value> {
        let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
        let mut block = Map::new();
        block.insert("type".to_owned(), "tool_result".into());
        block.insert("tool_use_id".to_owned(), self.id(id).into());
        let content = self.content(message)?;
        if !content.is_empty() {
            block.insert("content".to_owned(), Value::Array(content));
        }
        for name in ["is_error", "cache_control"] {
            if let Some(value) = message.get(name).filter(|value| !value.is_null()) {
                block.insert(name.to_owned(), memory::value(value)?);
            }
        }
        Ok(Value::Object(block))
    }

    /// The id of a call, which Claude takes in few characters only. Those of other providers
    /// have others as well.
    fn id(&self, id: &str) -> String {
        let is_taken = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        match self.target.traits.is_claude {
            true => id.chars().map(|c| if is_taken(c) { c } else { '_' }).collect(),
            false => id.to_owned(),
        }
    }

    /// What the assistant said, in the order in which it came where that is known.
    fn assistant(
        &mut self,
        message: &Value,
        pieces: &[Piece<'_>],
        links: &Links<'_>,
        is_last: bool,
    ) -> Result<Vec<Value>> {
        let mut blocks = Vec::new();
        let is_kept = |piece: &Piece<'_>| match piece {
            Piece::Text { with, .. } | Piece::Call { with, .. } => with.is_some(),
            Piece::Item(_) => true,
        };
        if !pieces.iter().any(is_kept) {
            let thoughts = message.get("thinking_blocks").and_then(Value::as_array);
            for thought in thoughts.into_iter().flatten().filter(|block| is_thinking(block)) {
                if self.can_go_back(thought) {
                    blocks.push(memory::value(thought)?);
                }
            }
        }
        let (mut container, mut is_by_code) = (None, false);
        for piece in pieces {
            match piece {
                Piece::Text { text, .. } if text.trim().is_empty() => {}
                Piece::Text { text, with } => blocks.push(with_fields(text_block(text)?, *with)?),
                Piece::Call { id, .. } if !links.answered.contains(id) && !is_last => {
                    self.tell("messages.tool_calls", format!("{id} left out: it has no result"));
                }
                Piece::Call { id, name, arguments, fields, with } => {
                    is_by_code |= with.is_some_and(is_made_by_code);
                    let mut block = Map::new();
                    block.insert("type".to_owned(), "tool_use".into());
                    block.insert("id".to_owned(), self.id(id).into());
                    block.insert("name".to_owned(), (*name).into());
                    block.insert("input".to_owned(), self.input(id, arguments));
                    if let Some(cached) = fields.get("cache_control") {
                        block.insert("cache_control".to_owned(), memory::value(cached)?);
                    }
                    blocks.push(with_fields(Value::Object(block), *with)?);
                }
                Piece::Item(item) => {
                    let kind = item.get("type").and_then(Value::as_str).unwrap_or_default();
                    if kind == CONTAINER {
                        container = item.get("id").and_then(Value::as_str).map(str::to_owned);
                    } else if self.can_go_back(item) && (is_last || links.hold(item)) {
                        blocks.push(memory::value(item)?);
                    }
                }
            }
        }
        // It may be gone in later turns: only what is still at work there goes back to it.
        self.container = container.filter(|_| is_by_code || is_last);
        if blocks.is_empty() {
            let refusal = message.get("refusal").and_then(Value::as_str).unwrap_or_default();
            if !refusal.trim().is_empty() {
                blocks.push(text_block(refusal)?);
            }
        }
        // Thinking that led to nothing is refused: the turn ended in it, or after it.
        while blocks.last().is_some_and(is_thinking) {
            blocks.pop();
        }
        Ok(blocks)
    }

    /// Whether an item may be sent. Claude takes its thinking back with its signature only;
    /// other models give none, and some want theirs back.
    fn can_go_back(&self, item: &Value) -> bool {
        let signature = item.get("signature").and_then(Value::as_str).unwrap_or_default();
        item.get("type").is_none_or(|kind| kind != "thinking")
            || !signature.is_empty()
            || !self.target.traits.is_claude
    }

    fn input(&mut self, id: &str, arguments: &str) -> Value {
        match serde_json::from_slice(arguments.as_bytes()) {
            Ok(input @ Value::Object(_)) => input,
            _ if arguments.trim().is_empty() => json!({}),
            other => {
                self.tell("messages.tool_calls", format!("the arguments of {id} are no object"));
                json!({"arguments": other.unwrap_or_else(|_| Value::from(arguments))})
            }
        }
    }

    fn finish_turns(&mut self, turns: &mut Vec<Turn>, has_system: bool) {
        for turn in turns.iter_mut().filter(|turn| turn.role == "user") {
            turn.blocks.sort_by_key(|block| !is_tool_result(block));
        }
        let begins_wrong = turns.first().map_or(has_system, |turn| turn.role != "user");
        if begins_wrong {
            self.tell("messages", format!("the user message {OPENER:?} comes first"));
            turns.insert(
                0,
                Turn { role: "user", blocks: vec![json!({"type": "text", "text": OPENER})] },
            );
        }
        // What the model goes on with must not end in white space.
        let last = turns.last_mut().filter(|turn| turn.role == "assistant");
        if let Some(Value::String(text)) =
            last.and_then(|turn| turn.blocks.last_mut()).and_then(|block| block.get_mut("text"))
        {
            if text.ends_with(char::is_whitespace) {
                text.truncate(text.trim_end().len());
                self.tell("messages", "white space at the end of the last message is left out");
            }
        }
    }

    // Fields

    fn map_fields(&mut self, request: &Request) -> Result<()> {
        for (name, value) in request.fields() {
            let name = name.as_str();
            if HINTS.contains(&name) {
                self.tell(name, "left out");
            } else if !MAPPED.contains(&name) && !UNSUPPORTED.contains(&name) {
                self.body.insert(name.to_owned(), memory::value(value)?);
            }
        }
        if let Some(id) = self.container.take() {
            match self.body.get_mut("container") {
                Some(Value::Object(fields)) => {
                    fields.entry("id").or_insert_with(|| id.into());
                }
                Some(_) => {}
                None => {
                    self.body.insert("container".to_owned(), id.into());
                }
            }
        }
        let most = self.target.traits.max_tokens;
        let tokens = asked::max_tokens(request).unwrap_or_else(|| {
            let budget = request.field("thinking").and_then(budget_of).unwrap_or(0);
            budget.saturating_add(MAX_TOKENS).min(most)
        });
        self.body.insert("max_tokens".to_owned(), tokens.into());
        self.map_metadata(request)?;
        self.map_stop(request)?;
        self.map_service_tier(request);
        self.map_format(request)
    }

    fn map_metadata(&mut self, request: &Request) -> Result<()> {
        let mut metadata = Map::new();
        if let Some(user) = request.field("user") {
            metadata.insert("user_id".to_owned(), memory::value(user)?);
        }
        for (name, value) in
            request.field("metadata").and_then(Value::as_object).into_iter().flatten()
        {
            if name == "user_id" {
                metadata.insert(name.clone(), memory::value(value)?);
            } else {
                self.tell(&format!("metadata.{name}"), "left out");
            }
        }
        if !metadata.is_empty() {
            self.body.insert("metadata".to_owned(), Value::Object(metadata));
        }
        Ok(())
    }

    fn map_stop(&mut self, request: &Request) -> Result<()> {
        let stops = match request.field("stop") {
            Some(Value::Array(stops)) => stops.as_slice(),
            Some(stop) => std::slice::from_ref(stop),
            None => return Ok(()),
        };
        let mut taken = Vec::new();
        for stop in stops {
            match stop.as_str() {
                Some(text) if text.trim().is_empty() => {
                    self.tell("stop", "a sequence of white space is left out");
                }
                _ => taken.push(memory::value(stop)?),
            }
        }
        if !taken.is_empty() {
            self.body.entry("stop_sequences").or_insert(Value::Array(taken));
        }
        Ok(())
    }

    fn map_service_tier(&mut self, request: &Request) {
        let Some(tier) = request.field("service_tier") else { return };
        match tier.as_str() {
            Some("auto" | "standard_only") => {
                self.body.insert("service_tier".to_owned(), tier.clone());
            }
            Some("default") => {
                self.body.insert("service_tier".to_owned(), "standard_only".into());
            }
            // Of others we do not know which they have.
            _ if !self.target.traits.is_claude => {
                self.body.insert("service_tier".to_owned(), tier.clone());
            }
            _ => self.tell("service_tier", "left out"),
        }
    }

    /// `response_format`, and the request's own `output_config`, which wins.
    fn map_format(&mut self, request: &Request) -> Result<()> {
        let format = request.field("response_format");
        let kind = format.and_then(|format| format.get("type")).and_then(Value::as_str);
        let schema = format.and_then(|format| format.pointer("/json_schema/schema"));
        match (kind, schema) {
            (None | Some("text"), _) => {}
            (Some("json_schema"), Some(schema)) => {
                let mut format = Map::new();
                format.insert("type".to_owned(), "json_schema".into());
                format.insert("schema".to_owned(), memory::value(schema)?);
                self.output_config.insert("format".to_owned(), Value::Object(format));
            }
            (Some("json_object" | "json_schema"), _) => {
                self.tell("response_format", "the system text asks for a JSON object instead");
                let block = text_block(JSON_ONLY)?;
                match self.body.get_mut("system") {
                    Some(Value::Array(blocks)) => blocks.push(block),
                    _ => {
                        self.body.insert("system".to_owned(), Value::Array(vec![block]));
                    }
                }
            }
            (Some(_), _) => return Err(self.unsupported("response_format")),
        }
        for (name, value) in
            request.field("output_config").and_then(Value::as_object).into_iter().flatten()
        {
            self.output_config.insert(name.clone(), memory::value(value)?);
        }
        Ok(())
    }

    // Tools

    fn map_tools(&mut self, request: &Request) -> Result<()> {
        let mut tools = Vec::new();
        let given = request.field("tools").and_then(Value::as_array);
        for tool in given.into_iter().flatten() {
            tools.push(match tool.get("function").filter(|_| is_function(tool)) {
                Some(function) => self.function(tool, function)?,
                None => memory::value(tool)?,
            });
        }
        if tools.is_empty() {
            return Ok(());
        }
        self.body.insert("tools".to_owned(), Value::Array(tools));
        let mut choice = match request.field("tool_choice") {
            None => None,
            Some(given) if given.get("type").is_some_and(is_own_choice) => {
                Some(memory::value(given)?)
            }
            Some(_) => Some(match asked::tool_choice(request) {
                Some(ToolChoice::Auto) => json!({"type": "auto"}),
                Some(ToolChoice::None) => json!({"type": "none"}),
                Some(ToolChoice::Required) => json!({"type": "any"}),
                Some(ToolChoice::Function(name)) => json!({"type": "tool", "name": name}),
                None => return Err(self.unsupported("tool_choice")),
            }),
        };
        let parallel = request.field("parallel_tool_calls").and_then(Value::as_bool);
        if parallel == Some(false) {
            let choice = choice.get_or_insert_with(|| json!({"type": "auto"}));
            if let Some(choice) =
                choice.as_object_mut().filter(|choice| choice.get("type") != Some(&"none".into()))
            {
                choice.entry("disable_parallel_tool_use").or_insert(true.into());
            }
        }
        if let Some(choice) = choice {
            self.body.insert("tool_choice".to_owned(), choice);
        }
        Ok(())
    }

    /// A function as a tool. Further fields of both are the API's own.
    fn function(&mut self, tool: &Value, function: &Value) -> Result<Value> {
        let mut made = Map::new();
        for (name, value) in function.as_object().into_iter().flatten() {
            let name = if name == "parameters" { "input_schema" } else { name };
            if !value.is_null() {
                made.insert(name.to_owned(), memory::value(value)?);
            }
        }
        // A function without parameters takes an object as well.
        let schema = made.entry("input_schema").or_insert_with(|| json!({}));
        if let Value::Object(schema) = schema {
            schema.entry("type").or_insert("object".into());
        }
        for (name, value) in tool.as_object().into_iter().flatten() {
            if name != "type" && name != "function" {
                made.insert(name.clone(), memory::value(value)?);
            }
        }
        Ok(Value::Object(made))
    }

    // Reasoning, and what the model takes

    fn map_reasoning(&mut self, request: &Request) {
        let Some(effort) = asked::effort(request) else { return };
        let traits = self.target.traits;
        let tokens = self.max_tokens();
        let effort = match effort {
            "minimal" => {
                self.tell("reasoning_effort", "low instead of minimal");
                "low"
            }
            effort => effort,
        };
        let thinking = match effort {
            "none" if traits.budget || traits.adaptive => Some(json!({"type": "disabled"})),
            "none" => None,
            effort if traits.adaptive => {
                self.output_config.entry("effort").or_insert(effort.into());
                Some(json!({"type": "adaptive", "display": "summarized"}))
            }
            effort if traits.budget && tokens > LEAST_BUDGET => {
                let budget = budget_for(effort, tokens);
                Some(json!({"type": "enabled", "budget_tokens": budget}))
            }
            _ if traits.budget => {
                self.tell("reasoning_effort", format!("left out: max_tokens is {tokens}, and a model thinks {LEAST_BUDGET} tokens at least"));
                None
            }
            _ => {
                self.tell("reasoning_effort", "left out: this model does not think");
                None
            }
        };
        if let Some(thinking) = thinking {
            self.body.entry("thinking").or_insert(thinking);
        }
    }

    fn max_tokens(&self) -> i64 {
        self.body.get("max_tokens").and_then(Value::as_i64).unwrap_or(MAX_TOKENS)
    }

    fn thinking(&self) -> &str {
        let thinking = self.body.get("thinking").and_then(|thinking| thinking.get("type"));
        thinking.and_then(Value::as_str).unwrap_or_default()
    }

    fn fit_max_tokens(&mut self) {
        let most = self.target.traits.max_tokens;
        if self.max_tokens() > most {
            self.tell("max_tokens", format!("{most}, which is the most that this model takes"));
            self.body.insert("max_tokens".to_owned(), most.into());
        }
    }

    fn fit_thinking(&mut self) {
        let traits = self.target.traits;
        let tokens = self.max_tokens();
        let instead = match self.thinking() {
            "enabled" if traits.budget && self.lacks_thinking() => None,
            "enabled" if !traits.budget && traits.adaptive => Some(json!({"type": "adaptive"})),
            "enabled" if !traits.budget => None,
            "adaptive" if traits.adaptive || !traits.is_claude => return,
            "adaptive" if traits.budget && tokens > LEAST_BUDGET => {
                let effort = self.effort().unwrap_or("medium");
                Some(json!({"type": "enabled", "budget_tokens": budget_for(effort, tokens)}))
            }
            "adaptive" => None,
            "disabled" if traits.disabled == Disabled::BetweenTools => {
                Some(json!({"type": "between_tools"}))
            }
            "disabled" if traits.disabled == Disabled::LeftOut => None,
            _ => return self.fit_effort(),
        };
        let what = match &instead {
            Some(thinking) => format!("{} instead of {}", kind_of(thinking), self.thinking()),
            None => format!("{} left out", self.thinking()),
        };
        self.tell("thinking", what);
        match instead {
            Some(mut thinking) => {
                let display = self.body.get("thinking").and_then(|asked| asked.get("display"));
                if let (Some(fields), Some(display)) = (thinking.as_object_mut(), display) {
                    fields.insert("display".to_owned(), display.clone());
                }
                self.body.insert("thinking".to_owned(), thinking);
            }
            None => {
                self.body.shift_remove("thinking");
            }
        }
        self.fit_effort();
    }

    fn effort(&self) -> Option<&str> {
        self.output_config.get("effort")?.as_str()
    }

    /// Without thinking of its own choice, a model takes no more than a high effort.
    fn fit_effort(&mut self) {
        let is_bound = match self.thinking() {
            "disabled" => self.target.traits.disabled == Disabled::UpToHigh,
            kind => kind == "between_tools",
        };
        if is_bound && matches!(self.effort(), Some("xhigh" | "max")) {
            self.tell("output_config.effort", "high, the most without thinking");
            self.output_config.insert("effort".to_owned(), "high".into());
        }
    }

    /// Whether the model is called again with results of tools, but without the thinking that
    /// led to the calls: it came from elsewhere. Older models refuse to go on thinking then.
    fn lacks_thinking(&self) -> bool {
        if !self.target.traits.is_claude || self.target.traits.adaptive {
            return false;
        }
        let messages = self.body.get("messages").and_then(Value::as_array);
        let Some([.., before, last]) = messages.map(Vec::as_slice) else { return false };
        let first =
            |message: &Value, is: fn(&Value) -> bool| message.pointer("/content/0").is_some_and(is);
        first(last, is_tool_result) && !first(before, is_thinking)
    }

    fn fit_sampling(&mut self) {
        let traits = self.target.traits;
        let thinks = matches!(self.thinking(), "enabled" | "adaptive");
        let is_refused =
            traits.sampling == Sampling::Refused || self.target.version >= NEWER_VERSION;
        let is_limited = traits.sampling == Sampling::Limited;
        for name in ["temperature", "top_p", "top_k"] {
            let value = self.body.get(name).and_then(Value::as_f64);
            let Some(value) = value else { continue };
            let is_second = name == "top_p" && self.body.contains_key("temperature");
            let why = match () {
                () if is_refused => "left out: this model does not take it",
                () if is_limited && thinks && (name, value) != ("temperature", 1.0) => {
                    "left out: the model thinks"
                }
                () if is_limited && is_second => "left out: temperature is set as well",
                () if traits.is_claude && name == "temperature" && value > 1.0 => {
                    self.body.insert(name.to_owned(), 1.into());
                    self.tell(name, "1, the most that is taken");
                    continue;
                }
                () => continue,
            };
            self.body.shift_remove(name);
            self.tell(name, why);
        }
    }

    fn fit_tool_choice(&mut self) {
        let traits = self.target.traits;
        let is_refused = !traits.forced_tools || (traits.is_claude && self.thinking() == "enabled");
        let choice = self.body.get_mut("tool_choice").and_then(Value::as_object_mut);
        let Some(choice) = choice.filter(|_| is_refused) else { return };
        let kind = choice.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind == "any" || kind == "tool" {
            choice.insert("type".to_owned(), "auto".into());
            choice.shift_remove("name");
            self.tell("tool_choice", "auto: this model cannot be made to call a tool");
        }
    }
}

impl<'m> Links<'m> {
    fn of(messages: &'m [Value], pieces: &[Vec<Piece<'m>>]) -> Links<'m> {
        let mut links = Links::default();
        let text = |value: &'m Value, name: &str| value.get(name).and_then(Value::as_str);
        for message in messages {
            links.answered.extend(text(message, "tool_call_id"));
            let parts = message.get("content").and_then(Value::as_array).into_iter().flatten();
            links.answered.extend(parts.filter_map(|part| text(part, "tool_use_id")));
        }
        for piece in pieces.iter().flatten() {
            match piece {
                Piece::Item(item) => {
                    if text(item, "type").is_some_and(|kind| kind.ends_with("_tool_use")) {
                        links.used.extend(text(item, "id"));
                    }
                    links.resulted.extend(text(item, "tool_use_id"));
                }
                Piece::Call { id, with: Some(with), .. } if links.answered.contains(id) => {
                    let caller = with.get("caller").and_then(|caller| text(caller, "tool_id"));
                    links.callers.extend(caller);
                }
                _ => {}
            }
        }
        links
    }

    /// Whether a block of a server tool has its other half: one alone is refused.
    fn hold(&self, item: &Value) -> bool {
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        match (text("tool_use_id"), text("id"), text("type")) {
            (Some(id), ..) => self.used.contains(id),
            (None, Some(id), Some(kind)) if kind.ends_with("_tool_use") => {
                self.resulted.contains(id) || self.callers.contains(id)
            }
            _ => true,
        }
    }
}

/// Adds blocks to the last turn if it is of that role, else as another turn.
fn add(turns: &mut Vec<Turn>, role: &'static str, mut blocks: Vec<Value>) {
    if blocks.is_empty() {
        return;
    }
    match turns.last_mut().filter(|turn| turn.role == role) {
        Some(turn) => turn.blocks.append(&mut blocks),
        None => turns.push(Turn { role, blocks }),
    }
}

/// The `cache_control` of a message is that of its last block which may have one.
fn mark_cached(message: &Value, blocks: &mut [Value]) -> Result<()> {
    let Some(cached) = message.get("cache_control").filter(|value| !value.is_null()) else {
        return Ok(());
    };
    let last = blocks.iter_mut().rev().find(|block| !is_thinking(block));
    if let Some(Value::Object(fields)) = last {
        let cached = memory::value(cached)?;
        fields.entry("cache_control").or_insert(cached);
    }
    Ok(())
}

fn text_block(text: &str) -> Result<Value> {
    let mut block = Map::new();
    block.insert("type".to_owned(), "text".into());
    block.insert("text".to_owned(), Value::String(memory::text(text)?));
    Ok(Value::Object(block))
}

fn with_fields(block: Value, more: Option<&Map<String, Value>>) -> Result<Value> {
    let Value::Object(mut fields) = block else { return Ok(block) };
    for (name, value) in more.into_iter().flatten() {
        fields.insert(name.clone(), memory::value(value)?);
    }
    Ok(Value::Object(fields))
}

fn with_source(kind: &str, source: Value) -> Value {
    let mut block = Map::new();
    block.insert("type".to_owned(), kind.into());
    block.insert("source".to_owned(), source);
    Value::Object(block)
}

fn source_of(kind: &str, name: &str, value: &str) -> Result<Value> {
    let mut source = Map::new();
    source.insert("type".to_owned(), kind.into());
    source.insert(name.to_owned(), Value::String(memory::text(value)?));
    Ok(Value::Object(source))
}

fn titled(block: Value, name: Option<&str>) -> Value {
    match (block, name) {
        (Value::Object(mut fields), Some(name)) if !name.is_empty() => {
            fields.insert("title".to_owned(), name.into());
            Value::Object(fields)
        }
        (block, _) => block,
    }
}

/// Whether a value asks for anything: null, false, 0 and what is empty do not.
fn asks_for_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn kind_of(block: &Value) -> &str {
    block.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn is_thinking(block: &Value) -> bool {
    matches!(kind_of(block), "thinking" | "redacted_thinking")
}

fn is_tool_result(block: &Value) -> bool {
    kind_of(block) == "tool_result"
}

fn is_function(tool: &Value) -> bool {
    tool.get("type").is_none_or(|kind| kind == "function")
}

/// Whether a `tool_choice` of that type is the API's own.
fn is_own_choice(kind: &Value) -> bool {
    ["auto", "any", "none", "tool"].iter().any(|own| kind == own)
}

/// Whether a call was made by code that runs at the provider.
fn is_made_by_code(with: &Map<String, Value>) -> bool {
    let caller = with.get("caller").map(kind_of).unwrap_or_default();
    !caller.is_empty() && caller != "direct"
}

fn budget_of(thinking: &Value) -> Option<i64> {
    thinking.get("budget_tokens")?.as_i64()
}

/// How many of `tokens` an effort may take; the rest is left to the answer.
fn budget_for(effort: &str, tokens: i64) -> i64 {
    let eighths = match effort {
        "low" => 1,
        "medium" => 4,
        "high" => 6,
        _ => 7,
    };
    (tokens / 8 * eighths).max(LEAST_BUDGET)
}
