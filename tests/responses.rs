//! OpenAI's Responses API: what is sent, and what is made of all that servers answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::thread;

use serde_json::{Value, json};
use support::aimock::{Aimock, KEY};
use support::server::{Exchange, Request as Received, Server};
use support::splits::assert_the_same_at_every_cut;
use tolmach::{ChunkKind, Client, Config, Error, ErrorKind, Polled, Request, Session};

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";
const PROVIDER: &str = "openai-responses";

fn fixtures() -> PathBuf {
    support::c::root().join("tests/fixtures/responses")
}

fn fixture(name: &str) -> String {
    fs::read_to_string(fixtures().join(name)).unwrap()
}

/// The names of all streams among the fixtures.
fn streams() -> Vec<String> {
    let names = fs::read_dir(fixtures()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".sse").map(str::to_owned)).collect();
    names.sort();
    assert!(names.len() > 30);
    names
}

fn client(url: &str, settings: &[(&str, &str)]) -> Client {
    let mut config = Config::new(PROVIDER).unwrap();
    let common =
        [("base_url", url), ("proxy", "direct"), ("api_key", "test-key"), ("max_retries", "0")];
    for (key, value) in common.iter().chain(settings) {
        config.set(key, Some(value)).unwrap();
    }
    Client::new(&config).unwrap()
}

fn hi() -> Request {
    let mut request = Request::new(Some("m"));
    request.message("user", "Hi").unwrap();
    request
}

/// What a session comes to, a line a chunk; pieces of one text are one.
fn told(session: &mut Session) -> (Vec<String>, Option<Error>) {
    let mut lines: Vec<(ChunkKind, String)> = Vec::new();
    loop {
        let chunk = match session.poll(Some(support::LONG)) {
            Ok(Polled::Chunk(chunk)) => chunk,
            Ok(Polled::End) => return (lines.into_iter().map(|(_, line)| line).collect(), None),
            Ok(Polled::Pending) => panic!("the answer hangs after {lines:?}"),
            Err(error) => {
                return (lines.into_iter().map(|(_, line)| line).collect(), Some(error));
            }
        };
        let (text, name) = (chunk.text, chunk.name);
        let line = match chunk.kind {
            ChunkKind::Start => format!("start {text} {name}"),
            ChunkKind::Text | ChunkKind::Refusal | ChunkKind::Reasoning => {
                if let Some((kind, line)) = lines.last_mut() {
                    if *kind == chunk.kind {
                        line.push_str(text);
                        continue;
                    }
                }
                let field = if name.is_empty() { String::new() } else { format!(" ({name})") };
                format!("{:?}{field}: {text}", chunk.kind)
            }
            ChunkKind::ToolCall if !name.is_empty() => {
                format!("call {} {} {name} {text}", chunk.index, chunk.id)
            }
            ChunkKind::ToolCall => format!("arguments {} {text}", chunk.index),
            ChunkKind::Image => {
                format!("image {} {} {} bytes {name}", chunk.index, chunk.mime, chunk.bytes.len())
            }
            ChunkKind::Audio => format!("audio {:?} {text}", chunk.bytes),
            ChunkKind::Source => format!("source {} {text} {name}", chunk.index),
            ChunkKind::Usage => {
                let usage = chunk.usage;
                format!(
                    "usage {} {} {} cached {} written {} reasoning {}",
                    usage.input,
                    usage.output,
                    usage.total,
                    usage.cached_input,
                    usage.cache_write,
                    usage.reasoning
                )
            }
            ChunkKind::Finish => format!("finish {text} {name}"),
            kind => format!("{kind:?}: {text}"),
        };
        lines.push((chunk.kind, line));
    }
}

/// What comes of a whole body.
fn answer(content_type: &'static str, body: &str) -> (Vec<String>, Option<Error>) {
    let server = Server::answering(content_type, body);
    told(&mut Session::open(&client(&server.url(), &[]), &hi()).unwrap())
}

fn lines_of((mut lines, error): (Vec<String>, Option<Error>)) -> String {
    if let Some(error) = error {
        lines.push(format!("error {:?} {}", error.kind(), error.provider_code()));
    }
    lines.join("\n") + "\n"
}

#[test]
fn every_recorded_stream_comes_to_what_is_written_beside_it() {
    let mut wrong = Vec::new();
    for name in streams() {
        let lines = lines_of(answer(SSE, &fixture(&format!("{name}.sse"))));
        let wanted = fs::read_to_string(fixtures().join(format!("{name}.expected")));
        if wanted.ok().as_ref() != Some(&lines) {
            wrong.push(format!("--- {name}\n{lines}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn every_recorded_stream_comes_to_the_same_at_every_cut() {
    thread::scope(|scope| {
        for name in streams() {
            // That helper wants an end that is none of the failures.
            if name.starts_with("failed") || name.starts_with("error") {
                continue;
            }
            let body = fixture(&format!("{name}.sse"));
            scope.spawn(|| assert_the_same_at_every_cut(PROVIDER, &[("api_key", "k")], SSE, body));
        }
        let document = fixture("whole.json");
        scope.spawn(|| assert_the_same_at_every_cut(PROVIDER, &[("api_key", "k")], JSON, document));
    });
}

#[test]
fn failure_is_the_same_at_every_cut() {
    for name in streams().into_iter().filter(|name| name.starts_with("failed_early")) {
        let body = fixture(&format!("{name}.sse"));
        let wanted = lines_of(answer(SSE, &body));
        let server = Server::start(move |exchange| {
            let (first, second) = body.split_at(exchange.number % body.len());
            exchange.stream_head();
            exchange.chunk(if first.is_empty() { ":\n" } else { first });
            exchange.chunk(second);
            exchange.end_chunks();
        });
        let client = client(&server.url(), &[]);
        for _ in 0..fixture(&format!("{name}.sse")).len() {
            let session = &mut Session::open(&client, &hi()).unwrap();
            assert_eq!(lines_of(told(session)), wanted, "{name}");
        }
    }
}

/// The events of a stream, each with the empty line behind it.
fn events(body: &str) -> Vec<&str> {
    body.split_inclusive("\n\n").collect()
}

#[test]
fn stream_that_ends_before_its_last_event_is_truncated() {
    for name in streams() {
        let body = fixture(&format!("{name}.sse"));
        let events = events(&body);
        let last = events.iter().position(|event| is_last(event)).unwrap();
        for count in 0..=last {
            // Also in the middle of the next event.
            let half = &events[count][..events[count].len() / 3];
            for more in ["", half, "data: [DONE]\n\n"] {
                if more == half && !half.is_ascii() {
                    continue;
                }
                let cut = events[..count].concat() + more;
                let (lines, error) = answer(SSE, &cut);
                let kind = error.map(|error| error.kind());
                assert_eq!(kind, Some(ErrorKind::Truncated), "{name} {count} {more}: {lines:?}");
            }
        }
    }
}

#[test]
fn document_whose_output_and_status_are_null_is_no_answer() {
    for body in [r#"{"id":null,"output":null,"status":null}"#, r#"{"output":null}"#, "{}"] {
        let (lines, error) = answer(JSON, body);
        assert_eq!(
            error.map(|error| error.kind()),
            Some(ErrorKind::Truncated),
            "{body}: {lines:?}"
        );
    }
}

fn is_last(event: &str) -> bool {
    ["completed", "done", "incomplete", "failed"]
        .iter()
        .any(|end| event.contains(&format!("\"type\":\"response.{end}\"")))
        || event.contains("\"type\":\"error\"")
}

#[test]
fn document_is_read_as_a_stream_is() {
    let (lines, error) = answer(JSON, &fixture("whole.json"));
    assert!(error.is_none());
    let wanted = fs::read_to_string(fixtures().join("output_at_the_end.expected")).unwrap();
    let mut wanted: Vec<&str> = wanted.lines().collect();
    let ends = wanted.len() - 2;
    assert!(lines.iter().any(|line| line == "image 0 image/png 70 bytes "));
    let lines: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| !line.starts_with("image") && !line.contains("image_generation_call"))
        .collect();
    assert_eq!(lines, wanted);
    wanted.truncate(ends);
    for status in ["in_progress", "queued"] {
        let document = fixture("whole.json").replacen("completed", status, 1);
        assert_eq!(answer(JSON, &document).1.unwrap().kind(), ErrorKind::Truncated);
    }
    let cancelled = fixture("whole.json").replacen("completed", "cancelled", 1);
    assert_eq!(answer(JSON, &cancelled).1.unwrap().kind(), ErrorKind::Server);
    let cut = fixture("whole.json").replacen("completed", "incomplete", 1);
    assert_eq!(answer(JSON, &cut).0.last().unwrap(), "finish incomplete incomplete");
    let refused = "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"no\"},\"output\":[]}";
    assert_eq!(lines_of(answer(JSON, refused)), "error Server server_error\n");
}

#[test]
fn text_that_comes_at_the_end_alone_is_not_lost() {
    let item = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{}"});
    let said = said("msg_1", "final_answer", "Hi");
    let end = json!({"type": "response.completed", "response": {"output": [said, item]}});
    let added = json!({"type": "response.output_item.added", "output_index": 1, "item": item});
    let keepalive = json!({"type": "keepalive"});
    let (lines, error) = answer(SSE, &stream(&[keepalive, added, end]));
    assert!(error.is_none());
    let of_text = lines.iter().filter(|line| *line == "Text: Hi").count();
    let of_call = lines.iter().filter(|line| line.starts_with("call ")).count();
    assert_eq!((of_text, of_call), (1, 1), "{lines:?}");
}

#[test]
fn output_that_is_repeated_at_the_end_is_taken_once() {
    for item in [reasoning("rs_1"), json!({"id": "x_1", "type": "not_known_yet"})] {
        let end = json!({"type": "response.completed", "response": {"output": [item]}});
        let (lines, _) = answer(SSE, &stream(&[done(0, &item), end]));
        assert_eq!(lines.iter().filter(|line| line.starts_with("State")).count(), 1, "{lines:?}");
    }
    // Some count the places at the end anew.
    let text = json!({"type": "response.output_text.delta", "output_index": 1, "delta": "Hi"});
    let said = said("msg_1", "final_answer", "Hi");
    let end = json!({"type": "response.completed", "response": {"output": [said]}});
    let (lines, _) = answer(SSE, &stream(&[text, end]));
    assert_eq!(lines.iter().filter(|line| line.starts_with("Text")).count(), 1, "{lines:?}");
}

#[test]
fn call_at_the_end_is_the_one_that_was_begun() {
    let call = |id: &str, call_id: &str| json!({"type": "function_call", "id": id, "call_id": call_id, "name": "f", "arguments": "{}"});
    let text = json!({"type": "response.output_text.delta", "output_index": 9, "delta": "Hi"});
    let delta = |fields: Value| {
        let mut event = json!({"type": "response.function_call_arguments.delta", "delta": "{"});
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        event
    };
    for (first, last) in [
        // Another place than in the stream.
        (done(3, &call("fc_1", "call_1")), call("fc_1", "call_1")),
        // No id to know it by.
        (done(0, &call("fc_1", "call_1")), call("fc_1", "")),
        // Pieces of a call that nothing announced: of its item, and of its place.
        (delta(json!({"item_id": "fc_1"})), call("fc_1", "call_1")),
        (delta(json!({"output_index": 0})), call("fc_1", "call_1")),
    ] {
        let end = json!({"type": "response.completed", "response": {"output": [last]}});
        let (lines, _) = answer(SSE, &stream(&[text.clone(), first.clone(), end]));
        let calls: Vec<&String> = lines
            .iter()
            .filter(|line| line.starts_with("call") || line.starts_with("arg"))
            .collect();
        assert_eq!(calls, ["call 0 call_1 f ", "arguments 0 {}"], "{first}");
    }
}

#[test]
fn events_that_say_nothing_are_passed_over_and_errors_of_any_shape_are_errors() {
    let body = fixture("text.sse");
    let wanted = fs::read_to_string(fixtures().join("text.expected")).unwrap();
    assert_eq!(lines_of(answer(SSE, &format!("data:\n\ndata:  \n\n{body}"))), wanted);
    let error = answer(SSE, "event: error\ndata: {\"message\":\"Odd\"}\n\n").1.unwrap();
    assert!(error.message().contains("Odd"), "{error}");
    assert_eq!(answer(JSON, "{\"status\":\"cancelled\"}").1.unwrap().kind(), ErrorKind::Server);
    let image = json!({"type": "image_generation_call", "result": "no base64!"});
    let error = answer(SSE, &stream(&[done(0, &image), completed()])).1.unwrap();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("not base64"), "{error}");
}

#[test]
fn item_that_comes_whole_says_what_its_pieces_would() {
    let content = json!([
        {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": [{"token": "Hi", "logprob": -1}]},
        {"type": "refusal", "refusal": "No."},
    ]);
    let message =
        json!({"id": "msg_1", "type": "message", "role": "assistant", "content": content});
    let thought = json!({"id": "rs_1", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]});
    let (mut lines, _) = answer(SSE, &stream(&[done(0, &thought), done(1, &message), completed()]));
    lines.retain(|line| !line.starts_with("State"));
    let wanted = [
        "start  m",
        "Reasoning (reasoning_text): hm",
        "Text: Hi",
        "Logprobs: {\"content\":[{\"token\":\"Hi\",\"logprob\":-1}]}",
        "Refusal: No.",
        "finish stop completed",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn answer_is_named_by_the_first_event_that_names_it() {
    for kind in ["queued", "in_progress", "created"] {
        let first = json!({"type": format!("response.{kind}"), "response": {"id": "resp_7", "model": "m7"}});
        let later =
            json!({"type": "response.in_progress", "response": {"id": "resp_8", "model": "m8"}});
        let text = json!({"type": "response.output_text.delta", "delta": "Hi"});
        let (lines, _) = answer(SSE, &stream(&[first, later, text, completed()]));
        assert_eq!(lines[0], "start resp_7 m7");
    }
    let text = json!({"type": "response.output_text.delta", "delta": "Hi"});
    let (lines, _) = answer(SSE, &stream(&[text, completed()]));
    assert_eq!(lines[0], "start  m");
}

#[test]
fn annotation_is_a_source_when_it_comes() {
    for annotation in [
        json!({"type": "url_citation", "url": "https://h/", "title": "H"}),
        json!({"type": "url_citation", "url_citation": {"url": "https://h/", "title": "H"}}),
    ] {
        let event = json!({"type": "response.output_text.annotation.added", "output_index": 0, "annotation": annotation});
        let (lines, _) = answer(SSE, &stream(&[event, completed()]));
        assert!(lines.contains(&"source 0 https://h/ H".to_owned()), "{lines:?}");
    }
}

#[test]
fn calls_are_given_as_far_as_they_came() {
    let event = |kind: &str, fields: &Value| {
        let mut event = json!({"type": format!("response.{kind}"), "output_index": 0});
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        event
    };
    let added = |kind: &str| {
        event(
            "output_item.added",
            &json!({"item": {"type": kind, "id": "i", "call_id": "c", "name": "f"}}),
        )
    };
    let of_calls = |events: &[Value]| {
        let (lines, error) = answer(SSE, &stream(&[events, &[completed()]].concat()));
        assert!(error.is_none());
        lines
            .into_iter()
            .filter(|line| line.starts_with("call") || line.starts_with("arg"))
            .collect::<Vec<_>>()
    };
    let custom = added("custom_tool_call");
    let delta = event("custom_tool_call_input.delta", &json!({"delta": "a"}));
    let whole = event("custom_tool_call_input.done", &json!({"input": "ab"}));
    let begun = "call 0 c f ".to_owned();
    assert_eq!(of_calls(&[custom.clone(), delta.clone()]), [&begun, "arguments 0 {\"input\":\"a"]);
    assert_eq!(of_calls(&[custom, delta, whole]), [&begun, "arguments 0 {\"input\":\"ab\"}"]);
    let whole = event("function_call_arguments.done", &json!({"name": "f", "arguments": "{}"}));
    assert_eq!(of_calls(&[added("function_call"), whole.clone()]), [&begun, "arguments 0 {}"]);
    // What names neither place nor item is of the last call.
    let placeless = |mut event: Value| {
        event.as_object_mut().unwrap().remove("output_index");
        event
    };
    let delta = event("function_call_arguments.delta", &json!({"delta": "{}"}));
    let done = event(
        "output_item.done",
        &json!({"item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}}),
    );
    let events = [added("function_call"), delta, done];
    assert_eq!(of_calls(&events), [&begun, "arguments 0 {}"]);
    assert_eq!(of_calls(&events.map(placeless)), [&begun, "arguments 0 {}"]);
    let named = of_calls(&[whole]);
    assert!(named[0].starts_with("call 0 call_") && named[0].ends_with(" f "), "{named:?}");
    assert_eq!(named[1..], ["arguments 0 {}"]);
}

#[test]
fn error_events_are_known_by_their_type_alone() {
    for name in ["error_flat", "error_nested"] {
        let body = fixture(&format!("{name}.sse")).replace("event: error\n", "");
        let wanted = fs::read_to_string(fixtures().join(format!("{name}.expected"))).unwrap();
        assert_eq!(lines_of(answer(SSE, &body)), wanted);
    }
}

#[test]
fn events_are_known_by_their_names_alone() {
    let body = fixture("text.sse");
    let untyped: String = body
        .lines()
        .map(|line| {
            let Some(data) = line.strip_prefix("data: ") else { return format!("{line}\n") };
            let mut event: Value = serde_json::from_str(data).unwrap();
            event.as_object_mut().unwrap().remove("type");
            format!("data: {event}\n")
        })
        .collect();
    let wanted = fs::read_to_string(fixtures().join("text.expected")).unwrap();
    assert_eq!(lines_of(answer(SSE, &untyped)), wanted);
}

#[test]
fn what_fails_before_anything_is_said_is_asked_again() {
    for name in ["failed_early", "error_flat"] {
        let first = fixture(&format!("{name}.sse"));
        let server = Server::start(move |exchange| match exchange.number {
            0 => exchange.stream(&first),
            _ => exchange.stream(fixture("text.sse")),
        });
        let client = client(&server.url(), &[("max_retries", "1")]);
        let (lines, error) = told(&mut Session::open(&client, &hi()).unwrap());
        assert!(error.is_none() && lines.contains(&"Text: При".to_owned()), "{name}: {lines:?}");
        assert_eq!(server.requests().len(), 2);
    }
    let body = fixture("failed.sse");
    let server = Server::start(move |exchange| exchange.stream(&body));
    let client = client(&server.url(), &[("max_retries", "1")]);
    let (lines, error) = told(&mut Session::open(&client, &hi()).unwrap());
    assert_eq!((lines.len(), error.unwrap().kind()), (2, ErrorKind::Server));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn codes_of_failures_are_told_apart() {
    for (code, kind) in [
        ("server_error", ErrorKind::Server),
        ("rate_limit_exceeded", ErrorKind::RateLimited),
        ("vector_store_timeout", ErrorKind::Server),
        ("bio_policy", ErrorKind::Blocked),
        ("misalignment_policy_violation", ErrorKind::Blocked),
        ("image_content_policy_violation", ErrorKind::Blocked),
        ("invalid_prompt", ErrorKind::BadRequest),
        ("invalid_image_format", ErrorKind::BadRequest),
        ("image_too_large", ErrorKind::BadRequest),
        ("failed_to_download_image", ErrorKind::BadRequest),
        ("data_residency_mismatch", ErrorKind::Provider),
    ] {
        let body = fixture("failed_early.sse").replace("rate_limit_exceeded", code);
        let error = answer(SSE, &body).1.unwrap();
        assert_eq!((error.kind(), error.provider_code()), (kind, code));
        assert!(error.message().contains("Slow down"), "{error}");
    }
    let body = fixture("failed_early.sse")
        .replace("{\"code\":\"rate_limit_exceeded\",\"message\":\"Slow down\"}", "null");
    let error = answer(SSE, &body).1.unwrap();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.message().contains("\"failed\""), "{error}");
    let body = body
        .replace("response.failed", "response.cancelled")
        .replace("\"failed\"", "\"cancelled\"");
    assert_eq!(answer(SSE, &body).1.unwrap().kind(), ErrorKind::Server);
}

#[test]
fn arguments_that_are_held_are_bounded() {
    let delta = |index: usize| {
        let data = json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": "x".repeat(400)});
        format!("data: {data}\n\n")
    };
    let refused = |body: String, settings: &[(&str, &str)]| {
        let server = Server::answering(SSE, body);
        let error = told(&mut Session::open(&client(&server.url(), settings), &hi()).unwrap()).1;
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        error.message().to_owned()
    };
    let small = [("max_event_bytes", "1024")];
    assert!(refused(delta(0).repeat(3), &small).contains("max_event_bytes"));
    let whole = |index: usize| {
        delta(index)
            .replace("arguments.delta", "arguments.done")
            .replace("\"delta\"", "\"arguments\"")
    };
    assert!(refused([0, 1, 2].map(whole).concat(), &small).contains("max_event_bytes"));
    let named = |index: usize| {
        let item = json!({"type": "function_call", "call_id": format!("{index}{}", "x".repeat(400)), "name": "f"});
        format!(
            "data: {}\n\n",
            json!({"type": "response.output_item.added", "output_index": index, "item": item})
        )
    };
    assert!(refused([0, 1, 2].map(named).concat(), &small).contains("max_event_bytes"));
    let of_item = |index: usize| {
        let event = json!({"type": "response.function_call_arguments.delta", "item_id": format!("{index}{}", "x".repeat(400))});
        format!("data: {event}\n\n")
    };
    assert!(refused([0, 1, 2].map(of_item).concat(), &small).contains("max_event_bytes"));
    let texts =
        [0, 1, 2].map(|index| of_item(index).replace("function_call_arguments", "output_text"));
    assert!(refused(texts.concat(), &small).contains("max_event_bytes"));
    // Pieces and the whole that takes their place count once.
    let same = whole(0).repeat(8) + "data: {\"type\":\"response.completed\",\"response\":{}}\n\n";
    let server = Server::answering(SSE, same);
    let same = told(&mut Session::open(&client(&server.url(), &small), &hi()).unwrap());
    assert!(same.1.is_none(), "{same:?}");
    let few = [("max_tool_calls", "2")];
    assert!(refused([0, 1, 2].map(delta).concat(), &few).contains("max_tool_calls"));
    let texts =
        [0, 1, 2].map(|index| delta(index).replace("function_call_arguments", "output_text"));
    assert!(refused(texts.concat(), &few).contains("max_tool_calls"));
    // What was given is held no more.
    let calls = (0..9).map(|index| {
        let item = json!({"type": "function_call", "id": format!("fc_{index}"), "call_id": format!("call_{index}"), "name": "f", "arguments": "{}"});
        let done = json!({"type": "response.output_item.done", "output_index": index, "item": item});
        delta(index).replace(&"x".repeat(400), &"x".repeat(300)) + &format!("data: {done}\n\n")
    });
    let body = calls.collect::<String>()
        + "data: {\"type\":\"response.completed\",\"response\":{\"output\":[]}}\n\n";
    let server = Server::answering(SSE, body);
    let many = told(&mut Session::open(&client(&server.url(), &small), &hi()).unwrap());
    assert!(many.1.is_none(), "{many:?}");
}

/// The body that a request of that JSON becomes.
fn asked_with(settings: &[(&str, &str)], request: &Value) -> Received {
    let server = Server::answering(SSE, fixture("text.sse"));
    let client = client(&server.url(), settings);
    let request = Request::from_json(&request.to_string()).unwrap();
    let (lines, error) = told(&mut Session::open(&client, &request).unwrap());
    assert!(error.is_none(), "{error:?} after {lines:?}");
    server.requests().remove(0)
}

/// What a field becomes in the body.
fn mapped(name: &str, value: Value) -> Value {
    let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    request[name] = value;
    asked_with(&[], &request).json()
}

fn input(messages: Value) -> Value {
    asked_with(&[], &json!({"model": "m", "messages": messages})).json()["input"].clone()
}

/// The message of a request that is refused before it is sent.
fn refused(request: &Value) -> String {
    let server = Server::answering(SSE, fixture("text.sse"));
    let request = Request::from_json(&request.to_string()).unwrap();
    let error = told(&mut Session::open(&client(&server.url(), &[]), &request).unwrap()).1.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(server.requests().is_empty());
    error.message().to_owned()
}

#[test]
fn request_is_what_the_protocol_says() {
    let settings = [("organization", "org-1"), ("project", "proj-1"), ("model", "gpt-6-luna")];
    let request = asked_with(&settings, &json!({"messages": [{"role": "user", "content": "Hé"}]}));
    assert_eq!((&*request.method, &*request.path), ("POST", "/responses"));
    for (name, value) in [
        ("authorization", "Bearer test-key"),
        ("accept", SSE),
        ("content-type", JSON),
        ("accept-encoding", "identity"),
        ("openai-organization", "org-1"),
        ("openai-project", "proj-1"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(
        request.json(),
        json!({"store": false, "include": ["reasoning.encrypted_content"], "model": "gpt-6-luna", "stream": true,
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hé"}]}]})
    );
}

#[test]
fn key_goes_where_the_scheme_says_and_to_the_endpoint_that_is_set() {
    let server = Server::answering(SSE, fixture("text.sse"));
    let ask = |settings: &[(&str, &str)]| {
        told(&mut Session::open(&client(&server.url(), settings), &hi()).unwrap());
        server.requests().pop().unwrap()
    };
    let azure = ask(&[("auth_scheme", "api-key")]);
    assert_eq!((azure.header("api-key"), azure.header("authorization")), (Some("test-key"), None));
    let bearer = ask(&[("auth_scheme", "bearer")]);
    assert_eq!(bearer.header("authorization"), Some("Bearer test-key"));
    let none = ask(&[("api_key", ""), ("auth_scheme", "api-key")]);
    assert_eq!((none.header("api-key"), none.header("authorization")), (None, None));
    let endpoint = format!("{}/elsewhere?api-version=1", server.url());
    assert_eq!(ask(&[("endpoint", &endpoint)]).path, "/elsewhere?api-version=1");
    let error = Config::new(PROVIDER).unwrap().set("auth_scheme", Some("basic")).unwrap_err();
    assert!(error.message().contains("bearer or api-key"), "{error}");
}

#[test]
fn key_of_the_environment_is_sent_and_never_shown() {
    let server = Server::start(|exchange| {
        let key = exchange.request.header("authorization").unwrap_or_default().to_owned();
        exchange.whole(401, JSON, json!({"error": {"message": key}}).to_string());
    });
    let program = support::c::program("stream").arg(server.url());
    let program = program.env("TEST_PROVIDER", Some(PROVIDER)).env("TEST_NO_KEY", Some("1"));
    let said = program.env("OPENAI_API_KEY", Some("sk-from-the-environment")).run().passed().stdout;
    assert_eq!(
        server.requests()[0].header("authorization"),
        Some("Bearer sk-from-the-environment")
    );
    assert!(said.contains("TOLMACH_E_AUTH") && !said.contains("sk-from"), "{said}");
}

#[test]
fn request_without_streaming_asks_for_json() {
    let server = Server::answering(JSON, fixture("whole.json"));
    let mut request = hi();
    request.set("stream", "false").unwrap();
    told(&mut Session::open(&client(&server.url(), &[]), &request).unwrap());
    let request = &server.requests()[0];
    assert_eq!(request.header("accept"), Some(JSON));
    assert_eq!(request.json()["stream"], false);
}

#[test]
fn system_messages_at_the_start_are_the_instructions() {
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}]},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Be loud."},
        {"role": "developer", "content": "Now."},
    ]);
    let body = asked_with(&[], &json!({"model": "m", "messages": messages})).json();
    assert_eq!(body["instructions"], "Be brief.\n\nBe kind.");
    let item = |role: &str, text: &str| json!({"role": role, "content": [{"type": "input_text", "text": text}]});
    assert_eq!(
        body["input"],
        json!([item("user", "Hi"), item("system", "Be loud."), item("developer", "Now.")])
    );
    let own = json!({"model": "m", "messages": messages, "instructions": "Mine."});
    let body = asked_with(&[], &own).json();
    assert_eq!(body["instructions"], "Mine.");
    assert_eq!(body["input"][0], item("system", "Be brief."));
    assert_eq!(body["input"].as_array().unwrap().len(), 5);
}

#[test]
fn parts_of_a_message_are_mapped_each() {
    let native = json!({"type": "input_image", "file_id": "file-2"});
    let content = json!([
        {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAA=", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://h/i.png"}},
        {"type": "file", "file": {"filename": "f.pdf", "file_data": "data:application/pdf;base64,AAA="}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_url": "https://h/f.pdf"}},
        native,
    ]);
    assert_eq!(
        input(json!([{"role": "user", "content": content}]))[0],
        json!({"role": "user", "content": [
            {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "input_image", "image_url": "data:image/png;base64,AAA=", "detail": "low"},
            {"type": "input_image", "image_url": "https://h/i.png"},
            {"type": "input_file", "filename": "f.pdf", "file_data": "data:application/pdf;base64,AAA="},
            {"type": "input_file", "file_id": "file-1"},
            {"type": "input_file", "file_url": "https://h/f.pdf"},
            native,
        ]})
    );
    let audio = json!([{"type": "input_audio", "input_audio": {"data": "AAA=", "format": "wav"}}]);
    let error = refused(&json!({"messages": [{"role": "user", "content": audio}]}));
    assert!(error.contains("input_audio") && error.contains("OpenAI Responses"), "{error}");
}

#[test]
fn conversation_from_elsewhere_is_mapped_item_by_item() {
    let call = |id: &str, city: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": format!("{{\"city\":\"{city}\"}}")}});
    let custom =
        json!({"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}});
    let messages = json!([
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call("a", "Oslo"), call("b", "Rome"), custom],
            "reasoning_content": "not its own"},
        {"role": "tool", "tool_call_id": "a", "content": "3 degrees"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "look: "},
            {"type": "image_url", "image_url": {"url": "https://h/i.png"}}]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "1 "}, {"type": "text", "text": "row"}]},
        {"role": "assistant", "content": null, "refusal": "No."},
    ]);
    let function = |id: &str, city: &str| json!({"type": "function_call", "call_id": id, "name": "weather", "arguments": format!("{{\"city\":\"{city}\"}}")});
    let said = |part: Value| json!({"type": "message", "role": "assistant", "content": [part]});
    assert_eq!(
        input(messages),
        json!([
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            said(json!({"type": "output_text", "text": "I look.", "annotations": []})),
            function("a", "Oslo"),
            function("b", "Rome"),
            {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "SELECT 1"},
            {"type": "function_call_output", "call_id": "a", "output": "3 degrees"},
            {"type": "function_call_output", "call_id": "b", "output": [
                {"type": "input_text", "text": "look: "}, {"type": "input_image", "image_url": "https://h/i.png"}]},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "1 row"},
            said(json!({"type": "refusal", "refusal": "No."})),
        ])
    );
}

#[test]
fn parameters_are_mapped_each() {
    for (name, value, path, wanted) in [
        ("max_tokens", json!(7), "/max_output_tokens", json!(7)),
        ("max_completion_tokens", json!(8), "/max_output_tokens", json!(8)),
        ("temperature", json!(0.5), "/temperature", json!(0.5)),
        ("top_p", json!(0.5), "/top_p", json!(0.5)),
        ("parallel_tool_calls", json!(false), "/parallel_tool_calls", json!(false)),
        ("metadata", json!({"a": "b"}), "/metadata", json!({"a": "b"})),
        ("service_tier", json!("flex"), "/service_tier", json!("flex")),
        (
            "reasoning_effort",
            json!("low"),
            "/reasoning",
            json!({"effort": "low", "summary": "auto"}),
        ),
        ("reasoning_effort", json!("none"), "/reasoning", json!({"effort": "none"})),
        (
            "reasoning",
            json!({"effort": "max", "summary": "detailed"}),
            "/reasoning",
            json!({"effort": "max", "summary": "detailed"}),
        ),
        ("verbosity", json!("low"), "/text", json!({"verbosity": "low"})),
        (
            "response_format",
            json!({"type": "json_object"}),
            "/text",
            json!({"format": {"type": "json_object"}}),
        ),
        (
            "response_format",
            json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true}}),
            "/text/format",
            json!({"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}),
        ),
        ("text", json!({"format": {"type": "text"}}), "/text", json!({"format": {"type": "text"}})),
        ("top_logprobs", json!(3), "/top_logprobs", json!(3)),
        (
            "logprobs",
            json!(true),
            "/include",
            json!(["message.output_text.logprobs", "reasoning.encrypted_content"]),
        ),
        ("logprobs", json!(false), "/include", json!(["reasoning.encrypted_content"])),
        (
            "include",
            json!(["web_search_call.action.sources", "reasoning.encrypted_content"]),
            "/include",
            json!(["reasoning.encrypted_content", "web_search_call.action.sources"]),
        ),
        ("user", json!("u"), "/safety_identifier", json!("u")),
        ("user", json!("u"), "/prompt_cache_key", json!("u")),
        ("user", json!("u"), "/user", json!(null)),
        ("stream_options", json!({"include_usage": true}), "/stream_options", json!(null)),
        (
            "stream_options",
            json!({"include_usage": true, "include_obfuscation": false}),
            "/stream_options",
            json!({"include_obfuscation": false}),
        ),
        ("modalities", json!(["text"]), "/modalities", json!(null)),
        ("n", json!(1), "/n", json!(null)),
        ("stop", json!([]), "/stop", json!(null)),
        ("seed", json!(1), "/seed", json!(null)),
        ("presence_penalty", json!(1), "/presence_penalty", json!(null)),
        ("frequency_penalty", json!(1), "/frequency_penalty", json!(null)),
        ("prediction", json!({"type": "content"}), "/prediction", json!(null)),
        ("truncation", json!("auto"), "/truncation", json!("auto")),
        (
            "context_management",
            json!([{"type": "compaction"}]),
            "/context_management",
            json!([{"type": "compaction"}]),
        ),
        ("input", json!("Hello"), "/input", json!("Hello")),
        ("max_output_tokens", json!(9), "/max_output_tokens", json!(9)),
    ] {
        let body = mapped(name, value.clone());
        assert_eq!(body.pointer(path).cloned().unwrap_or_default(), wanted, "{name}: {value}");
        let own = path.trim_start_matches('/').split('/').next().unwrap();
        assert!(own == name || body.get(name).is_none(), "{name} is left: {body}");
        assert!(body.get("messages").is_none());
    }
    let both = json!({"messages": [], "user": "u", "prompt_cache_key": "k", "max_tokens": 1, "max_output_tokens": 2,
        "reasoning_effort": "low", "reasoning": {"summary": "concise"}, "verbosity": "low", "text": {"format": {"type": "text"}}});
    let body = asked_with(&[], &both).json();
    assert_eq!((&body["safety_identifier"], &body["prompt_cache_key"]), (&json!("u"), &json!("k")));
    assert_eq!(body["max_output_tokens"], 2);
    assert_eq!(body["reasoning"], json!({"effort": "low", "summary": "concise"}));
    assert_eq!(body["text"], json!({"verbosity": "low", "format": {"type": "text"}}));
}

#[test]
fn what_the_api_lacks_is_refused_by_its_name() {
    for (name, value) in [
        ("stop", json!("x")),
        ("stop", json!(["x"])),
        ("n", json!(2)),
        ("logit_bias", json!({"1": 2})),
        ("modalities", json!(["text", "audio"])),
        ("audio", json!({"voice": "a"})),
        ("functions", json!([{"name": "f"}])),
        ("function_call", json!("auto")),
    ] {
        let error = refused(&json!({"messages": [], name: value}));
        assert!(error.contains(&format!("{name:?}")), "{error}");
    }
    for (message, what) in [
        (json!({"role": "function", "name": "f", "content": "1"}), "function"),
        (json!({"role": "assistant", "function_call": {"name": "f"}}), "function_call"),
        (json!({"role": "assistant", "audio": {"id": "a"}}), "audio"),
    ] {
        let error = refused(&json!({"messages": [message]}));
        assert!(error.contains(&format!("{what:?}")), "{error}");
    }
}

#[test]
fn sampling_is_left_out_for_models_that_refuse_it() {
    for (model, effort, is_sent) in [
        ("gpt-4.1", None, true),
        ("gpt-5", None, false),
        ("gpt-5-chat-latest", None, true),
        ("gpt-5.4", None, false),
        ("gpt-5.4", Some("none"), true),
        ("gpt-6-luna", Some("none"), false),
        ("gpt-10", None, false),
        ("o3-mini", None, false),
        ("openai/gpt-6-luna", None, true),
        ("grok-4.7", None, true),
        ("omni", None, true),
    ] {
        let mut request = json!({"model": model, "messages": [], "temperature": 1, "top_p": 1});
        if let Some(effort) = effort {
            request["reasoning_effort"] = effort.into();
        }
        let body = asked_with(&[], &request).json();
        for name in ["temperature", "top_p"] {
            assert_eq!(body.get(name).is_some(), is_sent, "{name} of {model} {effort:?}");
        }
    }
}

#[test]
fn what_is_not_stored_comes_whole_with_every_request() {
    let whole = json!(["reasoning.encrypted_content"]);
    for (name, value, store, include) in [
        ("store", json!(false), json!(false), whole),
        ("store", json!(true), json!(true), json!(null)),
        ("previous_response_id", json!("resp_0"), json!(null), json!(null)),
        ("conversation", json!("conv_0"), json!(null), json!(null)),
        ("background", json!(true), json!(null), json!(null)),
    ] {
        let body = mapped(name, value.clone());
        assert_eq!((&body["store"], &body["include"]), (&store, &include), "{name}");
        assert_eq!(body[name], value);
    }
}

#[test]
fn tools_are_flat() {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let body = mapped(
        "tools",
        json!([
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": parameters, "strict": true}},
            {"type": "function", "function": {"name": "g", "defer_loading": true}},
            {"type": "function", "name": "flat", "parameters": parameters},
            {"type": "custom", "custom": {"name": "sql", "description": "e", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}}},
            {"type": "web_search"},
        ]),
    );
    assert_eq!(
        body["tools"],
        json!([
            {"type": "function", "name": "f", "description": "d", "parameters": parameters, "strict": true},
            {"type": "function", "name": "g", "defer_loading": true, "parameters": {"type": "object", "properties": {}}, "strict": false},
            {"type": "function", "name": "flat", "parameters": parameters},
            {"type": "custom", "name": "sql", "description": "e", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
            {"type": "web_search"},
        ])
    );
    let place = json!({"type": "approximate", "approximate": {"country": "NO"}});
    let body =
        mapped("web_search_options", json!({"search_context_size": "low", "user_location": place}));
    assert_eq!(
        body["tools"],
        json!([{"type": "web_search", "search_context_size": "low",
        "user_location": {"type": "approximate", "country": "NO"}}])
    );
    for (choice, wanted) in [
        (json!("auto"), json!("auto")),
        (json!("none"), json!("none")),
        (json!("required"), json!("required")),
        (json!("any"), json!("required")),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            json!({"type": "function", "name": "f"}),
        ),
        (
            json!({"type": "custom", "custom": {"name": "sql"}}),
            json!({"type": "custom", "name": "sql"}),
        ),
        (json!({"type": "custom", "name": "sql"}), json!({"type": "custom", "name": "sql"})),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}),
            json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}),
        ),
        (json!({"type": "web_search"}), json!({"type": "web_search"})),
    ] {
        assert_eq!(mapped("tool_choice", choice)["tool_choice"], wanted);
    }
}

/// A stream of these events.
fn stream(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn done(place: usize, item: &Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": place, "item": item})
}

fn completed() -> Value {
    json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": []}})
}

fn reasoning(id: &str) -> Value {
    json!({"id": id, "type": "reasoning", "summary": [], "encrypted_content": format!("secret of {id}")})
}

fn said(id: &str, phase: &str, text: &str) -> Value {
    json!({"id": id, "type": "message", "status": "completed", "role": "assistant", "phase": phase,
        "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

/// The items of an answer in which nothing may be missing or change its place.
fn turn() -> Vec<Value> {
    vec![
        reasoning("rs_1"),
        said("msg_1", "commentary", "I look."),
        json!({"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}),
        json!({"id": "prog_1", "type": "program", "call_id": "call_p", "code": "x()", "fingerprint": "f"}),
        said("msg_2", "commentary", "And again."),
        json!({"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "weather",
            "arguments": "{\"city\":\"Oslo\"}", "namespace": "geo", "caller": {"type": "program", "caller_id": "call_p"}}),
        reasoning("rs_2"),
        json!({"id": "ctc_1", "type": "custom_tool_call", "status": "completed", "call_id": "call_2", "name": "sql", "input": "SELECT \"a\""}),
        json!({"id": "mcp_1", "type": "mcp_call", "server_label": "s", "name": "roll", "arguments": "{}", "output": "4"}),
        json!({"id": "cmp_1", "type": "compaction", "encrypted_content": "c"}),
        json!({"id": "apc_1", "type": "apply_patch_call", "status": "completed", "call_id": "call_3", "operation": {"type": "delete_file", "path": "a"}}),
        json!({"id": "new_1", "type": "not_known_yet", "anything": [1, null]}),
    ]
}

/// The same items as a stream: texts and arguments in pieces, as servers send them.
fn stream_of(items: &[Value]) -> Vec<Value> {
    let mut events = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let mut begun = item.clone();
        for field in ["content", "encrypted_content", "arguments", "input"] {
            if begun.get(field).is_some() {
                begun[field] = if field == "content" { json!([]) } else { json!("") };
            }
        }
        events.push(
            json!({"type": "response.output_item.added", "output_index": place, "item": begun}),
        );
        let mut piece = |kind: &str, delta: &Value| {
            events.push(json!({"type": format!("response.{kind}.delta"), "output_index": place, "delta": delta}));
        };
        match item["type"].as_str().unwrap() {
            "message" => piece("output_text", &item["content"][0]["text"]),
            "function_call" => piece("function_call_arguments", &item["arguments"]),
            "custom_tool_call" => piece("custom_tool_call_input", &item["input"]),
            _ => {}
        }
        events.push(done(place, item));
    }
    events
}

/// The reply of a session that is told `body`, and how the session ended.
fn reply_to(body: String, settings: &[(&str, &str)]) -> (String, Option<ErrorKind>) {
    let server = Server::answering(SSE, body);
    let mut session = Session::open(&client(&server.url(), settings), &hi()).unwrap();
    let (_, error) = told(&mut session);
    (session.replies().to_json().unwrap(), error.map(|error| error.kind()))
}

/// What of the next request follows the user's message, after `reply` and these messages.
fn next_input(reply: &str, more: &[Value]) -> Vec<Value> {
    let mut request = hi();
    request.message_json(reply).unwrap();
    for message in more {
        request.message_json(&message.to_string()).unwrap();
    }
    // Exported and imported on the way.
    let request: Value = serde_json::from_str(&request.to_json().unwrap()).unwrap();
    let body = asked_with(&[], &request).json();
    body["input"].as_array().unwrap()[1..].to_vec()
}

fn result(id: &str, content: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

#[test]
fn every_item_of_an_answer_goes_back_whole_and_in_its_place() {
    let results =
        [result("call_1", "3 degrees"), result("call_2", "1 row"), result("call_3", "gone")];
    let outputs = [
        json!({"type": "function_call_output", "call_id": "call_1", "output": "3 degrees",
            "caller": {"type": "program", "caller_id": "call_p"}}),
        json!({"type": "custom_tool_call_output", "call_id": "call_2", "output": "1 row"}),
        json!({"type": "apply_patch_call_output", "call_id": "call_3", "status": "completed", "output": "gone"}),
    ];
    let items = turn();
    let whole: Vec<Value> =
        items.iter().enumerate().map(|(place, item)| done(place, item)).collect();
    let document =
        json!({"id": "resp_1", "object": "response", "status": "completed", "output": items});
    for body in [
        stream(&[stream_of(&items), vec![completed()]].concat()),
        stream(&[whole, vec![completed()]].concat()),
        // OpenAI repeats the whole output at the end.
        stream(
            &[stream_of(&items), vec![json!({"type": "response.completed", "response": document})]]
                .concat(),
        ),
        document.to_string(),
    ] {
        let (reply, error) = reply_to(body, &[]);
        assert_eq!(error, None);
        assert_eq!(next_input(&reply, &results), [&items[..], &outputs].concat());
        // The message itself is one of chat's.
        let message: Value = serde_json::from_str(&reply).unwrap();
        assert_eq!(message["content"], "I look.And again.");
        let calls = message["tool_calls"].as_array().unwrap();
        let of = |place: usize| calls[place]["function"]["arguments"].as_str().unwrap().to_owned();
        assert_eq!(of(0), "{\"city\":\"Oslo\"}");
        assert_eq!(of(1), "{\"input\":\"SELECT \\\"a\\\"\"}");
        assert_eq!(calls[2]["function"]["name"], "apply_patch");
    }
}

#[test]
fn reasoning_that_is_encrypted_at_the_end_alone_goes_back_in_its_place() {
    let items = [reasoning("rs_1"), said("msg_1", "final_answer", "Hi")];
    let mut bare = reasoning("rs_1");
    bare.as_object_mut().unwrap().remove("encrypted_content");
    let end = json!({"type": "response.completed",
        "response": {"id": "resp_1", "status": "completed", "output": items}});
    let (reply, error) = reply_to(stream(&[done(0, &bare), done(1, &items[1]), end]), &[]);
    assert_eq!(error, None);
    assert_eq!(next_input(&reply, &[]), items);
}

#[test]
fn turn_that_stops_anywhere_can_be_sent_back() {
    let items = turn();
    let events = stream_of(&items);
    for count in 0..=events.len() {
        let (reply, error) = reply_to(stream(&events[..count]), &[]);
        assert_eq!(error, Some(ErrorKind::Truncated));
        if reply.is_empty() {
            continue;
        }
        let input = next_input(&reply, &[]);
        assert_ne!(input.last().unwrap()["type"], "reasoning", "{count}: {input:?}");
        let complete: Vec<&Value> = events[..count]
            .iter()
            .filter(|event| event["type"] == "response.output_item.done")
            .map(|event| &event["item"])
            .collect();
        for item in &input {
            // All of it is as it came, but for a text that was cut off.
            let text = item["content"][0]["text"].as_str().unwrap_or_default();
            assert!(complete.contains(&item) || !text.is_empty(), "{count}: {item}");
        }
        let kept = complete.iter().filter(|item| input.contains(item)).count();
        let trailing = complete.iter().rev().take_while(|item| item["type"] == "reasoning").count();
        // What is missing is reasoning without a successor.
        assert!(kept + trailing >= complete.len(), "{count}: {input:?}");
    }
}

#[test]
fn turn_that_is_cancelled_can_be_sent_back() {
    let items = [said("msg_1", "commentary", "I look."), reasoning("rs_1"), turn()[5].clone()];
    let events = stream_of(&items);
    let (begun, rest) = events.split_at(events.len() - 2);
    assert_eq!(rest[0]["type"], "response.function_call_arguments.delta");
    let body = stream(begun);
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        exchange.chunk(&body);
        exchange.wait_for_close();
    });
    let mut session = Session::open(&client(&server.url(), &[]), &hi()).unwrap();
    loop {
        let Ok(Polled::Chunk(chunk)) = session.poll(Some(support::LONG)) else {
            panic!("a call begins")
        };
        if chunk.kind == ChunkKind::ToolCall {
            break;
        }
    }
    session.control().cancel();
    assert_eq!(told(&mut session).1.unwrap().kind(), ErrorKind::Cancelled);
    let reply = session.replies().to_json().unwrap();
    let again = json!({"role": "user", "content": "Go on"});
    let input = next_input(&reply, &[again]);
    let again = json!({"role": "user", "content": [{"type": "input_text", "text": "Go on"}]});
    assert_eq!(input, [items[0].clone(), again]);
}

#[test]
fn message_that_the_program_changed_goes_back_as_it_is_now() {
    let (reply, _) = reply_to(stream(&[stream_of(&turn()), vec![completed()]].concat()), &[]);
    let mut message: Value = serde_json::from_str(&reply).unwrap();
    message["content"] = "Edited.".into();
    message["tool_calls"].as_array_mut().unwrap().truncate(1);
    assert_eq!(
        next_input(&message.to_string(), &[]),
        [
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Edited.", "annotations": []}]}),
            json!({"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Oslo\"}"}),
        ]
    );
}

#[test]
fn reasoning_that_is_an_id_alone_goes_to_who_stored_it() {
    let bare = json!({"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}]});
    let open = json!({"id": "rs_2", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "r"}]});
    let items = [bare.clone(), open.clone(), said("msg_1", "final_answer", "Hi")];
    let (reply, _) = reply_to(stream(&[stream_of(&items), vec![completed()]].concat()), &[]);
    assert_eq!(next_input(&reply, &[]), items[1..]);
    let message: Value = serde_json::from_str(&reply).unwrap();
    let stored = json!({"model": "m", "store": true, "messages": [message]});
    assert_eq!(asked_with(&[], &stored).json()["input"], json!(items));
}

#[test]
fn tools_of_the_provider_that_the_program_runs_are_calls_with_results() {
    let item = |kind: &str, id: &str| json!({"id": format!("i_{id}"), "type": kind, "call_id": id, "status": "completed", "action": {"type": "a"}});
    let approval = json!({"id": "mcpr_1", "type": "mcp_approval_request", "server_label": "s", "name": "roll", "arguments": "{}"});
    let items = [
        item("shell_call", "a"),
        item("local_shell_call", "b"),
        item("computer_call", "c"),
        item("apply_patch_call", "d"),
        item("shell_call", "e"),
        approval.clone(),
        json!({"id": "mcpr_2", "type": "mcp_approval_request", "server_label": "s", "name": "roll", "arguments": "{}"}),
        item("computer_call", "f"),
    ];
    let whole: Vec<Value> =
        items.iter().enumerate().map(|(place, item)| done(place, item)).collect();
    let (reply, error) = reply_to(stream(&[whole, vec![completed()]].concat()), &[]);
    assert_eq!(error, None);
    let message: Value = serde_json::from_str(&reply).unwrap();
    let names: Vec<&str> = message["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "shell",
            "local_shell",
            "computer",
            "apply_patch",
            "shell",
            "mcp_approval_request",
            "mcp_approval_request",
            "computer"
        ]
    );
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"action\":{\"type\":\"a\"}}");
    let screen = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAA="}}]);
    let results = [
        result("a", "out"),
        result("b", "out"),
        json!({"role": "tool", "tool_call_id": "c", "content": screen}),
        result("d", "{\"status\":\"failed\",\"output\":\"no such file\"}"),
        result(
            "e",
            "{\"output\":[{\"stdout\":\"\",\"stderr\":\"bad\",\"outcome\":{\"type\":\"exit\",\"exit_code\":1}}]}",
        ),
        result("mcpr_1", "true"),
        result("mcpr_2", "no"),
        result("f", "https://h/s.png"),
    ];
    let outcome = |code: i32| json!({"type": "exit", "exit_code": code});
    let outputs = [
        json!({"type": "shell_call_output", "call_id": "a", "output": [{"stdout": "out", "stderr": "", "outcome": outcome(0)}]}),
        json!({"type": "local_shell_call_output", "call_id": "b", "output": "out"}),
        json!({"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,AAA="}}),
        json!({"type": "apply_patch_call_output", "call_id": "d", "status": "failed", "output": "no such file"}),
        json!({"type": "shell_call_output", "call_id": "e", "output": [{"stdout": "", "stderr": "bad", "outcome": outcome(1)}]}),
        json!({"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": true}),
        json!({"type": "mcp_approval_response", "approval_request_id": "mcpr_2", "approve": false}),
        json!({"type": "computer_call_output", "call_id": "f", "output": {"type": "computer_screenshot", "image_url": "https://h/s.png"}}),
    ];
    assert_eq!(next_input(&reply, &results), [items.to_vec(), outputs.to_vec()].concat());
}

#[test]
fn result_that_happens_to_be_json_is_the_output_as_it_is() {
    let items = [("local_shell_call", "a"), ("computer_call", "b"), ("shell_call", "c")].map(
        |(kind, id)| json!({"id": format!("i_{id}"), "type": kind, "call_id": id, "status": "completed"}),
    );
    let whole: Vec<Value> =
        items.iter().enumerate().map(|(place, item)| done(place, item)).collect();
    let (reply, _) = reply_to(stream(&[whole, vec![completed()]].concat()), &[]);
    let package = "{\"name\":\"p\",\"type\":\"module\"}";
    let screenshot = json!({"type": "computer_screenshot", "file_id": "file_1"});
    let mine = json!({"type": "x", "call_id": "y", "output": "z"});
    let results = [
        result("a", package),
        result("b", &screenshot.to_string()),
        result("c", &mine.to_string()),
    ];
    let outputs = [
        json!({"type": "local_shell_call_output", "call_id": "a", "output": package}),
        json!({"type": "computer_call_output", "call_id": "b", "output": screenshot}),
        json!({"type": "shell_call_output", "call_id": "c", "output": "z"}),
    ];
    assert_eq!(next_input(&reply, &results), [items.to_vec(), outputs.to_vec()].concat());
}

#[test]
fn document_that_is_no_answer_is_not_an_empty_one() {
    for body in [
        "{\"status\":\"error\",\"message\":\"no credit\"}",
        "{\"status\":\"ok\"}",
        "{\"status\":500,\"detail\":\"upstream\"}",
        "{\"output\":null}",
        "{\"output\":\"text of another API\"}",
    ] {
        let (lines, error) = answer(JSON, body);
        assert!(error.is_some(), "{body}: {lines:?}");
    }
}

#[test]
fn answer_that_is_lost_after_each_event_is_not_asked_for_without_end() {
    let server = Server::start(|exchange| {
        let number = exchange.number;
        exchange.stream_head();
        let event = json!({"type": "response.in_progress", "sequence_number": number, "response": {"id": "resp_1"}});
        exchange.chunk(format!("data: {event}\n\n"));
        exchange.close();
    });
    let client = client(&server.url(), &[("background", "true")]);
    let (_, error) = told(&mut Session::open(&client, &hi()).unwrap());
    assert_eq!(error.unwrap().kind(), ErrorKind::Truncated);
    assert_eq!(server.requests().len(), 6);
}

/// Answers the first request with the first `count` events of `body`, and any other as the
/// server of a background answer does.
fn lossy(body: &str, counts: &'static [usize]) -> impl Fn(&mut Exchange) + Send + Sync + 'static {
    let body = body.to_owned();
    move |exchange| {
        let events = events(&body);
        let path = exchange.request.path.clone();
        let after: Option<usize> =
            path.split_once("starting_after=").map(|(_, at)| at.parse().unwrap());
        // Numbers count from 0. This server repeats an event, as one that does not know the
        // parameter repeats all.
        let from = after.unwrap_or_default();
        let to = counts.get(exchange.number).map_or(events.len(), |count| from + count);
        exchange.stream_head();
        for event in &events[from.min(events.len())..to.min(events.len())] {
            exchange.chunk(event);
        }
        if to >= events.len() { exchange.end_chunks() } else { exchange.close() }
    }
}

#[test]
fn background_answer_goes_on_where_its_connection_was_lost() {
    for name in ["reasoning_encrypted", "two_functions", "web_search", "text"] {
        let body = fixture(&format!("{name}.sse"));
        let server = Server::start(lossy(&body, &[6, 3, 2, 4]));
        let settings = [("background", "true"), ("organization", "org-1")];
        let client = client(&server.url(), &settings);
        let lines = lines_of(told(&mut Session::open(&client, &hi()).unwrap()));
        assert_eq!(lines, fs::read_to_string(fixtures().join(format!("{name}.expected"))).unwrap());
        let requests = server.requests();
        assert_eq!(requests[0].json()["background"], true);
        assert_eq!(requests[0].json().get("store"), None);
        assert_eq!(requests[1].method, "GET");
        assert_eq!(requests[1].path, "/responses/resp_1?stream=true&starting_after=5");
        assert_eq!(requests[1].header("authorization"), Some("Bearer test-key"));
        assert_eq!(
            requests[1].header("organization").or(requests[1].header("openai-organization")),
            Some("org-1")
        );
        assert_eq!(requests[2].path, "/responses/resp_1?stream=true&starting_after=7");
        assert!(requests.len() >= 4, "{}", requests.len());
    }
}

#[test]
fn background_answer_is_always_streamed_and_keeps_the_query_of_its_endpoint() {
    let body = fixture("text.sse");
    let server = Server::start(lossy(&body, &[5]));
    let endpoint = format!("{}/own/responses?api-version=1", server.url());
    let client = client(&server.url(), &[("background", "true"), ("endpoint", &endpoint)]);
    let mut request = hi();
    request.set("stream", "false").unwrap();
    let (_, error) = told(&mut Session::open(&client, &request).unwrap());
    assert!(error.is_none(), "{error:?}");
    let requests = server.requests();
    assert_eq!(requests[0].json()["stream"], true);
    assert_eq!(
        requests[1].path,
        "/own/responses/resp_1?api-version=1&stream=true&starting_after=4"
    );
}

#[test]
fn lost_answer_is_truncated_where_it_cannot_be_resumed() {
    let body = fixture("text.sse");
    for (settings, body) in [
        (&[][..], body.clone()),
        (&[("background", "true")][..], body.replace("resp_1", "../v1/files")),
        (&[("background", "true")][..], body.replace("sequence_number", "number")),
    ] {
        let server = Server::start(lossy(&body, &[5]));
        let (_, error) = told(&mut Session::open(&client(&server.url(), settings), &hi()).unwrap());
        assert_eq!(error.unwrap().kind(), ErrorKind::Truncated);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn attempts_to_resume_that_bring_nothing_are_bounded() {
    let server = Server::start(lossy(&fixture("text.sse"), &[5, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
    let client = client(&server.url(), &[("background", "true")]);
    let (_, error) = told(&mut Session::open(&client, &hi()).unwrap());
    assert_eq!(error.unwrap().kind(), ErrorKind::Truncated);
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn refusal_to_resume_is_the_error_and_a_busy_server_is_asked_again() {
    for (status, kind) in [(404, Some(ErrorKind::NotFound)), (503, None)] {
        let resumed = lossy(&fixture("text.sse"), &[5]);
        let server = Server::start(move |exchange| match exchange.number {
            1 => exchange.whole(status, JSON, "{\"error\":{\"message\":\"no\"}}"),
            _ => resumed(exchange),
        });
        let client = client(&server.url(), &[("background", "true")]);
        let (_, error) = told(&mut Session::open(&client, &hi()).unwrap());
        assert_eq!(error.map(|error| error.kind()), kind);
    }
}

#[test]
fn document_in_the_place_of_the_rest_of_a_stream_is_no_answer() {
    for (count, kind) in [(5, Some(ErrorKind::Protocol)), (2, None)] {
        let body = fixture("text.sse");
        let server = Server::start(move |exchange| match exchange.number {
            0 => {
                exchange.stream_head();
                exchange.chunk(events(&body)[..count].concat());
                exchange.close();
            }
            _ => exchange.whole(200, JSON, fixture("whole.json")),
        });
        let client = client(&server.url(), &[("background", "true")]);
        let (lines, error) = told(&mut Session::open(&client, &hi()).unwrap());
        // Before anything was said, the whole of it is what is missing.
        assert_eq!(error.map(|error| error.kind()), kind, "{lines:?}");
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn call_whose_input_was_cut_off_does_not_go_back() {
    let (reply, error) = reply_to(fixture("incomplete_in_custom_tool.sse"), &[]);
    assert_eq!((&*reply, error), ("", None));
}

#[test]
fn answer_that_fails_is_not_resumed() {
    let server = Server::answering(SSE, fixture("failed.sse"));
    let client = client(&server.url(), &[("background", "true")]);
    let (_, error) = told(&mut Session::open(&client, &hi()).unwrap());
    assert_eq!(error.unwrap().kind(), ErrorKind::Server);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn models_are_listed() {
    let list = "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-6-luna\",\"owned_by\":\"openai\"},{\"id\":\"b\"}]}";
    let server = Server::answering(JSON, list);
    let models = client(&server.url(), &[("auth_scheme", "api-key")]).models(None).unwrap();
    let ids: Vec<&str> = models.iter().map(|model| &*model.id).collect();
    assert_eq!(ids, ["gpt-6-luna", "b"]);
    let request = &server.requests()[0];
    assert_eq!((&*request.method, &*request.path), ("GET", "/models"));
    assert_eq!(request.header("api-key"), Some("test-key"));
    let server = Server::answering(JSON, "{\"data\":7}");
    assert_eq!(client(&server.url(), &[]).models(None).unwrap_err().kind(), ErrorKind::Protocol);
}

/// A client of aimock, which nobody here wrote.
fn aimock(server: &Aimock, key: &str) -> Client {
    client(&server.url(), &[("api_key", key)])
}

#[test]
fn real_server_is_understood_over_two_turns_with_a_tool() {
    let Some(server) = Aimock::shared() else { return };
    let mut request = Request::new(Some("gpt-4o"));
    request.message("user", "hello").unwrap();
    let (lines, error) = told(&mut Session::open(&aimock(&server, KEY), &request).unwrap());
    assert!(error.is_none(), "{error:?}");
    assert!(lines[0].starts_with("start resp") && lines[0].ends_with(" gpt-4o"), "{lines:?}");
    let text = "Text: Hello from a server that nobody here wrote: Привет, 世界 👋!".to_owned();
    assert!(lines.contains(&text), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "finish stop completed");

    let tool = json!([{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]);
    let mut request = Request::new(Some("gpt-4o"));
    request.message("user", "weather").unwrap();
    request.set("tools", &tool.to_string()).unwrap();
    let client = aimock(&server, KEY);
    let mut session = Session::open(&client, &request).unwrap();
    let (lines, error) = told(&mut session);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(lines.last().unwrap(), "finish tool_calls completed");
    let reply = session.replies().to_json().unwrap();
    let message: Value = serde_json::from_str(&reply).unwrap();
    let call = &message["tool_calls"][0];
    assert_eq!(
        call["function"],
        json!({"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"})
    );
    request.message_json(&reply).unwrap();
    request.tool_result(call["id"].as_str().unwrap(), "3 degrees").unwrap();
    let (lines, error) = told(&mut Session::open(&client, &request).unwrap());
    assert!(error.is_none(), "{error:?}");
    assert!(lines.contains(&"Text: Three degrees in Oslo.".to_owned()), "{lines:?}");
}

#[test]
fn errors_of_a_real_server_are_told_apart() {
    let Some(server) = Aimock::shared() else { return };
    let ask = |key: &str, text: &str| {
        let mut request = Request::new(Some("gpt-4o"));
        request.message("user", text).unwrap();
        told(&mut Session::open(&aimock(&server, key), &request).unwrap()).1.unwrap()
    };
    assert_eq!(ask("wrong-key", "hello").kind(), ErrorKind::Auth);
    let hurried = ask(KEY, "too fast");
    assert_eq!((hurried.kind(), hurried.http_status()), (ErrorKind::RateLimited, Some(429)));
    assert_eq!(ask(KEY, "cut me off").kind(), ErrorKind::Truncated);
}
