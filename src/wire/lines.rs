//! Lines, whatever ends them; JSON lines and JSON documents.

use std::ops::Range;

use memchr::{memchr, memchr2};
use serde::de::IgnoredAny;

use super::buffer::Buffer;
use super::event::Step;

/// Whether `bytes` are one whole value of JSON.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Lines that end in CR, LF or CRLF.
#[derive(Default)]
pub(super) struct Lines {
    /// The previous line ended in CR: an LF right behind it belongs to it.
    after_cr: bool,
    data: Range<usize>,
}

impl Lines {
    /// Whether the next byte, if it has come, begins a line. An LF behind a CR is taken.
    #[inline]
    pub(super) fn are_at_start(&mut self, buffer: &mut Buffer) -> bool {
        if self.after_cr {
            let Some(next) = buffer.line().first() else { return false };
            self.after_cr = false;
            if *next == b'\n' {
                let is_first = buffer.taken() == 0;
                buffer.take_to(buffer.taken() + 1);
                if is_first {
                    // It is no part of what comes.
                    buffer.drop_taken();
                }
            }
        }
        true
    }

    /// The lines that were taken, with the LF behind their last CR if it has come.
    #[inline]
    pub(super) fn with_line_feed<'a>(&self, buffer: &'a Buffer) -> &'a [u8] {
        let has_more = self.after_cr && buffer.line().first() == Some(&b'\n');
        buffer.get(&(0..buffer.taken() + usize::from(has_more)))
    }

    /// The next whole line, without its end.
    pub(super) fn next_line(&mut self, buffer: &mut Buffer) -> Option<Range<usize>> {
        if !self.are_at_start(buffer) {
            return None;
        }
        let line = buffer.find_line(|bytes| memchr2(b'\n', b'\r', bytes))?;
        self.after_cr = buffer.held().get(line.end) == Some(&b'\r');
        buffer.take_to(line.end + 1);
        Some(line)
    }

    /// Takes the next line if it has come and is empty.
    pub(super) fn skip_empty(&mut self, buffer: &mut Buffer) -> bool {
        let bytes = buffer.line();
        let skipped = usize::from(self.after_cr && bytes.first() == Some(&b'\n'));
        let Some(end @ (b'\n' | b'\r')) = bytes.get(skipped) else { return false };
        self.after_cr = *end == b'\r';
        buffer.take_to(buffer.taken() + skipped + 1);
        true
    }

    /// Every line as an event, also the empty ones.
    pub(super) fn advance(&mut self, buffer: &mut Buffer) -> Step {
        buffer.drop_taken();
        if let Some(line) = self.next_line(buffer) {
            self.data = line;
            return Step::Event;
        }
        if !buffer.is_finished() {
            return Step::Starved;
        }
        self.data = buffer.take_rest();
        if self.data.is_empty() { Step::End } else { Step::Event }
    }

    pub(super) fn data<'a>(&self, buffer: &'a Buffer) -> &'a [u8] {
        buffer.get(&self.data)
    }
}

/// JSON: one document, or one on each line.
#[derive(Default)]
pub(super) struct Json {
    shape: Shape,
    data: Range<usize>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Shape {
    /// Not known before the end of the first line.
    #[default]
    Unknown,
    Lines,
    Document,
}

impl Json {
    pub(super) fn advance(&mut self, buffer: &mut Buffer) -> Step {
        loop {
            buffer.drop_taken();
            let shape = self.shape;
            let found = buffer.find_line(|bytes| match shape {
                Shape::Document => None,
                Shape::Unknown | Shape::Lines => memchr(b'\n', bytes),
            });
            let Some(line) = found else {
                if !buffer.is_finished() {
                    return Step::Starved;
                }
                self.data = buffer.take_rest();
                return if self.data(buffer).trim_ascii().is_empty() {
                    Step::End
                } else {
                    Step::Event
                };
            };
            if self.shape == Shape::Unknown {
                self.shape = match is_json(buffer.get(&line)) {
                    true => Shape::Lines,
                    false => Shape::Document,
                };
                continue;
            }
            buffer.take_to(line.end + 1);
            if !buffer.get(&line).trim_ascii().is_empty() {
                self.data = line;
                return Step::Event;
            }
        }
    }

    pub(super) fn data<'a>(&self, buffer: &'a Buffer) -> &'a [u8] {
        buffer.get(&self.data)
    }
}
