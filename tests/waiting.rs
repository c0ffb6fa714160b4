//! Waiting for several sessions at once, and cancelling all of a client.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;
use std::sync::{Condvar, Mutex};

use serde_json::json;
use support::server::{Exchange, Server};
use support::{c, openai};

/// How many answers may come.
type Told = Arc<(Mutex<usize>, Condvar)>;

fn answer(exchange: &mut Exchange, told: &Told) {
    let asked = exchange.request.json();
    match asked["messages"][0]["content"].as_str().unwrap() {
        "go" => exchange.stream(openai::stream(&["a", "b", "c"])),
        "stall" => {
            exchange.stream_head();
            exchange.chunk(openai::delta(json!({"role": "assistant"})));
            exchange.wait_for_close();
        }
        number => {
            let number: usize = number.parse().unwrap();
            let may_come = told.0.lock().unwrap();
            drop(told.1.wait_while(may_come, |count| *count <= number).unwrap());
            exchange.stream(openai::stream(&["a"]));
        }
    }
}

/// Runs it with a server that answers what the program asks for.
fn run(program: c::Program, sessions: usize) {
    let told = Told::default();
    let teller = Arc::clone(&told);
    let server = Server::start(move |exchange| answer(exchange, &told));
    let mut program = program.arg(server.url()).arg(sessions.to_string()).spawn();
    while program.line() == "next" {
        *teller.0.lock().unwrap() += 1;
        teller.1.notify_all();
    }
    program.finish().passed();
}

#[test]
fn wait_for_several_sessions_finds_each_that_is_ready() {
    run(c::program("sessions"), 1000);
}

#[test]
fn waiting_for_several_sessions_loses_no_memory() {
    if let Some(program) = c::program("sessions").under_valgrind() {
        run(program, 20);
    }
}
