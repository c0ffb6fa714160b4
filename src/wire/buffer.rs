//! The bytes that have come and are still needed, and the line in progress among them.

use std::ops::Range;

use crate::error::Result;
use crate::memory;

/// How much is asked of the connection at once.
const READ_SIZE: usize = 16 * 1024;

/// A buffer that grew beyond this for one huge event is given back after it.
pub(super) const KEPT_CAPACITY: usize = 256 * 1024;

/// Bytes are held from the first one of the event in progress, and all places and ranges
/// are counted from there: they stay good until [`Buffer::drop_taken`].
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// `start..end` of `bytes` are held.
    start: usize,
    end: usize,
    /// Where the line in progress begins, and how far it has been searched for its end.
    line: usize,
    scanned: usize,
    finished: bool,
}

impl Buffer {
    pub(super) fn new() -> Buffer {
        Buffer { bytes: Vec::new(), start: 0, end: 0, line: 0, scanned: 0, finished: false }
    }

    /// Room for the next bytes: fill some of it and say how many with [`Buffer::filled`].
    pub(super) fn space(&mut self) -> Result<&mut [u8]> {
        if self.start == self.end {
            if self.bytes.len() > KEPT_CAPACITY {
                self.bytes = Vec::new();
            }
            (self.start, self.end) = (0, 0);
        } else if self.bytes.len() - self.end < READ_SIZE && self.start >= self.bytes.len() / 2 {
            // Moves at most as many bytes as were consumed before: linear over the stream.
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() - self.end < READ_SIZE {
            let wanted = (self.end + READ_SIZE).max(self.bytes.len().saturating_mul(2));
            let more = wanted - self.bytes.len();
            memory::reserve(&mut self.bytes, more)?;
            self.bytes.resize(wanted, 0);
        }
        Ok(self.bytes.get_mut(self.end..).unwrap_or_default())
    }

    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Nothing will come any more.
    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Everything that has come since [`Buffer::drop_taken`].
    pub(super) fn held(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The bytes of one range of those held.
    pub(super) fn get(&self, range: &Range<usize>) -> &[u8] {
        self.held().get(range.clone()).unwrap_or_default()
    }

    /// How many of the bytes held lie before the line in progress.
    pub(super) fn taken(&self) -> usize {
        self.line
    }

    /// The line in progress, as far as it has come.
    pub(super) fn line(&self) -> &[u8] {
        self.held().get(self.line..).unwrap_or_default()
    }

    /// The line in progress, without its end, once `search` finds the end. No byte is
    /// searched twice.
    pub(super) fn find_line(
        &mut self,
        search: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Option<Range<usize>> {
        let unseen = self.held().get(self.scanned..).unwrap_or_default();
        let Some(length) = search(unseen) else {
            self.scanned = self.end - self.start;
            return None;
        };
        self.scanned += length;
        Some(self.line..self.scanned)
    }

    /// The next line begins at `place`.
    pub(super) fn take_to(&mut self, place: usize) {
        self.line = place;
        self.scanned = place;
    }

    /// Takes the line in progress as it is.
    pub(super) fn take_rest(&mut self) -> Range<usize> {
        let rest = self.line..self.end - self.start;
        self.take_to(rest.end);
        rest
    }

    /// Forgets all bytes before the line in progress. Ranges made before are void.
    pub(super) fn drop_taken(&mut self) {
        self.start += self.line;
        self.scanned -= self.line;
        self.line = 0;
    }

    /// Forgets all but the first byte of the line in progress, whose end has not come yet.
    pub(super) fn shorten_line(&mut self) {
        self.end = self.end.min(self.start + self.line + 1);
        self.scanned = self.end - self.start;
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
