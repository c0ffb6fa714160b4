//! What an answer comes to, put together: the assistant's message for the next turn.

use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::chunk::{Chunk, ChunkKind};

/// Gathers the first choice of an answer as its chunks are handed out.
#[derive(Default)]
pub(crate) struct Reply {
    text: String,
    refusal: String,
    reasoning: String,
    /// The field that the reasoning came in, and has to go back in.
    reasoning_field: String,
    calls: Vec<Call>,
    audio: String,
    /// What the provider wants back, as fields of the message.
    state: Map<String, Value>,
    /// The answer came to its end: nothing of it is still missing.
    finished: bool,
}

#[derive(Default)]
struct Call {
    index: i32,
    id: String,
    name: String,
    arguments: String,
    /// What the provider wants back, as fields of the call.
    state: Map<String, Value>,
}

impl Reply {
    pub(crate) fn take(&mut self, chunk: &Chunk<'_>) {
        if chunk.choice != 0 {
            return;
        }
        match chunk.kind {
            ChunkKind::Text => self.text.push_str(chunk.text),
            ChunkKind::Refusal => self.refusal.push_str(chunk.text),
            ChunkKind::Reasoning => {
                self.reasoning.push_str(chunk.text);
                if self.reasoning_field.is_empty() {
                    chunk.name.clone_into(&mut self.reasoning_field);
                }
            }
            ChunkKind::ToolCall => {
                // The pieces of a call follow one another: it is the last one as a rule.
                let at = self.calls.iter().rposition(|call| call.index == chunk.index);
                let at = at.unwrap_or(self.calls.len());
                if at == self.calls.len() {
                    self.calls.push(Call { index: chunk.index, ..Call::default() });
                }
                if let Some(call) = self.calls.get_mut(at) {
                    call.id.push_str(chunk.id);
                    call.name.push_str(chunk.name);
                    call.arguments.push_str(chunk.text);
                }
            }
            ChunkKind::Audio if !chunk.id.is_empty() => chunk.id.clone_into(&mut self.audio),
            ChunkKind::State => {
                if let Ok(Value::Object(state)) = serde_json::from_str(chunk.text) {
                    self.take_state(state);
                }
            }
            ChunkKind::Finish => self.finished = true,
            _ => {}
        }
    }

    /// A field that comes again replaces the one before; tool calls are told by their ids.
    fn take_state(&mut self, mut state: Map<String, Value>) {
        let calls = state.shift_remove("tool_calls");
        for fields in calls.as_ref().and_then(Value::as_array).into_iter().flatten() {
            let id = fields.get("id").and_then(Value::as_str).unwrap_or_default();
            let known = self.calls.iter_mut().find(|call| call.id == id);
            if let (Some(call), Some(fields)) = (known, fields.as_object()) {
                call.state.extend(fields.clone());
            }
        }
        self.state.extend(state);
    }

    /// The message as OpenAI's chat request takes it; empty where there is nothing that a
    /// provider would take. Tool calls that did not arrive whole are left out.
    pub(crate) fn to_json(&self) -> String {
        let calls: Vec<Value> =
            self.calls.iter().filter_map(|call| call.to_json(self.finished)).collect();
        let says_nothing = self.text.trim().is_empty()
            && self.refusal.is_empty()
            && self.audio.is_empty()
            && calls.is_empty();
        if says_nothing {
            return String::new();
        }
        let mut message = Map::new();
        message.insert("role".to_owned(), json!("assistant"));
        // Empty, never null: some servers fail at null beside tool calls.
        message.insert("content".to_owned(), self.content());
        // Some providers want their reasoning back, in the field it came in (pitfall 20).
        if matches!(&*self.reasoning_field, "reasoning_content" | "reasoning") {
            message.insert(self.reasoning_field.clone(), json!(self.reasoning));
        }
        if !self.refusal.is_empty() {
            message.insert("refusal".to_owned(), json!(self.refusal));
        }
        if !calls.is_empty() {
            message.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        if !self.audio.is_empty() {
            message.insert("audio".to_owned(), json!({"id": self.audio}));
        }
        let is_empty = |value: &Value| value.is_null() || *value == json!([]);
        let kept = self.state.iter().filter(|(name, value)| *name != "content" && !is_empty(value));
        message.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        Value::Object(message).to_string()
    }

    /// The text; after the parts that the provider wants back, where there are any.
    fn content(&self) -> Value {
        let Some(Value::Array(parts)) = self.state.get("content") else {
            return json!(self.text);
        };
        let text = json!({"type": "text", "text": self.text});
        parts.iter().cloned().chain((!self.text.is_empty()).then_some(text)).collect()
    }
}

impl Call {
    /// The call, if it arrived whole: its arguments are JSON then, or were left empty for
    /// none. No part of an object is JSON, but a part of a number is.
    fn to_json(&self, finished: bool) -> Option<Value> {
        let arguments = match self.arguments.trim() {
            "" if finished => "{}",
            given => given,
        };
        let is_json = serde_json::from_str::<IgnoredAny>(arguments).is_ok();
        let is_whole = is_json && (finished || arguments.starts_with('{'));
        if !is_whole || self.name.is_empty() {
            return None;
        }
        let mut call = self.state.clone();
        call.insert("id".to_owned(), json!(self.id));
        call.insert("type".to_owned(), json!("function"));
        call.insert("function".to_owned(), json!({"name": self.name, "arguments": arguments}));
        Some(Value::Object(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_one_message() {
        let mut reply = Reply::default();
        let call = Chunk::new(ChunkKind::ToolCall);
        for chunk in [
            Chunk { text: "hm", name: "reasoning_content", ..Chunk::new(ChunkKind::Reasoning) },
            Chunk { text: "He", ..Chunk::new(ChunkKind::Text) },
            Chunk { text: "llo", ..Chunk::new(ChunkKind::Text) },
            Chunk { text: "other", choice: 1, ..Chunk::new(ChunkKind::Text) },
            Chunk { id: "a", name: "f", text: "{\"x\":", ..call },
            Chunk { id: "b", name: "g", index: 1, ..call },
            Chunk { text: "1}", ..call },
            Chunk { text: "tool_calls", ..Chunk::new(ChunkKind::Finish) },
        ] {
            reply.take(&chunk);
        }
        let message: Value = serde_json::from_str(&reply.to_json()).unwrap();
        assert_eq!(
            message,
            json!({"role": "assistant", "content": "Hello", "reasoning_content": "hm", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ]})
        );
    }

    fn reply_of(chunks: &[Chunk<'_>]) -> Reply {
        let mut reply = Reply::default();
        chunks.iter().for_each(|chunk| reply.take(chunk));
        reply
    }

    #[test]
    fn nothing_to_say_is_no_message() {
        let kind = |kind, text| Chunk { text, ..Chunk::new(kind) };
        for chunks in [
            &[][..],
            &[kind(ChunkKind::Start, "id")],
            &[kind(ChunkKind::Reasoning, "hm")],
            &[kind(ChunkKind::Text, " \n"), kind(ChunkKind::Finish, "stop")],
            &[kind(ChunkKind::State, "{\"conversation\":7}")],
            &[Chunk { id: "a", name: "f", text: "{\"x\":", ..Chunk::new(ChunkKind::ToolCall) }],
            &[Chunk { choice: 1, ..kind(ChunkKind::Text, "other") }],
        ] {
            assert_eq!(reply_of(chunks).to_json(), "", "{chunks:?}");
        }
    }

    #[test]
    fn calls_that_did_not_arrive_whole_are_left_out() {
        let call = |name, text| Chunk { id: "a", name, text, ..Chunk::new(ChunkKind::ToolCall) };
        let end = Chunk { text: "length", ..Chunk::new(ChunkKind::Finish) };
        let arguments = |chunks: &[Chunk<'_>]| {
            let message = reply_of(chunks).to_json();
            let message: Value = serde_json::from_str(&message).unwrap_or_default();
            message.pointer("/tool_calls/0/function/arguments").cloned()
        };
        for (given, cut, finished) in [
            ("{\"x\":1}", Some("{\"x\":1}"), Some("{\"x\":1}")),
            ("{\"x\":1", None, None),
            ("{\"x\":1}}", None, None),
            ("", None, Some("{}")),
            (" ", None, Some("{}")),
            ("12", None, Some("12")),
            ("nul", None, None),
        ] {
            assert_eq!(arguments(&[call("f", given)]), cut.map(Value::from), "{given:?}");
            assert_eq!(arguments(&[call("f", given), end]), finished.map(Value::from), "{given:?}");
        }
        assert_eq!(arguments(&[call("", "{}"), end]), None);
    }
}
