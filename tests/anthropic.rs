//! Anthropic's Messages: how a request is asked, how each event is read, and what goes back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use support::c;
use support::server::Server;
use support::splits::assert_the_same_at_every_cut;
use tolmach::{ChunkKind, Client, Config, Error, ErrorKind, Polled, Request, Session};

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";

fn client(url: &str, settings: &[(&str, &str)]) -> Client {
    let mut config = Config::new("anthropic").unwrap();
    let common =
        [("base_url", url), ("proxy", "direct"), ("api_key", "test-key"), ("max_retries", "0")];
    for (key, value) in common.iter().chain(settings) {
        config.set(key, Some(value)).unwrap();
    }
    Client::new(&config).unwrap()
}

/// What an answer says, a line a chunk; pieces of one text or one call are one line.
#[derive(Debug)]
struct Heard {
    lines: Vec<String>,
    error: Option<Error>,
    /// The message for the next turn.
    reply: Value,
}

fn hear(client: &Client, request: &Request) -> Heard {
    let mut session = Session::open(client, request).unwrap();
    hear_session(&mut session, usize::MAX)
}

/// Hears a session until its end, or until so many chunks, after which it is cancelled.
fn hear_session(session: &mut Session, chunks: usize) -> Heard {
    let mut said: Vec<(ChunkKind, i32, String)> = Vec::new();
    let mut error = None;
    for _ in 0..chunks {
        let chunk = match session.poll(Some(support::LONG)) {
            Ok(Polled::Chunk(chunk)) => chunk,
            Ok(Polled::End) => break,
            Ok(Polled::Pending) => panic!("the session hangs"),
            Err(failed) => {
                error = Some(failed);
                break;
            }
        };
        let text = match chunk.kind {
            ChunkKind::State => continue,
            ChunkKind::Text | ChunkKind::Reasoning | ChunkKind::ToolCall => {
                let same = said.last_mut().filter(|(kind, index, _)| {
                    (*kind, *index) == (chunk.kind, chunk.index) && chunk.id.is_empty()
                });
                if let Some((_, _, text)) = same {
                    text.push_str(chunk.text);
                    continue;
                }
                match chunk.kind {
                    ChunkKind::ToolCall => {
                        format!("tool {} {} {} ", chunk.index, chunk.id, chunk.name) + chunk.text
                    }
                    ChunkKind::Reasoning => format!("{}: {}", chunk.name, chunk.text),
                    _ => format!("text: {}", chunk.text),
                }
            }
            ChunkKind::Usage => {
                let usage = chunk.usage;
                format!(
                    "usage {} + {} = {}, cached {}, written {}, reasoning {}",
                    usage.input,
                    usage.output,
                    usage.total,
                    usage.cached_input,
                    usage.cache_write,
                    usage.reasoning
                )
            }
            ChunkKind::Source => format!("source {} {} {}", chunk.index, chunk.text, chunk.name),
            kind => {
                let kind = format!("{kind:?}").to_lowercase();
                format!("{kind}: {} {}", chunk.text, chunk.name).trim_end().to_owned()
            }
        };
        said.push((chunk.kind, chunk.index, text));
    }
    let reply = session.replies().to_json().unwrap();
    let reply = serde_json::from_str(&reply).unwrap_or_default();
    Heard { lines: said.into_iter().map(|(_, _, line)| line).collect(), error, reply }
}

impl Heard {
    /// All of it as lines: the chunks, the error, and what goes back beside text and calls.
    fn all(&self) -> Vec<String> {
        let mut lines = self.lines.clone();
        if let Some(error) = &self.error {
            lines.push(format!("error {:?} {}", error.kind(), error.provider_code()));
        }
        let items = self.reply.pointer("/tolmach/items").and_then(Value::as_array);
        lines.extend(items.into_iter().flatten().map(|item| format!("kept {item}")));
        lines
    }
}

fn request(fields: Value) -> Request {
    Request::from_json(&fields.to_string()).unwrap()
}

fn hello() -> Request {
    request(json!({"model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": "Hi"}]}))
}

fn fixture(name: &str) -> String {
    let folder = c::root().join("tests/fixtures/anthropic");
    let file = |kind| folder.join(format!("{name}.{kind}"));
    let place = if file("json").exists() { file("json") } else { file("sse") };
    fs::read_to_string(place).unwrap()
}

fn chunks_of(name: &str) -> PathBuf {
    c::root().join(format!("tests/fixtures/anthropic/{name}.chunks"))
}

fn content_type(body: &str) -> &'static str {
    if body.starts_with('{') { JSON } else { SSE }
}

fn is_read(name: &str) {
    let body = fixture(name);
    let server = Server::answering(content_type(&body), body.clone());
    let heard = hear(&client(&server.url(), &[]), &hello()).all().join("\n") + "\n";
    if std::env::var_os("TOLMACH_TEST_BLESS").is_some() {
        fs::write(chunks_of(name), &heard).unwrap();
    }
    assert_eq!(heard, fs::read_to_string(chunks_of(name)).unwrap(), "{name}");
    let settings = [("api_key", "k")];
    assert_the_same_at_every_cut("anthropic", &settings, content_type(&body), body.clone());
    is_never_a_quiet_success_when_cut(name, &body, heard.lines().last().unwrap());
}

/// Whatever part of the body comes, in a response that is whole, the answer is truncated.
fn is_never_a_quiet_success_when_cut(name: &str, body: &str, last: &str) {
    let end = match body.find("{\"type\":\"message_stop\"}") {
        Some(at) => at + "{\"type\":\"message_stop\"}".len(),
        None => body.trim_end().len(),
    };
    let cut = Arc::new(AtomicUsize::new(0));
    let (at, sent) = (Arc::clone(&cut), body.to_owned());
    let server = Server::start(move |exchange| {
        let part = &sent.as_bytes()[..at.load(Ordering::SeqCst)];
        exchange.whole(200, content_type(&sent), part);
    });
    let client = client(&server.url(), &[]);
    for place in 0..end {
        cut.store(place, Ordering::SeqCst);
        let heard = hear(&client, &hello());
        let kind = heard.error.as_ref().map(Error::kind);
        assert_eq!(kind, Some(ErrorKind::Truncated), "{name} cut at {place}: {heard:?}");
        assert!(heard.lines.iter().all(|line| !line.starts_with("finish")), "{name} at {place}");
    }
    cut.store(end, Ordering::SeqCst);
    let heard = hear(&client, &hello());
    assert_eq!(heard.error.is_some(), last.starts_with("error"), "{name}: {heard:?}");
}

macro_rules! fixtures {
    ($($name:ident),* $(,)?) => {
        /// One test a fixture: read whole, cut in two at every byte, and cut off at every byte.
        mod fixture_is_read {
            $(#[test] fn $name() { super::is_read(stringify!($name)); })*
        }

        #[test]
        fn every_fixture_is_read() {
            let listed = BTreeSet::from([$(stringify!($name).to_owned()),*]);
            let folder = c::root().join("tests/fixtures/anthropic");
            let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
            let files = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
            assert_eq!(files.collect::<BTreeSet<String>>(), listed);
        }
    };
}

fixtures!(
    api_error,
    caller,
    citations,
    compaction,
    crlf,
    cut_in_tool,
    done,
    empty_tool,
    fallback,
    fetched,
    no_block_start,
    omitted_thinking,
    overloaded,
    parallel_tools,
    redacted,
    refusal,
    server_tools,
    spend_limit,
    text,
    thinking,
    too_large,
    unknown,
    usage,
    whole,
);
