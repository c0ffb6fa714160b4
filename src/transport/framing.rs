//! Where an answer begins and ends on the wire (RFC 9112).
//!
//! Heads are read here, however many lines they have, interim responses (1xx) are skipped,
//! and bodies lose their framing in the buffer that they are read into. ureq is told only
//! whether there is a body: it has narrower limits than the protocol.

use std::io;

use crate::error::{Error, ErrorKind};
use crate::http::Headers;

/// How long the line before a chunk may be: a number, and extensions, which are ignored.
const MAX_CHUNK_LINE: usize = 4096;

/// How much of a head is read at once. What comes with it of the body is copied once more.
const HEAD_READ: usize = 4096;

/// The bytes that come from a server: the answer of which they are a part.
pub(super) struct Inbound {
    /// The server's host and port, for errors.
    place: String,
    max_header_bytes: usize,
    state: State,
}

enum State {
    /// A head is due. `searched` of its bytes do not end it.
    Head { bytes: Vec<u8>, searched: usize },
    Body {
        framing: Body,
        /// What came of it with the head, and how much of that was read.
        early: Vec<u8>,
        taken: usize,
    },
}

/// What is to come of a body.
enum Body {
    /// So many bytes.
    Length(u64),
    Chunks(Chunks),
    /// All that comes until the connection ends.
    Rest,
    /// Nothing: it came whole, and then something that does not belong to it.
    Exceeded,
}

impl Inbound {
    pub(super) fn new(place: String, max_header_bytes: usize) -> Inbound {
        Inbound { place, max_header_bytes, state: State::head() }
    }

    /// A request is being sent: the next bytes begin a head.
    pub(super) fn expect_head(&mut self) {
        self.state = State::head();
    }

    /// Reads the head, with `receive`, which gives what comes from the server and 0 at the end
    /// of the connection; `None` when the connection ends before the head does.
    pub(super) fn head(
        &mut self,
        mut receive: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Option<Head>> {
        let State::Head { bytes, searched } = &mut self.state else { return Ok(None) };
        loop {
            let start = bytes.len();
            bytes.resize(start + HEAD_READ, 0);
            let received = receive(bytes.get_mut(start..).unwrap_or_default());
            bytes.truncate(start + received.as_ref().map_or(0, |count| *count));
            let taken = match received? {
                // The start of a head may still say what the server speaks.
                0 => check_protocol(bytes, true).map(|()| None),
                _ => match take_head(bytes, searched, self.max_header_bytes) {
                    Ok(None) => continue,
                    taken => taken,
                },
            };
            let taken = taken.map_err(|wrong| io::Error::other(wrong.at(&self.place)))?;
            let Some((head, mut early)) = taken else { return Ok(None) };
            let mut framing = match head.framing {
                Framing::Length(length) => Body::Length(length),
                Framing::Chunked => Body::Chunks(Chunks::new()),
                Framing::None => Body::Rest,
            };
            let kept = framing.strip(&mut early, self.max_header_bytes);
            early.truncate(kept);
            self.state = State::Body { framing, early, taken: 0 };
            return Ok(Some(head));
        }
    }

    /// Reads some of the body, without its framing, with `receive` as for
    /// [`Inbound::head`]; 0 is its end.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the connection ends before the body does.
    pub(super) fn body(
        &mut self,
        buffer: &mut [u8],
        mut receive: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let State::Body { framing, early, taken } = &mut self.state else { return Ok(0) };
        let waiting = early.get(*taken..).unwrap_or_default();
        if !waiting.is_empty() {
            let count = waiting.len().min(buffer.len());
            buffer.iter_mut().zip(waiting).for_each(|(to, from)| *to = *from);
            *taken += count;
            return Ok(count);
        }
        // The rest may take hours.
        (*early, *taken) = (Vec::new(), 0);
        while !framing.is_over() {
            framing.check().map_err(|wrong| io::Error::other(wrong.at(&self.place)))?;
            let count = receive(buffer)?;
            if count == 0 {
                framing.connection_ended()?;
                break;
            }
            let fresh = buffer.get_mut(..count).unwrap_or_default();
            let kept = framing.strip(fresh, self.max_header_bytes);
            if kept > 0 {
                return Ok(kept);
            }
        }
        Ok(0)
    }

    /// Whether the answer is at its end, as its framing says, and nothing came after it.
    pub(super) fn is_whole(&self) -> bool {
        match &self.state {
            State::Head { .. } | State::Body { framing: Body::Exceeded, .. } => false,
            State::Body { framing, early, taken } => framing.is_over() && early.len() == *taken,
        }
    }
}

impl Body {
    fn is_over(&self) -> bool {
        matches!(self, Body::Length(0) | Body::Exceeded)
            || matches!(self, Body::Chunks(chunks) if chunks.at == At::Over)
    }

    /// What is wrong with it, once all that came before that has been taken.
    fn check(&self) -> std::result::Result<(), &Wrong> {
        match self {
            Body::Chunks(Chunks { wrong: Some(wrong), .. }) => Err(wrong),
            _ => Ok(()),
        }
    }

    /// Moves what is of the body to the front of `bytes`, and says how much that is.
    fn strip(&mut self, bytes: &mut [u8], max_trailer: usize) -> usize {
        let (taken, kept) = match self {
            Body::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= count as u64;
                (count, count)
            }
            Body::Chunks(chunks) => chunks.strip(bytes, max_trailer),
            Body::Rest => (bytes.len(), bytes.len()),
            Body::Exceeded => (0, 0),
        };
        if taken < bytes.len() && self.is_over() {
            *self = Body::Exceeded;
        }
        kept
    }

    fn connection_ended(&self) -> io::Result<()> {
        match self {
            Body::Rest | Body::Exceeded => Ok(()),
            // Some servers leave out the end of the trailer, or the trailer.
            Body::Chunks(chunks) if chunks.at.is_trailer() => Ok(()),
            Body::Chunks(_) | Body::Length(_) => Err(io::ErrorKind::UnexpectedEof.into()),
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
    fn at(&self, place: &str) -> Error {
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

pub(super) struct Head {
    status: u16,
    pub(super) headers: Headers,
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
    let (mut framing, is_doubtful) = framing(&headers, is_http10)?;
    // There is none, whatever the head says of it.
    if matches!(status, 101 | 204 | 304) {
        framing = Framing::Length(0);
    }
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
    /// Whether a body follows.
    pub(super) fn has_body(&self) -> bool {
        self.framing != Framing::Length(0)
    }

    /// The answer as ureq is to see it: its status, whether the connection may be kept, and a
    /// body without content that stands for the one that is read here.
    pub(super) fn for_ureq(&self) -> String {
        let status = self.status;
        let connection = if self.closes { "connection: close\r\n" } else { "" };
        let body = match self.has_body() {
            true => "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            false => "content-length: 0\r\n\r\n",
        };
        format!("HTTP/1.1 {status} -\r\n{connection}{body}")
    }
}

/// A body in chunks, as far as it has come.
struct Chunks {
    at: At,
    /// How much is to come of the chunk at hand.
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
    /// Nothing belongs here.
    Over,
}

impl At {
    /// Whether all the content has come.
    fn is_trailer(self) -> bool {
        matches!(self, At::TrailerStart | At::Trailer | At::End)
    }
}

impl Chunks {
    fn new() -> Chunks {
        Chunks { at: At::Start, length: 0, line: 0, wrong: None }
    }

    /// Moves the content to the front of `bytes`; says how much was taken up to its end, or to
    /// something wrong, and how much of that is content.
    fn strip(&mut self, bytes: &mut [u8], max_trailer: usize) -> (usize, usize) {
        let (mut from, mut to) = (0, 0);
        while let Some(rest @ [byte, ..]) = bytes.get(from..) {
            match self.at {
                At::Over => break,
                At::Data => {
                    let left = usize::try_from(self.length).unwrap_or(usize::MAX);
                    let count = left.min(rest.len());
                    if from > to {
                        bytes.copy_within(from..from + count, to);
                    }
                    self.length -= count as u64;
                    if self.length == 0 {
                        self.at = At::DataReturn;
                    }
                    from += count;
                    to += count;
                }
                at => match plain_line(at, rest) {
                    Some((size, length)) => {
                        (self.at, self.length, self.line) = (At::Data, length, 0);
                        from += size;
                    }
                    None => match self.step(*byte, max_trailer) {
                        Ok(()) => from += 1,
                        Err(wrong) => {
                            self.wrong = Some(wrong);
                            break;
                        }
                    },
                },
            }
        }
        (from, to)
    }

    /// Takes a byte that is not of a chunk's data.
    fn step(&mut self, byte: u8, max_trailer: usize) -> std::result::Result<(), Wrong> {
        self.line += 1;
        if matches!(self.at, At::TrailerStart | At::Trailer) {
            if self.line > max_trailer {
                return Err(Wrong::TooLarge(max_trailer));
            }
        } else if self.line > MAX_CHUNK_LINE {
            return Err(not_http("the line before a chunk is too long"));
        }
        let wrong = || Err(not_http("the body is not in chunks, as the head says"));
        self.at = match (self.at, byte) {
            (At::Start, b' ' | b'\t') => At::Start,
            (At::Start | At::Digits, digit) if digit.is_ascii_hexdigit() => {
                let value = char::from(digit).to_digit(16).map_or(0, u64::from);
                if self.length > u64::MAX >> 4 {
                    return Err(not_http("the length of a chunk is too large"));
                }
                self.length = self.length << 4 | value;
                At::Digits
            }
            (At::Digits | At::Space | At::Extension, b'\r') => At::LengthEnd,
            (At::Digits | At::Space, b' ' | b'\t') => At::Space,
            (At::Digits | At::Space, b';') => At::Extension,
            (At::Extension, b'\n') => return wrong(),
            (At::Extension, _) => At::Extension,
            (At::LengthEnd, b'\n') => {
                self.line = 0;
                if self.length == 0 { At::TrailerStart } else { At::Data }
            }
            (At::DataReturn, b'\r') => At::DataEnd,
            (At::DataEnd, b'\n') => {
                self.line = 0;
                At::Start
            }
            (At::TrailerStart, b'\r') => At::End,
            (At::Trailer, b'\n') => At::TrailerStart,
            (At::TrailerStart, b'\n') => return wrong(),
            (At::TrailerStart | At::Trailer, _) => At::Trailer,
            (At::End, b'\n') => At::Over,
            _ => return wrong(),
        };
        Ok(())
    }
}

/// The length of a chunk with content, where it stands in front of `bytes` as nearly every
/// server writes it, and the size of what says so; anything else goes byte by byte.
fn plain_line(at: At, bytes: &[u8]) -> Option<(usize, u64)> {
    const MAX_DIGITS: usize = 8;
    let start = match at {
        At::Start => 0,
        At::DataReturn if bytes.starts_with(b"\r\n") => 2,
        _ => return None,
    };
    let mut length = 0;
    for (digits, byte) in bytes.get(start..)?.iter().take(MAX_DIGITS + 1).enumerate() {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' => {
                let end = start + digits + 2;
                let is_line = length > 0 && bytes.get(end - 1) == Some(&b'\n');
                return is_line.then_some((end, length));
            }
            _ => return None,
        };
        length = length << 4 | u64::from(value);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::error::Result;
    use crate::transport::socket::ours;

    /// What came of an answer.
    #[derive(Default)]
    struct Read {
        head: Option<Head>,
        body: String,
        is_whole: bool,
        /// What was left to the connection.
        left: usize,
    }

    /// Reads `answer`, which comes in pieces of `size` bytes, into a buffer of `room` bytes.
    fn read(answer: &str, size: usize, room: usize) -> Result<Read> {
        let ours = |error: io::Error| {
            ours(&error).unwrap_or_else(|| Error::new(ErrorKind::Truncated, error.to_string()))
        };
        let mut inbound = Inbound::new("host:1".to_owned(), 1000);
        let mut left = answer.as_bytes();
        let mut receive = |space: &mut [u8]| {
            let here = size - (answer.len() - left.len()) % size;
            let count = here.min(left.len()).min(space.len());
            left.read_exact(&mut space[..count]).map(|()| count)
        };
        let head = inbound.head(&mut receive).map_err(ours)?;
        if head.is_none() {
            return Ok(Read::default());
        }
        let (mut buffer, mut body) = (vec![0; room], Vec::new());
        loop {
            match inbound.body(&mut buffer, &mut receive).map_err(ours)? {
                0 => break,
                count => body.extend_from_slice(&buffer[..count]),
            }
        }
        let body = String::from_utf8(body).unwrap();
        Ok(Read { head, body, is_whole: inbound.is_whole(), left: left.len() })
    }

    /// The same body, or error, however the answer is cut.
    fn same(answer: &str) -> Result<String> {
        let whole = read(answer, answer.len(), answer.len()).map(|read| read.body);
        for size in 1..answer.len() {
            for room in [1, 2, 7, answer.len()] {
                match (read(answer, size, room), &whole) {
                    (Ok(read), Ok(whole)) => assert_eq!(&read.body, whole, "{size} of {answer:?}"),
                    (Err(error), Err(whole)) => assert_eq!(error.kind(), whole.kind()),
                    (cut, _) => panic!("{:?} is not {whole:?}", cut.map(|read| read.body)),
                }
            }
        }
        whole
    }

    #[test]
    fn heads_tell_the_end_of_the_body_and_whether_the_connection_is_kept() {
        use Framing::{Chunked, Length};
        for (answer, status, framing, closes) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok", 200, Length(2), false),
            ("\r\nHTTP/1.1 200\n\nok", 200, Framing::None, false),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\ncontent-length:2\r\n\r\nok",
                200,
                Length(2),
                false,
            ),
            ("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n", 200, Framing::None, true),
            ("HTTP/1.0 200 OK\r\n\r\nok", 200, Framing::None, true),
            (
                "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
                200,
                Length(0),
                false,
            ),
            (
                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n",
                200,
                Framing::None,
                true,
            ),
            (
                "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 404 No\r\n\r\n",
                404,
                Framing::None,
                false,
            ),
            // These have no body, whatever they say.
            ("HTTP/1.1 101 Switch\r\n\r\n\x01", 101, Length(0), false),
            ("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", 204, Length(0), false),
            ("HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", 304, Length(0), false),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked,\r\n\r\n0\r\n\r\n",
                200,
                Chunked,
                false,
            ),
            // A length beside chunks does not count, and is a reason to be careful.
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                200,
                Chunked,
                true,
            ),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
                200,
                Length(2),
                true,
            ),
            // What is not in chunks at last ends with the connection, whatever its length.
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\n",
                200,
                Framing::None,
                true,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, x\r\n\r\n", 200, Framing::None, true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
                200,
                Framing::None,
                true,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", 200, Framing::None, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;x=y\r\n\r\n", 200, Framing::None, true),
            // A name of old for no coding at all.
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
                200,
                Length(2),
                true,
            ),
        ] {
            let after = ["ok", "2\r\n"].into_iter().find(|end| answer.ends_with(end));
            for size in 1..=answer.len() {
                let read = read(answer, size, 50).unwrap();
                let head = read.head.unwrap();
                let seen = (head.status, head.framing, head.closes);
                assert_eq!(seen, (status, framing, closes), "{size} of {answer:?}");
                assert_eq!(read.body, after.unwrap_or_default(), "{size} of {answer:?}");
            }
        }
    }

    #[test]
    fn ureq_sees_the_status_and_whether_there_is_a_body() {
        for (answer, told) in [
            (
                "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nok",
                "HTTP/1.1 404 -\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            (
                "HTTP/1.0 200 OK\r\n\r\nok",
                "HTTP/1.1 200 -\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            ("HTTP/1.1 204 No\r\n\r\n", "HTTP/1.1 204 -\r\ncontent-length: 0\r\n\r\n"),
        ] {
            let head = read(answer, answer.len(), 50).unwrap().head.unwrap();
            assert_eq!(head.for_ureq(), told);
        }
    }

    const IN_CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn content_of_chunks_is_read_however_they_are_written_and_cut() {
        let long = format!("2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(4000));
        for (body, content) in [
            ("2\r\nok\r\n0\r\n\r\n", "ok"),
            ("1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "ok"),
            ("2;a=\"b;c\" ; d\r\nok\r\n0;e\r\n\r\n", "ok"),
            ("  00000000000000000000002  \r\nok\r\n000\r\nX: y\r\nZ: \r\n\r\n", "ok"),
            (
                "9\r\n0\r\n\r\n2\r\no\r\nF \r\n123456789012345\r\n00000000\r\n\r\n",
                "0\r\n\r\n2\r\no123456789012345",
            ),
            ("00000002\r\nok\r\n000000001\r\n!\r\n0a\r\n0123456789\r\n0\r\n\r\n", "ok!0123456789"),
            // The end of the connection is the end of a trailer.
            ("2\r\nok\r\n0\r\n", "ok"),
            ("2\r\nok\r\n0\r\nX: ", "ok"),
            (&long, "ok"),
        ] {
            assert_eq!(same(&format!("{IN_CHUNKS}{body}")).unwrap(), content, "{body:?}");
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
            "2\r\nok\r\n\r\n2\r\n",
            "12345678901234567\r\n",
            "0\r\n\n",
            "0\r\n\r\r",
            &large,
        ] {
            let error = same(&format!("{IN_CHUNKS}{body}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{body:?}");
        }
        let trailer = format!("0\r\nX: {}", "x".repeat(2000));
        let error = same(&format!("{IN_CHUNKS}{trailer}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn bodies_that_end_with_the_connection_too_early_are_truncated() {
        for body in ["", "2", "2\r", "2\r\n", "2\r\nok", "2\r\nok\r\n", "0", "0\r"] {
            let error = same(&format!("{IN_CHUNKS}{body}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{body:?}");
        }
        let error = same("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
    }

    #[test]
    fn what_comes_before_something_wrong_is_read_first() {
        let answer = format!("{IN_CHUNKS}2\r\nok\r\n!");
        let mut bytes = answer.as_bytes();
        let mut receive = |space: &mut [u8]| bytes.read(space);
        let mut inbound = Inbound::new("host:1".to_owned(), 1000);
        inbound.head(&mut receive).unwrap();
        assert_eq!(inbound.body(&mut [0; 50], &mut receive).unwrap(), 2);
        // However often it is tried.
        for _ in 0..2 {
            assert!(inbound.body(&mut [0; 50], &mut receive).is_err());
        }
    }

    /// What comes uninvited would be taken for the next answer.
    #[test]
    fn connection_is_kept_after_a_whole_answer_with_nothing_behind_it() {
        for (answer, is_whole) in [
            (format!("{IN_CHUNKS}2\r\nok\r\n0\r\n\r\n"), true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(), true),
            ("HTTP/1.1 204 No\r\n\r\n".to_owned(), true),
            ("HTTP/1.1 200 OK\r\n\r\nok".to_owned(), false),
            (format!("{IN_CHUNKS}2\r\nok\r\n0\r\n"), false),
        ] {
            for size in 1..=answer.len() {
                assert_eq!(
                    read(&answer, size, 50).unwrap().is_whole,
                    is_whole,
                    "{size} {answer:?}"
                );
            }
            if !is_whole {
                continue;
            }
            let more = format!("{answer}HTTP/1.1 200 OK\r\n\r\n");
            for size in 1..=more.len() {
                for room in [1, 50] {
                    // What the connection still holds is found there.
                    let read = read(&more, size, room);
                    let is_missed = read.is_ok_and(|read| read.is_whole && read.left == 0);
                    assert!(!is_missed, "{size} of {more:?}");
                }
            }
        }
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
        let answer = format!("HTTP/1.1 200 OK\r\nA: \u{e9}\r\n{lines}\r\n");
        let headers = read(&answer, 64, 50).unwrap().head.unwrap().headers;
        assert_eq!(headers.get("a"), Some("\u{e9}"));
        let all: Vec<_> = headers.iter().skip(1).map(|(_, value)| value.to_owned()).collect();
        assert_eq!((all.len(), &*all[12]), (190, "2"));
    }
}
