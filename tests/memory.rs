//! Memory is bounded, given back, and never touched wrongly.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::mpsc;

use serde_json::json;
use support::server::Server;
use support::{c, openai};

#[test]
fn million_chunks_read_slowly_keep_the_process_under_40_mib() {
    const BATCH: usize = 1000;
    const CHUNKS: usize = 1_000_000;
    let batch = openai::text("five ").repeat(BATCH);
    let (hold, held) = mpsc::channel();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        for _ in 0..CHUNKS / BATCH {
            exchange.chunk_watched(&batch, || hold.send(true).unwrap());
        }
        hold.send(false).unwrap();
        exchange.chunk(openai::finish("stop") + openai::DONE);
        exchange.end_chunks();
    });
    let mut program = c::program("slow").arg(server.url()).arg(CHUNKS.to_string()).spawn();
    // The program reads on when the server can send no more: what was to fill is full.
    let was_held = held.recv_timeout(support::LONG).unwrap();
    program.tell("read on");
    let outcome = program.finish().passed();
    assert!(was_held, "the whole answer was taken from the server before anybody read it");
    let (texts, peak) = outcome.stdout.trim().split_once(' ').unwrap();
    assert_eq!(texts.parse::<usize>().unwrap(), CHUNKS);
    let peak: i64 = peak.parse().unwrap();
    if peak < 0 {
        return support::skip("peak memory", "this system does not tell it");
    }
    assert!(peak < 40 * 1024, "{peak} KiB");
}

#[test]
fn server_is_held_where_the_queue_is_full() {
    const QUEUE: usize = 8 << 20;
    /// More than the system keeps of a connection, at both of its ends.
    const SOCKETS: usize = 32 << 20;
    let events = openai::text(&"x".repeat(1000)).repeat(100);
    let (full, filled) = mpsc::channel();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        for sent in 1.. {
            let held = || full.send(sent * events.len()).unwrap();
            if !exchange.chunk_watched(&events, held) {
                return;
            }
        }
    });
    let setting = format!("queue_bytes={QUEUE}");
    let program = c::program("full").arg(server.url()).env("TEST_CONFIG", Some(&setting));
    let mut program = program.spawn();
    let sent = filled.recv_timeout(support::LONG).unwrap();
    program.tell("it is full");
    program.finish().passed();
    assert!(sent < QUEUE + SOCKETS, "{sent} bytes were taken of the server");
}

/// Runs a program under valgrind, against `server`.
fn check(name: &str, server: &Server, args: &[&str]) {
    if let Some(program) = c::program(name).under_valgrind() {
        let program = args.iter().fold(program.arg(server.url()), |program, arg| program.arg(arg));
        program.run().passed();
    }
}

#[test]
fn streaming_loses_no_memory() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["Hel", "lo"])));
    check("stream", &server, &[]);
}

#[test]
fn failing_loses_no_memory() {
    check(
        "stream",
        &Server::answering("application/json", "{\"error\":{\"message\":\"no\"}}"),
        &[],
    );
    check("stream", &Server::start(|exchange| exchange.whole(401, "text/html", "<html>")), &[]);
    check("models", &Server::start(|exchange| exchange.whole(404, "text/plain", "no")), &["-1"]);
}

#[test]
fn listing_models_loses_no_memory() {
    let list = "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\",\"owned_by\":\"c\"}]}";
    check("models", &Server::answering("application/json", list), &["-1"]);
}

#[test]
fn cancelling_loses_no_memory() {
    let server = Server::start(|exchange| exchange.wait_for_close());
    check("cancel", &server, &["0"]);
}

#[test]
fn sessions_in_many_threads_lose_no_memory() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["a", "b", "c"])));
    check("crowd", &server, &["8"]);
}

#[test]
fn cancelling_with_a_full_queue_loses_no_memory_and_no_thread() {
    let (full, filled) = mpsc::channel();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        let events = openai::text(&"x".repeat(1000)).repeat(100);
        while exchange.chunk_watched(&events, || full.send(()).unwrap()) {}
    });
    if let Some(program) = c::program("full").under_valgrind() {
        let mut program = program.arg(server.url()).spawn();
        filled.recv_timeout(support::LONG).unwrap();
        program.tell("it is full");
        program.finish().passed();
    }
}

#[test]
fn conversing_loses_no_memory() {
    let call = json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "weather", "arguments": "{}"}}]});
    let call = openai::delta(call) + &openai::finish("tool_calls") + openai::DONE;
    let server = Server::start(move |exchange| match exchange.number {
        0 => exchange.stream(&call),
        _ => exchange.stream(openai::stream(&["Three ", "degrees."])),
    });
    check("conversation", &server, &[]);
}

#[test]
fn ten_thousand_sessions_leave_nothing_behind() {
    if !cfg!(target_os = "linux") {
        return support::skip("the soak", "this system does not tell what a process holds");
    }
    let server = Server::start(|exchange| {
        exchange.stream_head();
        exchange.chunk(openai::text("one"));
        exchange.wait_for_close();
    });
    c::program("soak").arg(server.url()).arg("10000").run().passed();
}

#[test]
fn five_hundred_sessions_at_once_are_answered() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["a", "b", "c"])));
    c::program("crowd").arg(server.url()).arg("500").run().passed();
    assert_eq!(server.requests().len(), 500);
}

#[test]
fn waiting_session_wakes_up_nobody() {
    if !cfg!(target_os = "linux") {
        return support::skip("wake-ups", "this system does not count them");
    }
    let server = Server::start(|exchange| {
        exchange.stream_head();
        exchange.chunk(openai::text("one"));
        exchange.wait_for_close();
    });
    let outcome = c::program("idle").arg(server.url()).run().passed();
    assert_eq!(outcome.stdout.trim(), "0");
}
