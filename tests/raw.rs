//! Raw calls: requests of the program's own, with the client's credentials, to its own host.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use support::c::{self, Program};
use support::server::{Exchange, Gate, Server};

fn raw(server: &Server, args: &[&str]) -> Program {
    let program = c::program("raw").arg(format!("{}/v1?v=1", server.url()));
    args.iter().fold(program, |program, arg| program.arg(arg))
}

fn said(server: &Server, args: &[&str]) -> String {
    raw(server, args).run().passed().stdout
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn raw_calls_send_bytes_and_give_bytes() {
    let answer = [0, 0xff, b'\n', 0x80, 0];
    let server = Server::answering("audio/mpeg", answer);
    for (method, args, content_type, body) in [
        ("GET", &[][..], None, &b""[..]),
        ("DELETE", &[], None, b""),
        ("POST", &[], Some("application/json"), b""),
        ("POST", &["-", "{\"a\":1}"], Some("application/json"), b"{\"a\":1}"),
        ("PUT", &["text/plain", "hello"], Some("text/plain"), b"hello"),
        (
            "PATCH",
            &["a/b; c=\"d\"", "@"],
            Some("a/b; c=\"d\""),
            &[0, 1, 255, 254, 13, 10, 0, 31, 139],
        ),
    ] {
        let said = said(&server, &[&[method, "/files/x?limit=2"], args].concat());
        let bytes = hex(&answer);
        assert_eq!(
            said,
            format!("audio/mpeg {bytes}\nTOLMACH_END 5 bytes, attempts=1\n"),
            "{method}"
        );
        let request = server.requests().pop().unwrap();
        assert_eq!((&*request.method, &*request.path), (method, "/v1/files/x?limit=2&v=1"));
        assert_eq!(request.header("authorization"), Some("Bearer test-key-secret"));
        assert_eq!(request.header("accept"), Some("*/*"));
        assert_eq!(request.header("content-type"), content_type, "{method}");
        assert_eq!(request.body, body, "{method}");
        if let Some(program) = raw(&server, &[&[method, "/x"], args].concat()).under_valgrind() {
            program.run().passed();
        }
    }
}

#[test]
fn body_comes_as_it_arrives_and_events_are_not_decoded() {
    let gates: [Gate; 2] = Default::default();
    let opened = gates.clone();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        exchange.chunk("data: {\"a\"");
        gates[0].wait();
        exchange.chunk(":1}\n\ndata: [DONE]\n\n");
        gates[1].wait();
        exchange.end_chunks();
    });
    let mut program = raw(&server, &["POST", "/x"]).env("TEST_STEPS", Some("1")).spawn();
    for (piece, gate) in ["data: {\"a\"", ":1}\n\ndata: [DONE]\n\n"].into_iter().zip(&opened) {
        assert!(program.line().ends_with(&hex(piece.as_bytes())));
        assert_eq!(program.line(), "piece");
        program.tell("go on");
        gate.open();
    }
    assert!(program.finish().passed().stdout.contains("TOLMACH_END 29 bytes"));
}

#[test]
fn file_that_is_compressed_is_given_as_it_is_and_a_compressed_body_is_not() {
    let plain = b"a file";
    let zipped = gzipped(plain);
    let server = Server::start({
        let zipped = zipped.clone();
        move |exchange| {
            let length = zipped.len().to_string();
            let mut headers = vec![("Content-Length", &*length)];
            if exchange.request.path.starts_with("/v1/coded") {
                headers.push(("Content-Encoding", "gzip"));
            }
            exchange.head(200, &headers);
            exchange.send(&zipped);
        }
    });
    assert!(said(&server, &["GET", "/file"]).starts_with(&format!(" {}\n", hex(&zipped))));
    assert!(said(&server, &["GET", "/coded"]).starts_with(&format!(" {}\n", hex(plain))));
    let file = c::workshop().join("raw.jsonl");
    std::fs::remove_file(&file).ok();
    let record = format!("record_file={}", file.display());
    raw(&server, &["GET", "/file"]).env("TEST_CONFIG", Some(&record)).run().passed();
    let replay = format!("replay_file={}", file.display());
    let played = raw(&server, &["GET", "/file"]).env("TEST_CONFIG", Some(&replay)).run().passed();
    assert!(played.stdout.starts_with(&format!(" {}\n", hex(&zipped))), "{}", played.stdout);
}

#[test]
fn statuses_are_the_errors_of_sessions_and_redirects_are_not_followed() {
    let elsewhere = Server::answering("text/plain", "secret?");
    let place = format!("{}/x", elsewhere.url());
    let server = Server::start(move |exchange| match &*exchange.request.path {
        "/v1/moved?v=1" => {
            exchange.head(302, &[("Location", &place), ("Content-Length", "0")]);
        }
        "/v1/none?v=1" => exchange.head(204, &[]),
        _ => exchange.whole(404, "application/json", "{\"error\":{\"message\":\"no such file\"}}"),
    });
    let gone = said(&server, &["GET", "/gone"]);
    assert!(gone.contains("http=404") && gone.contains("body=\"{\\\"error\\\""), "{gone}");
    let moved = said(&server, &["GET", "/moved"]);
    assert!(moved.contains("error TOLMACH_E_PROTOCOL http=302"), "{moved}");
    assert!(elsewhere.requests().is_empty());
    assert_eq!(said(&server, &["DELETE", "/none"]), "\nTOLMACH_END 0 bytes, attempts=1\n");
}

#[test]
fn raw_call_that_may_have_been_done_is_made_again_only_where_that_is_safe() {
    // Lost on a connection that was kept: max_retries=0 leaves it to the method.
    for (method, requests) in [("GET", 3), ("PUT", 3), ("DELETE", 3), ("POST", 2), ("PATCH", 2)] {
        let server = Server::start(|exchange| match exchange.number {
            0 => exchange.whole(200, "application/json", "{\"data\":[]}"),
            1 => exchange.close(),
            _ => exchange.whole(200, "text/plain", "ok"),
        });
        let mut config = tolmach::Config::new("openai").unwrap();
        let url = server.url();
        for (key, value) in
            [("base_url", &*url), ("proxy", "direct"), ("api_key", ""), ("max_retries", "0")]
        {
            config.set(key, Some(value)).unwrap();
        }
        let client = tolmach::Client::new(&config).unwrap();
        client.models(None).unwrap();
        let mut session = tolmach::Session::open_raw(&client, method, "/x", None, b"").unwrap();
        while let Ok(tolmach::Polled::Chunk(_)) = session.poll(None) {}
        assert_eq!(session.poll(None).is_ok(), requests == 3, "{method}");
        assert_eq!(server.requests().len(), requests, "{method}");
    }
}

#[test]
fn raw_calls_are_tried_again_before_their_first_byte_and_not_after_it() {
    let server = Server::start(|exchange| match exchange.number {
        0 => exchange.whole(503, "application/json", "{}"),
        _ => {
            exchange.head(200, &[("Content-Length", "10")]);
            exchange.send("half");
            exchange.close();
        }
    });
    let said = said(&server, &["GET", "/x"]);
    assert!(said.contains("error TOLMACH_E_TRUNCATED"), "{said}");
    assert!(said.ends_with("TOLMACH_E_TRUNCATED 4 bytes, attempts=2\n"), "{said}");
}

#[test]
fn compressed_body_that_is_cut_is_an_error() {
    let mut cut = gzipped(b"a file");
    cut.truncate(cut.len() - 4);
    let server = Server::start(move |exchange| {
        let length = cut.len().to_string();
        exchange.head(200, &[("Content-Length", &length), ("Content-Encoding", "gzip")]);
        exchange.send(&cut);
    });
    let said = said(&server, &["GET", "/x"]);
    assert!(said.contains("error TOLMACH_E_TRUNCATED"), "{said}");
}

#[test]
fn raw_calls_have_the_credentials_of_their_provider() {
    let header = |provider, name: &str| {
        let server = Server::answering("text/plain", "ok");
        let program = raw(&server, &["GET", "/x"]).env("TEST_PROVIDER", Some(provider));
        let said = program.run().passed().stdout;
        assert!(said.contains("TOLMACH_END 2 bytes"), "{said}");
        server.requests()[0].header(name).unwrap_or_default().to_owned()
    };
    assert_eq!(header("openai-responses", "authorization"), "Bearer test-key-secret");
    assert_eq!(header("anthropic", "x-api-key"), "test-key-secret");
    assert_eq!(header("gemini", "x-goog-api-key"), "test-key-secret");
    let server = Server::start(Exchange::wait_for_close);
    let said = raw(&server, &["GET", "/x"]).env("TEST_PROVIDER", Some("aichats")).run().passed();
    assert!(said.stdout.contains("error TOLMACH_E_UNSUPPORTED"), "{}", said.stdout);
}

#[test]
fn large_body_waits_for_the_program() {
    let server = Server::answering("application/octet-stream", vec![7; 8 << 20]);
    let program = raw(&server, &["GET", "/x"]).env("TEST_CONFIG", Some("queue_bytes=1024"));
    let said = program.env("TEST_CONFIG_2", Some("max_reply_bytes=10")).run().passed().stdout;
    assert!(said.ends_with("TOLMACH_END 8388608 bytes, attempts=1\n"), "{said}");
}
