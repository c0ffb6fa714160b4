//! Moulds: events that are like one before them are read without a parser.
//!
//! Nearly all events of a stream are the same but for a few values. The parser reads the first
//! event of a kind, and the reader says what its values mean ([`Places`]). A [`Mould`] is the
//! bytes of that event as the event stream had it, with slots for these values. An event whose
//! other bytes are the same, and that has a plain value in each slot, would be framed and
//! parsed to the same but for these values. All other events do not fit and are parsed: a mould
//! never has to know what they mean.

use std::ops::Range;

/// How many shapes of events are remembered: streams alternate between a few of them.
const MOST_MOULDS: usize = 8;

/// Longer events are not remembered.
pub(crate) const LONGEST_LEARNED: usize = 4096;

/// Longer events are not compared: [`check_size`](super::check_size) looks at them.
const LONGEST: usize = super::limits::FREE_VALUES;

/// An event with more keys, or deeper, is not learned.
const MOST_KEYS: usize = 128;
const DEEPEST: usize = 16;

/// So many shapes may be learned in vain; then fewer and fewer are.
const IN_VAIN: u32 = 32;

/// How many numbers of an event a reader can ask for.
pub(crate) const MOST_NUMBERS: usize = 6;

/// The numbers that a reader asks for, in the order of [`Places::numbers`].
pub(crate) type Numbers = [Option<i64>; MOST_NUMBERS];

/// Which values of an event change, by their keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// The key of the text.
    pub(crate) text: &'static str,
    /// Without text, the event says something else.
    pub(crate) needs_text: bool,
    /// The keys of strings and whole numbers that have no effect, wherever they stand.
    pub(crate) free: &'static [&'static str],
    /// The keys of whole numbers that have one.
    pub(crate) numbers: &'static [&'static str],
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said<'a> {
    pub(crate) text: &'a str,
    pub(crate) numbers: &'a Numbers,
}

/// Of an event of which no number was asked for, or that has none of them.
pub(crate) const NO_NUMBERS: &Numbers = &[None; MOST_NUMBERS];

/// The shapes of events that were learned, each with its meaning `M`.
pub(crate) struct Moulds<M> {
    moulds: Vec<Mould<M>>,
    /// The one that fitted last, which is tried first.
    last: usize,
    /// The one that gives way to the next.
    oldest: usize,
    /// How many were learned since one fitted.
    in_vain: u32,
    /// The text of the event that fitted last, if its escapes had to be decoded.
    decoded: String,
}

struct Mould<M> {
    meaning: M,
    /// The event that was learned, with the empty line at its end.
    event: Box<[u8]>,
    /// Where it may differ, in their order.
    slots: Box<[Slot]>,
    /// The numbers of the event that was compared last.
    numbers: Numbers,
}

/// The place of a value in a mould's event.
struct Slot {
    range: Range<usize>,
    kind: Kind,
    /// The value was another one before. Until then, it is compared with the bytes around it:
    /// most values stay as they are.
    varies: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// A text that is not empty.
    SomeText,
    FreeString,
    FreeInteger,
    /// An integer, and its place in [`Places::numbers`].
    Number(usize),
}

impl<M> Moulds<M> {
    pub(crate) fn new() -> Moulds<M> {
        Moulds { moulds: Vec::new(), last: 0, oldest: 0, in_vain: 0, decoded: String::new() }
    }

    /// The length of the event in front of `bytes`, what it means and what it says, where it is
    /// like one that was learned. `bytes` are those of an event stream from the beginning of an
    /// event on. What fits tells its own end, which nobody has to look for before.
    #[inline]
    pub(crate) fn fit<'m>(&'m mut self, bytes: &'m [u8]) -> Option<(usize, &'m M, Said<'m>)> {
        self.decoded.clear();
        if self.decoded.capacity() > LONGEST_LEARNED {
            self.decoded.shrink_to(LONGEST_LEARNED);
        }
        let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
        let last = self.moulds.get_mut(self.last);
        let fit = last.and_then(|mould| mould.fit(bytes, &mut self.decoded));
        let (length, text) = fit.or_else(|| self.fit_another(bytes))?;
        self.in_vain = 0;
        let Mould { meaning, numbers, .. } = self.moulds.get(self.last)?;
        Some((length, meaning, Said { text: text.unwrap_or(&self.decoded), numbers }))
    }

    /// The length and the text of an event that fits another mould than the last one.
    #[cold]
    #[inline(never)]
    fn fit_another<'d>(&mut self, bytes: &'d [u8]) -> Option<(usize, Option<&'d str>)> {
        let others = self.moulds.iter_mut().enumerate().filter(|(at, _)| *at != self.last);
        let (at, fit) = others
            .into_iter()
            .find_map(|(at, mould)| Some((at, mould.fit(bytes, &mut self.decoded)?)))?;
        self.last = at;
        Some(fit)
    }

    /// Learns the shape of an event that the parser has read: `event` is all of it as the event
    /// stream had it, with the empty line at its end, and `data` where its JSON stands in that.
    /// `said` is what a reader found at `places` of it, and all that it found.
    #[cold]
    #[inline(never)]
    pub(crate) fn learn(
        &mut self,
        event: &[u8],
        data: Range<usize>,
        places: &Places,
        said: &Said<'_>,
        meaning: M,
    ) {
        if self.in_vain > IN_VAIN && !self.in_vain.is_power_of_two() {
            self.in_vain = self.in_vain.saturating_add(1);
            return;
        }
        let Some(mut mould) = Mould::of(event, data, places, meaning) else { return };
        // It has to read its own event as the parser did.
        let Some((_, text)) = mould.take(event, &mut self.decoded) else { return };
        if (Said { text: text.unwrap_or(&self.decoded), numbers: &mould.numbers }) != *said {
            return;
        }
        self.in_vain = self.in_vain.saturating_add(1);
        if self.moulds.len() < MOST_MOULDS {
            self.moulds.push(mould);
            return;
        }
        self.oldest = (self.oldest + 1) % MOST_MOULDS;
        if self.oldest == self.last {
            self.oldest = (self.oldest + 1) % MOST_MOULDS;
        }
        if let Some(old) = self.moulds.get_mut(self.oldest) {
            *old = mould;
        }
    }
}

impl<M> Mould<M> {
    /// The mould of an event of valid JSON, if its changing values can be told by their keys.
    fn of(event: &[u8], data: Range<usize>, places: &Places, meaning: M) -> Option<Mould<M>> {
        if event.len() > LONGEST_LEARNED || places.text.is_empty() {
            return None;
        }
        let mut walk = Walk {
            json: event.get(..data.end)?,
            at: data.start,
            places,
            keys: Vec::new(),
            objects: 0,
            slots: Vec::new(),
            numbers: *NO_NUMBERS,
        };
        walk.value(b"", 0)?;
        walk.skip_space();
        if walk.at != data.end || !walk.says_each_once() {
            return None;
        }
        let Walk { slots, numbers, .. } = walk;
        Some(Mould { meaning, event: event.into(), slots: slots.into(), numbers })
    }

    /// The length and the text of the event in front of `bytes`, if it fits. A text that had
    /// escapes is in `decoded`.
    #[inline]
    fn fit<'d>(
        &mut self,
        bytes: &'d [u8],
        decoded: &mut String,
    ) -> Option<(usize, Option<&'d str>)> {
        match self.take(bytes, decoded) {
            None if self.finds_more_vary(bytes, decoded) => self.take(bytes, decoded),
            fit => fit,
        }
    }

    /// The same, where nothing differs but the values that are known to vary.
    #[inline(never)]
    fn take<'d>(
        &mut self,
        bytes: &'d [u8],
        decoded: &mut String,
    ) -> Option<(usize, Option<&'d str>)> {
        let (mut rest, mut from) = (bytes, 0);
        let mut text = None;
        for Slot { range, kind, .. } in self.slots.iter().filter(|slot| slot.varies) {
            rest = rest.strip_prefix(self.event.get(from..range.start)?)?;
            let length = match kind {
                Kind::Text => {
                    let length;
                    (length, text) = take_text(rest, decoded)?;
                    length
                }
                Kind::SomeText => {
                    let length;
                    (length, text) = take_text(rest, decoded).filter(|(length, _)| *length > 0)?;
                    length
                }
                Kind::FreeString => take_free(rest)?,
                Kind::FreeInteger => integer(rest)?.1,
                Kind::Number(place) => {
                    let (number, length) = integer(rest)?;
                    *self.numbers.get_mut(*place)? = Some(number);
                    length
                }
            };
            (rest, from) = (rest.get(length..)?, range.end);
        }
        let rest = rest.strip_prefix(self.event.get(from..)?)?;
        Some((bytes.len() - rest.len(), text))
    }

    /// Whether a value differs from that in the mould's event which never did before. Looks no
    /// further than the events are alike.
    #[cold]
    #[inline(never)]
    fn finds_more_vary(&mut self, bytes: &[u8], decoded: &mut String) -> bool {
        let (mut rest, mut from) = (bytes, 0);
        let mut finds_more = false;
        for Slot { range, kind, varies } in &mut self.slots {
            let fixed = self.event.get(from..range.start).unwrap_or_default();
            let Some(value) = rest.strip_prefix(fixed) else { break };
            let length = match kind {
                Kind::Text | Kind::SomeText => take_text(value, decoded).map(|(length, _)| length),
                Kind::FreeString => take_free(value),
                Kind::FreeInteger | Kind::Number(_) => integer(value).map(|(_, length)| length),
            };
            let halves = length.and_then(|length| value.split_at_checked(length));
            // What the bytes end with may be cut.
            let Some((value, after @ [_, ..])) = halves else { break };
            if !*varies && self.event.get(range.clone()) != Some(value) {
                *varies = true;
                finds_more = true;
            }
            (rest, from) = (after, range.end);
        }
        finds_more
    }
}

/// How many bytes a text has up to its closing quote, and the text itself, unless it has
/// escapes: then it is in `decoded`.
#[inline]
fn take_text<'d>(bytes: &'d [u8], decoded: &mut String) -> Option<(usize, Option<&'d str>)> {
    let length = run(bytes).length;
    match bytes.get(length)? {
        b'"' => Some((length, Some(std::str::from_utf8(bytes.get(..length)?).ok()?))),
        b'\\' => Some((take_escaped(bytes, length, decoded)?, None)),
        _ => None,
    }
}

/// How many bytes a text has whose first escape is at `at`. It is put into `decoded`.
#[inline(never)]
fn take_escaped(bytes: &[u8], mut at: usize, decoded: &mut String) -> Option<usize> {
    decoded.clear();
    decoded.push_str(std::str::from_utf8(bytes.get(..at)?).ok()?);
    loop {
        let rest = bytes.get(at..)?;
        let length = match rest {
            [b'"', ..] => return Some(at),
            [b'\\', b'u', ..] => {
                let (character, length) = unicode_escape(rest)?;
                decoded.push(character);
                length
            }
            [b'\\', short, ..] => {
                decoded.push(match short {
                    b'"' => '"',
                    b'\\' => '\\',
                    b'/' => '/',
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    _ => return None,
                });
                2
            }
            _ => match run(rest).length {
                0 => return None,
                length => {
                    decoded.push_str(std::str::from_utf8(rest.get(..length)?).ok()?);
                    length
                }
            },
        };
        at += length;
    }
}

/// The character of the escape that `bytes` start with, and the length of that. A half of a
/// character is left to the parser.
fn unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = bytes.get(at..)?.strip_prefix(b"\\u")?.get(..4)?;
        digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    };
    match unit(0)? {
        high @ 0xd800..=0xdbff => {
            let low = unit(6).filter(|low| (0xdc00..=0xdfff).contains(low))?;
            let character = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            Some((char::from_u32(character)?, 12))
        }
        unit => Some((char::from_u32(unit)?, 6)),
    }
}

/// How long a string is that stands for nothing. One with an escape does not fit.
fn take_free(bytes: &[u8]) -> Option<usize> {
    let run = run(bytes);
    let is_text = run.is_ascii || std::str::from_utf8(bytes.get(..run.length)?).is_ok();
    (is_text && bytes.get(run.length) == Some(&b'"')).then_some(run.length)
}

struct Run {
    length: usize,
    /// If not, it may still be.
    is_ascii: bool,
}

/// How many bytes come before the first quote, backslash or control character.
#[inline]
fn run(bytes: &[u8]) -> Run {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    // The lowest high bit that is set tells a byte that is 0; those above it may be wrong.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut rest = bytes;
    let mut seen = 0;
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * u64::from(b' ')) & !word & HIGHS;
        let ends = quotes | backslashes | controls;
        if ends != 0 {
            // Bytes before the end are those below its bit.
            seen |= word & (ends & ends.wrapping_neg()).wrapping_sub(1);
            let within = ends.trailing_zeros() as usize / 8;
            let length = bytes.len() - rest.len() + within;
            return Run { length, is_ascii: seen & HIGHS == 0 };
        }
        seen |= word;
        rest = after;
    }
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    let within = rest.iter().position(is_end).unwrap_or(rest.len());
    let is_ascii = seen & HIGHS == 0 && rest.iter().take(within).all(u8::is_ascii);
    Run { length: bytes.len() - rest.len() + within, is_ascii }
}

/// The integer that `bytes` start with, and its length: one that has but one form, and fits
/// into 64 bits. What follows it is for the fixed bytes to say: never a digit, `.` or `e`.
#[inline]
fn integer(bytes: &[u8]) -> Option<(i64, usize)> {
    const MOST_DIGITS: usize = 18;
    let is_negative = bytes.first() == Some(&b'-');
    let digits = bytes.get(usize::from(is_negative)..)?;
    // One digit more than there may be.
    let digits = digits.get(..=MOST_DIGITS).unwrap_or(digits);
    let (mut number, mut length) = (0_i64, 0);
    for digit in digits.iter().map(|byte| byte.wrapping_sub(b'0')).take_while(|digit| *digit < 10) {
        number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
        length += 1;
    }
    let is_plain = match digits.first() {
        Some(b'0') => length == 1 && !is_negative,
        _ => (1..=MOST_DIGITS).contains(&length),
    };
    let number = if is_negative { -number } else { number };
    is_plain.then_some((number, length + usize::from(is_negative)))
}

/// Finds the slots of an event.
struct Walk<'w> {
    /// The JSON, and what comes before it.
    json: &'w [u8],
    at: usize,
    places: &'w Places,
    /// Every key, and which object it is of.
    keys: Vec<(usize, &'w [u8])>,
    objects: usize,
    slots: Vec<Slot>,
    numbers: Numbers,
}

impl<'w> Walk<'w> {
    /// Walks over one value, which stands at `key`; none for an item of a list.
    fn value(&mut self, key: &'w [u8], depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        self.skip_space();
        match self.json.get(self.at)? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => {
                let range = self.string()?;
                if key == self.places.text.as_bytes() {
                    let needs_text = self.places.needs_text;
                    let kind = if needs_text { Kind::SomeText } else { Kind::Text };
                    self.slots.push(Slot { range, kind, varies: true });
                } else if is_one_of(key, self.places.free) {
                    self.slots.push(Slot { range, kind: Kind::FreeString, varies: false });
                }
                Some(())
            }
            _ => {
                let length = self.json.get(self.at..)?.iter().position(|byte| {
                    !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'+' | b'.')
                });
                let end = length.map_or(self.json.len(), |length| self.at + length);
                let range = self.at..end;
                let word = self.json.get(range.clone()).filter(|word| !word.is_empty())?;
                self.at = end;
                let number = integer(word).filter(|(_, length)| *length == word.len());
                let Some((number, _)) = number else { return Some(()) };
                let place = self.places.numbers.iter().position(|n| n.as_bytes() == key);
                if let Some(place) = place {
                    *self.numbers.get_mut(place)? = Some(number);
                    self.slots.push(Slot { range, kind: Kind::Number(place), varies: false });
                } else if is_one_of(key, self.places.free) {
                    self.slots.push(Slot { range, kind: Kind::FreeInteger, varies: false });
                }
                Some(())
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.take(b'{')?;
        let object = self.objects;
        self.objects += 1;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            let key = self.json.get(key).filter(|key| !key.contains(&b'\\'))?;
            if self.keys.len() >= MOST_KEYS || self.keys.contains(&(object, key)) {
                return None;
            }
            self.keys.push((object, key));
            self.take(b':')?;
            self.value(key, depth + 1)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(b"", depth + 1)?;
            if self.take(b',').is_none() {
                return self.take(b']');
            }
        }
    }

    /// Where the string that begins here has its content.
    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at + 1;
        let mut end = start;
        if self.json.get(self.at) != Some(&b'"') {
            return None;
        }
        loop {
            match self.json.get(end)? {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.at = end + 1;
        Some(start..end)
    }

    fn skip_space(&mut self) {
        while matches!(self.json.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes that byte, if it is the next.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        (self.json.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    /// Whether the keys that say something stand in one place each, whatever they hold there:
    /// a reader looks into that place and no other.
    fn says_each_once(&self) -> bool {
        let count =
            |name: &str| self.keys.iter().filter(|(_, key)| *key == name.as_bytes()).count();
        count(self.places.text) == 1 && self.places.numbers.iter().all(|name| count(name) <= 1)
    }
}

fn is_one_of(key: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| name.as_bytes() == key)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const PLACES: Places = Places {
        text: "content",
        needs_text: false,
        free: &["created", "padding"],
        numbers: &["count", "total"],
    };

    const EVENT: &[u8] =
        b"{\"id\": \"a\",\"created\":17,\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],\
        \"count\":3,\"padding\":\"xyz\",\"last\":null}";

    /// What a reader finds in an event.
    fn parsed(data: &[u8]) -> Option<(String, Numbers)> {
        let value = serde_json::from_slice::<Value>(data).ok()?;
        let text = value.pointer("/choices/0/delta/content")?.as_str()?.to_owned();
        let mut numbers = Numbers::default();
        numbers[0] = value.get("count").and_then(Value::as_i64);
        numbers[1] = value.get("total").and_then(Value::as_i64);
        Some((text, numbers))
    }

    /// An event as an event stream has it.
    fn wire(data: &[u8]) -> Vec<u8> {
        [b"data: ", data, b"\n\n"].concat()
    }

    fn learn_with(moulds: &mut Moulds<usize>, head: &str, data: &[u8], end: &str, meaning: usize) {
        let (text, numbers) = parsed(data).unwrap();
        let event = [head.as_bytes(), data, end.as_bytes()].concat();
        let place = head.len()..head.len() + data.len();
        let said = Said { text: &text, numbers: &numbers };
        moulds.learn(&event, place, &PLACES, &said, meaning);
    }

    fn learn(moulds: &mut Moulds<usize>, data: &[u8], meaning: usize) {
        learn_with(moulds, "data: ", data, "\n\n", meaning);
    }

    fn learned(data: &[u8]) -> Moulds<usize> {
        let mut moulds = Moulds::new();
        learn(&mut moulds, data, 0);
        moulds
    }

    fn fit(moulds: &mut Moulds<usize>, data: &[u8]) -> Option<(String, Numbers)> {
        let event = wire(data);
        let (length, _, said) = moulds.fit(&event)?;
        (length == event.len()).then(|| (said.text.to_owned(), *said.numbers))
    }

    /// `EVENT` with `new` in the place of `old`.
    fn with(old: &str, new: impl AsRef<[u8]>) -> Vec<u8> {
        let at = EVENT.windows(old.len()).position(|found| found == old.as_bytes()).unwrap();
        [&EVENT[..at], new.as_ref(), &EVENT[at + old.len()..]].concat()
    }

    #[test]
    fn event_that_differs_in_its_slots_alone_fits() {
        let texts = [
            "",
            "x",
            "Hi",
            "\u{1f600}",
            "При\u{1f600}вет",
            "a long text of more than one word",
            "й12345678",
            "1234567",
            "12345678",
            "123456789",
            "\u{7f}",
            "\\n",
            "a\\nb",
            "\\\"",
            "\\\\",
            "\\/",
            "\\b\\f\\r\\t",
            "\\u0041",
            "\\u00e9\\u00E9",
            "\\ud83d\\ude00",
            "x\\uD83D\\uDE00y",
            "\\u0000",
            "й\\nй",
            "\\u2028",
            "12345678\\n12345678",
            "\\u0022",
        ];
        for text in texts {
            let event = with("Hi", text);
            assert_eq!(fit(&mut learned(EVENT), &event), parsed(&event), "{text}");
            assert!(parsed(&event).is_some(), "{text}");
        }
        for number in ["0", "1", "-1", "999999999999999999", "-999999999999999999", "10"] {
            for (old, new) in [("\"count\":3", "\"count\":"), ("\"created\":17", "\"created\":")] {
                let event = with(old, format!("{new}{number}"));
                assert_eq!(fit(&mut learned(EVENT), &event), parsed(&event), "{new}{number}");
            }
        }
        for free in ["", "й", "a much longer one than it was"] {
            let event = with("xyz", free);
            assert_eq!(fit(&mut learned(EVENT), &event), parsed(&event), "{free}");
        }
    }

    #[test]
    fn event_that_differs_in_anything_else_does_not_fit() {
        let mut events = vec![
            with("\"Hi\"", "null"),
            with("\"Hi\"", "[\"Hi\"]"),
            with("\"a\"", "\"b\""),
            with("{\"id\"", "{ \"id\""),
            with("\"id\"", "\"id2\""),
            with("null}", "null} "),
            with("null}", "null,\"more\":1}"),
            with("null}", "null"),
            with("\"xyz\"", "7"),
            with("17", "\"17\""),
            with("17", "null"),
            with("content", "Content"),
            EVENT[1..].to_vec(),
            b"[DONE]".to_vec(),
            Vec::new(),
            with("Hi", "x".repeat(LONGEST)),
        ];
        for text in [
            &b"\n"[..],
            b"a\tb",
            b"\0",
            b"12345678\x1f",
            b"1234567\x1f",
            b"\xff",
            b"a\xd0",
            b"\xd0a",
            b"\xed\xa0\xbd",
            b"12345678\xc3",
            b"\\n\xff",
            b"\xff\\n",
            b"\xd0\\u0080",
            b"\\",
            b"\\x",
            b"\\u",
            b"\\u12",
            b"\\u12g4",
            b"\\u+123",
            b"\\ud83d",
            b"\\ude00",
            b"\\ud83dx",
            b"\\ud83d\\u0041",
            b"\\ud83d\\ud83d",
            b"\\n\n",
            b"a\"b",
            b"\\ud83d\\n",
            b"\\U0041",
        ] {
            events.push(with("Hi", text));
        }
        for free in [
            &b"a\\n"[..],
            b"\\u0041",
            b"\n",
            b"\xff",
            b"12345678\xff",
            b"12345678\x01",
            b"a\"",
            b"\\\"",
        ] {
            events.push(with("xyz", free));
        }
        for number in [
            "",
            "-",
            "-0",
            "00",
            "01",
            "-01",
            "1.0",
            "1e3",
            "+1",
            "1000000000000000000",
            "1 2",
            "0x1",
            "--1",
            "1-",
        ] {
            events.push(with(":3", format!(":{number}")));
            events.push(with(":17", format!(":{number}")));
        }
        for event in events {
            let text = String::from_utf8_lossy(&event);
            assert_eq!(fit(&mut learned(EVENT), &event), None, "{text:.200}");
        }
        for end in 0..EVENT.len() {
            assert_eq!(fit(&mut learned(EVENT), &EVENT[..end]), None);
        }
    }

    #[test]
    fn event_that_needs_a_text_does_not_fit_without_it() {
        let (text, numbers) = parsed(EVENT).unwrap();
        let said = Said { text: &text, numbers: &numbers };
        let places = Places { needs_text: true, ..PLACES };
        let mut moulds = Moulds::new();
        moulds.learn(&wire(EVENT), 6..6 + EVENT.len(), &places, &said, 0);
        assert_eq!(fit(&mut moulds, &with("Hi", "x")), parsed(&with("Hi", "x")));
        assert_eq!(fit(&mut moulds, &with("Hi", "")), None);
    }

    #[test]
    fn event_in_which_a_value_may_be_another_is_not_learned() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(20), "]".repeat(20));
        let keys: String = (0..MOST_KEYS).map(|key| format!("\"k{key}\":0,")).collect();
        for event in [
            with("\"id\"", "\"created\":1,\"id\""),
            with("\"id\"", "\"last\":1,\"id\""),
            with("\"id\"", "\"content\":null,\"id\""),
            with("\"id\"", "\"x\":{\"content\":\"Hi\"},\"id\""),
            with("\"id\"", "\"x\":{\"count\":3},\"id\""),
            with("\"id\"", "\"x\":[{\"count\":null}],\"id\""),
            with("\"id\"", "\"\\u0069d\""),
            with("\"id\"", "\"x\\n\""),
            with("\"id\"", format!("\"x\":{deep},\"id\"")),
            with("\"id\"", format!("{keys}\"id\"")),
            with("\"a\"", format!("\"{}\"", "x".repeat(LONGEST_LEARNED))),
        ] {
            let text = String::from_utf8_lossy(&event);
            assert_eq!(fit(&mut learned(&event), &event), None, "{text:.200}");
        }
        // What the reader found was not this.
        for said in [("Ho", Some(3)), ("Hi", Some(4)), ("Hi", None)] {
            let mut moulds = Moulds::new();
            let (text, mut numbers) = (said.0, Numbers::default());
            numbers[0] = said.1;
            let said = Said { text, numbers: &numbers };
            moulds.learn(&wire(EVENT), 6..6 + EVENT.len(), &PLACES, &said, 0);
            assert_eq!(fit(&mut moulds, EVENT), None, "{said:?}");
        }
        // A number of another kind is as fixed as anything.
        let float = with(":3", ":3.5");
        assert_eq!(fit(&mut learned(&float), &float), parsed(&float));
        assert_eq!(fit(&mut learned(&float), &with(":3", ":3.6")), None);
        // One with an escape comes again as it was, or does not fit.
        let escaped = with("xyz", "x\\nz");
        assert_eq!(fit(&mut learned(&escaped), &escaped), parsed(&escaped));
        assert_eq!(fit(&mut learned(&escaped), &with("xyz", "y\\nz")), None);
    }

    #[test]
    fn free_values_that_came_last_are_no_more_than_that() {
        let mut moulds = learned(EVENT);
        for (created, padding) in
            [("17", "abc"), ("18", "xyz"), ("9", "ab"), ("17", "xyz"), ("99", "abc")]
        {
            let event = String::from_utf8(with("17", created)).unwrap().replace("xyz", padding);
            for other in [event.replace("id", "di"), event.replace("last", "lost")] {
                assert_eq!(fit(&mut moulds, other.as_bytes()), None, "{other}");
            }
            assert_eq!(fit(&mut moulds, event.as_bytes()), parsed(event.as_bytes()), "{event}");
        }
    }

    #[test]
    fn event_fits_when_all_of_it_has_come() {
        for (head, end) in [
            ("data: ", "\n\n"),
            ("data:", "\n\n"),
            ("data: ", "\r\n\r\n"),
            ("event: piece\ndata: ", "\n\n"),
            ("event: piece\r\ndata: ", "\r\n\r\n"),
            ("event: piece\nid: 1\ndata: ", "\nretry: 1\n\n"),
        ] {
            let mut moulds = Moulds::new();
            learn_with(&mut moulds, head, EVENT, end, 7);
            let event = with("Hi", "a\\nb");
            let stream = [head.as_bytes(), &event, end.as_bytes()].concat();
            let more = [&*stream, head.as_bytes(), &event, b"\n"].concat();
            for bytes in [&stream, &more] {
                let (length, meaning, said) = moulds.fit(bytes).unwrap();
                assert_eq!((length, *meaning), (stream.len(), 7));
                let (text, numbers) = parsed(&event).unwrap();
                assert_eq!(said, Said { text: &text, numbers: &numbers });
            }
            for length in 0..stream.len() {
                assert!(moulds.fit(&stream[..length]).is_none(), "{length}");
            }
            for other in ["\n\r\n", "\r\r", "\ndata: 1\n\n", " \n\n", "\nid: 1\n\n", "\n{\n\n"] {
                let other = [head.as_bytes(), &event, other.as_bytes()].concat();
                assert!(moulds.fit(&other).is_none(), "{end:?}");
            }
            for other in ["data", "id: 1\ndata: ", "event: other\ndata: ", "\ndata: ", ""] {
                let other = [other.as_bytes(), &event, end.as_bytes()].concat();
                assert!(moulds.fit(&other).is_none());
            }
        }
    }

    #[test]
    fn value_that_has_come_in_part_is_not_another() {
        let mut moulds = learned(EVENT);
        let event = wire(EVENT);
        for length in 0..event.len() {
            assert!(moulds.fit(&event[..length]).is_none());
        }
        let varying: Vec<Kind> =
            moulds.moulds[0].slots.iter().filter(|s| s.varies).map(|s| s.kind).collect();
        assert_eq!(varying, [Kind::Text]);
    }

    #[test]
    fn text_that_was_decoded_is_not_held_for_long() {
        let mut moulds = learned(EVENT);
        let text = "\\n".repeat(LONGEST / 4);
        assert!(fit(&mut moulds, &with("Hi", &text)).is_some());
        assert!(moulds.decoded.capacity() > LONGEST_LEARNED);
        moulds.fit(b"");
        assert!(moulds.decoded.capacity() <= LONGEST_LEARNED);
    }

    #[test]
    fn shapes_that_take_turns_all_fit() {
        let shape = |shape: usize, text: &str| {
            with("Hi", text)
                .iter()
                .chain(" ".repeat(shape).as_bytes())
                .copied()
                .collect::<Vec<u8>>()
        };
        let mut moulds = Moulds::new();
        for number in 0..MOST_MOULDS {
            learn(&mut moulds, &shape(number, "Hi"), number);
        }
        for round in 0..3 {
            for number in 0..MOST_MOULDS {
                let event = wire(&shape(number, &round.to_string()));
                let (_, meaning, said) = moulds.fit(&event).unwrap();
                assert_eq!((*meaning, said.text), (number, &*round.to_string()));
            }
        }
        // Another takes the place of one of them, but not of that which fitted last.
        for number in MOST_MOULDS..3 * MOST_MOULDS {
            assert!(moulds.fit(&wire(&shape(0, "x"))).is_some());
            learn(&mut moulds, &shape(number, "Hi"), number);
            assert_eq!(moulds.fit(&wire(&shape(number, "x"))).unwrap().1, &number);
            assert_eq!(moulds.moulds.len(), MOST_MOULDS);
            moulds.fit(&wire(&shape(0, "x"))).unwrap();
        }
    }

    #[test]
    fn numbers_of_one_shape_are_not_those_of_another() {
        let mut moulds = learned(&with("\"count\":3", "\"total\":3"));
        learn(&mut moulds, EVENT, 1);
        let event = with(":3", ":4");
        assert_eq!(fit(&mut moulds, &event), parsed(&event));
    }

    #[test]
    fn what_is_learned_in_vain_is_learned_less_and_less() {
        let mut moulds = Moulds::new();
        let shape = |number: u32| with("\"a\"", format!("\"{number}\""));
        let mut number = 0;
        let mut learn_many = |moulds: &mut Moulds<usize>| {
            let is_learned = |number: &u32| {
                learn(moulds, &shape(*number), 0);
                let start = wire(&shape(*number)[..13]);
                moulds.moulds.iter().any(|mould| mould.event.starts_with(&start[..19]))
            };
            let many = number + 1000..number + 2000;
            number += 1000;
            many.filter(is_learned).count()
        };
        let (first, second) = (learn_many(&mut moulds), learn_many(&mut moulds));
        assert!(first < 50 && second < 3, "{first} {second}");
        // One that fits shows that it is worth while.
        moulds.in_vain = 512;
        learn(&mut moulds, EVENT, 0);
        assert!(moulds.fit(&wire(EVENT)).is_some());
        assert!(learn_many(&mut moulds) > 30);
    }

    /// The values of an event but for those in its slots.
    fn fixed_of(data: &[u8]) -> Value {
        let mut value = serde_json::from_slice::<Value>(data).unwrap();
        for place in ["/choices/0/delta/content", "/count", "/created", "/padding"] {
            *value.pointer_mut(place).unwrap() = Value::Null;
        }
        value
    }

    #[test]
    fn what_fits_is_what_the_parser_reads() {
        const WORDS: &[&[u8]] = &[
            b"\"",
            b"\\",
            b"\\n",
            b"\\u",
            b"\\ud83d",
            b"\\ude00",
            b"0",
            b"1",
            b"-",
            b".",
            b"e",
            b"{",
            b"}",
            b",",
            b":",
            b"\xd0",
            b"\xbf",
            b"\xd0\xbf",
            b"\n",
            b" ",
            b"x",
            b"null",
            b"\\\"",
            b"12345678",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        let mut fitted = 0;
        for _ in 0..200_000 {
            let mut event = EVENT.to_vec();
            for _ in 0..random.usize(1..4) {
                // Mostly in the slots.
                let slot = [["Hi", "17", "xyz", ":3"][random.usize(..4)]; 2][random.usize(..2)];
                let at = event.windows(slot.len()).position(|found| found == slot.as_bytes());
                let at = at.filter(|_| random.u8(..8) > 0).unwrap_or(random.usize(..event.len()));
                let from = at + random.usize(..3).min(event.len() - at);
                let until = from + random.usize(..3).min(event.len() - from);
                event.splice(from..until, WORDS[random.usize(..WORDS.len())].iter().copied());
            }
            if let Some(said) = fit(&mut learned(EVENT), &event) {
                fitted += 1;
                let text = String::from_utf8_lossy(&event);
                assert_eq!(Some(said), parsed(&event), "{text}");
                assert_eq!(fixed_of(&event), fixed_of(EVENT), "{text}");
            }
        }
        assert!(fitted > 10_000, "{fitted}");
    }

    #[test]
    fn strings_end_where_they_end() {
        for length in 0..40 {
            for (end, is_end) in [
                (b'"', true),
                (b'\\', true),
                (0, true),
                (0x1f, true),
                (b' ', false),
                (0x7f, false),
                (0x80, false),
                (0xff, false),
                (b'!', false),
                (b'#', false),
                (b'[', false),
                (b']', false),
                (0xa2, false),
                (0xdc, false),
            ] {
                let mut bytes = vec![b'x'; length];
                bytes.push(end);
                bytes.extend_from_slice(b"yyy\xff\"");
                let found = run(&bytes);
                assert_eq!(
                    found.length,
                    if is_end { length } else { length + 5 },
                    "{end} at {length}"
                );
                assert_eq!(found.is_ascii, is_end, "{end} at {length}");
            }
        }
    }
}
