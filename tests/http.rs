//! HTTP as servers speak it: what is legal works, what is not is named, and what the
//! program asks for is neither sent twice nor waited for without end.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use support::server::{Exchange, Server};
use support::{LONG, c, openai};
use tolmach::{Client, Config, ErrorKind, Polled, Request, Session};

/// The lines of tests/c/stream.c for a server of that script.
fn stream(script: impl Fn(&mut Exchange) + Send + Sync + 'static, settings: &[&str]) -> String {
    let server = Server::start(script);
    let program = c::program("stream").arg(server.url()).arg("max_retries=0");
    settings.iter().fold(program, |program, setting| program.arg(*setting)).run().passed().stdout
}

fn assert_answered(said: &str) {
    assert!(said.contains("text 0 0 \"Hi\"") && said.contains("\nend\n"), "{said}");
}

#[test]
fn legal_answers_that_few_servers_give_are_understood() {
    let body = openai::stream(&["Hi"]);
    let many: String = (0..2000).map(|n| format!("X-{n}: y\r\n")).collect();
    let sized = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let chunk = format!("{:x};name=\"a value\" ; of=some-length\r\n{body}\r\n", body.len());
    for answer in [
        format!("HTTP/1.1 100 Continue\r\nDate: today\r\n\r\nHTTP/1.1 200 OK\r\n{sized}"),
        format!("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n{sized}"),
        format!("HTTP/1.1 200 OK\r\n{many}{sized}"),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0;last\r\nX: y\r\n\r\n"
        ),
    ] {
        let bytewise = answer.clone();
        assert_answered(&stream(move |exchange| exchange.send(&answer), &[]));
        assert_answered(&stream(move |exchange| exchange.send_byte_by_byte(&bytewise), &[]));
    }
}

#[test]
fn head_of_an_answer_has_its_limit_however_many_lines_it_has() {
    let many: String = (0..2000).map(|n| format!("X-{n}: y\r\n")).collect();
    let said = stream(
        move |exchange| {
            exchange.send(format!("HTTP/1.1 200 OK\r\n{many}\r\n"));
            exchange.close();
        },
        &["max_header_bytes=8000"],
    );
    assert!(said.starts_with("error TOLMACH_E_TOO_LARGE"), "{said}");
    assert!(said.contains("8000 bytes (max_header_bytes)"), "{said}");
}

#[test]
fn answer_in_a_coding_that_cannot_be_read_names_it() {
    for coding in ["br", "deflate", "zstd"] {
        let answer = move |status: u16, exchange: &mut Exchange| {
            exchange.head(status, &[("Content-Encoding", coding), ("Content-Length", "3")]);
            exchange.send([0x1, 0x2, 0x3]);
        };
        let said = stream(move |exchange| answer(200, exchange), &[]);
        assert!(said.starts_with("error TOLMACH_E_PROTOCOL"), "{said}");
        assert!(said.contains(&format!("coding \\\"{coding}\\\"")), "{said}");
        // A refusal says what it is without its body.
        let said = stream(move |exchange| answer(401, exchange), &[]);
        assert!(said.starts_with("error TOLMACH_E_AUTH http=401"), "{said}");
    }
    // A wrong label does no harm.
    let said = stream(
        |exchange| {
            let body = openai::stream(&["Hi"]);
            let length = body.len().to_string();
            exchange.head(200, &[("Content-Encoding", "gzip"), ("Content-Length", &length)]);
            exchange.send(body);
        },
        &[],
    );
    assert_answered(&said);
}

#[test]
fn port_that_speaks_only_http_2_is_told() {
    let said = stream(|exchange| exchange.send(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64"), &[]);
    assert!(said.starts_with("error TOLMACH_E_PROTOCOL"), "{said}");
    assert!(said.contains("speaks only HTTP/2"), "{said}");
}

#[test]
fn headers_that_the_library_sets_itself_are_refused_when_they_are_set() {
    for name in ["Content-Length", "transfer-encoding", "Connection", "Expect", "TE", "Upgrade"] {
        let setting = format!("headers={{\"{name}\":\"100-continue\"}}");
        let said = stream(|_| {}, &[&setting]);
        assert!(said.starts_with("error TOLMACH_E_ARGUMENT"), "{said}");
        assert!(said.contains(name), "{said}");
    }
    let said = stream(|_| {}, &["headers={\"Host\":\"Хост\"}"]);
    assert!(said.starts_with("error TOLMACH_E_ARGUMENT") && said.contains("ASCII"), "{said}");
}

#[test]
fn headers_of_any_length_are_sent() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["Hi"])));
    let long = "v".repeat(50_000);
    let setting = format!("headers={{\"X-Long\":\"{long}\",\"Host\":\"model.example\"}}");
    let said = c::program("stream").arg(server.url()).arg(setting).run().passed().stdout;
    assert_answered(&said);
    let request = &server.requests()[0];
    assert_eq!(request.header("x-long"), Some(&*long));
    assert_eq!(request.header("host"), Some("model.example"));
}

#[test]
fn keep_alives_extend_neither_the_first_deadline_nor_the_idle_one() {
    for (deadline, texts) in [("first_byte_timeout_ms", 0), ("idle_timeout_ms", 1)] {
        let said = stream(
            move |exchange| {
                exchange.stream_head();
                exchange.chunk(": hello\n\n".to_owned() + &openai::text("Hi").repeat(texts));
                // For as long as the session lives. Where they count, the answer ends well.
                let start = Instant::now();
                while exchange.chunk_watched(": ping\n\n\n", || ()) {
                    thread::sleep(Duration::from_millis(20));
                    if start.elapsed() > Duration::from_secs(60) {
                        exchange.chunk(openai::finish("stop") + openai::DONE);
                        return exchange.end_chunks();
                    }
                }
            },
            &[&format!("{deadline}=700")],
        );
        assert_eq!(said.contains("text 0 0 \"Hi\""), texts == 1, "{said}");
        assert!(said.contains("error TOLMACH_E_TIMEOUT"), "{said}");
        assert!(said.contains(&format!("700 ms ({deadline})")), "{said}");
    }
}

#[test]
fn post_that_may_have_been_processed_is_sent_again_only_where_retries_are_allowed() {
    for (max_retries, posts) in [("0", 1), ("1", 2)] {
        let server = Server::start(|exchange| match exchange.number {
            0 => exchange.whole(200, "application/json", "{\"data\":[]}"),
            // Taken over the connection that was kept, and not answered.
            1 => exchange.close(),
            _ => exchange.stream(openai::stream(&["Hi"])),
        });
        let mut config = Config::new("openai").unwrap();
        for (key, value) in [
            ("base_url", &*server.url()),
            ("proxy", "direct"),
            ("api_key", ""),
            ("max_retries", max_retries),
        ] {
            config.set(key, Some(value)).unwrap();
        }
        let client = Client::new(&config).unwrap();
        // Its connection can be used again when it returns.
        client.models(Some(LONG)).unwrap();
        let mut request = Request::new(Some("m"));
        request.message("user", "Hi").unwrap();
        let mut session = Session::open(&client, &request).unwrap();
        let outcome = loop {
            match session.poll(Some(LONG)) {
                Ok(Polled::Chunk(_)) => {}
                Ok(polled) => break Ok(matches!(polled, Polled::End)),
                Err(error) => break Err(error.kind()),
            }
        };
        assert_eq!(outcome, if posts == 1 { Err(ErrorKind::Connect) } else { Ok(true) });
        assert_eq!(server.requests().len(), 1 + posts);
        // The lost one, and that of the second try.
        assert_eq!(server.connections(), posts);
    }
}
