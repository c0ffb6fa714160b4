//! Compressed bodies, known by their first byte whatever the headers say.

use std::io::Write;

use flate2::write::MultiGzDecoder;

use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// The first byte of gzip. No text of any protocol starts with it, and servers label
/// wrongly in both directions.
pub(super) const FIRST_BYTE: u8 = 0x1f;

/// How much is inflated at once: a little, compressed, can be a lot.
const PIECE: usize = 256;

/// Bytes on their way from gzip to what they were.
pub(super) struct Gunzip {
    compressed: Vec<u8>,
    /// How many of `compressed` are inflated.
    taken: usize,
    /// Holds what they came to.
    decoder: MultiGzDecoder<Vec<u8>>,
    /// How much of that was given.
    given: usize,
}

impl Gunzip {
    pub(super) fn new() -> Gunzip {
        let decoder = MultiGzDecoder::new(Vec::new());
        Gunzip { compressed: Vec::new(), taken: 0, decoder, given: 0 }
    }

    /// Takes the next bytes of the body.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        self.compressed.drain(..self.taken);
        self.taken = 0;
        memory::append(&mut self.compressed, bytes)
    }

    /// Gives what there is, up to the size of `buffer`; 0 when it wants more bytes.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.given == self.decoder.get_ref().len() {
            self.given = 0;
            self.decoder.get_mut().clear();
            let rest = self.compressed.get(self.taken..).unwrap_or_default();
            let Some(piece) = rest.chunks(PIECE).next() else { return Ok(0) };
            self.taken += piece.len();
            let inflated = self.decoder.write_all(piece).and_then(|()| self.decoder.flush());
            inflated.map_err(|error| {
                Error::new(
                    ErrorKind::Protocol,
                    format!("the compressed answer is damaged: {error}"),
                )
            })?;
        }
        let waiting = self.decoder.get_ref().get(self.given..).unwrap_or_default();
        let count = waiting.len().min(buffer.len());
        buffer.iter_mut().zip(waiting).for_each(|(to, from)| *to = *from);
        self.given += count;
        Ok(count)
    }

    /// Whether what came is the whole of it, by its own checksum.
    pub(super) fn is_whole(&mut self) -> bool {
        self.decoder.try_finish().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    fn read(gunzip: &mut Gunzip, most: usize) -> Vec<u8> {
        let mut buffer = vec![0; most];
        let count = gunzip.read(&mut buffer).unwrap();
        buffer.truncate(count);
        buffer
    }

    #[test]
    fn flushed_pieces_of_gzip_come_out_as_they_come_in() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let mut gunzip = Gunzip::new();
        for text in ["data: one\n\n", "data: two\n\n"] {
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.flush().unwrap();
            let mut out = Vec::new();
            for byte in std::mem::take(encoder.get_mut()) {
                gunzip.feed(&[byte]).unwrap();
                out.extend(read(&mut gunzip, 100));
            }
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn bomb_is_inflated_only_as_far_as_is_wanted() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 16 << 20]).unwrap();
        let mut gunzip = Gunzip::new();
        gunzip.feed(&encoder.finish().unwrap()).unwrap();
        assert_eq!(read(&mut gunzip, 1000), vec![0; 1000]);
        assert!(gunzip.decoder.get_ref().capacity() <= 1 << 20);
    }

    #[test]
    fn gzip_tells_whether_it_is_whole() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"Hello").unwrap();
        let packed = encoder.finish().unwrap();
        for cut in 0..=packed.len() {
            let mut gunzip = Gunzip::new();
            gunzip.feed(&packed[..cut]).unwrap();
            while gunzip.read(&mut [0; 100]).unwrap() > 0 {}
            assert_eq!(gunzip.is_whole(), cut == packed.len(), "{cut}");
        }
    }

    #[test]
    fn damaged_gzip_is_an_error() {
        let mut gunzip = Gunzip::new();
        gunzip.feed(b"\x1f\x8bnonsense nonsense").unwrap();
        assert_eq!(gunzip.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::Protocol);
    }
}
