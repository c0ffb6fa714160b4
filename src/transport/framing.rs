//! Where an answer begins and ends on the wire (RFC 9112).
//!
//! Heads are read here, however many lines they have, and interim responses (1xx) are
//! skipped. ureq is given a head that says how long the body is and nothing else, and
//! chunks without their extensions and trailers: it has narrower limits than the protocol.

use std::fmt::Write;

use crate::error::{Error, ErrorKind, Result};
use crate::http::Headers;

/// How long the line before a chunk may be: a number, and extensions, which are ignored.
const MAX_CHUNK_LINE: usize = 4096;

/// The bytes that come from a server, on their way to ureq.
pub(super) struct Inbound {
    /// The server's host and port, for errors.
    place: String,
    max_header_bytes: usize,
    state: State,
}

enum State {
    /// A head is due. `searched` of its bytes do not end it.
    Head {
        bytes: Vec<u8>,
        searched: usize,
    },
    Chunks(Chunks),
    /// ureq knows the length, or the body ends with the connection.
    Body,
}

/// What some bytes came to.
pub(super) enum Taken {
    /// So many of them, moved to the front, are for ureq.
    Here(usize),
    /// The head is complete: its lines, and what ureq is to read instead of these bytes.
    Head(Headers, Vec<u8>),
}

impl Inbound {
    pub(super) fn new(place: String, max_header_bytes: usize) -> Inbound {
        Inbound { place, max_header_bytes, state: State::head() }
    }

    /// A request is being sent: the next bytes begin a head.
    pub(super) fn expect_head(&mut self) {
        self.state = State::head();
    }

    /// Takes the next bytes from the server.
    pub(super) fn take(&mut self, fresh: &mut [u8]) -> Result<Taken> {
        match &mut self.state {
            State::Body => Ok(Taken::Here(fresh.len())),
            State::Chunks(chunks) => Ok(Taken::Here(chunks.strip(fresh, self.max_header_bytes))),
            State::Head { bytes, searched } => {
                bytes.extend_from_slice(fresh);
                let taken = take_head(bytes, searched, self.max_header_bytes);
                let Some((head, mut rest)) = taken.map_err(|wrong| wrong.at(&self.place))? else {
                    return Ok(Taken::Here(0));
                };
                let mut told = head.for_ureq().into_bytes();
                if let Framing::Chunked = head.framing {
                    self.state = State::Chunks(Chunks::new());
                } else {
                    self.state = State::Body;
                }
                if let Taken::Here(kept) = self.take(&mut rest)? {
                    rest.truncate(kept);
                }
                told.append(&mut rest);
                Ok(Taken::Head(head.headers, told))
            }
        }
    }

    /// What is wrong with the body, once all that came before it has been taken.
    pub(super) fn check(&mut self) -> Result<()> {
        let wrong = match &mut self.state {
            State::Chunks(chunks) => chunks.wrong.take(),
            _ => None,
        };
        wrong.map_or(Ok(()), |wrong| Err(wrong.at(&self.place)))
    }

    /// The connection ended. The start of a head may still say what the server speaks.
    pub(super) fn ended(&self) -> Result<()> {
        match &self.state {
            State::Head { bytes, .. } => {
                check_protocol(bytes, true).map_err(|wrong| wrong.at(&self.place))
            }
            _ => Ok(()),
        }
    }
}

impl State {
    fn head() -> State {
        State::Head { bytes: Vec::new(), searched: 0 }
    }
}

/// What is wrong with the bytes of a server.
enum Wrong {
    /// They are no answer of HTTP/1.
    Protocol(String),
    /// The head, or the trailer, is larger than that.
    TooLarge(usize),
}

impl Wrong {
    fn at(self, place: &str) -> Error {
        match self {
            Wrong::Protocol(what) => Error::new(ErrorKind::Protocol, format!("{place} {what}")),
            Wrong::TooLarge(limit) => Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the head of the answer of {place} is larger than {limit} bytes (max_header_bytes)"
                ),
            ),
        }
    }
}

fn not_http(what: impl std::fmt::Display) -> Wrong {
    Wrong::Protocol(format!("does not answer in HTTP: {what}"))
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length(u64),
    Chunked,
    /// By the end of the connection, or there is no body.
    None,
}

struct Head {
    status: u16,
    headers: Headers,
    framing: Framing,
    /// The connection is not to be used again.
    closes: bool,
}

/// Takes the final head from the front of `bytes`, and gives it with what follows it;
/// `None` while it is not complete.
fn take_head(
    bytes: &mut Vec<u8>,
    searched: &mut usize,
    limit: usize,
) -> std::result::Result<Option<(Head, Vec<u8>)>, Wrong> {
    loop {
        check_protocol(bytes, false)?;
        let end = end_of_head(bytes, searched);
        if end.unwrap_or(bytes.len()) > limit {
            return Err(Wrong::TooLarge(limit));
        }
        let Some(end) = end else { return Ok(None) };
        let rest = bytes.split_off(end);
        let head = parse(bytes)?;
        // 101 is final: it ends HTTP on this connection.
        if (100..200).contains(&head.status) && head.status != 101 {
            *bytes = rest;
            *searched = 0;
            continue;
        }
        return Ok(Some((head, rest)));
    }
}

/// Empty lines may come before a head.
fn start_of_head(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Where the head in front of `bytes` ends, if it does.
fn end_of_head(bytes: &[u8], searched: &mut usize) -> Option<usize> {
    let start = start_of_head(bytes).max(*searched);
    let tail = bytes.get(start..).unwrap_or_default();
    for at in memchr::memchr_iter(b'\n', tail) {
        let after = tail.get(at + 1..).unwrap_or_default();
        let blank = match after {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            // An empty line may be on its way.
            [] | [b'\r'] => {
                *searched = start + at;
                return None;
            }
            _ => continue,
        };
        return Some(start + at + 1 + blank);
    }
    *searched = bytes.len().max(start);
    None
}

/// Whether `bytes` can begin an answer in HTTP/1; if not, what they are. `all`: no more come.
fn check_protocol(bytes: &[u8], all: bool) -> std::result::Result<(), Wrong> {
    const START: &[u8] = b"HTTP/1.";
    let bytes = bytes.get(start_of_head(bytes)..).unwrap_or_default();
    if bytes.iter().zip(START).all(|(byte, right)| byte == right) {
        return Ok(());
    }
    match bytes {
        // The length, type, flags and stream of a frame: SETTINGS or GOAWAY.
        [0, _, _, 4 | 7, ..] => Err(Wrong::Protocol(
            "speaks only HTTP/2 there; this library speaks HTTP/1.1".to_owned(),
        )),
        [0] | [0, _] | [0, _, _] if !all => Ok(()),
        [0x15 | 0x16, 3, ..] => {
            Err(Wrong::Protocol("speaks TLS there: the URL has to begin with https://".to_owned()))
        }
        [0x15 | 0x16] if !all => Ok(()),
        _ => Err(not_http("the first line is not a status line of HTTP/1")),
    }
}

fn parse(bytes: &[u8]) -> std::result::Result<Head, Wrong> {
    let mut lines = vec![httparse::EMPTY_HEADER; memchr::memchr_iter(b'\n', bytes).count()];
    let mut response = httparse::Response::new(&mut lines);
    let parsed = response.parse(bytes).map_err(not_http)?;
    let status = response.code.filter(|status| *status >= 100 && parsed.is_complete());
    let Some(status) = status else {
        return Err(not_http("the first line is not a status line of HTTP/1"));
    };
    let is_http10 = response.version == Some(0);
    let mut headers = Headers::default();
    for line in response.headers.iter() {
        headers.push(line.name, &String::from_utf8_lossy(line.value));
    }
    let (framing, is_doubtful) = framing(&headers, is_http10)?;
    let closes = is_doubtful
        || has(&headers, "connection", "close")
        || is_http10 && !has(&headers, "connection", "keep-alive");
    Ok(Head { status, headers, framing, closes })
}

/// Every element of the lists in all header lines of that name.
fn elements<'h>(headers: &'h Headers, name: &'h str) -> impl Iterator<Item = &'h str> {
    let lines = headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
    lines.flat_map(|(_, value)| value.split(',')).map(str::trim)
}

fn has(headers: &Headers, name: &str, element: &str) -> bool {
    elements(headers, name).any(|known| known.eq_ignore_ascii_case(element))
}

/// How the end of the body is told, and whether that is in doubt: then the connection is not
/// to be used again (RFC 9112, 6.1 and 6.3).
fn framing(headers: &Headers, is_http10: bool) -> std::result::Result<(Framing, bool), Wrong> {
    let codings = elements(headers, "transfer-encoding").filter(|coding| !coding.is_empty());
    match codings.last() {
        None => Ok((length(headers)?, false)),
        // HTTP/1.0 knows no codings, and "identity" once was the name of none.
        Some(last) if is_http10 || last.eq_ignore_ascii_case("identity") => {
            Ok((length(headers)?, true))
        }
        Some(last) if last.eq_ignore_ascii_case("chunked") => {
            Ok((Framing::Chunked, headers.get("content-length").is_some()))
        }
        Some(_) => Ok((Framing::None, true)),
    }
}

/// The framing by Content-Length, where there is one.
fn length(headers: &Headers) -> std::result::Result<Framing, Wrong> {
    let mut length = None;
    for text in elements(headers, "content-length") {
        let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse::<u64>().ok());
        let number = number.ok_or_else(|| not_http("its Content-Length is not a number"))?;
        if length.is_some_and(|length| length != number) {
            return Err(not_http("it has two different Content-Lengths"));
        }
        length = Some(number);
    }
    Ok(length.map_or(Framing::None, Framing::Length))
}

impl Head {
    /// The head that ureq is to read: the status, and how the body ends.
    fn for_ureq(&self) -> String {
        let mut text = format!("HTTP/1.1 {} -\r\n", self.status);
        if self.closes {
            text.push_str("connection: close\r\n");
        }
        match self.framing {
            // Writing to a string cannot fail.
            Framing::Length(length) => write!(text, "content-length: {length}\r\n").ok(),
            Framing::Chunked => write!(text, "transfer-encoding: chunked\r\n").ok(),
            Framing::None => None,
        };
        text.push_str("\r\n");
        text
    }
}

/// A body in chunks, as far as it has come.
struct Chunks {
    at: At,
    /// The length of the chunk at hand.
    length: u64,
    /// How much there has been of the line, or of the trailer, at hand.
    line: usize,
    /// Why the rest cannot be read.
    wrong: Option<Wrong>,
}

/// What the next byte of a body in chunks belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// The first digit of a chunk's length.
    Start,
    Digits,
    /// Space between the length and what follows it.
    Space,
    Extension,
    /// The line feed of the length's line.
    LengthEnd,
    Data,
    /// The carriage return, and the line feed, after a chunk.
    DataReturn,
    DataEnd,
    /// The first byte of a line of the trailer.
    TrailerStart,
    Trailer,
    /// The line feed of the empty line at the end.
    End,
    /// Nothing belongs here: ureq sees it and gives up the connection.
    Over,
}

impl Chunks {
    fn new() -> Chunks {
        Chunks { at: At::Start, length: 0, line: 0, wrong: None }
    }

    /// Moves what ureq is to read to the front of `bytes`, and says how much that is. Where
    /// something is wrong, that is what came before it.
    fn strip(&mut self, bytes: &mut [u8], max_trailer: usize) -> usize {
        let (mut from, mut to) = (0, 0);
        while let (Some(&byte), None) = (bytes.get(from), &self.wrong) {
            let kept = match self.at {
                At::Data => {
                    let left = usize::try_from(self.length).unwrap_or(usize::MAX);
                    let count = left.min(bytes.len() - from);
                    bytes.copy_within(from..from + count, to);
                    self.length -= count as u64;
                    if self.length == 0 {
                        self.at = At::DataReturn;
                    }
                    from += count;
                    to += count;
                    continue;
                }
                At::Over => true,
                _ => match self.step(byte, max_trailer) {
                    Ok(kept) => kept,
                    Err(wrong) => {
                        self.wrong = Some(wrong);
                        break;
                    }
                },
            };
            from += 1;
            if kept {
                if let Some(place) = bytes.get_mut(to) {
                    *place = byte;
                }
                to += 1;
            }
        }
        to
    }

    /// Takes a byte that is not of a chunk's data; says whether ureq is to read it.
    fn step(&mut self, byte: u8, max_trailer: usize) -> std::result::Result<bool, Wrong> {
        self.line += 1;
        if matches!(self.at, At::TrailerStart | At::Trailer) {
            if self.line > max_trailer {
                return Err(Wrong::TooLarge(max_trailer));
            }
        } else if self.line > MAX_CHUNK_LINE {
            return Err(not_http("the line before a chunk is too long"));
        }
        let wrong = || Err(not_http("the body is not in chunks, as the head says"));
        let (next, kept) = match (self.at, byte) {
            (At::Start, b' ' | b'\t') => (At::Start, false),
            (At::Start | At::Digits, digit) if digit.is_ascii_hexdigit() => {
                let value = char::from(digit).to_digit(16).map_or(0, u64::from);
                if self.length > u64::MAX >> 4 {
                    return Err(not_http("the length of a chunk is too large"));
                }
                // ureq bounds the number of digits: leading zeros are of no use.
                let leads = self.at == At::Digits && self.length == 0 && value == 0;
                self.length = self.length << 4 | value;
                (At::Digits, !leads)
            }
            (At::Digits | At::Space | At::Extension, b'\r') => (At::LengthEnd, true),
            (At::Digits | At::Space, b' ' | b'\t') => (At::Space, false),
            (At::Digits | At::Space, b';') => (At::Extension, false),
            (At::Extension, b'\n') => return wrong(),
            (At::Extension, _) => (At::Extension, false),
            (At::LengthEnd, b'\n') => {
                self.line = 0;
                (if self.length == 0 { At::TrailerStart } else { At::Data }, true)
            }
            (At::DataReturn, b'\r') => (At::DataEnd, true),
            (At::DataEnd, b'\n') => {
                self.line = 0;
                (At::Start, true)
            }
            (At::TrailerStart, b'\r') => (At::End, true),
            (At::Trailer, b'\n') => (At::TrailerStart, false),
            (At::TrailerStart, b'\n') => return wrong(),
            (At::TrailerStart | At::Trailer, _) => (At::Trailer, false),
            (At::End, b'\n') => (At::Over, true),
            _ => return wrong(),
        };
        self.at = next;
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ureq is to read of `answer`, which comes in pieces of `size` bytes, and the
    /// header lines.
    fn taken(answer: &str, size: usize) -> Result<(Headers, String)> {
        let mut inbound = Inbound::new("host:1".to_owned(), 1000);
        let (mut headers, mut bytes) = (Headers::default(), Vec::new());
        for piece in answer.as_bytes().chunks(size) {
            let mut piece = piece.to_vec();
            match inbound.take(&mut piece)? {
                Taken::Here(kept) => bytes.extend_from_slice(&piece[..kept]),
                Taken::Head(lines, start) => {
                    assert!(bytes.is_empty());
                    headers = lines;
                    bytes = start;
                }
            }
        }
        inbound.check()?;
        inbound.ended()?;
        Ok((headers, String::from_utf8(bytes).unwrap()))
    }

    /// The same however it is cut.
    fn same(answer: &str) -> Result<String> {
        let whole = taken(answer, answer.len()).map(|(_, text)| text);
        for size in 1..answer.len() {
            match (taken(answer, size), &whole) {
                (Ok((_, text)), Ok(whole)) => assert_eq!(&text, whole, "{size} of {answer:?}"),
                (Err(error), Err(whole)) => assert_eq!(error.kind(), whole.kind()),
                (cut, _) => panic!("{:?} is not {whole:?}", cut.map(|(_, text)| text)),
            }
        }
        whole
    }

    #[test]
    fn heads_are_reduced_to_what_tells_the_end_of_the_body() {
        const CLOSES: &str = "HTTP/1.1 200 -\r\nconnection: close\r\n\r\n";
        const CHUNKED: &str = "HTTP/1.1 200 -\r\ntransfer-encoding: chunked\r\n\r\n";
        const LAST_CHUNKED: &str =
            "HTTP/1.1 200 -\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        for (answer, told) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok",
                "HTTP/1.1 200 -\r\ncontent-length: 2\r\n\r\nok",
            ),
            ("\r\nHTTP/1.1 200\n\nok", "HTTP/1.1 200 -\r\n\r\nok"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\ncontent-length:2\r\n\r\nok",
                "HTTP/1.1 200 -\r\ncontent-length: 2\r\n\r\nok",
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n",
                "HTTP/1.1 200 -\r\nconnection: close\r\n\r\n",
            ),
            ("HTTP/1.0 200 OK\r\n\r\nok", "HTTP/1.1 200 -\r\nconnection: close\r\n\r\nok"),
            (
                "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 200 -\r\ncontent-length: 0\r\n\r\n",
            ),
            (
                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n",
                "HTTP/1.1 200 -\r\nconnection: close\r\n\r\n2\r\n",
            ),
            (
                "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 404 No\r\n\r\n",
                "HTTP/1.1 404 -\r\n\r\n",
            ),
            ("HTTP/1.1 101 Switch\r\n\r\n\x01", "HTTP/1.1 101 -\r\n\r\n\x01"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked,\r\n\r\n", CHUNKED),
            // A length beside chunks does not count, and is a reason to be careful.
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                LAST_CHUNKED,
            ),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
                "HTTP/1.1 200 -\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            ),
            // What is not in chunks at last ends with the connection, whatever its length.
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", CLOSES),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, x\r\n\r\n", CLOSES),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
                CLOSES,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", CLOSES),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;x=y\r\n\r\n", CLOSES),
            // A name of old for no coding at all.
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
                "HTTP/1.1 200 -\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            ),
        ] {
            assert_eq!(same(answer).unwrap(), told, "{answer:?}");
        }
    }

    #[test]
    fn chunks_lose_their_extensions_padding_and_trailers() {
        const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        const TOLD: &str = "HTTP/1.1 200 -\r\ntransfer-encoding: chunked\r\n\r\n";
        let long = format!("2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(4000));
        for (body, told) in [
            ("2\r\nok\r\n0\r\n\r\n", "2\r\nok\r\n0\r\n\r\n"),
            ("2;a=\"b;c\" ; d\r\nok\r\n0;e\r\n\r\n", "2\r\nok\r\n0\r\n\r\n"),
            (
                "  00000000000000000000002  \r\nok\r\n000\r\nX: y\r\nZ: \r\n\r\n",
                "02\r\nok\r\n0\r\n\r\n",
            ),
            (
                "9\r\n0\r\n\r\n2\r\no\r\nF \r\n123456789012345\r\n",
                "9\r\n0\r\n\r\n2\r\no\r\nF\r\n123456789012345\r\n",
            ),
            // What comes behind the end is left, so that the connection is given up.
            ("0\r\n\r\nHTTP", "0\r\n\r\nHTTP"),
            (&long, "2\r\nok\r\n0\r\n\r\n"),
        ] {
            assert_eq!(
                same(&format!("{HEAD}{body}")).unwrap(),
                format!("{TOLD}{told}"),
                "{body:?}"
            );
        }
        let large = format!("2;{}\r\nok\r\n", "x".repeat(5000));
        for body in [
            "\r\n",
            ";a\r\n",
            "g\r\n",
            "2 2\r\n",
            "2\n",
            "2;a\n",
            "2\rok",
            "-1\r\n",
            "2\r\nokay\r\n",
            "2\r\nok\n",
            "12345678901234567\r\n",
            "0\r\n\n",
            "0\r\n\r\r",
            &large,
        ] {
            let error = same(&format!("{HEAD}{body}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{body:?}");
        }
        let trailer = format!("0\r\nX: {}", "x".repeat(2000));
        let error = same(&format!("{HEAD}{trailer}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn what_is_not_http_is_named() {
        let head = "HTTP/1.1 200 OK\r\n";
        for (answer, kind, what) in [
            ("\0\0\x12\x04\0\0\0\0\0", ErrorKind::Protocol, "HTTP/2"),
            ("\0\0\x08\x07\0\0\0\0\0", ErrorKind::Protocol, "HTTP/2"),
            ("\x15\x03\x01\0\x02\x02\x46", ErrorKind::Protocol, "https://"),
            ("\0\0", ErrorKind::Protocol, "status line"),
            ("SSH-2.0-OpenSSH", ErrorKind::Protocol, "status line"),
            ("HTTP/1.1 099 No\r\n\r\n", ErrorKind::Protocol, "status line"),
            ("HTTP/2 200 OK\r\n\r\n", ErrorKind::Protocol, "status line"),
            (&format!("{head}no colon\r\n\r\n"), ErrorKind::Protocol, "host:1"),
            (
                &format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
                ErrorKind::Protocol,
                "different",
            ),
            (&format!("{head}Content-Length: +1\r\n\r\n"), ErrorKind::Protocol, "not a number"),
            (&format!("{head}Content-Length:\r\n\r\n"), ErrorKind::Protocol, "not a number"),
            (
                &format!("{head}X: {}\r\n\r\n", "x".repeat(1000)),
                ErrorKind::TooLarge,
                "max_header_bytes",
            ),
            (&format!("{head}X: {}", "x".repeat(1000)), ErrorKind::TooLarge, "max_header_bytes"),
        ] {
            let error = same(answer).unwrap_err();
            assert_eq!(error.kind(), kind, "{answer:?}: {error}");
            assert!(error.message().contains(what), "{answer:?}: {error}");
        }
        // Half a head is not a wrong one.
        assert_eq!(same("HTTP/1.1 200 OK\r\nContent-Ty").unwrap(), "");
    }

    #[test]
    fn header_lines_are_kept_in_their_order_and_bounded_by_their_bytes_alone() {
        let lines: String = (0..190).map(|n| format!("x:{}\r\n", n % 10)).collect();
        let (headers, _) =
            taken(&format!("HTTP/1.1 200 OK\r\nA: \u{e9}\r\n{lines}\r\n"), 64).unwrap();
        assert_eq!(headers.get("a"), Some("\u{e9}"));
        let all: Vec<_> = headers.iter().skip(1).map(|(_, value)| value.to_owned()).collect();
        assert_eq!((all.len(), &*all[12]), (190, "2"));
    }
}
