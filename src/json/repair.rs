//! Mending JSON that is nearly right, as some servers send it.

use serde_json::Value;

use super::limits::{MAX_DEPTH, is_too_deep, too_deep};
use crate::error::{Error, ErrorKind, Result};
use crate::json::halves;
use crate::memory;

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
    serde_json::from_slice(text.as_bytes()).map_err(|_| {
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::Text;
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Sample<'a> {
        #[serde(borrow)]
        text: Text<'a>,
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
