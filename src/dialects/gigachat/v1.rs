//! The request in GigaChat's words.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::Result;
use crate::prompt::{role_of, text_of};
use crate::request::Request;

/// Uploads what a part of a message carries. Returns its id; `None` for a part without a file.
type Upload<'u> = &'u mut dyn FnMut(&Value) -> Result<Option<String>>;

/// The body of the request. What it does not know is left out.
pub(super) fn body(
    model: &str,
    request: &Request,
    upload: Upload<'_>,
) -> Result<Map<String, Value>> {
    /// What GigaChat does not know.
    const UNKNOWN: &[&str] = &[
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "seed",
        "logit_bias",
        "frequency_penalty",
        "presence_penalty",
        "user",
        "stream_options",
        "stop",
        "max_completion_tokens",
    ];
    let messages = messages(request.messages(), upload)?;
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    body.insert("messages".to_owned(), Value::Array(messages));
    for (name, value) in request.to_object()? {
        if !UNKNOWN.contains(&&*name) && name != "model" && name != "messages" {
            body.insert(name, value);
        }
    }
    if request.stream() {
        body.insert("stream".to_owned(), true.into());
    } else {
        body.shift_remove("stream");
    }
    if let Some(most) = request.field("max_completion_tokens") {
        body.entry("max_tokens").or_insert(most.clone());
    }
    // 0 is out of its range; this is what means the same.
    if body.get("temperature").and_then(Value::as_f64) == Some(0.0) {
        body.shift_remove("temperature");
        body.insert("top_p".to_owned(), 0.into());
    }
    if let Some(schema) =
        request.field("response_format").and_then(|format| format.get("json_schema"))
    {
        let mut format = Map::new();
        format.insert("type".to_owned(), "json_schema".into());
        for name in ["schema", "strict"] {
            format.extend(schema.get(name).map(|value| (name.to_owned(), value.clone())));
        }
        body.insert("response_format".to_owned(), Value::Object(format));
    }
    let tools = request.field("tools").and_then(Value::as_array).into_iter().flatten();
    let functions: Vec<Value> = tools.filter_map(|tool| tool.get("function").cloned()).collect();
    if !functions.is_empty() {
        body.entry("functions").or_insert(Value::Array(functions));
    }
    match request.field("tool_choice") {
        Some(Value::String(choice)) => {
            let choice = if choice == "none" { "none" } else { "auto" };
            body.entry("function_call").or_insert(choice.into());
        }
        Some(choice) => {
            if let Some(name) = choice.pointer("/function/name") {
                body.entry("function_call").or_insert(json!({"name": name}));
            }
        }
        None => {}
    }
    Ok(body)
}

fn messages(messages: &[Value], upload: Upload<'_>) -> Result<Vec<Value>> {
    let mut mapped: Vec<Value> = Vec::new();
    let mut system: Option<Value> = None;
    let mut answered: Vec<&str> = Vec::new();
    for (message, next) in messages.iter().zip(1..) {
        let mut content = json!(content_of(message));
        let role = match role_of(message) {
            "system" | "developer" if system.is_none() => {
                system = Some(json!({"role": "system", "content": content}));
                continue;
            }
            "assistant" => {
                let calls: Vec<&Value> = message
                    .get("tool_calls")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .collect();
                if !calls.is_empty() {
                    // It makes one call a turn: several become a turn each.
                    for tool_call in calls {
                        let id = tool_call.get("id").and_then(Value::as_str).unwrap_or_default();
                        mapped.push(function_call(tool_call, id, &content));
                        // Some count their ids anew in every turn: its result comes after it.
                        let later = messages.get(next..).unwrap_or_default();
                        mapped.extend(result_of(id, tool_call, later));
                        answered.push(id);
                        content = json!("");
                    }
                    continue;
                }
                "assistant"
            }
            "tool" => {
                let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
                if !answered.contains(&id) {
                    mapped.push(function_result("", message));
                }
                continue;
            }
            "function" => {
                let name = message.get("name").and_then(Value::as_str).unwrap_or_default();
                mapped.push(function_result(name, message));
                continue;
            }
            _ => "user",
        };
        let mut files = Vec::new();
        for part in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            files.extend(upload(part)?);
        }
        let mut one = json!({"role": role, "content": content});
        for name in ["function_call", "functions_state_id", "attachments"] {
            copy(message, name, &mut one);
        }
        if let (false, Some(fields)) = (files.is_empty(), one.as_object_mut()) {
            fields.insert("attachments".to_owned(), json!(files));
        }
        if !merge(mapped.last_mut(), &one) {
            mapped.push(one);
        }
    }
    Ok(system.into_iter().chain(mapped).collect())
}

/// The text of a message, its parts on lines of their own.
pub(super) fn content_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::Array(parts)) => {
            let texts =
                parts.iter().filter(|part| part.get("type").is_none_or(|kind| kind == "text"));
            texts.map(text_of).collect::<Vec<_>>().join("\n")
        }
        Some(content) => text_of(content),
        None => String::new(),
    }
}

fn copy(from: &Value, name: &str, to: &mut Value) {
    if let (Some(value), Some(fields)) = (from.get(name), to.as_object_mut()) {
        fields.insert(name.to_owned(), value.clone());
    }
}

/// Joins a message to the one before it, where both are of one role and make no call.
fn merge(before: Option<&mut Value>, message: &Value) -> bool {
    let Some(before) = before else { return false };
    let plain = |message: &Value| {
        message.get("function_call").is_none() && message.get("attachments").is_none()
    };
    if role_of(before) != role_of(message) || !plain(before) || !plain(message) {
        return false;
    }
    let joined = format!("{}\n{}", content_of(before), content_of(message));
    if let Some(fields) = before.as_object_mut() {
        fields.insert("content".to_owned(), joined.into());
    }
    true
}

/// A tool call as the assistant's function call: arguments are an object here.
fn function_call(tool_call: &Value, id: &str, content: &Value) -> Value {
    let name = tool_call.pointer("/function/name").unwrap_or(&Value::Null);
    let arguments =
        tool_call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or("{}");
    let arguments: Value =
        serde_json::from_slice(arguments.as_bytes()).unwrap_or_else(|_| json!({}));
    let mut message = json!({
        "role": "assistant",
        "content": content,
        "function_call": {"name": name, "arguments": arguments},
    });
    // Ids that other providers made mean nothing to it.
    if let (Ok(_), Some(fields)) = (Uuid::parse_str(id), message.as_object_mut()) {
        fields.insert("functions_state_id".to_owned(), id.into());
    }
    message
}

/// The message that answers a call.
fn result_of(id: &str, tool_call: &Value, messages: &[Value]) -> Option<Value> {
    let name = tool_call.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
    let answers = |message: &&Value| {
        role_of(message) == "tool" && message.get("tool_call_id").is_some_and(|known| known == id)
    };
    messages.iter().find(answers).map(|message| function_result(name, message))
}

/// A result is a JSON object, written out as text.
fn function_result(name: &str, message: &Value) -> Value {
    let text = content_of(message);
    let content = match serde_json::from_slice::<Value>(text.as_bytes()) {
        Ok(Value::Object(_)) => text,
        Ok(other) => json!({"result": other}).to_string(),
        Err(_) => json!({"result": text}).to_string(),
    };
    json!({"role": "function", "name": name, "content": content})
}
