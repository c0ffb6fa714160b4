//! The log: whose a line is, and when what it was given is released.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::HashSet;
use std::sync::Mutex;

use support::server::Server;
use support::{c, openai};

/// Runs it against a server that fails each request once, and one that answers.
fn run(program: c::Program) {
    let asked = Mutex::new(HashSet::new());
    let failing = Server::start(move |exchange| {
        if asked.lock().unwrap().insert(exchange.request.body.clone()) {
            return exchange.head(503, &[("Content-Length", "0"), ("Retry-After", "0")]);
        }
        exchange.stream(openai::stream(&["One two three"]));
    });
    let answering = Server::start(|exchange| match exchange.request.method.as_str() {
        "GET" => exchange.whole(404, "application/json", b"{}"),
        _ => exchange.stream(openai::stream(&["One two three"])),
    });
    program
        .env("TEST_CONFIG", Some("max_reply_bytes=5"))
        .arg(failing.url())
        .arg(answering.url())
        .run()
        .passed();
}

#[test]
fn lines_name_their_session_and_what_a_log_was_given_is_released_once() {
    run(c::program("log"));
}

#[test]
fn changing_the_log_loses_no_memory() {
    if let Some(program) = c::program("log").under_valgrind() {
        run(program);
    }
}
