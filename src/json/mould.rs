//! Moulds: events that are like one before them are read without a parser.
//!
//! Nearly all events of a stream are the same but for a few values. The parser reads the first
//! event of a kind, and the reader says what its values mean ([`Places`]). A [`Mould`] is that
//! event cut into fixed bytes and slots. An event whose fixed bytes are the same, and that has
//! a plain value in each slot, would be parsed to the same but for these values. All other
//! events do not fit and are parsed: a mould never has to know what they mean.

use std::ops::Range;

/// How many shapes of events are remembered: streams alternate between a few of them.
const MOST_MOULDS: usize = 8;

/// Longer events are not remembered.
pub(crate) const LONGEST_LEARNED: usize = 4096;

/// Events of this size and more are not compared: [`check_size`](super::check_size) looks at
/// them.
const TOO_LONG: usize = super::limits::FREE_VALUES;

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
    /// The keys of strings and whole numbers that have no effect, wherever they stand.
    pub(crate) free: &'static [&'static str],
    /// The keys of whole numbers that have one.
    pub(crate) numbers: &'static [&'static str],
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said<'a> {
    /// Not empty.
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
    found: Found,
}

/// What was found in an event, where it cannot be borrowed from that.
#[derive(Default)]
struct Found {
    /// A text whose escapes are decoded.
    decoded: String,
    numbers: Numbers,
}

struct Mould<M> {
    meaning: M,
    name: Box<[u8]>,
    /// What comes before its data in an event stream, as nearly every server writes it. None
    /// where the data is of more than one line.
    head: Option<Box<[u8]>>,
    /// An event of this shape. Its free values are those that came last, which are compared
    /// first: most come again.
    event: Box<[u8]>,
    stretches: Box<[Stretch]>,
    has_numbers: bool,
}

/// The bytes of an event up to a value that is read, or up to its end.
struct Stretch {
    /// Where they stand in the mould's event.
    range: Range<usize>,
    /// The values among them that are free.
    free: Box<[(Range<usize>, Kind)]>,
    /// The value that follows.
    then: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    FreeString,
    FreeInteger,
    /// An integer, and its place in [`Places::numbers`].
    Number(usize),
}

impl<M> Moulds<M> {
    pub(crate) fn new() -> Moulds<M> {
        Moulds { moulds: Vec::new(), last: 0, oldest: 0, in_vain: 0, found: Found::default() }
    }

    /// What an event says, and what that means, where it is like one that was learned.
    pub(crate) fn fit<'m>(&'m mut self, name: &[u8], data: &'m [u8]) -> Option<(&'m M, Said<'m>)> {
        if data.len() >= TOO_LONG {
            return None;
        }
        let text = self.first(|mould, found| mould.fit(name, data, found))?;
        self.said(text)
    }

    /// The same of the event in front of `bytes`, as an event stream has it, and the length of
    /// that. What fits tells its own end, which nobody has to look for before.
    #[inline]
    pub(crate) fn fit_ahead<'m>(&'m mut self, bytes: &'m [u8]) -> Option<(usize, &'m M, Said<'m>)> {
        let bytes = bytes.get(..TOO_LONG).unwrap_or(bytes);
        let (length, text) = self.first(|mould, found| mould.fit_ahead(bytes, found))?;
        let (meaning, said) = self.said(text)?;
        Some((length, meaning, said))
    }

    /// What `fits` finds with the mould that fitted last, or else with another.
    #[inline]
    fn first<F>(
        &mut self,
        mut fits: impl FnMut(&mut Mould<M>, &mut Found) -> Option<F>,
    ) -> Option<F> {
        let found = &mut self.found;
        let fit = self.moulds.get_mut(self.last).and_then(|mould| fits(mould, found));
        if fit.is_some() {
            return fit;
        }
        let mut others = self.moulds.iter_mut().enumerate().filter(|(at, _)| *at != self.last);
        let (at, fit) = others.find_map(|(at, mould)| Some((at, fits(mould, found)?)))?;
        self.last = at;
        Some(fit)
    }

    /// What the mould that fitted has found, whose text is in `found` if it is not given.
    #[inline]
    fn said<'m>(&'m mut self, text: Option<&'m str>) -> Option<(&'m M, Said<'m>)> {
        self.in_vain = 0;
        let mould = self.moulds.get(self.last)?;
        let numbers = if mould.has_numbers { &self.found.numbers } else { NO_NUMBERS };
        Some((&mould.meaning, Said { text: text.unwrap_or(&self.found.decoded), numbers }))
    }

    /// Learns the shape of an event that the parser has read: `said` is what a reader found at
    /// `places` of it, and all that it found.
    #[cold]
    #[inline(never)]
    pub(crate) fn learn(
        &mut self,
        name: &[u8],
        data: &[u8],
        places: &Places,
        said: &Said<'_>,
        meaning: M,
    ) {
        if self.in_vain > IN_VAIN && !self.in_vain.is_power_of_two() {
            self.in_vain = self.in_vain.saturating_add(1);
            return;
        }
        let Some(mut mould) = Mould::of(name, data, places, meaning) else { return };
        // It has to read its own event as the parser did.
        let Some(text) = mould.fit(name, data, &mut self.found) else { return };
        let numbers = if mould.has_numbers { &self.found.numbers } else { NO_NUMBERS };
        if (Said { text: text.unwrap_or(&self.found.decoded), numbers }) != *said {
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
    fn of(name: &[u8], data: &[u8], places: &Places, meaning: M) -> Option<Mould<M>> {
        if data.len() > LONGEST_LEARNED || places.text.is_empty() {
            return None;
        }
        let mut walk =
            Walk { data, at: 0, places, keys: Vec::new(), objects: 0, slots: Vec::new() };
        walk.value(b"", 0)?;
        walk.skip_space();
        if walk.at != data.len() || !walk.says_each_once() {
            return None;
        }
        let (mut stretches, mut free) = (Vec::new(), Vec::new());
        let mut from = 0;
        for (range, kind) in walk.slots {
            if matches!(kind, Kind::FreeString | Kind::FreeInteger) {
                free.push((range, kind));
                continue;
            }
            let before = std::mem::take(&mut free).into();
            stretches.push(Stretch { range: from..range.start, free: before, then: Some(kind) });
            from = range.end;
        }
        stretches.push(Stretch { range: from..data.len(), free: free.into(), then: None });
        let is_number = |stretch: &Stretch| matches!(stretch.then, Some(Kind::Number(_)));
        let has_numbers = stretches.iter().any(is_number);
        let is_line = !data.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        let head = is_line.then(|| match name {
            b"" => b"data: ".as_slice().into(),
            name => [b"event: ", name, b"\ndata: "].concat().into(),
        });
        let name = name.into();
        let (event, stretches) = (data.into(), stretches.into());
        Some(Mould { meaning, name, head, event, stretches, has_numbers })
    }

    /// The text of an event, if it fits; its numbers are in `found`. `Some(None)`: the text had
    /// escapes, and is there as well.
    fn fit<'d>(
        &mut self,
        name: &[u8],
        data: &'d [u8],
        found: &mut Found,
    ) -> Option<Option<&'d str>> {
        if *name != *self.name {
            return None;
        }
        let (rest, text) = self.take(data, found)?;
        rest.is_empty().then_some(text)
    }

    /// The length of the event in front of `bytes`, with the empty line at its end, and its
    /// text.
    #[inline]
    fn fit_ahead<'d>(
        &mut self,
        bytes: &'d [u8],
        found: &mut Found,
    ) -> Option<(usize, Option<&'d str>)> {
        let (rest, text) = self.take(bytes.strip_prefix(self.head.as_deref()?)?, found)?;
        let rest = rest.strip_prefix(b"\n\n")?;
        Some((bytes.len() - rest.len(), text))
    }

    /// What follows the event in front of `data`, and the text of the event.
    #[inline(never)]
    fn take<'d>(
        &mut self,
        data: &'d [u8],
        found: &mut Found,
    ) -> Option<(&'d [u8], Option<&'d str>)> {
        if self.has_numbers {
            found.numbers = *NO_NUMBERS;
        }
        let mut rest = data;
        let mut text = None;
        for stretch in &self.stretches {
            let fixed = self.event.get(stretch.range.clone())?;
            rest = match rest.strip_prefix(fixed) {
                Some(after) => after,
                None => stretch.take(&mut self.event, rest)?,
            };
            let length = match stretch.then {
                None => break,
                Some(Kind::Text) => {
                    let (length, plain) = take_text(rest, &mut found.decoded)?;
                    text = Some(plain);
                    length
                }
                Some(Kind::Number(place)) => {
                    let (number, length) = integer(rest)?;
                    *found.numbers.get_mut(place)? = Some(number);
                    length
                }
                // These are not read.
                Some(Kind::FreeString | Kind::FreeInteger) => 0,
            };
            rest = rest.get(length..)?;
        }
        Some((rest, text?))
    }
}

impl Stretch {
    /// What follows the bytes of the stretch, whose free values may be others.
    fn take<'d>(&self, event: &mut [u8], data: &'d [u8]) -> Option<&'d [u8]> {
        let mut rest = data;
        let mut from = self.range.start;
        for (range, kind) in &self.free {
            rest = rest.strip_prefix(event.get(from..range.start)?)?;
            let length = match kind {
                Kind::FreeString => take_free(rest)?,
                _ => integer(rest)?.1,
            };
            let value = rest.get(..length)?;
            if length == range.len() {
                event.get_mut(range.clone())?.copy_from_slice(value);
            }
            (rest, from) = (rest.get(length..)?, range.end);
        }
        rest.strip_prefix(event.get(from..self.range.end)?)
    }
}

/// How many bytes a text has up to its closing quote, and the text itself, unless it has
/// escapes: then it is in `decoded`. An empty text does not fit.
#[inline]
fn take_text<'d>(bytes: &'d [u8], decoded: &mut String) -> Option<(usize, Option<&'d str>)> {
    let length = run(bytes).length;
    match bytes.get(length)? {
        b'"' if length > 0 => Some((length, Some(std::str::from_utf8(bytes.get(..length)?).ok()?))),
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
    let digits = if is_negative { bytes.get(1..)? } else { bytes };
    let mut number = 0_i64;
    let mut length = 0;
    for digit in digits.iter().map(|byte| byte.wrapping_sub(b'0')).take_while(|digit| *digit < 10) {
        if length == MOST_DIGITS {
            return None;
        }
        number = number * 10 + i64::from(digit);
        length += 1;
    }
    match (digits.first()?, is_negative) {
        (b'0', false) if length == 1 => Some((0, 1)),
        (b'1'..=b'9', false) => Some((number, length)),
        (b'1'..=b'9', true) => Some((-number, length + 1)),
        _ => None,
    }
}

/// Finds the slots of an event.
struct Walk<'w> {
    data: &'w [u8],
    at: usize,
    places: &'w Places,
    /// Every key, and which object it is of.
    keys: Vec<(usize, &'w [u8])>,
    objects: usize,
    slots: Vec<(Range<usize>, Kind)>,
}

impl<'w> Walk<'w> {
    /// Walks over one value, which stands at `key`; none for an item of a list.
    fn value(&mut self, key: &'w [u8], depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        self.skip_space();
        match self.data.get(self.at)? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => {
                let range = self.string()?;
                if key == self.places.text.as_bytes() {
                    self.slots.push((range, Kind::Text));
                } else if is_one_of(key, self.places.free) {
                    self.slots.push((range, Kind::FreeString));
                }
                Some(())
            }
            _ => {
                let length = self.data.get(self.at..)?.iter().position(|byte| {
                    !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'+' | b'.')
                });
                let end = length.map_or(self.data.len(), |length| self.at + length);
                let range = self.at..end;
                let word = self.data.get(range.clone()).filter(|word| !word.is_empty())?;
                self.at = end;
                if integer(word).is_some_and(|(_, length)| length == word.len()) {
                    let place = self.places.numbers.iter().position(|n| n.as_bytes() == key);
                    if let Some(place) = place {
                        self.slots.push((range, Kind::Number(place)));
                    } else if is_one_of(key, self.places.free) {
                        self.slots.push((range, Kind::FreeInteger));
                    }
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
            let key = self.data.get(key).filter(|key| !key.contains(&b'\\'))?;
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
        if self.data.get(self.at) != Some(&b'"') {
            return None;
        }
        loop {
            match self.data.get(end)? {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.at = end + 1;
        Some(start..end)
    }

    fn skip_space(&mut self) {
        while matches!(self.data.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes that byte, if it is the next.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        (self.data.get(self.at) == Some(&byte)).then(|| self.at += 1)
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

    const PLACES: Places =
        Places { text: "content", free: &["created", "padding"], numbers: &["count", "total"] };

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

    fn learn(moulds: &mut Moulds<usize>, name: &[u8], data: &[u8], meaning: usize) {
        let (text, numbers) = parsed(data).unwrap();
        moulds.learn(name, data, &PLACES, &Said { text: &text, numbers: &numbers }, meaning);
    }

    fn learned(data: &[u8]) -> Moulds<usize> {
        let mut moulds = Moulds::new();
        learn(&mut moulds, b"", data, 0);
        moulds
    }

    fn fit(moulds: &mut Moulds<usize>, data: &[u8]) -> Option<(String, Numbers)> {
        moulds.fit(b"", data).map(|(_, said)| (said.text.to_owned(), *said.numbers))
    }

    /// `EVENT` with `new` in the place of `old`.
    fn with(old: &str, new: impl AsRef<[u8]>) -> Vec<u8> {
        let at = EVENT.windows(old.len()).position(|found| found == old.as_bytes()).unwrap();
        [&EVENT[..at], new.as_ref(), &EVENT[at + old.len()..]].concat()
    }

    #[test]
    fn event_that_differs_in_its_slots_alone_fits() {
        let texts = [
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
            with("Hi", ""),
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
            with("Hi", "x".repeat(TOO_LONG)),
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
        assert!(learned(EVENT).fit(b"name", EVENT).is_none());
        assert!(learned(EVENT).fit(b"", EVENT).is_some());
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
            moulds.learn(b"", EVENT, &PLACES, &Said { text, numbers: &numbers }, 0);
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
    fn event_ahead_fits_when_all_of_it_has_come() {
        for (name, head) in [(&b""[..], "data: "), (b"piece", "event: piece\ndata: ")] {
            let mut moulds = Moulds::new();
            learn(&mut moulds, name, EVENT, 7);
            let event = with("Hi", "a\\nb");
            let stream = [head.as_bytes(), &event, b"\n\n"].concat();
            let more = [&*stream, head.as_bytes(), &event, b"\n"].concat();
            for bytes in [&stream, &more] {
                let (length, meaning, said) = moulds.fit_ahead(bytes).unwrap();
                assert_eq!((length, *meaning), (stream.len(), 7));
                let (text, numbers) = parsed(&event).unwrap();
                assert_eq!(said, Said { text: &text, numbers: &numbers });
            }
            for length in 0..stream.len() {
                assert!(moulds.fit_ahead(&stream[..length]).is_none(), "{length}");
            }
            for end in ["\r\n\r\n", "\n\r\n", "\r\r", "\ndata: 1\n\n", " \n\n", "\nid: 1\n\n"] {
                let other = [head.as_bytes(), &event, end.as_bytes()].concat();
                assert!(moulds.fit_ahead(&other).is_none(), "{end:?}");
            }
            for other in ["data:", "id: 1\ndata: ", "event: other\ndata: ", "\ndata: "] {
                let other = [other.as_bytes(), &event, b"\n\n"].concat();
                assert!(moulds.fit_ahead(&other).is_none());
            }
        }
    }

    #[test]
    fn event_of_more_than_one_line_is_never_ahead() {
        for end in ["\n", "\r"] {
            let event = with("\"id\"", format!("{end}\"id\""));
            let mut moulds = learned(&event);
            assert!(fit(&mut moulds, &event).is_some());
            assert!(moulds.fit_ahead(&[b"data: ", &*event, b"\n\n"].concat()).is_none());
        }
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
            learn(&mut moulds, b"n", &shape(number, "Hi"), number);
        }
        for round in 0..3 {
            for number in 0..MOST_MOULDS {
                let event = shape(number, &round.to_string());
                let (meaning, said) = moulds.fit(b"n", &event).unwrap();
                assert_eq!((*meaning, said.text), (number, &*round.to_string()));
            }
        }
        // Another takes the place of one of them, but not of that which fitted last.
        for number in MOST_MOULDS..3 * MOST_MOULDS {
            assert!(moulds.fit(b"n", &shape(0, "x")).is_some());
            learn(&mut moulds, b"n", &shape(number, "Hi"), number);
            assert_eq!(moulds.fit(b"n", &shape(number, "x")).unwrap().0, &number);
            assert_eq!(moulds.moulds.len(), MOST_MOULDS);
            moulds.fit(b"n", &shape(0, "x")).unwrap();
        }
    }

    #[test]
    fn numbers_of_one_shape_are_not_those_of_another() {
        let mut moulds = learned(&with("\"count\":3", "\"total\":3"));
        learn(&mut moulds, b"", EVENT, 1);
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
                learn(moulds, b"", &shape(*number), 0);
                moulds.moulds.iter().any(|mould| mould.event.starts_with(&shape(*number)[..13]))
            };
            let many = number + 1000..number + 2000;
            number += 1000;
            many.filter(is_learned).count()
        };
        let (first, second) = (learn_many(&mut moulds), learn_many(&mut moulds));
        assert!(first < 50 && second < 3, "{first} {second}");
        // One that fits shows that it is worth while.
        moulds.in_vain = 512;
        learn(&mut moulds, b"", EVENT, 0);
        assert!(moulds.fit(b"", EVENT).is_some());
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
