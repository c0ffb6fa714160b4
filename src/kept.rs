//! What a provider wants back with the next request that an OpenAI chat message has no place
//! for: signed and encrypted reasoning, blocks of its own tools, and the order of it all.
//!
//! A reader notes it in state chunks ([`Note`]), the session's reply puts the notes in order
//! ([`Kept`]) into the field [`FIELD`] of its message, and the mapping of the next request
//! takes the message apart again ([`pieces`]). Text and tool calls stand in the message
//! alone: the items only say where they belong.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// The field of a message, and of a state chunk.
pub(crate) const FIELD: &str = "tolmach";

/// A note to the reply, as a state chunk has it.
#[derive(Serialize)]
pub(crate) struct Note<'a> {
    tolmach: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    dialect: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<&'a Value>,
}

impl<'a> Note<'a> {
    /// An item that stands here.
    pub(crate) fn item(dialect: &'a str, item: &'a Value) -> Note<'a> {
        Note { tolmach: Inner { dialect, item: Some(item), call: None, with: None } }
    }

    /// The text since the last item ends here, and has further fields.
    pub(crate) fn text(dialect: &'a str, with: &'a Value) -> Note<'a> {
        Note { tolmach: Inner { dialect, item: None, call: None, with: Some(with) } }
    }

    /// A tool call has further fields.
    pub(crate) fn call(dialect: &'a str, id: &'a str, with: &'a Value) -> Note<'a> {
        Note { tolmach: Inner { dialect, item: None, call: Some(id), with: Some(with) } }
    }
}

/// The items of an answer, in the order of the wire.
#[derive(Default)]
pub(crate) struct Kept {
    dialect: String,
    items: Vec<Item>,
}

enum Item {
    /// So many bytes of the text; closed where more text is another item.
    Text {
        bytes: usize,
        with: Value,
        closed: bool,
    },
    Call {
        id: String,
        with: Value,
    },
    Whole(Value),
}

impl Kept {
    /// Text came.
    pub(crate) fn text(&mut self, more: usize) {
        match self.items.last_mut() {
            Some(Item::Text { bytes, closed: false, .. }) => *bytes += more,
            _ => self.items.push(Item::Text { bytes: more, with: Value::Null, closed: false }),
        }
    }

    /// A tool call began.
    pub(crate) fn call(&mut self, id: &str) {
        self.items.push(Item::Call { id: id.to_owned(), with: Value::Null });
    }

    /// Takes a [`Note`]. What it adds is taken from `room`.
    pub(crate) fn take(&mut self, note: Value, room: &mut usize) -> Result<()> {
        let left = room.checked_sub(memory::weight(&note));
        *room = left.ok_or_else(|| Error::new(ErrorKind::TooLarge, "there is too much state"))?;
        let Value::Object(mut note) = note else { return Ok(()) };
        if let Some(Value::String(dialect)) = note.shift_remove("dialect") {
            self.dialect = dialect;
        }
        let with = note.shift_remove("with").unwrap_or_default();
        match (note.shift_remove("item"), note.shift_remove("call")) {
            (Some(item), _) => match self.earlier(&item) {
                Some(earlier) => *earlier = item,
                None => self.items.push(Item::Whole(item)),
            },
            (None, Some(call)) => {
                let known = self.items.iter_mut().rev().find_map(|item| match item {
                    Item::Call { id, with } if call == **id => Some(with),
                    _ => None,
                });
                if let Some(known) = known {
                    *known = with;
                }
            }
            (None, None) => match self.items.last_mut() {
                Some(Item::Text { with: known, closed, .. }) if !*closed => {
                    (*known, *closed) = (with, true);
                }
                _ => self.items.push(Item::Text { bytes: 0, with, closed: true }),
            },
        }
        Ok(())
    }

    /// Whether an answer that says nothing else has to go back: its items take the place of
    /// the conversation before.
    pub(crate) fn stands_alone(&self) -> bool {
        let is_compaction = |item: &Value| item.get("type").is_some_and(|t| t == "compaction");
        self.items.iter().any(|item| matches!(item, Item::Whole(item) if is_compaction(item)))
    }

    /// The item of the same type and id, which a fuller one replaces. Looked for among the
    /// latest: there may be many.
    fn earlier(&mut self, item: &Value) -> Option<&mut Value> {
        let id = item.get("id").filter(|id| !id.is_null())?;
        let is_same =
            |known: &Value| known.get("id") == Some(id) && known.get("type") == item.get("type");
        self.items.iter_mut().rev().take(256).find_map(|known| match known {
            Item::Whole(known) if is_same(known) => Some(known),
            _ => None,
        })
    }

    /// The value of the message's [`FIELD`], where anything was noted. Of the tool calls,
    /// those that `has_call` knows.
    pub(crate) fn to_value(&self, has_call: impl Fn(&str) -> bool) -> Result<Option<Value>> {
        if self.dialect.is_empty() {
            return Ok(None);
        }
        let mut items = Vec::new();
        for item in &self.items {
            let (name, value, with) = match item {
                Item::Text { bytes, with, .. } => ("text", json!(bytes), with),
                Item::Call { id, .. } if !has_call(id) => continue,
                Item::Call { id, with } => ("call", json!(id), with),
                Item::Whole(item) => ("item", memory::value(item)?, &Value::Null),
            };
            let mut fields = Map::new();
            fields.insert(name.to_owned(), value);
            if !with.is_null() {
                fields.insert("with".to_owned(), memory::value(with)?);
            }
            items.push(Value::Object(fields));
        }
        let mut kept = Map::new();
        kept.insert("dialect".to_owned(), self.dialect.as_str().into());
        kept.insert("items".to_owned(), Value::Array(items));
        Ok(Some(Value::Object(kept)))
    }
}

/// A part of an assistant's message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Piece<'m> {
    /// Text, and further fields of its item.
    Text { text: &'m str, with: Option<&'m Map<String, Value>> },
    /// A tool call, and further fields of its item.
    Call {
        id: &'m str,
        name: &'m str,
        /// JSON, as text.
        arguments: &'m str,
        /// The whole entry of `tool_calls`.
        fields: &'m Map<String, Value>,
        with: Option<&'m Map<String, Value>>,
    },
    /// An item to send back as it is.
    Item(&'m Value),
}

/// The parts of an assistant's message: in the order of the wire where its items are those of
/// `dialect` and fit the message, else its text and then its tool calls. A program may have
/// changed the message, or brought it from another provider.
pub(crate) fn pieces<'m>(message: &'m Value, dialect: &str) -> Vec<Piece<'m>> {
    in_order(message, dialect).unwrap_or_else(|| {
        let texts = match message.get("content") {
            Some(Value::String(text)) => vec![text.as_str()],
            Some(Value::Array(parts)) => {
                parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()
            }
            _ => Vec::new(),
        };
        let texts = texts.into_iter().filter(|text| !text.is_empty());
        let texts = texts.map(|text| Piece::Text { text, with: None });
        texts.chain(calls_of(message).filter_map(|call| call_piece(call, None))).collect()
    })
}

fn in_order<'m>(message: &'m Value, dialect: &str) -> Option<Vec<Piece<'m>>> {
    let kept =
        message.get(FIELD).filter(|kept| kept.get("dialect").is_some_and(|d| d == dialect))?;
    let mut text = match message.get("content") {
        None | Some(Value::Null) => "",
        Some(content) => content.as_str()?,
    };
    let mut calls: Vec<&Value> = calls_of(message).collect();
    let mut pieces = Vec::new();
    for item in kept.get("items")?.as_array()? {
        let with = item.get("with").and_then(Value::as_object);
        if let Some(bytes) = item.get("text") {
            let (now, later) = text.split_at_checked(usize::try_from(bytes.as_u64()?).ok()?)?;
            pieces.push(Piece::Text { text: now, with });
            text = later;
        } else if let Some(id) = item.get("call") {
            let at = calls.iter().position(|call| call.get("id") == Some(id))?;
            pieces.push(call_piece(calls.remove(at), with)?);
        } else {
            pieces.push(Piece::Item(item.get("item")?));
        }
    }
    (text.is_empty() && calls.is_empty()).then_some(pieces)
}

fn calls_of(message: &Value) -> impl Iterator<Item = &Value> {
    message.get("tool_calls").and_then(Value::as_array).into_iter().flatten()
}

fn call_piece<'m>(call: &'m Value, with: Option<&'m Map<String, Value>>) -> Option<Piece<'m>> {
    let text = |place| call.pointer(place).and_then(Value::as_str).unwrap_or_default();
    Some(Piece::Call {
        id: text("/id"),
        name: text("/function/name"),
        arguments: text("/function/arguments"),
        fields: call.as_object()?,
        with,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(notes: &[Note<'_>], kept: &mut Kept) {
        for note in notes {
            let mut room = 10_000;
            let mut note = serde_json::to_value(note).unwrap();
            kept.take(note[FIELD].take(), &mut room).unwrap();
            assert!(room < 10_000);
        }
    }

    /// Thinking, a text with a signature, a call with one, and text that has none.
    fn message() -> Value {
        let mut kept = Kept::default();
        kept.text(0);
        noted(&[Note::item("d", &json!({"type": "thinking"}))], &mut kept);
        kept.text(3);
        kept.text(2);
        noted(&[Note::text("d", &json!({"signature": "s"}))], &mut kept);
        kept.call("a");
        kept.call("cut");
        noted(&[Note::call("d", "a", &json!({"caller": "c"}))], &mut kept);
        kept.text(1);
        let kept = kept.to_value(|id| id != "cut").unwrap().unwrap();
        json!({
            "role": "assistant",
            "content": "Hello!",
            "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
            "tolmach": kept,
        })
    }

    fn shown(message: &Value, dialect: &str) -> Vec<String> {
        let pieces = pieces(message, dialect);
        let shown = pieces.into_iter().map(|piece| match piece {
            Piece::Text { text, with } => format!("{text} {}", json!(with)),
            Piece::Call { id, name, arguments, fields, with } => {
                format!("{id} {name} {arguments} {} {}", fields.len(), json!(with))
            }
            Piece::Item(item) => item.to_string(),
        });
        shown.collect()
    }

    #[test]
    fn message_is_taken_apart_in_the_order_of_the_wire() {
        assert_eq!(
            shown(&message(), "d"),
            [
                " null",
                "{\"type\":\"thinking\"}",
                "Hello {\"signature\":\"s\"}",
                "a f {} 2 {\"caller\":\"c\"}",
                "! null"
            ]
        );
    }

    /// Clients of OpenAI's put null beside tool calls where there is no text.
    #[test]
    fn message_without_text_is_taken_apart_in_the_order_of_the_wire() {
        let mut kept = Kept::default();
        noted(&[Note::item("d", &json!({"type": "thinking"}))], &mut kept);
        kept.call("a");
        let mut message = message();
        message["tolmach"] = kept.to_value(|_| true).unwrap().unwrap();
        for none in [json!(""), json!(null)] {
            message["content"] = none;
            assert_eq!(shown(&message, "d"), ["{\"type\":\"thinking\"}", "a f {} 2 null"]);
        }
    }

    /// Whatever the server calls its calls, a note takes no more memory than it was given.
    #[test]
    fn note_belongs_to_the_latest_call_of_its_id() {
        let mut kept = Kept::default();
        kept.call("a");
        kept.call("a");
        noted(&[Note::call("d", "a", &json!({"caller": "c"}))], &mut kept);
        let items = json!([{"call": "a"}, {"call": "a", "with": {"caller": "c"}}]);
        assert_eq!(kept.to_value(|_| true).unwrap().unwrap()["items"], items);
    }

    #[test]
    fn message_that_was_changed_or_comes_from_elsewhere_is_its_text_and_its_calls() {
        let plain = ["Hello! null", "a f {} 2 null"];
        assert_eq!(shown(&message(), "other"), plain);
        for (place, value, wanted) in [
            ("content", json!("Hello"), vec!["Hello null", "a f {} 2 null"]),
            ("content", json!("Hi"), vec!["Hi null", "a f {} 2 null"]),
            ("content", json!("Helloé"), vec!["Helloé null", "a f {} 2 null"]),
            ("content", json!([{"text": "Hello!"}]), plain.to_vec()),
            ("tool_calls", json!([]), vec!["Hello! null"]),
            ("tool_calls", json!(null), vec!["Hello! null"]),
            ("tolmach", json!({"dialect": "d", "items": [{}]}), plain.to_vec()),
            ("tolmach", json!({"dialect": "d"}), plain.to_vec()),
            ("tolmach", json!([]), plain.to_vec()),
        ] {
            let mut message = message();
            message[place] = value;
            assert_eq!(shown(&message, "d"), wanted, "{message}");
        }
        let mut message = message();
        message["tool_calls"].as_array_mut().unwrap().push(json!({"id": "b"}));
        assert_eq!(shown(&message, "d").len(), 3);
        assert_eq!(shown(&json!({"role": "assistant"}), "d"), [""; 0]);
    }

    #[test]
    fn fuller_item_of_the_same_id_replaces_the_earlier_one_in_its_place() {
        let item = |kind: &str, id: Value, text: &str| json!({"type": kind, "id": id, "t": text});
        let first = item("a", json!("1"), "");
        let others = [item("b", json!("1"), ""), item("a", json!(null), ""), json!({"type": "a"})];
        let fuller = item("a", json!("1"), "full");
        let mut kept = Kept::default();
        for item in [&first, &others[0], &others[1], &others[1], &others[2], &others[2], &fuller] {
            noted(&[Note::item("d", item)], &mut kept);
        }
        let kept = kept.to_value(|_| true).unwrap().unwrap();
        let items = kept["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["item"]), (6, &fuller));
    }

    #[test]
    fn state_for_which_there_is_no_room_is_refused() {
        let mut kept = Kept::default();
        let error = kept.take(json!({"dialect": "d", "item": {}}), &mut 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(Kept::default().to_value(|_| true).unwrap(), None);
    }
}
