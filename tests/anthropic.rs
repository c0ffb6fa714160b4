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
use support::aimock::{Aimock, KEY};
use support::c;
use support::server::Server;
use support::splits::end_at_every_cut;
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

/// As llama-server streams, now and then.
#[test]
fn answer_that_is_never_begun_begins_with_its_first_piece() {
    let body = r#"event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}

event: message_stop
data: {"type":"message_stop"}

"#;
    let server = Server::answering(SSE, body);
    let heard = hear(&client(&server.url(), &[]), &hello());
    assert_eq!(
        heard.lines,
        [
            "start:  claude-sonnet-4-6",
            "text: Hi",
            "usage -1 + 1 = -1, cached -1, written -1, reasoning -1",
            "finish: stop end_turn",
        ]
    );
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

/// The chunks of a fixture that is read whole.
fn read(name: &str) -> String {
    let body = fixture(name);
    let server = Server::answering(content_type(&body), body);
    hear(&client(&server.url(), &[]), &hello()).all().join("\n") + "\n"
}

fn is_cut(name: &str) {
    let body = fixture(name);
    let settings = [("api_key", "k")];
    // How it ends is asserted with its chunks.
    let last = read(name).lines().last().unwrap().to_owned();
    let end = end_at_every_cut("anthropic", &settings, content_type(&body), body.clone());
    assert_eq!(end.is_err(), last.starts_with("error"), "{name}");
    is_never_a_quiet_success_when_cut(name, &body, &last);
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
        /// One test a fixture: cut in two at every byte, and cut off at every byte.
        mod fixture_is_cut {
            $(#[test] fn $name() { super::is_cut(stringify!($name)); })*
        }

        #[test]
        fn every_fixture_is_read() {
            for name in [$(stringify!($name)),*] {
                assert_eq!(read(name), fs::read_to_string(chunks_of(name)).unwrap(), "{name}");
            }
        }

        #[test]
        fn every_fixture_is_listed() {
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
    no_block_stop,
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

/// What the server is sent for a request.
fn sent(settings: &[(&str, &str)], request: &Request) -> support::server::Request {
    let server = Server::answering(SSE, fixture("text"));
    let heard = hear(&client(&server.url(), settings), request);
    assert!(heard.error.is_none(), "{heard:?}");
    server.requests().remove(0)
}

/// The body of a request with those fields, and "Hi" where they have no messages.
fn body(fields: Value) -> Value {
    body_of("claude-sonnet-4-6", fields)
}

fn body_of(model: &str, fields: Value) -> Value {
    let mut all = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    sent(&[], &request(all)).json()
}

/// The messages that a conversation is sent as.
fn messages(messages: Value) -> Value {
    body(json!({"messages": messages}))["messages"].clone()
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

#[test]
fn request_has_its_headers_and_no_more_than_it_needs() {
    let sent = sent(&[], &hello());
    assert_eq!((&*sent.method, &*sent.path), ("POST", "/messages"));
    for (name, value) in [
        ("x-api-key", Some("test-key")),
        ("authorization", None),
        ("anthropic-version", Some("2023-06-01")),
        ("anthropic-beta", None),
        ("accept", Some(SSE)),
        ("accept-encoding", Some("identity")),
        ("content-type", Some(JSON)),
    ] {
        assert_eq!(sent.header(name), value, "{name}");
    }
    assert_eq!(
        sent.json(),
        json!({"model": "claude-sonnet-4-6", "max_tokens": 8192, "stream": true,
            "messages": [{"role": "user", "content": [text_block("Hi")]}]})
    );
}

#[test]
fn keys_of_the_config_make_headers_and_urls() {
    let sent = |settings: &[(&str, &str)]| self::sent(settings, &hello());
    let bearer = sent(&[("auth_scheme", "bearer")]);
    assert_eq!(bearer.header("authorization"), Some("Bearer test-key"));
    assert_eq!(bearer.header("x-api-key"), None);
    let own = sent(&[("auth_scheme", "x-api-key")]);
    assert_eq!((own.header("x-api-key"), own.header("authorization")), (Some("test-key"), None));
    let none = sent(&[("api_key", "")]);
    assert_eq!((none.header("x-api-key"), none.header("authorization")), (None, None));
    let other = sent(&[("anthropic_version", "2026-10-21"), ("anthropic_beta", "a-1,b-2")]);
    assert_eq!(other.header("anthropic-version"), Some("2026-10-21"));
    assert_eq!(other.header("anthropic-beta"), Some("a-1,b-2"));
    let server = Server::answering(SSE, fixture("text"));
    for (key, value, path) in [
        ("endpoint", "/v2/ask?x=1", "/v2/ask?x=1"),
        ("base_url", "/anthropic/v1/", "/anthropic/v1/messages"),
        ("base_url", "/v1?version=1", "/v1/messages?version=1"),
    ] {
        hear(&client(&server.url(), &[(key, &(server.url() + value))]), &hello());
        assert_eq!(server.requests().last().unwrap().path, path);
    }
    let error = Config::new("anthropic").unwrap().set("auth_scheme", Some("basic")).unwrap_err();
    assert!(error.message().contains("x-api-key or bearer"), "{error}");
}

#[test]
fn system_messages_at_the_start_become_the_system_text() {
    let cached = json!({"type": "ephemeral", "ttl": "1h"});
    let user = json!({"role": "user", "content": "Hi"});
    let body = self::body(json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind.", "cache_control": cached}, {"type": "text", "text": " "}]},
        {"role": "system", "content": "", },
        {"role": "system", "content": "Be.", "cache_control": cached},
        user,
    ]}));
    assert_eq!(
        body["system"],
        json!([
            text_block("Be brief."),
            {"type": "text", "text": "Be kind.", "cache_control": cached},
            {"type": "text", "text": "Be.", "cache_control": cached},
        ])
    );
    assert_eq!(body["messages"], json!([{"role": "user", "content": [text_block("Hi")]}]));
    for own in [json!("Own."), json!([text_block("Own.")])] {
        let body = self::body(
            json!({"system": own, "messages": [{"role": "system", "content": "S"}, user]}),
        );
        assert_eq!(body["system"], json!([text_block("Own."), text_block("S")]));
    }
    assert_eq!(self::body(json!({})).get("system"), None);
}

#[test]
fn later_system_messages_stand_in_place_or_in_a_user_message() {
    let all = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "system", "content": "S"},
        {"role": "user", "content": "c"},
    ]);
    let turn = |role: &str, blocks: Value| json!({"role": role, "content": blocks});
    let start =
        [turn("user", json!([text_block("a")])), turn("assistant", json!([text_block("b")]))];
    let merged = turn("user", json!([text_block("<system>\nS\n</system>"), text_block("c")]));
    assert_eq!(messages(all.clone()), json!([start[0], start[1], merged]));
    let request = request(json!({"model": "claude-sonnet-5", "messages": all}));
    let in_place = sent(&[("anthropic_version", "2026-10-21")], &request).json();
    let rest = [turn("system", json!([text_block("S")])), turn("user", json!([text_block("c")]))];
    assert_eq!(in_place["messages"], json!([start[0], start[1], rest[0], rest[1]]));
}

#[test]
fn parts_of_content_become_blocks() {
    let base64 = |mime: &str| json!({"type": "base64", "media_type": mime, "data": "AAAA"});
    let cached = json!({"type": "ephemeral"});
    for (part, block) in [
        (
            json!({"type": "text", "text": "a", "cache_control": cached}),
            json!({"type": "text", "text": "a", "cache_control": cached}),
        ),
        (
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "cache_control": cached}),
            json!({"type": "image", "source": base64("image/png"), "cache_control": cached}),
        ),
        (
            json!({"type": "image_url", "image_url": {"url": "https://h.example/i.png", "detail": "auto"}}),
            json!({"type": "image", "source": {"type": "url", "url": "https://h.example/i.png"}}),
        ),
        (
            json!({"type": "file", "file": {"filename": "f.pdf", "file_data": "data:application/pdf;base64,AAAA"}, "citations": {"enabled": true}}),
            json!({"type": "document", "source": base64("application/pdf"), "title": "f.pdf", "citations": {"enabled": true}}),
        ),
        (
            json!({"type": "file", "file": {"file_data": "data:image/gif;base64,AAAA"}}),
            json!({"type": "image", "source": base64("image/gif")}),
        ),
        (
            json!({"type": "file", "file": {"filename": "f.md", "file_data": "data:text/markdown;base64,SGk="}}),
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}, "title": "f.md"}),
        ),
        (
            json!({"type": "file", "file": {"file_url": "https://h.example/f.pdf"}}),
            json!({"type": "document", "source": {"type": "url", "url": "https://h.example/f.pdf"}}),
        ),
        (
            json!({"type": "file", "file": {"file_id": "file_1"}}),
            json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
        ),
        (
            json!({"type": "container_upload", "file_id": "file_1"}),
            json!({"type": "container_upload", "file_id": "file_1"}),
        ),
    ] {
        let sent =
            messages(json!([{"role": "user", "content": [part, {"type": "text", "text": ""}]}]));
        assert_eq!(sent, json!([{"role": "user", "content": [block]}]));
    }
    let attached = {
        let mut request = hello();
        request.attach(b"%PDF-1.4", None).unwrap();
        sent(&[], &request).json()
    };
    let source = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="});
    assert_eq!(
        attached["messages"][0]["content"],
        json!([{"type": "document", "source": source, "title": "attachment.pdf"}, text_block("Hi")])
    );
}

#[test]
fn results_of_tools_come_first_in_one_user_message() {
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let sent = messages(json!([
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call("t1", "{\"x\":1}"), call("t2", "")]},
        {"role": "tool", "tool_call_id": "t1", "content": "one", "cache_control": {"type": "ephemeral"}},
        {"role": "user", "content": "and"},
        {"role": "tool", "tool_call_id": "t2", "content": [{"type": "text", "text": "two"}, {"type": "image_url", "image_url": {"url": "https://h.example/i"}}], "is_error": true},
        {"role": "assistant", "content": "c"},
        {"role": "assistant", "tool_calls": [call("fns.g:0", "{}")]},
        {"role": "tool", "tool_call_id": "fns.g:0", "content": ""},
    ]));
    let use_of =
        |id: &str, input: Value| json!({"type": "tool_use", "id": id, "name": "f", "input": input});
    assert_eq!(
        sent,
        json!([
            {"role": "user", "content": [text_block("a"), text_block("b")]},
            {"role": "assistant", "content": [text_block("I look."), use_of("t1", json!({"x": 1})), use_of("t2", json!({}))]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [text_block("one")], "cache_control": {"type": "ephemeral"}},
                {"type": "tool_result", "tool_use_id": "t2", "content": [text_block("two"), {"type": "image", "source": {"type": "url", "url": "https://h.example/i"}}], "is_error": true},
                text_block("and"),
            ]},
            {"role": "assistant", "content": [text_block("c"), use_of("fns_g_0", json!({}))]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "fns_g_0"}]},
        ])
    );
    // Other models know their own ids only.
    let own = json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [call("fns.g:0", "{}")]},
        {"role": "tool", "tool_call_id": "fns.g:0", "content": "1"},
    ]});
    let sent = body_of("kimi-k3", own);
    assert_eq!(sent["messages"][1]["content"][0]["id"], "fns.g:0");
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "fns.g:0");
}

#[test]
fn conversation_that_the_api_would_refuse_is_made_right() {
    let call =
        json!({"id": "t1", "type": "function", "function": {"name": "f", "arguments": "[1]"}});
    let opener = json!({"role": "user", "content": [text_block("(The conversation begins.)")]});
    for (given, wanted) in [
        // It begins with a user message.
        (
            json!([{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]),
            json!([opener, {"role": "assistant", "content": [text_block("a")]}, {"role": "user", "content": [text_block("b")]}]),
        ),
        (json!([{"role": "system", "content": "S"}]), json!([opener])),
        // No text is empty, and what is to be gone on with does not end in white space.
        (
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "\n"}, {"role": "user", "content": "b"}]),
            json!([{"role": "user", "content": [text_block("a"), text_block("b")]}]),
        ),
        (
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b: \n"}]),
            json!([{"role": "user", "content": [text_block("a")]}, {"role": "assistant", "content": [text_block("b:")]}]),
        ),
        // A call without a result is left out.
        (
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "tool_calls": [call]}, {"role": "user", "content": "c"}]),
            json!([{"role": "user", "content": [text_block("a")]}, {"role": "assistant", "content": [text_block("b")]}, {"role": "user", "content": [text_block("c")]}]),
        ),
        // Arguments are an object.
        (
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "t1", "content": "1"}]),
            json!([{"role": "user", "content": [text_block("a")]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"arguments": [1]}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [text_block("1")]}]}]),
        ),
        // A refusal is what the assistant said.
        (
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "refusal": "No."}, {"role": "user", "content": "b"}]),
            json!([{"role": "user", "content": [text_block("a")]}, {"role": "assistant", "content": [text_block("No.")]}, {"role": "user", "content": [text_block("b")]}]),
        ),
    ] {
        assert_eq!(messages(given.clone()), wanted, "{given}");
    }
}

#[test]
fn thinking_brought_from_elsewhere_goes_back_with_its_signature_only() {
    let signed = json!({"type": "thinking", "thinking": "t", "signature": "s"});
    let redacted = json!({"type": "redacted_thinking", "data": "d"});
    let bare = json!({"type": "thinking", "thinking": "u"});
    let turns = |assistant: Value| json!([{"role": "user", "content": "a"}, assistant, {"role": "user", "content": "b"}]);
    let blocks = |model: &str, assistant: Value| {
        body_of(model, json!({"messages": turns(assistant)}))["messages"][1]["content"].clone()
    };
    let brought = json!({"role": "assistant", "content": "c", "reasoning_content": "r", "thinking_blocks": [signed, bare, redacted, {"type": "other"}]});
    assert_eq!(
        blocks("claude-opus-5", brought.clone()),
        json!([signed, redacted, text_block("c")])
    );
    // Other models sign nothing, and some want theirs back.
    assert_eq!(
        blocks("deepseek-v4-pro", brought),
        json!([signed, bare, redacted, text_block("c")])
    );
    let plain = json!({"role": "assistant", "content": "c", "reasoning_content": "r"});
    assert_eq!(blocks("claude-opus-5", plain), json!([text_block("c")]));
    // Thinking at the end is not sent.
    let cut = json!({"role": "assistant", "content": "", "thinking_blocks": [signed]});
    assert_eq!(blocks("claude-opus-5", cut), Value::Null);
}

#[test]
fn tools_and_what_is_said_about_them_are_mapped() {
    let schema = json!({"type": "object", "properties": {"x": {"type": "integer"}}});
    let cached = json!({"type": "ephemeral"});
    let search = json!({"type": "web_search_20260209", "name": "web_search", "max_uses": 3});
    let tools = json!([
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema, "strict": true, "input_examples": [{"x": 1}]}, "cache_control": cached},
        {"type": "function", "function": {"name": "g", "description": null}},
        {"type": "function", "function": {"name": "h", "parameters": {}}},
        {"name": "own", "input_schema": schema, "eager_input_streaming": true},
        search,
    ]);
    let body = self::body(json!({"tools": tools}));
    assert_eq!(
        body["tools"],
        json!([
            {"name": "f", "description": "d", "input_schema": schema, "strict": true, "input_examples": [{"x": 1}], "cache_control": cached},
            {"name": "g", "input_schema": {"type": "object"}},
            {"name": "h", "input_schema": {"type": "object"}},
            {"name": "own", "input_schema": schema, "eager_input_streaming": true},
            search,
        ])
    );
    assert_eq!(body.get("tool_choice"), None);
    for (fields, wanted) in [
        (json!({"tool_choice": "auto"}), json!({"type": "auto"})),
        (json!({"tool_choice": "none"}), json!({"type": "none"})),
        (json!({"tool_choice": "required"}), json!({"type": "any"})),
        (
            json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}),
            json!({"type": "tool", "name": "f"}),
        ),
        (
            json!({"tool_choice": {"type": "any", "disable_parallel_tool_use": true}}),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (
            json!({"parallel_tool_calls": false}),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (
            json!({"parallel_tool_calls": false, "tool_choice": "required"}),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (json!({"parallel_tool_calls": false, "tool_choice": "none"}), json!({"type": "none"})),
        (json!({"parallel_tool_calls": true}), Value::Null),
    ] {
        let mut all = fields.clone();
        all["tools"] = tools.clone();
        assert_eq!(self::body(all)["tool_choice"], wanted, "{fields}");
        // Without tools there is nothing to choose.
        assert_eq!(self::body(fields).get("tool_choice"), None);
    }
}

#[test]
fn fields_are_mapped_or_pass_as_they_are() {
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "schema": schema});
    let given = json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    for (fields, place, wanted) in [
        (json!({"max_tokens": 5}), "/max_tokens", json!(5)),
        (json!({"max_completion_tokens": 6}), "/max_tokens", json!(6)),
        (json!({"max_completion_tokens": 6}), "/max_completion_tokens", Value::Null),
        (json!({"max_tokens": 0}), "/max_tokens", json!(0)),
        (json!({"temperature": 0.5}), "/temperature", json!(0.5)),
        (json!({"top_p": 0.5}), "/top_p", json!(0.5)),
        (json!({"top_k": 7}), "/top_k", json!(7)),
        (json!({"stop": "."}), "/stop_sequences", json!(["."])),
        (json!({"stop": [".", " ", "!"]}), "/stop_sequences", json!([".", "!"])),
        (json!({"stop": ".", "stop_sequences": ["?"]}), "/stop_sequences", json!(["?"])),
        (json!({"user": "u"}), "/metadata", json!({"user_id": "u"})),
        (
            json!({"user": "u", "metadata": {"user_id": "v", "x": 1}}),
            "/metadata",
            json!({"user_id": "v"}),
        ),
        (json!({"metadata": {"x": 1}}), "/metadata", Value::Null),
        (json!({"response_format": given}), "/output_config", json!({"format": format})),
        (json!({"response_format": given}), "/response_format", Value::Null),
        (
            json!({"response_format": given, "output_config": {"effort": "low"}}),
            "/output_config",
            json!({"format": format, "effort": "low"}),
        ),
        (json!({"response_format": {"type": "text"}}), "/output_config", Value::Null),
        (
            json!({"response_format": {"type": "json_object"}}),
            "/system/0/text",
            json!("Answer with a single JSON object and nothing else."),
        ),
        (
            json!({"response_format": {"type": "json_object"}, "system": "S"}),
            "/system/1/text",
            json!("Answer with a single JSON object and nothing else."),
        ),
        (json!({"reasoning_effort": "high"}), "/output_config/effort", json!("high")),
        (json!({"reasoning": {"effort": "high"}}), "/output_config/effort", json!("high")),
        (json!({"reasoning": {"effort": "high"}}), "/reasoning", Value::Null),
        (
            json!({"reasoning_effort": "high", "output_config": {"effort": "low"}}),
            "/output_config/effort",
            json!("low"),
        ),
        (
            json!({"reasoning_effort": "high", "thinking": {"type": "disabled"}}),
            "/thinking",
            json!({"type": "disabled"}),
        ),
        (json!({"service_tier": "auto"}), "/service_tier", json!("auto")),
        (json!({"service_tier": "standard_only"}), "/service_tier", json!("standard_only")),
        (json!({"service_tier": "default"}), "/service_tier", json!("standard_only")),
        (json!({"container": "c"}), "/container", json!("c")),
        (json!({"mcp_servers": [{"type": "url"}]}), "/mcp_servers", json!([{"type": "url"}])),
        (json!({"context_management": {"edits": []}}), "/context_management", json!({"edits": []})),
        (
            json!({"cache_control": {"type": "ephemeral"}}),
            "/cache_control",
            json!({"type": "ephemeral"}),
        ),
        (
            json!({"n": 1, "logprobs": false, "logit_bias": {}, "modalities": ["text"]}),
            "/n",
            Value::Null,
        ),
        (json!({"seed": 7}), "/seed", Value::Null),
    ] {
        let body = self::body(fields.clone());
        assert_eq!(body.pointer(place).cloned().unwrap_or_default(), wanted, "{fields} {place}");
    }
    let tier = body_of("MiniMax-M2.7", json!({"service_tier": "priority"}));
    assert_eq!(tier["service_tier"], "priority");
}

#[test]
fn what_has_no_counterpart_is_unsupported_by_name() {
    let server = Server::answering(SSE, fixture("text"));
    let client = client(&server.url(), &[]);
    let audio = json!([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}]);
    let sheet = json!([{"role": "user", "content": [{"type": "file", "file": {"file_data": "data:application/zip;base64,AAAA"}}]}]);
    for (fields, name) in [
        (json!({"n": 2}), "n"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"top_logprobs": 3}), "top_logprobs"),
        (json!({"logit_bias": {"1": 2}}), "logit_bias"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
        (json!({"audio": {"voice": "a"}}), "audio"),
        (json!({"web_search_options": {"user_location": {}}}), "web_search_options"),
        (json!({"functions": [{"name": "f"}]}), "functions"),
        (json!({"response_format": {"type": "grammar"}}), "response_format"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "allowed_tools"}}),
            "tool_choice",
        ),
        (json!({"messages": audio}), "input_audio"),
        (json!({"messages": sheet}), "application/zip"),
        (json!({"messages": [{"role": "function", "name": "f", "content": "1"}]}), "function"),
    ] {
        let mut all = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let error = hear(&client, &request(all)).error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{fields}");
        assert!(error.message().contains(name), "{error}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn answer_that_is_not_to_be_streamed_is_asked_for_as_json() {
    let server = Server::answering(JSON, fixture("whole"));
    let request =
        request(json!({"stream": false, "messages": [{"role": "user", "content": "Hi"}]}));
    let heard = hear(&client(&server.url(), &[("model", "m")]), &request);
    assert_eq!(heard.lines.last().unwrap(), "finish: tool_calls tool_use");
    let sent = server.requests().remove(0);
    assert_eq!(sent.header("accept"), Some(JSON));
    assert_eq!((&sent.json()["stream"], &sent.json()["model"]), (&json!(false), &json!("m")));
}

/// What each row of the table refuses, as the API says it.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("claude-sonnet-5-5", "/temperature", "`temperature` is deprecated for this model."),
    ("claude-opus-5-5", "/tool_choice/type", "forced tool use is not supported"),
    ("claude-fable-5-1", "/thinking/budget_tokens", "thinking.type: enabled is not supported"),
    ("claude-fable-5-2", "/thinking/type", "thinking.type: disabled is not supported"),
    ("claude-haiku-5-5", "/top_p", "`top_p` is deprecated for this model."),
    ("claude-opus-5", "/top_k", "`top_k` is deprecated for this model."),
    ("claude-fable-5", "/thinking/type", "thinking.type: disabled is not supported"),
    ("claude-sonnet-5", "/temperature", "`temperature` is deprecated for this model."),
    ("claude-opus-4-8", "/top_p", "`top_p` is deprecated for this model."),
    ("claude-opus-4-7", "/top_k", "`top_k` is deprecated for this model."),
    ("claude-sonnet-4-6", "/max_tokens", "max_tokens: 200000 > 128000"),
    ("claude-opus-4-6", "/max_tokens", "max_tokens: 200000 > 128000"),
    ("claude-sonnet-4-5", "/max_tokens", "max_tokens: 200000 > 64000"),
    ("claude-opus-4-5", "/max_tokens", "max_tokens: 200000 > 64000"),
    ("claude-haiku-4-5", "/max_tokens", "max_tokens: 200000 > 64000"),
    ("claude-opus-4-1", "/max_tokens", "max_tokens: 200000 > 32000"),
    ("claude-opus-4-20250514", "/max_tokens", "max_tokens: 200000 > 32000"),
    ("claude-sonnet-4-20250514", "/max_tokens", "max_tokens: 200000 > 64000"),
];

/// What makes a model refuse at `place`.
fn refused(place: &str) -> Value {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    match place {
        "/tool_choice/type" => json!({"tools": tools, "tool_choice": "required"}),
        "/thinking/budget_tokens" => {
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}})
        }
        "/thinking/type" => json!({"thinking": {"type": "disabled"}}),
        "/max_tokens" => json!({"max_tokens": 200_000}),
        place => json!({place.trim_start_matches('/'): 0.5}),
    }
}

/// Whether a body holds what is refused at `place`.
fn holds(body: &Value, place: &str) -> bool {
    match (place, body.pointer(place)) {
        (_, None) => false,
        ("/tool_choice/type", Some(kind)) => kind != "auto",
        ("/thinking/type", Some(kind)) => kind == "disabled",
        ("/max_tokens", Some(most)) => *most == json!(200_000),
        _ => true,
    }
}

#[test]
fn what_a_model_refuses_is_not_sent_and_a_refusal_is_told() {
    for (model, place, message) in REFUSALS {
        let server = Server::start(move |exchange| {
            let body = exchange.request.json();
            if holds(&body, place) || body["messages"][0]["content"][0]["text"] == "refuse" {
                let error = json!({"type": "invalid_request_error", "message": message});
                let body = json!({"type": "error", "error": error, "request_id": "req_1"});
                return exchange.whole(400, JSON, body.to_string());
            }
            exchange.stream(fixture("text"));
        });
        let client = client(&server.url(), &[]);
        let ask = |text: &str| {
            let mut all = refused(place);
            all["model"] = (*model).into();
            all["messages"] = json!([{"role": "user", "content": text}]);
            hear(&client, &request(all))
        };
        let heard = ask("Hi");
        assert!(heard.error.is_none(), "{model} {place}: {heard:?}");
        let error = ask("refuse").error.unwrap();
        assert_eq!(error.kind(), ErrorKind::BadRequest, "{model}: {error}");
        assert_eq!(
            (error.provider_code(), error.http_status()),
            ("invalid_request_error", Some(400))
        );
        assert!(error.message().contains(message), "{error}");
    }
}

#[test]
fn errors_before_the_answer_are_told_apart() {
    for (status, code, kind) in [
        (400, "invalid_request_error", ErrorKind::BadRequest),
        (401, "authentication_error", ErrorKind::Auth),
        (402, "billing_error", ErrorKind::Quota),
        (403, "permission_error", ErrorKind::Auth),
        (404, "not_found_error", ErrorKind::NotFound),
        (409, "conflict_error", ErrorKind::Server),
        (413, "request_too_large", ErrorKind::BadRequest),
        (429, "rate_limit_error", ErrorKind::RateLimited),
        (500, "api_error", ErrorKind::Server),
        (504, "timeout_error", ErrorKind::Server),
        (529, "overloaded_error", ErrorKind::Server),
    ] {
        let body = json!({"type": "error", "error": {"type": code, "message": "Scripted"}, "request_id": "req_1"});
        let server = Server::start(move |exchange| {
            let body = body.to_string();
            let length = body.len().to_string();
            exchange.head(status, &[("request-id", "req_1"), ("Content-Length", &length)]);
            exchange.send(body);
        });
        let error = hear(&client(&server.url(), &[]), &hello()).error.unwrap();
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!((error.provider_code(), error.request_id()), (code, "req_1"));
        assert!(error.message().contains("Scripted"), "{error}");
    }
}

fn event(fields: Value) -> String {
    format!("event: {}\ndata: {fields}\n\n", fields["type"].as_str().unwrap())
}

fn begins(id: &str, usage: Value) -> String {
    event(
        json!({"type": "message_start", "message": {"id": id, "type": "message", "role": "assistant", "model": "claude-x", "content": [], "usage": usage}}),
    )
}

/// A block and what its deltas add.
fn block(index: usize, block: Value, deltas: &[Value]) -> String {
    let deltas = deltas
        .iter()
        .map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta}));
    event(json!({"type": "content_block_start", "index": index, "content_block": block}))
        + &deltas.map(event).collect::<String>()
        + &event(json!({"type": "content_block_stop", "index": index}))
}

fn text_of(index: usize, text: &str) -> String {
    block(
        index,
        json!({"type": "text", "text": ""}),
        &[json!({"type": "text_delta", "text": text})],
    )
}

fn ends(delta: Value, output: i64) -> String {
    event(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": output}}))
        + &event(json!({"type": "message_stop"}))
}

/// Thinking, text, and two calls, one of them by a toolset.
fn thinks_and_calls() -> Vec<String> {
    let thinking = json!({"type": "thinking", "thinking": "", "signature": ""});
    let call = |id: &str, more: Value| {
        let mut block = json!({"type": "tool_use", "id": id, "name": "weather", "input": {}});
        block.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        block
    };
    let city = |city: &str| {
        [
            json!({"type": "input_json_delta", "partial_json": "{\"city\":"}),
            json!({"type": "input_json_delta", "partial_json": format!("\"{city}\"}}")}),
        ]
    };
    vec![
        begins("msg_1", json!({"input_tokens": 3, "output_tokens": 1})),
        block(
            0,
            thinking,
            &[
                json!({"type": "thinking_delta", "thinking": "Two "}),
                json!({"type": "thinking_delta", "thinking": "cities."}),
                json!({"type": "signature_delta", "signature": "c2ln"}),
            ],
        ),
        text_of(1, "I look."),
        block(2, json!({"type": "redacted_thinking", "data": "ZW5j"}), &[]),
        block(3, call("toolu_1", json!({})), &city("Oslo")),
        block(
            4,
            call("toolu_2", json!({"caller": {"type": "direct"}, "toolset_name": "t"})),
            &city("Bergen"),
        ),
        ends(json!({"stop_reason": "tool_use"}), 9),
    ]
}

/// The blocks that this is sent back as.
fn thought_and_called() -> [Value; 5] {
    [
        json!({"type": "thinking", "thinking": "Two cities.", "signature": "c2ln"}),
        text_block("I look."),
        json!({"type": "redacted_thinking", "data": "ZW5j"}),
        json!({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}),
        json!({"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {"city": "Bergen"}, "caller": {"type": "direct"}, "toolset_name": "t"}),
    ]
}

/// What a server is sent in the turn after `reply`, which has gone through JSON.
fn next_turn(reply: &Value, results: &[(&str, &str)], then: Option<&str>) -> Value {
    let mut request = hello();
    request.set("reasoning_effort", "\"high\"").unwrap();
    if !reply.is_null() {
        request.message_json(&reply.to_string()).unwrap();
    }
    for (id, result) in results {
        request.tool_result(id, result).unwrap();
    }
    if let Some(text) = then {
        request.message("user", text).unwrap();
    }
    let exported = request.to_json().unwrap();
    sent(&[], &Request::from_json(&exported).unwrap()).json()["messages"].clone()
}

#[test]
fn thinking_and_parallel_calls_go_back_block_by_block() {
    let server = Server::answering(SSE, thinks_and_calls().concat());
    let heard = hear(&client(&server.url(), &[]), &hello());
    assert_eq!(heard.lines.last().unwrap(), "finish: tool_calls tool_use");
    let sent = next_turn(&heard.reply, &[("toolu_2", "rain"), ("toolu_1", "sun")], Some("And?"));
    let result = |id: &str, text: &str| json!({"type": "tool_result", "tool_use_id": id, "content": [text_block(text)]});
    assert_eq!(sent[1], json!({"role": "assistant", "content": thought_and_called()}));
    assert_eq!(
        sent[2],
        json!({"role": "user", "content": [result("toolu_2", "rain"), result("toolu_1", "sun"), text_block("And?")]})
    );
    assert_eq!(sent.as_array().unwrap().len(), 3);
}

#[test]
fn turn_that_is_cut_anywhere_is_still_valid_in_the_next_request() {
    let events = thinks_and_calls();
    let [thinking, text, redacted, first, _] = thought_and_called();
    let mut part = text.clone();
    part["text"] = "I l".into();
    let begun = |index: usize| events[..index].concat();
    let half = |index: usize, length: usize| begun(index) + &events[index][..length];
    let half_text = begun(2) + &events[2][..events[2].find("ook").unwrap()];
    let half_text = half_text.replace("I l", "I l\"}}\n\n");
    for (sent_part, blocks, results) in [
        (begun(1), json!(null), vec![]),
        // Half of the thinking, and all of it.
        (half(1, events[1].find("cities").unwrap()), json!(null), vec![]),
        (begun(2), json!(null), vec![]),
        (half_text, json!([thinking, part]), vec![]),
        (begun(3), json!([thinking, text]), vec![]),
        // Thinking that leads to nothing.
        (begun(4), json!([thinking, text]), vec![]),
        (half(4, events[4].find("Oslo").unwrap()), json!([thinking, text]), vec![]),
        (begun(5), json!([thinking, text, redacted, first]), vec![("toolu_1", "sun")]),
        // The program does not answer the call.
        (begun(5), json!([thinking, text]), vec![]),
        (
            half(5, events[5].find("Bergen").unwrap()),
            json!([thinking, text, redacted, first]),
            vec![("toolu_1", "sun")],
        ),
        (begun(6), json!(thought_and_called()), vec![("toolu_1", "sun"), ("toolu_2", "rain")]),
    ] {
        for cancelled in [false, true] {
            let (body, hold) = (sent_part.clone(), cancelled);
            let server = Server::start(move |exchange| {
                exchange.stream_head();
                exchange.chunk(&body);
                match hold {
                    true => exchange.wait_for_close(),
                    false => exchange.end_chunks(),
                }
            });
            let client = client(&server.url(), &[]);
            let mut session = Session::open(&client, &hello()).unwrap();
            let heard = match cancelled {
                true => {
                    // All that comes of what was sent has come once its last event was read.
                    let chunks = chunks_in(&sent_part);
                    let heard = hear_session(&mut session, chunks);
                    session.control().cancel();
                    heard
                }
                false => hear_session(&mut session, usize::MAX),
            };
            let kind = heard.error.as_ref().map(Error::kind);
            assert_eq!(kind, (!cancelled).then_some(ErrorKind::Truncated), "{heard:?}");
            let messages = next_turn(&heard.reply, &results, Some("Go on"));
            let assistant = messages.as_array().unwrap().iter().find(|m| m["role"] == "assistant");
            let found = assistant.map(|message| message["content"].clone()).unwrap_or_default();
            assert_eq!(found, blocks, "cancelled: {cancelled}, after {sent_part}");
        }
    }
}

/// How many chunks come of a part of an answer.
fn chunks_in(part: &str) -> usize {
    let server = Server::answering(SSE, part.to_owned());
    let client = client(&server.url(), &[]);
    let mut session = Session::open(&client, &hello()).unwrap();
    let mut chunks = 0;
    while let Ok(Polled::Chunk(_)) = session.poll(Some(support::LONG)) {
        chunks += 1;
    }
    chunks
}

/// The blocks of the assistant's message after an answer of that fixture.
fn sent_back(name: &str, results: &[(&str, &str)], then: Option<&str>) -> Value {
    let server = Server::answering(SSE, fixture(name));
    let heard = hear(&client(&server.url(), &[]), &hello());
    next_turn(&heard.reply, results, then)[1]["content"].clone()
}

#[test]
fn blocks_of_the_server_go_back_as_they_came() {
    let blocks = sent_back("server_tools", &[], Some("And?"));
    let kinds: Vec<&str> =
        blocks.as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "server_tool_use",
            "web_search_tool_result",
            "server_tool_use",
            "web_fetch_tool_result",
            "text"
        ]
    );
    assert_eq!(blocks[0]["input"], json!({"query": "oslo"}));
    assert_eq!(blocks[1]["content"][0]["encrypted_content"], "RQ==");
    // Text with citations is a block of its own.
    let cited = sent_back("citations", &[], Some("And?"));
    let texts: Vec<&str> =
        cited.as_array().unwrap().iter().map(|b| b["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["So: ", "capital", ", and ", "more"]);
    let citations = |at: usize| cited[at].get("citations").map(|c| c.as_array().unwrap().len());
    assert_eq!([0, 1, 2, 3].map(citations), [None, Some(1), None, Some(2)]);
    let fallback = sent_back("fallback", &[], Some("And?"));
    assert_eq!(
        (&fallback[0]["text"], &fallback[1]["type"], &fallback[2]["text"]),
        (&json!("He"), &json!("fallback"), &json!("llo"))
    );
    let compacted = sent_back("compaction", &[], Some("And?"));
    assert_eq!(
        compacted[0],
        json!({"type": "compaction", "content": "So far", "encrypted_content": "RQ=="})
    );
    assert_eq!(
        (&compacted[1]["type"], &compacted[2]["type"]),
        (&json!("mcp_tool_use"), &json!("mcp_tool_result"))
    );
    let unknown = sent_back("unknown", &[], Some("And?"));
    assert_eq!(unknown, json!([{"type": "hologram", "data": "xy", "size": 3}, text_block("Hi")]));
    let omitted = sent_back("omitted_thinking", &[], Some("And?"));
    assert_eq!(omitted[0], json!({"type": "thinking", "thinking": "", "signature": "c2ln"}));
}

#[test]
fn calls_of_code_go_back_with_their_caller_to_its_container() {
    let server = Server::answering(SSE, fixture("caller"));
    let client = client(&server.url(), &[]);
    let heard = hear(&client, &hello());
    let body = |results: &[&str], container: Value| {
        let mut request = hello();
        request.message_json(&heard.reply.to_string()).unwrap();
        results.iter().for_each(|id| request.tool_result(id, "1").unwrap());
        request.message("user", "And?").unwrap();
        request.set("container", &container.to_string()).unwrap();
        hear(&client, &request);
        server.requests().last().unwrap().json()
    };
    let both = body(&["toolu_1", "toolu_2"], Value::Null);
    let blocks = &both["messages"][1]["content"];
    assert_eq!(blocks[0]["type"], "server_tool_use");
    assert_eq!(
        blocks[1]["caller"],
        json!({"type": "code_execution_20260120", "tool_id": "srvtoolu_1"})
    );
    assert_eq!((&blocks[2]["toolset_name"], blocks.as_array().unwrap().len()), (&json!("t"), 3));
    assert_eq!(both["container"], "cont_1");
    assert_eq!(body(&["toolu_1", "toolu_2"], json!("own"))["container"], "own");
    let skills = body(&["toolu_1", "toolu_2"], json!({"skills": []}));
    assert_eq!(skills["container"], json!({"skills": [], "id": "cont_1"}));
    // The use of a server tool without a result of its own is refused, and left out.
    let direct = body(&["toolu_2"], Value::Null);
    let kinds: Vec<&Value> =
        direct["messages"][1]["content"].as_array().unwrap().iter().map(|b| &b["id"]).collect();
    assert_eq!(kinds, ["toolu_2"]);
    assert_eq!(direct.get("container"), None);
}

#[test]
fn half_of_a_server_tool_is_left_out_of_the_next_request() {
    let whole = fixture("server_tools");
    let cut = &whole[..whole
        .find("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1")
        .unwrap()];
    let server = Server::answering(SSE, text_first(cut));
    let heard = hear(&client(&server.url(), &[]), &hello());
    assert_eq!(heard.error.unwrap().kind(), ErrorKind::Truncated);
    assert_eq!(
        next_turn(&heard.reply, &[], Some("And?"))[1]["content"],
        json!([text_block("Let me see.")])
    );
    let items = heard.reply["tolmach"]["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["item"]["type"] == "server_tool_use"), "{items:?}");
    // A result whose use the program took away.
    let result = json!({"item": {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}});
    let reply = json!({"role": "assistant", "content": "Hi", "tolmach": {"dialect": "anthropic", "items": [result, {"text": 2}]}});
    assert_eq!(next_turn(&reply, &[], Some("And?"))[1]["content"], json!([text_block("Hi")]));
}

/// The start of an answer, with a text before all else.
fn text_first(part: &str) -> String {
    let (start, rest) = part.split_at(part.find("event: content_block_start").unwrap());
    let rest = rest.replace("\"index\":0", "\"index\":1");
    format!("{start}{}{rest}", text_of(0, "Let me see."))
}

/// The parts of an answer that pauses as often as `pauses`.
fn pausing(number: usize, pauses: usize) -> String {
    let id = format!("srvtoolu_{number}");
    let mut usage = json!({"input_tokens": 10 + number, "output_tokens": 1});
    if number == 0 {
        usage["cache_read_input_tokens"] = 2.into();
    }
    let search = block(
        1,
        json!({"type": "server_tool_use", "id": id, "name": "web_search", "input": {}}),
        &[json!({"type": "input_json_delta", "partial_json": "{\"query\":\"q\"}"})],
    );
    let found = block(
        0,
        json!({"type": "web_search_tool_result", "tool_use_id": format!("srvtoolu_{}", number.wrapping_sub(1)), "content": []}),
        &[],
    );
    let start = begins(&format!("msg_{number}"), usage);
    let first = if number == 0 { text_of(0, "So: ") } else { found };
    match number < pauses {
        true => {
            start
                + &first
                + &search
                + &ends(json!({"stop_reason": "pause_turn", "container": {"id": "cont_1"}}), 5)
        }
        false => {
            let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
            start
                + &first
                + &text_of(1, "Done.")
                + &block(2, call, &[])
                + &ends(json!({"stop_reason": "tool_use"}), 7)
        }
    }
}

fn searching() -> Request {
    let tools = json!([{"type": "web_search_20260318", "name": "web_search"}]);
    request(
        json!({"model": "claude-sonnet-5", "tools": tools, "messages": [{"role": "user", "content": "Hi"}]}),
    )
}

#[test]
fn answer_that_pauses_goes_on() {
    let server = Server::start(|exchange| exchange.stream(pausing(exchange.number, 2)));
    let heard = hear(&client(&server.url(), &[]), &searching());
    assert_eq!(
        heard.lines,
        [
            "start: msg_0 claude-x",
            "text: So: ",
            "progress: web_search",
            "progress: web_search {\"query\":\"q\"}",
            "progress: web_search_tool_result",
            "progress: web_search",
            "progress: web_search {\"query\":\"q\"}",
            "progress: web_search_tool_result",
            "text: Done.",
            "tool 0 toolu_1 f {}",
            // 10 + 2 and 5, 11 and 5, 12 and 7.
            "usage 35 + 17 = 52, cached 2, written -1, reasoning -1",
            "finish: tool_calls tool_use",
        ]
    );
    let search = |id: &str| json!({"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": "q"}});
    let found =
        |id: &str| json!({"type": "web_search_tool_result", "tool_use_id": id, "content": []});
    let so_far =
        [text_block("So: "), search("srvtoolu_0"), found("srvtoolu_0"), search("srvtoolu_1")];
    let requests = server.requests();
    let sent: Vec<Value> = requests.iter().map(support::server::Request::json).collect();
    let user = json!({"role": "user", "content": [text_block("Hi")]});
    assert_eq!(sent[0]["messages"], json!([user]));
    assert_eq!(sent[1]["messages"], json!([user, {"role": "assistant", "content": so_far[..2]}]));
    assert_eq!(sent[2]["messages"], json!([user, {"role": "assistant", "content": so_far}]));
    assert_eq!((sent[0].get("container"), &sent[1]["container"]), (None, &json!("cont_1")));
    for (first, later) in [(&requests[0], &requests[1]), (&requests[0], &requests[2])] {
        assert_eq!(first.header("x-api-key"), later.header("x-api-key"));
        assert_eq!(first.json()["tools"], later.json()["tools"]);
    }
    // All parts go back as one message.
    let blocks = next_turn(&heard.reply, &[("toolu_1", "1")], None)[1]["content"].clone();
    let kinds: Vec<&str> =
        blocks.as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "text",
            "server_tool_use",
            "web_search_tool_result",
            "server_tool_use",
            "web_search_tool_result",
            "text",
            "tool_use"
        ]
    );
}

#[test]
fn answer_goes_on_ten_times_and_then_says_that_it_pauses() {
    let server = Server::start(|exchange| exchange.stream(pausing(exchange.number, usize::MAX)));
    let heard = hear(&client(&server.url(), &[]), &searching());
    assert_eq!(heard.lines.last().unwrap(), "finish: pause_turn pause_turn");
    assert_eq!(server.requests().len(), 11);
    // The program can go on itself: what the server still has to do stays at the end.
    let messages = next_turn(&heard.reply, &[], None);
    assert_eq!(messages[1]["content"].as_array().unwrap().last().unwrap()["id"], "srvtoolu_10");
    let messages = next_turn(&heard.reply, &[], Some("Stop."));
    assert_eq!(
        messages[1]["content"].as_array().unwrap().last().unwrap()["type"],
        "web_search_tool_result"
    );
}

#[test]
fn pause_without_tools_of_the_server_or_without_room_is_not_gone_on_with() {
    let server = Server::start(|exchange| exchange.stream(pausing(0, 1)));
    let heard = hear(&client(&server.url(), &[]), &hello());
    assert_eq!(heard.lines.last().unwrap(), "finish: pause_turn pause_turn");
    let heard = hear(&client(&server.url(), &[("max_reply_bytes", "100")]), &searching());
    assert_eq!(heard.lines.last().unwrap(), "finish: pause_turn pause_turn");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn answer_that_cannot_go_on_is_an_error() {
    for (status, kind) in [(400, ErrorKind::BadRequest), (529, ErrorKind::Server)] {
        let server = Server::start(move |exchange| match exchange.number {
            0 => exchange.stream(pausing(0, 1)),
            _ => exchange.whole(
                status,
                JSON,
                "{\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"Scripted\"}}",
            ),
        });
        let heard = hear(&client(&server.url(), &[("max_retries", "2")]), &searching());
        assert_eq!(heard.error.unwrap().kind(), kind);
        assert_eq!(heard.lines.last().unwrap(), "progress: web_search {\"query\":\"q\"}");
        // Nothing is asked again once the answer began.
        assert_eq!(server.requests().len(), 2);
    }
    let server = Server::start(|exchange| {
        let part = pausing(exchange.number, 1);
        let end = if exchange.number == 0 { part.len() } else { part.len() - 60 };
        exchange.stream(&part[..end]);
    });
    let heard = hear(&client(&server.url(), &[]), &searching());
    assert_eq!(heard.error.unwrap().kind(), ErrorKind::Truncated);
}

#[test]
fn models_are_listed_page_by_page() {
    let entry = |id: &str| {
        json!({"type": "model", "id": id, "display_name": id, "max_input_tokens": 200_000, "max_tokens": 64_000,
        "capabilities": {"image_input": {"supported": true}, "thinking": {"supported": true, "types": {"adaptive": {"supported": false}, "enabled": {"supported": true}}}}})
    };
    let server = Server::start(move |exchange| {
        let page = match &*exchange.request.path {
            "/v1/models?limit=1000" => {
                json!({"data": [entry("claude-9")], "has_more": true, "first_id": "a", "last_id": "a/1"})
            }
            "/v1/models?limit=1000&after_id=a%2F1" => {
                json!({"data": [{"id": "b"}, {}], "has_more": false, "last_id": "b"})
            }
            "/v1/messages" => return exchange.stream(fixture("text")),
            path => json!({"error": format!("unexpected {path}")}),
        };
        exchange.whole(200, JSON, page.to_string());
    });
    let client = client(&(server.url() + "/v1"), &[]);
    let effort = request(
        json!({"model": "claude-9", "max_tokens": 70_000, "reasoning_effort": "low", "messages": [{"role": "user", "content": "Hi"}]}),
    );
    hear(&client, &effort);
    let models = client.models(None).unwrap();
    let seen: Vec<_> = models
        .iter()
        .map(|model| {
            (
                &*model.id,
                model.context_length,
                model.capabilities.has(tolmach::Capabilities::VISION),
            )
        })
        .collect();
    assert_eq!(seen, [("claude-9", Some(200_000), true), ("b", None, false)]);
    let asked = &server.requests()[1];
    assert_eq!(
        (asked.header("x-api-key"), asked.header("anthropic-version")),
        (Some("test-key"), Some("2023-06-01"))
    );
    // What the list says of a model counts from then on.
    hear(&client, &effort);
    let sent: Vec<Value> = server
        .requests()
        .iter()
        .filter(|r| r.method == "POST")
        .map(support::server::Request::json)
        .collect();
    assert_eq!(
        (&sent[0]["thinking"]["type"], &sent[0]["max_tokens"]),
        (&json!("adaptive"), &json!(70_000))
    );
    assert_eq!(
        (&sent[1]["thinking"]["type"], &sent[1]["max_tokens"]),
        (&json!("enabled"), &json!(64_000))
    );
}

#[test]
fn list_of_models_that_has_no_end_is_read_in_bounds() {
    for (cursor, pages) in [("same", 2), ("", 1), ("number", 50)] {
        let server = Server::start(move |exchange| {
            let last =
                if cursor == "number" { exchange.number.to_string() } else { cursor.to_owned() };
            let page = json!({"data": [{"id": "m"}], "has_more": true, "last_id": last});
            exchange.whole(200, JSON, page.to_string());
        });
        let models = client(&server.url(), &[]).models(None).unwrap();
        assert_eq!((server.requests().len(), models.len()), (pages, pages), "{cursor}");
    }
    for (body, models) in
        [("[\"a\",\"b\"]", Some(2)), ("{\"models\":[{\"name\":\"a\"}]}", Some(1)), ("{}", None)]
    {
        let server = Server::answering(JSON, body);
        let listed = client(&(server.url() + "?x=1"), &[]).models(None);
        assert_eq!(listed.map(|list| list.len()).ok(), models, "{body}");
        assert_eq!(server.requests()[0].path, "/models?x=1&limit=1000");
    }
}

#[test]
fn real_server_takes_thinking_and_parallel_calls_back() {
    let Some(server) = Aimock::shared() else { return };
    let client = client(&server.url(), &[("api_key", KEY)]);
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool =
        json!({"type": "function", "function": {"name": "get_weather", "parameters": schema}});
    let request = request(json!({
        "model": "claude-sonnet-4-5", "tools": [tool], "reasoning_effort": "low",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "think of two cities"}],
    }));
    let heard = hear(&client, &request);
    assert!(heard.error.is_none(), "{heard:?}");
    assert!(heard.lines[0].ends_with("claude-sonnet-4-5"), "{heard:?}");
    assert_eq!(heard.lines[1..3], ["thinking: Oslo and Bergen.", "text: I look."]);
    let calls = heard.reply["tool_calls"].as_array().unwrap().clone();
    let arguments: Vec<&Value> = calls.iter().map(|call| &call["function"]["arguments"]).collect();
    assert_eq!(arguments, ["{\"city\":\"Oslo\"}", "{\"city\":\"Bergen\"}"]);
    // It refuses calls that come back without the signed thinking before them; where that is
    // lost, thinking is left out of the request.
    let mut lost = heard.reply.clone();
    lost.as_object_mut().unwrap().shift_remove("tolmach");
    for reply in [&heard.reply, &lost] {
        let mut request = request.clone();
        request.message_json(&reply.to_string()).unwrap();
        for call in &calls {
            request.tool_result(call["id"].as_str().unwrap(), "rain").unwrap();
        }
        let next = hear(&client, &request);
        assert!(next.error.is_none(), "{next:?}");
        assert_eq!(next.lines[1], "text: Rain in both.");
        assert!(next.lines.last().unwrap().starts_with("finish: stop"), "{next:?}");
    }
}

#[test]
fn errors_and_models_of_a_real_server_are_read() {
    let Some(server) = Aimock::shared() else { return };
    let ask = |key: &str, text: &str| {
        let messages = json!([{"role": "user", "content": text}]);
        let request = request(json!({"model": "claude-sonnet-4-5", "messages": messages}));
        hear(&client(&server.url(), &[("api_key", key)]), &request)
    };
    assert_eq!(ask("wrong-key", "hello").error.unwrap().kind(), ErrorKind::Auth);
    assert_eq!(ask(KEY, "too fast").error.unwrap().kind(), ErrorKind::RateLimited);
    let cut = ask(KEY, "cut me off");
    assert!(cut.lines[0].starts_with("start: "), "{cut:?}");
    assert_eq!(cut.error.unwrap().kind(), ErrorKind::Truncated);
    assert!(!client(&server.url(), &[("api_key", KEY)]).models(None).unwrap().is_empty());
}

#[test]
fn parts_of_an_answer_that_pauses_are_told_apart() {
    let call = json!({"type": "tool_use", "id": "", "name": "f", "input": {}});
    let piece = json!({"type": "input_json_delta", "partial_json": "{\"x\":1}"});
    let server = Server::start(move |exchange| {
        let end = match exchange.number {
            0 => json!({"stop_reason": "pause_turn"}),
            // The last part gives no reason.
            _ => json!({"stop_reason": null}),
        };
        let called = block(0, call.clone(), std::slice::from_ref(&piece));
        exchange.stream(begins("msg_1", json!({})) + &called + &ends(end, 5));
    });
    let heard = hear(&client(&server.url(), &[]), &searching());
    let calls = heard.reply["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2, "{heard:?}");
    assert!(calls.iter().all(|call| call["function"]["arguments"] == "{\"x\":1}"));
    assert_eq!(heard.lines.last().unwrap(), "finish: tool_calls");
    let second = server.requests()[1].json();
    assert_eq!(second["messages"][1]["content"][0]["input"], json!({"x": 1}));
}

#[test]
fn what_is_held_of_an_answer_that_pauses_is_bounded() {
    let search =
        json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}});
    let pieces: Vec<Value> = ["{\"query\":\"", &"q".repeat(2000), &"q".repeat(2000), "\"}"]
        .map(|text| json!({"type": "input_json_delta", "partial_json": text}))
        .to_vec();
    let asked: usize = ["100", "2000", "3000", "5000", "9000", "20000"]
        .iter()
        .map(|most| {
            let (search, pieces) = (search.clone(), pieces.clone());
            let server = Server::start(move |exchange| match exchange.number {
                0 => {
                    let parts = text_of(0, "So: ") + &block(1, search.clone(), &pieces);
                    let end = ends(json!({"stop_reason": "pause_turn"}), 5);
                    exchange.stream(begins("msg_1", json!({})) + &parts + &end);
                }
                _ => exchange.stream(fixture("text")),
            });
            let heard = hear(&client(&server.url(), &[("max_reply_bytes", most)]), &searching());
            let last = if server.requests().len() == 2 {
                "finish: stop end_turn"
            } else {
                "finish: pause_turn pause_turn"
            };
            assert_eq!(heard.lines.last().unwrap(), last, "{most}");
            if server.requests().len() == 2 {
                let parts = &server.requests()[1].json()["messages"][1]["content"];
                assert_eq!(parts[1]["input"]["query"].as_str().unwrap().len(), 4000);
            }
            server.requests().len() - 1
        })
        .sum();
    assert_eq!(asked, 2);
    // Nor does what is too large go back.
    let server = Server::answering(
        SSE,
        begins("msg_1", json!({}))
            + &text_of(0, "Hi")
            + &block(1, search, &pieces)
            + &ends(json!({"stop_reason": "end_turn"}), 5),
    );
    for (most, kept) in [("3000", false), ("9000", true)] {
        let heard = hear(&client(&server.url(), &[("max_reply_bytes", most)]), &hello());
        assert_eq!(heard.reply.get("incomplete"), None, "{most}");
        assert_eq!(heard.reply.get("tolmach").is_some(), kept, "{most}");
    }
}

#[test]
fn message_that_is_not_streamed_has_whole_calls_at_its_limit_too() {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}});
    let message = json!({"type": "message", "content": [call], "stop_reason": "max_tokens"});
    let server = Server::answering(JSON, message.to_string());
    let heard = hear(&client(&server.url(), &[]), &hello());
    assert_eq!(heard.lines[1..], ["tool 0 toolu_1 f {\"x\":1}", "finish: length max_tokens"]);
}

#[test]
fn calls_and_results_in_the_apis_own_form_are_kept() {
    let cached = json!({"type": "ephemeral"});
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}, "cache_control": cached});
    let result = json!({"type": "tool_result", "tool_use_id": "t1", "content": "1"});
    let sent = messages(json!([
        {"role": "user", "content": [text_block("a"), text_block("b")], "cache_control": cached},
        {"role": "assistant", "content": "c", "tool_calls": [call("t1")]},
        {"role": "user", "content": [text_block("d"), result]},
    ]));
    assert_eq!(sent[0]["content"][0], text_block("a"));
    assert_eq!(
        sent[0]["content"][1],
        json!({"type": "text", "text": "b", "cache_control": cached})
    );
    assert_eq!(
        sent[1]["content"][1],
        json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}, "cache_control": cached})
    );
    assert_eq!(sent[2]["content"], json!([result, text_block("d")]));
}

#[test]
fn key_from_the_environment_is_sent_and_not_shown() {
    let server = Server::start(|exchange| {
        let key = exchange.request.header("x-api-key").unwrap_or_default().to_owned();
        let error = json!({"type": "authentication_error", "message": format!("bad key {key}")});
        exchange.whole(401, JSON, json!({"type": "error", "error": error}).to_string());
    });
    let program = c::program("stream").arg(server.url()).env("TEST_PROVIDER", Some("anthropic"));
    let program = program.env("TEST_NO_KEY", Some("1"));
    let program = program.env("ANTHROPIC_API_KEY", Some("sk-ant-secret-1234"));
    let stdout = program.run().passed().stdout;
    assert_eq!(server.requests()[0].header("x-api-key"), Some("sk-ant-secret-1234"));
    assert!(stdout.contains("TOLMACH_E_AUTH") && !stdout.contains("secret-1234"), "{stdout}");
}

#[test]
fn nothing_is_left_out_with_heal_off() {
    let asked = json!({"model": "claude-opus-5", "temperature": 0.5, "messages": [{"role": "user", "content": "Hi"}]});
    for (heal, temperature) in [("true", None), ("false", Some(json!(0.5)))] {
        let sent = sent(&[("heal", heal)], &request(asked.clone())).json();
        assert_eq!(sent.get("temperature").cloned(), temperature, "{heal}");
    }
}

/// Deltas that make no chunk keep an answer from being taken for stalled.
#[test]
fn deltas_without_chunks_are_progress() {
    let delta =
        |delta: Value| event(json!({"type": "content_block_delta", "index": 0, "delta": delta}));
    let starts = |block: Value| {
        event(json!({"type": "content_block_start", "index": 0, "content_block": block}))
    };
    let tool = json!({"type": "server_tool_use", "id": "s", "name": "n", "input": {}});
    let citation = json!({"type": "char_location", "document_index": 0});
    let cases = [
        (
            json!({"type": "thinking", "thinking": ""}),
            delta(json!({"type": "signature_delta", "signature": "s"})),
        ),
        (tool.clone(), delta(json!({"type": "input_json_delta", "partial_json": ""}))),
        (
            json!({"type": "text", "text": ""}),
            delta(json!({"type": "citations_delta", "citation": citation})),
        ),
        (tool, delta(json!({"type": "other_delta", "x": 1}))),
        (
            json!({"type": "text", "text": ""}),
            starts(json!({"type": "redacted_thinking", "data": "d"})),
        ),
    ];
    let cases = cases.map(|(first, piece)| {
        std::thread::spawn(move || {
            let server = Server::start(move |exchange| {
                exchange.stream_head();
                exchange.chunk(begins("msg_1", json!({})) + &starts(first.clone()));
                for _ in 0..18 {
                    std::thread::sleep(std::time::Duration::from_millis(200));
                    exchange.chunk(&piece);
                }
                exchange.chunk(ends(json!({"stop_reason": "end_turn"}), 5));
                exchange.end_chunks();
            });
            let heard = hear(&client(&server.url(), &[("idle_timeout_ms", "3000")]), &hello());
            assert!(heard.error.is_none(), "{heard:?}");
        })
    });
    cases.into_iter().for_each(|case| case.join().unwrap());
}

/// What is heard of that body.
fn heard_of(body: String) -> Heard {
    let server = Server::answering(content_type(&body), body);
    hear(&client(&server.url(), &[("estimate_usage", "true")]), &hello())
}

#[test]
fn answer_that_names_no_model_is_of_the_model_asked_and_its_usage_is_estimated() {
    let start = event(json!({"type": "message_start", "message": {"id": "m"}}));
    let end = event(json!({"type": "message_stop"}));
    let heard = heard_of(start + &text_of(0, "Hello there") + &end);
    assert_eq!(heard.lines[0], "start: m claude-sonnet-4-6");
    assert!(heard.lines.iter().any(|line| line.starts_with("usage ")), "{heard:?}");
}

#[test]
fn event_that_is_not_known_does_not_end_the_answer_whatever_it_holds() {
    let unknown =
        event(json!({"type": "content_note", "content": [{"type": "text", "text": "?"}]}));
    let end = ends(json!({"stop_reason": "end_turn"}), 5);
    let heard =
        heard_of(begins("m", json!({})) + &text_of(0, "a") + &unknown + &text_of(1, "b") + &end);
    assert_eq!(heard.reply["content"], "ab");
}

#[test]
fn call_that_is_cut_before_its_arguments_does_not_go_back() {
    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    let call = event(json!({"type": "content_block_start", "index": 1, "content_block": call}));
    let end = ends(json!({"stop_reason": "max_tokens"}), 5);
    let heard = heard_of(begins("m", json!({})) + &text_of(0, "a") + &call + &end);
    assert_eq!(heard.reply["content"], "a");
    assert_eq!(heard.reply.get("tool_calls"), None, "{heard:?}");
}
