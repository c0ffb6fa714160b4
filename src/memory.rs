//! Memory whose size the program or a server decides.
//!
//! Rust aborts the process when an allocation fails. Buffers that can be large grow by the
//! functions here instead, which fail with [`ErrorKind::NoMemory`]. Where a parser or
//! formatter allocates, [`room_for`] asks beforehand.

use std::borrow::Cow;
use std::collections::TryReserveError;
use std::hint::black_box;
use std::io;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

/// Allocations from this size on leave [`SPARE`] bytes to the small ones, which cannot
/// fail without ending the process.
const LARGE: usize = 1 << 20;

/// What a worker thread and a few small sessions need.
const SPARE: usize = 4 << 20;

/// About what an object of JSON takes for each of its fields.
const FIELD: usize = 256;

/// About what a value of JSON takes beside its text.
const NODE: usize = 128;

/// The error that a failed allocation is.
pub(crate) fn no_memory() -> Error {
    Error::new(ErrorKind::NoMemory, "the system has no more memory")
}

/// Does `reserve`, which allocates `bytes`.
#[cold]
#[inline(never)]
fn checked(
    bytes: usize,
    reserve: impl FnOnce() -> std::result::Result<(), TryReserveError>,
) -> Result<()> {
    let mut spare: Vec<u8> = Vec::new();
    if bytes >= LARGE {
        spare.try_reserve_exact(SPARE).map_err(|_| no_memory())?;
    }
    // The optimiser may drop an allocation that is not used.
    black_box(&mut spare);
    reserve().map_err(|_| no_memory())
}

/// Whether `bytes` can be allocated just now, in pieces.
pub(crate) fn room_for(bytes: usize) -> Result<()> {
    if bytes < LARGE {
        return Ok(());
    }
    let mut probe: Vec<u8> = Vec::new();
    let outcome = checked(bytes, || probe.try_reserve_exact(bytes));
    black_box(&mut probe);
    outcome
}

/// Makes room for `more` items.
#[inline]
pub(crate) fn reserve<T>(items: &mut Vec<T>, more: usize) -> Result<()> {
    if items.capacity() - items.len() >= more {
        return Ok(());
    }
    let wanted = items.len().saturating_add(more).saturating_mul(size_of::<T>());
    checked(wanted, || items.try_reserve(more))
}

/// Makes room for `more` bytes of text.
#[inline]
pub(crate) fn reserve_text(text: &mut String, more: usize) -> Result<()> {
    if text.capacity() - text.len() >= more {
        return Ok(());
    }
    checked(text.len().saturating_add(more), || text.try_reserve(more))
}

#[inline]
pub(crate) fn push<T>(items: &mut Vec<T>, item: T) -> Result<()> {
    reserve(items, 1)?;
    items.push(item);
    Ok(())
}

#[inline]
pub(crate) fn append(bytes: &mut Vec<u8>, more: &[u8]) -> Result<()> {
    reserve(bytes, more.len())?;
    bytes.extend_from_slice(more);
    Ok(())
}

pub(crate) fn push_str(text: &mut String, more: &str) -> Result<()> {
    reserve_text(text, more.len())?;
    text.push_str(more);
    Ok(())
}

/// A copy of `bytes`.
pub(crate) fn bytes(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    append(&mut copy, bytes)?;
    Ok(copy)
}

/// A copy of `text`.
pub(crate) fn text(text: &str) -> Result<String> {
    let mut copy = String::new();
    push_str(&mut copy, text)?;
    Ok(copy)
}

/// `bytes` as text; what is not UTF-8 in it becomes the replacement character.
pub(crate) fn lossy(bytes: &[u8]) -> Result<Cow<'_, str>> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        push_str(&mut text, chunk.valid())?;
        if !chunk.invalid().is_empty() {
            push_str(&mut text, "\u{fffd}")?;
        }
    }
    Ok(Cow::Owned(text))
}

/// A copy of `value`.
pub(crate) fn value(value: &Value) -> Result<Value> {
    Ok(match value {
        Value::String(string) => Value::String(text(string)?),
        Value::Array(items) => Value::Array(values(items)?),
        Value::Object(fields) => Value::Object(object(fields)?),
        other => other.clone(),
    })
}

/// A copy of `items`.
pub(crate) fn values(items: &[Value]) -> Result<Vec<Value>> {
    let mut copy = Vec::new();
    reserve(&mut copy, items.len())?;
    for item in items {
        copy.push(value(item)?);
    }
    Ok(copy)
}

/// A copy of `fields`.
pub(crate) fn object(fields: &Map<String, Value>) -> Result<Map<String, Value>> {
    room_for(fields.len().saturating_mul(FIELD))?;
    let mut copy = Map::with_capacity(fields.len());
    for (name, field) in fields {
        copy.insert(text(name)?, value(field)?);
    }
    Ok(copy)
}

/// About how many bytes `value` takes.
pub(crate) fn weight(value: &Value) -> usize {
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + weight(value)).sum()
        }
        _ => 0,
    }
}

/// `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    let mut writer = Writer(Vec::new());
    serde_json::to_writer(&mut writer, value).map_err(|error| match error.is_io() {
        true => no_memory(),
        false => Error::new(ErrorKind::Internal, format!("JSON cannot be written: {error}")),
    })?;
    String::from_utf8(writer.0)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("JSON is UTF-8: {error}")))
}

struct Writer(Vec<u8>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        append(&mut self.0, bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_too_much_is_an_error_and_leaves_all_as_it_was() {
        let most = isize::MAX.unsigned_abs();
        let mut items = vec![1_u64, 2];
        assert_eq!(reserve(&mut items, most).unwrap_err().kind(), ErrorKind::NoMemory);
        assert_eq!(items, [1, 2]);
        let mut text = "ab".to_owned();
        assert_eq!(reserve_text(&mut text, most).unwrap_err().kind(), ErrorKind::NoMemory);
        assert_eq!(text, "ab");
        assert_eq!(room_for(most).unwrap_err().kind(), ErrorKind::NoMemory);
        assert_eq!(room_for(usize::MAX).unwrap_err().kind(), ErrorKind::NoMemory);
        room_for(LARGE).unwrap();
    }

    #[test]
    fn copies_are_what_they_are_copies_of() {
        let original = json!({"b": [1, {"x": "й"}, null], "a": true, "c": "\u{0}\""});
        let copy = value(&original).unwrap();
        assert_eq!(json(&copy).unwrap(), original.to_string());
        for bytes in [&b"plain"[..], b"\xffa\xd0", b"", b"\xf0\x9f\x98\x80\xf0\x9f"] {
            assert_eq!(lossy(bytes).unwrap(), String::from_utf8_lossy(bytes));
        }
    }
}
