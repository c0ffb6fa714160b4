//! What a host process does to its threads and to itself: signals, pthread_cancel(), fork(), callbacks that wait.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Mutex;
use std::sync::mpsc;

use serde_json::json;
use support::server::{Exchange, Server};
use support::{LONG, c, openai};

/// Sends text until the client has gone.
fn go_on(exchange: &mut Exchange) {
    exchange.stream_head();
    while exchange.chunk_watched(openai::text("more"), || ()) {}
}

#[test]
fn signal_handler_may_cancel_whatever_it_interrupts() {
    let server = Server::start(go_on);
    c::program("signal").arg(server.url()).run().passed();
}

#[test]
fn thread_that_is_cancelled_ends_after_its_poll_and_harms_nothing() {
    let (tell, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let server = Server::start(move |exchange| {
        let wait = || told.lock().unwrap().recv_timeout(LONG).unwrap();
        exchange.stream_head();
        exchange.chunk(openai::delta(json!({"role": "assistant"})));
        wait();
        exchange.chunk(openai::text("one"));
        wait();
        exchange.chunk(openai::finish("stop") + openai::DONE);
        exchange.end_chunks();
    });
    let mut program = c::program("thread_cancel").arg(server.url()).spawn();
    assert_eq!(program.line(), "cancelled");
    tell.send(()).unwrap();
    // Nothing, where the process has been aborted.
    assert_eq!(program.line(), "ended");
    tell.send(()).unwrap();
    program.finish().passed();
}

#[test]
fn children_of_fork_neither_hang_nor_harm_their_parent() {
    if c::is_sanitized() {
        return support::skip(
            "fork",
            "sanitizers have locks of their own, which a fork may leave locked",
        );
    }
    let server = Server::start(|exchange| {
        let asked = exchange.request.json();
        match asked["messages"][0]["content"].as_str() {
            Some("stall") => {
                exchange.stream_head();
                exchange.chunk(openai::delta(json!({"role": "assistant"})));
                exchange.wait_for_close();
            }
            _ => exchange.stream(openai::stream(&["Hi"])),
        }
    });
    c::program("fork").arg(server.url()).arg("300").run().passed();
}

#[test]
fn callback_that_waits_holds_up_no_other_session() {
    let server = Server::start(|exchange| {
        exchange.stream_head();
        exchange.chunk(openai::delta(json!({"role": "assistant"})));
        exchange.wait_for_close();
    });
    c::program("slow_callback").arg(server.url()).run().passed();
}
