//! Memory is bounded, given back, and never touched wrongly.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::server::Server;
use support::{c, openai};

#[test]
fn million_chunks_read_slowly_keep_the_process_under_40_mib() {
    const BATCH: usize = 1000;
    const CHUNKS: usize = 1_000_000;
    let batch = openai::text("five ").repeat(BATCH);
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        for _ in 0..CHUNKS / BATCH {
            exchange.chunk(&batch);
        }
        exchange.chunk(openai::finish("stop") + openai::DONE);
        exchange.end_chunks();
    });
    let outcome = c::program("slow").arg(server.url()).arg(CHUNKS.to_string()).run().passed();
    let (texts, peak) = outcome.stdout.trim().split_once(' ').unwrap();
    assert_eq!(texts.parse::<usize>().unwrap(), CHUNKS);
    let peak: i64 = peak.parse().unwrap();
    if peak < 0 {
        return support::skip("peak memory", "this system does not tell it");
    }
    assert!(peak < 40 * 1024, "{peak} KiB");
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
