//! The C programs against a server that nobody here wrote.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use support::aimock::{Aimock, KEY};
use support::c;

/// The same, of Gemini's API.
fn ask_gemini(server: &Aimock, message: &str) -> Vec<String> {
    let request = serde_json::json!({"model": "gemini-4-argon", "messages": [{"role": "user", "content": message}]});
    let url = server.url().replace("/v1", "/v1beta");
    let program = c::program("stream").env("TEST_PROVIDER", Some("gemini")).arg(url);
    let program = program.arg(format!("api_key={KEY}")).arg("max_retries=0");
    let outcome = program.arg(format!("@{request}")).run().passed();
    outcome.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn answer_of_gemini_streams_from_a_real_server_to_its_end() {
    let Some(server) = Aimock::shared() else { return };
    let lines = ask_gemini(&server, "hello");
    assert!(lines.iter().filter(|line| line.starts_with("text ")).count() > 5, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("usage 0 0 \"\" input=")), "{lines:?}");
    let end = lines.len() - 3;
    assert_eq!(
        lines[end..],
        [
            "finish 0 0 \"stop\" name=\"STOP\"",
            "end",
            "reply {\"role\":\"assistant\",\"content\":\"Hello from a server that nobody here wrote: Привет, 世界 👋!\"}",
        ]
    );
    let call = ask_gemini(&server, "weather");
    let is_call = |line: &String| line.starts_with("tool 0 0 \"{\\\"city\\\":\\\"Oslo\\\"}\"");
    assert!(call.iter().any(is_call), "{call:?}");
    assert!(
        call.contains(&"finish 0 0 \"tool_calls\" name=\"FUNCTION_CALL\"".to_owned()),
        "{call:?}"
    );
    let hurried = ask_gemini(&server, "too fast").remove(0);
    assert!(hurried.starts_with("error TOLMACH_E_RATE_LIMITED http=429"), "{hurried}");
    let cut = ask_gemini(&server, "cut me off");
    assert!(cut.iter().any(|line| line.starts_with("text ")), "{cut:?}");
    assert!(cut.iter().any(|line| line.starts_with("error TOLMACH_E_TRUNCATED")), "{cut:?}");
}

/// The lines of tests/c/stream.c for a message.
fn ask(server: &Aimock, key: &str, message: &str) -> Vec<String> {
    let request =
        serde_json::json!({"model": "gpt-4o", "messages": [{"role": "user", "content": message}]});
    let program = c::program("stream").arg(server.url()).arg(format!("api_key={key}"));
    let outcome = program.arg("max_retries=0").arg(format!("@{request}")).run().passed();
    outcome.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn answer_streams_from_a_real_server_to_its_end() {
    let Some(server) = Aimock::shared() else { return };
    let lines = ask(&server, KEY, "hello");
    assert!(
        lines[0].starts_with("start 0 0 \"chatcmpl-") && lines[0].ends_with("name=\"gpt-4o\""),
        "{lines:?}"
    );
    let texts = lines.iter().filter(|line| line.starts_with("text ")).count();
    assert!(texts > 5, "{lines:?}");
    let end = lines.len() - 4;
    assert!(lines[end].starts_with("usage 0 0 \"\" input="), "{lines:?}");
    assert_eq!(
        lines[end + 1..],
        [
            "finish 0 0 \"stop\" name=\"stop\"",
            "end",
            "reply {\"role\":\"assistant\",\"content\":\"Hello from a server that nobody here wrote: Привет, 世界 👋!\"}",
        ]
    );
}

#[test]
fn tool_call_of_a_real_server_arrives_whole() {
    let Some(server) = Aimock::shared() else { return };
    let lines = ask(&server, KEY, "weather");
    let reply = lines.iter().find_map(|line| line.strip_prefix("reply ")).unwrap();
    let reply: serde_json::Value = serde_json::from_str(reply).unwrap();
    let call = &reply["tool_calls"][0];
    assert!(call["id"].as_str().unwrap().starts_with("call_"));
    assert_eq!(
        call["function"],
        serde_json::json!({"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"})
    );
    assert!(lines.contains(&"finish 0 0 \"tool_calls\" name=\"tool_calls\"".to_owned()));
}

#[test]
fn models_of_a_real_server_are_listed() {
    let Some(server) = Aimock::shared() else { return };
    let program = c::program("models").arg(server.url()).arg("10000").env("TEST_KEY", Some(KEY));
    let stdout = program.run().passed().stdout;
    assert!(stdout.contains("\"gpt-4o\" owner=\"aimock\" context=-1"), "{stdout}");
}

#[test]
fn errors_of_a_real_server_are_told_apart() {
    let Some(server) = Aimock::shared() else { return };
    let refused = ask(&server, "wrong-key", "hello").remove(0);
    assert!(refused.starts_with("error TOLMACH_E_AUTH http=401"), "{refused}");
    let hurried = ask(&server, KEY, "too fast").remove(0);
    assert!(hurried.starts_with("error TOLMACH_E_RATE_LIMITED http=429 retry_after=7000 code=\"rate_limit_exceeded\" request_id=\"req-"), "{hurried}");
    assert!(hurried.contains("Slow down"), "{hurried}");
}

#[test]
fn answer_that_a_real_server_cuts_is_truncated() {
    let Some(server) = Aimock::shared() else { return };
    let lines = ask(&server, KEY, "cut me off");
    assert!(lines.iter().any(|line| line.starts_with("text ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("error TOLMACH_E_TRUNCATED")), "{lines:?}");
}
