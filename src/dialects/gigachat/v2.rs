//! The second version of the contract: messages in parts, and named events.

use serde_json::{Map, Value, json};

use super::v1::content_of;
use crate::answer::Answer;
use crate::answer::usage::usage_of;
use crate::dialects::{Flow, Piece, PieceKind, Reader};
use crate::error::Result;
use crate::json::mould::{NO_NUMBERS, Places, Said};
use crate::prompt::role_of;
use crate::request::Request;
use crate::wire::Event;

/// The first version's body in the words of the second.
pub(super) fn body(first: &Map<String, Value>, request: &Request) -> Value {
    const OPTIONS: &[&str] = &[
        "temperature",
        "top_p",
        "max_tokens",
        "repetition_penalty",
        "update_interval",
        "response_format",
    ];
    let mut body = Map::new();
    let mut options = Map::new();
    for (name, value) in first {
        match name.as_str() {
            "messages" => {
                let messages = value.as_array().into_iter().flatten().map(message_of).collect();
                body.insert(name.clone(), Value::Array(messages));
            }
            "functions" => {
                body.insert("tools".to_owned(), json!([{"functions": {"specifications": value}}]));
            }
            "function_call" => {
                let config = match value.get("name") {
                    Some(name) => json!({"mode": "forced", "function_name": name}),
                    None => json!({"mode": value}),
                };
                body.insert("tool_config".to_owned(), config);
            }
            "reasoning_effort" => {
                options.insert("reasoning".to_owned(), json!({"effort": value}));
            }
            name if OPTIONS.contains(&name) => {
                options.insert(name.to_owned(), value.clone());
            }
            name => {
                body.insert(name.to_owned(), value.clone());
            }
        }
    }
    // Tools that are built in are given as they are: they have no function inside.
    let tools = request.field("tools").and_then(Value::as_array).into_iter().flatten();
    let built_in: Vec<Value> =
        tools.filter(|tool| tool.get("function").is_none()).cloned().collect();
    if !built_in.is_empty() {
        match body.entry("tools").or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(all) => all.extend(built_in),
            other => *other = Value::Array(built_in),
        }
    }
    if !options.is_empty() {
        body.insert("model_options".to_owned(), Value::Object(options));
    }
    Value::Object(body)
}

fn message_of(message: &Value) -> Value {
    let mut parts = Vec::new();
    let text = content_of(message);
    let role = match role_of(message) {
        "function" => {
            let result: Value = serde_json::from_slice(text.as_bytes()).unwrap_or_default();
            let name = message.get("name").unwrap_or(&Value::Null);
            parts.push(json!({"function_result": {"name": name, "result": result}}));
            "tool"
        }
        role => {
            if !text.is_empty() {
                parts.push(json!({"text": text}));
            }
            role
        }
    };
    let files = message.get("attachments").and_then(Value::as_array).into_iter().flatten();
    let files: Vec<Value> = files.map(|id| json!({"id": id})).collect();
    if !files.is_empty() {
        parts.push(json!({"files": files}));
    }
    if let Some(function_call) = message.get("function_call") {
        parts.push(json!({"function_call": function_call}));
    }
    let mut mapped = json!({"role": role, "content": parts});
    if let (Some(id), Some(fields)) = (message.get("functions_state_id"), mapped.as_object_mut()) {
        fields.insert("tools_state_id".to_owned(), id.clone());
    }
    mapped
}

/// Reads an answer of the second version, event by event or whole.
#[derive(Default)]
pub(super) struct AnswerReader {
    calls: i64,
    pub(super) files: Vec<String>,
    finished: bool,
}

impl Reader for AnswerReader {
    fn read(&mut self, event: Event<'_>, answer: &mut Answer<'_>) -> Result<Flow> {
        if event.data.trim_ascii().is_empty() {
            return Ok(Flow::More);
        }
        let event = answer.json(event.data)?;
        if let Some((piece, text)) = piece_of(&event) {
            begin(&event, answer);
            return piece.take(&Said { text, numbers: NO_NUMBERS }, self, answer);
        }
        self.take(&event, answer);
        if self.files.len() > answer.max_tool_calls() {
            return Err(answer.too_many_calls());
        }
        let Some(reason) = event.get("finish_reason").and_then(Value::as_str) else {
            return Ok(Flow::More);
        };
        self.finished = true;
        answer.reason(0, reason);
        if let Some(usage) = event.get("usage").and_then(usage_of) {
            answer.usage(usage);
        }
        Ok(Flow::Done)
    }

    fn piece(&mut self, piece: &Piece, said: &Said<'_>, answer: &mut Answer<'_>) -> Result<()> {
        match piece.kind {
            PieceKind::Reasoning(field) => answer.reasoning(0, said.text, field),
            _ => answer.text(0, said.text),
        }
        Ok(())
    }

    fn end(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        match self.finished {
            true => Ok(()),
            false => Err(answer.truncated()),
        }
    }
}

fn begin(event: &Value, answer: &mut Answer<'_>) {
    answer.start("", event.get("model").and_then(Value::as_str).unwrap_or_default());
}

/// The piece that an event is, if it is nothing more, and its text.
fn piece_of(event: &Value) -> Option<(Piece, &str)> {
    let only = |items: &'_ Value| items.as_array().is_some_and(|items| items.len() == 1);
    let message = event.get("messages").filter(|messages| only(messages))?.get(0)?;
    let is_more = event.get("finish_reason").is_some_and(Value::is_string)
        || event.get("tool_execution").is_some();
    let (said, key) = match message.get("content")? {
        said @ Value::String(_) => (Some(said), "content"),
        parts if only(parts) => {
            let part = parts.get(0)?;
            let is_text = part.get("function_call").or(part.get("files")).is_none();
            (part.get("text").filter(|_| is_text), "text")
        }
        _ => return None,
    };
    let text = said?.as_str().filter(|text| !text.is_empty() && !is_more)?;
    let kind = match role_of(message) {
        "reasoning" => PieceKind::Reasoning("reasoning"),
        _ => PieceKind::Text,
    };
    let places = Places { free: &["created_at"], ..Places::default() };
    Some((Piece::new(kind, key).at(places), text))
}

impl AnswerReader {
    fn take(&mut self, event: &Value, answer: &mut Answer<'_>) {
        let text = |value: &Value, key: &str| {
            value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        begin(event, answer);
        if let Some(tool) = event.get("tool_execution") {
            answer.progress(&format!("{} {}", text(tool, "name"), text(tool, "status")));
        }
        let ids = ["tools_state_id", "tool_state_id", "functions_state_id"];
        for message in event.get("messages").and_then(Value::as_array).into_iter().flatten() {
            let id = ids
                .iter()
                .map(|key| text(message, key))
                .chain(ids.iter().map(|key| text(event, key)));
            let id = id.into_iter().find(|id| !id.is_empty());
            let is_reasoning = role_of(message) == "reasoning";
            let mut say = |said: &str| match is_reasoning {
                true => answer.reasoning(0, said, "reasoning"),
                false => answer.text(0, said),
            };
            let parts = match message.get("content") {
                Some(Value::String(said)) => {
                    say(said);
                    continue;
                }
                Some(Value::Array(parts)) => parts,
                _ => continue,
            };
            for part in parts {
                say(&text(part, "text"));
            }
            for part in parts {
                if let Some(function) = part.get("function_call") {
                    self.take_call(function, id.as_deref(), answer);
                }
                for file in part.get("files").and_then(Value::as_array).into_iter().flatten() {
                    self.files.extend(Some(text(file, "id")).filter(|id| !id.is_empty()));
                }
            }
        }
    }

    fn take_call(&mut self, function: &Value, id: Option<&str>, answer: &mut Answer<'_>) {
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        let arguments = match function.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let id = id.unwrap_or_default();
        answer.tool_call(0, Some(self.calls), id, name, &arguments);
        self.calls += 1;
    }
}
