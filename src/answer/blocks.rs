//! The parts of an answer that a provider wants back unchanged with the next request: signed
//! and encrypted reasoning. They come in lists of blocks, in a stream in pieces of blocks.

use serde_json::{Map, Value};

use crate::error::Result;
use crate::memory;

/// The fields of a block whose pieces are appended to one another.
const TEXTS: &[&str] = &["thinking", "text", "summary"];

/// What a choice has in more blocks than this is not kept: then there is nothing to send back.
const MAX_BLOCKS: usize = 1024;

/// Nor is a choice with which all choices together would take more memory than this.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What is kept of an answer.
pub(super) struct Blocks {
    choices: Vec<State>,
    /// How many bytes may still be kept.
    room: usize,
    /// How many bytes may still be given before the end of the answer.
    room_before_end: usize,
}

/// What is kept of one choice: fields of its message, each a list of blocks.
struct State {
    choice: i32,
    fields: Map<String, Value>,
    bytes: usize,
    blocks: usize,
    /// There was too much: nothing is kept any more.
    dropped: bool,
    changed: bool,
}

impl Blocks {
    pub(super) fn new() -> Blocks {
        Blocks { choices: Vec::new(), room: MAX_BYTES, room_before_end: MAX_BYTES }
    }

    /// Takes blocks of `field`, or pieces of blocks.
    pub(super) fn keep(
        &mut self,
        choice: i32,
        field: &str,
        pieces: &[Map<String, Value>],
    ) -> Result<()> {
        if !self.choices.iter().any(|state| state.choice == choice) {
            self.choices.push(State::of(choice));
        }
        let ours = self.choices.iter_mut().find(|state| state.choice == choice);
        let Some(state) = ours else { return Ok(()) };
        for piece in pieces {
            state.keep(field, piece, &mut self.room)?;
        }
        Ok(())
    }

    /// All that is kept of a choice so far, unless that was given before. The whole of it is
    /// given each time: where that sums up to too much, it has to wait for the end.
    pub(super) fn take_before_end(&mut self, choice: i32) -> Result<Option<Value>> {
        let ours = self.choices.iter().find(|state| state.choice == choice && state.changed);
        let Some(state) = ours else { return Ok(None) };
        let Some(room) = self.room_before_end.checked_sub(state.bytes) else { return Ok(None) };
        self.room_before_end = room;
        self.take(choice)
    }

    /// All that is kept of a choice, unless that was given before.
    pub(super) fn take(&mut self, choice: i32) -> Result<Option<Value>> {
        let ours = self.choices.iter_mut().find(|state| state.choice == choice);
        ours.map_or(Ok(None), State::take_changed)
    }
}

impl State {
    fn of(choice: i32) -> State {
        let fields = Map::new();
        State { choice, fields, bytes: 0, blocks: 0, dropped: false, changed: false }
    }

    /// Takes a block of `field`, or a piece of one. Its bytes are taken from `room`.
    fn keep(&mut self, field: &str, piece: &Map<String, Value>, room: &mut usize) -> Result<()> {
        if self.dropped {
            return Ok(());
        }
        let fields = piece.iter().map(|(name, value)| name.len() + memory::weight(value));
        let bytes = memory::weight(&Value::Null) + fields.sum::<usize>();
        self.changed = true;
        self.dropped = bytes > *room;
        if !self.dropped {
            memory::room_for(bytes)?;
            *room -= bytes;
            self.bytes += bytes;
            let list = self.fields.entry(field).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(blocks) = list {
                let before = blocks.len();
                append(blocks, piece);
                self.blocks += blocks.len() - before;
            }
            self.dropped = self.blocks > MAX_BLOCKS;
        }
        if self.dropped {
            *room += std::mem::take(&mut self.bytes);
            self.fields.values_mut().for_each(|blocks| *blocks = Value::Null);
        }
        Ok(())
    }

    /// All that is kept so far, unless that was given before.
    fn take_changed(&mut self) -> Result<Option<Value>> {
        if !std::mem::take(&mut self.changed) {
            return Ok(None);
        }
        let mut fields = memory::object(&self.fields)?;
        // Anthropic refuses a block of thinking that lacks its signature.
        let thinking = fields.get_mut("thinking_blocks");
        if let Some(blocks) = thinking.and_then(Value::as_array_mut) {
            let is_thinking = |block: &Value| block.get("type").is_some_and(|t| t == "thinking");
            let is_signed = |block: &Value| block.as_object().is_some_and(|b| has(b, "signature"));
            blocks.retain(|block| is_signed(block) || !is_thinking(block));
        }
        Ok(Some(Value::Object(fields)))
    }
}

/// Appends a block to `blocks`, or a piece of one to its block.
fn append(blocks: &mut Vec<Value>, piece: &Map<String, Value>) {
    let named = has(piece, "index") || has(piece, "id");
    let joins = |block: &Value| block.as_object().is_some_and(|block| continues(block, piece));
    let at = match named {
        true => blocks.iter().rposition(joins),
        // What does not say which block it belongs to belongs to the last.
        false => blocks.len().checked_sub(1).filter(|_| blocks.last().is_some_and(joins)),
    };
    match at.and_then(|at| blocks.get_mut(at)) {
        Some(Value::Object(block)) => merge(block, piece),
        _ => blocks.push(Value::Object(piece.clone())),
    }
}

/// Whether `piece` is more of `block`. A signature ends a block: text after it is the next
/// one's. Encrypted data are whole, unless their id says that they come anew.
fn continues(block: &Map<String, Value>, piece: &Map<String, Value>) -> bool {
    let agree = |name: &&str| {
        !has(block, name) || !has(piece, name) || block.get(*name) == piece.get(*name)
    };
    let has_text = TEXTS.iter().any(|name| has(piece, name));
    ["type", "index", "id"].iter().all(agree)
        && (!has(block, "data") || !has(piece, "data") || has(piece, "id"))
        && (!has(block, "signature") || (has(piece, "index") && !has_text))
}

fn merge(block: &mut Map<String, Value>, piece: &Map<String, Value>) {
    for (name, value) in piece {
        match (block.get_mut(name), value) {
            (Some(Value::String(text)), Value::String(more)) if TEXTS.contains(&&**name) => {
                text.push_str(more);
            }
            (Some(Value::Array(list)), Value::Array(more)) if TEXTS.contains(&&**name) => {
                more.iter().filter_map(Value::as_object).for_each(|part| append(list, part));
            }
            (Some(_), _) if !has(piece, name) => {}
            _ => {
                block.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Whether a field says anything.
fn has(block: &Map<String, Value>, name: &str) -> bool {
    match block.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(pieces: Value) -> Value {
        let mut blocks = Vec::new();
        for piece in pieces.as_array().unwrap() {
            append(&mut blocks, piece.as_object().unwrap());
        }
        Value::Array(blocks)
    }

    #[test]
    fn pieces_without_an_index_belong_to_the_last_block_until_it_is_signed() {
        let thinking =
            |text, signature| json!({"type": "thinking", "thinking": text, "signature": signature});
        let redacted = |data| json!({"type": "redacted_thinking", "data": data});
        assert_eq!(
            kept(json!([
                thinking("a", json!("")),
                thinking("b", json!(null)),
                thinking("", json!("one")),
                thinking("c", json!("")),
                redacted("x"),
                redacted("y"),
                thinking("d", json!("")),
                thinking("", json!("two")),
                thinking("", json!("three")),
            ])),
            json!([
                thinking("ab", json!("one")),
                thinking("c", json!("")),
                redacted("x"),
                redacted("y"),
                thinking("d", json!("two")),
                thinking("", json!("three")),
            ])
        );
    }

    #[test]
    fn pieces_with_an_index_find_their_block() {
        assert_eq!(
            kept(json!([
                {"type": "reasoning.text", "index": 0, "text": "a", "signature": null, "format": "f"},
                {"type": "reasoning.summary", "index": 0, "summary": "s"},
                {"type": "reasoning.text", "index": 1, "text": "x"},
                {"type": "reasoning.text", "index": 0, "text": "b", "signature": null},
                {"type": "reasoning.text", "index": 0, "signature": "one"},
                {"index": 0, "type": "reasoning.text", "signature": "one"},
                {"type": "reasoning.text", "index": 0, "text": "after"},
                {"type": "reasoning.encrypted", "index": 0, "id": "r1", "data": "old"},
                {"type": "reasoning.encrypted", "index": 0, "id": "r2", "data": "other"},
                {"type": "reasoning.encrypted", "index": 0, "id": "r1", "data": "new"},
                {"type": "reasoning.encrypted", "index": 0, "data": "last"},
            ])),
            json!([
                {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "one", "format": "f"},
                {"type": "reasoning.summary", "index": 0, "summary": "s"},
                {"type": "reasoning.text", "index": 1, "text": "x"},
                {"type": "reasoning.text", "index": 0, "text": "after"},
                {"type": "reasoning.encrypted", "index": 0, "id": "r1", "data": "new"},
                {"type": "reasoning.encrypted", "index": 0, "id": "r2", "data": "other"},
                {"type": "reasoning.encrypted", "index": 0, "data": "last"},
            ])
        );
    }

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    /// A piece of `mib` MiB.
    fn large(mib: usize) -> Map<String, Value> {
        fields(json!({"type": "thinking", "thinking": "x".repeat(mib << 20), "signature": "s"}))
    }

    #[test]
    fn more_than_is_kept_leaves_nothing() {
        let many = fields(json!({"type": "redacted_thinking", "data": "d"}));
        for (piece, fits) in [(large(1), 15), (many, MAX_BLOCKS)] {
            let mut states = Blocks::new();
            states.keep(0, "thinking_blocks", &vec![piece.clone(); fits]).unwrap();
            let kept = states.take(0).unwrap().unwrap();
            assert_eq!(kept["thinking_blocks"].as_array().unwrap().len(), fits);
            assert_eq!(states.take(0).unwrap(), None);
            states.keep(0, "thinking_blocks", &[piece.clone(), piece]).unwrap();
            assert_eq!(states.take(0).unwrap(), Some(json!({"thinking_blocks": null})));
        }
    }

    #[test]
    fn names_of_fields_are_counted() {
        let mut states = Blocks::new();
        let mut piece = Map::new();
        piece.insert("x".repeat(MAX_BYTES), Value::Null);
        states.keep(0, "reasoning_details", &[piece]).unwrap();
        assert_eq!(states.take(0).unwrap(), Some(json!({})));
    }

    #[test]
    fn choices_share_the_memory_that_may_be_kept() {
        let mut states = Blocks::new();
        let count =
            |state: Option<Value>| state.unwrap()["thinking_blocks"].as_array().map(Vec::len);
        states.keep(0, "thinking_blocks", &[large(6)]).unwrap();
        states.keep(1, "thinking_blocks", &[large(6)]).unwrap();
        states.keep(1, "thinking_blocks", &[large(6)]).unwrap();
        assert_eq!(count(states.take(1).unwrap()), None);
        // What was dropped leaves its room to others.
        states.keep(2, "thinking_blocks", &[large(6)]).unwrap();
        assert_eq!([0, 2].map(|choice| count(states.take(choice).unwrap())), [Some(1), Some(1)]);
    }

    #[test]
    fn what_is_given_before_the_end_is_bounded_in_all() {
        let mut states = Blocks::new();
        states.keep(0, "thinking_blocks", &[large(6)]).unwrap();
        let mut given = Vec::new();
        for _ in 0..4 {
            states.keep(0, "thinking_blocks", &[fields(json!({"data": "d"}))]).unwrap();
            given.push(states.take_before_end(0).unwrap().is_some());
            assert_eq!(states.take_before_end(0).unwrap(), None);
        }
        assert_eq!(given, [true, true, false, false]);
        let last = states.take(0).unwrap().unwrap();
        assert_eq!(last["thinking_blocks"].as_array().unwrap().len(), 5);
        assert_eq!(states.take(0).unwrap(), None);
    }
}
