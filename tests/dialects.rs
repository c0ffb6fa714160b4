//! One program, unchanged, in every dialect, against a server that nobody here wrote.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use support::aimock::{Aimock, KEY};
use support::c;

/// Has tests/c/dialects.c talk to a `model` of `provider`, whose API is at `path`.
fn converse(provider: &str, path: &str, model: &str) {
    let Some(server) = Aimock::shared() else { return };
    let url = server.url().replace("/v1", path);
    let program = c::program("dialects").arg(url).arg(model);
    let program = program.env("TEST_PROVIDER", Some(provider)).env("TEST_KEY", Some(KEY));
    assert_eq!(
        program.run().passed().stdout,
        "reasoning Two tools at once.\n\
         call get_weather {\"city\":\"Oslo\"}\n\
         call get_time {\"city\":\"Oslo\"}\n\
         finish tool_calls\n\
         reasoning Both have answered.\n\
         text Three degrees at noon.\n\
         finish stop\n\
         text You are welcome.\n\
         finish stop\n"
    );
}

#[test]
fn gemini_holds_a_conversation_with_tools_and_an_image() {
    converse("gemini", "/v1beta", "gemini-4-argon");
}

#[test]
fn openai_chat_holds_a_conversation_with_tools_and_an_image() {
    converse("openai", "/v1", "o3");
}

#[test]
fn anthropic_holds_a_conversation_with_tools_and_an_image() {
    converse("anthropic", "/v1", "claude-sonnet-4-5");
}
