use super::buffer::{KEPT_CAPACITY, LEAST_READ, SMALL_READS};
use super::*;
use crate::error::ErrorKind;

impl Decoder {
    /// Puts bytes in as a reader does.
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space().unwrap();
            let (now, later) = bytes.split_at(space.len().min(bytes.len()));
            space[..now.len()].copy_from_slice(now);
            self.filled(now.len());
            bytes = later;
        }
    }
}

/// The event in front of `bytes`, where it is a line of data and an empty one, and its length.
fn plain_event(bytes: &[u8]) -> Option<(usize, String)> {
    let line = bytes.strip_prefix(b"data: ")?;
    let length = line.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    let is_end = |end: &&&str| line[length..].starts_with(end.as_bytes());
    let end = ["\n\n", "\r\n\r\n"].iter().find(is_end)?;
    let data = String::from_utf8(line[..length].to_vec()).unwrap();
    Some((b"data: ".len() + length + end.len(), data))
}

/// `looks_ahead`: takes events that are ahead without decoding them.
fn drain(decoder: &mut Decoder, events: &mut Vec<(String, String)>, looks_ahead: bool) -> Step {
    loop {
        if looks_ahead {
            if let Some((length, data)) = plain_event(decoder.ahead()) {
                decoder.skip(length);
                events.push((String::new(), data));
                continue;
            }
        }
        match decoder.advance().unwrap() {
            Step::Event => {
                let event = decoder.event();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                events.push((text(event.name), text(event.data)));
            }
            step => return step,
        }
    }
}

fn decode(pieces: &[&[u8]]) -> Vec<(String, String)> {
    let [events, with_those_ahead] = [false, true].map(|looks_ahead| {
        let mut decoder = Decoder::events(1 << 20);
        let mut events = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            assert_eq!(drain(&mut decoder, &mut events, looks_ahead), Step::Starved);
        }
        decoder.finish();
        assert_eq!(drain(&mut decoder, &mut events, looks_ahead), Step::End);
        events
    });
    assert_eq!(events, with_those_ahead);
    events
}

/// Decodes `input` whole, byte by byte and cut in two at every place: always the same.
fn data_of(input: &str) -> Vec<String> {
    let bytes = input.as_bytes();
    let whole = decode(&[bytes]);
    assert_eq!(whole, decode(&bytes.chunks(1).collect::<Vec<_>>()), "{input:?} byte by byte");
    for cut in 1..bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(whole, decode(&[first, second]), "{input:?} cut at {cut}");
    }
    whole.into_iter().map(|(_, data)| data).collect()
}

#[test]
fn line_ends_of_every_kind_and_mixed_give_the_same_events() {
    for text in [
        "data: {\"a\":1}\n\ndata: {\"b\":2}\n\n",
        "data: {\"a\":1}\r\rdata: {\"b\":2}\r\r",
        "data: {\"a\":1}\r\n\r\ndata: {\"b\":2}\r\n\r\n",
        "data: {\"a\":1}\r\n\ndata: {\"b\":2}\n\r\n",
        "data: {\"a\":1}\r\n\rdata: {\"b\":2}\r\r\n",
    ] {
        assert_eq!(data_of(text), ["{\"a\":1}", "{\"b\":2}"], "{text:?}");
    }
}

#[test]
fn bom_comments_ids_and_unknown_fields_are_no_data() {
    let text = "\u{feff}: hello\n\nid: 7\nretry: 10\nnonsense\ndata:{\"a\":1}\n: ping\n\n:\n\n";
    assert_eq!(data_of(text), ["{\"a\":1}"]);
}

#[test]
fn stream_that_goes_on_in_json_is_read_on() {
    for json in ["{\"b\": 2}", "{\n  \"b\": 2\n}", "[{\r\n\"b\": 2}\r\n]", "{\"b\":"] {
        for end in ["", "\n", "\r\n\r\n"] {
            for blank in ["\n\n", "\r\n\r\n", "\n\n: comment\n", "\n\nevent: error\n"] {
                let text = format!("data: {{\"a\":1}}{blank}{json}{end}");
                let data = data_of(&text);
                let data: Vec<&str> = data.iter().map(|data| data.trim_ascii()).collect();
                assert_eq!(data, ["{\"a\":1}", json], "{text:?}");
            }
        }
    }
    // Inside of an event it is a field, if an odd one.
    assert_eq!(data_of("data: {\n{\"b\":2}\ndata: }\n\n"), ["{\n}"]);
}

#[test]
fn one_leading_space_is_dropped_and_no_more() {
    assert_eq!(data_of("data:  x\n\ndata:y\n\n"), [" x", "y"]);
}

#[test]
fn data_lines_of_one_event_are_joined() {
    assert_eq!(data_of("data: {\"a\":\ndata: 1}\ndata\n\n"), ["{\"a\":\n1}\n"]);
}

#[test]
fn data_lines_that_are_json_each_are_events_each() {
    assert_eq!(data_of("data: {}\ndata: [1]\ndata: [DONE]\n\n"), ["{}", "[1]", "[DONE]"]);
}

#[test]
fn names_belong_to_their_event_alone() {
    let events = decode(&[b"event: ping\n\nevent: a\ndata: 1\n\ndata: 2\n\n"]);
    assert_eq!(events, [("a".to_owned(), "1".to_owned()), (String::new(), "2".to_owned())]);
}

#[test]
fn last_event_without_blank_line_counts_when_it_is_complete() {
    assert_eq!(data_of("data: {\"a\":1}"), ["{\"a\":1}"]);
    assert_eq!(data_of("data: [DONE]"), ["[DONE]"]);
    assert_eq!(data_of("data: {\"a\":1}\n\ndata: {\"b\":"), ["{\"a\":1}"]);
}

#[test]
fn utf8_characters_survive_every_cut() {
    assert_eq!(data_of("data: \"при\u{1f600}вет\"\n\n"), ["\"при\u{1f600}вет\""]);
}

#[test]
fn json_where_events_were_asked_for_is_one_event() {
    assert_eq!(data_of("\n \n{\"a\":\n 1}\n"), ["{\"a\":\n 1}\n"]);
    assert_eq!(data_of("{\"a\":1}"), ["{\"a\":1}"]);
}

#[test]
fn json_lines_are_events_as_they_come() {
    assert_eq!(
        data_of("{\"a\":1}\r\n\r\n{\"b\":2}\n{\"c\":3}"),
        ["{\"a\":1}\r", "{\"b\":2}", "{\"c\":3}"]
    );
}

/// What comes of bytes that are fed in pieces of random sizes.
fn decode_at_random(
    mut decoder: Decoder,
    bytes: &[u8],
    random: &mut fastrand::Rng,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut events = Vec::new();
    let mut rest = bytes;
    loop {
        match decoder.advance().unwrap() {
            Step::Event => {
                let event = decoder.event();
                events.push((event.name.to_vec(), event.data.to_vec()));
            }
            Step::End | Step::Html => return events,
            Step::Starved if rest.is_empty() => decoder.finish(),
            Step::Starved => {
                let (now, later) = rest.split_at(random.usize(1..=rest.len()));
                decoder.feed(now);
                rest = later;
            }
        }
    }
}

#[test]
fn random_streams_come_to_the_same_however_they_are_cut() {
    const WORDS: &[&[u8]] = &[
        b"data",
        b":",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"event",
        b"{}",
        b"[1]",
        b"{\"a\":",
        b"}",
        b"[DONE]",
        b"\xd0",
        b"\xbf",
        b"\xf0\x9f\x98\x80",
        b"\xef\xbb\xbf",
        b"<",
        b"id",
        b"x",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..10_000 {
        let words = (0..random.usize(0..24)).map(|_| WORDS[random.usize(..WORDS.len())]);
        let bytes = words.collect::<Vec<_>>().concat();
        let once = decode_at_random(Decoder::events(1 << 20), &bytes, &mut random);
        let again = decode_at_random(Decoder::events(1 << 20), &bytes, &mut random);
        assert_eq!(once, again, "{:?}", String::from_utf8_lossy(&bytes));
        let lines = decode_at_random(Decoder::lines(1 << 20), &bytes, &mut random);
        assert_eq!(lines, decode_at_random(Decoder::lines(1 << 20), &bytes, &mut random));
        let text: Vec<u8> = decode_at_random(Decoder::text(1 << 20), &bytes, &mut random)
            .into_iter()
            .flat_map(|(_, data)| data)
            .collect();
        assert_eq!(text, bytes);
    }
}

#[test]
fn plain_text_is_never_cut_inside_a_character() {
    let mut decoder = Decoder::text(1 << 20);
    let mut text = String::new();
    for byte in "при\u{1f600}\r\n< x".as_bytes() {
        decoder.feed(&[*byte]);
        while decoder.advance().unwrap() == Step::Event {
            text.push_str(std::str::from_utf8(decoder.event().data).unwrap());
        }
    }
    decoder.feed(b"\xd0");
    decoder.finish();
    assert_eq!(decoder.advance().unwrap(), Step::Event);
    assert_eq!(decoder.event().data, b"\xd0");
    assert_eq!(decoder.advance().unwrap(), Step::End);
    assert_eq!(text, "при\u{1f600}\r\n< x");
}

#[test]
fn bytes_that_are_no_text_do_not_cut_the_character_behind_them() {
    let mut decoder = Decoder::text(1 << 20);
    let mut text = String::new();
    for piece in [&b"\xff\xd0"[..], b"\xbf"] {
        decoder.feed(piece);
        while decoder.advance().unwrap() == Step::Event {
            text.push_str(&String::from_utf8_lossy(decoder.event().data));
        }
    }
    assert_eq!(text, "\u{fffd}\u{43f}");
}

#[test]
fn plain_lines_are_events_whatever_ends_them() {
    let mut decoder = Decoder::lines(1 << 20);
    let mut lines = Vec::new();
    for byte in b"data: a\r\ndata: b\r\n\nlast" {
        decoder.feed(&[*byte]);
        while decoder.advance().unwrap() == Step::Event {
            lines.push(decoder.event().data.to_vec());
        }
    }
    decoder.finish();
    while decoder.advance().unwrap() == Step::Event {
        lines.push(decoder.event().data.to_vec());
    }
    assert_eq!(lines, [&b"data: a"[..], b"data: b", b"", b"last"]);
}

#[test]
fn web_page_is_told_apart() {
    let mut decoder = Decoder::events(1 << 20);
    decoder.feed(b"  <!doctype html>");
    assert_eq!(decoder.advance().unwrap(), Step::Html);
    assert_eq!(decoder.rest(), b"<!doctype html>");
}

#[test]
fn event_beyond_the_limit_is_too_large_and_endless_comments_are_not() {
    let mut decoder = Decoder::events(100_000);
    for _ in 0..100 {
        decoder.feed(&[b':'; 10_000]);
        assert_eq!(decoder.advance().unwrap(), Step::Starved);
    }
    decoder.feed(b"\ndata: ");
    let error = (0..100).find_map(|_| {
        decoder.feed(&[b'x'; 10_000]);
        decoder.advance().err()
    });
    assert_eq!(error.unwrap().kind(), ErrorKind::TooLarge);
}

#[test]
fn comment_that_never_ends_leaves_the_name_of_its_event() {
    let mut decoder = Decoder::events(100_000);
    decoder.feed(b"event: a\n");
    for _ in 0..100 {
        decoder.feed(&[b':'; 10_000]);
        assert_eq!(decoder.advance().unwrap(), Step::Starved);
    }
    decoder.feed(b"\ndata: 1\n\n");
    assert_eq!(decoder.advance().unwrap(), Step::Event);
    assert_eq!(decoder.event(), Event { name: b"a", data: b"1" });
}

#[test]
fn limit_counts_for_events_that_come_in_one_read_as_well() {
    let large = format!("\"{}\"", "x".repeat(2000));
    for (body, framing) in [
        (format!("data: 1\n\ndata: {large}\n\ndata: 2\n\n"), Decoder::events(1024)),
        (format!("1\n{large}\n2\n"), Decoder::lines(1024)),
        (format!("[1]\n[{large}]\n[2]\n"), Decoder::events(1024)),
        (format!("[{large}]"), Decoder::events(1024)),
    ] {
        let mut decoder = framing;
        decoder.feed(body.as_bytes());
        decoder.finish();
        if !body.starts_with("[\"") {
            assert_eq!(decoder.advance().unwrap(), Step::Event, "{body}");
        }
        assert_eq!(decoder.advance().unwrap_err().kind(), ErrorKind::TooLarge, "{body}");
    }
}

#[test]
fn huge_event_is_given_back() {
    let mut decoder = Decoder::events(8 << 20);
    decoder.feed(b"data: \"");
    decoder.feed(&vec![b'x'; 4 << 20]);
    decoder.feed(b"\"\n\n");
    assert_eq!(decoder.advance().unwrap(), Step::Event);
    assert_eq!(decoder.event().data.len(), (4 << 20) + 2);
    assert_eq!(decoder.advance().unwrap(), Step::Starved);
    decoder.space().unwrap();
    assert!(decoder.buffer.capacity() <= KEPT_CAPACITY);
}

/// A read of `count` bytes, all of which are taken up at once.
fn pass(decoder: &mut Decoder, count: usize) {
    let line = [&b":"[..], &vec![b'x'; count - 2], b"\n"].concat();
    let space = decoder.space().unwrap();
    space[..count].copy_from_slice(&line);
    decoder.filled(count);
    assert_eq!(decoder.advance().unwrap(), Step::Starved);
}

#[test]
fn buffer_grows_with_full_reads_and_shrinks_after_small_ones() {
    let mut decoder = Decoder::events(1 << 20);
    let mut sizes = Vec::new();
    for _ in 0..8 {
        let room = decoder.space().unwrap().len();
        sizes.push(room);
        pass(&mut decoder, room);
    }
    let grown = 16 * LEAST_READ;
    assert_eq!(sizes[..5], [1, 2, 4, 8, 16].map(|times| times * LEAST_READ));
    assert_eq!(sizes[5..], [grown; 3]);
    for _ in 0..SMALL_READS {
        assert_eq!(decoder.space().unwrap().len(), grown);
        pass(&mut decoder, 300);
    }
    decoder.space().unwrap();
    assert_eq!(decoder.buffer.capacity(), LEAST_READ);
}

#[test]
fn buffer_shrinks_around_an_event_in_progress() {
    let mut decoder = Decoder::events(1 << 20);
    for _ in 0..4 {
        let room = decoder.space().unwrap().len();
        pass(&mut decoder, room);
    }
    let mut events = Vec::new();
    let event = b"data: {\"text\":\"0123456789\"}\n\n";
    // Every read ends within an event.
    let (first, rest) = event.split_at(10);
    let cut = [rest, first].concat();
    decoder.feed(first);
    for _ in 0..SMALL_READS {
        assert_eq!(drain(&mut decoder, &mut events, false), Step::Starved);
        decoder.feed(&cut);
    }
    assert_eq!(drain(&mut decoder, &mut events, false), Step::Starved);
    decoder.space().unwrap();
    assert_eq!(decoder.buffer.capacity(), LEAST_READ);
    assert_eq!(events.len(), SMALL_READS);
    assert!(events.iter().all(|(_, data)| data == "{\"text\":\"0123456789\"}"));
}

/// Large events take several reads, and their buffer neither grows without need nor moves
/// the same bytes time and again.
#[test]
fn buffer_of_large_events_is_bounded_by_them() {
    for size in [3000, 5000, 60_000, 100_000, 300_000] {
        let mut decoder = Decoder::events(1 << 20);
        let event = [&b"data: \""[..], &vec![b'x'; size], b"\"\n\n"].concat();
        for read in [700, 5000, 70_000] {
            let mut events = Vec::new();
            for piece in event.repeat(5).chunks(read) {
                decoder.feed(piece);
                drain(&mut decoder, &mut events, false);
                assert!(decoder.buffer.capacity() <= 4 * event.len().max(16 * LEAST_READ));
            }
            assert_eq!(events.len(), 5, "{size} {read}");
            assert!(events.iter().all(|(_, data)| data.len() == size + 2));
        }
    }
}

/// What [`Decoder::whole`] says of each event of `text`.
fn wholes(text: &str) -> Vec<Option<(String, String)>> {
    let mut decoder = Decoder::events(1 << 20);
    decoder.feed(text.as_bytes());
    decoder.finish();
    let mut wholes = Vec::new();
    while decoder.advance().unwrap() == Step::Event {
        let event = decoder.event();
        wholes.push(decoder.whole().map(|(bytes, data)| {
            assert_eq!(&bytes[data.clone()], event.data, "{text:?}");
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            (text(bytes), text(event.data))
        }));
    }
    wholes
}

#[test]
fn plain_event_is_given_as_it_came() {
    for event in [
        "data: 1\n\n",
        "data:1\n\n",
        "data: 1\r\n\r\n",
        "event: a\ndata: 1\n\n",
        "event: a\r\nid: 7\r\ndata: 1\r\n: ping\r\n\r\n",
    ] {
        let whole = Some((event.to_owned(), "1".to_owned()));
        for before in ["", ": ping\n\n", "id: 7\n", "event: b\r\ndata: 2\r\n\r\n", "data: 2\r\r"] {
            let text = format!("{before}{event}");
            assert_eq!(wholes(&text).last(), Some(&whole), "{text:?}");
        }
    }
    // More than one line of data, no empty line, or one that may go on with the next byte.
    for text in [
        "data: 1\ndata: 2\n\n",
        "data: [\ndata: 1]\n\n",
        "data: 1\n",
        "data: 1",
        "data: 1\r\r",
        "data: 1\r\n\r",
        "{\"a\": 1}\n{\"a\": 2}\n",
    ] {
        let wholes = wholes(text);
        assert!(!wholes.is_empty() && wholes.iter().all(Option::is_none), "{text:?}");
    }
}

#[test]
fn event_of_which_something_was_dropped_is_not_given_as_it_came() {
    let mut decoder = Decoder::events(1 << 20);
    // A comment that goes on and on is dropped, with what came before it.
    decoder.feed(b"event: a\n: a long comment");
    assert_eq!(decoder.advance().unwrap(), Step::Starved);
    decoder.feed(b" goes on\ndata: 1\n\n");
    assert_eq!(decoder.advance().unwrap(), Step::Event);
    assert_eq!(decoder.event(), Event { name: b"a", data: b"1" });
    assert_eq!(decoder.whole(), None);
}

#[test]
fn line_feed_that_ends_an_event_is_no_part_of_the_next() {
    let event = b"data: 12345\r\n\r\n";
    for cut in 1..2 * event.len() {
        let mut decoder = Decoder::events(event.len() - 1);
        let stream = event.repeat(2);
        let (first, second) = stream.split_at(cut);
        let mut events = 0;
        for piece in [first, second] {
            decoder.feed(piece);
            while decoder.advance().unwrap() == Step::Event {
                events += 1;
            }
        }
        assert_eq!(events, 2, "cut at {cut}");
    }
}
