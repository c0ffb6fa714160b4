//! Wrong use gets the documented status, never a crash.

#![allow(clippy::indexing_slicing, reason = "a test fails where it cannot go on")]

mod support;

use support::server::Server;
use support::{c, openai};

fn server() -> Server {
    Server::start(|exchange| match exchange.request.json()["messages"].as_array() {
        Some(messages) if messages.is_empty() => exchange.wait_for_close(),
        _ => exchange.stream(openai::stream(&["Hi"])),
    })
}

#[test]
fn wrong_arguments_get_their_status() {
    c::program("misuse").arg(server().url()).run().passed();
}

#[test]
fn wrong_arguments_lose_no_memory() {
    if let Some(program) = c::program("misuse").under_valgrind() {
        program.arg(server().url()).run().passed();
    }
}

#[test]
fn process_whose_own_destructors_wait_for_its_end_ends() {
    c::program("exit").arg(server().url()).run().passed();
}
