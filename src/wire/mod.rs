//! Framing: from the bytes of an answer, as they arrive, to its events.
//!
//! [`Decoder`] is fed bytes and gives events. What was asked for and what the headers say
//! does not matter to it: it looks at the first byte, because servers answer JSON where
//! Server-Sent Events were asked for, and the reverse.

mod buffer;
mod event;
mod lines;
mod sniff;
mod sse;
#[cfg(test)]
mod tests;
mod text;

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use buffer::Buffer;
pub(crate) use event::{Event, Step};
use lines::{Json, Lines};
use sniff::{Kind, Sniffer};
use sse::EventStream;
use text::Text;

pub(crate) struct Decoder {
    buffer: Buffer,
    framing: Framing,
    max_event_bytes: usize,
}

enum Framing {
    /// Nothing but white space has come yet.
    Unknown(Sniffer),
    EventStream(EventStream),
    Json(Json),
    Html,
    Text(Text),
    Lines(Lines),
}

impl Decoder {
    /// A decoder of events, whose framing shows in their first byte.
    pub(crate) fn events(max_event_bytes: usize) -> Decoder {
        Decoder::new(Framing::Unknown(Sniffer::default()), max_event_bytes)
    }

    /// A decoder of plain text: an event is what has come, in whole characters.
    pub(crate) fn text(max_event_bytes: usize) -> Decoder {
        Decoder::new(Framing::Text(Text::default()), max_event_bytes)
    }

    /// A decoder of plain lines: an event is a line.
    pub(crate) fn lines(max_event_bytes: usize) -> Decoder {
        Decoder::new(Framing::Lines(Lines::default()), max_event_bytes)
    }

    fn new(framing: Framing, max_event_bytes: usize) -> Decoder {
        Decoder { buffer: Buffer::new(), framing, max_event_bytes }
    }

    /// Room for the next bytes: fill some of it and say how many with [`Decoder::filled`].
    pub(crate) fn space(&mut self) -> Result<&mut [u8]> {
        self.buffer.space()
    }

    pub(crate) fn filled(&mut self, count: usize) {
        self.buffer.filled(count);
    }

    /// The body is at its end.
    pub(crate) fn finish(&mut self) {
        self.buffer.finish();
    }

    /// The event that [`Decoder::advance`] found, until it is called again.
    #[inline]
    pub(crate) fn event(&self) -> Event<'_> {
        let data = match &self.framing {
            Framing::EventStream(events) => return events.event(&self.buffer),
            Framing::Json(json) => json.data(&self.buffer),
            Framing::Text(text) => text.data(&self.buffer),
            Framing::Lines(lines) => lines.data(&self.buffer),
            Framing::Unknown(_) | Framing::Html => b"",
        };
        Event { name: b"", data }
    }

    /// The event that [`Decoder::advance`] found as an event stream had it, with the empty line
    /// at its end, and where its data stand in that; `None` where it is not as plain as that.
    #[inline]
    pub(crate) fn whole(&self) -> Option<(&[u8], Range<usize>)> {
        match &self.framing {
            Framing::EventStream(events) => events.whole(&self.buffer),
            _ => None,
        }
    }

    /// Forgets the event that was handed out. Of an event stream, what has come behind it: as
    /// much as an event may have, if nothing was taken of it yet.
    #[inline]
    pub(crate) fn ahead(&mut self) -> &[u8] {
        let Framing::EventStream(events) = &mut self.framing else { return b"" };
        let bytes = events.ahead(&mut self.buffer);
        bytes.get(..self.max_event_bytes).unwrap_or(bytes)
    }

    /// Takes `length` bytes of [`Decoder::ahead`], which are whole events.
    #[inline]
    pub(crate) fn skip(&mut self, length: usize) {
        self.buffer.take_to(length);
        self.buffer.drop_taken();
    }

    /// Everything held and not yet handed out.
    pub(crate) fn rest(&self) -> &[u8] {
        self.buffer.held()
    }

    /// Finds the next event.
    pub(crate) fn advance(&mut self) -> Result<Step> {
        let buffer = &mut self.buffer;
        if let Framing::Unknown(sniffer) = &mut self.framing {
            match sniffer.look(buffer) {
                Some(Kind::EventStream) => {
                    self.framing = Framing::EventStream(EventStream::default());
                }
                Some(Kind::Json) => self.framing = Framing::Json(Json::default()),
                Some(Kind::Html) => self.framing = Framing::Html,
                None => {}
            }
        }
        let step = match &mut self.framing {
            Framing::Unknown(_) if buffer.is_finished() => Step::End,
            Framing::Unknown(_) => Step::Starved,
            Framing::EventStream(events) => match events.advance(buffer)? {
                Some(step) => step,
                None => {
                    self.framing = Framing::Json(Json::default());
                    return self.advance();
                }
            },
            Framing::Json(json) => json.advance(buffer),
            Framing::Html => Step::Html,
            Framing::Text(text) => text.advance(buffer),
            Framing::Lines(lines) => lines.advance(buffer),
        };
        let size = match step {
            // Text has no events: it comes as it is read.
            Step::Event if !matches!(self.framing, Framing::Text(_)) => self.buffer.taken(),
            Step::Starved => self.buffer.held().len(),
            _ => 0,
        };
        match size > self.max_event_bytes {
            true => Err(self.too_large()),
            false => Ok(step),
        }
    }

    #[cold]
    #[inline(never)]
    fn too_large(&self) -> Error {
        let most = self.max_event_bytes;
        let text = format!("one event of the answer is larger than {most} bytes (max_event_bytes)");
        Error::new(ErrorKind::TooLarge, text)
    }
}
