//! What framing a body has, told by the first byte that says something.

use super::buffer::Buffer;

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    EventStream,
    Json,
    Html,
}

#[derive(Default)]
pub(super) struct Sniffer {
    /// The first bytes have been seen: a byte order mark stands nowhere else.
    begun: bool,
}

impl Sniffer {
    /// What the body is; `None` while nothing but white space has come. What stands before
    /// the byte that tells is dropped.
    pub(super) fn look(&mut self, buffer: &mut Buffer) -> Option<Kind> {
        const BOM: &[u8] = b"\xef\xbb\xbf";
        if !self.begun {
            let held = buffer.held();
            if held.is_empty() || (BOM.starts_with(held) && held != BOM && !buffer.is_finished()) {
                return None;
            }
            let mark = if held.starts_with(BOM) { BOM.len() } else { 0 };
            skip(buffer, mark);
            self.begun = true;
        }
        let held = buffer.held();
        let blank = held.len() - held.trim_ascii_start().len();
        let kind = held.get(blank).map(|byte| match byte {
            b'{' | b'[' => Kind::Json,
            b'<' => Kind::Html,
            _ => Kind::EventStream,
        });
        skip(buffer, blank);
        kind
    }
}

/// Drops the first bytes, which belong to no event.
fn skip(buffer: &mut Buffer, count: usize) {
    buffer.take_to(count);
    buffer.drop_taken();
}
