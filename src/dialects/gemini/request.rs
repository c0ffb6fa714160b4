//! A chat request as the body of generateContent.

use serde_json::{Map, Value, json};

use crate::catalog;
use crate::dialects::shared::asked::{self, Part, Source, ToolChoice};
use crate::error::{Error, ErrorKind, Result};
use crate::kept::{self, Piece};
use crate::memory;
use crate::request::Request;

const LABEL: &str = "Gemini";

/// The value that Google takes for the signature of a call that another model made.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// More stop sequences are refused.
const MAX_STOPS: usize = 5;

/// Fields that are only hints and have no counterpart.
const LEFT_OUT: &[&str] = &[
    "user",
    "store",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "prediction",
    "stream_options",
    "verbosity",
];

/// Fields whose absence would change the answer, and that have no counterpart.
const UNSUPPORTED: &[&str] =
    &["logit_bias", "web_search_options", "moderation", "functions", "function_call"];

/// Fields that have a field of generationConfig of the same meaning.
const DIRECT: &[(&str, &str)] = &[
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("top_k", "topK"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
    ("seed", "seed"),
    ("n", "candidateCount"),
    ("logprobs", "responseLogprobs"),
    ("top_logprobs", "logprobs"),
];

/// The body of a request, and what of the chat request was changed or left out.
#[derive(Debug, Default)]
pub(super) struct Mapped {
    pub(super) body: Map<String, Value>,
    pub(super) changes: Vec<(&'static str, &'static str)>,
}

/// Maps `request` for `model`. Where `as_given` is set, nothing is left out because the
/// model is known to refuse it.
pub(super) fn map(model: &str, request: &Request, as_given: bool) -> Result<Mapped> {
    let fields = request.fields();
    for name in UNSUPPORTED {
        if fields.get(*name).is_some_and(says_something) {
            return Err(asked::unsupported(name, LABEL));
        }
    }
    let mut changes = Vec::new();
    let mut body = Map::new();
    let mut conversation = Conversation::new(Generation::of(model), &mut changes);
    conversation.take(request.messages())?;
    let Conversation { system, contents, .. } = conversation;
    body.insert("contents".to_owned(), Value::Array(contents));
    if !system.is_empty() {
        body.insert("systemInstruction".to_owned(), json!({"parts": system}));
    }
    put_tools(&mut body, request, &mut changes)?;
    let config = generation_config(model, request, as_given, &mut changes)?;
    if !config.is_empty() {
        body.insert("generationConfig".to_owned(), Value::Object(config));
    }
    if let Some(tier) = fields.get("service_tier") {
        put_service_tier(&mut body, tier, &mut changes);
    }
    for (name, value) in fields {
        let hint = LEFT_OUT.iter().find(|known| *known == name);
        match &**name {
            _ if hint.is_some() => {
                let name = hint.copied().unwrap_or_default();
                changes.push((name, "left out: Gemini has no such parameter"));
            }
            name if is_mapped(name) => {}
            // What is not OpenAI's is Gemini's own, and wins over what was mapped.
            name => merge(body.entry(name).or_insert(Value::Null), memory::value(value)?),
        }
    }
    Ok(Mapped { body, changes })
}

/// Whether a field of the chat request is handled by name.
fn is_mapped(name: &str) -> bool {
    const OTHERS: &[&str] = &[
        "model",
        "messages",
        "stream",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "reasoning",
        "service_tier",
        "modalities",
        "audio",
    ];
    OTHERS.contains(&name)
        || UNSUPPORTED.contains(&name)
        || DIRECT.iter().any(|(chat, _)| *chat == name)
}

/// Neither null nor false nor empty.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

/// Puts `value` into `place`: objects field by field, all else instead of what was there.
fn merge(place: &mut Value, value: Value) {
    match (place, value) {
        (Value::Object(known), Value::Object(fields)) => {
            for (name, value) in fields {
                merge(known.entry(name).or_insert(Value::Null), value);
            }
        }
        (place, value) => *place = value,
    }
}

fn put_service_tier(
    body: &mut Map<String, Value>,
    tier: &Value,
    changes: &mut Vec<(&'static str, &'static str)>,
) {
    let tier = match tier.as_str() {
        Some("auto") => return,
        Some(tier @ ("flex" | "priority" | "standard")) => tier,
        Some("default") => "standard",
        _ => return changes.push(("service_tier", "left out: Gemini has no such tier")),
    };
    body.insert("serviceTier".to_owned(), tier.into());
}

/// Which generation of models it is: 20 for 2.0, 25 for 2.5, 30 for 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Generation(Option<u32>);

impl Generation {
    /// Of names such as `gemini-2.5-flash`, `gemini-3-pro-preview`, `gemini-flash-latest`.
    fn of(model: &str) -> Generation {
        let name = model.rsplit('/').next().unwrap_or_default();
        let Some(rest) = name.strip_prefix("gemini-") else { return Generation(None) };
        let version = rest.split('-').next().unwrap_or_default();
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        match (major.parse::<u32>(), minor.parse::<u32>()) {
            (Ok(major), Ok(minor)) => {
                Generation(Some(major.saturating_mul(10).saturating_add(minor.min(9))))
            }
            _ if rest.ends_with("-latest") => Generation(Some(u32::MAX)),
            _ => Generation(None),
        }
    }

    /// Gemini 3 and newer want the signature of every step that called a function.
    fn wants_signatures(self) -> bool {
        self.0.is_some_and(|version| version >= 30)
    }
}

/// The messages, as they are sent.
struct Conversation<'c> {
    generation: Generation,
    system: Vec<Value>,
    contents: Vec<Value>,
    changes: &'c mut Vec<(&'static str, &'static str)>,
}

impl<'c> Conversation<'c> {
    fn new(
        generation: Generation,
        changes: &'c mut Vec<(&'static str, &'static str)>,
    ) -> Conversation<'c> {
        Conversation { generation, system: Vec::new(), contents: Vec::new(), changes }
    }

    fn take(&mut self, messages: &[Value]) -> Result<()> {
        let mut messages = messages.iter().peekable();
        while let Some(message) = messages.next() {
            match role(message) {
                "system" | "developer" => self.system(message)?,
                "assistant" => {
                    let mut results = Vec::new();
                    while let Some(result) = messages.next_if(|next| is_result(next)) {
                        results.push(result);
                    }
                    let is_open = results.is_empty() && messages.peek().is_none();
                    self.assistant(message, results, is_open)?;
                }
                _ if is_result(message) => return Err(result_without_call(message)),
                _ => {
                    if message.get("name").is_some() {
                        self.changes.push(("messages[].name", "left out: Gemini has no names"));
                    }
                    let parts = user_parts(content(message), self.changes)?;
                    self.push("user", parts);
                }
            }
        }
        let starts_with_user = self.contents.first().is_some_and(|first| role(first) == "user");
        let is_empty = self.contents.is_empty() && self.system.is_empty();
        if !starts_with_user && !is_empty {
            self.contents.insert(0, json!({"role": "user", "parts": [{"text": " "}]}));
            self.changes.push(("messages", "a blank user message added: Gemini wants one first"));
        }
        Ok(())
    }

    fn system(&mut self, message: &Value) -> Result<()> {
        if !self.contents.is_empty() {
            self.changes.push(("messages", "a later system message moved to the first ones"));
        }
        let parts = user_parts(content(message), self.changes)?;
        self.system.extend(parts);
        Ok(())
    }

    /// A message of the model and the results of the calls in it. The results stand in one
    /// message, in the order of the calls: without ids, the order tells them apart.
    fn assistant(
        &mut self,
        message: &Value,
        mut results: Vec<&Value>,
        is_open: bool,
    ) -> Result<()> {
        let mut pieces = kept::pieces(message, catalog::Dialect::Gemini.name());
        while pieces.last().is_some_and(wants_more) {
            pieces.pop();
        }
        // The first call that was signed may be left out.
        let mut is_any_signed = false;
        let (mut parts, mut responses) = (Vec::new(), Vec::new());
        for piece in &pieces {
            match piece {
                Piece::Text { text, with } => {
                    let mut part = Map::new();
                    part.insert("text".to_owned(), Value::String(memory::text(text)?));
                    if let Some(with) = with {
                        part.extend(memory::object(with)?);
                    }
                    if !text.is_empty() || part.len() > 1 {
                        parts.push(Value::Object(part));
                    }
                }
                Piece::Item(item) => parts.push(memory::value(item)?),
                Piece::Call { id, name, arguments, with, .. } => {
                    let result = take_result(&mut results, id, name);
                    if result.is_none() && !is_open {
                        // Calls without results are refused.
                        self.changes.push(("messages", "a tool call without a result left out"));
                        continue;
                    }
                    let mut part = with.map(memory::object).transpose()?.unwrap_or_default();
                    let call = part.entry("functionCall").or_insert_with(|| json!({}));
                    let wire_id = call.get("id").and_then(Value::as_str).map(str::to_owned);
                    if let Some(fields) = call.as_object_mut() {
                        fields.insert("name".to_owned(), Value::String(memory::text(name)?));
                        fields.insert("args".to_owned(), object_of(arguments, "arguments")?);
                    }
                    let signature = match signature_of(piece) {
                        None if with.is_some() && is_any_signed => None,
                        None if self.generation.wants_signatures() => Some(NO_SIGNATURE),
                        signature => signature,
                    };
                    is_any_signed |= signature_of(piece).is_some();
                    if let Some(signature) = signature {
                        part.insert("thoughtSignature".to_owned(), signature.into());
                    }
                    parts.push(Value::Object(part));
                    if let Some(result) = result {
                        responses.push(response(wire_id.as_deref(), name, result, self.changes)?);
                    }
                }
            }
        }
        if let Some(result) = results.first() {
            return Err(result_without_call(result));
        }
        self.push("model", parts);
        self.push("user", responses);
        Ok(())
    }

    /// Adds `parts`; messages of one role that follow one another are one.
    fn push(&mut self, new: &str, parts: Vec<Value>) {
        if parts.is_empty() {
            return;
        }
        let last = self.contents.last_mut().filter(|last| role(last) == new);
        match last.and_then(|last| last.get_mut("parts")?.as_array_mut()) {
            Some(known) => known.extend(parts),
            None => {
                let content = [("role".to_owned(), new.into()), ("parts".to_owned(), parts.into())];
                self.contents.push(Value::Object(Map::from_iter(content)));
            }
        }
    }
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn content(message: &Value) -> &Value {
    message.get("content").unwrap_or(&Value::Null)
}

fn is_result(message: &Value) -> bool {
    matches!(role(message), "tool" | "function")
}

/// What at the end of a message says nothing without what was to follow it: an answer that
/// was cut ends in it.
fn wants_more(piece: &Piece<'_>) -> bool {
    let Piece::Item(item) = piece else { return false };
    item.get("thought").is_some_and(|thought| thought == true)
        || item.get("executableCode").is_some()
        || item.get("toolCall").is_some()
}

/// The signature of a call: from here, or from Google's OpenAI-compatible endpoint.
fn signature_of<'p>(piece: &'p Piece<'_>) -> Option<&'p str> {
    let Piece::Call { fields, with, .. } = piece else { return None };
    let compatible = || {
        let extra = fields.get("extra_content")?;
        extra.pointer("/google/thought_signature")
    };
    let own = with.and_then(|with| with.get("thoughtSignature"));
    own.or_else(compatible).and_then(Value::as_str).filter(|signature| !signature.is_empty())
}

/// Takes the result of a call out of `results`: by its id, or by its name where it has none.
fn take_result<'m>(results: &mut Vec<&'m Value>, id: &str, name: &str) -> Option<&'m Value> {
    let at = results.iter().position(|result| match text(result, "tool_call_id") {
        "" => text(result, "name") == name,
        known => known == id,
    })?;
    Some(results.remove(at))
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn result_without_call(result: &Value) -> Error {
    let id = match text(result, "tool_call_id") {
        "" => text(result, "name"),
        id => id,
    };
    argument(format!(
        "the tool result of {id:?} does not follow the assistant message with that call"
    ))
}

/// `arguments` as an object; anything else in one, in the field `name`.
fn object_of(arguments: &str, name: &str) -> Result<Value> {
    if arguments.trim().is_empty() {
        return Ok(json!({}));
    }
    crate::json::room_to_parse(arguments.as_bytes())?;
    Ok(match serde_json::from_slice(arguments.as_bytes()) {
        Ok(object @ Value::Object(_)) => object,
        Ok(other) => Value::Object(Map::from_iter([(name.to_owned(), other)])),
        Err(_) => {
            let text = Value::String(memory::text(arguments)?);
            Value::Object(Map::from_iter([(name.to_owned(), text)]))
        }
    })
}

/// A tool result. The id of its call only where the model gave one.
fn response(
    wire_id: Option<&str>,
    name: &str,
    result: &Value,
    changes: &mut Vec<(&'static str, &'static str)>,
) -> Result<Value> {
    let mut said = String::new();
    let mut media = Vec::new();
    for part in asked::parts(content(result)) {
        match part {
            Part::Text(text) => memory::push_str(&mut said, text)?,
            part => media.extend(part_of(&part, changes)?),
        }
    }
    let mut response = Map::new();
    if let Some(id) = wire_id {
        response.insert("id".to_owned(), id.into());
    }
    response.insert("name".to_owned(), Value::String(memory::text(name)?));
    response.insert("response".to_owned(), object_of(&said, "output")?);
    if !media.is_empty() {
        response.insert("parts".to_owned(), Value::Array(media));
    }
    Ok(wrap("functionResponse", Value::Object(response)))
}

fn wrap(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

fn user_parts(
    content: &Value,
    changes: &mut Vec<(&'static str, &'static str)>,
) -> Result<Vec<Value>> {
    let mut parts = Vec::new();
    for part in asked::parts(content) {
        parts.extend(part_of(&part, changes)?);
    }
    Ok(parts)
}

/// One part of a message; none for an empty text, which is refused.
fn part_of(
    part: &Part<'_>,
    changes: &mut Vec<(&'static str, &'static str)>,
) -> Result<Option<Value>> {
    Ok(match part {
        Part::Text("") | Part::Refusal("") => None,
        Part::Text(text) | Part::Refusal(text) => {
            Some(wrap("text", Value::String(memory::text(text)?)))
        }
        Part::Image { source, detail } => {
            if detail.is_some_and(|detail| detail != "auto") {
                changes.push(("image_url.detail", "left out: Gemini sets it for all images"));
            }
            Some(blob(source)?)
        }
        Part::Audio { data, format } => {
            let mime = match *format {
                "pcm16" => "audio/L16;rate=24000".to_owned(),
                format => format!("audio/{format}"),
            };
            Some(blob(&Source::Data { mime: &mime, base64: data })?)
        }
        Part::File { source, .. } => Some(blob(source)?),
        // A part of Gemini's own.
        Part::Other(part) if part.is_object() && part.get("type").is_none() => {
            Some(memory::value(part)?)
        }
        Part::Other(part) => {
            return Err(asked::unsupported(
                &format!("content part {:?}", text(part, "type")),
                LABEL,
            ));
        }
    })
}

fn blob(source: &Source<'_>) -> Result<Value> {
    let string = |text: &str| memory::text(text).map(Value::String);
    let mut blob = Map::new();
    let kind = match source {
        Source::Data { mime, base64 } => {
            blob.insert("mimeType".to_owned(), string(mime)?);
            blob.insert("data".to_owned(), string(base64)?);
            "inlineData"
        }
        Source::Url(uri) | Source::Id(uri) => {
            if let Some(mime) = mime_of_url(uri) {
                blob.insert("mimeType".to_owned(), mime.into());
            }
            blob.insert("fileUri".to_owned(), string(uri)?);
            "fileData"
        }
    };
    Ok(wrap(kind, Value::Object(blob)))
}

/// The media type that the name of a file tells.
fn mime_of_url(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let (_, extension) = path.rsplit('/').next().unwrap_or_default().rsplit_once('.')?;
    Some(match &*extension.to_ascii_lowercase() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "aac" => "audio/aac",
        "mp4" => "video/mp4",
        "mov" => "video/mov",
        "webm" => "video/webm",
        "txt" => "text/plain",
        _ => return None,
    })
}

fn put_tools(
    body: &mut Map<String, Value>,
    request: &Request,
    changes: &mut Vec<(&'static str, &'static str)>,
) -> Result<()> {
    if request.field("parallel_tool_calls") == Some(&Value::Bool(false)) {
        changes.push(("parallel_tool_calls", "left out: Gemini may always call several"));
    }
    let choice = asked::tool_choice(request);
    if choice.is_none() && request.field("tool_choice").is_some() {
        return Err(asked::unsupported("tool_choice", LABEL));
    }
    if matches!(choice, Some(ToolChoice::None)) {
        // Even with the mode NONE it calls what it was told of.
        return Ok(());
    }
    let mut declarations = Vec::new();
    for function in asked::functions(request) {
        let mut declaration = Map::new();
        for (name, value) in function.fields {
            match &**name {
                "parameters" => {
                    declaration.insert("parametersJsonSchema".to_owned(), memory::value(value)?);
                }
                "strict" if *value == true => {
                    changes.push((
                        "tools[].function.strict",
                        "left out: Gemini has it for all functions at once",
                    ));
                }
                "strict" => {}
                // The name, the description, and what is Gemini's own.
                name => {
                    declaration.insert(name.to_owned(), memory::value(value)?);
                }
            }
        }
        declarations.push(Value::Object(declaration));
    }
    let has_functions = !declarations.is_empty();
    let mut tools = Vec::new();
    if has_functions {
        tools.push(json!({"functionDeclarations": declarations}));
    }
    for tool in asked::other_tools(request) {
        tools.push(memory::value(tool)?);
    }
    if !tools.is_empty() {
        body.insert("tools".to_owned(), Value::Array(tools));
    }
    let calling = match choice {
        Some(ToolChoice::Auto) if has_functions => json!({"mode": "AUTO"}),
        Some(ToolChoice::Required) => json!({"mode": "ANY"}),
        Some(ToolChoice::Function(name)) => {
            json!({"mode": "ANY", "allowedFunctionNames": [name]})
        }
        _ => return Ok(()),
    };
    body.insert("toolConfig".to_owned(), json!({"functionCallingConfig": calling}));
    Ok(())
}

fn generation_config(
    model: &str,
    request: &Request,
    as_given: bool,
    changes: &mut Vec<(&'static str, &'static str)>,
) -> Result<Map<String, Value>> {
    let mut config = Map::new();
    let mut put = |name: &str, value: Value| {
        config.insert(name.to_owned(), value);
    };
    if let Some(most) = asked::max_tokens(request) {
        put("maxOutputTokens", most.into());
    }
    for (chat, own) in DIRECT {
        if let Some(value) = request.field(chat) {
            put(own, memory::value(value)?);
        }
    }
    match request.field("stop") {
        Some(Value::Array(stops)) if stops.len() > MAX_STOPS => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "\"stop\" has {} sequences; {LABEL} takes at most {MAX_STOPS}",
                    stops.len()
                ),
            ));
        }
        Some(Value::Array(stops)) if stops.is_empty() => {}
        Some(stops @ Value::Array(_)) => put("stopSequences", memory::value(stops)?),
        Some(stop) => put("stopSequences", Value::Array(vec![memory::value(stop)?])),
        None => {}
    }
    if let Some(format) = request.field("response_format") {
        match text(format, "type") {
            "text" => {}
            "json_object" => put("responseMimeType", "application/json".into()),
            "json_schema" => {
                put("responseMimeType", "application/json".into());
                if let Some(schema) = format.pointer("/json_schema/schema") {
                    put("responseJsonSchema", memory::value(schema)?);
                }
            }
            _ => return Err(asked::unsupported("response_format", LABEL)),
        }
    }
    if let Some(modalities) = request.field("modalities").and_then(Value::as_array) {
        let names = modalities.iter().filter_map(Value::as_str);
        let names: Vec<Value> = names.map(|name| name.to_ascii_uppercase().into()).collect();
        put("responseModalities", Value::Array(names));
    }
    if let Some(audio) = request.field("audio") {
        if !matches!(text(audio, "format"), "" | "pcm16") {
            return Err(asked::unsupported("audio.format", LABEL));
        }
        if let voice @ Some(Value::String(_)) = audio.get("voice") {
            put(
                "speechConfig",
                json!({"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}),
            );
        }
    }
    let effort = asked::effort(request);
    if effort.is_none() && request.field("reasoning").is_some() {
        changes.push(("reasoning", "left out: of it Gemini takes \"effort\" alone"));
    }
    if let Some(effort) = effort {
        if let Some(thinking) = thinking(model, effort, as_given, changes) {
            put("thinkingConfig", thinking);
        }
    }
    Ok(config)
}

/// How much to think: a level from Gemini 3 on, a number of tokens for Gemini 2.5.
fn thinking(
    model: &str,
    effort: &str,
    as_given: bool,
    changes: &mut Vec<(&'static str, &'static str)>,
) -> Option<Value> {
    match Generation::of(model).0 {
        Some(..25) if !as_given => {
            changes.push(("reasoning_effort", "left out: this model does not think"));
            None
        }
        Some(25..30) => Some(budget(model, effort, changes)),
        // A name that tells nothing is taken for that of a new model.
        _ => Some(level(model, effort, as_given, changes)),
    }
}

fn level(
    model: &str,
    effort: &str,
    as_given: bool,
    changes: &mut Vec<(&'static str, &'static str)>,
) -> Value {
    let has_xhigh = as_given || model.contains("gemini-4-hydrogen");
    let level = match effort {
        "auto" => return json!({"includeThoughts": true}),
        "none" => {
            changes.push(("reasoning_effort", "sent as MINIMAL: this model always thinks"));
            return json!({"thinkingLevel": "MINIMAL"});
        }
        "xhigh" if has_xhigh => "XHIGH".to_owned(),
        "max" if has_xhigh => {
            changes.push(("reasoning_effort", "sent as XHIGH, the most there is"));
            "XHIGH".to_owned()
        }
        "xhigh" | "max" => {
            changes.push(("reasoning_effort", "sent as HIGH, the most of this model"));
            "HIGH".to_owned()
        }
        effort => effort.to_ascii_uppercase(),
    };
    json!({"includeThoughts": true, "thinkingLevel": level})
}

/// The numbers are those of Google's own OpenAI-compatible endpoint. -1 lets the model
/// decide.
fn budget(model: &str, effort: &str, changes: &mut Vec<(&'static str, &'static str)>) -> Value {
    let is_pro = model.contains("-pro");
    let tokens = match effort {
        "none" if is_pro => {
            changes.push(("reasoning_effort", "sent as a budget of 128: this model always thinks"));
            return json!({"thinkingBudget": 128});
        }
        "none" => return json!({"thinkingBudget": 0}),
        "minimal" => 512,
        "low" => 1024,
        "medium" => 8192,
        "high" => 24_576,
        "xhigh" | "max" if is_pro => 32_768,
        "xhigh" | "max" => {
            changes.push(("reasoning_effort", "sent as a budget of 24576, the most of this model"));
            24_576
        }
        "auto" => -1,
        _ => {
            changes.push(("reasoning_effort", "unknown: the model decides how much to think"));
            -1
        }
    };
    json!({"includeThoughts": true, "thinkingBudget": tokens})
}

fn argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Argument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_of_a_model_is_in_its_name() {
        for (model, version) in [
            ("gemini-2.0-flash", Some(20)),
            ("gemini-2.5-flash-lite-preview-09-2025", Some(25)),
            ("gemini-3-pro-preview", Some(30)),
            ("models/gemini-3.8-flash", Some(38)),
            ("gemini-12.34", Some(129)),
            ("gemini-pro-latest", Some(u32::MAX)),
            ("gemini-99999999999", None),
            ("gemini-robotics-er-1.5-preview", None),
            ("gemma-3-27b-it", None),
            ("", None),
        ] {
            assert_eq!(Generation::of(model), Generation(version), "{model}");
        }
    }

    #[test]
    fn what_a_model_refuses_is_sent_where_the_config_wants_it() {
        let thinking = |model: &str, effort: &str, as_given: bool| {
            let request = format!("{{\"reasoning_effort\":\"{effort}\",\"messages\":[]}}");
            let mapped = map(model, &Request::from_json(&request).unwrap(), as_given).unwrap();
            let thinking = mapped.body.get("generationConfig").cloned().unwrap_or_default();
            (thinking["thinkingConfig"].clone(), mapped.changes.len())
        };
        let level = |level: &str| json!({"includeThoughts": true, "thinkingLevel": level});
        assert_eq!(thinking("gemini-3-pro", "xhigh", false), (level("HIGH"), 1));
        assert_eq!(thinking("gemini-3-pro", "xhigh", true), (level("XHIGH"), 0));
        assert_eq!(thinking("gemini-2.0-flash", "low", false), (json!(null), 1));
        assert_eq!(thinking("gemini-2.0-flash", "low", true), (level("LOW"), 0));
    }
}
