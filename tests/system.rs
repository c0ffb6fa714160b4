//! What the system refuses is said at once, and the host's signals stay the host's.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use nix::errno::Errno;
use support::server::Server;
use support::{LONG, c, openai};

fn server() -> Server {
    Server::start(|exchange| exchange.stream(openai::stream(&["Hi"])))
}

fn preloading(program: c::Program, shim: &str) -> c::Program {
    program.env("LD_PRELOAD", c::preloaded(shim).to_str())
}

#[test]
fn request_that_the_system_does_not_send_is_an_error_at_once() {
    let server = server();
    for error in [Errno::ENOBUFS, Errno::EIO, Errno::EPERM, Errno::ENETDOWN, Errno::ETIMEDOUT] {
        // Neither the head, or the head alone.
        for sends in ["0", "1"] {
            let program = c::program("stream").arg(server.url());
            // What is not heard of a failure comes to a deadline.
            let program = program.arg("max_retries=0").arg("first_byte_timeout_ms=5000");
            let program = preloading(program, "failing_send").env("TEST_SENDS", Some(sends));
            let number = (error as i32).to_string();
            let said = program.env("TEST_SEND_ERROR", Some(&number)).run().passed().stdout;
            assert!(said.starts_with("error TOLMACH_E_CONNECT"), "{error}: {said}");
            assert!(said.contains(&format!("(os error {number})")), "{error}: {said}");
        }
    }
}

#[test]
fn answer_that_came_before_the_connection_was_lost_is_read() {
    let refusal = "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The body never comes.
            stream.read_exact(&mut [0; 100]).unwrap();
            stream.write_all(refusal.as_bytes()).unwrap();
            std::io::copy(&mut stream, &mut std::io::sink()).ok();
        }
    });
    for error in [Errno::EPIPE, Errno::ECONNRESET, Errno::ECONNABORTED] {
        let program = c::program("stream").arg(&url).arg("max_retries=0");
        let program = preloading(program, "failing_send").env("TEST_SENDS", Some("1"));
        let number = (error as i32).to_string();
        let said = program.env("TEST_SEND_ERROR", Some(&number)).run().passed().stdout;
        assert!(said.starts_with("error TOLMACH_E_BAD_REQUEST http=413"), "{error}: {said}");
    }
}

#[test]
fn kept_connection_that_takes_no_byte_of_a_request_is_replaced_without_retries() {
    // After that of the models, the head of the question fails; or its body does.
    for (sends, posts, outcome) in [("1", 1, "TOLMACH_END"), ("2", 0, "error TOLMACH_E_CONNECT")] {
        let server = Server::start(|exchange| match &*exchange.request.method {
            "GET" => exchange.whole(200, "application/json", "{\"data\":[]}"),
            _ => exchange.stream(openai::stream(&["Hi"])),
        });
        let program = c::program("kept").arg(server.url());
        let program = program.env("TEST_CONFIG", Some("max_retries=0"));
        let program = preloading(program, "failing_send").env("TEST_SENDS", Some(sends));
        let number = (Errno::EPIPE as i32).to_string();
        let program = program.env("TEST_SEND_ONCE", Some("1"));
        let said = program.env("TEST_SEND_ERROR", Some(&number)).run().passed().stdout;
        assert!(said.starts_with(outcome), "{sends}: {said}");
        assert_eq!(server.requests().len(), 1 + posts);
    }
}

#[test]
fn system_without_threads_is_told() {
    let server = server();
    // None to cancel sessions, none for the session, none to connect, and enough.
    for (threads, outcome) in [
        ("0", "error TOLMACH_E_NO_MEMORY"),
        ("1", "error TOLMACH_E_NO_MEMORY"),
        ("2", "error TOLMACH_E_NO_MEMORY"),
        ("3", "TOLMACH_END"),
    ] {
        let program = preloading(c::program("starved").arg(server.url()), "failing_threads");
        let said = program.env("TEST_THREADS", Some(threads)).run().passed().stdout;
        assert!(said.starts_with(outcome), "{threads}: {said}");
        assert!(threads == "3" || said.contains("threads"), "{threads}: {said}");
    }
}

#[test]
fn process_without_descriptors_is_told_and_recovers() {
    let server = server();
    let said = c::program("starved").arg(server.url()).arg("descriptors").run().passed();
    let lines = said.lines();
    assert!(lines[0].starts_with("error TOLMACH_E_NO_MEMORY"), "{lines:?}");
    assert!(lines[0].contains("descriptors"), "{lines:?}");
    assert_eq!(lines.last(), Some(&"TOLMACH_END"));
}

#[test]
fn threads_of_the_library_block_every_signal() {
    let (ask, asked) = mpsc::channel();
    let server = Server::start(move |exchange| {
        ask.send(()).unwrap();
        exchange.wait_for_close();
    });
    let mut program = c::program("masks").arg(server.url()).spawn();
    assert_eq!(program.line(), "asked");
    asked.recv_timeout(LONG).unwrap();
    program.tell("the session waits");
    let said = program.finish().passed();
    assert!(said.lines()[0].parse::<u32>().unwrap() >= 1, "{}", said.stdout);
}
