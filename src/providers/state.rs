//! The parts of an answer that a provider wants back unchanged with the next request: signed
//! and encrypted reasoning. They come in lists of blocks, in a stream in pieces of blocks.

use serde_json::{Map, Value};

/// The fields of a block whose pieces are appended to one another.
const TEXTS: &[&str] = &["thinking", "text", "summary"];

/// More blocks than this, or more bytes, are not kept: then there is nothing to send back.
const MAX_BLOCKS: usize = 1024;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What is kept of one choice: fields of its message, each a list of blocks.
pub(super) struct State {
    pub(super) choice: i32,
    fields: Map<String, Value>,
    bytes: usize,
    blocks: usize,
    changed: bool,
}

impl State {
    pub(super) fn of(choice: i32) -> State {
        State { choice, fields: Map::new(), bytes: 0, blocks: 0, changed: false }
    }

    /// Takes a block of `field`, or a piece of one.
    pub(super) fn keep(&mut self, field: &str, piece: &Map<String, Value>) {
        self.bytes = self.bytes.saturating_add(piece.values().map(weight).sum());
        if self.bytes <= MAX_BYTES {
            let list = self.fields.entry(field).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(blocks) = list {
                let before = blocks.len();
                append(blocks, piece);
                self.blocks += blocks.len() - before;
            }
        }
        if self.bytes > MAX_BYTES || self.blocks > MAX_BLOCKS {
            self.bytes = usize::MAX;
            self.fields.values_mut().for_each(|blocks| *blocks = Value::Null);
        }
        self.changed = true;
    }

    /// All that is kept so far, unless that was given before.
    pub(super) fn take_changed(&mut self) -> Option<Value> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let mut fields = self.fields.clone();
        // Anthropic refuses a block of thinking that lacks its signature.
        let thinking = fields.get_mut("thinking_blocks");
        if let Some(blocks) = thinking.and_then(Value::as_array_mut) {
            let is_thinking = |block: &Value| block.get("type").is_some_and(|t| t == "thinking");
            let is_signed = |block: &Value| block.as_object().is_some_and(|b| has(b, "signature"));
            blocks.retain(|block| is_signed(block) || !is_thinking(block));
        }
        Some(Value::Object(fields))
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

/// How many bytes of memory a value takes, about.
fn weight(value: &Value) -> usize {
    const NODE: usize = 128;
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + weight(value)).sum()
        }
        _ => 0,
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

    #[test]
    fn more_than_is_kept_leaves_nothing() {
        let long = json!({"type": "thinking", "thinking": "x".repeat(1 << 20), "signature": "s"});
        let many = json!({"type": "redacted_thinking", "data": "d"});
        for (piece, fits, too_many) in [(long, 15, 16), (many, MAX_BLOCKS, MAX_BLOCKS + 1)] {
            let mut state = State::of(0);
            let piece = piece.as_object().unwrap();
            for _ in 0..fits {
                state.keep("thinking_blocks", piece);
            }
            let kept = state.take_changed().unwrap();
            assert_eq!(kept["thinking_blocks"].as_array().unwrap().len(), fits);
            assert_eq!(state.take_changed(), None);
            for _ in fits..=too_many {
                state.keep("thinking_blocks", piece);
            }
            assert_eq!(state.take_changed(), Some(json!({"thinking_blocks": null})));
        }
    }
}
