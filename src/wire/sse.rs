//! Server-Sent Events, by the WHATWG's rules (HTML Living Standard 9.2.6) at byte level,
//! so that neither a line end nor a UTF-8 character is ever cut by a read.

use std::ops::Range;

use memchr::memchr;

use super::buffer::{Buffer, KEPT_CAPACITY};
use super::event::{Event, Step};
use super::lines::{Lines, is_json};
use crate::error::Result;
use crate::memory;

#[derive(Default)]
pub(super) struct EventStream {
    lines: Lines,
    /// What has come of the event in progress: its name, and its lines of data.
    name: Vec<u8>,
    data: Vec<Range<usize>>,
    /// The event in progress is whole, and this of it was handed out.
    handed_out: Option<Payload>,
    joined: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Payload {
    /// One line of data. Those behind it are events of their own.
    Line(usize),
    /// All lines of data, in `joined`.
    Joined,
}

impl EventStream {
    /// Forgets the event that was handed out. What has come behind it, where that begins with
    /// an event of which nothing was taken yet.
    #[inline]
    pub(super) fn ahead<'a>(&mut self, buffer: &'a mut Buffer) -> &'a [u8] {
        match self.handed_out {
            None => {}
            Some(Payload::Line(last)) if last + 1 < self.data.len() => return b"",
            Some(_) => self.forget(buffer),
        }
        if self.lines.are_at_start(buffer) { buffer.fresh() } else { b"" }
    }

    /// The event that was handed out as it came, with the empty line at its end, and where its
    /// data stand in that. Only where these are all its data, and nothing of it was dropped.
    #[inline]
    pub(super) fn whole<'a>(&self, buffer: &'a Buffer) -> Option<(&'a [u8], Range<usize>)> {
        let [data] = &*self.data else { return None };
        let bytes = self.lines.with_line_feed(buffer);
        // A comment may have been long, so that what came before it was dropped.
        let is_whole = bytes.ends_with(b"\n\n") || bytes.ends_with(b"\r\n\r\n");
        (is_whole && !bytes.starts_with(b":")).then(|| (bytes, data.clone()))
    }

    /// Finds the next event. `None`: this is no event stream any more, what comes is JSON.
    pub(super) fn advance(&mut self, buffer: &mut Buffer) -> Result<Option<Step>> {
        if let Some(Payload::Line(last)) = self.handed_out {
            if last + 1 < self.data.len() {
                self.handed_out = Some(Payload::Line(last + 1));
                return Ok(Some(Step::Event));
            }
        }
        if self.handed_out.is_some() {
            self.forget(buffer);
        }
        while let Some(line) = self.lines.next_line(buffer) {
            let bytes = buffer.get(&line);
            if bytes.starts_with(b"data: ") {
                // Nearly every event is one such line, and an empty one.
                let ends = self.data.is_empty() && self.lines.skip_empty(buffer);
                memory::push(&mut self.data, line.start + b"data: ".len()..line.end)?;
                if ends {
                    self.handed_out = Some(Payload::Line(0));
                    return Ok(Some(Step::Event));
                }
                continue;
            }
            if self.is_json_itself(buffer, &line) {
                self.leave(buffer, &line);
                return Ok(None);
            }
            if !line.is_empty() {
                self.take_field(buffer, line)?;
            } else if self.data.is_empty() {
                self.forget(buffer);
            } else {
                self.dispatch(buffer)?;
                return Ok(Some(Step::Event));
            }
        }
        if !buffer.is_finished() {
            if self.data.is_empty() && buffer.line().starts_with(b":") {
                // A comment that never ends is no event that grows.
                buffer.drop_taken();
                buffer.shorten_line();
            }
            return Ok(Some(Step::Starved));
        }
        // Many servers omit the last blank line, a cut answer does as well: what is
        // complete by itself counts.
        let last = buffer.take_rest();
        if self.is_json_itself(buffer, &last) {
            self.leave(buffer, &last);
            return Ok(None);
        }
        self.take_field(buffer, last)?;
        if self.data.is_empty() {
            return Ok(Some(Step::End));
        }
        self.dispatch(buffer)?;
        let event = self.event(buffer);
        if event.is_done() || is_json(event.data) {
            return Ok(Some(Step::Event));
        }
        self.forget(buffer);
        Ok(Some(Step::End))
    }

    /// Whether JSON stands where an event would begin, without a field's name.
    fn is_json_itself(&self, buffer: &Buffer, line: &Range<usize>) -> bool {
        self.data.is_empty() && matches!(buffer.get(line).first(), Some(b'{' | b'['))
    }

    /// Leaves all from `line` on to others: some servers say in plain JSON why their stream
    /// ends.
    fn leave(&mut self, buffer: &mut Buffer, line: &Range<usize>) {
        buffer.take_to(line.start);
        self.forget(buffer);
    }

    /// The event that was handed out.
    #[inline]
    pub(super) fn event<'a>(&'a self, buffer: &'a Buffer) -> Event<'a> {
        let data = match self.handed_out {
            Some(Payload::Line(at)) => {
                self.data.get(at).map(|line| buffer.get(line)).unwrap_or_default()
            }
            Some(Payload::Joined) => &self.joined,
            None => b"",
        };
        Event { name: &self.name, data }
    }

    fn take_field(&mut self, buffer: &mut Buffer, line: Range<usize>) -> Result<()> {
        let bytes = buffer.get(&line);
        let name_length = memchr(b':', bytes).unwrap_or(bytes.len());
        let (name, value) = bytes.split_at(name_length);
        let skipped = match value {
            [b':', b' ', ..] => 2,
            [b':', ..] => 1,
            _ => 0,
        };
        let value = line.start + name_length + skipped..line.end;
        match name {
            b"data" => memory::push(&mut self.data, value)?,
            b"event" => {
                let value = buffer.get(&value);
                self.name.clear();
                memory::reserve(&mut self.name, value.len())?;
                self.name.extend_from_slice(value);
            }
            // Comments, ids, retry times, and whatever else may come.
            _ if self.data.is_empty() && self.name.is_empty() => buffer.drop_taken(),
            _ => {}
        }
        Ok(())
    }

    /// Makes an event of the lines that have come.
    fn dispatch(&mut self, buffer: &Buffer) -> Result<()> {
        let first = self.data.first().map(|line| buffer.get(line)).unwrap_or_default();
        if self.data.len() == 1 || is_json(first) {
            // Where the first line is whole, no blank line separates the events.
            self.handed_out = Some(Payload::Line(0));
            return Ok(());
        }
        let size = self.data.iter().map(|line| line.len() + 1).sum();
        memory::reserve(&mut self.joined, size)?;
        for line in &self.data {
            self.joined.extend_from_slice(buffer.get(line));
            self.joined.push(b'\n');
        }
        self.joined.pop();
        self.handed_out = Some(Payload::Joined);
        Ok(())
    }

    #[inline(never)]
    fn forget(&mut self, buffer: &mut Buffer) {
        buffer.drop_taken();
        self.data.clear();
        self.handed_out = None;
        for bytes in [&mut self.name, &mut self.joined] {
            bytes.clear();
            if bytes.capacity() > KEPT_CAPACITY {
                bytes.shrink_to(KEPT_CAPACITY);
            }
        }
    }
}
