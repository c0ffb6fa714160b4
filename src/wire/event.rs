//! What framing comes to: an [`Event`], and whether there is one.

/// One event: its name, if it has one, and its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) data: &'a [u8],
}

impl Event<'_> {
    /// The end mark of OpenAI's protocol. Compared exactly, after trimming: a text may well
    /// contain the mark.
    pub(crate) fn is_done(&self) -> bool {
        self.data.trim_ascii() == b"[DONE]"
    }
}

/// What [`Decoder::advance`](super::Decoder::advance) came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// [`Decoder::event`](super::Decoder::event) is the next event.
    Event,
    /// More bytes are needed.
    Starved,
    /// Nothing will come any more.
    End,
    /// This is a web page, not an answer; [`Decoder::rest`](super::Decoder::rest) is what
    /// came of it.
    Html,
}
