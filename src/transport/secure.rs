//! One TLS connection over anything that reads and writes.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, IoState};

use crate::error::{Error, ErrorKind};

pub(super) struct Secure {
    tls: ClientConnection,
    received: Records,
    /// Sending failed. What could not be sent is still there, and is not to hide an answer
    /// that the server gave before.
    is_cut: bool,
}

impl Secure {
    pub(super) fn new(
        config: &Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Secure, rustls::Error> {
        let tls = ClientConnection::new(Arc::clone(config), name)?;
        Ok(Secure { tls, received: Records::default(), is_cut: false })
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    pub(super) fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Sends some of what TLS has to send.
    pub(super) fn write_tls(&mut self, line: &mut impl Write) -> io::Result<usize> {
        self.tls.write_tls(line)
    }

    /// Takes what has arrived, to be processed.
    pub(super) fn read_tls(&mut self, line: &mut impl Read) -> io::Result<usize> {
        self.tls.read_tls(&mut Watched { line, received: &mut self.received })
    }

    pub(super) fn process_new_packets(&mut self) -> Result<IoState, rustls::Error> {
        self.tls.process_new_packets()
    }

    /// Whether there is something to read that has come already.
    pub(super) fn holds_input(&mut self) -> bool {
        self.tls.reader().into_first_chunk().is_ok_and(|bytes| !bytes.is_empty())
    }

    /// Reads what the server said. An end without TLS's own is an
    /// [`io::ErrorKind::UnexpectedEof`].
    pub(super) fn read(
        &mut self,
        line: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            self.send(line)?;
            self.read_tls(line)?;
            self.process_new_packets().map_err(|error| {
                io::Error::other(Error::new(
                    ErrorKind::Tls,
                    format!("the TLS connection broke: {error}"),
                ))
            })?;
        }
    }

    pub(super) fn write_all(&mut self, line: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.tls.writer().write(bytes)?;
            bytes = bytes.get(count..).unwrap_or_default();
            self.send(line)?;
        }
        Ok(())
    }

    /// Sends all that TLS has to send.
    fn send(&mut self, line: &mut impl Write) -> io::Result<()> {
        while self.wants_write() && !self.is_cut {
            let sent = self.write_tls(line);
            self.is_cut = sent.is_err();
            sent?;
        }
        Ok(())
    }

    /// Whether everything that the server sent has been read, to the end of a record, and
    /// more may come. What is left of one answer would be taken for the next one.
    pub(super) fn holds_nothing(&mut self) -> bool {
        let read_up =
            |state: IoState| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed();
        self.process_new_packets().is_ok_and(read_up) && self.received.is_between_records()
    }
}

/// A line whose bytes are followed as they go to TLS.
struct Watched<'a, L> {
    line: &'a mut L,
    received: &'a mut Records,
}

impl<L: Read> Read for Watched<'_, L> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.line.read(buffer)?;
        self.received.follow(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Where in the sequence of TLS records a stream of bytes is: rustls does not tell that it
/// holds a part of one.
#[derive(Default)]
struct Records {
    /// How many bytes of the next record's header there were.
    header: usize,
    /// How many bytes are to come of the record whose header is complete.
    rest: usize,
}

impl Records {
    /// Type, version (two bytes), length (two bytes).
    const HEADER: usize = 5;

    fn follow(&mut self, mut bytes: &[u8]) {
        while let [byte, after @ ..] = bytes {
            if self.header < Records::HEADER {
                self.header += 1;
                if self.header > 3 {
                    self.rest = (self.rest << 8) | usize::from(*byte);
                }
                bytes = after;
            } else {
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
            }
            if self.header == Records::HEADER && self.rest == 0 {
                self.header = 0;
            }
        }
    }

    fn is_between_records(&self) -> bool {
        self.header == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_followed_however_they_are_cut() {
        let record = |length: u16| {
            let [high, low] = length.to_be_bytes();
            [&[23, 3, 3, high, low][..], &vec![7; usize::from(length)]].concat()
        };
        let records = [record(300), record(0), record(1), record(256)];
        let mut ends = vec![0];
        for record in &records {
            ends.push(ends.last().unwrap() + record.len());
        }
        let bytes = records.concat();
        for size in [1, 2, 3, 5, 7, 304, 305, 306, 1000] {
            let (mut received, mut at) = (Records::default(), 0);
            for piece in bytes.chunks(size) {
                received.follow(piece);
                at += piece.len();
                assert_eq!(received.is_between_records(), ends.contains(&at), "{size} {at}");
            }
        }
    }
}
