//! The least that the specification wants of every decoder, item by item.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use serde_json::json;
use support::c;
use support::openai::{DONE, delta, event, finish, text, usage};
use support::server::{Exchange, Server};

fn run(server: &Server, args: &[&str]) -> Vec<String> {
    let program =
        args.iter().fold(c::program("stream").arg(server.url()), |program, arg| program.arg(arg));
    let mut lines: Vec<String> = program.run().passed().stdout.lines().map(str::to_owned).collect();
    lines.retain(|line| !line.starts_with("start ") && !line.starts_with("reply "));
    lines
}

/// What comes of a stream of events.
fn chunks(events: impl Into<Vec<u8>>) -> Vec<String> {
    run(&Server::answering("text/event-stream", events), &[])
}

fn hi() -> Vec<String> {
    ["text 0 0 \"Hi\"", "finish 0 0 \"stop\" name=\"stop\"", "end"].map(str::to_owned).to_vec()
}

fn stream() -> String {
    text("Hi") + &finish("stop") + DONE
}

/// One piece in each read: the server waits until the client has taken it.
fn in_pieces(pieces: Vec<Vec<u8>>) -> Vec<String> {
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        for piece in &pieces {
            exchange.chunk(piece);
            std::thread::yield_now();
        }
        exchange.end_chunks();
    });
    run(&server, &[])
}

#[test]
fn sse_no_space_after_data() {
    assert_eq!(chunks(stream().replace("data: ", "data:")), hi());
}

#[test]
fn sse_crlf() {
    assert_eq!(chunks(stream().replace('\n', "\r\n")), hi());
}

#[test]
fn sse_split_inside_a_utf8_character() {
    let events = (text("\u{1f600}") + &finish("stop") + DONE).into_bytes();
    let at = events.iter().position(|byte| *byte == 0xf0).unwrap();
    for cut in at..at + 4 {
        let (first, second) = events.split_at(cut);
        assert_eq!(in_pieces(vec![first.to_vec(), second.to_vec()])[0], "text 0 0 \"\u{1f600}\"");
    }
}

#[test]
fn sse_split_inside_a_line() {
    let events = stream().into_bytes();
    let pieces = events.chunks(7).map(<[u8]>::to_vec).collect();
    assert_eq!(in_pieces(pieces), hi());
}

#[test]
fn sse_comment_lines() {
    assert_eq!(chunks(format!(": a\n\n:\n{}: b\n\n{}", text("Hi"), finish("stop") + DONE)), hi());
}

#[test]
fn sse_missing_final_newline() {
    assert_eq!(chunks(stream().trim_end()), hi());
}

#[test]
fn sse_missing_done() {
    assert_eq!(chunks(text("Hi") + &finish("stop")), hi());
}

#[test]
fn sse_line_of_a_mebibyte() {
    let long = "x".repeat(1 << 20);
    assert_eq!(chunks(text(&long) + &finish("stop") + DONE)[0], format!("text 0 0 \"{long}\""));
}

#[test]
fn sse_error_event_after_text() {
    let lines =
        chunks(text("Hi") + "data: {\"error\":{\"message\":\"broken\",\"code\":\"c\"}}\n\n" + DONE);
    assert_eq!(lines[0], "text 0 0 \"Hi\"");
    assert!(
        lines[1].starts_with("error TOLMACH_E_PROVIDER") && lines[1].contains("code=\"c\""),
        "{lines:?}"
    );
}

#[test]
fn sse_usage_only_chunk() {
    let lines = chunks(text("Hi") + &finish("stop") + &usage(1, 2) + DONE);
    assert_eq!(lines[1], "usage 0 0 \"\" input=1 output=2 total=3 cached=-1 reasoning=-1");
}

#[test]
fn sse_finish_reason_null_then_stop() {
    let null = event(&json!({"choices": [{"delta": {"content": "Hi"}, "finish_reason": null}]}));
    assert_eq!(chunks(null + &finish("stop") + DONE), hi());
}

#[test]
fn sse_role_only_delta() {
    assert_eq!(chunks(delta(json!({"role": "assistant"})) + &stream()), hi());
}

#[test]
fn sse_tool_call_deltas_over_three_chunks() {
    let piece = |piece: serde_json::Value| delta(json!({"tool_calls": [piece]}));
    let lines = chunks(
        piece(
            json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}),
        ) + &piece(json!({"index": 0, "function": {"arguments": "{\"a\""}}))
            + &piece(json!({"index": 0, "function": {"arguments": ":1}"}}))
            + &finish("tool_calls")
            + DONE,
    );
    assert_eq!(
        lines[..3],
        ["tool 0 0 \"\" id=\"call_1\" name=\"f\"", "tool 0 0 \"{\\\"a\\\"\"", "tool 0 0 \":1}\""]
    );
}

#[test]
fn sse_reasoning_null_plus_reasoning_text() {
    let lines = chunks(delta(json!({"reasoning_content": null, "reasoning": "hm"})) + &stream());
    assert_eq!(lines[0], "reasoning 0 0 \"hm\" name=\"reasoning\"");
}

/// The one error line of a refusal.
fn refused(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> String {
    run(&Server::start(script), &["max_retries=0"]).remove(0)
}

#[test]
fn template_headers_with_and_without_a_key_and_overridden_in_another_case() {
    let server = Server::answering("text/event-stream", stream());
    run(&server, &[]);
    run(&server, &["api_key="]);
    run(&server, &["headers={\"aUTHORIZATION\":\"mine\"}"]);
    let keys: Vec<Option<String>> = server
        .requests()
        .iter()
        .map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(keys, [Some("Bearer test-key-secret".to_owned()), None, Some("mine".to_owned())]);
}

#[test]
fn template_null_fields_are_not_sent_and_empty_ones_are() {
    let server = Server::answering("text/event-stream", stream());
    run(
        &server,
        &[
            "@{\"messages\":[],\"temperature\":null,\"stop\":[],\"top_p\":0,\"user\":\"\",\"logprobs\":false}",
        ],
    );
    let body = server.requests()[0].json();
    assert_eq!(body["stop"], json!([]));
    assert_eq!(
        (&body["top_p"], &body["user"], &body["logprobs"]),
        (&json!(0), &json!(""), &json!(false))
    );
    assert!(body.get("temperature").is_none());
}

#[test]
fn template_statuses_have_their_classes() {
    for (status, body, class) in [
        (401, "{\"error\":{\"message\":\"m\"}}", "AUTH"),
        (402, "{\"error\":{\"message\":\"m\"}}", "QUOTA"),
        (403, "<html><title>Just a moment...</title></html>", "BLOCKED"),
        (502, "bad", "SERVER"),
        (504, "late", "SERVER"),
        (520, "<!DOCTYPE html><html></html>", "SERVER"),
    ] {
        let line = refused(move |exchange| exchange.whole(status, "text/plain", body));
        assert!(line.starts_with(&format!("error TOLMACH_E_{class} http={status}")), "{line}");
    }
    let limited = refused(|exchange| {
        exchange.head(429, &[("Retry-After", "12"), ("Content-Length", "0")]);
    });
    assert!(
        limited.starts_with("error TOLMACH_E_RATE_LIMITED http=429 retry_after=12000"),
        "{limited}"
    );
}

#[test]
fn template_json_reply_to_a_stream_request() {
    let body =
        json!({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}).to_string();
    assert_eq!(run(&Server::answering("application/json", body), &[]), hi());
}
