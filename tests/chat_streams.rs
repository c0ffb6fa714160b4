//! What servers of the chat protocol stream: tests/fixtures/openai has a stream of each kind, and
//! what comes of it beside it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::thread;

use support::c;
use support::server::Server;
use support::splits::assert_the_same_at_every_cut;

const SSE: &str = "text/event-stream";

fn fixtures() -> PathBuf {
    c::root().join("tests/fixtures/openai")
}

/// The names of all streams, and what they are.
fn streams() -> Vec<(String, String)> {
    let names = fs::read_dir(fixtures()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".sse").map(str::to_owned)).collect();
    names.sort();
    assert!(names.len() > 30);
    let read = |name: String| {
        let path = fixtures().join(format!("{name}.sse"));
        (name, fs::read_to_string(path).unwrap())
    };
    names.into_iter().map(read).collect()
}

/// The lines of tests/c/stream.c, without where the server was.
fn lines(body: &str) -> String {
    lines_with(body, None)
}

fn lines_with(body: &str, many: Option<&str>) -> String {
    let server = Server::answering(SSE, body);
    let program = c::program("stream").arg(server.url()).arg("max_retries=0");
    let program = program.env("TEST_MANY", many);
    let place = server.url().replace("http://", "");
    program.run().passed().stdout.replace(&place, "SERVER")
}

#[test]
fn every_stream_comes_to_what_is_written_beside_it() {
    let mut wrong = String::new();
    for (name, body) in streams() {
        let lines = lines(&body);
        let path = fixtures().join(format!("{name}.expected"));
        if fs::read_to_string(&path).ok().as_ref() != Some(&lines) {
            wrong.push_str(&format!("--- {name}\n{lines}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_stream_comes_to_the_same_where_many_chunks_are_polled_at_once() {
    for (name, body) in streams() {
        assert_eq!(lines_with(&body, Some("1")), lines(&body), "{name}");
    }
}

#[test]
fn every_stream_comes_to_the_same_at_every_cut() {
    thread::scope(|scope| {
        for (name, body) in streams() {
            // The helper wants an answer that ends well.
            if !name.starts_with("failed_") {
                scope.spawn(|| {
                    assert_the_same_at_every_cut("openai", &[("api_key", "k")], SSE, body)
                });
            }
        }
    });
}
