//! What an OpenAI-compatible server says.

use serde_json::{Value, json};

pub fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// An event with one choice that says `delta`.
pub fn delta(delta: Value) -> String {
    event(
        &json!({"id": "chatcmpl-1", "model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}),
    )
}

pub fn text(text: &str) -> String {
    delta(json!({"content": text}))
}

pub fn finish(reason: &str) -> String {
    event(
        &json!({"id": "chatcmpl-1", "model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}),
    )
}

pub fn usage(input: u32, output: u32) -> String {
    let total = input + output;
    event(&json!({"id": "chatcmpl-1", "model": "m-1", "choices": [], "usage":
        {"prompt_tokens": input, "completion_tokens": output, "total_tokens": total}}))
}

pub const DONE: &str = "data: [DONE]\n\n";

/// A whole stream that says `pieces`.
pub fn stream(pieces: &[&str]) -> String {
    let texts: String = pieces.iter().map(|piece| text(piece)).collect();
    texts + &finish("stop") + &usage(3, 5) + DONE
}
