//! Plain text: what has come is an event, up to the last whole character.

use std::ops::Range;

use super::buffer::Buffer;
use super::event::Step;

#[derive(Default)]
pub(super) struct Text {
    data: Range<usize>,
}

impl Text {
    pub(super) fn advance(&mut self, buffer: &mut Buffer) -> Step {
        buffer.drop_taken();
        let held = buffer.held();
        let length = match std::str::from_utf8(held) {
            // The character that the bytes end in may yet be completed; what is no character
            // ends the event, so that those behind it are looked at as well.
            Err(error) if error.error_len().is_some() || !buffer.is_finished() => {
                error.valid_up_to() + error.error_len().unwrap_or(0)
            }
            _ => held.len(),
        };
        self.data = 0..length;
        buffer.take_to(length);
        match length {
            0 if buffer.is_finished() => Step::End,
            0 => Step::Starved,
            _ => Step::Event,
        }
    }

    pub(super) fn data<'a>(&self, buffer: &'a Buffer) -> &'a [u8] {
        buffer.get(&self.data)
    }
}
