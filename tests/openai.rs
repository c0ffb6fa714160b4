//! OpenAI's protocol: what is sent, and what is made of all that servers answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::server::{Exchange, Request, Server};
use support::{c, openai};

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";

/// The lines of tests/c/stream.c.
fn lines(server: &Server, args: &[&str]) -> Vec<String> {
    let program = c::program("stream").arg(server.url());
    let program = args.iter().fold(program, |program, arg| program.arg(arg));
    program.run().passed().stdout.lines().map(str::to_owned).collect()
}

/// What comes of a body, but for its start, which all have, and the reply.
fn chunks(content_type: &'static str, body: impl Into<Vec<u8>>) -> Vec<String> {
    let mut lines = lines(&Server::answering(content_type, body), &[]);
    lines.retain(|line| !line.starts_with("start ") && !line.starts_with("reply "));
    lines
}

fn reply(body: &str) -> Value {
    let lines = lines(&Server::answering(SSE, body), &[]);
    let reply = lines.iter().find_map(|line| line.strip_prefix("reply ")).unwrap();
    serde_json::from_str(reply).unwrap()
}

/// The one error line of an answer.
fn error(script: impl Fn(&mut Exchange) + Send + Sync + 'static, args: &[&str]) -> String {
    let lines = lines(&Server::start(script), args);
    let mut errors = lines.into_iter().filter(|line| line.starts_with("error "));
    let error = errors.next().unwrap_or_else(|| panic!("there is no error"));
    assert!(errors.next().is_none());
    error
}

fn error_of(content_type: &'static str, body: &'static str) -> String {
    error(move |exchange| exchange.whole(200, content_type, body), &["max_retries=0"])
}

#[test]
fn request_is_what_the_protocol_says() {
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    lines(
        &server,
        &[
            "organization=org-1",
            "@{\"model\":\"gpt\",\"messages\":[{\"role\":\"user\",\"content\":\"Hé\"}],\"seed\":7}",
        ],
    );
    let request = &server.requests()[0];
    assert_eq!((&*request.method, &*request.path), ("POST", "/chat/completions"));
    assert_eq!(request.header("authorization"), Some("Bearer test-key-secret"));
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("openai-organization"), Some("org-1"));
    assert!(request.header("user-agent").unwrap().starts_with("tolmach/"));
    assert_eq!(
        request.json(),
        json!({"messages": [{"role": "user", "content": "Hé"}], "model": "gpt", "seed": 7,
            "stream": true, "stream_options": {"include_usage": true}})
    );
}

#[test]
fn request_without_streaming_asks_for_json() {
    let answer =
        json!({"id": "1", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]});
    let server = Server::answering(JSON, answer.to_string());
    let lines = lines(&server, &["@{\"stream\":false,\"messages\":[]}"]);
    assert_eq!(lines[1..4], ["text 0 0 \"Hi\"", "finish 0 0 \"stop\" name=\"stop\"", "end"]);
    let request = &server.requests()[0];
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.json(), json!({"messages": [], "stream": false, "model": ""}));
}

#[test]
fn headers_of_the_config_win_in_any_case() {
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    lines(&server, &["headers={\"AUTHORIZATION\":\"Other\",\"X-More\":\"1\"}", "model=unused"]);
    let request = &server.requests()[0];
    let authorizations =
        request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    assert_eq!(authorizations.map(|(_, value)| &**value).collect::<Vec<_>>(), ["Other"]);
    assert_eq!(request.header("x-more"), Some("1"));
}

#[test]
fn endpoint_beats_base_url_and_slashes_do_not_double() {
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    lines(&server, &[&format!("endpoint={}/elsewhere?api-version=1", server.url())]);
    lines(&server, &[&format!("base_url={}/v1//", server.url())]);
    let paths: Vec<String> = server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/elsewhere?api-version=1", "/v1/chat/completions"]);
}

#[test]
fn query_of_the_base_url_follows_every_path() {
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    lines(&server, &[&format!("base_url={}/v1/?api-version=1&b=/", server.url())]);
    c::program("models").arg(format!("{}?x=1", server.url())).arg("60000").run();
    lines(
        &server,
        &[
            &format!("base_url={}?x=1", server.url()),
            "@{\"model\":\"dall-e-3\",\"messages\":[{\"role\":\"user\",\"content\":\"A cat\"}]}",
        ],
    );
    let paths: Vec<String> = server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths[0], "/v1/chat/completions?api-version=1&b=/");
    assert_eq!(paths[1..], ["/models?x=1", "/images/generations?x=1"]);
}

#[test]
fn wrong_urls_are_refused_when_they_are_set_and_not_shown() {
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    let host = server.address().ip();
    let refused = |key: &str, url: &str, why: &str| {
        let error = lines(&server, &[&format!("{key}={url}")]).remove(0);
        assert!(error.starts_with("error TOLMACH_E_ARGUMENT"), "{key} {url}: {error}");
        assert!(error.contains(&format!("\\\"{key}\\\"")) && error.contains(why), "{error}");
        assert!(!error.contains("secret") && !error.contains(&host.to_string()), "{error}");
    };
    for key in ["base_url", "endpoint", "proxy"] {
        for port in ["99999", "80a", "-1", "+80", "0", ""] {
            refused(key, &format!("http://{host}:{port}/secret"), "from 1 to 65535");
        }
        refused(key, "https://", "no host");
        refused(key, "http://:80/", "no host");
        refused(key, "http://[::1", "IPv6");
        refused(key, "http://sec ret/", "");
        refused(key, "ftp://secret", "https");
    }
    for key in ["base_url", "endpoint"] {
        refused(key, &format!("http://user:secret@{host}/"), "api_key");
        refused(key, &format!("http://{host}/#secret"), "fragment");
        refused(key, &format!("http://{host}/se cret"), "white space");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn empty_key_sends_none_and_no_key_names_both_its_places() {
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    lines(&server, &["api_key="]);
    assert_eq!(server.requests()[0].header("authorization"), None);
    let run = |key: Option<&str>| {
        let program = c::program("stream").arg(server.url()).env("TEST_NO_KEY", Some("1"));
        program.env("OPENAI_API_KEY", key).run().passed().stdout
    };
    let error = run(None);
    assert!(error.starts_with("error TOLMACH_E_AUTH"), "{error}");
    assert!(error.contains("api_key") && error.contains("OPENAI_API_KEY"), "{error}");
    run(Some("from-environment\n"));
    assert_eq!(server.requests()[1].header("authorization"), Some("Bearer from-environment"));
}

#[test]
fn usage_is_not_asked_again_of_a_server_that_refuses_it() {
    let server = Server::start(|exchange| match exchange.request.json().get("stream_options") {
        Some(_) => {
            exchange.whole(400, JSON, "{\"error\":{\"message\":\"Unknown field: stream_options\"}}")
        }
        None => exchange.stream(openai::stream(&["Hi"])),
    });
    assert!(lines(&server, &[]).contains(&"text 0 0 \"Hi\"".to_owned()));
    assert_eq!(server.requests().len(), 2);
    // The next sessions of a client know it, each of its model.
    let ask = |model: &str| format!("@{{\"model\":\"{model}\",\"messages\":[]}}");
    turns(&server, &[&ask("a"), &ask("a"), &ask("b"), &ask("a")]);
    let asked: Vec<(Value, bool)> = server.requests()[2..]
        .iter()
        .map(Request::json)
        .map(|request| (request["model"].clone(), request.get("stream_options").is_some()))
        .collect();
    let model = |name: &str, with: bool| (json!(name), with);
    assert_eq!(
        asked,
        [
            model("a", true),
            model("a", false),
            model("a", false),
            model("b", true),
            model("b", false),
            model("a", false),
        ]
    );
}

#[test]
fn text_reasoning_refusal_and_usage_come_in_order() {
    let body = [
        openai::delta(json!({"role": "assistant", "reasoning_content": "think", "content": null})),
        openai::delta(json!({"reasoning_content": null, "reasoning": " on"})),
        openai::delta(json!({"content": " Hi"})),
        openai::delta(json!({"refusal": "no"})),
        openai::finish("length"),
        openai::event(&json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 3}}})),
        openai::DONE.to_owned(),
    ];
    assert_eq!(
        chunks(SSE, body.concat()),
        [
            "reasoning 0 0 \"think\" name=\"reasoning_content\"",
            "reasoning 0 0 \" on\" name=\"reasoning\"",
            "text 0 0 \" Hi\"",
            "refusal 0 0 \"no\"",
            "usage 0 0 \"\" input=5 output=7 total=12 cached=2 reasoning=3 cache_write=1",
            "finish 0 0 \"length\" name=\"length\"",
            "end",
        ]
    );
}

#[test]
fn content_parts_with_thinking_are_told_apart() {
    let content = json!([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Hi"}, {"type": "reference", "reference_ids": [1]}]);
    let body = openai::delta(json!({"content": content})) + &openai::finish("stop") + openai::DONE;
    assert_eq!(
        chunks(SSE, body)[..2],
        ["reasoning 0 0 \"hm\" name=\"thinking\"", "text 0 0 \"Hi\""]
    );
}

fn tool_calls(pieces: Value) -> String {
    openai::delta(json!({"tool_calls": pieces}))
}

#[test]
fn pieces_of_tool_calls_find_their_call() {
    let body = [
        tool_calls(json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}])),
        tool_calls(json!([{"index": 0, "id": "", "function": {"arguments": "{\"x\""}}])),
        tool_calls(json!([{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}}])),
        tool_calls(json!([{"index": 0, "function": {"arguments": ":1}"}}])),
        tool_calls(json!([{"index": 1, "function": {"name": "g", "arguments": "}"}}])),
        openai::finish("tool_calls"),
        openai::DONE.to_owned(),
    ]
    .concat();
    assert_eq!(
        chunks(SSE, &*body)[..5],
        [
            "tool 0 0 \"\" id=\"a\" name=\"f\"",
            "tool 0 0 \"{\\\"x\\\"\"",
            "tool 0 1 \"{\" id=\"b\" name=\"g\"",
            "tool 0 0 \":1}\"",
            "tool 0 1 \"}\"",
        ]
    );
    assert_eq!(
        reply(&body)["tool_calls"],
        json!([{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}])
    );
}

#[test]
fn tool_calls_without_index_or_with_the_same_one_are_told_apart() {
    let by_id =
        tool_calls(json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"index": 0, "id": "b", "function": {"name": "f", "arguments": "{}"}}]));
    let bare = tool_calls(json!([{"id": "c", "function": {"name": "f", "arguments": {"y": 2}}},
        {"function": {"name": "g", "arguments": "{"}}, {"function": {"arguments": "}"}}]));
    let reply = reply(&(by_id + &bare + &openai::finish("stop") + openai::DONE));
    let calls = reply["tool_calls"].as_array().unwrap();
    let ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
    assert_eq!(ids[..3], ["a", "b", "c"]);
    assert!(ids[3].starts_with("call_") && ids[3].len() > 30, "{}", ids[3]);
    assert_eq!(calls[2]["function"]["arguments"], "{\"y\":2}");
    assert_eq!(calls[3]["function"], json!({"name": "g", "arguments": "{}"}));
}

/// llama-cpp-python sends every call in both fields.
#[test]
fn function_call_is_ignored_where_tool_calls_are() {
    let function = |arguments: &str| json!({"name": "f", "arguments": arguments});
    let tool = |arguments: &str| json!([{"index": 0, "id": "a", "type": "function", "function": function(arguments)}]);
    let both = |arguments: &str| {
        openai::delta(json!({"function_call": function(arguments), "tool_calls": tool(arguments)}))
    };
    let only = |field: &str, value: Value| openai::delta(json!({field: value}));
    let end = openai::finish("tool_calls") + openai::DONE;
    let piece = |text: &str, rest: &str| format!("tool 0 0 \"{text}\"{rest}");
    let (began, named) = (" id=\"a\" name=\"f\"", "{\\\"x\\\":1}");
    let whole = vec![piece(named, began)];
    for (body, calls) in [
        (both("{\"x\"") + &both(":1}"), vec![piece("{\\\"x\\\"", began), piece(":1}", "")]),
        (
            only("tool_calls", tool("{\"x\":1}")) + &only("function_call", function("{\"x\":1}")),
            whole.clone(),
        ),
        (
            only("function_call", function("{\"x\":1}")) + &only("tool_calls", tool("{\"x\":1}")),
            whole.clone(),
        ),
    ] {
        let mut lines = chunks(SSE, body + &end);
        lines.retain(|line| line.starts_with("tool "));
        assert_eq!(lines, calls);
    }
    let message = json!({"content": null, "function_call": function("{\"x\":1}"), "tool_calls": tool("{\"x\":1}")});
    let answer = json!({"choices": [{"message": message, "finish_reason": "tool_calls"}]});
    assert_eq!(chunks(JSON, answer.to_string())[0], whole[0]);
}

#[test]
fn function_call_alone_is_a_tool_call() {
    let piece = |name: &str, arguments: &str| {
        openai::delta(json!({"function_call": {"name": name, "arguments": arguments}}))
    };
    let long = "y".repeat(100_000);
    // What is long is not held to the end.
    for (middle, pieces) in [("1", 1), (&*long, 2)] {
        let body = piece("f", "{\"x\":\"") + &piece("", middle) + &piece("", "\"}");
        let body = body + &openai::finish("function_call") + openai::DONE;
        let reply = reply(&body);
        let calls = reply["tool_calls"].as_array().unwrap();
        assert_eq!(calls.len(), 1);
        let arguments = format!("{{\"x\":\"{middle}\"}}");
        assert_eq!(calls[0]["function"], json!({"name": "f", "arguments": arguments}));
        let lines = chunks(SSE, body);
        assert_eq!(lines.iter().filter(|line| line.starts_with("tool ")).count(), pieces);
    }
}

#[test]
fn pieces_of_a_function_call_keep_an_answer_alive() {
    let server = Server::start(|exchange| {
        exchange.stream_head();
        for _ in 0..24 {
            exchange
                .chunk(openai::delta(json!({"function_call": {"name": "f", "arguments": "[],"}})));
            thread::sleep(Duration::from_millis(100));
        }
        exchange.chunk(openai::finish("function_call") + openai::DONE);
        exchange.end_chunks();
    });
    let lines = lines(&server, &["idle_timeout_ms=2000"]);
    assert!(lines.contains(&"end".to_owned()), "{lines:?}");
}

#[test]
fn stop_with_tool_calls_is_called_tool_calls_and_the_providers_word_is_kept() {
    let body = tool_calls(json!([{"id": "a", "function": {"name": "f"}}]))
        + &openai::finish("stop")
        + openai::DONE;
    assert!(chunks(SSE, body).contains(&"finish 0 0 \"tool_calls\" name=\"stop\"".to_owned()));
}

#[test]
fn text_that_comes_twice_in_an_event_is_taken_once() {
    let event = |choice: Value| openai::event(&json!({"choices": [choice]}));
    let hi = ["text 0 0 \"H\"", "text 0 0 \"i\"", "finish 0 0 \"stop\" name=\"stop\"", "end"];
    // Together repeats the piece as text, Perplexity all that was said as the message.
    let together = event(json!({"text": "H", "delta": {"content": "H"}}))
        + &event(json!({"text": "i", "delta": {"content": "i"}, "finish_reason": "stop"}));
    assert_eq!(chunks(SSE, together), hi);
    let perplexity =
        event(json!({"message": {"content": ""}, "delta": {"role": "assistant", "content": ""}}))
            + &event(json!({"message": {"content": "H"}, "delta": {"content": "H"}}))
            + &event(json!({"message": {"content": "Hi"}, "delta": {"content": "i"}}));
    let cut = chunks(SSE, perplexity.clone());
    assert!(cut[2].starts_with("error TOLMACH_E_TRUNCATED"), "{cut:?}");
    assert_eq!(chunks(SSE, perplexity + &openai::finish("stop")), hi);
    // MiniMax ends a stream with the whole message.
    let minimax = openai::text("H")
        + &openai::text("i")
        + &event(json!({"message": {"content": "Hi"}, "finish_reason": "stop"}));
    assert_eq!(chunks(SSE, minimax), hi);
}

#[test]
fn choices_are_finished_each() {
    let choice = |index: u32, text: &str, reason: Value| {
        openai::event(
            &json!({"id": "1", "choices": [{"index": index, "delta": {"content": text}, "finish_reason": reason}]}),
        )
    };
    let body = choice(0, "a", Value::Null)
        + &choice(1, "b", json!("stop"))
        + &choice(0, "c", json!("length"));
    assert_eq!(
        chunks(SSE, body),
        [
            "text 0 0 \"a\"",
            "text 1 0 \"b\"",
            "text 0 0 \"c\"",
            "finish 0 0 \"length\" name=\"length\"",
            "finish 1 0 \"stop\" name=\"stop\"",
            "end",
        ]
    );
}

#[test]
fn answer_that_leaves_a_choice_open_is_truncated_without_the_end_mark() {
    let choice = |index: u32, reason: Value| {
        openai::event(
            &json!({"id": "1", "choices": [{"index": index, "delta": {"content": "a"}, "finish_reason": reason}]}),
        )
    };
    for finished in [0, 1] {
        let open = 1 - finished;
        let body = choice(finished, json!("stop")) + &choice(open, Value::Null);
        let cut = chunks(SSE, &*body);
        assert!(cut[2].starts_with("error TOLMACH_E_TRUNCATED"), "{cut:?}");
        // The end mark ends every choice, also those that gave no reason.
        let ended = chunks(SSE, body + openai::DONE);
        let mut finishes = ["finish 0 0 \"stop\"", "finish 1 0 \"stop\""].map(str::to_owned);
        finishes[finished as usize] += " name=\"stop\"";
        assert_eq!(ended[2..4], finishes);
        assert_eq!(ended[4], "end");
    }
}

#[test]
fn images_and_audio_come_as_bytes_and_sources_once() {
    let body = [
        openai::delta(json!({"images": [{"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,iVBORw0KGgo="}},
            {"image_url": {"url": "https://example.org/i.png"}}]})),
        openai::delta(json!({"audio": {"id": "au1", "data": "AAEC", "transcript": "hey"}})),
        openai::delta(json!({"annotations": [{"type": "url_citation", "url_citation": {"url": "https://a", "title": "A"}}]})),
        openai::event(&json!({"citations": ["https://b"], "choices": []})),
        openai::event(&json!({"citations": ["https://b"], "choices": []})),
        openai::finish("stop"),
    ]
    .concat();
    assert_eq!(
        chunks(SSE, &*body)[..5],
        [
            "image 0 0 \"\" mime=\"image/png\" bytes=8",
            "image 0 1 \"https://example.org/i.png\"",
            "audio 0 0 \"hey\" id=\"au1\" bytes=3",
            "source 0 0 \"https://a\" name=\"A\"",
            "source 0 1 \"https://b\"",
        ]
    );
    assert_eq!(reply(&body)["audio"], json!({"id": "au1"}));
}

#[test]
fn images_and_sources_are_counted_over_the_whole_answer_for_each_choice() {
    let event = |choice: usize, delta: Value| {
        openai::event(&json!({"choices": [{"index": choice, "delta": delta}]}))
    };
    let images = |urls: &[&str]| {
        let images = urls.iter().map(|url| json!({"image_url": {"url": url}}));
        json!({"images": images.collect::<Vec<_>>()})
    };
    let source = |url: &str| json!({"annotations": [{"url_citation": {"url": url}}]});
    let body = [
        event(0, images(&["https://a", "data:image/png;base64,iVBORw0KGgo="])),
        event(1, images(&["https://b"])),
        event(0, images(&["https://c"])),
        event(1, images(&["https://d"])),
        event(0, source("https://e")),
        event(0, source("https://f")),
        openai::event(&json!({"citations": ["https://g", "https://h"], "choices": []})),
        openai::DONE.to_owned(),
    ]
    .concat();
    assert_eq!(
        chunks(SSE, body)[..9],
        [
            "image 0 0 \"https://a\"",
            "image 0 1 \"\" mime=\"image/png\" bytes=8",
            "image 1 0 \"https://b\"",
            "image 0 2 \"https://c\"",
            "image 1 1 \"https://d\"",
            "source 0 0 \"https://e\"",
            "source 0 1 \"https://f\"",
            "source 0 2 \"https://g\"",
            "source 0 3 \"https://h\"",
        ]
    );
}

#[test]
fn json_where_a_stream_was_asked_for_is_the_same_answer() {
    let answer = json!({"id": "1", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message":
        {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "tool_calls": null}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let expected = [
        "reasoning 0 0 \"hm\" name=\"reasoning_content\"",
        "text 0 0 \"Hi\"",
        "usage 0 0 \"\" input=1 output=2 total=3 cached=-1 reasoning=-1",
        "finish 0 0 \"stop\" name=\"stop\"",
        "end",
    ];
    assert_eq!(chunks(JSON, answer.to_string()), expected);
    assert_eq!(chunks(SSE, serde_json::to_string_pretty(&answer).unwrap()), expected);
}

#[test]
fn answer_in_a_list_is_its_first() {
    let answer = json!([{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}]);
    assert_eq!(
        chunks(JSON, answer.to_string()),
        ["text 0 0 \"Hi\"", "finish 0 0 \"stop\" name=\"stop\"", "end"]
    );
}

#[test]
fn json_lines_are_understood() {
    let body = openai::stream(&["a", "b"])
        .replace("data: [DONE]", "")
        .replace("data: ", "")
        .replace("\n\n", "\n");
    assert_eq!(chunks("application/x-ndjson", body)[..2], ["text 0 0 \"a\"", "text 0 0 \"b\""]);
}

#[test]
fn stream_where_json_was_asked_for_is_understood() {
    let server = Server::answering(SSE, openai::stream(&["a"]));
    assert!(
        lines(&server, &["@{\"stream\":false,\"messages\":[]}"])
            .contains(&"text 0 0 \"a\"".to_owned())
    );
}

#[test]
fn strange_but_harmless_events_do_not_fail_an_answer() {
    let body = [
        ": OPENROUTER PROCESSING\n\n".to_owned(),
        "event: ping\ndata: {\"type\":\"ping\"}\n\n".to_owned(),
        "data: 7\n\n".to_owned(),
        "data:\n\n".to_owned(),
        "data: null\n\n".to_owned(),
        openai::event(&json!({"choices": [], "prompt_filter_results": [{}], "error": null})),
        openai::event(&json!({"choices": null, "usage": {}, "model": ["x"]})),
        openai::event(
            &json!({"id": 7, "choices": [{"index": null, "delta": null}, 5, {"delta": {"content": 7, "role": ""}}]}),
        ),
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\\ud83d\"}}]}\n\n".to_owned(),
        "data: {\"id\":1,\"id\":2,\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n".to_owned(),
        openai::finish("new_reason"),
        openai::DONE.to_owned(),
        "data: {\"choices\":[{\"delta\":{\"content\":\"after the end\"}}]}\n\n".to_owned(),
    ];
    assert_eq!(
        chunks(SSE, body.concat()),
        [
            "text 0 0 \"a\"",
            "text 0 0 \"\u{fffd}b\"",
            "finish 0 0 \"new_reason\" name=\"new_reason\"",
            "end"
        ]
    );
}

/// Servers in JavaScript cut text where they like.
#[test]
fn character_cut_in_two_events_is_whole() {
    let delta = |choice: u32, delta: &str| {
        format!("data: {{\"choices\":[{{\"index\":{choice},\"delta\":{{{delta}}}}}]}}\n\n")
    };
    let tool = |index: u32, arguments: &str| {
        format!(
            "\"tool_calls\":[{{\"index\":{index},\"id\":\"c{index}\",\"function\":{{\"name\":\"f\",\"arguments\":\"{arguments}\"}}}}]"
        )
    };
    let body = [
        delta(0, "\"reasoning_content\":\"hm\\ud83e\""),
        delta(0, "\"reasoning_content\":\"\\udd14\""),
        delta(0, "\"content\":\"a\\ud83d\""),
        delta(1, "\"content\":\"\\ude42\""),
        delta(0, "\"content\":\"\""),
        delta(0, "\"refusal\":\"\\ud83d\""),
        delta(0, "\"content\":\"\\ude42b\""),
        delta(0, "\"refusal\":\"\\ude43\""),
        delta(0, &tool(0, "\\\"\\ud83d")),
        delta(0, &tool(1, "\\\"\\ud83d")),
        delta(0, &tool(0, "\\ude42\\\"")),
        delta(0, &tool(1, "x\\\"")),
        delta(0, "\"content\":\"\\ud83d\\ude42\\ud83d\""),
        delta(0, "\"content\":\"\\ud83d\""),
        openai::usage(1, 2),
        openai::DONE.to_owned(),
    ];
    let lines = chunks(SSE, body.concat());
    assert_eq!(
        lines[..13],
        [
            "reasoning 0 0 \"hm\" name=\"reasoning_content\"",
            "reasoning 0 0 \"\u{1f914}\" name=\"reasoning_content\"",
            "text 0 0 \"a\"",
            "text 1 0 \"\u{fffd}\"",
            "text 0 0 \"\u{1f642}b\"",
            "refusal 0 0 \"\u{1f643}\"",
            "tool 0 0 \"\\\"\" id=\"c0\" name=\"f\"",
            "tool 0 1 \"\\\"\" id=\"c1\" name=\"f\"",
            "tool 0 0 \"\u{1f642}\\\"\"",
            "tool 0 1 \"\u{fffd}x\\\"\"",
            "text 0 0 \"\u{1f642}\"",
            "text 0 0 \"\u{fffd}\"",
            "text 0 0 \"\u{fffd}\"",
        ]
    );
    assert!(lines[13].starts_with("usage ") && lines[14].starts_with("finish 0 0"), "{lines:?}");
}

#[test]
fn half_a_character_at_the_end_is_not_lost() {
    let half = "data: {\"choices\":[{\"delta\":{\"content\":\"\\ud83d\"}}]}\n\n";
    let broken = "data: {\"error\":{\"message\":\"broken\\ud83d\"}}\n\n";
    let whole = chunks(SSE, half.to_owned() + &openai::finish("stop") + openai::DONE);
    assert_eq!(whole, ["text 0 0 \"\u{fffd}\"", "finish 0 0 \"stop\" name=\"stop\"", "end"]);
    for end in ["", broken] {
        let lines = chunks(SSE, format!("{half}{end}"));
        assert_eq!(lines[0], "text 0 0 \"\u{fffd}\"");
        assert!(lines[1].starts_with("error "), "{lines:?}");
        assert!(end.is_empty() || lines[1].contains("broken\u{fffd}"), "{lines:?}");
    }
}

#[test]
fn answer_without_its_end_is_truncated() {
    let half = openai::text("half");
    for body in [half.clone(), half.clone() + "data: {\"choices\":[{\"del"] {
        let chunks = chunks(SSE, body);
        assert_eq!(chunks[0], "text 0 0 \"half\"");
        assert!(chunks[1].starts_with("error TOLMACH_E_TRUNCATED"), "{}", chunks[1]);
    }
}

#[test]
fn cut_answer_is_truncated_at_every_byte() {
    let events = openai::text("a") + &openai::text("b") + &openai::finish("stop") + openai::DONE;
    let finished =
        (openai::text("a") + &openai::text("b") + &openai::finish("stop")).trim_end().len();
    let server = Server::start(move |exchange| {
        let cut = exchange.request.json()["seed"].as_u64().unwrap();
        exchange.stream_head();
        exchange.send(format!("{:x}\r\n", events.len()));
        exchange.send(&events[..usize::try_from(cut).unwrap()]);
        exchange.close();
    });
    // Every byte takes a process: a sample of them, and all around the end.
    for cut in (1..finished).step_by(37).chain(finished - 3..finished + 3) {
        let json = format!("@{{\"messages\":[],\"seed\":{cut}}}");
        let lines = lines(&server, &["max_retries=0", &json]);
        let truncated = lines.iter().any(|line| line.starts_with("error TOLMACH_E_TRUNCATED"));
        assert!(truncated, "cut at {cut} of {finished}: {lines:?}");
    }
}

#[test]
fn done_or_a_reason_is_an_end() {
    let text = openai::text("a");
    assert!(chunks(SSE, text.clone() + openai::DONE).contains(&"end".to_owned()));
    assert!(chunks(SSE, text.clone() + &openai::finish("stop")).contains(&"end".to_owned()));
    assert!(chunks(SSE, text + "data: [DONE]").contains(&"end".to_owned()));
}

#[test]
fn errors_in_a_stream_are_errors() {
    for (body, status) in [
        (
            "data: {\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\"}}\n\n",
            "TOLMACH_E_SERVER http=0",
        ),
        (
            "data: {\"error\":{\"message\":\"busy\",\"code\":429}}\n\ndata: [DONE]\n\n",
            "TOLMACH_E_RATE_LIMITED http=429",
        ),
        ("event: error\ndata: {\"error\":\"broken\"}\n\n", "TOLMACH_E_PROVIDER"),
        (
            "data: {\"choices\":[{\"delta\":{},\"error\":{\"message\":\"m\",\"code\":\"x\"}}]}\n\n",
            "TOLMACH_E_PROVIDER",
        ),
        (
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"error\"}]}\n\n",
            "TOLMACH_E_SERVER",
        ),
        ("data: [{\"error\":{\"code\":404,\"message\":\"gone\"}}]\n\n", "TOLMACH_E_NOT_FOUND"),
        (
            "data: {\"object\":\"error\",\"message\":\"too long\",\"code\":\"context_length_exceeded\"}\n\n",
            "TOLMACH_E_CONTEXT_LENGTH",
        ),
        (
            "{\"error\":{\"message\":\"no money\",\"code\":\"insufficient_quota\"}}",
            "TOLMACH_E_QUOTA",
        ),
        ("data: not json\n\n", "TOLMACH_E_PROTOCOL"),
        ("<html><title>Login</title></html>", "TOLMACH_E_PROTOCOL"),
        ("<html><title>Just a moment...</title></html>", "TOLMACH_E_BLOCKED"),
        ("", "TOLMACH_E_TRUNCATED"),
    ] {
        let error = error_of(SSE, body);
        assert!(error.starts_with(&format!("error {status}")), "{body}: {error}");
    }
}

#[test]
fn event_that_is_called_an_error_is_one() {
    for body in [
        "event: error\ndata: {\"message\":\"broken\"}\n\ndata: [DONE]\n\n",
        "event: error\ndata: {\"reason\":\"broken\"}\n\ndata: [DONE]\n\n",
        "event: error\ndata: broken\n\ndata: [DONE]\n\n",
        "data: {\"type\":\"error\",\"message\":\"broken\"}\n\ndata: [DONE]\n\n",
    ] {
        let error = error_of(SSE, body);
        assert!(error.starts_with("error TOLMACH_E_PROVIDER"), "{body}: {error}");
        assert!(error.contains("broken"), "{error}");
    }
}

#[test]
fn text_before_an_error_is_not_lost() {
    let body = openai::text("a") + "data: {\"error\":{\"message\":\"broken\"}}\n\n";
    let chunks = chunks(SSE, body);
    assert_eq!(chunks[0], "text 0 0 \"a\"");
    assert!(
        chunks[1].contains("message=\"127.0.0.1:") && chunks[1].contains("broken"),
        "{}",
        chunks[1]
    );
}

#[test]
fn refused_requests_tell_all_that_the_server_said() {
    let refuse = |exchange: &mut Exchange| {
        exchange.send("HTTP/1.1 429 Too Many\r\nX-Request-Id: req-7\r\nRetry-After: 200\r\nContent-Length: 77\r\n\r\n");
        exchange.send("{\"error\":{\"message\":\"key test-key-secret is slow\",\"type\":\"t\",\"code\":\"limit\"}} ");
    };
    let error = error(refuse, &[]);
    assert!(error.starts_with("error TOLMACH_E_RATE_LIMITED http=429 retry_after=200000 code=\"limit\" request_id=\"req-7\""), "{error}");
    assert!(error.contains("answered 429: key [redacted] is slow"), "{error}");
    assert!(!error.contains("test-key-secret"), "{error}");
}

#[test]
fn key_of_the_environment_is_not_seen_in_errors_either() {
    let server = Server::start(|exchange| {
        let key = exchange.request.header("authorization").unwrap().to_owned();
        exchange.whole(401, JSON, json!({"error": {"message": format!("bad {key}")}}).to_string());
    });
    let program = c::program("stream").arg(server.url()).env("TEST_NO_KEY", Some("1"));
    let out = program.env("OPENAI_API_KEY", Some("from-environment")).run().passed().stdout;
    assert!(out.contains("bad Bearer [redacted]") && !out.contains("from-environment"), "{out}");
}

#[test]
fn redirects_are_not_followed() {
    let target = Server::answering(SSE, openai::stream(&["Hi"]));
    let location = format!("{}/x?token=1", target.url());
    let redirect = move |exchange: &mut Exchange| {
        exchange.head(307, &[("Location", &location), ("Content-Length", "0")]);
    };
    let error = error(redirect, &[]);
    assert!(error.starts_with("error TOLMACH_E_PROTOCOL http=307"), "{error}");
    assert!(error.contains("base_url") && !error.contains("token=1"), "{error}");
    assert!(target.requests().is_empty());
}

#[test]
fn what_can_heal_is_tried_again_before_the_first_chunk_only() {
    let heal = |status: u16, headers: &'static str| {
        Server::start(move |exchange| match exchange.number {
            0 => {
                exchange.send(format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: 0\r\n\r\n"))
            }
            _ => exchange.stream(openai::stream(&["Hi"])),
        })
    };
    for (status, headers, requests) in [
        (503, "Retry-After: 0\r\n", 2),
        (429, "retry-after-ms: 10\r\n", 2),
        (529, "", 2),
        (408, "Retry-After: 0\r\n", 2),
        (409, "Retry-After: 0\r\n", 2),
        (425, "Retry-After: 0\r\n", 2),
        (500, "Retry-After: 0\r\n", 2),
        (500, "x-should-retry: false\r\n", 1),
        (400, "", 1),
        (400, "x-should-retry: true\r\nRetry-After: 0\r\n", 2),
        (503, "Retry-After: 9999\r\n", 1),
    ] {
        let server = heal(status, headers);
        lines(&server, &[]);
        assert_eq!(server.requests().len(), requests, "{status} {headers}");
    }
    let late = Server::start(|exchange| {
        exchange.stream_head();
        exchange.chunk(openai::text("a"));
        exchange.chunk("data: {\"error\":{\"code\":503,\"message\":\"m\"}}\n\n");
        exchange.end_chunks();
    });
    lines(&late, &[]);
    assert_eq!(late.requests().len(), 1);
}

#[test]
fn refused_connections_and_unknown_hosts_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run =
        |url: String| c::program("stream").arg(url).arg("max_retries=0").run().passed().stdout;
    let refused = run(format!("http://{free}"));
    assert!(refused.starts_with("error TOLMACH_E_CONNECT"), "{refused}");
    let unknown = run("http://no-such-host.invalid".to_owned());
    assert!(unknown.starts_with("error TOLMACH_E_DNS"), "{unknown}");
}

#[test]
fn deadlines_are_named_in_their_errors() {
    let silent = |exchange: &mut Exchange| exchange.wait_for_close();
    let first = error(silent, &["first_byte_timeout_ms=200"]);
    assert!(
        first.starts_with("error TOLMACH_E_TIMEOUT") && first.contains("first_byte_timeout_ms"),
        "{first}"
    );
    let total = error(silent, &["total_timeout_ms=200"]);
    assert!(
        total.starts_with("error TOLMACH_E_TIMEOUT") && total.contains("total_timeout_ms"),
        "{total}"
    );
    let pings = |exchange: &mut Exchange| {
        exchange.stream_head();
        exchange.chunk(openai::text("a"));
        // Keep-alives are no progress. They end when the client goes.
        for _ in 0..1000 {
            thread::sleep(Duration::from_millis(20));
            exchange.chunk(": ping\n\n");
        }
    };
    let idle = error(pings, &["idle_timeout_ms=300"]);
    assert!(
        idle.starts_with("error TOLMACH_E_TIMEOUT") && idle.contains("idle_timeout_ms"),
        "{idle}"
    );
}

#[test]
fn what_only_looks_like_the_end_mark_is_no_end() {
    let chunks = chunks(SSE, openai::text("half") + "data: [DONE]x\n\n");
    assert!(chunks[1].starts_with("error TOLMACH_E_PROTOCOL"), "{}", chunks[1]);
}

#[test]
fn early_refusal_of_a_big_upload_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It answers as soon as the head is there, and stops to listen.
    let refusing = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 16];
        stream.read_exact(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 7\r\n\r\ntoo big").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // What is unread when a socket closes resets the connection; then all is lost.
        let mut rest = vec![0; 1 << 20];
        while stream.read(&mut rest).is_ok_and(|count| count > 0) {}
    });
    let request = json!({"messages": [{"role": "user", "content": "A".repeat(6 << 20)}]});
    let mut program = c::program("stream").arg(url).arg("max_retries=0").arg("@-").spawn();
    program.tell(&request.to_string());
    let outcome = program.finish().passed();
    refusing.join().unwrap();
    assert!(
        outcome.stdout.starts_with("error TOLMACH_E_BAD_REQUEST http=413"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn gzip_is_understood_whatever_it_is_called() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(openai::stream(&["Hi"]).as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    assert!(chunks(SSE, packed).contains(&"text 0 0 \"Hi\"".to_owned()));
}

#[test]
fn raw_chunks_come_when_asked_for() {
    let server = Server::answering(SSE, "data: {\"choices\":[]}\n\ndata: [DONE]\n\n");
    let lines = lines(&server, &["raw_chunks=true"]);
    assert_eq!(lines[..2], ["raw 0 0 \"{\\\"choices\\\":[]}\"", "raw 0 0 \"[DONE]\""]);
}

#[test]
fn models_are_listed_in_every_shape() {
    let models = |body: &'static str| {
        let server = Server::answering(JSON, body);
        let lines = c::program("models").arg(server.url()).arg("-1").run().passed().stdout;
        assert_eq!(server.requests()[0].path, "/models");
        assert_eq!(server.requests()[0].header("authorization"), Some("Bearer test-key-secret"));
        lines
            .lines()
            .map(|line| line.split(" json=").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let plain = |id: &str| format!("\"{id}\" owner=\"\" context=-1 capabilities=0");
    assert_eq!(
        models("{\"object\":\"list\",\"data\":[{\"id\":\"b\"},{\"id\":\"a\"}]}"),
        [plain("b"), plain("a")]
    );
    assert_eq!(
        models("[{\"id\":\"a\",\"type\":\"chat\"},\"b\",{},null]"),
        [plain("a"), plain("b")]
    );
    assert_eq!(
        models("{\"models\":[{\"name\":\"models/a\",\"inputTokenLimit\":8}]}"),
        ["\"a\" owner=\"\" context=8 capabilities=0"]
    );
    assert_eq!(
        models("{\"data\":[{\"id\":\"a\",\"owned_by\":\"x\",\"vision\":true}]}"),
        ["\"a\" owner=\"x\" context=-1 capabilities=16"]
    );
    assert_eq!(models("{\"data\":[]}"), Vec::<String>::new());
}

#[test]
fn models_that_fail_say_why() {
    let run = |server: &Server, timeout: &str| {
        c::program("models").arg(server.url()).arg(timeout).run().passed().stdout
    };
    let slow = Server::start(Exchange::wait_for_close);
    let late = run(&slow, "200");
    assert!(late.starts_with("error TOLMACH_E_TIMEOUT"), "{late}");
    assert!(late.contains("(timeout_ms)") && late.contains("not complete within 200 ms"), "{late}");
    let program = c::program("models").arg(slow.url()).arg("-1");
    let late = program.env("TEST_CONFIG", Some("total_timeout_ms=200")).run().passed().stdout;
    assert!(late.contains("(total_timeout_ms)"), "{late}");
    let none = Server::answering(JSON, "{\"object\":\"list\"}");
    assert!(run(&none, "-1").starts_with("error TOLMACH_E_PROTOCOL"));
    let denied =
        Server::start(|exchange| exchange.whole(401, JSON, "{\"error\":{\"message\":\"who?\"}}"));
    assert!(run(&denied, "-1").contains("answered 401: who?"));
}

#[test]
fn conversation_of_three_turns_with_a_tool_call_goes_through() {
    let server = Server::start(|exchange| {
        let answer = match exchange.number {
            0 => {
                tool_calls(
                    json!([{"index": 0, "id": "c1", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]),
                ) + &openai::finish("tool_calls")
                    + openai::DONE
            }
            1 => openai::stream(&["Three ", "degrees."]),
            _ => openai::stream(&["A picture."]),
        };
        exchange.stream(answer);
    });
    let outcome = c::program("conversation").arg(server.url()).run().passed();
    let request: Value = serde_json::from_str(outcome.stdout.trim()).unwrap();
    assert_eq!(
        request["messages"],
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Oslo?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "{\"temp\":3}"},
            {"role": "assistant", "content": "Three degrees."},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlh"}},
                {"type": "text", "text": "And this?"}]},
            {"role": "assistant", "content": "A picture."},
        ])
    );
    assert_eq!(server.requests()[2].json()["temperature"], 0.5);
    assert_eq!(server.requests()[2].json()["tools"][0]["function"]["name"], "weather");
}

/// How a first turn ended that said `first`, its reply, and what the next turn sent.
fn next_turn(first: impl Fn(&mut Exchange) + Send + Sync + 'static) -> (String, String, Value) {
    let server = Server::start(move |exchange| match exchange.number {
        0 => first(exchange),
        _ => exchange.stream(openai::stream(&["Hi"])),
    });
    let program = c::program("next_turn").arg(server.url());
    let out = program.env("TEST_CONFIG", Some("max_retries=0")).run().passed().stdout;
    let mut lines = out.lines().map(str::to_owned);
    let (status, reply) = (lines.next().unwrap(), lines.next().unwrap());
    let mut requests = server.requests();
    (status, reply, requests.remove(1).json()["messages"].take())
}

#[test]
fn turn_that_failed_before_its_first_text_appends_nothing() {
    for (first, ended) in [
        ("data: {\"error\":{\"message\":\"broken\"}}\n\n".to_owned(), "TOLMACH_E_PROVIDER"),
        (openai::delta(json!({"role": "assistant", "content": ""})), "TOLMACH_E_TRUNCATED"),
        (openai::delta(json!({"reasoning_content": "hm"})), "TOLMACH_E_TRUNCATED"),
        (openai::text("") + &openai::finish("stop") + openai::DONE, "TOLMACH_END"),
    ] {
        let (status, reply, messages) = next_turn(move |exchange| exchange.stream(&*first));
        assert_eq!((&*status, &*reply), (ended, ""));
        let user = |text| json!({"role": "user", "content": text});
        assert_eq!(messages, json!([user("Hi"), user("Go on")]));
    }
}

#[test]
fn turn_that_was_cancelled_in_a_tool_call_sends_back_what_arrived_whole() {
    let (status, _, messages) = next_turn(|exchange| {
        exchange.stream_head();
        for (index, id, arguments) in [(0, "a", "{\"x\":1}"), (1, "b", "{\"x\":")] {
            exchange.chunk(tool_calls(
                json!([{"index": index, "id": id, "function": {"name": "f", "arguments": arguments}}]),
            ));
        }
        exchange.wait_for_close();
    });
    assert_eq!(status, "TOLMACH_E_CANCELLED");
    assert_eq!(
        messages[1],
        json!({"role": "assistant", "content": "", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}]})
    );
}

#[test]
fn arguments_cut_by_the_length_limit_are_not_sent_back() {
    let body = openai::text("Let me see.")
        + &tool_calls(
            json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x"}}]),
        )
        + &openai::finish("length")
        + openai::DONE;
    assert_eq!(reply(&body), json!({"role": "assistant", "content": "Let me see."}));
}

const CAT: &str = "{\"role\":\"user\",\"content\":\"A cat\"}";

#[test]
fn image_models_paint_and_their_prompt_is_the_last_that_the_user_said() {
    let server = Server::answering(
        JSON,
        "{\"data\":[{\"b64_json\":\"/9j/\",\"revised_prompt\":\"A fine cat\"},{\"url\":\"https://i/2\"}],\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}",
    );
    let lines = lines(
        &server,
        &[&format!(
            "@{{\"model\":\"gpt-image-1\",\"n\":2,\"stream\":true,\"aspect_ratio\":\"16:9\",\"messages\":[{CAT}]}}"
        )],
    );
    assert_eq!(
        lines[..5],
        [
            "start 0 0 \"\" name=\"gpt-image-1\"",
            "image 0 0 \"\" name=\"A fine cat\" mime=\"image/jpeg\" bytes=3",
            "image 0 1 \"https://i/2\"",
            "usage 0 0 \"\" input=3 output=4 total=7 cached=-1 reasoning=-1",
            "finish 0 0 \"stop\"",
        ]
    );
    let request = &server.requests()[0];
    assert_eq!(request.path, "/images/generations");
    assert_eq!(
        request.json(),
        json!({"model": "gpt-image-1", "n": 2, "prompt": "A cat", "width": 1024, "height": 576})
    );
}

#[test]
fn prompt_of_the_request_is_for_an_image_whatever_the_model() {
    let server = Server::answering(JSON, "{\"data\":[{\"url\":\"https://i/1\"}]}");
    lines(&server, &[&format!("@{{\"model\":\"m\",\"prompt\":\"A dog\",\"messages\":[{CAT}]}}")]);
    assert_eq!(server.requests()[0].json(), json!({"model": "m", "prompt": "A dog"}));
}

/// The lines of tests/c/turns.c.
fn turns(server: &Server, args: &[&str]) -> Vec<String> {
    let program = c::program("turns").arg(server.url());
    let program = args.iter().fold(program, |program, arg| program.arg(arg));
    program.run().passed().stdout.lines().map(str::to_owned).collect()
}

#[test]
fn refusal_is_told_at_once_and_nothing_else_is_asked() {
    for (status, body) in [
        (404, "{\"error\":{\"message\":\"no such chat model\"}}"),
        (404, "{}"),
        (400, "{\"error\":{\"message\":\"this model makes an image\"}}"),
    ] {
        let server = Server::start(move |exchange| match exchange.request.method.as_str() {
            "POST" => exchange.whole(status, JSON, body),
            // Whoever asks for a list waits for ever.
            _ => exchange.wait_for_close(),
        });
        let lines = lines(&server, &[]);
        assert!(
            lines[0].starts_with("error TOLMACH_E_")
                && lines[0].contains(&format!("http={status}"))
        );
        assert_eq!(server.requests().len(), 1, "{lines:?}");
    }
}

#[test]
fn list_of_models_tells_from_then_on_which_of_them_make_images() {
    let server = Server::start(|exchange| match exchange.request.path.as_str() {
        "/models" => exchange.whole(
            200,
            JSON,
            "{\"data\":[{\"id\":\"painter\",\"image\":true},{\"id\":\"m\"}]}",
        ),
        "/images/generations" => {
            exchange.whole(200, JSON, "{\"data\":[{\"url\":\"https://i/1\"}]}")
        }
        _ => exchange.stream(openai::stream(&["Hi"])),
    });
    let ask = |model: &str| format!("@{{\"model\":\"{model}\",\"messages\":[{CAT}]}}");
    let said = turns(&server, &[&ask("painter"), "models", &ask("painter"), &ask("m")]);
    assert!(said.contains(&"image 0 0 \"https://i/1\"".to_owned()), "{said:?}");
    let paths: Vec<String> = server.requests().into_iter().map(|request| request.path).collect();
    let chat = "/chat/completions";
    assert_eq!(paths, [chat, "/models", "/images/generations", chat]);
}

#[test]
fn image_that_is_none_is_an_error() {
    for body in ["{}", "{\"data\":[]}", "{\"data\":[{}]}"] {
        let server = Server::answering(JSON, body);
        let lines = lines(&server, &["@{\"model\":\"dall-e-3\",\"messages\":[]}"]);
        assert!(
            lines.iter().any(|line| line.starts_with("error TOLMACH_E_PROTOCOL")),
            "{body}: {lines:?}"
        );
    }
}

#[test]
fn think_tags_are_split_where_asked_for_also_across_chunks() {
    let body = openai::stream(&["<thi", "nk>hm", "</think>", "\n\nHi"]);
    let server = Server::answering(SSE, body.clone());
    let split = lines(&server, &["think_tags=true"]);
    assert_eq!(split[1..3], ["reasoning 0 0 \"hm\" name=\"think\"", "text 0 0 \"Hi\""]);
    assert!(chunks(SSE, body).contains(&"text 0 0 \"nk>hm\"".to_owned()));
}

#[test]
fn usage_is_estimated_only_where_asked_for_and_not_told() {
    let body =
        openai::text("12345678") + &openai::text("12") + &openai::finish("stop") + openai::DONE;
    let request = "@{\"messages\":[{\"role\":\"user\",\"content\":\"123456789\"}]}";
    let server = Server::answering(SSE, body);
    let estimated = lines(&server, &["estimate_usage=true", request]);
    assert!(
        estimated.contains(
            &"usage 0 0 \"\" input=7 output=3 total=10 cached=-1 reasoning=-1".to_owned()
        ),
        "{estimated:?}"
    );
    assert!(!lines(&server, &[request]).iter().any(|line| line.starts_with("usage")));
    let told = Server::answering(SSE, openai::stream(&["Hi"]));
    let told = lines(&told, &["estimate_usage=true", request]);
    assert_eq!(told.iter().filter(|line| line.starts_with("usage")).count(), 1);
}

#[test]
fn aliases_and_defaults_name_the_model() {
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    let aliases = "model_aliases={\"fast\":\"gpt-mini\",\"any\":[\"one\",\"two\"]}";
    for model in ["\"fast\"", "\"any\"", "null", "\"other\""] {
        lines(
            &server,
            &[aliases, "model=default", &format!("@{{\"model\":{model},\"messages\":[]}}")],
        );
    }
    let models: Vec<Value> =
        server.requests().iter().map(|request| request.json()["model"].clone()).collect();
    assert_eq!(
        (&models[0], &models[2], &models[3]),
        (&json!("gpt-mini"), &json!("default"), &json!("other"))
    );
    assert!(models[1] == "one" || models[1] == "two");
}

#[test]
fn fallback_models_stand_in_for_a_list_that_fails() {
    let server = Server::start(|exchange| exchange.whole(404, JSON, "{}"));
    let program = c::program("models")
        .arg(server.url())
        .arg("-1")
        .env("TEST_CONFIG", Some("fallback_models=a, b"));
    assert_eq!(program.run().passed().stdout.lines().count(), 2);
}

#[test]
fn conversation_of_an_answer_goes_back_with_the_next_request() {
    let body = openai::event(&json!({"conversation": {"id": 7}, "choices": []}))
        + &openai::stream(&["Hi"]);
    let reply = reply(&body);
    assert_eq!(reply, json!({"role": "assistant", "content": "Hi", "conversation": {"id": 7}}));
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    lines(&server, &[&format!("@{{\"messages\":[{reply}]}}")]);
    let request = server.requests()[0].json();
    assert_eq!(request["conversation"], json!({"id": 7}));
    assert_eq!(request["messages"], json!([{"role": "assistant", "content": "Hi"}]));
}

/// The signed thinking of a message, as LiteLLM streams it and as it goes back.
fn thinking() -> (Vec<Value>, Value) {
    let thinking = |text: &str, signature: Value| json!({"type": "thinking", "thinking": text, "signature": signature});
    let pieces = vec![
        thinking("Let me", json!("")),
        thinking(" see.", Value::Null),
        thinking("", json!("c2lnbmVk/+==")),
        json!({"type": "redacted_thinking", "data": "b3BhcXVl"}),
        thinking("Then", json!("")),
        thinking("", json!("c2Vjb25k")),
    ];
    let blocks = json!([
        thinking("Let me see.", json!("c2lnbmVk/+==")),
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
        thinking("Then", json!("c2Vjb25k")),
    ]);
    (pieces, blocks)
}

fn one_call() -> Value {
    json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}])
}

/// The message that a request carries whose history is that reply.
fn sent_again(reply: &Value) -> Value {
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    lines(&server, &[&format!("@{{\"messages\":[{reply}]}}")]);
    server.requests()[0].json()["messages"][0].take()
}

#[test]
fn signed_thinking_goes_back_with_the_tool_call_it_led_to() {
    let (pieces, blocks) = thinking();
    let delta = |piece: &Value| {
        let text = piece["thinking"].as_str().unwrap_or_default();
        openai::delta(json!({"content": "", "reasoning_content": text, "thinking_blocks": [piece]}))
    };
    let thought: String = pieces.iter().map(delta).collect();
    let body = thought + &tool_calls(one_call()) + &openai::finish("tool_calls") + openai::DONE;
    let expected = json!({"role": "assistant", "content": "", "reasoning_content": "Let me see.Then",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        "thinking_blocks": blocks});
    let streamed = reply(&body);
    assert_eq!(streamed, expected);
    assert_eq!(sent_again(&streamed), expected);
    // It is there before the call: who cancels in the call has it.
    let chunks = chunks(SSE, body);
    let place = |start: &str| chunks.iter().position(|line| line.starts_with(start)).unwrap();
    assert!(place("state ") < place("tool "), "{chunks:?}");
    assert_eq!(chunks.iter().filter(|line| line.starts_with("state ")).count(), 1);

    let message = json!({"role": "assistant", "content": null, "reasoning_content": "Let me see.Then",
        "thinking_blocks": blocks, "tool_calls": one_call()});
    let answer = json!({"choices": [{"message": message, "finish_reason": "tool_calls"}]});
    let lines = lines(&Server::answering(JSON, answer.to_string()), &[]);
    let whole = lines.iter().find_map(|line| line.strip_prefix("reply ")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(whole).unwrap(), expected);
}

#[test]
fn signed_thinking_of_a_cancelled_turn_goes_back_through_the_request() {
    let (status, _, messages) = next_turn(|exchange| {
        let (pieces, _) = thinking();
        exchange.stream_head();
        exchange.chunk(openai::delta(json!({"thinking_blocks": pieces})));
        for (index, id) in [(0, "a"), (1, "b")] {
            exchange.chunk(tool_calls(
                json!([{"index": index, "id": id, "function": {"name": "f", "arguments": "{}"}}]),
            ));
        }
        exchange.wait_for_close();
    });
    assert_eq!(status, "TOLMACH_E_CANCELLED");
    assert_eq!(messages[1]["thinking_blocks"], thinking().1);
    assert!(messages[1].get("reasoning_content").is_none());
}

#[test]
fn thinking_that_was_cut_before_its_signature_does_not_go_back() {
    let (pieces, _) = thinking();
    let cut = openai::delta(json!({"thinking_blocks": pieces[..2]}));
    let end = openai::finish("stop") + openai::DONE;
    for rest in [openai::text("Hi"), openai::text("Hi") + &end] {
        let reply = reply(&(cut.clone() + &rest));
        assert_eq!(reply, json!({"role": "assistant", "content": "Hi"}));
    }
}

#[test]
fn reasoning_details_go_back_whole_and_in_their_order() {
    let details = |details: Value| {
        let text = details[0]["text"].as_str().map(str::to_owned);
        openai::delta(json!({"reasoning": text, "reasoning_details": details}))
    };
    let text = |index: u32, text: &str| json!([{"type": "reasoning.text", "text": text, "format": "anthropic-claude-v1", "index": index, "signature": null}]);
    let body = [
        details(text(0, "Let ")),
        details(text(0, "me \u{1f642}.")),
        details(
            json!([{"type": "reasoning.text", "signature": "c2ln==", "format": "anthropic-claude-v1", "index": 0}]),
        ),
        details(text(1, "Then")),
        tool_calls(one_call()),
        // Gemini's and OpenAI's come with the call or after it.
        details(
            json!([{"type": "reasoning.encrypted", "data": "ZW5j", "id": "a", "format": "google-gemini-v1", "index": 0}]),
        ),
        openai::finish("tool_calls"),
        openai::DONE.to_owned(),
    ]
    .concat();
    let expected = json!([
        {"type": "reasoning.text", "text": "Let me \u{1f642}.", "format": "anthropic-claude-v1", "index": 0, "signature": "c2ln=="},
        {"type": "reasoning.text", "text": "Then", "format": "anthropic-claude-v1", "index": 1, "signature": null},
        {"type": "reasoning.encrypted", "data": "ZW5j", "id": "a", "format": "google-gemini-v1", "index": 0},
    ]);
    let streamed = reply(&body);
    assert_eq!(streamed["reasoning_details"], expected);
    assert_eq!(streamed["reasoning"], "Let me \u{1f642}.Then");
    assert_eq!(sent_again(&streamed), streamed);
    let message = json!({"content": "", "reasoning_details": expected, "tool_calls": one_call()});
    let answer = json!({"choices": [{"message": message, "finish_reason": "tool_calls"}]});
    assert_eq!(reply(&openai::event(&answer))["reasoning_details"], expected);
}

#[test]
fn thinking_parts_go_back_before_the_text() {
    let part =
        |text: &str| json!([{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]);
    let signed = json!([{"type": "thinking", "thinking": [{"type": "text", "text": "m"}], "signature": "s"}]);
    let body = [
        openai::delta(json!({"content": part("h")})),
        openai::delta(json!({"content": signed})),
        openai::text("Hi"),
        openai::finish("stop"),
    ]
    .concat();
    assert_eq!(
        reply(&body),
        json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "signature": "s"},
            {"type": "text", "text": "Hi"}]})
    );
}

#[test]
fn signature_of_a_tool_call_goes_back_in_that_call() {
    let call = |id: &str, extra: Value| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra});
    let google = |signature: &str| json!({"google": {"thought_signature": signature}});
    let body = tool_calls(json!([call("a", google("one"))]))
        + &tool_calls(json!([call("b", Value::Null), call("c", google("three"))]))
        + &tool_calls(
            json!([{"id": "c", "provider_specific_fields": {"thought_signature": "more"}}]),
        )
        + &openai::finish("tool_calls");
    let reply = reply(&body);
    assert_eq!(reply["tool_calls"][0], call("a", google("one")));
    assert!(reply["tool_calls"][1].get("extra_content").is_none());
    assert_eq!(reply["tool_calls"][2]["extra_content"], google("three"));
    assert_eq!(
        reply["tool_calls"][2]["provider_specific_fields"],
        json!({"thought_signature": "more"})
    );
    assert!(reply.get("extra_content").is_none() && sent_again(&reply) == reply);
}

#[test]
fn character_cut_in_two_pieces_of_a_signed_block_is_whole() {
    let piece = |text: &str, signature: &str| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"thinking_blocks\":[{{\"type\":\"thinking\",\"thinking\":\"{text}\",\"signature\":\"{signature}\"}}]}}}}]}}\n\n"
        )
    };
    let body = [
        piece("a\\ud83d", ""),
        piece("\\ude42\\ud83d", ""),
        piece("", "s"),
        openai::stream(&["Hi"]),
    ];
    let expected =
        json!([{"type": "thinking", "thinking": "a\u{1f642}\u{fffd}", "signature": "s"}]);
    assert_eq!(reply(&body.concat())["thinking_blocks"], expected);
}

#[test]
fn usage_of_groq_and_moonshot_is_found_where_they_put_it() {
    let groq = openai::text("a")
        + &openai::event(
            &json!({"choices": [{"delta": {}, "finish_reason": "stop"}], "x_groq": {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}}),
        );
    let moonshot = openai::text("a")
        + &openai::event(
            &json!({"choices": [{"delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}]}),
        );
    for body in [groq, moonshot] {
        assert_eq!(
            chunks(SSE, body)[1],
            "usage 0 0 \"\" input=1 output=2 total=3 cached=-1 reasoning=-1"
        );
    }
}

#[test]
fn reasoning_details_are_reasoning() {
    let details = json!([{"type": "reasoning.text", "text": "hm"}, {"type": "reasoning.summary", "summary": " so"}]);
    let body = openai::delta(json!({"reasoning_details": details})) + &openai::stream(&["Hi"]);
    assert_eq!(
        chunks(SSE, body)[..2],
        [
            "reasoning 0 0 \"hm\" name=\"reasoning_details\"",
            "reasoning 0 0 \" so\" name=\"reasoning_details\""
        ]
    );
}

#[test]
fn audio_goes_in_and_messages_of_one_role_stay_apart() {
    let server = Server::answering(SSE, openai::stream(&["Hi"]));
    let request = json!({"modalities": ["text", "audio"], "audio": {"voice": "v"}, "messages": [
        {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}]});
    lines(&server, &[&format!("@{request}")]);
    let sent = server.requests()[0].json();
    for field in ["modalities", "audio", "messages"] {
        assert_eq!(sent[field], request[field]);
    }
}

#[test]
fn more_tool_calls_or_levels_than_the_limits_are_too_large() {
    let call = |id: usize| json!({"tool_calls": [{"index": id, "id": format!("c{id}"), "function": {"name": "f", "arguments": "{}"}}]});
    let calls: String = (0..4).map(|id| openai::delta(call(id))).collect();
    let server = Server::start(move |exchange| {
        exchange.stream(&(calls.clone() + &openai::finish("tool_calls") + openai::DONE))
    });
    let ask =
        |setting: &str| c::program("stream").arg(server.url()).arg(setting).run().passed().stdout;
    assert!(ask("max_tool_calls=4").contains("\nend\n"));
    let few = ask("max_tool_calls=3");
    assert!(few.contains("error TOLMACH_E_TOO_LARGE") && few.contains("(max_tool_calls)"), "{few}");
    assert_eq!(few.matches("tool 0 ").count(), 3, "{few}");
    assert!(ask("max_json_depth=7").contains("\nend\n"));
    let flat = ask("max_json_depth=6");
    assert!(
        flat.contains("error TOLMACH_E_TOO_LARGE") && flat.contains("(max_json_depth)"),
        "{flat}"
    );
}

/// A server as OpenAI's own host, which is reached through a proxy. Returns the bodies that it
/// gets, and what was changed of the requests.
fn asked_of(base_url: &str, settings: &[&str], requests: &[Value]) -> (Vec<Value>, Vec<Value>) {
    let server = Server::start(|exchange| match &*exchange.request.method {
        "CONNECT" => exchange.head(200, &[]),
        _ => exchange.stream(openai::stream(&["Hi"])),
    });
    let mut program = c::program("turns").arg(base_url).arg(format!("proxy={}", server.url()));
    for setting in settings {
        program = program.arg(*setting);
    }
    for request in requests {
        program = program.arg(format!("@{request}"));
    }
    let lines = program.run().passed().stdout;
    assert_eq!(lines.lines().filter(|line| *line == "end").count(), requests.len(), "{lines}");
    let changed = lines.lines().filter_map(|line| line.strip_prefix("changed "));
    let changed = changed.map(|line| serde_json::from_str(line).unwrap()).collect();
    let posts = server.requests().into_iter().filter(|request| request.method == "POST");
    (posts.map(|request| request.json()).collect(), changed)
}

const OPENAI: &str = "http://api.openai.com/v1";

/// Everything that a family of models may refuse.
fn demanding(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "Hi"}],
        "max_tokens": 7, "temperature": 0.5, "top_p": 0.5, "presence_penalty": 1, "frequency_penalty": 1,
        "logprobs": true, "top_logprobs": 2, "logit_bias": {}})
}

#[test]
fn reasoning_models_of_openai_are_not_sent_what_they_refuse() {
    for base in [OPENAI, "http://eu.api.openai.com/v1", "http://me.openai.azure.com/openai/v1"] {
        for model in ["gpt-5", "gpt-5.6-sol", "o4-mini", "gpt-6-luna"] {
            let (bodies, changed) = asked_of(base, &[], &[demanding(model)]);
            let body = bodies[0].as_object().unwrap();
            let mut names: Vec<&str> = body.keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(
                names,
                ["max_completion_tokens", "messages", "model", "stream", "stream_options"]
            );
            assert_eq!(body["max_completion_tokens"], 7);
            assert_eq!(body["messages"][0]["role"], "developer");
            let told: Vec<&str> = changed[0]
                .as_array()
                .unwrap()
                .iter()
                .map(|change| change["field"].as_str().unwrap())
                .collect();
            assert_eq!(
                told,
                [
                    "max_tokens",
                    "messages",
                    "temperature",
                    "top_p",
                    "presence_penalty",
                    "frequency_penalty",
                    "logprobs",
                    "top_logprobs",
                    "logit_bias"
                ]
            );
        }
    }
}

#[test]
fn models_are_sent_what_they_take_and_other_hosts_what_is_given() {
    let plain = |body: &Value| {
        let mut body = body.clone();
        for name in ["stream", "stream_options"] {
            body.as_object_mut().unwrap().shift_remove(name);
        }
        body
    };
    for (base, settings, model) in [
        (OPENAI, &[][..], "gpt-4o"),
        (OPENAI, &[], "gpt-5-chat-latest"),
        (OPENAI, &["heal=false"], "gpt-5.6-sol"),
        ("http://openrouter.ai/api/v1", &[], "gpt-5.6-sol"),
        ("http://openai.internal/v1", &[], "o4-mini"),
    ] {
        let request = demanding(model);
        let (bodies, changed) = asked_of(base, settings, std::slice::from_ref(&request));
        assert_eq!(plain(&bodies[0]), request, "{base} {model}");
        assert_eq!(changed, [Value::Null; 0], "{base} {model}");
    }
    // With no reasoning they sample as others do; from the next version on they do not.
    for (model, keeps) in
        [("gpt-5.1", true), ("gpt-5.6-sol", true), ("gpt-5", false), ("gpt-6-sol", false)]
    {
        let mut request = demanding(model);
        request["reasoning_effort"] = json!("none");
        let (bodies, _) = asked_of(OPENAI, &[], &[request]);
        assert_eq!(bodies[0].get("temperature").is_some(), keeps, "{model}");
    }
}

#[test]
fn tools_that_chat_refuses_with_reasoning_go_without_where_chat_is_insisted_on() {
    let request = |model: &str, effort: Option<&str>| {
        let mut request = json!({"model": model, "messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]});
        if let Some(effort) = effort {
            request["reasoning_effort"] = json!(effort);
        }
        request
    };
    for (model, effort, sent) in [
        ("gpt-5.6-sol", None, json!("none")),
        ("gpt-5.6-sol", Some("high"), json!("none")),
        ("gpt-5.4", Some("low"), json!("none")),
        ("gpt-5.4", None, Value::Null),
        ("gpt-6-sol", Some("high"), json!("high")),
    ] {
        let (bodies, changed) = asked_of(OPENAI, &["api=chat"], &[request(model, effort)]);
        assert_eq!(bodies[0]["reasoning_effort"], sent, "{model} {effort:?}");
        assert_eq!(changed.len(), usize::from(sent == "none"), "{model} {effort:?}");
    }
}

#[test]
fn openais_own_hosts_alone_are_told_not_to_fill_events_up() {
    for (base, options) in [
        (OPENAI, json!({"include_usage": true, "include_obfuscation": false})),
        ("http://me.openai.azure.com/openai/v1", json!({"include_usage": true})),
        ("http://localhost/v1", json!({"include_usage": true})),
    ] {
        let (bodies, _) = asked_of(base, &[], &[json!({"model": "m", "messages": []})]);
        assert_eq!(bodies[0]["stream_options"], options, "{base}");
    }
    let given = json!({"model": "m", "messages": [], "stream_options": {"include_usage": false}});
    let (bodies, _) = asked_of(OPENAI, &[], std::slice::from_ref(&given));
    assert_eq!(bodies[0]["stream_options"], given["stream_options"]);
}

#[test]
fn mistral_gets_ids_of_its_own_kind_and_its_own_name_of_the_seed() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let request = json!({"model": "m", "seed": 7, "messages": [
        {"role": "assistant", "content": "", "tool_calls": [call("call_long-id"), call("a1B2c3D4e")]},
        {"role": "tool", "tool_call_id": "call_long-id", "content": "1"},
        {"role": "tool", "tool_call_id": "a1B2c3D4e", "content": "2"}]});
    let (bodies, _) =
        asked_of("http://api.mistral.ai/v1", &[], &[request.clone(), request.clone()]);
    let id = |place: &str| bodies[0].pointer(place).and_then(Value::as_str).unwrap();
    let short = id("/messages/0/tool_calls/0/id");
    assert!(short.len() == 9 && short.bytes().all(|b| b.is_ascii_alphanumeric()), "{short}");
    assert_eq!(id("/messages/1/tool_call_id"), short);
    assert_eq!(id("/messages/0/tool_calls/1/id"), "a1B2c3D4e");
    assert_eq!(id("/messages/2/tool_call_id"), "a1B2c3D4e");
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!((bodies[0].get("seed"), &bodies[0]["random_seed"]), (None, &json!(7)));
    let (bodies, _) = asked_of("http://localhost/v1", &[], std::slice::from_ref(&request));
    assert_eq!(bodies[0]["messages"], request["messages"]);
    assert_eq!(bodies[0]["seed"], 7);
}

#[test]
fn reasoning_of_every_turn_goes_back_also_of_turns_that_called_no_tool() {
    let body = openai::delta(json!({"reasoning_content": "hm", "content": null}))
        + &openai::stream(&["Hi"]);
    let reply = reply(&body);
    let message = json!({"role": "assistant", "content": "Hi", "reasoning_content": "hm"});
    assert_eq!(reply, message);
    let request = json!({"model": "deepseek-v4-pro", "messages": [reply, {"role": "user", "content": "?"}],
        "tools": [{"type": "function", "function": {"name": "f"}}]});
    let (bodies, _) = asked_of("http://api.deepseek.com/v1", &[], &[request]);
    assert_eq!(bodies[0]["messages"][0], message);
}

#[test]
fn audio_is_of_the_type_that_was_asked_for() {
    let body = openai::delta(json!({"audio": {"id": "a", "data": "AAAA"}})) + &openai::stream(&[]);
    for (format, mime) in [
        ("wav", "audio/wav"),
        ("mp3", "audio/mpeg"),
        ("flac", "audio/flac"),
        ("opus", "audio/opus"),
        ("aac", "audio/aac"),
        ("pcm16", "audio/pcm"),
    ] {
        let server = Server::answering(SSE, body.clone());
        let request = json!({"messages": [], "audio": {"voice": "v", "format": format}});
        let lines = lines(&server, &[&format!("@{request}")]);
        assert_eq!(lines[1], format!("audio 0 0 \"\" id=\"a\" mime=\"{mime}\" bytes=3"));
    }
}

#[test]
fn session_tells_its_model_request_id_and_attempts_and_no_key() {
    let server = Server::start(|exchange| match exchange.number {
        0 => exchange.head(503, &[("Content-Length", "0"), ("Retry-After", "0")]),
        _ => {
            let head = [("x-request-id", "req-test-key-secret"), ("Connection", "close")];
            exchange.head(200, &head);
            exchange.send(openai::stream(&["Hi"]));
            exchange.close();
        }
    });
    let outcome = c::program("info").arg(server.url()).run().passed();
    let lines = outcome.lines();
    assert_eq!(lines[0], "model= changed=[]");
    assert!(lines[1].starts_with("model=m-1 changed=[] request_id=req-"), "{lines:?}");
    assert!(lines[1].ends_with(" attempts=2"), "{lines:?}");
    assert!(!lines[1].contains("test-key-secret"), "{lines:?}");
}
