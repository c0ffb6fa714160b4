//! An answer of every provider comes to the same wherever the network cuts its bytes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use serde_json::json;
use support::openai::{DONE, delta, event, finish, text, usage};
use support::splits::assert_the_same_at_every_cut;

#[test]
fn openai_comes_to_the_same_at_every_cut() {
    let body = [
        ": \u{1f600}\r\n\r\n".to_owned(),
        delta(json!({"reasoning_content": "hm"})),
        text("При\u{1f600}"),
        delta(
            json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}),
        ),
        finish("tool_calls").replace('\n', "\r\n"),
        usage(1, 2).replace('\n', "\r"),
        DONE.to_owned(),
    ];
    assert_the_same_at_every_cut("openai", &[("api_key", "k")], "text/event-stream", body.concat());
}

#[test]
fn whole_json_comes_to_the_same_at_every_cut() {
    let body = json!({"id": "1", "choices": [{"message": {"content": "При\u{1f600}"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}});
    assert_the_same_at_every_cut(
        "openai",
        &[("api_key", "k")],
        "application/json",
        format!("{body:#}"),
    );
}

#[test]
fn think_tags_come_to_the_same_at_every_cut() {
    let body = text("<think>h") + &text("m</th") + &text("ink>\n\nHi") + &finish("stop") + DONE;
    let settings = [("api_key", "k"), ("think_tags", "true")];
    assert_the_same_at_every_cut("openai", &settings, "text/event-stream", body);
}

#[test]
fn gigachat_comes_to_the_same_at_every_cut() {
    let piece = |delta: serde_json::Value| {
        event(&json!({"choices": [{"delta": delta, "index": 0}], "model": "GigaChat:2"}))
    };
    let body = piece(json!({"role": "function_in_progress", "content": "3"}))
        + &piece(json!({"content": "При\u{1f600}"}))
        + &piece(
            json!({"function_call": {"name": "f", "arguments": {"a": 1}}, "functions_state_id": "s"}),
        )
        + &event(
            &json!({"choices": [{"delta": {"content": ""}, "finish_reason": "function_call"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        )
        + DONE;
    let settings = [("api_key", "k"), ("auth_url", "URL/oauth")];
    assert_the_same_at_every_cut("gigachat", &settings, "text/event-stream", body);
}

#[test]
fn second_gigachat_comes_to_the_same_at_every_cut() {
    let body = "event: response.message.delta\ndata: {\"model\":\"G\",\"messages\":[{\"role\":\"assistant\",\"content\":[{\"text\":\"При\u{1f600}\"}]}]}\n\n\
        event: response.message.done\ndata: {\"finish_reason\":\"stop\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}\n\n";
    let settings = [("api_key", "k"), ("auth_url", "URL/oauth"), ("api_version", "v2")];
    assert_the_same_at_every_cut("gigachat", &settings, "text/event-stream", body.to_owned());
}

#[test]
fn ai365vip_comes_to_the_same_at_every_cut() {
    assert_the_same_at_every_cut(
        "ai365vip",
        &[],
        "text/plain",
        "При\u{1f600}вет,\n< 1 \u{4e16}\u{754c}".to_owned(),
    );
}

#[test]
fn amigochat_comes_to_the_same_at_every_cut() {
    let body = text("При\u{1f600}") + &finish("stop") + DONE;
    assert_the_same_at_every_cut("amigochat", &[], "text/event-stream", body);
}

#[test]
fn aichats_comes_to_the_same_at_every_cut() {
    let body = "data:  При\r\ndata: \u{1f600} \r\n\r\ndata: вет \ndata: [DONE]\n".to_owned();
    assert_the_same_at_every_cut("aichats", &[], "text/event-stream", body);
}
