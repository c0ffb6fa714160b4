//! Compressed bodies, known by their first byte whatever the headers say.

use std::io::Write;

use flate2::write::MultiGzDecoder;

use crate::error::{Error, ErrorKind, Result};

/// Passes bytes through, inflated when they turn out to be gzip.
///
/// No text of any protocol starts with gzip's first byte, and servers label wrongly in
/// both directions (pitfall 15).
pub(crate) enum Inflate {
    /// Nothing has come yet.
    Unknown,
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Inflate {
    /// Whether these bytes, the next of the body, are to be taken as they are.
    pub(crate) fn is_plain(&mut self, bytes: &[u8]) -> bool {
        if matches!(self, Inflate::Unknown) {
            match bytes.first() {
                None => {}
                Some(0x1f) => *self = Inflate::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
                Some(_) => *self = Inflate::Plain,
            }
        }
        !matches!(self, Inflate::Gzip(_))
    }

    /// What compressed `bytes` come to; good until the next call.
    pub(crate) fn inflate(&mut self, bytes: &[u8]) -> Result<&[u8]> {
        let Inflate::Gzip(decoder) = self else { return Ok(&[]) };
        decoder.get_mut().clear();
        decoder.write_all(bytes).and_then(|()| decoder.flush()).map_err(|error| {
            Error::new(ErrorKind::Protocol, format!("the compressed answer is damaged: {error}"))
        })?;
        Ok(decoder.get_ref())
    }

    /// The start of what compressed `bytes` come to, as far as they are sound: a little,
    /// compressed, can be a lot.
    pub(crate) fn inflate_up_to(&mut self, bytes: &[u8], limit: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in bytes.chunks(256) {
            match self.inflate(piece) {
                Ok(more) if text.len() < limit => text.extend_from_slice(more),
                _ => break,
            }
        }
        text.truncate(limit);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    #[test]
    fn flushed_pieces_of_gzip_come_out_as_they_come_in() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let mut inflate = Inflate::Unknown;
        for text in ["data: one\n\n", "data: two\n\n"] {
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.flush().unwrap();
            let piece = std::mem::take(encoder.get_mut());
            assert!(!inflate.is_plain(&piece));
            let mut out = Vec::new();
            for byte in piece.chunks(1) {
                out.extend_from_slice(inflate.inflate(byte).unwrap());
            }
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn bomb_is_inflated_only_as_far_as_is_wanted() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 16 << 20]).unwrap();
        let packed = encoder.finish().unwrap();
        let mut inflate = Inflate::Unknown;
        assert!(!inflate.is_plain(&packed));
        let text = inflate.inflate_up_to(&packed, 1000);
        assert_eq!(text.len(), 1000);
        assert!(text.capacity() <= 1 << 20);
    }

    #[test]
    fn damaged_gzip_is_an_error() {
        let mut inflate = Inflate::Unknown;
        assert!(!inflate.is_plain(b"\x1f\x8b"));
        assert!(inflate.inflate(b"\x1f\x8bnonsense nonsense").is_err());
    }
}
