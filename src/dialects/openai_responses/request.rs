//! The mapping of a chat request to a request of the Responses API.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::catalog::Dialect;
use crate::dialects::shared::asked::{self, Part, Source, ToolChoice};
use crate::error::{Error, Result};
use crate::kept::{self, Piece};
use crate::request::Request;

/// The mark of a part up to which the prompt is cached.
const BREAKPOINT: &str = "prompt_cache_breakpoint";

/// What a request is mapped with.
pub(super) struct Mapping<'a> {
    pub(super) model: &'a str,
    /// The provider's name in errors.
    pub(super) label: &'a str,
    /// The config asks for background mode.
    pub(super) background: bool,
    /// Fields that the model is known to refuse are left out.
    pub(super) heal: bool,
}

/// The JSON body for `request`. `changed` is told which fields are left out, and why.
pub(super) fn body(
    request: &Request,
    mapping: &Mapping<'_>,
    changed: &mut dyn FnMut(&str, &str),
) -> Result<Map<String, Value>> {
    let mut body = Map::new();
    let mut native = Map::new();
    let mut include: Vec<Value> = Vec::new();
    let mut text = Map::new();
    let mut tools = tools(request);
    for (name, value) in request.fields() {
        match name.as_str() {
            "model"
            | "stream"
            | "tools"
            | "tool_choice"
            | "max_tokens"
            | "max_completion_tokens"
            | "reasoning_effort" => {}
            "functions" | "function_call" => {
                return Err(asked::unsupported(name, mapping.label));
            }
            "stop" | "logit_bias" | "audio" if !is_empty(value) => {
                return Err(asked::unsupported(name, mapping.label));
            }
            "stop" | "logit_bias" | "audio" => {}
            "n" if value.as_u64() == Some(1) => {}
            "n" => return Err(asked::unsupported(name, mapping.label)),
            "modalities" if *value == json!(["text"]) || is_empty(value) => {}
            "modalities" => return Err(asked::unsupported(name, mapping.label)),
            "seed" | "presence_penalty" | "frequency_penalty" | "prediction" => {
                changed(name, "left out: the Responses API has no such field");
            }
            "temperature" | "top_p" if mapping.heal && refuses_sampling(request, mapping.model) => {
                changed(name, "left out: the model takes none");
            }
            "response_format" => {
                text.insert("format".to_owned(), format_of(value));
            }
            "verbosity" => {
                text.insert("verbosity".to_owned(), value.clone());
            }
            "logprobs" if *value == Value::Bool(true) => {
                add(&mut include, "message.output_text.logprobs");
            }
            "logprobs" => {}
            "user" => {
                body.insert("safety_identifier".to_owned(), value.clone());
                body.insert("prompt_cache_key".to_owned(), value.clone());
            }
            "web_search_options" => tools.push(web_search(value)),
            // Usage comes without being asked for.
            "stream_options" => {
                let mut options = value.as_object().cloned().unwrap_or_default();
                options.shift_remove("include_usage");
                if !options.is_empty() {
                    native.insert(name.clone(), Value::Object(options));
                }
            }
            "include" => {}
            _ => {
                native.insert(name.clone(), value.clone());
            }
        }
    }
    if !tools.is_empty() {
        body.insert("tools".to_owned(), Value::Array(tools));
    }
    if let Some(choice) = tool_choice(request) {
        body.insert("tool_choice".to_owned(), choice);
    }
    if let Some(most) = asked::max_tokens(request) {
        body.insert("max_output_tokens".to_owned(), most.into());
    }
    if let Some(effort) = asked::effort(request) {
        let reasoning = match effort {
            "none" => json!({"effort": effort}),
            _ => json!({"effort": effort, "summary": "auto"}),
        };
        body.insert("reasoning".to_owned(), reasoning);
    }
    if !text.is_empty() {
        body.insert("text".to_owned(), Value::Object(text));
    }
    if mapping.background {
        body.insert("background".to_owned(), true.into());
    }
    // What the provider does not store, it has to be told anew with every request.
    let background = native.get("background").map_or(mapping.background, |value| *value == true);
    let is_stored = match native.get("store") {
        Some(store) => *store != Value::Bool(false),
        None => {
            background
                || native.contains_key("previous_response_id")
                || native.contains_key("conversation")
        }
    };
    if !is_stored {
        body.insert("store".to_owned(), false.into());
        add(&mut include, "reasoning.encrypted_content");
    }
    for own in request.field("include").and_then(Value::as_array).into_iter().flatten() {
        if !include.contains(own) {
            include.push(own.clone());
        }
    }
    if !include.is_empty() {
        body.insert("include".to_owned(), Value::Array(include));
    }
    let has_instructions = native.contains_key("instructions");
    if !native.contains_key("input") {
        let mut input = Input { mapping, is_stored, items: Vec::new(), calls: HashMap::new() };
        let instructions = input.take(request.messages(), has_instructions)?;
        if !instructions.is_empty() {
            body.insert("instructions".to_owned(), instructions.into());
        }
        body.insert("input".to_owned(), Value::Array(input.items));
    }
    body.insert("model".to_owned(), mapping.model.into());
    // Only a stream can be resumed.
    body.insert("stream".to_owned(), (request.stream() || background).into());
    merge(&mut body, native);
    Ok(body)
}

/// Puts `native` over `body`: objects are merged, all else is replaced.
fn merge(body: &mut Map<String, Value>, native: Map<String, Value>) {
    for (name, value) in native {
        match (body.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(fields)) => merge(known, fields),
            (_, value) => {
                body.insert(name, value);
            }
        }
    }
}

fn add(include: &mut Vec<Value>, what: &str) {
    include.push(what.into());
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// OpenAI's reasoning models take no `temperature` and `top_p`; those from 5.1 to 5.x do
/// with the effort `none`.
fn refuses_sampling(request: &Request, model: &str) -> bool {
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end).and_then(|digits| digits.parse::<u32>().ok())
    };
    if model.strip_prefix('o').and_then(digits).is_some() {
        return true;
    }
    let Some(version) = model.strip_prefix("gpt-") else { return false };
    let Some(major) = digits(version) else { return false };
    match major {
        ..5 => false,
        5 if version.starts_with("5-chat") => false,
        5 => !version.starts_with("5.") || asked::effort(request) != Some("none"),
        _ => true,
    }
}

/// `response_format` as `text.format`.
fn format_of(value: &Value) -> Value {
    let schema = value.get("json_schema").and_then(Value::as_object);
    match (value.get("type").and_then(Value::as_str), schema) {
        (Some("json_schema"), Some(schema)) => {
            let mut format = Map::new();
            format.insert("type".to_owned(), "json_schema".into());
            format.extend(schema.clone());
            Value::Object(format)
        }
        _ => value.clone(),
    }
}

fn tools(request: &Request) -> Vec<Value> {
    let functions = asked::functions(request).into_iter().map(|function| {
        let mut tool = Map::new();
        tool.insert("type".to_owned(), "function".into());
        tool.extend(function.fields.clone());
        tool.entry("parameters").or_insert_with(|| json!({"type": "object", "properties": {}}));
        // What chat means by leaving it out.
        tool.entry("strict").or_insert(false.into());
        Value::Object(tool)
    });
    functions.chain(asked::other_tools(request).into_iter().map(other_tool)).collect()
}

/// A tool that is no function, with a custom tool of chat in the form of this API.
fn other_tool(tool: &Value) -> Value {
    let Some(custom) = tool.get("custom").and_then(Value::as_object) else { return tool.clone() };
    let mut flat = Map::new();
    flat.insert("type".to_owned(), "custom".into());
    flat.extend(custom.clone());
    if let Some(Value::Object(format)) = flat.get_mut("format") {
        if let Some(Value::Object(grammar)) = format.shift_remove("grammar") {
            format.extend(grammar);
        }
    }
    Value::Object(flat)
}

/// `web_search_options` as the tool that it stands for.
fn web_search(options: &Value) -> Value {
    let mut tool = Map::new();
    tool.insert("type".to_owned(), "web_search".into());
    tool.extend(options.as_object().cloned().unwrap_or_default());
    if let Some(Value::Object(location)) = tool.get_mut("user_location") {
        if let Some(Value::Object(place)) = location.shift_remove("approximate") {
            location.extend(place);
        }
    }
    Value::Object(tool)
}

fn tool_choice(request: &Request) -> Option<Value> {
    let choice = request.field("tool_choice")?;
    let names_other = choice.get("type").is_some_and(|kind| kind != "function");
    Some(match asked::tool_choice(request).filter(|_| !names_other) {
        Some(ToolChoice::Auto) => "auto".into(),
        Some(ToolChoice::None) => "none".into(),
        Some(ToolChoice::Required) => "required".into(),
        Some(ToolChoice::Function(name)) => json!({"type": "function", "name": name}),
        None => other_choice(choice),
    })
}

/// A choice that stands in an object of its type's name is flat in this API.
fn other_choice(choice: &Value) -> Value {
    let Some(fields) = choice.as_object() else { return choice.clone() };
    let mut flat = Map::new();
    for (name, value) in fields {
        match value {
            Value::Object(inner)
                if Some(name.as_str()) == fields.get("type").and_then(Value::as_str) =>
            {
                flat.extend(inner.clone());
            }
            _ => {
                flat.insert(name.clone(), value.clone());
            }
        }
    }
    if let Some(Value::Array(tools)) = flat.get_mut("tools") {
        tools.iter_mut().for_each(|tool| *tool = other_choice(tool));
    }
    Value::Object(flat)
}

/// The items that the messages become.
struct Input<'a> {
    mapping: &'a Mapping<'a>,
    is_stored: bool,
    items: Vec<Value>,
    /// The calls so far, by their ids: their type, and the `caller` that their output names.
    calls: HashMap<&'a str, Made<'a>>,
}

/// A call that awaits its output.
#[derive(Default)]
struct Made<'a> {
    kind: &'a str,
    caller: Option<&'a Value>,
}

impl<'a> Input<'a> {
    /// Takes all messages. Returns the instructions that they begin with, unless the request
    /// has its own.
    fn take(&mut self, messages: &'a [Value], has_instructions: bool) -> Result<String> {
        let mut instructions: Vec<String> = Vec::new();
        for message in messages {
            let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
            let content = message.get("content").unwrap_or(&Value::Null);
            match role {
                "system" | "developer" if self.items.is_empty() && !has_instructions => {
                    match only_text(content) {
                        Some(text) => instructions.push(text),
                        None => self.say(role, content)?,
                    }
                }
                "assistant" => self.answer(message)?,
                "tool" => self.result(message, content)?,
                "function" => return Err(self.unsupported("function")),
                role => self.say(role, content)?,
            }
        }
        Ok(instructions.join("\n\n"))
    }

    /// A message that is not the model's.
    fn say(&mut self, role: &str, content: &Value) -> Result<()> {
        let content = self.content(content)?;
        self.items.push(json!({"role": role, "content": content}));
        Ok(())
    }

    fn content(&self, content: &Value) -> Result<Vec<Value>> {
        let mut parts = Vec::new();
        for (at, part) in asked::parts(content).iter().enumerate() {
            let mut part = self.part(part)?;
            let mark = content.get(at).and_then(|part| part.get(BREAKPOINT));
            if let (Value::Object(fields), Some(mark)) = (&mut part, mark) {
                fields.insert(BREAKPOINT.to_owned(), mark.clone());
            }
            parts.push(part);
        }
        Ok(parts)
    }

    fn part(&self, part: &Part<'_>) -> Result<Value> {
        Ok(match part {
            Part::Text(text) | Part::Refusal(text) => json!({"type": "input_text", "text": text}),
            Part::Image { source, detail } => {
                let mut image = Map::new();
                image.insert("type".to_owned(), "input_image".into());
                match source {
                    Source::Id(id) => image.insert("file_id".to_owned(), (*id).into()),
                    source => image.insert("image_url".to_owned(), url_of(source).into()),
                };
                if let Some(detail) = detail {
                    image.insert("detail".to_owned(), (*detail).into());
                }
                Value::Object(image)
            }
            Part::File { source, name } => {
                let mut file = Map::new();
                file.insert("type".to_owned(), "input_file".into());
                if let Some(name) = name {
                    file.insert("filename".to_owned(), (*name).into());
                }
                match source {
                    Source::Id(id) => file.insert("file_id".to_owned(), (*id).into()),
                    Source::Url(url) => file.insert("file_url".to_owned(), (*url).into()),
                    data => file.insert("file_data".to_owned(), url_of(data).into()),
                };
                Value::Object(file)
            }
            Part::Audio { .. } => return Err(self.unsupported("input_audio")),
            Part::Other(part) => (*part).clone(),
        })
    }

    /// A message of the model's: the items that it came in.
    fn answer(&mut self, message: &'a Value) -> Result<()> {
        for field in ["function_call", "audio"] {
            if message.get(field).is_some_and(|value| !is_empty(value)) {
                return Err(self.unsupported(field));
            }
        }
        let start = self.items.len();
        for piece in kept::pieces(message, Dialect::OpenAiResponses.name()) {
            match piece {
                Piece::Text { text: "", .. } => {}
                Piece::Text { text, with } => {
                    let part = json!({"type": "output_text", "text": text, "annotations": []});
                    self.items.push(said(part, with));
                }
                Piece::Call { id, name, arguments, fields, with } => {
                    self.call(id, name, arguments, fields, with);
                }
                Piece::Item(item) if self.is_stored || stands_by_itself(item) => {
                    self.items.push(item.clone());
                }
                Piece::Item(_) => {}
            }
        }
        let refusal = message.get("refusal").and_then(Value::as_str).unwrap_or_default();
        if !refusal.is_empty() {
            self.items.push(said(json!({"type": "refusal", "refusal": refusal}), None));
        }
        // Reasoning is refused without what it led to.
        while self.items.len() > start && self.items.last().is_some_and(is_reasoning) {
            self.items.pop();
        }
        Ok(())
    }

    fn unsupported(&self, field: &str) -> Error {
        asked::unsupported(field, self.mapping.label)
    }

    fn call(
        &mut self,
        id: &'a str,
        name: &str,
        arguments: &str,
        fields: &Map<String, Value>,
        with: Option<&'a Map<String, Value>>,
    ) {
        let kept = with.and_then(|with| with.get("type")).and_then(Value::as_str);
        let custom = fields.get("custom");
        let kind =
            kept.unwrap_or(if custom.is_some() { "custom_tool_call" } else { "function_call" });
        self.calls.insert(id, Made { kind, caller: with.and_then(|with| with.get("caller")) });
        let mut item = Map::new();
        item.insert("type".to_owned(), kind.into());
        item.extend(with.cloned().unwrap_or_default());
        match kind {
            "function_call" => {
                item.insert("call_id".to_owned(), id.into());
                item.insert("name".to_owned(), name.into());
                item.insert("arguments".to_owned(), arguments.into());
            }
            "custom_tool_call" => {
                let of = |name: &str| custom.and_then(|custom| custom.get(name)).cloned();
                item.insert("call_id".to_owned(), id.into());
                item.insert("name".to_owned(), of("name").unwrap_or_else(|| name.into()));
                item.insert("input".to_owned(), of("input").unwrap_or_else(|| input_of(arguments)));
            }
            // What else the program is called for was kept whole.
            _ => {}
        }
        self.items.push(Value::Object(item));
    }

    /// What the program answers to a call.
    fn result(&mut self, message: &'a Value, content: &'a Value) -> Result<()> {
        let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
        let made = self.calls.get(id);
        let (kind, caller) = made.map_or(("function_call", None), |made| (made.kind, made.caller));
        let mut item = Map::new();
        match kind {
            "mcp_approval_request" => {
                item.insert("type".to_owned(), "mcp_approval_response".into());
                item.insert("approval_request_id".to_owned(), id.into());
            }
            kind => {
                item.insert("type".to_owned(), format!("{kind}_output").into());
                item.insert("call_id".to_owned(), id.into());
            }
        }
        if let Some(caller) = caller {
            item.insert("caller".to_owned(), caller.clone());
        }
        let said = only_text(content);
        match (kind, said) {
            ("function_call" | "custom_tool_call", Some(text)) => {
                item.insert("output".to_owned(), text.into());
            }
            ("function_call" | "custom_tool_call", None) => {
                item.insert("output".to_owned(), self.content(content)?.into());
            }
            (kind, said) => {
                let said = said.unwrap_or_default();
                for (name, value) in output_of(kind, &said, content) {
                    item.entry(name).or_insert(value);
                }
            }
        }
        self.items.push(Value::Object(item));
        Ok(())
    }
}

/// The output of a call of `kind`: the fields that a tool result has as JSON, else what its
/// plain text says. Text that is only some JSON is plain text.
fn output_of(kind: &str, said: &str, content: &Value) -> Map<String, Value> {
    let object = serde_json::from_slice::<Value>(said.as_bytes()).ok().filter(Value::is_object);
    let has = |name: &str| object.as_ref().is_some_and(|object| object.get(name).is_some());
    let is_screenshot = object
        .as_ref()
        .is_some_and(|object| object.get("type").is_some_and(|kind| kind == "computer_screenshot"));
    let fields = match kind {
        _ if has("output") || has("approve") && kind == "mcp_approval_request" => {
            object.unwrap_or_default()
        }
        "apply_patch_call" if has("status") => object.unwrap_or_default(),
        "computer_call" if is_screenshot => json!({"output": object}),
        "mcp_approval_request" => json!({"approve": said.trim() == "true"}),
        "apply_patch_call" => json!({"status": "completed", "output": said}),
        "shell_call" => {
            let outcome = json!({"type": "exit", "exit_code": 0});
            json!({"output": [{"stdout": said, "stderr": "", "outcome": outcome}]})
        }
        "computer_call" => {
            let image = asked::parts(content).iter().find_map(|part| match part {
                Part::Image { source, .. } => Some(url_of(source)),
                _ => None,
            });
            let url = image.unwrap_or_else(|| said.to_owned());
            json!({"output": {"type": "computer_screenshot", "image_url": url}})
        }
        _ => json!({"output": said}),
    };
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// A message of the model's, with what was kept of it.
fn said(part: Value, with: Option<&Map<String, Value>>) -> Value {
    let mut item = Map::new();
    item.insert("type".to_owned(), "message".into());
    item.insert("role".to_owned(), "assistant".into());
    item.insert("content".to_owned(), Value::Array(vec![part]));
    item.extend(with.cloned().unwrap_or_default());
    Value::Object(item)
}

fn is_reasoning(item: &Value) -> bool {
    item.get("type").is_some_and(|kind| kind == "reasoning")
}

/// Whether a provider that did not store `item` can make sense of it: reasoning without
/// its content is no more than an id.
fn stands_by_itself(item: &Value) -> bool {
    let has = |name: &str| item.get(name).is_some_and(|value| !is_empty(value));
    !is_reasoning(item) || has("encrypted_content") || has("content")
}

/// The text of a content that is nothing else.
fn only_text(content: &Value) -> Option<String> {
    let texts: Option<Vec<&str>> = asked::parts(content)
        .into_iter()
        .map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        })
        .collect();
    texts.map(|texts| texts.concat())
}

fn url_of(source: &Source<'_>) -> String {
    match source {
        Source::Data { mime, base64 } => format!("data:{mime};base64,{base64}"),
        Source::Url(text) | Source::Id(text) => (*text).to_owned(),
    }
}

/// The input of a custom tool, which the program got as an object (see [`super::reader`]).
fn input_of(arguments: &str) -> Value {
    let input = serde_json::from_slice::<Value>(arguments.as_bytes()).ok();
    let input = input.and_then(|input| input.get("input").cloned());
    input.unwrap_or_else(|| arguments.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a request, and which of its fields are in the body.
    fn mapped(model: &str, heal: bool, fields: &Value) -> (Vec<String>, Vec<String>) {
        let request = Request::from_json(&fields.to_string()).unwrap();
        let mapping = Mapping { model, label: "L", background: false, heal };
        let mut told = Vec::new();
        let mut changed = |field: &str, what: &str| {
            assert!(what.starts_with("left out"), "{what}");
            told.push(field.to_owned());
        };
        let body = body(&request, &mapping, &mut changed).unwrap();
        let names = fields.as_object().unwrap().keys();
        (told, names.filter(|name| body.contains_key(*name)).cloned().collect())
    }

    #[test]
    fn what_is_left_out_is_told() {
        for field in ["seed", "presence_penalty", "frequency_penalty", "prediction"] {
            let (told, sent) = mapped("m", true, &json!({field: 1}));
            assert_eq!((told, sent), (vec![field.to_owned()], vec![]));
        }
        let sampling = json!({"temperature": 1, "top_p": 1});
        let both = || vec!["temperature".to_owned(), "top_p".to_owned()];
        assert_eq!(mapped("gpt-6-luna", true, &sampling), (both(), vec![]));
        assert_eq!(mapped("gpt-6-luna", false, &sampling), (vec![], both()));
        assert_eq!(mapped("m", true, &sampling), (vec![], both()));
    }
}
