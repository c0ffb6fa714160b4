//! What an error tells, and what it never does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails where it cannot go on"
)]

mod support;

use serde_json::json;
use support::server::{Exchange, Gate, Server};
use support::{c, openai};

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";

/// The lines of tests/c/stream.c.
fn lines(url: &str, args: &[&str]) -> Vec<String> {
    let program = c::program("stream").arg(url);
    let program = args.iter().fold(program, |program, arg| program.arg(arg));
    program.run().passed().stdout.lines().map(str::to_owned).collect()
}

/// The error line of an answer.
fn error(script: impl Fn(&mut Exchange) + Send + Sync + 'static, args: &[&str]) -> String {
    error_at(&Server::start(script).url(), args)
}

fn error_at(url: &str, args: &[&str]) -> String {
    let lines = lines(url, &[&["max_retries=0"], args].concat());
    let error = lines.iter().find(|line| line.starts_with("error "));
    error.unwrap_or_else(|| panic!("there is no error: {lines:?}")).clone()
}

/// The field of an error line.
fn field<'l>(line: &'l str, name: &str) -> &'l str {
    let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
    let mut end = 0;
    while rest.as_bytes()[end] != b'"' {
        end += if rest.as_bytes()[end] == b'\\' { 2 } else { 1 };
    }
    &rest[..end]
}

/// A head with an id, and a body of that type.
fn identified(status: u16, content_type: &str, id: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n{id}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn request_id_is_told_whenever_a_head_was_seen() {
    let id = "x-request-id: req-9";
    let event = "data: {\"error\":{\"message\":\"busy\"}}\n\n";
    let half = openai::text("half");
    let html = "<html><title>Log in</title></html>";
    let long = format!("data: {}", "x".repeat(4096));
    let cases = [
        ("an error in a stream", identified(200, SSE, id, event), "PROVIDER"),
        ("a named error", identified(200, SSE, id, "event: error\ndata: no\n\n"), "PROVIDER"),
        ("an error as the answer", identified(200, JSON, id, "{\"error\":\"no\"}"), "PROVIDER"),
        ("an end too early", identified(200, SSE, id, &half), "TRUNCATED"),
        (
            "a cut body",
            identified(200, SSE, id, &half).replace("Length: ", "Length: 9"),
            "TRUNCATED",
        ),
        ("a page", identified(200, "text/html", id, html), "PROTOCOL"),
        ("a page, called a stream", identified(200, SSE, id, html), "PROTOCOL"),
        ("no JSON", identified(200, SSE, id, "data: no\n\n"), "PROTOCOL"),
        (
            "bad chunks",
            format!("HTTP/1.1 200 X\r\n{id}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "PROTOCOL",
        ),
        ("a long event", identified(200, SSE, id, &long), "TOO_LARGE"),
        ("a refusal", identified(400, JSON, id, "{}"), "BAD_REQUEST"),
        ("a refusal by a page", identified(500, "text/html", id, html), "SERVER"),
        ("a redirect", identified(307, JSON, id, ""), "PROTOCOL"),
        ("another name", identified(200, SSE, "Request-Id: req-9", event), "PROVIDER"),
        ("a name of Azure's", identified(200, SSE, "apim-request-id: req-9", event), "PROVIDER"),
    ];
    for (what, answer, status) in cases {
        let script = move |exchange: &mut Exchange| {
            exchange.send(&answer);
            exchange.close();
        };
        let line = error(script, &["max_event_bytes=1024"]);
        assert!(line.starts_with(&format!("error TOLMACH_E_{status} ")), "{what}: {line}");
        assert_eq!(field(&line, "request_id"), "req-9", "{what}: {line}");
    }
    for before in ["", "half"] {
        let stall = move |exchange: &mut Exchange| {
            exchange.send(format!("HTTP/1.1 200 X\r\n{id}\r\nContent-Length: 99999\r\n\r\n"));
            exchange.send(if before.is_empty() { String::new() } else { openai::text(before) });
            exchange.wait_for_close();
        };
        let line = error(stall, &["first_byte_timeout_ms=300", "idle_timeout_ms=300"]);
        assert!(line.starts_with("error TOLMACH_E_TIMEOUT"), "{line}");
        assert_eq!(field(&line, "request_id"), "req-9", "{line}");
    }
}

#[test]
fn request_id_is_the_latest_requests() {
    let server = Server::start(|exchange| match exchange.number {
        0 => exchange.send(identified(503, JSON, "x-request-id: first\r\nRetry-After: 0", "{}")),
        _ => exchange.close(),
    });
    let retried = &lines(&server.url(), &["max_retries=1"])[0];
    assert!(retried.starts_with("error TOLMACH_E_CONNECT"), "{retried}");
    assert_eq!(field(retried, "request_id"), "");
    // A second request without a first one's stream_options.
    let server = Server::start(|exchange| match exchange.number {
        0 => exchange.send(identified(400, JSON, "x-request-id: first", "stream_options")),
        _ => exchange.close(),
    });
    let asked_again = error_at(&server.url(), &[]);
    assert!(asked_again.starts_with("error TOLMACH_E_CONNECT"), "{asked_again}");
    assert_eq!(field(&asked_again, "request_id"), "");
}

#[test]
fn error_without_end_is_read_up_to_the_limit_alone() {
    for (status, content_type) in [(500, JSON), (200, "text/html")] {
        let closed = Gate::default();
        let left = closed.clone();
        let script = move |exchange: &mut Exchange| {
            exchange.head(status, &[("Content-Type", content_type)]);
            exchange.send(format!("<html>{}", "x".repeat(100_000)));
            // Whoever reads on waits for more, and does not close the connection.
            exchange.wait_for_close();
            left.open();
        };
        let unlimited = ["first_byte_timeout_ms=-1", "idle_timeout_ms=-1", "max_error_bytes=1000"];
        let line = error(script, &unlimited);
        assert!(line.contains(&format!("http={status}")), "{line}");
        assert_eq!(field(&line, "body").len(), 1000);
        closed.wait();
    }
}

#[test]
fn bodies_of_errors_are_no_longer_than_max_error_bytes() {
    let long = "é".repeat(50_000);
    let refusal = json!({"error": {"message": "m", "rest": long}}).to_string();
    let page = format!("<html><title>Log in</title>{long}</html>");
    let event = format!("data: {refusal}\n\n");
    let named = format!("event: error\ndata: {long}\n\n");
    for (what, status, content_type, body) in [
        ("a refusal", 400, JSON, refusal.clone()),
        ("a refusal by a page", 500, "text/html", page.clone()),
        ("a page", 200, "text/html", page),
        ("an event", 200, SSE, event),
        ("a named event", 200, SSE, named),
        ("an answer", 200, JSON, refusal),
    ] {
        let server =
            Server::start(move |exchange| exchange.whole(status, content_type, body.as_bytes()));
        for (limit, least) in [(0, 0), (1001, 1000), (60_001, 60_000)] {
            let line = error_at(&server.url(), &[&format!("max_error_bytes={limit}")]);
            let length = field(&line, "body").replace("\\\"", "\"").len();
            assert!((least..=limit).contains(&length), "{what}: {length} of {limit}");
        }
        let line = error_at(&server.url(), &[]);
        assert!(field(&line, "body").len() >= 100_000, "{what}");
        assert!(field(&line, "message").len() < 5000, "{what}");
    }
}

#[test]
fn error_message_is_an_error_wherever_it_stands() {
    let body = "{\"error_message\":\"no such thing\"}";
    for (what, status, content_type, body) in [
        ("an event", 200, SSE, format!("data: {body}\n\n")),
        ("an event behind text", 200, SSE, format!("{}data: {body}\n\n", openai::text("a"))),
        ("a whole answer", 200, JSON, body.to_owned()),
        ("a refusal", 418, JSON, body.to_owned()),
    ] {
        let line = error(move |exchange| exchange.whole(status, content_type, &body), &[]);
        assert!(line.starts_with("error TOLMACH_E_PROVIDER"), "{what}: {line}");
        assert!(field(&line, "message").ends_with(": no such thing"), "{what}: {line}");
    }
}

#[test]
fn messages_are_one_line_without_control_characters() {
    let text = "a\r\nb\u{1b}[31mc\u{9b}d\u{7f}\u{2028}e\tf";
    let error_body = json!({"error": {"message": text}}).to_string();
    for (status, content_type, body) in [
        (400, JSON, error_body.clone()),
        (400, "text/plain", text.to_owned()),
        (502, "text/html", format!("<html><title>{text}</title></html>")),
        (200, "text/html", format!("<html><title>{text}</title></html>")),
        (200, SSE, format!("data: {error_body}\n\n")),
        (200, SSE, format!("event: error\ndata: {error_body}\n\n")),
        (200, JSON, error_body),
    ] {
        let line = error(move |exchange| exchange.whole(status, content_type, &body), &[]);
        let message = field(&line, "message");
        assert!(message.contains("[31mc"), "{message}");
        // The program of the test prints control characters of ASCII as escapes.
        let bad = |c: char| c.is_control() || matches!(c, '\\' | '\u{2028}');
        assert!(!message.contains(bad), "{status} {content_type}: {message:?}");
    }
}

#[test]
fn quota_and_context_are_told_by_the_text_where_no_code_tells() {
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    let litellm = "litellm.BadRequestError: litellm.ContextWindowExceededError: too long";
    for (status, error_object, class) in [
        (429, json!({"message": quota}), "QUOTA"),
        (429, json!({"message": quota, "type": null, "code": null}), "QUOTA"),
        (
            400,
            json!({"message": litellm, "type": null, "param": null, "code": "400"}),
            "CONTEXT_LENGTH",
        ),
        (429, json!({"message": "slow down"}), "RATE_LIMITED"),
    ] {
        let body = json!({"error": error_object}).to_string();
        let event = format!("data: {body}\n\n");
        let server = Server::start(move |exchange| match exchange.request.path.as_str() {
            "/refused/chat/completions" => {
                let head = identified(status, JSON, "Retry-After: 0", &body);
                exchange.send(head);
            }
            _ => exchange.whole(200, SSE, &event),
        });
        let line = &lines(&format!("{}/refused", server.url()), &["max_retries=3"])[0];
        assert!(line.starts_with(&format!("error TOLMACH_E_{class} ")), "{line}");
        let tries = if class == "RATE_LIMITED" { 4 } else { 1 };
        assert_eq!(server.requests().len(), tries, "{line}");
        if class != "RATE_LIMITED" {
            let line = error_at(&server.url(), &[]);
            assert!(line.starts_with(&format!("error TOLMACH_E_{class} ")), "{line}");
        }
    }
}

/// A key in which every kind of quoting finds something to do.
const KEY: &str = "sk/A+b&c=d<e~f'gZ";

/// The error of a server that refuses with that body, without the key.
fn clean_error(body: &str, args: &[&str]) -> String {
    let body = body.to_owned();
    let key = format!("api_key={KEY}");
    let line = error(move |exchange| exchange.whole(401, JSON, &body), &[&[&*key], args].concat());
    for part in ["sk/A", "sk\\\\/A", "f'gZ", "f%27gZ", "f&#39;gZ", "f&#x27;gZ", "u0027gZ", "e~f"] {
        assert!(!line.contains(part), "{part}: {line}");
    }
    line
}

#[test]
fn key_is_redacted_however_it_is_quoted() {
    let message = |text: &str| json!({"error": {"message": format!("bad: {text}.")}}).to_string();
    let escaped: String = KEY
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() => c.to_string(),
            c => format!("\\u{:04X}", u32::from(c)),
        })
        .collect();
    for body in [
        message(KEY),
        message("x").replace('x', &escaped),
        message("x").replace('x', &KEY.replace('/', "\\/").replace('&', "\\u0026")),
        // Of JSON in JSON, as gateways pass on the errors of others.
        message(&message("x").replace('x', &escaped)),
        message("sk%2FA%2Bb%26c%3Dd%3Ce~f%27gZ"),
        message("sk%2fA%2bb%26c%3dd%3ce%7ef%27gZ"),
        message("sk/A+b&amp;c=d&lt;e~f&#39;gZ"),
        message("sk&sol;A&#43;b&#x26;c&#X3d;d&lt;e~f&#x27;gZ"),
        message("sk/A%2Bb&amp;c=d\u{3c}e~f'gZ"),
    ] {
        let line = clean_error(&body, &[]);
        assert!(field(&line, "message").contains("bad: "), "{line}");
        assert!(field(&line, "message").contains("[redacted]"), "{line}");
        assert!(field(&line, "body").contains("[redacted]"), "{line}");
    }
}

#[test]
fn key_that_the_limit_cuts_is_redacted() {
    let body = format!("{{\"error\":{{\"message\":\"bad: {KEY}\"}}}}");
    let start = body.find(KEY).unwrap();
    for length in 8..=KEY.len() {
        let limit = format!("max_error_bytes={}", start + length);
        let line = clean_error(&body, &[&limit]);
        assert!(field(&line, "message").ends_with("bad: [redacted]"), "{line}");
    }
}

#[test]
fn key_at_which_an_answer_of_an_error_breaks_off_is_redacted() {
    let half = format!("{{\"error\":{{\"message\":\"bad: {}", &KEY[..KEY.len() - 2]);
    let script = move |exchange: &mut Exchange| {
        exchange.head(401, &[("Content-Type", JSON), ("Content-Length", "999")]);
        exchange.send(&half);
        exchange.close();
    };
    let line = error(script, &[&format!("api_key={KEY}")]);
    assert!(line.starts_with("error TOLMACH_E_AUTH") && !line.contains("sk/A"), "{line}");
}

#[test]
fn user_and_password_of_a_proxy_are_redacted() {
    // This proxy is a server that knows no tunnels: what it says comes from beyond.
    let proxied = Server::start(|exchange| {
        match exchange.request.method.as_str() {
        "CONNECT" => exchange.send("HTTP/1.1 200 OK\r\n\r\n"),
        _ => exchange.whole(
            401,
            JSON,
            "{\"error\":{\"message\":\"who is Proxy/Pass1 or Proxy%2FPass1, dG9tOlByb3h5L1Bhc3Mx?\"}}",
        ),
    }
    });
    let proxy = proxied.url().replace("http://", "http://tom:Proxy%2FPass1@");
    let line = error_at("http://beyond.invalid", &[&format!("proxy={proxy}")]);
    assert!(line.contains("who is [redacted] or [redacted], [redacted]?"), "{line}");
}

#[test]
fn placeholder_for_a_key_and_the_code_of_an_error_are_left_alone() {
    let body = json!({"error": {"message": "The invalid_api_key is unacceptable", "code": "invalid_api_key"}});
    let server = Server::start(move |exchange| exchange.whole(401, JSON, body.to_string()));
    for key in ["k", "is", "The", "api_key", "accept", "unaccept", "invalid_"] {
        let line = error_at(&server.url(), &[&format!("api_key={key}")]);
        assert_eq!(field(&line, "code"), "invalid_api_key", "{key}");
        assert!(line.contains("The invalid_api_key is unacceptable"), "{key}: {line}");
    }
    let line = error_at(&server.url(), &["api_key=invalid_api_key"]);
    assert_eq!(field(&line, "code"), "invalid_api_key");
    assert!(line.contains("The [redacted] is unacceptable"), "{line}");
}

#[test]
fn text_before_a_bad_chunk_is_delivered() {
    let text = openai::text("before");
    let reply = format!(
        "HTTP/1.1 200 X\r\nContent-Type: {SSE}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{text}\r\nzz\r\n",
        text.len()
    );
    let server = Server::start(move |exchange| exchange.send(&reply));
    let outcome = c::program("stream").arg(server.url()).run().passed();
    assert!(outcome.lines().contains(&"text 0 0 \"before\""), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("error TOLMACH_E_PROTOCOL"), "{}", outcome.stdout);
}
