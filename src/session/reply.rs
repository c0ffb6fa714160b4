//! What an answer comes to, put together: the assistant's message for the next turn.

use std::ops::{Deref, DerefMut};

use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::chunk::{Chunk, ChunkKind};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::kept::{self, Kept};
use crate::memory;
use crate::request::INCOMPLETE;

/// Gathers the first choice of an answer as its chunks are handed out.
#[derive(Default)]
pub(crate) struct Reply {
    /// How many bytes it may still take.
    room: usize,
    /// There was no room for all of the answer: nothing is added any more.
    is_incomplete: bool,
    text: Shown,
    refusal: String,
    reasoning: String,
    /// The field that the reasoning came in, and has to go back in.
    reasoning_field: String,
    calls: Vec<Call>,
    audio: String,
    /// It has images or audio. They go back where they are kept.
    has_media: bool,
    /// What the provider wants back, as fields of the message.
    state: Map<String, Value>,
    /// What else it wants back, and in which order.
    kept: Kept,
    /// The answer came to its end: nothing of it is still missing.
    finished: bool,
}

/// Text that grows, and is shown to C.
#[derive(Default)]
struct Shown {
    text: String,
    /// How long it was when a NUL was put after it.
    ended_at: usize,
}

#[derive(Default)]
struct Call {
    index: i32,
    id: Shown,
    name: Shown,
    arguments: Shown,
    /// What the provider wants back, as fields of the call.
    state: Map<String, Value>,
}

/// A tool call that arrived whole. Strings that are not empty have a NUL after them.
pub(crate) struct WholeCall<'r> {
    pub(crate) index: i32,
    pub(crate) id: &'r str,
    pub(crate) name: &'r str,
    /// JSON, or empty where the model gave none.
    pub(crate) arguments: &'r str,
}

impl Deref for Shown {
    type Target = String;

    fn deref(&self) -> &String {
        &self.text
    }
}

impl DerefMut for Shown {
    fn deref_mut(&mut self) -> &mut String {
        &mut self.text
    }
}

impl Shown {
    /// The text. Where it is not empty, it has a NUL after it, until it grows.
    fn show(&mut self) -> Result<&str> {
        // A text that is the same is left alone: it may be read just now.
        if self.ended_at != self.text.len() {
            memory::reserve_text(&mut self.text, 1)?;
            self.text.push('\0');
            self.text.pop();
            self.ended_at = self.text.len();
        }
        Ok(&self.text)
    }
}

impl Reply {
    /// A reply of at most `max_bytes`.
    pub(crate) fn new(max_bytes: usize) -> Reply {
        Reply { room: max_bytes, ..Reply::default() }
    }

    /// Adds a chunk. Where there is no room for it, it ends the reply: text is cut, and all
    /// else left out.
    #[inline]
    pub(crate) fn take(&mut self, chunk: &Chunk<'_>) {
        if chunk.choice != 0 || self.is_incomplete {
            return;
        }
        let (size, is_text) = match chunk.kind {
            ChunkKind::Text | ChunkKind::Refusal | ChunkKind::Reasoning => (chunk.text.len(), true),
            ChunkKind::ToolCall => (chunk.id.len() + chunk.name.len() + chunk.text.len(), false),
            // Newer state takes the place of older: see take_state().
            ChunkKind::State => (0, false),
            ChunkKind::Audio => (chunk.id.len(), false),
            ChunkKind::Image => (0, false),
            ChunkKind::Finish => (0, false),
            _ => return,
        };
        if size > self.room {
            return self.cut(chunk, is_text);
        }
        self.room -= size;
        self.is_incomplete = self.add(chunk).is_err();
    }

    /// Adds the texts of chunks that follow one another. Where there is no room for all of
    /// them it adds none and returns false: they are to be taken one by one.
    pub(crate) fn take_texts<'t>(&mut self, texts: impl Iterator<Item = &'t str> + Clone) -> bool {
        let size = texts.clone().map(str::len).sum();
        let fits = !self.is_incomplete
            && size <= self.room
            && memory::reserve_text(&mut self.text, size).is_ok();
        if fits {
            self.room -= size;
            texts.for_each(|text| self.text.push_str(text));
            self.kept.text(size);
        }
        fits
    }

    /// Ends the reply with a chunk that it has no room for.
    #[cold]
    fn cut(&mut self, chunk: &Chunk<'_>, is_text: bool) {
        if is_text {
            // It is incomplete in any case.
            self.add(&Chunk { text: up_to(self.room, chunk.text), ..*chunk }).ok();
        }
        self.room = 0;
        self.is_incomplete = true;
    }

    /// Whether there was no room for all of the answer.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    #[inline]
    fn add(&mut self, chunk: &Chunk<'_>) -> Result<()> {
        match chunk.kind {
            ChunkKind::Text => {
                memory::push_str(&mut self.text, chunk.text)?;
                self.kept.text(chunk.text.len());
            }
            ChunkKind::Refusal => memory::push_str(&mut self.refusal, chunk.text)?,
            ChunkKind::Reasoning => {
                memory::push_str(&mut self.reasoning, chunk.text)?;
                if self.reasoning_field.is_empty() {
                    chunk.name.clone_into(&mut self.reasoning_field);
                }
            }
            ChunkKind::ToolCall => {
                // The pieces of a call follow one another: it is the last one as a rule.
                let at = self.calls.iter().rposition(|call| call.index == chunk.index);
                let at = at.unwrap_or(self.calls.len());
                if at == self.calls.len() {
                    self.kept.call(chunk.id);
                    self.calls.push(Call { index: chunk.index, ..Call::default() });
                }
                if let Some(call) = self.calls.get_mut(at) {
                    memory::push_str(&mut call.id, chunk.id)?;
                    memory::push_str(&mut call.name, chunk.name)?;
                    memory::push_str(&mut call.arguments, chunk.text)?;
                }
            }
            ChunkKind::Image => self.has_media = true,
            ChunkKind::Audio => {
                self.has_media = true;
                if !chunk.id.is_empty() {
                    chunk.id.clone_into(&mut self.audio);
                }
            }
            ChunkKind::State => {
                json::room_to_parse(chunk.text.as_bytes())?;
                if let Ok(Value::Object(state)) = serde_json::from_slice(chunk.text.as_bytes()) {
                    self.take_state(state)?;
                }
            }
            // What is cut may lack its last call's arguments.
            ChunkKind::Finish => self.finished = chunk.text != "length",
            _ => {}
        }
        Ok(())
    }

    /// A field that comes again replaces the one before; tool calls are told by their ids.
    fn take_state(&mut self, mut state: Map<String, Value>) -> Result<()> {
        if let Some(note) = state.shift_remove(kept::FIELD) {
            return self.kept.take(note, &mut self.room);
        }
        let calls = state.shift_remove("tool_calls");
        for fields in calls.into_iter().flat_map(items) {
            let id = fields.get("id").and_then(Value::as_str).unwrap_or_default();
            let known = self.calls.iter_mut().find(|call| *call.id == id);
            if let (Some(call), Value::Object(fields)) = (known, fields) {
                replace(&mut call.state, fields, &mut self.room)?;
            }
        }
        replace(&mut self.state, state, &mut self.room)
    }

    /// The text, with a NUL after it where it is not empty.
    pub(crate) fn text(&mut self) -> Result<&str> {
        self.text.show()
    }

    /// The tool calls that arrived whole: those of the message, in its order.
    pub(crate) fn calls(&mut self) -> impl Iterator<Item = Result<WholeCall<'_>>> {
        let finished = self.finished;
        let whole = self.calls.iter_mut().filter(move |call| call.is_whole(finished));
        whole.map(|call| {
            let is_blank = call.arguments.trim().is_empty();
            let arguments = call.arguments.show()?;
            Ok(WholeCall {
                index: call.index,
                id: call.id.show()?,
                name: call.name.show()?,
                arguments: if is_blank { "" } else { arguments },
            })
        })
    }

    /// The message as OpenAI's chat request takes it; empty where there is nothing that a
    /// provider would take. Tool calls that did not arrive whole are left out. Where it is
    /// not the whole answer, [`INCOMPLETE`] says so.
    pub(crate) fn to_json(&self) -> Result<String> {
        let whole: Vec<&Call> =
            self.calls.iter().filter(|call| call.is_whole(self.finished)).collect();
        let calls = whole.iter().map(|call| call.to_json()).collect::<Result<Vec<Value>>>()?;
        let kept = self.kept.to_value(|id| whole.iter().any(|call| *call.id == id))?;
        let says_nothing = !(self.has_media && kept.is_some())
            && self.text.trim().is_empty()
            && self.refusal.is_empty()
            && self.audio.is_empty()
            && calls.is_empty()
            && !self.kept.stands_alone();
        if says_nothing {
            return Ok(String::new());
        }
        let mut message = Map::new();
        message.insert("role".to_owned(), json!("assistant"));
        // Empty, never null: some servers fail at null beside tool calls.
        message.insert("content".to_owned(), self.content()?);
        // Some providers want their reasoning back, in the field it came in.
        if matches!(&*self.reasoning_field, "reasoning_content" | "reasoning") {
            message.insert(self.reasoning_field.clone(), text(&self.reasoning)?);
        }
        if !self.refusal.is_empty() {
            message.insert("refusal".to_owned(), text(&self.refusal)?);
        }
        if !calls.is_empty() {
            message.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        if !self.audio.is_empty() {
            message.insert("audio".to_owned(), json!({"id": self.audio}));
        }
        for (name, value) in &self.state {
            if name != "content" && !value.is_null() && *value != json!([]) {
                message.insert(name.clone(), memory::value(value)?);
            }
        }
        if let Some(kept) = kept {
            message.insert(kept::FIELD.to_owned(), kept);
        }
        if self.is_incomplete {
            message.insert(INCOMPLETE.to_owned(), true.into());
        }
        memory::json(&message)
    }

    /// The text; after the parts that the provider wants back, where there are any.
    fn content(&self) -> Result<Value> {
        let said = text(&self.text)?;
        let Some(Value::Array(parts)) = self.state.get("content") else { return Ok(said) };
        let mut parts = memory::values(parts)?;
        if !self.text.is_empty() {
            let part = [("type".to_owned(), "text".into()), ("text".to_owned(), said)];
            parts.push(Value::Object(Map::from_iter(part)));
        }
        Ok(Value::Array(parts))
    }
}

impl Call {
    /// Whether it arrived whole: its arguments are JSON then, or were left empty for none.
    /// No part of an object is JSON, but a part of a number is.
    fn is_whole(&self, finished: bool) -> bool {
        let arguments = self.arguments.trim();
        let is_json = serde_json::from_slice::<IgnoredAny>(arguments.as_bytes()).is_ok();
        let may_be = if finished {
            is_json || arguments.is_empty()
        } else {
            arguments.starts_with('{') && is_json
        };
        may_be && !self.name.is_empty()
    }

    fn to_json(&self) -> Result<Value> {
        let arguments = match self.arguments.trim() {
            "" => "{}",
            given => given,
        };
        let mut function = Map::new();
        function.insert("name".to_owned(), text(&self.name)?);
        function.insert("arguments".to_owned(), text(arguments)?);
        let mut call = memory::object(&self.state)?;
        call.insert("id".to_owned(), text(&self.id)?);
        call.insert("type".to_owned(), "function".into());
        call.insert("function".to_owned(), Value::Object(function));
        Ok(Value::Object(call))
    }
}

/// The items of a list; of anything else, none.
fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

/// Puts `fields` into `state`, in the place of those of their names. What that adds is taken
/// from `room`.
fn replace(
    state: &mut Map<String, Value>,
    fields: Map<String, Value>,
    room: &mut usize,
) -> Result<()> {
    for (name, value) in fields {
        let weight = |value: &Value| name.len() + memory::weight(value);
        let room_without_old = *room + state.get(&name).map_or(0, weight);
        let left = room_without_old.checked_sub(weight(&value));
        *room = left.ok_or_else(|| Error::new(ErrorKind::TooLarge, "there is too much state"))?;
        state.insert(name, value);
    }
    Ok(())
}

/// A copy of `text` as a value: json! would take the memory for granted.
fn text(text: &str) -> Result<Value> {
    memory::text(text).map(Value::String)
}

/// The first whole characters of `text`, at most `bytes` long.
fn up_to(bytes: usize, text: &str) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_one_message() {
        let mut reply = Reply::new(1000);
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
        let message: Value = serde_json::from_str(&reply.to_json().unwrap()).unwrap();
        assert_eq!(
            message,
            json!({"role": "assistant", "content": "Hello", "reasoning_content": "hm", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ]})
        );
    }

    #[test]
    fn items_of_a_dialect_are_kept_in_their_order_and_those_of_calls_that_are_cut_are_not() {
        let call = Chunk::new(ChunkKind::ToolCall);
        let state = Chunk::new(ChunkKind::State);
        let thinking = "{\"tolmach\":{\"dialect\":\"d\",\"item\":{\"type\":\"thinking\"}}}";
        let caller = "{\"tolmach\":{\"dialect\":\"d\",\"call\":\"a\",\"with\":{\"caller\":1}}}";
        let chunks = [
            Chunk { text: thinking, ..state },
            Chunk { text: "He", ..Chunk::new(ChunkKind::Text) },
            Chunk { text: "llo", ..Chunk::new(ChunkKind::Text) },
            Chunk { id: "a", name: "f", text: "{}", ..call },
            Chunk { text: caller, ..state },
            Chunk { text: thinking, ..state },
            Chunk { id: "b", name: "g", text: "{\"cut\":", index: 1, ..call },
        ];
        let items = json!([
            {"item": {"type": "thinking"}},
            {"text": 5},
            {"call": "a", "with": {"caller": 1}},
            {"item": {"type": "thinking"}},
        ]);
        let message = reply(10_000, &chunks);
        assert_eq!(message["tolmach"], json!({"dialect": "d", "items": items}));
        assert_eq!(message["tool_calls"].as_array().unwrap().len(), 1);
        let [thinking, said, ..] = chunks;
        assert_eq!(reply(10, &[said, thinking])["incomplete"], true);
    }

    /// What a reply of at most `bytes` is after `chunks`.
    fn reply(bytes: usize, chunks: &[Chunk<'_>]) -> Value {
        let mut reply = Reply::new(bytes);
        chunks.iter().for_each(|chunk| reply.take(chunk));
        serde_json::from_str(&reply.to_json().unwrap()).unwrap()
    }

    #[test]
    fn reply_ends_at_its_limit_and_says_so() {
        let text = |text| Chunk { text, ..Chunk::new(ChunkKind::Text) };
        let chunks = [text("при"), text("вет"), text("!")];
        for (bytes, content, is_incomplete) in
            [(13, "привет!", false), (12, "привет", true), (11, "приве", true), (6, "при", true)]
        {
            let mut message = json!({"role": "assistant", "content": content});
            if is_incomplete {
                message["incomplete"] = true.into();
            }
            assert_eq!(reply(bytes, &chunks), message, "{bytes}");
        }
    }

    #[test]
    fn call_without_arguments_is_left_out_where_the_answer_is_cut() {
        let finish = |text| Chunk { text, ..Chunk::new(ChunkKind::Finish) };
        let said = Chunk { text: "-", ..Chunk::new(ChunkKind::Text) };
        let call = Chunk { id: "a", name: "f", ..Chunk::new(ChunkKind::ToolCall) };
        for (reason, calls) in [("tool_calls", 1), ("stop", 1), ("length", 0)] {
            let message = reply(100, &[said, call, finish(reason)]);
            assert_eq!(message["tool_calls"].as_array().map_or(0, Vec::len), calls, "{reason}");
        }
    }

    #[test]
    fn call_that_the_limit_cuts_is_left_out() {
        let call = Chunk::new(ChunkKind::ToolCall);
        let chunks = [
            Chunk { text: "-", ..Chunk::new(ChunkKind::Text) },
            Chunk { id: "a", name: "f", text: "{\"x\":1}", ..call },
            Chunk { id: "b", name: "g", text: "{\"y\":", index: 1, ..call },
            Chunk { text: "\"long long long\"}", index: 1, ..call },
        ];
        let calls = |bytes| reply(bytes, &chunks)["tool_calls"].as_array().map_or(0, Vec::len);
        assert_eq!([34, 33, 17, 10, 9].map(calls), [2, 1, 1, 1, 0]);
    }

    #[test]
    fn fields_that_come_with_every_piece_are_counted_once() {
        let thought = Chunk { text: "h", name: "reasoning", ..Chunk::new(ChunkKind::Reasoning) };
        let text = Chunk { text: "so", ..Chunk::new(ChunkKind::Text) };
        let thoughts = [&[text][..], &[thought; 98]].concat();
        assert_eq!(reply(100, &thoughts).get("incomplete"), None);
        let state =
            Chunk { text: "{\"conversation\":\"a long one\"}", ..Chunk::new(ChunkKind::State) };
        let size = 2 + "conversation".len() + memory::weight(&json!("a long one"));
        let states = [&[text][..], &[state; 100]].concat();
        let is_cut = |bytes| reply(bytes, &states).get("incomplete").is_some();
        assert_eq!([is_cut(size), is_cut(size - 1)], [false, true]);
    }

    #[test]
    fn state_takes_room_from_all_that_comes_after_it() {
        let text = Chunk { text: "so", ..Chunk::new(ChunkKind::Text) };
        let state =
            Chunk { text: "{\"conversation\":\"a long one\"}", ..Chunk::new(ChunkKind::State) };
        let size = 2 + "conversation".len() + memory::weight(&json!("a long one"));
        let message = json!({"role": "assistant", "content": "s", "conversation": "a long one", "incomplete": true});
        assert_eq!(reply(size - 1, &[state, text]), message);
    }

    #[test]
    fn state_of_all_tool_calls_is_bounded_together() {
        let ids = ["a", "b", "c", "d"];
        let states = ids.map(|id| {
            let signature = "s".repeat(100);
            json!({"tool_calls": [{"id": id, "extra_content": signature}]}).to_string()
        });
        let mut chunks = Vec::new();
        for (index, (id, text)) in (0..).zip(ids.into_iter().zip(&states)) {
            let call =
                Chunk { id, name: "f", text: "{}", index, ..Chunk::new(ChunkKind::ToolCall) };
            chunks.extend([call, Chunk { text, ..Chunk::new(ChunkKind::State) }]);
        }
        let each = 4
            + "id".len()
            + memory::weight(&json!("a"))
            + "extra_content".len()
            + memory::weight(&json!("s".repeat(100)));
        let kept = |bytes| {
            let message = reply(bytes, &chunks);
            let calls = message["tool_calls"].as_array().unwrap();
            let states = calls.iter().filter(|call| call.get("extra_content").is_some());
            (states.count(), message.get("incomplete").is_some())
        };
        assert_eq!(
            [4 * each, 4 * each - 1, 2 * each].map(kept),
            [(4, false), (3, true), (2, true)]
        );
        // The same state again takes no more room.
        chunks.extend(chunks.clone().into_iter().filter(|chunk| chunk.kind == ChunkKind::State));
        let message = reply(4 * each, &chunks);
        assert_eq!(message.get("incomplete"), None);
    }

    fn reply_of(chunks: &[Chunk<'_>]) -> Reply {
        let mut reply = Reply::new(1000);
        chunks.iter().for_each(|chunk| reply.take(chunk));
        reply
    }

    #[test]
    fn image_that_is_kept_is_a_message() {
        let image = Chunk { bytes: b"png", ..Chunk::new(ChunkKind::Image) };
        let item = "{\"tolmach\":{\"dialect\":\"d\",\"item\":{\"data\":\"cG5n\"}}}";
        let item = Chunk { text: item, ..Chunk::new(ChunkKind::State) };
        assert_eq!(reply_of(&[image]).to_json().unwrap(), "");
        assert_eq!(reply_of(&[item]).to_json().unwrap(), "");
        let message = reply(1000, &[image, item]);
        assert_eq!(message["tolmach"]["items"], json!([{"item": {"data": "cG5n"}}]));
        assert_eq!(message["content"], "");
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
            assert_eq!(reply_of(chunks).to_json().unwrap(), "", "{chunks:?}");
        }
    }

    #[test]
    fn calls_that_did_not_arrive_whole_are_left_out() {
        let call = |name, text| Chunk { id: "a", name, text, ..Chunk::new(ChunkKind::ToolCall) };
        let end = Chunk { text: "stop", ..Chunk::new(ChunkKind::Finish) };
        let arguments = |chunks: &[Chunk<'_>]| {
            let message = reply_of(chunks).to_json().unwrap();
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
