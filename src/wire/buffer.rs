//! The bytes that have come and are still needed, and the line in progress among them.

use std::ops::Range;

use crate::error::Result;
use crate::memory;

/// How much is read at once at first, and where little comes at a time.
pub(super) const LEAST_READ: usize = 4 * 1024;

/// How much is read at once where a lot comes.
const MOST_READ: usize = 64 * 1024;

/// After so many small reads, the next ones are expected to be small as well.
pub(super) const SMALL_READS: usize = 16;

/// A buffer that grew beyond this for one huge event is given back after it. Where little
/// comes at a time, all beyond [`LEAST_READ`] is.
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
    /// About how much the next read may bring.
    read_size: usize,
    /// How many of the latest reads were small.
    small_reads: usize,
    finished: bool,
}

impl Buffer {
    pub(super) fn new() -> Buffer {
        Buffer {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            line: 0,
            scanned: 0,
            read_size: LEAST_READ,
            small_reads: 0,
            finished: false,
        }
    }

    /// Room for the next bytes: fill some of it and say how many with [`Buffer::filled`].
    pub(super) fn space(&mut self) -> Result<&mut [u8]> {
        let held = self.end - self.start;
        let kept = if self.read_size == LEAST_READ { LEAST_READ } else { KEPT_CAPACITY };
        let is_tight = self.bytes.len() - self.end < self.read_size / 2;
        if self.bytes.len() > kept && held <= kept / 2 {
            self.move_to_front();
            self.bytes.truncate(self.read_size.max(held * 2));
            self.bytes.shrink_to_fit();
        } else if held == 0 || is_tight && self.start >= self.bytes.len() / 2 {
            // Moves at most as many bytes as were consumed before: linear over the stream.
            self.move_to_front();
        }
        let is_tight = self.bytes.len() - self.end < self.read_size / 2;
        if is_tight || self.bytes.len() < self.read_size {
            let wanted = self.read_size.max(self.bytes.len().saturating_mul(2));
            let more = wanted - self.bytes.len();
            memory::reserve(&mut self.bytes, more)?;
            // Only what is new is filled with zeros, not what is read into again.
            self.bytes.resize(wanted, 0);
        }
        Ok(self.bytes.get_mut(self.end..).unwrap_or_default())
    }

    fn move_to_front(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
    }

    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
        self.small_reads = if count > LEAST_READ { 0 } else { self.small_reads + 1 };
        if count > self.read_size / 2 {
            self.read_size = MOST_READ.min(self.read_size * 2);
        } else if self.small_reads >= SMALL_READS {
            self.read_size = LEAST_READ;
        }
    }

    /// Nothing will come any more.
    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    #[inline]
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Everything that has come since [`Buffer::drop_taken`].
    #[inline]
    pub(super) fn held(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The bytes of one range of those held.
    #[inline]
    pub(super) fn get(&self, range: &Range<usize>) -> &[u8] {
        self.held().get(range.clone()).unwrap_or_default()
    }

    /// How many of the bytes held lie before the line in progress.
    #[inline]
    pub(super) fn taken(&self) -> usize {
        self.line
    }

    /// The line in progress, as far as it has come.
    #[inline]
    pub(super) fn line(&self) -> &[u8] {
        self.held().get(self.line..).unwrap_or_default()
    }

    /// All that has come of the next event, unless some of it was searched already.
    #[inline]
    pub(super) fn fresh(&self) -> &[u8] {
        if self.scanned == 0 { self.held() } else { b"" }
    }

    /// The line in progress, without its end, once `search` finds the end. No byte is
    /// searched twice.
    #[inline]
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
    #[inline]
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
    #[inline]
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
