//! What a session knows beside its chunks: times, limits, headers, its text and its tool calls.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails where it cannot go on"
)]

mod support;

use std::io::{Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;
use support::server::{Gate, Server};
use support::tls::{End, Identity, serve};
use support::{c, openai};

const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// What tests/c/knows.c prints with these variables and headers.
fn knows(url: &str, environment: &[(&str, &str)], headers: &[&str]) -> Vec<String> {
    let program = c::program("knows");
    let program = environment.iter().fold(program, |it, (name, value)| it.env(name, Some(value)));
    let program = headers.iter().fold(program, |it, name| it.arg(*name));
    lines_of(&program.arg(url).run().passed())
}

fn lines_of(outcome: &c::Outcome) -> Vec<String> {
    outcome.lines().into_iter().map(str::to_owned).collect()
}

/// The first of `lines` that begins with the word `name`, without it.
fn line(lines: &[String], name: &str) -> String {
    let prefix = format!("{name} ");
    let found = lines.iter().find_map(|line| line.strip_prefix(&prefix));
    found.unwrap_or_else(|| panic!("{name} is not in {lines:#?}")).to_owned()
}

fn authority_file(authority: &Identity) -> String {
    let file = c::workshop().join(format!("{:p}.pem", authority));
    std::fs::write(&file, authority.certificate.pem()).unwrap();
    format!("ca_file={}", file.display())
}

/// An HTTP proxy that makes tunnels, or says `refusal`; its URL.
fn proxy(refusal: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            if let Some(refusal) = refusal {
                client.write_all(refusal.as_bytes()).unwrap();
                continue;
            }
            let head = String::from_utf8(head).unwrap();
            let server = TcpStream::connect(head.split(' ').nth(1).unwrap()).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let both = [(&client, &server), (&server, &client)]
                .map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()));
            for (mut from, mut to) in both {
                thread::spawn(move || {
                    copy(&mut from, &mut to).ok();
                    to.shutdown(Shutdown::Write).ok();
                });
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn times_of_a_first_request_over_tls_are_all_known() {
    let authority = Identity::authority();
    let answer = format!("{HEAD}{}", openai::stream(&["Hi"]));
    let url = serve(&authority.issue("localhost", |_| {}), None, answer, End::Proper);
    let file = authority_file(&authority);
    for proxy in [None, Some(proxy(None))] {
        let proxy = format!("proxy={}", proxy.as_deref().unwrap_or("direct"));
        let lines = knows(&url, &[("TEST_CONFIG", &file), ("TEST_CONFIG_2", &proxy)], &[]);
        assert_eq!(lines[0], "TOLMACH_END");
        assert_eq!(
            line(&lines, "info"),
            "provider=openai status=200 attempts=1 reused=0 request_id="
        );
        let times = line(&lines, "times");
        let all = "resolved=+ connected=+ tls_done=+ sent=+ headers=+ first_chunk=+ ended=+ ";
        assert!(times.starts_with(all), "{proxy} {times}");
    }
}

#[test]
fn times_that_are_not_reached_are_not_known() {
    let over = |url: &str, config: &str| {
        let config = [("TEST_CONFIG", config), ("TEST_CONFIG_2", "max_retries=0")];
        let lines = knows(url, &config, &["server"]);
        assert!(line(&lines, "info").contains(" status=0 attempts=1 reused=0 "), "{lines:?}");
        assert!(lines.contains(&"header server=".to_owned()), "{lines:?}");
        (lines[0].clone(), line(&lines, "times"))
    };
    let rest = "sent=- headers=- first_chunk=- ended=+ longest_gap=-";
    // Nobody listens there.
    let none = format!("resolved=+ connected=- tls_done=- {rest}");
    assert_eq!(
        over("http://127.0.0.1:1", "heal=true"),
        ("TOLMACH_E_CONNECT".to_owned(), none.clone())
    );
    // The connection to a proxy is not one to the server.
    let refusing = format!("proxy={}", proxy(Some("HTTP/1.1 403 No\r\n\r\n")));
    assert_eq!(over("https://localhost:1", &refusing).1, none);
    // The certificate is not trusted.
    let authority = Identity::authority();
    let url = serve(&authority.issue("localhost", |_| {}), None, String::new(), End::Proper);
    let (status, times) = over(&url, "heal=true");
    assert_eq!(status, "TOLMACH_E_TLS");
    assert_eq!(times, format!("resolved=+ connected=+ tls_done=- {rest}"));
    // No answer comes.
    let server = Server::start(support::server::Exchange::close);
    let times = over(&server.url(), "heal=true").1;
    let sent =
        "resolved=+ connected=+ tls_done=- sent=+ headers=- first_chunk=- ended=+ longest_gap=-";
    assert_eq!(times, sent);
}

#[test]
fn request_over_a_kept_connection_says_so_and_took_no_time_to_connect() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["Hi"])));
    // A connection is kept a moment after the program has the end of its answer.
    let lines = knows(&server.url(), &[("TEST_ASKS", "30")], &[]);
    let of = |name: &str| {
        let found = lines.iter().filter(|line| line.starts_with(name));
        found.cloned().collect::<Vec<String>>()
    };
    let (infos, times) = (of("info "), of("times "));
    let is_reused = |info: &String| info.contains(" reused=1 ");
    assert!(!is_reused(&infos[0]), "{infos:?}");
    for (info, times) in infos.iter().zip(&times) {
        let steps = match is_reused(info) {
            true => "times resolved=- connected=- tls_done=- sent=+ headers=+ ",
            false => "times resolved=+ connected=+ tls_done=- sent=+ headers=+ ",
        };
        assert!(times.starts_with(steps), "{info} {times}");
    }
    let reused = infos.iter().filter(|info| is_reused(info)).count();
    assert!(reused > 0);
    assert_eq!(server.connections(), 30 - reused);
}

#[test]
fn last_attempt_is_the_one_that_a_session_knows() {
    let limits = [("x-ratelimit-limit-requests", "3"), ("x-request-id", "first"), ("X-First", "1")];
    let first: Vec<_> =
        limits.into_iter().chain([("Retry-After", "0"), ("Content-Length", "0")]).collect();
    let head = first.clone();
    let server = Server::start(move |exchange| match exchange.number {
        0 => exchange.head(503, &head),
        _ => exchange.stream(openai::stream(&["Hi"])),
    });
    let lines = knows(&server.url(), &[], &["x-first", "content-type"]);
    let info = "provider=openai status=200 attempts=2 reused=1 request_id=";
    assert_eq!(line(&lines, "info"), info);
    assert!(
        line(&lines, "times").starts_with("resolved=- connected=- tls_done=- sent=+ headers=+")
    );
    assert_eq!(line(&lines, "limits"), "requests=-1/-1/-1 tokens=-1/-1/-1");
    assert!(lines.contains(&"header x-first=".to_owned()), "{lines:?}");
    assert!(lines.contains(&"header content-type==\"text/event-stream\"".to_owned()), "{lines:?}");

    // The last one got no response.
    let server = Server::start(move |exchange| match exchange.number {
        0 => exchange.head(503, &first),
        _ => exchange.close(),
    });
    let lines = knows(&server.url(), &[("TEST_CONFIG", "max_retries=1")], &["x-first"]);
    assert_eq!(lines[0], "TOLMACH_E_CONNECT");
    assert!(line(&lines, "info").contains(" status=0 attempts=2 "), "{lines:?}");
    assert!(line(&lines, "info").ends_with(" request_id="), "{lines:?}");
    assert_eq!(line(&lines, "limits"), "requests=-1/-1/-1 tokens=-1/-1/-1");
    assert!(lines.contains(&"header x-first=".to_owned()), "{lines:?}");
}

#[test]
fn limits_of_every_family_are_known_of_answers_and_of_errors() {
    for (headers, limits) in [
        (
            &[
                ("X-RateLimit-Limit-Requests", "60"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "6m0s"),
                ("x-ratelimit-remaining-tokens", "149984"),
                ("x-ratelimit-reset-tokens", "20ms"),
            ][..],
            "requests=0/60/360000 tokens=149984/-1/20",
        ),
        (
            &[
                ("Date", "Fri, 02 Jan 2026 03:04:05 GMT"),
                ("anthropic-ratelimit-requests-limit", "50"),
                ("anthropic-ratelimit-requests-remaining", "49"),
                ("anthropic-ratelimit-requests-reset", "2026-01-02T03:04:06Z"),
                ("anthropic-ratelimit-tokens-remaining", "1"),
            ],
            "requests=49/50/1000 tokens=1/-1/-1",
        ),
        (
            &[("ratelimit-limit", "100"), ("ratelimit-remaining", "50"), ("ratelimit-reset", "5")],
            "requests=50/100/5000 tokens=-1/-1/-1",
        ),
        (
            &[
                ("RateLimit", "\"default\";r=50;t=30"),
                ("RateLimit-Policy", "\"default\";q=100;w=60"),
            ],
            "requests=50/100/30000 tokens=-1/-1/-1",
        ),
    ] {
        for status in [200, 429] {
            let server = Server::start(move |exchange| {
                let body = openai::stream(&["Hi"]);
                let length = body.len().to_string();
                exchange.head(status, &[headers, &[("Content-Length", &length)]].concat());
                exchange.send(body);
            });
            let lines = knows(&server.url(), &[("TEST_CONFIG", "max_retries=0")], &[]);
            let end = if status == 200 { "TOLMACH_END" } else { "TOLMACH_E_RATE_LIMITED" };
            assert_eq!(lines[0], end);
            assert!(line(&lines, "info").contains(&format!(" status={status} ")), "{lines:?}");
            assert_eq!(line(&lines, "limits"), limits, "{headers:?}");
        }
    }
}

#[test]
fn headers_are_known_in_any_case_but_no_credentials() {
    let server = Server::start(|exchange| {
        let headers = [
            ("X-Several", "a"),
            ("Set-Cookie", "session=abc"),
            ("X-Echo", "Bearer test-key-secret"),
            ("x-several", "b"),
            ("X-Empty", ""),
            ("Connection", "close"),
        ];
        exchange.head(200, &headers);
        exchange.send(openai::stream(&["Hi"]));
        exchange.close();
    });
    let names = ["x-SEVERAL", "set-cookie", "X-Echo", "x-empty", "x-none", ""];
    let lines = knows(&server.url(), &[], &names);
    let headers: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("header ")).collect();
    assert_eq!(
        headers,
        [
            "x-SEVERAL==\"a, b\"",
            "set-cookie=",
            "X-Echo==\"Bearer [redacted]\"",
            "x-empty==\"\"",
            "x-none=",
            "="
        ]
    );
}

#[test]
fn file_that_belongs_to_an_answer_does_not_count() {
    let server = Server::start(|exchange| match &*exchange.request.method {
        "GET" => {
            exchange.head(200, &[("X-Which", "file"), ("Connection", "close")]);
            exchange.send(b"\x89PNG\r\n\x1a\n");
            exchange.close();
        }
        _ => {
            let host = exchange.request.header("host").unwrap();
            let body = json!({"data": [{"url": format!("http://{host}/i.png")}]}).to_string();
            let length = body.len().to_string();
            exchange.head(201, &[("X-Which", "answer"), ("Content-Length", &length)]);
            exchange.send(body);
        }
    });
    let images = [("TEST_PROVIDER", "aichats"), ("TEST_MODEL", "dalle")];
    let lines = knows(&server.url(), &images, &["x-which"]);
    assert_eq!((&*lines[0], server.requests().len()), ("TOLMACH_END", 2));
    let info = line(&lines, "info");
    assert_eq!(info, "provider=aichats status=201 attempts=1 reused=0 request_id=");
    assert!(lines.contains(&"header x-which==\"answer\"".to_owned()), "{lines:?}");
}

#[test]
fn longest_gap_is_the_longest_between_two_arrivals() {
    let gate = Gate::default();
    let heard = gate.clone();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        exchange.chunk(openai::text("one"));
        heard.wait();
        exchange.chunk(openai::stream(&["two"]));
        exchange.end_chunks();
    });
    let mut program = c::program("knows").env("TEST_AWAIT", Some("1")).arg(server.url()).spawn();
    assert_eq!(program.line(), "heard");
    // The program has the first chunk: nothing arrives for as long as this.
    thread::sleep(Duration::from_millis(80));
    gate.open();
    program.tell("");
    let lines = lines_of(&program.finish().passed());
    let gap: u32 = line(&lines, "gap_ms").parse().unwrap();
    assert!(gap >= 80, "{lines:?}");
    assert!(line(&lines, "times").ends_with("longest_gap=+"), "{lines:?}");

    let server =
        Server::start(|exchange| exchange.whole(200, "text/event-stream", openai::stream(&["Hi"])));
    let lines = knows(&server.url(), &[], &[]);
    assert!(line(&lines, "times").ends_with("longest_gap=-"), "{lines:?}");
}

#[test]
fn recording_has_limits_and_no_times_of_a_connection() {
    let file = c::workshop().join("knows.jsonl");
    std::fs::remove_file(&file).ok();
    let server = Server::start(|exchange| {
        exchange.head(429, &[("x-ratelimit-limit-tokens", "7"), ("Content-Length", "0")]);
    });
    let once = ("TEST_CONFIG_2", "max_retries=0");
    let keys = ["record_file", "replay_file"].map(|key| format!("{key}={}", file.display()));
    let [recorded, played] =
        keys.map(|key| knows(&server.url(), &[("TEST_CONFIG", &key), once], &[]));
    assert_eq!(server.requests().len(), 1);
    for lines in [&recorded, &played] {
        assert_eq!(lines[0], "TOLMACH_E_RATE_LIMITED");
        assert_eq!(line(lines, "limits"), "requests=-1/-1/-1 tokens=-1/7/-1");
    }
    let times = line(&played, "times");
    assert!(times.starts_with("resolved=- connected=- tls_done=- sent=- headers=+ "), "{times}");
    assert!(line(&played, "info").contains(" reused=0 "), "{played:?}");
}

fn call(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> String {
    let function = json!({"name": name, "arguments": arguments});
    openai::delta(json!({"tool_calls": [{"index": index, "id": id, "function": function}]}))
}

#[test]
fn text_and_whole_tool_calls_are_known_while_they_come() {
    let other = json!({"id": "c", "model": "m-1", "choices": [
        {"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]});
    let body = [
        openai::text("При"),
        openai::event(&other),
        openai::text("вет\0!"),
        call(0, Some("a"), Some("f"), "{\"x\":"),
        call(1, Some("b"), Some("g"), "{\"y\":2}"),
        call(0, None, None, "1} "),
        call(2, Some("c"), Some("h"), ""),
        openai::finish("tool_calls") + openai::DONE,
    ];
    let server = Server::answering("text/event-stream", body.concat());
    let lines = knows(&server.url(), &[("TEST_CALLS", "1"), ("TEST_CUT", "1")], &[]);
    let g = "call 0 1 id=\"b\" name=\"g\" arguments=\"{\\\"y\\\":2}\"".to_owned();
    let f = "call 0 0 id=\"a\" name=\"f\" arguments=\"{\\\"x\\\":1} \"".to_owned();
    let h = "call 0 2 id=\"c\" name=\"h\" arguments=\"{}\"".to_owned();
    let end = lines.iter().position(|line| line == "TOLMACH_END").unwrap();
    // First the one that came whole, then the other before it; at the end the one without
    // arguments.
    let first = |call: &String| lines.iter().position(|line| line == call).unwrap();
    assert_eq!(lines[0], g);
    assert!(lines[first(&f) + 1] == g && lines[first(&h) - 2..first(&h)] == [f.clone(), g.clone()]);
    assert!(lines[end..].contains(&"text=\"Привет\\x00!\"".to_owned()), "{lines:?}");
    assert_eq!(lines[lines.len() - 3..], [f, g, h]);
}

#[test]
fn text_and_tool_calls_of_an_answer_that_broke_off_are_those_that_came_whole() {
    let body = [
        openai::text("Hi"),
        call(0, Some("a"), Some("f"), "{\"x\":1}"),
        call(1, Some("b"), Some("g"), "{\"y\":"),
    ];
    let server = Server::answering("text/event-stream", body.concat());
    let lines = knows(&server.url(), &[], &[]);
    assert_eq!(lines[0], "TOLMACH_E_TRUNCATED");
    let call = "call 0 0 id=\"a\" name=\"f\" arguments=\"{\\\"x\\\":1}\"";
    assert_eq!(lines[lines.len() - 2..], ["text=\"Hi\"", call]);
}

#[test]
fn text_ends_where_the_reply_does() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["при", "вет"])));
    let bounded = [("TEST_CONFIG", "max_reply_bytes=9"), ("TEST_CUT", "1")];
    let lines = knows(&server.url(), &bounded, &[]);
    assert_eq!(lines.last().unwrap(), "text=\"прив\"");
}

#[test]
fn what_a_session_knows_is_freed_with_it() {
    let body = [
        openai::text("Hi"),
        call(0, Some("a"), Some("f"), "{\"x\":1}"),
        openai::finish("tool_calls") + openai::DONE,
    ];
    let server = Server::answering("text/event-stream", body.concat());
    if let Some(program) = c::program("knows").under_valgrind() {
        let program = program.env("TEST_CALLS", Some("1")).arg("content-type").arg("x-none");
        program.arg(server.url()).run().passed();
    }
}
