//! Streams of events that are nearly alike, made of recorded ones: the library's tests and the
//! fuzz target `quick` read them.

use std::fs;
use std::path::{Path, PathBuf};

/// What a stream is read with.
pub struct Dialect {
    pub provider: &'static str,
    pub settings: &'static [(&'static str, &'static str)],
    /// Where its requests go.
    pub place: &'static str,
    /// What is asked.
    pub model: &'static str,
    /// Its streams, in `tests/fixtures` and in [`OWN`].
    pub folder: &'static str,
}

const KEY: (&str, &str) = ("api_key", "k");

pub const DIALECTS: &[Dialect] = &[
    Dialect {
        provider: "openai",
        settings: &[KEY, ("estimate_usage", "true")],
        place: "/v1/chat/completions",
        model: "m",
        folder: "openai",
    },
    Dialect {
        provider: "openai",
        settings: &[KEY, ("think_tags", "true"), ("max_tool_calls", "3"), ("max_json_depth", "6")],
        place: "/v1/chat/completions",
        model: "m",
        folder: "openai",
    },
    Dialect {
        provider: "openai",
        settings: &[KEY, ("raw_chunks", "true"), ("max_event_bytes", "1024")],
        place: "/v1/chat/completions",
        model: "m",
        folder: "openai",
    },
    Dialect {
        provider: "openai-responses",
        settings: &[KEY],
        place: "/v1/responses",
        model: "m",
        folder: "responses",
    },
    Dialect {
        provider: "anthropic",
        settings: &[KEY],
        place: "/v1/messages",
        model: "m",
        folder: "anthropic",
    },
    Dialect {
        provider: "gemini",
        settings: &[KEY],
        place: "/v1beta/models/m:streamGenerateContent?alt=sse",
        model: "m",
        folder: "gemini",
    },
    Dialect {
        provider: "gigachat",
        settings: &[("access_token", "t"), ("api_version", "v1")],
        place: "/v1/chat/completions",
        model: "m",
        folder: "gigachat",
    },
    Dialect {
        provider: "gigachat",
        settings: &[("access_token", "t"), ("api_version", "v2")],
        place: "/v2/chat/completions",
        model: "m",
        folder: "gigachat2",
    },
    Dialect {
        provider: "amigochat",
        settings: &[],
        place: "/v1/chat/completions",
        model: "gpt-4o",
        folder: "openai",
    },
];

/// Streams that are in no file, and the folders that they would be in.
const OWN: &[(&str, &str)] = &[
    (
        "gigachat",
        "data: {\"choices\":[{\"delta\":{\"content\":\"3\",\"role\":\"function_in_progress\"},\"index\":0}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"Hi <img\",\"role\":\"assistant\"},\"index\":0}],\"created\":1,\"model\":\"G\"}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\" src=\\\"f\\\" fuse=\\\"true\\\"/>\"},\"finish_reason\":\"stop\",\"index\":0}],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
    ),
    (
        "gigachat2",
        "event: response.message.delta\ndata: {\"model\":\"G\",\"created_at\":1,\"messages\":[{\"role\":\"reasoning\",\"content\":[{\"text\":\"hm\"}]}]}\n\nevent: response.message.delta\ndata: {\"model\":\"G\",\"created_at\":1,\"messages\":[{\"role\":\"assistant\",\"content\":[{\"text\":\"Hi\"}]}]}\n\nevent: response.message.delta\ndata: {\"messages\":[{\"role\":\"assistant\",\"content\":\"Hi\"}]}\n\nevent: response.message.done\ndata: {\"finish_reason\":\"stop\",\"usage\":{\"input_tokens\":1}}\n\n",
    ),
    (
        "openai",
        "data: {\"id\":\"c\",\"created\":1,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"logprobs\":null,\"finish_reason\":null}],\"obfuscation\":\"x\"}\n\ndata: {\"id\":\"c\",\"created\":1,\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"a\",\"reasoning_content\":\"a\"}}]}\n\ndata: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\ndata: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]}}]}\n\ndata: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]}}]}\n\ndata: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"no\"},\"text\":\"no\"}]}\n\ndata: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    ),
    (
        "responses",
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,\"item_id\":\"m\",\"output_index\":0,\"content_index\":0,\"delta\":\"Hi\",\"logprobs\":[],\"obfuscation\":\"x\"}\n\nevent: response.refusal.delta\ndata: {\"type\":\"response.refusal.delta\",\"sequence_number\":5,\"item_id\":\"m\",\"delta\":\"no\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}\n\n",
    ),
];

/// The recorded streams of a dialect, with their names.
pub fn streams(root: &Path, dialect: &Dialect) -> Vec<(String, Vec<u8>)> {
    let own = OWN.iter().filter(|(folder, _)| *folder == dialect.folder);
    let mut streams: Vec<(String, Vec<u8>)> =
        own.map(|(folder, body)| (format!("own {folder}"), body.as_bytes().to_vec())).collect();
    let files = fs::read_dir(root.join("tests/fixtures").join(dialect.folder));
    let files = files.into_iter().flatten().flatten().map(|file| file.path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "sse")).collect();
    files.sort();
    for path in files {
        let body = fs::read(&path).unwrap_or_default();
        streams.push((path.display().to_string(), body));
    }
    streams
}

/// What may come instead of a string's content.
const CONTENTS: &[&[u8]] = &[
    b"x",
    b" word",
    b"a longer text than that",
    "При\u{1f600}".as_bytes(),
    b"",
    b"\\n",
    b"a\\\"b\\\\",
    b"\\u00e9",
    b"\\ud83d\\ude00",
    b"\\ud83d",
    b"\\ude00",
    b"\xff",
    b"\xd0",
    b"a\tb",
    b"\\x",
    b"<think>",
    b"</think>",
    b"<",
    b"error",
    b"[DONE]",
    "\u{fdd0}\u{e001}".as_bytes(),
    b"\\u0000",
    b"7",
    b"f",
];

/// The same of a number.
const NUMBERS: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"17",
    b"123456789012345678",
    b"1234567890123456789",
    b"-1",
    b"-0",
    b"01",
    b"1.0",
    b"1e2",
    b"99999999999999999999",
    b"null",
    b"\"1\"",
    b"true",
];

/// What may be put in front of a key.
const FIELDS: &[&[u8]] = &[
    b"\"created\":1,",
    b"\"created\":2,",
    b"\"obfuscation\":\"y\",",
    b"\"text\":\"t\",",
    b"\"content\":\"c\",",
    b"\"delta\":\"d\",",
    b"\"error\":null,",
    b"\"error\":\"no\",",
    b"\"usage\":{\"prompt_tokens\":1},",
    b"\"sequence_number\":1,",
    b"\"index\":1,",
    b"\"item_id\":\"i\",",
    b"\"finish_reason\":\"stop\",",
    b"\"thought\":true,",
    b"\"p\":\"x\",",
    b" ",
];

/// A stream of the events of `recorded`, each as often as `choose` says, some of them changed.
/// `choose` gives a number below its argument.
pub fn vary(recorded: &[u8], choose: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut events = Vec::new();
    let mut rest = recorded;
    while !rest.is_empty() {
        let end = (1..rest.len())
            .find(|end| rest[..*end].ends_with(b"\n\n") || rest[..*end].ends_with(b"\r\n\r\n"));
        let (event, after) = rest.split_at(end.unwrap_or(rest.len()));
        events.push(event);
        rest = after;
    }
    let mut at = 0;
    while let Some(event) = events.get(at) {
        stream.extend_from_slice(event);
        for _ in 0..choose(5) {
            let mut event = event.to_vec();
            for _ in 0..choose(3) {
                change(&mut event, choose);
            }
            stream.extend_from_slice(&event);
        }
        // Sometimes what came before comes again.
        let back = if choose(8) == 0 { choose(4) } else { 0 };
        at = (at + 1).saturating_sub(back);
        if stream.len() > 32 * 1024 {
            break;
        }
    }
    // The last event is the end mark.
    if choose(4) > 0 {
        stream.extend_from_slice(events.last().unwrap_or(&&b""[..]));
    }
    stream
}

/// Changes one value of an event.
fn change(event: &mut Vec<u8>, choose: &mut dyn FnMut(usize) -> usize) {
    let mut strings = Vec::new();
    let mut numbers = Vec::new();
    let mut keys = Vec::new();
    let mut at = 0;
    while at < event.len() {
        if event[at] != b'"' {
            if event[at].is_ascii_digit() {
                let length = event[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                numbers.push(at..at + length);
                at += length;
            } else {
                at += 1;
            }
            continue;
        }
        let start = at + 1;
        let mut end = start;
        while end < event.len() && event[end] != b'"' {
            end += if event[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(event.len());
        match event.get(end + 1) {
            Some(b':') => keys.push(at),
            _ => strings.push(start..end),
        }
        at = end + 1;
    }
    let one_of =
        |list: &[&[u8]], choose: &mut dyn FnMut(usize) -> usize| list[choose(list.len())].to_vec();
    match choose(16) {
        0..8 if !strings.is_empty() => {
            // Texts stand behind the names of kinds more often than not.
            let place = strings[strings.len() - 1 - choose(strings.len())].clone();
            let content = one_of(CONTENTS, choose);
            event.splice(place, content);
        }
        8..12 if !numbers.is_empty() => {
            let place = numbers[choose(numbers.len())].clone();
            let number = one_of(NUMBERS, choose);
            event.splice(place, number);
        }
        12..14 if !keys.is_empty() => {
            let place = keys[choose(keys.len())];
            let field = one_of(FIELDS, choose);
            event.splice(place..place, field);
        }
        14 if !event.is_empty() => {
            let place = choose(event.len());
            event[place] = choose(256) as u8;
        }
        _ => {}
    }
}
