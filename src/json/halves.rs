//! Characters that were cut in two: a server in JavaScript that cuts its text between the
//! halves of a surrogate pair sends `"\ud83d"` in one event and `"\ude42"` in the next.
//!
//! Rust text cannot hold half a character. [`mark`] writes one as two characters that no text
//! has, a noncharacter and one of private use; [`Halves`] joins them across pieces, and
//! [`settle`] within one. Nothing but these sees them: what the program gets has none.

/// Stands before the first half of a character.
const HIGH: char = '\u{fdd0}';
/// Stands before the second half of a character.
const LOW: char = '\u{fdd1}';

/// What a half is written as; `None` for a UTF-16 unit that is a whole character.
pub(crate) fn mark(unit: u16) -> Option<[char; 2]> {
    let ten_bits = char::from_u32(0xe000 + u32::from(unit & 0x3ff))?;
    match unit {
        0xd800..=0xdbff => Some([HIGH, ten_bits]),
        0xdc00..=0xdfff => Some([LOW, ten_bits]),
        _ => None,
    }
}

/// The ten bits that stand behind `kind` at the start of `text`, and what follows them.
fn half_of(kind: char, text: &str) -> Option<(u32, &str)> {
    let mut characters = text.strip_prefix(kind)?.chars();
    let bits = u32::from(characters.next()?).checked_sub(0xe000).filter(|bits| *bits < 0x400)?;
    Some((bits, characters.as_str()))
}

/// Whether `text` holds half a character.
pub(crate) fn are_in(text: &str) -> bool {
    text.contains([HIGH, LOW])
}

/// Joins the halves that follow one another in `text`; what has no other half becomes the
/// replacement character.
pub(crate) fn settle(text: &str) -> String {
    let mut settled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find([HIGH, LOW]) {
        let (before, half) = rest.split_at(at);
        settled.push_str(before);
        rest = match (half_of(HIGH, half), half_of(LOW, half)) {
            (Some((high, after)), _) => match half_of(LOW, after) {
                Some((low, after)) => {
                    settled.extend(char::from_u32(0x10000 + (high << 10) + low));
                    after
                }
                None => {
                    settled.push(char::REPLACEMENT_CHARACTER);
                    after
                }
            },
            (None, Some((_, after))) => {
                settled.push(char::REPLACEMENT_CHARACTER);
                after
            }
            // The noncharacter was the server's own.
            (None, None) => {
                let (own, after) = half.split_at(HIGH.len_utf8());
                settled.push_str(own);
                after
            }
        };
    }
    settled.push_str(rest);
    settled
}

/// The first halves that wait for the next piece of their text, which `K` names.
pub(crate) struct Halves<K>(Vec<(K, String)>);

impl<K> Default for Halves<K> {
    fn default() -> Self {
        Halves(Vec::new())
    }
}

impl<K> Halves<K> {
    /// The next piece of the text that `is_same` tells, without a first half at its end.
    pub(crate) fn join(&mut self, key: K, is_same: impl Fn(&K) -> bool, piece: &str) -> String {
        let waiting = self.0.iter().position(|(key, _)| is_same(key));
        let mut text = waiting.map(|at| self.0.swap_remove(at).1).unwrap_or_default();
        text.push_str(piece);
        let last = text.char_indices().rev().nth(1).map_or(0, |(at, _)| at);
        if text.get(last..).and_then(|last| half_of(HIGH, last)).is_some() {
            self.0.push((key, text.split_off(last)));
        }
        settle(&text)
    }

    /// Those that still wait, whose other half never comes.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = K> + use<K> {
        std::mem::take(&mut self.0).into_iter().map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(units: &[u16]) -> String {
        let decoded = char::decode_utf16(units.iter().copied());
        decoded
            .flat_map(|unit| match unit {
                Ok(whole) => vec![whole],
                Err(half) => mark(half.unpaired_surrogate()).unwrap().to_vec(),
            })
            .collect()
    }

    #[test]
    fn text_is_the_same_wherever_it_is_cut() {
        let whole = "a\u{1f642}\u{10ffff}\u{10000}b\u{fdd0}c";
        let units: Vec<u16> = whole.encode_utf16().collect();
        for first in 0..=units.len() {
            for second in first..=units.len() {
                let mut halves = Halves::default();
                let pieces = [&units[..first], &units[first..second], &units[second..]];
                let joined = pieces.map(|piece| halves.join((), |()| true, &text(piece)));
                assert_eq!(joined.concat(), whole, "cut at {first} and {second}");
                assert_eq!(halves.take().count(), 0);
            }
        }
    }

    #[test]
    fn half_that_stays_alone_is_replaced() {
        let (high, low) = (text(&[0xd83d]), text(&[0xde42]));
        assert_eq!(
            settle(&format!("{high}a{low}b{low}{high}{high}{low}")),
            "\u{fffd}a\u{fffd}b\u{fffd}\u{fffd}\u{1f642}"
        );
        let mut halves = Halves::default();
        let mut join = |key, piece: &str| halves.join(key, |known| *known == key, piece);
        assert_eq!(join(0, &high), "");
        assert_eq!(join(1, &low), "\u{fffd}");
        assert_eq!(join(0, ""), "");
        assert_eq!(join(0, &format!("{high}x")), "\u{fffd}\u{fffd}x");
        assert_eq!(join(0, &format!("y{high}")), "y");
        assert_eq!(halves.take().collect::<Vec<_>>(), [0]);
    }
}
