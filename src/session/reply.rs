//! What an answer comes to, put together: the assistant's message for the next turn.

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
}

#[derive(Default)]
struct Call {
    index: i32,
    id: String,
    name: String,
    arguments: String,
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
                    self.state.extend(state);
                }
            }
            _ => {}
        }
    }

    /// The message as OpenAI's chat request takes it.
    pub(crate) fn to_json(&self) -> String {
        let mut message = Map::new();
        message.insert("role".to_owned(), json!("assistant"));
        let silent = self.text.is_empty()
            && (!self.calls.is_empty() || !self.refusal.is_empty() || !self.audio.is_empty());
        let content = if silent { Value::Null } else { json!(self.text) };
        message.insert("content".to_owned(), content);
        // Some providers want their reasoning back, in the field it came in (pitfall 20).
        if matches!(&*self.reasoning_field, "reasoning_content" | "reasoning") {
            message.insert(self.reasoning_field.clone(), json!(self.reasoning));
        }
        if !self.refusal.is_empty() {
            message.insert("refusal".to_owned(), json!(self.refusal));
        }
        if !self.calls.is_empty() {
            let calls = self.calls.iter().map(Call::to_json).collect();
            message.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        if !self.audio.is_empty() {
            message.insert("audio".to_owned(), json!({"id": self.audio}));
        }
        message.extend(self.state.clone());
        Value::Object(message).to_string()
    }
}

impl Call {
    fn to_json(&self) -> Value {
        let arguments = if self.arguments.is_empty() { "{}" } else { &self.arguments };
        json!({
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": arguments}
        })
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
}
