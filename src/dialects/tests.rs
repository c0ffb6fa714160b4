//! Events that are like one before them: whole sessions come to the same as if they were parsed.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::client::Client;
use crate::config::Config;
use crate::request::Request;
use crate::session::{Polled, Session};

#[path = "../../fuzz/src/near.rs"]
#[allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "it is for tests, and of two crates"
)]
mod near;

use near::{DIALECTS, Dialect, streams, vary};

/// A file of a test's own, which goes with it.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> File {
        File(std::env::temp_dir().join(format!("tolmach-{name}-{}.jsonl", std::process::id())))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

/// All that a program sees of an answer that comes in pieces of `size`, with and without
/// moulds, and how many events were not parsed.
fn hear(
    dialect: &Dialect,
    body: &[u8],
    size: usize,
    file: &File,
    is_quick: bool,
) -> (Vec<String>, u64) {
    let url = format!("https://host{}", dialect.place);
    let mut recording = "{\"tolmach_recording\":1}\n".to_owned();
    let mut line = |moment: serde_json::Value| {
        let mut line = json!({"exchange": 1, "at_ms": 0});
        line.as_object_mut().unwrap().extend(moment.as_object().unwrap().clone());
        recording.push_str(&format!("{line}\n"));
    };
    line(json!({"method": "POST", "url": url}));
    line(json!({"status": 200, "headers": [["content-type", "text/event-stream"]]}));
    body.chunks(size).for_each(|piece| line(json!({"base64": BASE64.encode(piece)})));
    line(json!({"end": true}));
    fs::write(&file.0, recording).unwrap();
    let mut config = Config::new(dialect.provider).unwrap();
    let replay =
        [("replay_file", file.0.to_str().unwrap()), ("proxy", "direct"), ("max_retries", "0")];
    for (key, value) in replay.iter().chain(dialect.settings) {
        config.set(key, Some(value)).unwrap();
    }
    if !is_quick {
        config.quick.turn_off();
    }
    let mut request = Request::new(Some(dialect.model));
    request.message("user", "Hi").unwrap();
    let mut session = Session::open(&Client::new(&config).unwrap(), &request).unwrap();
    let mut heard = Vec::new();
    loop {
        match session.poll(None) {
            Ok(Polled::Chunk(chunk)) => heard.push(format!("{chunk:?}")),
            Ok(_) => break,
            Err(error) => {
                heard.push(format!("{error:?}"));
                break;
            }
        }
    }
    heard.push(session.replies().to_json().unwrap());
    let told = session.facts().told().unwrap();
    heard.push(format!("{:?} {} {}", told.changed, told.model, told.attempts));
    (heard.iter().map(|text| without_made_up_ids(text)).collect(), config.quick.hits())
}

/// Ids that are made up are random.
fn without_made_up_ids(text: &str) -> String {
    let mut pieces = text.split("call_");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        let is_made_up = |id: &&str| id.bytes().all(|byte| byte.is_ascii_hexdigit());
        text + "call_" + piece.get(..32).filter(is_made_up).map_or(piece, |_| &piece[32..])
    })
}

/// Hears `body` with and without moulds; how many events were not parsed.
fn compare(dialect: &Dialect, body: &[u8], size: usize, file: &File) -> u64 {
    let (parsed, none) = hear(dialect, body, size, file, false);
    let (heard, hits) = hear(dialect, body, size, file, true);
    let (folder, text) = (dialect.folder, String::from_utf8_lossy(body));
    assert_eq!(heard, parsed, "{folder} in pieces of {size}: {text}");
    assert_eq!(none, 0);
    hits
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn recorded_streams_come_to_the_same_as_if_each_event_were_parsed() {
    let file = File::new("recorded");
    for dialect in DIALECTS {
        let mut hits = 0;
        for (_, body) in streams(root(), dialect) {
            compare(dialect, &body, usize::MAX, &file);
            compare(dialect, &body, 5, &file);
            // Each event twice.
            let body = vary(&body, &mut |below| usize::from(below != 3));
            hits += compare(dialect, &body, usize::MAX, &file);
        }
        assert!(hits > 0, "{}: {hits}", dialect.folder);
    }
}

#[test]
fn events_that_are_nearly_alike_come_to_the_same_as_if_each_were_parsed() {
    let file = File::new("near");
    let mut random = fastrand::Rng::with_seed(7);
    for dialect in DIALECTS {
        let mut hits = 0;
        let streams = streams(root(), dialect);
        for (_, body) in streams.iter().cycle().take(100) {
            let body = vary(body, &mut |below| random.usize(..below));
            let size = [usize::MAX, 1, 64][random.usize(..3)];
            hits += compare(dialect, &body, size, &file);
        }
        assert!(hits > 10, "{}: {hits}", dialect.folder);
    }
}
