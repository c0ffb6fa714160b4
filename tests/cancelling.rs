//! Cancelling works in every state, at once, and the server sees it.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::server::Server;
use support::{c, openai};

/// The best of three: how long poll and free took, in microseconds.
fn times(url: &str, texts: usize) -> (u64, u64) {
    let runs = (0..3).map(|_| {
        let outcome = c::program("cancel").arg(url).arg(texts.to_string()).run().passed();
        let (poll, free) = outcome.stdout.trim().split_once(' ').unwrap();
        (poll.parse::<u64>().unwrap(), free.parse::<u64>().unwrap())
    });
    runs.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1))).unwrap()
}

fn assert_prompt((poll, free): (u64, u64)) {
    assert!(poll < 50_000, "poll returned {poll} us after the cancel");
    assert!(free < 50_000, "free took {free} us");
}

#[test]
fn cancel_while_waiting_for_headers_is_prompt_and_closes_the_connection() {
    let closed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&closed);
    let server = Server::start(move |exchange| {
        exchange.wait_for_close();
        seen.fetch_add(1, Ordering::SeqCst);
    });
    assert_prompt(times(&server.url(), 0));
    wait_for(|| closed.load(Ordering::SeqCst) == 3);
}

#[test]
fn cancel_amid_the_answer_is_prompt_and_closes_the_connection() {
    let closed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&closed);
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        exchange.chunk(openai::text("one") + &openai::text("two"));
        exchange.wait_for_close();
        seen.fetch_add(1, Ordering::SeqCst);
    });
    assert_prompt(times(&server.url(), 2));
    wait_for(|| closed.load(Ordering::SeqCst) == 3);
}

#[test]
fn cancel_with_a_full_queue_is_prompt() {
    let server = Server::start(|exchange| {
        exchange.stream_head();
        let events = openai::text(&"x".repeat(1000)).repeat(100);
        for _ in 0..200 {
            exchange.chunk(&events);
        }
        exchange.wait_for_close();
    });
    let outcome = c::program("cancel").arg(server.url()).arg("1").run();
    // Chunks are waiting there: the poll may be quicker than the cancel, and says so.
    assert!(
        outcome.status.success() || outcome.stderr.contains("TOLMACH_OK, not TOLMACH_E_CANCELLED")
    );
}

#[test]
fn cancel_while_the_tls_handshake_hangs_is_prompt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    assert_prompt(times(&url, 0));
}

#[test]
fn cancel_while_connecting_is_prompt() {
    // A listener that accepts nobody answers as many connections as fit its backlog.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut fillers = Vec::new();
    while let Ok(filler) =
        std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200))
    {
        fillers.push(filler);
        if fillers.len() > 5000 {
            support::skip("cancelling a connect", "this system's backlog does not fill");
            return;
        }
    }
    assert_prompt(times(&format!("http://{address}"), 0));
}

fn wait_for(condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < support::LONG, "it does not come");
        std::thread::yield_now();
    }
}
