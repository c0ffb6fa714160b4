//! An answer reaches a C program chunk by chunk, as it is sent.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::sync::Mutex;
use std::sync::mpsc;

use support::server::{Gate, Server};
use support::{LONG, c, openai};

/// The lines of tests/c/stream.c for one answer.
fn lines(server: &Server) -> Vec<String> {
    let outcome = c::program("stream").arg(server.url()).run().passed();
    outcome.lines().into_iter().map(str::to_owned).collect()
}

#[test]
fn chunk_is_handed_out_before_the_next_one_is_sent() {
    let (acknowledge, acknowledged) = mpsc::channel();
    let acknowledged = Mutex::new(acknowledged);
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        for piece in ["a", "b", "c"] {
            exchange.chunk(openai::text(piece));
            acknowledged.lock().unwrap().recv_timeout(LONG).unwrap();
        }
        exchange.chunk(openai::finish("stop") + openai::DONE);
        exchange.end_chunks();
    });
    let mut program = c::program("echo").arg(server.url()).spawn();
    for piece in ["a", "b", "c"] {
        assert!(program.line().ends_with(piece));
        program.tell("go on");
        acknowledge.send(()).unwrap();
    }
    program.finish().passed();
}

/// What comes right after an event and makes none yet does not hold it back.
#[test]
fn chunk_is_handed_out_whatever_came_right_after_it() {
    let next = openai::text("next");
    let framed = |tail: &str| format!("{:x}\r\n{tail}\r\n", tail.len());
    let whole = framed(&next);
    let mut tails = vec![String::new(), "\r".to_owned()];
    // The event after it, cut in the line before it and within.
    tails.extend(
        [0, 1, 2, 3, 4, 5, 10, whole.len() - 3].map(|end| format!("\r\n{}", &whole[..end])),
    );
    tails.push(format!("\r\n{}", framed(": comment\n\n")));
    let count = tails.len();
    let (acknowledge, acknowledged) = mpsc::channel();
    let acknowledged = Mutex::new(acknowledged);
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        let event = openai::text("here");
        for tail in &tails {
            exchange.send(format!("{:x}\r\n{event}{tail}", event.len()));
            acknowledged.lock().unwrap().recv_timeout(LONG).unwrap();
            match format!("\r\n{whole}").strip_prefix(&**tail) {
                Some(rest) => exchange.send(rest),
                None => exchange.send(&whole),
            }
            acknowledged.lock().unwrap().recv_timeout(LONG).unwrap();
        }
        exchange.chunk(openai::finish("stop") + openai::DONE);
        exchange.end_chunks();
    });
    let mut program = c::program("echo").arg(server.url()).spawn();
    for _ in 0..count {
        for piece in ["here", "next"] {
            assert_eq!(program.line(), piece);
            program.tell("go on");
            acknowledge.send(()).unwrap();
        }
    }
    program.finish().passed();
}

#[test]
fn bytes_one_at_a_time_give_the_chunks_of_one_read() {
    let events = [
        ": hello\n\n",
        &openai::text("При"),
        &openai::text("\u{1f600} \"quoted\"\n"),
        &openai::finish("stop").replace('\n', "\r\n"),
        &openai::usage(3, 5).replace('\n', "\r"),
        openai::DONE,
    ]
    .concat();
    let by_byte = events.clone();
    let whole = lines(&Server::start(move |exchange| exchange.stream(&events)));
    let in_bytes = lines(&Server::start(move |exchange| {
        exchange.stream_head();
        for byte in by_byte.bytes() {
            exchange.send_byte_by_byte([b'1', b'\r', b'\n', byte, b'\r', b'\n']);
        }
        exchange.end_chunks();
    }));
    assert_eq!(
        whole,
        [
            "start 0 0 \"chatcmpl-1\" name=\"m-1\"",
            "text 0 0 \"При\"",
            "text 0 0 \"\u{1f600} \\\"quoted\\\"\\n\"",
            "usage 0 0 \"\" input=3 output=5 total=8 cached=-1 reasoning=-1",
            "finish 0 0 \"stop\" name=\"stop\"",
            "end",
            "reply {\"role\":\"assistant\",\"content\":\"При\u{1f600} \\\"quoted\\\"\\n\"}",
        ]
    );
    assert_eq!(whole, in_bytes);
}

#[test]
fn many_chunks_at_once_are_those_that_have_arrived_and_at_most_256() {
    let texts: Vec<String> = (0..2000).map(|number| format!("{number},")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let server = Server::answering("text/event-stream", openai::stream(&texts));
    let program = || c::program("stream").arg(server.url());
    let many = program().env("TEST_MANY", Some("1")).run().passed();
    assert_eq!(many.stdout, program().run().passed().stdout);
    let counts: Vec<usize> = many.stderr.lines().map(|count| count.parse().unwrap()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 2000 + 3, "{counts:?}");
    assert!(counts.contains(&256), "{counts:?}");
}

#[test]
fn opening_does_not_wait_for_the_server() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |exchange| {
        held.wait();
        exchange.stream(openai::stream(&["Hi"]));
    });
    let mut program = c::program("open").arg(server.url()).spawn();
    // The server says nothing before the program has said that it has its session.
    assert_eq!(program.line(), "open");
    gate.open();
    assert!(program.finish().passed().stdout.contains("text 0 0 \"Hi\""));
}

#[test]
fn connections_are_kept_for_the_next_answer() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["a", "b", "c"])));
    c::program("crowd").arg(server.url()).arg("-20").run().passed();
    assert_eq!(server.requests().len(), 20);
    // A program that asks again at once may be quicker than the connection is put away.
    assert!(server.connections() <= 10, "{} connections", server.connections());
}

#[test]
fn many_sessions_at_once_do_not_meet_and_log_no_secrets() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["a", "b", "c"])));
    c::program("crowd").arg(server.url()).arg("50").run().passed();
    assert_eq!(server.requests().len(), 50);
}

#[test]
fn reply_asked_for_during_polls_is_what_was_polled() {
    const TEXTS: usize = 1000;
    let texts: Vec<String> = (0..TEXTS).map(|number| format!("{number},")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let server = Server::answering("text/event-stream", openai::stream(&texts));
    c::program("meanwhile").arg(server.url()).arg(TEXTS.to_string()).run().passed();
}

#[test]
fn wait_before_another_try_is_told_where_the_config_asks_for_it() {
    for (setting, retries) in [("retry_chunks=true", 2), ("retry_chunks=false", 0)] {
        let server = Server::start(|exchange| match exchange.number {
            0 | 1 => {
                let body = "{\"error\":{\"message\":\"down for test-key-secret\"}}";
                let length = body.len().to_string();
                exchange.head(503, &[("Content-Length", &length), ("retry-after-ms", "5")]);
                exchange.send(body);
            }
            _ => exchange.stream(openai::stream(&["Hi"])),
        });
        let program = c::program("stream").arg(server.url()).arg(setting);
        let said = program.run().passed().stdout;
        let told: Vec<&str> = said.lines().filter(|line| line.starts_with("retry ")).collect();
        assert_eq!(told.len(), retries, "{said}");
        for (line, attempt) in told.iter().zip(2..) {
            assert!(line.starts_with(&format!("retry 0 {attempt} \"")), "{line}");
            assert!(line.contains("down for") && line.ends_with("name=\"5\""), "{line}");
            assert!(!line.contains("test-key-secret"), "{line}");
        }
        assert!(said.contains("text 0 0 \"Hi\""), "{said}");
        assert_eq!(server.requests().len(), 3);
    }
}

#[test]
fn wait_that_the_total_deadline_does_not_allow_is_not_told() {
    let server = Server::start(|exchange| {
        exchange.head(503, &[("Content-Length", "2"), ("Retry-After", "60")]);
        exchange.send("{}");
    });
    let program = c::program("stream").arg(server.url()).arg("retry_chunks=true");
    let said = program.arg("total_timeout_ms=30000").run().passed().stdout;
    assert!(!said.contains("retry ") && said.contains("TOLMACH_E_SERVER"), "{said}");
}

#[test]
fn wait_before_another_try_is_cancelled_after_it_was_told() {
    let server = Server::start(|exchange| {
        exchange.head(503, &[("Content-Length", "2"), ("Retry-After", "100")]);
        exchange.send("{}");
    });
    let mut config = tolmach::Config::new("openai").unwrap();
    for (key, value) in [
        ("base_url", &*server.url()),
        ("proxy", "direct"),
        ("api_key", ""),
        ("retry_chunks", "true"),
    ] {
        config.set(key, Some(value)).unwrap();
    }
    let client = tolmach::Client::new(&config).unwrap();
    let mut session = tolmach::Session::open_models(&client).unwrap();
    let waits = |polled| match polled {
        tolmach::Polled::Chunk(chunk) => {
            chunk.kind == tolmach::ChunkKind::Retry && chunk.name == "100000"
        }
        _ => false,
    };
    assert!(waits(session.poll(None).unwrap()));
    session.control().cancel();
    assert_eq!(session.poll(None).unwrap_err().kind(), tolmach::ErrorKind::Cancelled);
}
