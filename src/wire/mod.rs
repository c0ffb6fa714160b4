//! Framing: from the bytes of an answer, as they arrive, to its events.
//!
//! [`Decoder`] is fed bytes and gives events. What was asked for and what the headers say
//! does not matter to it: it looks at the first byte, because servers answer JSON where
//! Server-Sent Events were asked for, and the reverse (dialects.md 3.2).

mod decoder;
pub(crate) mod halves;

pub(crate) use decoder::{Decoder, Event, Step};
