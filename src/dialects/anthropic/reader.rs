//! Reads the events of an answer.

use serde_json::{Map, Value, json};

use super::CONTAINER;
use crate::answer::Answer;
use crate::chunk::Usage;
use crate::dialects::{Flow, Piece, PieceKind, Reader};
use crate::error::Result;
use crate::json::mould::{Numbers, Said};
use crate::memory;
use crate::wire::Event;

/// The state of one answer, of which there may be several parts: an answer that pauses goes
/// on in that to the next request.
pub(super) struct Messages {
    /// Blocks that are not closed yet.
    open: Vec<Block>,
    /// No more than so many at once.
    max_open: usize,
    /// How many blocks the earlier parts had: those of each part are counted from 0.
    offset: i64,
    /// The next block of this part.
    next: i64,
    /// A text block was closed of which nothing is kept yet.
    is_text_loose: bool,
    usage: Counts,
    stop_reason: String,
    /// A refusal was explained.
    refused: bool,
    /// Where the code ran that the model wrote.
    container: Option<String>,
    /// The blocks of all parts, as they came, while they may have to be sent to go on.
    parts: Option<Vec<Value>>,
    /// How many bytes may still be held: of blocks that are open, and of those parts.
    room: usize,
    ended: bool,
}

/// The key of the number by which an event tells its block.
const NUMBERS: &[&str] = &["index"];

/// A content block.
struct Block {
    index: i64,
    kind: Kind,
    /// As it began, and what its deltas added; but for text and arguments that are not held.
    fields: Map<String, Value>,
    /// The pieces of its input.
    input: String,
    has_input: bool,
    /// How many bytes of it are held.
    bytes: usize,
    /// It is too large to be held, and does not go back.
    is_lost: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Thinking,
    ToolUse,
    /// Server tools, redacted thinking, and all that is not known.
    Whole,
}

/// Token counts as the provider counts: what came from a cache or was written to one is no
/// part of the input.
#[derive(Default)]
struct Counts {
    input: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    thinking: Option<i64>,
}

impl Messages {
    /// `max_bytes`: how much may be held; `may_pause`: an answer that pauses is held to go on
    /// with it.
    pub(super) fn new(max_open: usize, max_bytes: usize, may_pause: bool) -> Messages {
        Messages {
            open: Vec::new(),
            max_open,
            offset: 0,
            next: 0,
            is_text_loose: false,
            usage: Counts::default(),
            stop_reason: String::new(),
            refused: false,
            container: None,
            parts: may_pause.then(Vec::new),
            room: max_bytes,
            ended: false,
        }
    }

    /// Why the answer ended, in the provider's words.
    pub(super) fn stop_reason(&self) -> &str {
        &self.stop_reason
    }

    /// The blocks so far, where the answer pauses and can go on.
    pub(super) fn paused(&self) -> Option<&[Value]> {
        let parts = self.parts.as_deref().filter(|parts| !parts.is_empty());
        parts.filter(|_| self.stop_reason == "pause_turn")
    }

    pub(super) fn container(&self) -> Option<&str> {
        self.container.as_deref()
    }

    /// What comes now goes on with the answer.
    pub(super) fn go_on(&mut self) {
        self.offset += self.next;
        self.usage = Counts::default();
        self.stop_reason.clear();
        self.ended = false;
    }

    fn start(&mut self, index: i64, block: &Value, answer: &mut Answer<'_>) -> Result<()> {
        let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
        // Some servers end no block. Tool calls may come at the same time.
        let is_over = |block: &&Block| {
            block.index == index || matches!(block.kind, Kind::Text | Kind::Thinking)
        };
        let over: Vec<i64> = self.open.iter().filter(is_over).map(|block| block.index).collect();
        for index in over {
            self.stop(index, answer)?;
        }
        if self.open.len() >= self.max_open {
            return Err(answer.too_many_calls());
        }
        self.next = self.next.max(index.saturating_add(1));
        let kind = match text("type") {
            "text" => Kind::Text,
            "thinking" => Kind::Thinking,
            "tool_use" => Kind::ToolUse,
            _ => Kind::Whole,
        };
        let fields = memory::object(block.as_object().unwrap_or(&Map::new()))?;
        match kind {
            Kind::Text => {
                if self.is_text_loose {
                    // What is noted with this text is not of the one before.
                    answer.keep_text(0, &json!({}));
                }
                answer.text(0, text("text"));
                let cited = block.get("citations").and_then(Value::as_array);
                cited.into_iter().flatten().for_each(|citation| cite(citation, answer));
            }
            Kind::Thinking => answer.reasoning(0, text("thinking"), "thinking"),
            Kind::ToolUse => {
                let call = Some(self.offset + index);
                answer.tool_call(0, call, text("id"), text("name"), "");
                let mut more = memory::object(&fields)?;
                more.retain(|name, value| {
                    !["type", "id", "name", "input"].contains(&&**name) && !value.is_null()
                });
                let id = answer.call_id(0, call, "").map(str::to_owned);
                if let (Some(id), false) = (id, more.is_empty()) {
                    answer.keep_call(0, &id, &Value::Object(more));
                }
            }
            Kind::Whole => announce(block, answer),
        }
        let mut block = Block {
            index,
            kind,
            bytes: 0,
            fields,
            input: String::new(),
            has_input: false,
            is_lost: false,
        };
        let bytes = block.fields.iter().map(|(name, value)| name.len() + memory::weight(value));
        block.take_room(bytes.sum(), &mut self.room);
        self.open.push(block);
        Ok(())
    }

    /// Takes a delta that is no piece.
    fn delta(
        &mut self,
        index: i64,
        kind: &str,
        delta: &Value,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let Some(block) = self.open.iter_mut().find(|block| block.index == index) else {
            return Ok(());
        };
        match kind {
            "signature_delta" => {
                answer.goes_on();
                block.put("signature", delta.get("signature"), &mut self.room)?;
            }
            "citations_delta" => {
                answer.goes_on();
                if let Some(citation) = delta.get("citation") {
                    cite(citation, answer);
                    block.push("citations", citation, &mut self.room)?;
                }
            }
            // Of a block that is only kept: what it adds is kept with it.
            _ if block.kind == Kind::Whole => {
                answer.goes_on();
                for (name, value) in delta.as_object().into_iter().flatten() {
                    match value {
                        Value::String(more) if name != "type" => {
                            block.append(name, more, &mut self.room)?;
                        }
                        Value::String(_) | Value::Null => {}
                        value => block.put(name, Some(value), &mut self.room)?,
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes a piece of the text, of the thinking or of the input of the block at `index`.
    fn take_piece(
        &mut self,
        index: i64,
        kind: PieceKind,
        text: &str,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let mut at = self.open.iter().position(|block| block.index == index);
        if at.is_none() {
            // Some servers begin no block.
            match kind {
                PieceKind::Text => {
                    self.start(index, &json!({"type": "text", "text": ""}), answer)?;
                }
                PieceKind::Reasoning(_) => {
                    self.start(index, &json!({"type": "thinking", "thinking": ""}), answer)?;
                }
                _ => return Ok(()),
            }
            at = self.open.iter().position(|block| block.index == index);
        }
        let is_held = self.parts.is_some();
        let Some(block) = at.and_then(|at| self.open.get_mut(at)) else { return Ok(()) };
        match kind {
            PieceKind::Text => {
                answer.text(0, text);
                if is_held {
                    block.append("text", text, &mut self.room)?;
                }
            }
            PieceKind::Reasoning(field) => {
                answer.reasoning(0, text, field);
                block.append(field, text, &mut self.room)?;
            }
            _ => {
                block.has_input |= !text.is_empty();
                if block.kind == Kind::ToolUse {
                    answer.tool_call(0, Some(self.offset + index), "", "", text);
                } else {
                    answer.goes_on();
                }
                let is_kept = is_held || block.kind != Kind::ToolUse;
                if is_kept && block.take_room(text.len(), &mut self.room) {
                    memory::push_str(&mut block.input, text)?;
                }
            }
        }
        Ok(())
    }

    /// Closes the block at `index`, if it is open.
    fn stop(&mut self, index: i64, answer: &mut Answer<'_>) -> Result<()> {
        let Some(at) = self.open.iter().position(|block| block.index == index) else {
            return Ok(());
        };
        let block = self.open.remove(at);
        self.room += block.bytes;
        let mut fields = block.fields;
        let is_text = block.kind == Kind::Text;
        match block.kind {
            Kind::Text => {
                let citations = fields.get("citations").filter(|cited| is_filled(cited));
                if let Some(citations) = citations {
                    answer.keep_text(0, &json!({"citations": memory::value(citations)?}));
                }
                self.is_text_loose = citations.is_none();
            }
            Kind::ToolUse => {
                if !block.has_input {
                    let whole = fields.get("input").filter(|input| input.is_object());
                    let whole = whole.map_or_else(|| Ok("{}".to_owned()), memory::json)?;
                    answer.tool_call(0, Some(self.offset + index), "", "", &whole);
                }
                put_input(&mut fields, &block.input);
            }
            Kind::Thinking | Kind::Whole => {
                put_input(&mut fields, &block.input);
                announce_input(&fields, answer);
                if fields.contains_key("type") && !block.is_lost {
                    answer.keep(0, &Value::Object(memory::object(&fields)?));
                    self.is_text_loose = false;
                }
            }
        }
        let says_nothing = is_text && !fields.get("text").is_some_and(is_filled);
        if block.is_lost {
            self.parts = None;
        } else if !says_nothing {
            self.hold(Value::Object(fields));
        }
        Ok(())
    }

    /// Holds a block in case that the answer pauses. One that is too long is not gone on with.
    fn hold(&mut self, block: Value) {
        let Some(parts) = &mut self.parts else { return };
        match self.room.checked_sub(memory::weight(&block)) {
            Some(room) => {
                self.room = room;
                parts.push(block);
            }
            None => self.parts = None,
        }
    }

    /// Takes what tells how an answer ends.
    fn take_end(&mut self, end: &Value, answer: &mut Answer<'_>) {
        if let Some(reason) = end.get("stop_reason").and_then(Value::as_str) {
            reason.clone_into(&mut self.stop_reason);
        }
        let details = end.get("stop_details");
        if details.and_then(|details| details.get("type")).is_some_and(|kind| kind == "refusal") {
            let explanation = details.and_then(|details| details.get("explanation"));
            // Later events repeat it.
            if !std::mem::replace(&mut self.refused, true) {
                answer.refusal(0, explanation.and_then(Value::as_str).unwrap_or_default());
            }
        }
        let container = end.pointer("/container/id").and_then(Value::as_str);
        if let Some(id) = container.filter(|id| self.container.as_deref() != Some(id)) {
            self.container = Some(id.to_owned());
            answer.keep(0, &json!({"type": CONTAINER, "id": id}));
        }
    }

    fn take_usage(&mut self, usage: Option<&Value>, answer: &mut Answer<'_>) {
        if let Some(usage) = usage.filter(|usage| usage.is_object()) {
            self.usage.merge(usage);
            answer.usage(self.usage.usage());
        }
    }

    /// A whole message, where it was not streamed.
    fn take_message(&mut self, message: &Value, answer: &mut Answer<'_>) -> Result<()> {
        let blocks = message.get("content").and_then(Value::as_array);
        for (index, block) in (0..).zip(blocks.into_iter().flatten()) {
            self.start(index, block, answer)?;
            self.stop(index, answer)?;
        }
        self.take_end(message, answer);
        self.take_usage(message.get("usage"), answer);
        Ok(())
    }

    /// Closes what is still open. An answer that ended at its limit ended inside of it: a
    /// tool call is cut then, and thinking cannot go back.
    fn close(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        let is_whole =
            ["end_turn", "tool_use", "stop_sequence", "pause_turn"].contains(&&*self.stop_reason);
        let open = self.open.iter().map(|block| (block.index, block.kind, block.has_input));
        let open: Vec<(i64, Kind, bool)> = open.collect();
        for (index, kind, has_input) in open {
            if is_whole || kind == Kind::Text {
                self.stop(index, answer)?;
            } else if kind == Kind::ToolUse && !has_input {
                // No arguments would say that the call takes none.
                answer.tool_call(0, Some(self.offset + index), "", "", "{");
            }
        }
        Ok(())
    }
}

impl Reader for Messages {
    fn read(&mut self, event: Event<'_>, answer: &mut Answer<'_>) -> Result<Flow> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(Flow::More);
        }
        if event.name == b"error" {
            return Err(answer.error_of(event));
        }
        if event.is_done() {
            return Ok(Flow::Done);
        }
        let value = answer.json(data)?;
        let value = &value;
        let number = value.get("index").and_then(Value::as_i64);
        let index = index_of(number);
        let kind = value.get("type").and_then(Value::as_str);
        // A whole message may lack its type; an event never does.
        let is_message = event.name.is_empty() && value.get("content").is_some_and(Value::is_array);
        let unnamed = if is_message { b"message" } else { event.name };
        match kind.map_or(unnamed, str::as_bytes) {
            b"message_start" => {
                let message = value.get("message").unwrap_or(&Value::Null);
                start(message, answer);
                self.take_usage(message.get("usage"), answer);
            }
            b"content_block_start" => {
                self.start(index, value.get("content_block").unwrap_or(&Value::Null), answer)?;
            }
            b"content_block_delta" => {
                let delta = value.get("delta").unwrap_or(&Value::Null);
                let kind = delta.get("type").and_then(Value::as_str).unwrap_or_default();
                if let Some((kind, text)) = piece_of(kind, delta) {
                    let mut piece = Piece::new(kind, key_of(kind));
                    piece.places.numbers = NUMBERS;
                    let mut numbers = Numbers::default();
                    numbers[0] = number;
                    return piece.take(&Said { text, numbers: &numbers }, self, answer);
                }
                self.delta(index, kind, delta, answer)?;
            }
            b"content_block_stop" => self.stop(index, answer)?,
            b"message_delta" => {
                self.take_end(value.get("delta").unwrap_or(&Value::Null), answer);
                self.take_usage(value.get("usage"), answer);
            }
            b"message_stop" => {
                self.ended = true;
                return Ok(Flow::Done);
            }
            b"message" => {
                start(value, answer);
                self.take_message(value, answer)?;
                self.ended = true;
                return Ok(Flow::Done);
            }
            _ => {}
        }
        Ok(Flow::More)
    }

    fn piece(&mut self, piece: &Piece, said: &Said<'_>, answer: &mut Answer<'_>) -> Result<()> {
        let [index, ..] = *said.numbers;
        self.take_piece(index_of(index), piece.kind, said.text, answer)
    }

    fn end(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        if !self.ended {
            return Err(answer.truncated());
        }
        self.close(answer)
    }
}

impl Block {
    /// Whether `more` bytes of the block may be held. If not, nothing of it is held any more.
    fn take_room(&mut self, more: usize, room: &mut usize) -> bool {
        match room.checked_sub(more).filter(|_| !self.is_lost) {
            Some(left) => {
                *room = left;
                self.bytes += more;
            }
            None => {
                *room += std::mem::take(&mut self.bytes);
                (self.fields, self.input) = (Map::new(), String::new());
                self.is_lost = true;
            }
        }
        !self.is_lost
    }

    /// Appends to a field that is text.
    fn append(&mut self, name: &str, more: &str, room: &mut usize) -> Result<()> {
        if !self.take_room(more.len(), room) {
            return Ok(());
        }
        if let Some(Value::String(text)) = self.fields.get_mut(name) {
            return memory::push_str(text, more);
        }
        self.fields.insert(name.to_owned(), Value::String(memory::text(more)?));
        Ok(())
    }

    /// Appends to a field that is a list.
    fn push(&mut self, name: &str, item: &Value, room: &mut usize) -> Result<()> {
        if !self.take_room(memory::weight(item), room) {
            return Ok(());
        }
        let item = memory::value(item)?;
        match self.fields.get_mut(name) {
            Some(Value::Array(items)) => memory::push(items, item),
            _ => {
                self.fields.insert(name.to_owned(), Value::Array(vec![item]));
                Ok(())
            }
        }
    }

    fn put(&mut self, name: &str, value: Option<&Value>, room: &mut usize) -> Result<()> {
        let Some(value) = value else { return Ok(()) };
        if self.take_room(memory::weight(value), room) {
            self.fields.insert(name.to_owned(), memory::value(value)?);
        }
        Ok(())
    }
}

impl Counts {
    /// A count that is there takes the place of the earlier one.
    fn merge(&mut self, usage: &Value) {
        let count = |path: &str| usage.pointer(path)?.as_i64().filter(|count| *count >= 0);
        for (known, path) in [
            (&mut self.input, "/input_tokens"),
            (&mut self.cache_read, "/cache_read_input_tokens"),
            (&mut self.cache_write, "/cache_creation_input_tokens"),
            (&mut self.output, "/output_tokens"),
            (&mut self.thinking, "/output_tokens_details/thinking_tokens"),
        ] {
            *known = count(path).or(*known);
        }
    }

    fn usage(&self) -> Usage {
        let sum = |counts: &[Option<i64>]| {
            counts.iter().flatten().fold(0_i64, |sum, count| sum.saturating_add(*count))
        };
        let input =
            self.input.map_or(-1, |input| sum(&[Some(input), self.cache_read, self.cache_write]));
        Usage {
            input,
            output: self.output.unwrap_or(-1),
            cached_input: self.cache_read.unwrap_or(-1),
            cache_write: self.cache_write.unwrap_or(-1),
            reasoning: self.thinking.unwrap_or(-1),
            ..Usage::default()
        }
    }
}

/// The block of an event that has this number.
fn index_of(number: Option<i64>) -> i64 {
    number.unwrap_or_default().clamp(0, i64::from(u32::MAX))
}

/// What a delta of that kind is a piece of, and its text.
fn piece_of<'v>(kind: &str, delta: &'v Value) -> Option<(PieceKind, &'v str)> {
    let kind = match kind {
        "text_delta" => PieceKind::Text,
        "thinking_delta" => PieceKind::Reasoning("thinking"),
        "input_json_delta" => PieceKind::Arguments,
        _ => return None,
    };
    Some((kind, delta.get(key_of(kind)).and_then(Value::as_str).unwrap_or_default()))
}

/// Where the text of such a delta stands.
fn key_of(kind: PieceKind) -> &'static str {
    match kind {
        PieceKind::Text => "text",
        PieceKind::Reasoning(field) => field,
        _ => "partial_json",
    }
}

fn start(message: &Value, answer: &mut Answer<'_>) {
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    answer.start(text("id"), text("model"));
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// The input of a block, of the pieces that came. Those of a cut one are no JSON.
fn put_input(fields: &mut Map<String, Value>, pieces: &str) {
    if let Ok(input) = serde_json::from_slice::<Value>(pieces.as_bytes()) {
        fields.insert("input".to_owned(), input);
    }
}

/// Gives what a citation points to, where it has a URL. Citations of the request's own
/// documents have none.
fn cite(citation: &Value, answer: &mut Answer<'_>) {
    let text = |name: &str| citation.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    if let Some(url) = text("url").or(text("source")) {
        answer.source(0, url, text("title").unwrap_or_default());
    }
}

/// Tells what a server tool does or found. Blocks that are not known say nothing.
fn announce(block: &Value, answer: &mut Answer<'_>) {
    let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = text("type");
    let content = block.get("content").unwrap_or(&Value::Null);
    if kind.ends_with("_tool_use") {
        answer.progress(text("name"));
    } else if kind.ends_with("_tool_result") {
        match content.get("error_code").and_then(Value::as_str) {
            Some(code) => answer.progress(&format!("{kind}: {code}")),
            None => answer.progress(kind),
        }
        let found = content.as_array().map_or(std::slice::from_ref(content), Vec::as_slice);
        for found in found {
            let title = found.get("title").or_else(|| found.pointer("/content/title"));
            let title = title.and_then(Value::as_str).unwrap_or_default();
            if let Some(url) = found.get("url").and_then(Value::as_str) {
                answer.source(0, url, title);
            }
        }
    } else if kind == "fallback" {
        let model = |place: &str| block.pointer(place).and_then(Value::as_str).unwrap_or("?");
        answer.progress(&format!("fallback: {} -> {}", model("/from/model"), model("/to/model")));
    } else if ["compaction", "mcp_tool_listing"].contains(&kind) {
        answer.progress(kind);
    } else {
        answer.goes_on();
    }
}

/// Tells what a server tool was asked.
fn announce_input(block: &Map<String, Value>, answer: &mut Answer<'_>) {
    let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    let input = block.get("input").filter(|input| **input != json!({}));
    if let (true, Some(input)) = (text("type").ends_with("_tool_use"), input) {
        answer.progress(&format!("{} {input}", text("name")));
    }
}
