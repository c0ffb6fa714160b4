//! What the fuzz targets share: answers of arbitrary bytes, played to the library as
//! recordings, so that nothing of it is bypassed and no network is there.

pub mod near;

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tolmach::{ChunkKind, Client, Config, Error, ErrorKind, Polled, Request, Session, Usage};

/// A file of this process's own, in memory where the system has such a place.
pub fn file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        folder.join(format!("tolmach-fuzz-{}.jsonl", std::process::id()))
    })
}

/// What a server says: a status, a type and the bytes of its body.
pub struct Answer<'a> {
    pub method: &'static str,
    pub place: &'static str,
    pub status: u16,
    pub content_type: &'static str,
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The first byte says how the others are presented.
    pub fn of(place: &'static str, data: &'a [u8]) -> Option<Answer<'a>> {
        let (how, body) = data.split_first()?;
        let status = match how & 0x0f {
            0x0c => 400,
            0x0d => 401,
            0x0e => 429,
            0x0f => 500,
            _ => 200,
        };
        let content_type = match how >> 4 & 3 {
            0 => "text/event-stream",
            1 => "application/json",
            2 => "text/plain",
            _ => "text/html",
        };
        Some(Answer { method: "POST", place, status, content_type, body })
    }

    /// The answer as a recording, whose body comes in pieces of `size`.
    pub fn recording(&self, size: usize) -> String {
        let line = |moment: Value| {
            let mut line = json!({"exchange": 1, "at_ms": 0});
            line.as_object_mut().unwrap().extend(moment.as_object().unwrap().clone());
            format!("{line}\n")
        };
        let url = format!("https://host{}", self.place);
        let mut text = "{\"tolmach_recording\":1}\n".to_owned();
        text += &line(json!({"method": self.method, "url": url}));
        text +=
            &line(json!({"status": self.status, "headers": [["content-type", self.content_type]]}));
        for piece in self.body.chunks(size.max(1)) {
            text += &line(json!({"base64": BASE64.encode(piece)}));
        }
        text + &line(json!({"end": true}))
    }
}

/// What a program makes of an answer, pieces of one text put together.
#[derive(Debug, Default, PartialEq)]
pub struct Heard {
    pub chunks: Vec<(ChunkKind, i32, i32, [String; 3], Vec<u8>, Usage)>,
    pub ended: Option<ErrorKind>,
}

pub fn client(provider: &str, settings: &[(&str, &str)]) -> Client {
    Client::new(&config(provider, settings)).unwrap()
}

pub fn config(provider: &str, settings: &[(&str, &str)]) -> Config {
    let mut config = Config::new(provider).unwrap();
    let common =
        [("replay_file", file().to_str().unwrap()), ("proxy", "direct"), ("max_retries", "0")];
    for (key, value) in common.iter().chain(settings) {
        config.set(key, Some(value)).unwrap();
    }
    config
}

/// What is heard of `answer` when it comes in pieces of `size`.
pub fn hear(provider: &str, settings: &[(&str, &str)], answer: &Answer, size: usize) -> Heard {
    fs::write(file(), answer.recording(size)).unwrap();
    let mut request = Request::new(Some("m"));
    request.message("user", "Hi").unwrap();
    let mut session = Session::open(&client(provider, settings), &request).unwrap();
    let mut heard = Heard::default();
    loop {
        match session.poll(None) {
            Ok(Polled::Chunk(chunk)) => {
                let texts = [chunk.text, chunk.id, chunk.name].map(made_up_ids_are_one);
                let mergeable = matches!(chunk.kind, ChunkKind::Text);
                match heard.chunks.last_mut() {
                    Some((kind, choice, _, [text, ..], ..))
                        if mergeable && *kind == chunk.kind && *choice == chunk.choice =>
                    {
                        text.push_str(chunk.text);
                    }
                    _ => heard.chunks.push((
                        chunk.kind,
                        chunk.choice,
                        chunk.index,
                        texts,
                        chunk.bytes.to_vec(),
                        chunk.usage,
                    )),
                }
            }
            Ok(Polled::Pending) => panic!("a wait without an end has ended"),
            Ok(Polled::End) => break,
            Err(error) => {
                check(&error);
                heard.ended = Some(error.kind());
                break;
            }
        }
    }
    let reply = session.replies().to_json().unwrap();
    // Empty, where there is nothing to send back; else it can be sent.
    if !reply.is_empty() {
        request.message_json(&reply).expect("the reply is a message");
    }
    heard
}

/// Ids that are made up are random, wherever they stand.
pub fn made_up_ids_are_one(text: &str) -> String {
    let mut pieces = text.split("call_");
    let mut same = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let rest = piece.get(..32).filter(|id| is_id(id)).and_then(|_| piece.get(32..));
        same.push_str("call_");
        same.push_str(if rest.is_some() { "?" } else { "" });
        same.push_str(rest.unwrap_or(piece));
    }
    same
}

/// No input is a bug of the library's.
pub fn check(error: &Error) {
    assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
}

/// However an answer is cut into pieces, the same is heard of it.
pub fn same_at_every_cut(provider: &str, settings: &[(&str, &str)], answer: &Answer) {
    let whole = hear(provider, settings, answer, usize::MAX);
    let size = 1 + answer.body.len() % 7;
    let pieces = hear(provider, settings, answer, size);
    // How much comes out of gzip before its damage is seen depends on the cut.
    if answer.body.first() == Some(&0x1f) && whole.ended.or(pieces.ended).is_some() {
        return;
    }
    assert_eq!(whole, pieces, "in pieces of {size}");
}
