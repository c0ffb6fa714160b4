//! Embeddings in OpenAI's form: one request, and one JSON document.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::error::Category;
use serde_json::{Map, Value};

use super::families::House;
use crate::answer::Answer;
use crate::answer::usage::usage_of;
use crate::attempt::{Attempt, Response};
use crate::config::Config;
use crate::error::Result;
use crate::json;
use crate::memory;
use crate::request::Request;

/// What is sent for `request`.
pub(crate) fn body(
    request: &Request,
    config: &Config,
    answer: &mut Answer<'_>,
) -> Result<Map<String, Value>> {
    let model = config.model_for(request);
    answer.asked(request, model);
    let mut body = request.to_object()?;
    body.shift_remove("stream");
    body.insert("model".to_owned(), model.into());
    // A quarter of the bytes. Other servers may not know it, or may not know the field.
    if House::of(&config.base_url).has_openais_models() {
        body.entry("encoding_format").or_insert("base64".into());
    }
    Ok(body)
}

#[derive(Deserialize)]
struct Document {
    data: Option<Vec<Entry>>,
    model: Option<String>,
    #[serde(default, deserialize_with = "counts")]
    usage: Value,
}

#[derive(Deserialize)]
struct Entry {
    index: Option<usize>,
    embedding: Numbers,
}

/// An embedding as bytes: floats of 32 bits in little-endian order.
struct Numbers(Vec<u8>);

/// Reads `response` to its end: the embeddings of the inputs of `request`.
pub(crate) fn read(
    response: Response,
    request: &Request,
    attempt: &mut Attempt<'_>,
    answer: &mut Answer<'_>,
) -> Result<()> {
    answer.comes_from(attempt.host());
    let mut events = attempt.events(response);
    if !attempt.find(&mut events, answer)? {
        return Err(answer.protocol_error("answered with nothing"));
    }
    let event = events.event();
    // Its numbers are never values: there may be as many as fit into an event.
    json::check_depth(event.data, attempt.config().max_json_depth)?;
    memory::room_for(event.data.len())?;
    attempt.show(event, answer)?;
    let document: Document =
        serde_json::from_slice(event.data).map_err(|error| match error.classify() {
            Category::Eof => answer.truncated(),
            _ => answer.protocol_error(&format!("answered with no embeddings: {error}")),
        })?;
    let Some(entries) = document.data else {
        attempt.check(event)?;
        answer.json(event.data)?;
        return Err(answer.protocol_error("answered without embeddings"));
    };
    let entries = in_order(entries, request, answer)?;
    answer.start("", &document.model.unwrap_or_default());
    for (index, entry) in (0..).zip(&entries) {
        answer.embedding(index, &entry.embedding.0);
        // The program may be slower than this: no more waits for it than its queue takes.
        answer.flush()?;
    }
    if let Some(usage) = usage_of(&document.usage) {
        answer.usage(usage);
    }
    answer.give_usage();
    attempt.end(events);
    Ok(())
}

/// `entries`, one for each input and in their order.
fn in_order(mut entries: Vec<Entry>, request: &Request, answer: &Answer<'_>) -> Result<Vec<Entry>> {
    let inputs = request.inputs().unwrap_or_default();
    // A list of numbers is one input: its tokens.
    let wanted = if inputs.iter().any(Value::is_number) { 1 } else { inputs.len() };
    let found = entries.len();
    if found != wanted {
        let what = format!("answered with {found} embeddings for {wanted} inputs");
        return Err(answer.protocol_error(&what));
    }
    let mut indexes: Vec<_> = entries.iter().map(|entry| entry.index).collect();
    indexes.sort_unstable();
    // Some servers give all of them the same index, or none: then their order is that of the inputs.
    if indexes.into_iter().eq((0..found).map(Some)) {
        entries.sort_unstable_by_key(|entry| entry.index);
    }
    let are_floats = |entry: &Entry| {
        let Numbers(bytes) = &entry.embedding;
        !bytes.is_empty() && bytes.len() % 4 == 0
    };
    match entries.iter().all(are_floats) {
        true => Ok(entries),
        false => Err(answer.protocol_error("answered with an embedding that is no list of floats")),
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(AnyForm)
    }
}

/// A list of numbers, or their bytes in base64.
struct AnyForm;

impl<'de> Visitor<'de> for AnyForm {
    type Value = Numbers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an embedding: a list of numbers, or base64")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Numbers, E> {
        BASE64.decode(text).map(Numbers).map_err(|_| E::custom("an embedding is not base64"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Numbers, A::Error> {
        let mut bytes = Vec::new();
        while let Some(number) = list.next_element::<f32>()? {
            memory::append(&mut bytes, &number.to_le_bytes()).map_err(A::Error::custom)?;
        }
        Ok(Numbers(bytes))
    }
}

/// Reads token counts: see [`Counts`].
fn counts<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Value, D::Error> {
    Counts { levels: 2 }.deserialize(deserializer)
}

/// Reads an object of numbers, and of such objects, down to so many levels. All else becomes
/// null: an event has room for more values than there is memory for.
struct Counts {
    levels: usize,
}

/// How many fields of each such object are read.
const MOST_COUNTS: usize = 64;

impl<'de> DeserializeSeed<'de> for Counts {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counts {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("token counts")
    }

    fn visit_u64<E>(self, count: u64) -> std::result::Result<Value, E> {
        Ok(count.into())
    }

    fn visit_i64<E>(self, count: i64) -> std::result::Result<Value, E> {
        Ok(count.into())
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Value, A::Error> {
        let mut counts = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            match self.levels.checked_sub(1) {
                Some(levels) if counts.len() < MOST_COUNTS => {
                    counts.insert(name, fields.next_value_seed(Counts { levels })?);
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value::Object(counts))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_the_usage_only_few_numbers_are_kept() {
        let usage = |usage: &Value| {
            let document = json!({"data": [], "usage": usage}).to_string();
            serde_json::from_str::<Document>(&document).unwrap().usage
        };
        let details = json!({"cached_tokens": 2, "more": {"tokens": 3}, "list": [4]});
        let given = json!({"prompt_tokens": 1, "x": [1, [2]], "y": "z", "details": details});
        let details = json!({"cached_tokens": 2, "more": {}, "list": null});
        let kept = json!({"prompt_tokens": 1, "x": null, "y": null, "details": details});
        assert_eq!(usage(&given), kept);
        for none in [json!(null), json!([1, 2]), json!(7.5), json!(true), json!("1")] {
            assert_eq!(usage(&none), Value::Null);
        }
        let many = (0..1000).map(|number| (number.to_string(), number.into())).collect();
        assert_eq!(usage(&Value::Object(many)).as_object().map(Map::len), Some(MOST_COUNTS));
        let document: Document = serde_json::from_str("{\"data\": []}").unwrap();
        assert_eq!(document.usage, Value::Null);
    }
}
