//! How much JSON is read: its depth, its size, and the memory that it takes.

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
pub(super) const FREE_VALUES: usize = 64 * 1024;

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
    1 + structure(data).filter(|byte| matches!(byte, b'{' | b'[' | b',')).count()
}

/// How many levels of JSON there are in `data`.
fn depth(data: &[u8]) -> usize {
    let (mut level, mut deepest) = (0_usize, 0);
    for byte in structure(data) {
        match byte {
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

/// The bytes of `data` that stand outside of its strings.
fn structure(data: &[u8]) -> impl Iterator<Item = u8> {
    let (mut quoted, mut escaped) = (false, false);
    data.iter().copied().filter(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return !quoted,
        }
        false
    })
}

pub(super) fn too_deep(limit: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("an event of the answer is deeper than {limit} levels (max_json_depth)"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::repair;
    use super::*;

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
}
