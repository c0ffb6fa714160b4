//! Reading JSON that providers send without ever failing on what was not expected.
//!
//! The types here take whatever stands at their place: a null, or a value of another
//! kind, reads as absent (pitfall 18). A field of type [`Text`] borrows from the event.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::halves;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// The deepest that JSON is read, here and by serde.
pub(crate) const MAX_DEPTH: usize = 127;

/// Whether `data` is no deeper than `limit`. serde itself sees to it at [`MAX_DEPTH`].
pub(crate) fn check_depth(data: &[u8], limit: usize) -> Result<()> {
    match limit < MAX_DEPTH && depth(data) > limit {
        true => Err(too_deep(limit)),
        false => Ok(()),
    }
}

/// Whether serde does not read `data` for its depth.
pub(crate) fn is_too_deep(data: &[u8]) -> bool {
    depth(data) > MAX_DEPTH
}

/// So many values are always read: they take a few megabytes at most.
const FREE_VALUES: usize = 64 * 1024;

/// How many bytes of `max_event_bytes` there are for each value beyond.
const BYTES_A_VALUE: usize = 128;

/// About what a value takes once it is read, however short it was written.
const VALUE: usize = 128;

/// Whether `data`, once it is read, is not much larger than an event may be: two bytes of
/// JSON can become a hundred of memory.
pub(crate) fn check_size(data: &[u8], max_event_bytes: usize) -> Result<()> {
    let most = FREE_VALUES.max(max_event_bytes / BYTES_A_VALUE);
    if data.len() > most && values(data) > most {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "an event of the answer has more than {most} JSON values \
                 (max_event_bytes / {BYTES_A_VALUE})"
            ),
        ));
    }
    room_to_parse(data)
}

/// Whether there is memory to read `data`. The parser has no other way to find out than to
/// end the process.
pub(crate) fn room_to_parse(data: &[u8]) -> Result<()> {
    if data.len() < FREE_VALUES {
        return Ok(());
    }
    let texts = data.len().saturating_mul(2);
    memory::room_for(texts)?;
    memory::room_for(texts.saturating_add(values(data).saturating_mul(VALUE)))
}

/// About how many values of JSON there are in `data`: no less than there are.
fn values(data: &[u8]) -> usize {
    let (mut values, mut quoted, mut escaped) = (1_usize, false, false);
    for byte in data {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' | b',' => values += 1,
            _ => {}
        }
    }
    values
}

fn too_deep(limit: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("an event of the answer is deeper than {limit} levels (max_json_depth)"),
    )
}

/// How many levels of JSON there are in `data`.
fn depth(data: &[u8]) -> usize {
    let (mut level, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in data {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b'}' | b']' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What JSON serde takes only in repair comes to, as a value.
///
/// Repairable are bytes that are no UTF-8, halves of surrogate pairs, and repeated keys. A
/// half whose other one may stand in another event is marked as such ([`halves::mark`]).
/// What stays no JSON is an answer cut off where it ends too early, and otherwise no
/// answer of this protocol.
pub(crate) fn repair(data: &[u8], error: &serde_json::Error) -> Result<Value> {
    if error.is_eof() {
        return Err(Error::new(ErrorKind::Truncated, "the answer was cut off inside an event"));
    }
    if is_too_deep(data) {
        return Err(too_deep(MAX_DEPTH));
    }
    let text = without_lone_surrogates(&memory::lossy(data)?)?;
    serde_json::from_str(&text).map_err(|_| {
        Error::new(ErrorKind::Protocol, format!("an event of the answer is not JSON: {error}"))
    })
}

/// Replaces every `\uD800`-like escape that has no other half by the replacement character,
/// or by its mark at that end of a string where the other half may follow or precede.
fn without_lone_surrogates(text: &str) -> Result<String> {
    let mut mended = String::new();
    memory::reserve_text(&mut mended, text.len())?;
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let (length, keep) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, true),
            (Some(0xd800..=0xdfff), _) => (6, false),
            _ => (escape.chars().take(2).map(char::len_utf8).sum(), true),
        };
        let (escape, after) = escape.split_at(length);
        let is_cut = match unit(escape) {
            Some(0xd800..=0xdbff) => after.starts_with('"'),
            _ => before.ends_with('"'),
        };
        match unit(escape).filter(|_| is_cut).and_then(halves::mark) {
            _ if keep => mended.push_str(escape),
            Some(mark) => mended.extend(mark),
            None => mended.push_str("\\ufffd"),
        }
        rest = after;
    }
    mended.push_str(rest);
    Ok(mended)
}

/// The UTF-16 unit of the `\uXXXX` that `text` starts with.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// The visitor methods that read everything of no use as `$nothing`.
macro_rules! nothing {
    ($lifetime:lifetime, $nothing:expr; $($kind:ident)*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON")
        }
        $(nothing!(@ $kind $lifetime $nothing);)*
    };
    (@ unit $lifetime:lifetime $nothing:expr) => {
        fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_bool<E>(self, _: bool) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
    };
    (@ number $lifetime:lifetime $nothing:expr) => {
        fn visit_i64<E>(self, _: i64) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_u64<E>(self, _: u64) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_f64<E>(self, _: f64) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
    };
    (@ string $lifetime:lifetime $nothing:expr) => {
        fn visit_str<E>(self, _: &str) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
    };
    (@ list $lifetime:lifetime $nothing:expr) => {
        fn visit_seq<A: SeqAccess<$lifetime>>(
            self,
            mut items: A,
        ) -> std::result::Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }
    };
    (@ object $lifetime:lifetime $nothing:expr) => {
        fn visit_map<A: MapAccess<$lifetime>>(
            self,
            mut fields: A,
        ) -> std::result::Result<Self::Value, A::Error> {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }
    };
}

/// A string; a number reads as its digits, all else as "".
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            nothing!('de, Text::default(); unit list object);
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_i64<E>(self, number: i64) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_u64<E>(self, number: u64) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_f64<E>(self, number: f64) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// A string, or an object or list in its place, written out as JSON: what the arguments
/// of a tool call are (pitfall 8).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TextOrJson<'a>(pub(crate) Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for TextOrJson<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct TextOrJsonVisitor;
        impl<'de> Visitor<'de> for TextOrJsonVisitor {
            type Value = TextOrJson<'de>;
            nothing!('de, TextOrJson::default(); unit number);
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
                Ok(TextOrJson(Text(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
                Ok(TextOrJson(Text(Cow::Owned(text.to_owned()))))
            }
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = items.next_element::<Value>()? {
                    values.push(value);
                }
                Ok(TextOrJson(Text(Cow::Owned(Value::Array(values).to_string()))))
            }
            fn visit_map<A: MapAccess<'de>>(
                self,
                fields: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let value = Value::deserialize(MapAccessDeserializer::new(fields))?;
                Ok(TextOrJson(Text(Cow::Owned(value.to_string()))))
            }
        }
        deserializer.deserialize_any(TextOrJsonVisitor)
    }
}

/// A whole number; all else is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Int(pub(crate) Option<i64>);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct IntVisitor;
        impl<'de> Visitor<'de> for IntVisitor {
            type Value = Int;
            nothing!('de, Int(None); unit string list object);
            fn visit_i64<E>(self, number: i64) -> std::result::Result<Int, E> {
                Ok(Int(Some(number)))
            }
            fn visit_u64<E>(self, number: u64) -> std::result::Result<Int, E> {
                Ok(Int(i64::try_from(number).ok()))
            }
            fn visit_f64<E>(self, _: f64) -> std::result::Result<Int, E> {
                Ok(Int(None))
            }
        }
        deserializer.deserialize_any(IntVisitor)
    }
}

/// An object read as `T`; all else is `None`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Maybe(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Maybe<T>;
            nothing!('de, Maybe(None); unit number string list);
            fn visit_map<A: MapAccess<'de>>(
                self,
                fields: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(|object| Maybe(Some(object)))
            }
        }
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// A list of objects read as `T`; what is no object in it is left out, and what is no
/// list is empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct List<T>(Vec<T>);

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;
            nothing!('de, List::default(); unit number string object);
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Maybe(item)) = items.next_element::<Maybe<T>>()? {
                    list.extend(item);
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// What a message says: a string, or a list of parts read as `T`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content<'a, T> {
    pub(crate) text: Text<'a>,
    pub(crate) parts: List<T>,
}

impl<T> Default for Content<'_, T> {
    fn default() -> Self {
        Content { text: Text::default(), parts: List::default() }
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Content<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct ContentVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ContentVisitor<T> {
            type Value = Content<'de, T>;
            nothing!('de, Content::default(); unit number object);
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
                Ok(Content { text: Text(Cow::Borrowed(text)), parts: List::default() })
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
                Ok(Content { text: Text(Cow::Owned(text.to_owned())), parts: List::default() })
            }
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(Maybe(part)) = items.next_element::<Maybe<T>>()? {
                    parts.extend(part);
                }
                Ok(Content { text: Text::default(), parts: List(parts) })
            }
        }
        deserializer.deserialize_any(ContentVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Sample<'a> {
        #[serde(borrow)]
        text: Text<'a>,
        number: Int,
        #[serde(borrow)]
        object: Maybe<Box<Sample<'a>>>,
        #[serde(borrow)]
        list: List<Inner<'a>>,
        #[serde(borrow)]
        arguments: TextOrJson<'a>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Inner<'a> {
        #[serde(borrow)]
        text: Text<'a>,
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        for (json, levels) in
            [("1", 0), ("{}", 1), ("[[\"]][[\\\"[\",{}]]", 3), ("]]]", 0), ("[[[[", 4)]
        {
            assert_eq!(depth(json.as_bytes()), levels, "{json}");
        }
        assert!(check_depth(b"[[[]]]", 3).is_ok());
        assert_eq!(check_depth(b"[[[]]]", 2).unwrap_err().kind(), ErrorKind::TooLarge);
        let deep = "[".repeat(1000);
        assert_eq!(check_depth(deep.as_bytes(), MAX_DEPTH).ok(), Some(()));
        let error = serde_json::from_str::<Value>(&deep).unwrap_err();
        assert_eq!(repair(deep.as_bytes(), &error).unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn every_kind_of_value_is_taken_in_every_place() {
        let values =
            ["null", "true", "7", "-1.5", "\"s\"", "\"\\n\"", "[]", "[1,{}]", "{}", "{\"text\":1}"];
        for value in values {
            for field in ["text", "number", "object", "list", "arguments", "unknown"] {
                let json = format!("{{\"{field}\":{value}}}");
                serde_json::from_str::<Sample<'_>>(&json).unwrap_or_else(|e| panic!("{json}: {e}"));
            }
        }
    }

    #[test]
    fn objects_given_for_arguments_are_written_out() {
        let sample: Sample<'_> =
            serde_json::from_str("{\"arguments\":{\"b\":1,\"a\":[2]}}").unwrap();
        assert_eq!(&*sample.arguments.0, "{\"b\":1,\"a\":[2]}");
    }

    #[test]
    fn lone_surrogates_and_bytes_that_are_no_text_are_replaced() {
        for (json, text) in [
            (&b"{\"text\":\"a\\ud83d\"}"[..], "a\u{fffd}"),
            (b"{\"text\":\"\\ude00\\ud83d\\ude00\"}", "\u{fffd}\u{1f600}"),
            (b"{\"text\":\"\\\\ud83d\\ud83d\"}", "\\ud83d\u{fffd}"),
            (b"{\"text\":\"\\\"\\ude00\\ud83d\\\"\"}", "\"\u{fffd}\u{fffd}\""),
            (b"{\"text\":\"\xff\"}", "\u{fffd}"),
            (b"{\"text\":\"a\",\"text\":\"b\"}", "b"),
        ] {
            let error = serde_json::from_slice::<Sample<'_>>(json).unwrap_err();
            let value = repair(json, &error).unwrap();
            assert_eq!(halves::settle(&Sample::deserialize(&value).unwrap().text), text);
        }
    }

    #[test]
    fn halves_are_marked_at_the_ends_of_strings_alone() {
        for (json, marked) in [
            (&b"{\"text\":\"a\\ud83d\"}"[..], true),
            (b"{\"text\":\"\\ude42a\"}", true),
            (b"{\"text\":\"a\\ude42\"}", false),
            (b"{\"text\":\"\\ud83da\"}", false),
            (b"{\"text\":\"\\\"\\ude42\\ud83d\\\"\"}", false),
        ] {
            let error = serde_json::from_slice::<Sample<'_>>(json).unwrap_err();
            let value = repair(json, &error).unwrap();
            assert_eq!(halves::are_in(&value.to_string()), marked, "{value}");
        }
    }

    #[test]
    fn json_that_ends_too_early_was_cut() {
        let cut = b"{\"text\":\"a";
        let error = serde_json::from_slice::<Sample<'_>>(cut).unwrap_err();
        assert_eq!(repair(cut, &error).unwrap_err().kind(), ErrorKind::Truncated);
        let wrong = b"{\"text\"}";
        let error = serde_json::from_slice::<Sample<'_>>(wrong).unwrap_err();
        assert_eq!(repair(wrong, &error).unwrap_err().kind(), ErrorKind::Protocol);
    }
}
