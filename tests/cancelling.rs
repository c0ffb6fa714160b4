//! Cancelling works in every state, at once, and the server sees it.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use support::server::Server;
use support::{LONG, c, openai};

/// Shorter than every deadline: what returned within it was released by the cancel.
const PROMPT: Duration = Duration::from_secs(10);

/// Cancels amid the waiting for what follows `texts` pieces, where poll and free return at
/// once. Before the cancel comes `asked`, and `closed` before the free.
fn assert_prompt(url: &str, texts: usize, asked: impl Fn(), closed: impl Fn()) {
    let program = c::program("cancel").arg(url).arg(texts.to_string());
    assert_prompt_in(program, asked, closed);
}

/// The same in a program of one's own making.
fn assert_prompt_in(program: c::Program, asked: impl Fn(), closed: impl Fn()) {
    let mut program = program.spawn();
    assert_eq!(program.line(), "waiting");
    asked();
    program.tell("the server has the request");
    assert_eq!(program.line(), "cancelled");
    closed();
    assert_was_prompt(program);
}

/// The end of a program that has cancelled, and says how long its poll and its free took.
fn assert_was_prompt(program: c::Running) {
    let outcome = program.finish().passed();
    for (what, took) in ["poll", "free"].iter().zip(outcome.lines()[0].split(' ')) {
        let took = Duration::from_micros(took.parse().unwrap());
        assert!(took < PROMPT, "{what} took {took:?}");
    }
}

/// Cancels what waits for a server that has sent `events` of `texts` pieces of text.
fn assert_cancel_is_prompt_and_closes(events: Option<String>, texts: usize) {
    let (ask, asked) = mpsc::channel();
    let (close, closed) = mpsc::channel();
    let server = Server::start(move |exchange| {
        ask.send(()).unwrap();
        if let Some(events) = &events {
            exchange.stream_head();
            exchange.chunk(events);
        }
        exchange.wait_for_close();
        close.send(()).unwrap();
    });
    let asked = || asked.recv_timeout(LONG).unwrap();
    let closed = || closed.recv_timeout(LONG).unwrap();
    // Freed at once ...
    assert_prompt(&server.url(), texts, asked, || ());
    closed();
    // ... or not before the server has seen the connection close.
    assert_prompt(&server.url(), texts, asked, closed);
}

#[test]
fn cancel_while_waiting_for_headers_is_prompt_and_closes_the_connection() {
    assert_cancel_is_prompt_and_closes(None, 0);
}

#[test]
fn cancel_amid_the_answer_is_prompt_and_closes_the_connection() {
    assert_cancel_is_prompt_and_closes(Some(openai::text("one") + &openai::text("two")), 2);
}

#[test]
fn cancel_with_a_full_queue_is_prompt_and_closes_the_connection() {
    let (full, filled) = mpsc::channel();
    let (close, closed) = mpsc::channel();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        let events = openai::text(&"x".repeat(1000)).repeat(100);
        // It is held until the client goes.
        while exchange.chunk_watched(&events, || full.send(()).unwrap()) {}
        close.send(()).unwrap();
    });
    let mut program = c::program("full").arg(server.url()).spawn();
    assert_eq!(program.line(), "reading no more");
    filled.recv_timeout(LONG).unwrap();
    program.tell("it is full");
    assert_eq!(program.line(), "cancelled");
    closed.recv_timeout(LONG).unwrap();
    assert_was_prompt(program);
}

#[test]
fn cancel_while_sleeping_before_a_retry_is_prompt() {
    let (ask, asked) = mpsc::channel();
    let server = Server::start(move |exchange| {
        exchange.send("HTTP/1.1 503 S\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n");
        ask.send(()).unwrap();
    });
    assert_prompt(&server.url(), 0, || asked.recv_timeout(LONG).unwrap(), || ());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn cancel_while_a_token_is_fetched_is_prompt_and_closes_the_connection() {
    let (ask, asked) = mpsc::channel();
    let (close, closed) = mpsc::channel();
    let server = Server::start(move |exchange| {
        ask.send(()).unwrap();
        exchange.wait_for_close();
        close.send(()).unwrap();
    });
    let url = server.url();
    let program = c::program("cancel").arg(&url).arg("0").env("TEST_PROVIDER", Some("gigachat"));
    let program = program.env("TEST_AUTH_URL", Some(&url));
    let asked = || asked.recv_timeout(LONG).unwrap();
    assert_prompt_in(program, asked, || closed.recv_timeout(LONG).unwrap());
}

#[test]
fn cancel_while_the_tls_handshake_hangs_is_prompt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    assert_prompt(&url, 0, || (), || ());
}

/// A pipe that is opened when the resolver of a program is asked, and the program's settings.
#[cfg(target_os = "linux")]
fn stalled_resolver(name: &str) -> (std::path::PathBuf, impl Fn(c::Program) -> c::Program) {
    let pipe = c::workshop().join(name);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (shim, path) = (c::preloaded("stalled_resolver"), pipe.clone());
    let with = move |program: c::Program| {
        let program = program.env("LD_PRELOAD", shim.to_str());
        program.env("TEST_RESOLVING", path.to_str())
    };
    (pipe, with)
}

#[cfg(target_os = "linux")]
#[test]
fn cancel_while_resolving_is_prompt() {
    let (pipe, with) = stalled_resolver("cancelled-resolver");
    let program = with(c::program("cancel").arg("http://model.example").arg("0"));
    // Opening it waits for who opens the other end.
    assert_prompt_in(program, || drop(std::fs::read(&pipe).unwrap()), || ());
}

#[cfg(target_os = "linux")]
#[test]
fn resolving_is_part_of_connecting_and_has_its_deadline() {
    let (pipe, with) = stalled_resolver("slow-resolver");
    let resolving = std::thread::spawn(move || std::fs::read(pipe).unwrap());
    let program = c::program("stream").arg("http://model.example").arg("connect_timeout_ms=300");
    let said = with(program).run().passed().stdout;
    assert!(
        said.starts_with("error TOLMACH_E_TIMEOUT") && said.contains("connect_timeout_ms"),
        "{said}"
    );
    resolving.join().unwrap();
}

#[test]
fn cancel_while_a_long_request_is_sent_is_prompt_and_closes_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (take, taken) = mpsc::channel();
    let (go_on, going_on) = mpsc::channel::<()>();
    let (close, closed) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Nothing is read until the client has gone.
            let mut stream = stream.unwrap();
            take.send(()).unwrap();
            going_on.recv().unwrap();
            std::io::copy(&mut stream, &mut std::io::sink()).ok();
            close.send(()).unwrap();
        }
    });
    let long = (16 << 20).to_string();
    let program = c::program("cancel").arg(format!("http://{address}")).arg(long).arg("0");
    let closed = || {
        go_on.send(()).unwrap();
        closed.recv_timeout(LONG).unwrap();
    };
    assert_prompt_in(program, || taken.recv_timeout(LONG).unwrap(), closed);
}

#[test]
fn request_that_nobody_reads_has_its_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let long = "x".repeat(16 << 20);
    let client = |key: &str| {
        let mut config = tolmach::Config::new("openai").unwrap();
        let settings = [("base_url", &*url), ("proxy", "direct"), ("api_key", ""), (key, "300")];
        settings.into_iter().for_each(|(key, value)| config.set(key, Some(value)).unwrap());
        tolmach::Client::new(&config).unwrap()
    };
    let mut request = tolmach::Request::new(Some("m"));
    request.message("user", &long).unwrap();
    for key in ["first_byte_timeout_ms", "total_timeout_ms"] {
        let mut session = tolmach::Session::open(&client(key), &request).unwrap();
        let error = session.poll(Some(LONG)).unwrap_err();
        assert!(error.message().contains(key), "{error}");
    }
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
    assert_prompt(&format!("http://{address}"), 0, || (), || ());
}
