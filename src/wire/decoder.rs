//! The decoder of Server-Sent Events, JSON lines and single JSON documents.
//!
//! Server-Sent Events follow the WHATWG rules (HTML Living Standard 9.2.6) at byte level,
//! so that neither a line end nor a UTF-8 character is ever cut by a read.

use std::ops::Range;

use memchr::{memchr, memchr2};
use serde::de::IgnoredAny;

use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// How much is asked of the connection at once.
const READ_SIZE: usize = 16 * 1024;

/// A buffer that grew beyond this for one huge event is given back after it.
const KEPT_CAPACITY: usize = 256 * 1024;

/// One event: its name, if it has one, and its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) data: &'a [u8],
}

impl Event<'_> {
    /// The end mark of OpenAI's protocol: compared exactly, after trimming (pitfall 11).
    pub(crate) fn is_done(&self) -> bool {
        self.data.trim_ascii() == b"[DONE]"
    }
}

/// What [`Decoder::advance`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// [`Decoder::event`] is the next event.
    Event,
    /// More bytes are needed.
    Starved,
    /// Nothing will come any more.
    End,
    /// This is a web page, not an answer; [`Decoder::rest`] is what came of it.
    Html,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Nothing but white space has come yet.
    Unknown,
    EventStream,
    /// JSON; whether one document or a line each is not known before the first line's end.
    Json,
    JsonLines,
    JsonDocument,
    Html,
    /// Text as it is: what has come is an event, up to the last whole character.
    Text,
    /// Text whose lines are events, also the empty ones.
    Lines,
}

pub(crate) struct Decoder {
    /// Bytes `start..end` are held: those of the event in progress and what follows it.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where the line in progress starts, and how far it has been searched for its end.
    line: usize,
    scanned: usize,
    framing: Framing,
    /// The first bytes have been seen: a byte order mark stands nowhere else.
    begun: bool,
    ended: bool,
    max_event_bytes: usize,
    /// The previous line ended in CR: an LF right behind it belongs to it.
    after_cr: bool,
    /// What has come of the event in progress.
    name: Range<usize>,
    lines: Vec<Range<usize>>,
    /// The event handed out: joined lines lie in `joined`, all else in `buffer`.
    handed_out: bool,
    data: Range<usize>,
    joined: Vec<u8>,
    is_joined: bool,
    /// Lines of one event that are events of their own, from this one on.
    split: usize,
}

impl Decoder {
    /// A decoder of events, whose framing shows in their first byte.
    pub(crate) fn events(max_event_bytes: usize) -> Decoder {
        Decoder::new(Framing::Unknown, max_event_bytes)
    }

    /// A decoder of plain text: an event is what has come, in whole characters.
    pub(crate) fn text(max_event_bytes: usize) -> Decoder {
        Decoder::new(Framing::Text, max_event_bytes)
    }

    /// A decoder of plain lines: an event is a line.
    pub(crate) fn lines(max_event_bytes: usize) -> Decoder {
        Decoder::new(Framing::Lines, max_event_bytes)
    }

    fn new(framing: Framing, max_event_bytes: usize) -> Decoder {
        Decoder {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            line: 0,
            scanned: 0,
            framing,
            begun: false,
            ended: false,
            max_event_bytes,
            after_cr: false,
            name: 0..0,
            lines: Vec::new(),
            handed_out: false,
            data: 0..0,
            joined: Vec::new(),
            is_joined: false,
            split: 0,
        }
    }

    /// Room for the next bytes: fill some of it and say how many with [`Decoder::filled`].
    pub(crate) fn space(&mut self) -> Result<&mut [u8]> {
        if self.start == self.end {
            if self.buffer.len() > KEPT_CAPACITY {
                self.buffer = Vec::new();
            }
            self.rebase(self.start);
        } else if self.buffer.len() - self.end < READ_SIZE && self.start >= self.buffer.len() / 2 {
            // Moves at most as many bytes as were consumed before: linear over the stream.
            self.buffer.copy_within(self.start..self.end, 0);
            self.rebase(self.start);
        }
        if self.buffer.len() - self.end < READ_SIZE {
            let wanted = (self.end + READ_SIZE).max(self.buffer.len().saturating_mul(2));
            let more = wanted - self.buffer.len();
            memory::reserve(&mut self.buffer, more)?;
            self.buffer.resize(wanted, 0);
        }
        Ok(self.buffer.get_mut(self.end..).unwrap_or_default())
    }

    fn rebase(&mut self, by: usize) {
        self.start -= by;
        self.end -= by;
        self.line -= by;
        self.scanned -= by;
        // Ranges of an event in progress never lie before `start`; stale ones do not matter.
        let moved =
            |range: &Range<usize>| range.start.saturating_sub(by)..range.end.saturating_sub(by);
        self.name = moved(&self.name);
        self.lines.iter_mut().for_each(|line| *line = moved(line));
    }

    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// The body is at its end.
    pub(crate) fn finish(&mut self) {
        self.ended = true;
    }

    /// The event that [`Decoder::advance`] found, until it is called again.
    pub(crate) fn event(&self) -> Event<'_> {
        let data = if self.is_joined { &self.joined[..] } else { self.bytes(&self.data) };
        Event { name: self.bytes(&self.name), data }
    }

    /// Everything held and not yet handed out.
    pub(crate) fn rest(&self) -> &[u8] {
        self.bytes(&(self.start..self.end))
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.buffer.get(range.clone()).unwrap_or_default()
    }

    /// Finds the next event.
    pub(crate) fn advance(&mut self) -> Result<Step> {
        if self.framing == Framing::Unknown {
            self.sniff();
        }
        let step = match self.framing {
            Framing::Unknown if self.ended => Step::End,
            Framing::Unknown => Step::Starved,
            Framing::EventStream => self.next_of_event_stream()?,
            Framing::Json | Framing::JsonLines | Framing::JsonDocument => self.next_of_json(),
            Framing::Html => return Ok(Step::Html),
            Framing::Text => self.next_of_text(),
            Framing::Lines => self.next_of_lines(),
        };
        let size = match step {
            // Text has no events: it comes as it is read.
            Step::Event if self.framing != Framing::Text => self.line - self.start,
            Step::Starved => self.end - self.start,
            _ => 0,
        };
        if size > self.max_event_bytes {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "one event of the answer is larger than {} bytes (max_event_bytes)",
                    self.max_event_bytes
                ),
            ));
        }
        Ok(step)
    }

    /// Looks at the first byte that says something.
    fn sniff(&mut self) {
        const BOM: &[u8] = b"\xef\xbb\xbf";
        if !self.begun {
            let held = self.rest();
            if held.is_empty() || (BOM.starts_with(held) && held != BOM && !self.ended) {
                return;
            }
            let mark = if held.starts_with(BOM) { BOM.len() } else { 0 };
            self.skip(mark);
            self.begun = true;
        }
        let held = self.rest();
        let blank = held.len() - held.trim_ascii_start().len();
        self.framing = match held.get(blank) {
            None => Framing::Unknown,
            Some(b'{' | b'[') => Framing::Json,
            Some(b'<') => Framing::Html,
            Some(_) => Framing::EventStream,
        };
        self.skip(blank);
    }

    /// Drops bytes that belong to no event.
    fn skip(&mut self, count: usize) {
        self.start += count;
        self.line = self.start;
        self.scanned = self.start;
    }

    fn next_of_event_stream(&mut self) -> Result<Step> {
        if let Some(line) = self.lines.get(self.split).filter(|_| self.split > 0) {
            self.data = line.clone();
            self.split += 1;
            return Ok(Step::Event);
        }
        if self.handed_out {
            self.forget_event();
        }
        while let Some(line) = self.next_line() {
            if !line.is_empty() {
                self.take_field(line)?;
            } else if self.lines.is_empty() {
                self.forget_event();
            } else {
                self.dispatch()?;
                return Ok(Step::Event);
            }
        }
        if !self.ended {
            return Ok(Step::Starved);
        }
        // Many servers omit the last blank line, a cut answer does as well: what is
        // complete by itself counts.
        let last = self.line..self.end;
        self.line = self.end;
        self.take_field(last)?;
        if self.lines.is_empty() {
            return Ok(Step::End);
        }
        self.dispatch()?;
        let event = self.event();
        if event.is_done() || is_json(event.data) {
            return Ok(Step::Event);
        }
        self.forget_event();
        Ok(Step::End)
    }

    /// The next whole line, without its end: CR, LF or CRLF.
    fn next_line(&mut self) -> Option<Range<usize>> {
        if self.after_cr && self.line < self.end {
            self.after_cr = false;
            if self.buffer.get(self.line) == Some(&b'\n') {
                self.line += 1;
                self.scanned = self.line;
            }
        }
        let Some(length) = memchr2(b'\n', b'\r', self.bytes(&(self.scanned..self.end))) else {
            self.scanned = self.end;
            if self.framing == Framing::EventStream
                && self.lines.is_empty()
                && self.bytes(&(self.line..self.end)).starts_with(b":")
            {
                // A comment that never ends is no event that grows.
                self.start = self.end - 1;
                self.line = self.start;
                if let Some(byte) = self.buffer.get_mut(self.start) {
                    *byte = b':';
                }
            }
            return None;
        };
        let end = self.scanned + length;
        self.after_cr = self.buffer.get(end) == Some(&b'\r');
        let line = self.line..end;
        self.line = end + 1;
        self.scanned = self.line;
        Some(line)
    }

    fn take_field(&mut self, line: Range<usize>) -> Result<()> {
        let bytes = self.bytes(&line);
        let name_length = memchr(b':', bytes).unwrap_or(bytes.len());
        let (name, value) = bytes.split_at(name_length);
        let skipped = match value {
            [b':', b' ', ..] => 2,
            [b':', ..] => 1,
            _ => 0,
        };
        let value = line.start + name_length + skipped..line.end;
        match name {
            b"data" => memory::push(&mut self.lines, value)?,
            b"event" => self.name = value,
            // Comments, ids, retry times, and whatever else may come.
            _ if self.lines.is_empty() && self.name.is_empty() => self.start = self.line,
            _ => {}
        }
        Ok(())
    }

    /// Makes an event of the lines that have come.
    fn dispatch(&mut self) -> Result<()> {
        self.handed_out = true;
        let [first, .., _] = &self.lines[..] else {
            self.data = self.lines.first().cloned().unwrap_or_default();
            return Ok(());
        };
        if is_json(self.bytes(first)) {
            // Events that no blank line separates (providers.md 1.9).
            self.data = first.clone();
            self.split = 1;
            return Ok(());
        }
        self.is_joined = true;
        self.joined.clear();
        let size = self.lines.iter().map(|line| line.len() + 1).sum();
        memory::reserve(&mut self.joined, size)?;
        for line in &self.lines {
            self.joined.extend_from_slice(self.buffer.get(line.clone()).unwrap_or_default());
            self.joined.push(b'\n');
        }
        self.joined.pop();
        Ok(())
    }

    fn forget_event(&mut self) {
        self.start = self.line;
        self.name = 0..0;
        self.lines.clear();
        self.handed_out = false;
        self.data = 0..0;
        self.is_joined = false;
        self.joined.clear();
        self.joined.shrink_to(KEPT_CAPACITY);
        self.split = 0;
    }

    fn next_of_text(&mut self) -> Step {
        self.start = self.line;
        let held = self.bytes(&(self.start..self.end));
        let length = match std::str::from_utf8(held) {
            // The character that the bytes end in may yet be completed; what is no character
            // ends the event, so that those behind it are looked at as well.
            Err(error) if error.error_len().is_some() || !self.ended => {
                error.valid_up_to() + error.error_len().unwrap_or(0)
            }
            _ => held.len(),
        };
        self.data = self.start..self.start + length;
        self.line = self.data.end;
        self.scanned = self.line;
        match length {
            0 if self.ended => Step::End,
            0 => Step::Starved,
            _ => Step::Event,
        }
    }

    fn next_of_lines(&mut self) -> Step {
        self.start = self.line;
        if let Some(line) = self.next_line() {
            self.data = line;
            return Step::Event;
        }
        if !self.ended {
            return Step::Starved;
        }
        self.data = self.line..self.end;
        self.line = self.end;
        if self.data.is_empty() { Step::End } else { Step::Event }
    }

    fn next_of_json(&mut self) -> Step {
        loop {
            self.start = self.line;
            let found = match self.framing {
                Framing::JsonDocument => None,
                _ => memchr(b'\n', self.bytes(&(self.scanned..self.end))),
            };
            let Some(length) = found else {
                self.scanned = self.end;
                if !self.ended {
                    return Step::Starved;
                }
                self.data = self.line..self.end;
                self.line = self.end;
                return if self.bytes(&self.data).trim_ascii().is_empty() {
                    Step::End
                } else {
                    Step::Event
                };
            };
            let line = self.line..self.scanned + length;
            if self.framing == Framing::Json {
                self.framing = match is_json(self.bytes(&line)) {
                    true => Framing::JsonLines,
                    false => Framing::JsonDocument,
                };
                continue;
            }
            self.line = line.end + 1;
            self.scanned = self.line;
            if !self.bytes(&line).trim_ascii().is_empty() {
                self.data = line;
                return Step::Event;
            }
        }
    }
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Decoder {
        /// Puts bytes in as a reader does.
        fn feed(&mut self, mut bytes: &[u8]) {
            while !bytes.is_empty() {
                let space = self.space().unwrap();
                let (now, later) = bytes.split_at(space.len().min(bytes.len()));
                space[..now.len()].copy_from_slice(now);
                self.filled(now.len());
                bytes = later;
            }
        }
    }

    fn drain(decoder: &mut Decoder, events: &mut Vec<(String, String)>) -> Step {
        loop {
            match decoder.advance().unwrap() {
                Step::Event => {
                    let event = decoder.event();
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    events.push((text(event.name), text(event.data)));
                }
                step => return step,
            }
        }
    }

    fn decode(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut decoder = Decoder::events(1 << 20);
        let mut events = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            assert_eq!(drain(&mut decoder, &mut events), Step::Starved);
        }
        decoder.finish();
        assert_eq!(drain(&mut decoder, &mut events), Step::End);
        events
    }

    /// Decodes `input` whole, byte by byte and cut in two at every place: always the same.
    fn data_of(input: &str) -> Vec<String> {
        let bytes = input.as_bytes();
        let whole = decode(&[bytes]);
        assert_eq!(whole, decode(&bytes.chunks(1).collect::<Vec<_>>()), "{input:?} byte by byte");
        for cut in 1..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(whole, decode(&[first, second]), "{input:?} cut at {cut}");
        }
        whole.into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn line_ends_of_every_kind_and_mixed_give_the_same_events() {
        for text in [
            "data: {\"a\":1}\n\ndata: {\"b\":2}\n\n",
            "data: {\"a\":1}\r\rdata: {\"b\":2}\r\r",
            "data: {\"a\":1}\r\n\r\ndata: {\"b\":2}\r\n\r\n",
            "data: {\"a\":1}\r\n\ndata: {\"b\":2}\n\r\n",
            "data: {\"a\":1}\r\n\rdata: {\"b\":2}\r\r\n",
        ] {
            assert_eq!(data_of(text), ["{\"a\":1}", "{\"b\":2}"], "{text:?}");
        }
    }

    #[test]
    fn bom_comments_ids_and_unknown_fields_are_no_data() {
        let text = "\u{feff}: hello\n\nid: 7\nretry: 10\nnonsense\ndata:{\"a\":1}\n: ping\n\n:\n\n";
        assert_eq!(data_of(text), ["{\"a\":1}"]);
    }

    #[test]
    fn one_leading_space_is_dropped_and_no_more() {
        assert_eq!(data_of("data:  x\n\ndata:y\n\n"), [" x", "y"]);
    }

    #[test]
    fn data_lines_of_one_event_are_joined() {
        assert_eq!(data_of("data: {\"a\":\ndata: 1}\ndata\n\n"), ["{\"a\":\n1}\n"]);
    }

    #[test]
    fn data_lines_that_are_json_each_are_events_each() {
        assert_eq!(data_of("data: {}\ndata: [1]\ndata: [DONE]\n\n"), ["{}", "[1]", "[DONE]"]);
    }

    #[test]
    fn names_belong_to_their_event_alone() {
        let events = decode(&[b"event: ping\n\nevent: a\ndata: 1\n\ndata: 2\n\n"]);
        assert_eq!(events, [("a".to_owned(), "1".to_owned()), (String::new(), "2".to_owned())]);
    }

    #[test]
    fn last_event_without_blank_line_counts_when_it_is_complete() {
        assert_eq!(data_of("data: {\"a\":1}"), ["{\"a\":1}"]);
        assert_eq!(data_of("data: [DONE]"), ["[DONE]"]);
        assert_eq!(data_of("data: {\"a\":1}\n\ndata: {\"b\":"), ["{\"a\":1}"]);
    }

    #[test]
    fn utf8_characters_survive_every_cut() {
        assert_eq!(data_of("data: \"при\u{1f600}вет\"\n\n"), ["\"при\u{1f600}вет\""]);
    }

    #[test]
    fn json_where_events_were_asked_for_is_one_event() {
        assert_eq!(data_of("\n \n{\"a\":\n 1}\n"), ["{\"a\":\n 1}\n"]);
        assert_eq!(data_of("{\"a\":1}"), ["{\"a\":1}"]);
    }

    #[test]
    fn json_lines_are_events_as_they_come() {
        assert_eq!(
            data_of("{\"a\":1}\r\n\r\n{\"b\":2}\n{\"c\":3}"),
            ["{\"a\":1}\r", "{\"b\":2}", "{\"c\":3}"]
        );
    }

    /// What comes of bytes that are fed in pieces of random sizes.
    fn decode_at_random(
        mut decoder: Decoder,
        bytes: &[u8],
        random: &mut fastrand::Rng,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut events = Vec::new();
        let mut rest = bytes;
        loop {
            match decoder.advance().unwrap() {
                Step::Event => {
                    let event = decoder.event();
                    events.push((event.name.to_vec(), event.data.to_vec()));
                }
                Step::End | Step::Html => return events,
                Step::Starved if rest.is_empty() => decoder.finish(),
                Step::Starved => {
                    let (now, later) = rest.split_at(random.usize(1..=rest.len()));
                    decoder.feed(now);
                    rest = later;
                }
            }
        }
    }

    #[test]
    fn random_streams_come_to_the_same_however_they_are_cut() {
        const WORDS: &[&[u8]] = &[
            b"data",
            b":",
            b" ",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"event",
            b"{}",
            b"[1]",
            b"{\"a\":",
            b"}",
            b"[DONE]",
            b"\xd0",
            b"\xbf",
            b"\xf0\x9f\x98\x80",
            b"\xef\xbb\xbf",
            b"<",
            b"id",
            b"x",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..10_000 {
            let words = (0..random.usize(0..24)).map(|_| WORDS[random.usize(..WORDS.len())]);
            let bytes = words.collect::<Vec<_>>().concat();
            let once = decode_at_random(Decoder::events(1 << 20), &bytes, &mut random);
            let again = decode_at_random(Decoder::events(1 << 20), &bytes, &mut random);
            assert_eq!(once, again, "{:?}", String::from_utf8_lossy(&bytes));
            let lines = decode_at_random(Decoder::lines(1 << 20), &bytes, &mut random);
            assert_eq!(lines, decode_at_random(Decoder::lines(1 << 20), &bytes, &mut random));
            let text: Vec<u8> = decode_at_random(Decoder::text(1 << 20), &bytes, &mut random)
                .into_iter()
                .flat_map(|(_, data)| data)
                .collect();
            assert_eq!(text, bytes);
        }
    }

    #[test]
    fn plain_text_is_never_cut_inside_a_character() {
        let mut decoder = Decoder::text(1 << 20);
        let mut text = String::new();
        for byte in "при\u{1f600}\r\n< x".as_bytes() {
            decoder.feed(&[*byte]);
            while decoder.advance().unwrap() == Step::Event {
                text.push_str(std::str::from_utf8(decoder.event().data).unwrap());
            }
        }
        decoder.feed(b"\xd0");
        decoder.finish();
        assert_eq!(decoder.advance().unwrap(), Step::Event);
        assert_eq!(decoder.event().data, b"\xd0");
        assert_eq!(decoder.advance().unwrap(), Step::End);
        assert_eq!(text, "при\u{1f600}\r\n< x");
    }

    #[test]
    fn bytes_that_are_no_text_do_not_cut_the_character_behind_them() {
        let mut decoder = Decoder::text(1 << 20);
        let mut text = String::new();
        for piece in [&b"\xff\xd0"[..], b"\xbf"] {
            decoder.feed(piece);
            while decoder.advance().unwrap() == Step::Event {
                text.push_str(&String::from_utf8_lossy(decoder.event().data));
            }
        }
        assert_eq!(text, "\u{fffd}\u{43f}");
    }

    #[test]
    fn plain_lines_are_events_whatever_ends_them() {
        let mut decoder = Decoder::lines(1 << 20);
        let mut lines = Vec::new();
        for byte in b"data: a\r\ndata: b\r\n\nlast" {
            decoder.feed(&[*byte]);
            while decoder.advance().unwrap() == Step::Event {
                lines.push(decoder.event().data.to_vec());
            }
        }
        decoder.finish();
        while decoder.advance().unwrap() == Step::Event {
            lines.push(decoder.event().data.to_vec());
        }
        assert_eq!(lines, [&b"data: a"[..], b"data: b", b"", b"last"]);
    }

    #[test]
    fn web_page_is_told_apart() {
        let mut decoder = Decoder::events(1 << 20);
        decoder.feed(b"  <!doctype html>");
        assert_eq!(decoder.advance().unwrap(), Step::Html);
        assert_eq!(decoder.rest(), b"<!doctype html>");
    }

    #[test]
    fn event_beyond_the_limit_is_too_large_and_endless_comments_are_not() {
        let mut decoder = Decoder::events(100_000);
        for _ in 0..100 {
            decoder.feed(&[b':'; 10_000]);
            assert_eq!(decoder.advance().unwrap(), Step::Starved);
        }
        decoder.feed(b"\ndata: ");
        let error = (0..100).find_map(|_| {
            decoder.feed(&[b'x'; 10_000]);
            decoder.advance().err()
        });
        assert_eq!(error.unwrap().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn limit_counts_for_events_that_come_in_one_read_as_well() {
        let large = format!("\"{}\"", "x".repeat(2000));
        for (body, framing) in [
            (format!("data: 1\n\ndata: {large}\n\ndata: 2\n\n"), Decoder::events(1024)),
            (format!("1\n{large}\n2\n"), Decoder::lines(1024)),
            (format!("[1]\n[{large}]\n[2]\n"), Decoder::events(1024)),
            (format!("[{large}]"), Decoder::events(1024)),
        ] {
            let mut decoder = framing;
            decoder.feed(body.as_bytes());
            decoder.finish();
            if !body.starts_with("[\"") {
                assert_eq!(decoder.advance().unwrap(), Step::Event, "{body}");
            }
            assert_eq!(decoder.advance().unwrap_err().kind(), ErrorKind::TooLarge, "{body}");
        }
    }

    #[test]
    fn huge_event_is_given_back() {
        let mut decoder = Decoder::events(8 << 20);
        decoder.feed(b"data: \"");
        decoder.feed(&vec![b'x'; 4 << 20]);
        decoder.feed(b"\"\n\n");
        assert_eq!(decoder.advance().unwrap(), Step::Event);
        assert_eq!(decoder.event().data.len(), (4 << 20) + 2);
        assert_eq!(decoder.advance().unwrap(), Step::Starved);
        decoder.space().unwrap();
        assert!(decoder.buffer.capacity() <= KEPT_CAPACITY);
    }
}
