//! Event loops wait on a descriptor or a callback, and miss nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Mutex;
use std::sync::mpsc;

use support::server::Server;
use support::{LONG, c, openai};

#[test]
fn descriptor_and_callback_tell_exactly_when_a_poll_is_worth_it() {
    follow(c::program("ready"));
}

#[test]
fn watching_loses_no_memory() {
    if let Some(program) = c::program("ready").under_valgrind() {
        follow(program);
    }
}

/// With a name to look up as well, where the resolver's own error would hide the reason.
#[cfg(target_os = "linux")]
#[test]
fn process_without_descriptors_is_told_so() {
    let port = Server::answering("text/event-stream", openai::stream(&["Hi"])).address().port();
    let urls = ["127.0.0.1", "localhost", "no-such-host.invalid"]
        .map(|host| format!("http://{host}:{port}/v1"));
    let outcome = urls.iter().fold(c::program("descriptors"), c::Program::arg).run().passed();
    assert_eq!(outcome.lines().len(), urls.len());
    for line in outcome.lines() {
        assert!(line.starts_with("error TOLMACH_E_NO_MEMORY"), "{line}");
        assert!(
            line.contains("no file descriptors left: close sessions, or raise its limit"),
            "{line}"
        );
    }
}

/// Gives the program more whenever it waits, and checks what it makes of that.
fn follow(program: c::Program) {
    let (ask, asked) = mpsc::channel::<()>();
    let asked = Mutex::new(asked);
    let server = Server::start(move |exchange| {
        let wait = || asked.lock().unwrap().recv_timeout(LONG).unwrap();
        exchange.stream_head();
        wait();
        exchange.chunk(openai::text("one"));
        wait();
        exchange.chunk(openai::text("two") + &openai::text("three"));
        wait();
        exchange.chunk(": keep-alive\n\n");
        exchange.chunk(openai::finish("stop") + openai::DONE);
        exchange.end_chunks();
    });
    let mut program = program.arg(server.url()).spawn();
    let mut seen = Vec::new();
    loop {
        match program.line().as_str() {
            "waiting" => ask.send(()).unwrap(),
            "done" | "" => break,
            line => seen.push(line.to_owned()),
        }
    }
    program.finish().passed();
    assert_eq!(
        seen,
        [
            "start 0 0 \"chatcmpl-1\" name=\"m-1\"",
            "text 0 0 \"one\"",
            "text 0 0 \"two\"",
            "text 0 0 \"three\"",
            "finish 0 0 \"stop\" name=\"stop\"",
        ]
    );
}

#[test]
fn no_callback_comes_after_free_and_release() {
    let (ask, asked) = mpsc::channel::<()>();
    let server = Server::start(move |exchange| {
        let text = String::from_utf8_lossy(&exchange.request.body).into_owned();
        if text.contains("\"wait\"") {
            ask.send(()).unwrap();
            return exchange.wait_for_close();
        }
        exchange.stream(openai::stream(&["a", "b", "c"]));
    });
    let mut program = c::program("freed").arg(server.url()).arg("300").spawn();
    assert_eq!(program.line(), "waiting");
    asked.recv_timeout(LONG).unwrap();
    program.tell("free it");
    program.finish().passed();
}
