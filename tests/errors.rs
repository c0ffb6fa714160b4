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
use support::server::{Exchange, Server};
use support::{c, openai};

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
fn users_and_passwords_of_urls_are_redacted() {
    let body = json!({"error": {"message":
        "who is pass/word9 or pass%2Fword9, dG9tOnBhc3Mvd29yZDk=, ProxyPass1?"}});
    let server = Server::start(move |exchange| exchange.whole(401, JSON, body.to_string()));
    let url = server.url().replace("http://", "http://tom:pass%2Fword9@");
    let line = error_at(&url, &[]);
    assert!(!line.contains("word9") && !line.contains("dG9tOnBhc3M"), "{line}");
    assert!(line.contains("ProxyPass1"), "{line}");
    let endpoint = format!("endpoint={url}/v1/chat/completions");
    let line = error_at(&server.url(), &[&endpoint]);
    assert!(!line.contains("word9") && !line.contains("dG9tOnBhc3M"), "{line}");
    // This proxy is a server that knows no tunnels: what it says comes from beyond.
    let proxied = Server::start(|exchange| match exchange.request.method.as_str() {
        "CONNECT" => exchange.send("HTTP/1.1 200 OK\r\n\r\n"),
        _ => exchange.whole(401, JSON, "{\"error\":{\"message\":\"who is ProxyPass1?\"}}"),
    });
    let proxy = proxied.url().replace("http://", "http://tom:ProxyPass1@");
    let line = error_at("http://beyond.invalid", &[&format!("proxy={proxy}")]);
    assert!(line.contains("who is [redacted]?"), "{line}");
    // A token in the place of the user.
    let url = server.url().replace("http://", "http://ProxyPass1@");
    let line = error_at(&url, &[]);
    assert!(line.contains("[redacted]?") && !line.contains("ProxyPass1"), "{line}");
}

#[test]
fn log_shows_no_user_of_a_url() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["a", "b", "c"])));
    // The program fails where a line of the log has the word "secret".
    let url = server.url().replace("http://", "http://secret-user:secret-word@");
    c::program("crowd").arg(url).arg("-1").run().passed();
}

#[test]
fn placeholder_for_a_key_and_the_code_of_an_error_are_left_alone() {
    let body = json!({"error": {"message": "The invalid_api_key is unacceptable", "code": "invalid_api_key"}});
    let server = Server::start(move |exchange| exchange.whole(401, JSON, body.to_string()));
    for key in ["k", "api_key", "accept", "unaccept", "invalid_"] {
        let line = error_at(&server.url(), &[&format!("api_key={key}")]);
        assert_eq!(field(&line, "code"), "invalid_api_key", "{key}");
        assert!(line.contains("The invalid_api_key is unacceptable"), "{key}: {line}");
    }
    let line = error_at(&server.url(), &["api_key=invalid_api_key"]);
    assert_eq!(field(&line, "code"), "invalid_api_key");
    assert!(line.contains("The [redacted] is unacceptable"), "{line}");
}
