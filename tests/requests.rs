//! Requests through the C ABI: copies, undone turns, strings, tools, and options of their own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use support::server::{Exchange, Server};
use support::{c, openai};
use tolmach::{Client, Config, Polled, Request, Session};

/// Does what the last message says.
fn obey(exchange: &mut Exchange) {
    let json = exchange.request.json();
    match json["messages"][0]["content"].as_str().unwrap() {
        "silence" => exchange.wait_for_close(),
        "half" => {
            exchange.stream_head();
            exchange.chunk(openai::text("half"));
            exchange.wait_for_close();
        }
        "fail" => exchange.whole(503, "application/json", "{\"error\":{\"message\":\"down\"}}"),
        "headers" => {
            let header = |name| exchange.request.header(name).unwrap_or("none").to_owned();
            let said = format!("{} {} {}", header("X-Tenant"), header("X-Own"), header("X-More"));
            exchange.stream(openai::stream(&[&said]));
        }
        _ => exchange.stream(openai::stream(&["four", "five"])),
    }
}

#[test]
fn requests_are_copied_cut_and_given_options_of_their_own() {
    let server = Server::start(obey);
    let headers = "headers={\"X-Tenant\":\"of-the-config\",\"X-Own\":\"kept\"}";
    let program = c::program("requests").arg(server.url()).env("TEST_CONFIG", Some(headers));
    let program = program.env("TEST_CONFIG_2", Some("max_retries=3"));
    let outcome = program.run().passed();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let [total, first, idle, once, twice, own, config, cut, raw, no_raw] = lines[..] else {
        panic!("{lines:?}")
    };
    for (line, key) in
        [(total, "total_timeout_ms"), (first, "first_byte_timeout_ms"), (idle, "idle_timeout_ms")]
    {
        assert!(line.starts_with("TOLMACH_E_TIMEOUT 0 ") && line.contains(key), "{line}");
    }
    assert!(idle.contains("\"half\""), "{idle}");
    for line in [once, twice] {
        assert!(line.starts_with("TOLMACH_E_SERVER 0 "), "{line}");
    }
    let is_fail =
        |request: &&support::server::Request| request.json()["messages"][0]["content"] == "fail";
    assert_eq!(server.requests().iter().filter(is_fail).count(), 1 + 2);
    assert!(own.contains("of-the-request kept secret-of-request"), "{own}");
    assert!(config.contains("of-the-config kept none"), "{config}");
    assert!(cut.contains("\"content\":\"fou\"") && cut.contains("\"incomplete\":true"), "{cut}");
    assert!(raw.starts_with("TOLMACH_END 5 "), "{raw}");
    assert!(no_raw.starts_with("TOLMACH_END 0 "), "{no_raw}");
    for request in server.requests() {
        let sent = String::from_utf8(request.body.clone()).unwrap();
        assert!(!sent.contains("timeout") && !sent.contains("retries"), "{sent}");
    }
}

#[test]
fn requests_lose_no_memory() {
    let server = Server::start(obey);
    if let Some(program) = c::program("requests").under_valgrind() {
        let program = program.arg(server.url()).env("TEST_CONFIG", Some("max_retries=3"));
        program.run().passed();
    }
}

#[test]
fn configs_come_from_json_with_single_headers_and_tell_their_keys() {
    let outcome = c::program("settings").arg(Server::start(obey).url()).run().passed();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines, ["none of-json none", "added of-header none", "added none none"]);
}

#[test]
fn configs_lose_no_memory() {
    if let Some(program) = c::program("settings").under_valgrind() {
        program.arg(Server::start(obey).url()).run().passed();
    }
}

#[test]
fn token_is_fetched_without_the_headers_of_the_request_that_needs_it_first() {
    let server = Server::start(|exchange| match exchange.request.path.as_str() {
        "/oauth" => {
            let token = "{\"access_token\":\"t\",\"expires_at\":99999999999999}";
            exchange.whole(200, "application/json", token);
        }
        _ => exchange.stream(openai::stream(&["Hi"])),
    });
    let mut config = Config::new("gigachat").unwrap();
    let auth_url = format!("{}/oauth", server.url());
    let headers = "{\"X-Own\":\"of-the-config\"}";
    for (key, value) in [
        ("base_url", &*server.url()),
        ("auth_url", &auth_url),
        ("api_key", "test-key-secret"),
        ("proxy", "direct"),
        ("headers", headers),
    ] {
        config.set(key, Some(value)).unwrap();
    }
    let mut request = Request::new(Some("m"));
    request.message("user", "Hi").unwrap();
    request.option("headers", Some("{\"X-Tenant\":\"alice\"}")).unwrap();
    let mut session = Session::open(&Client::new(&config).unwrap(), &request).unwrap();
    while session.poll(None).unwrap() != Polled::End {}
    let sent = server.requests();
    let [token, chat] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((token.header("X-Own"), token.header("X-Tenant")), (Some("of-the-config"), None));
    assert_eq!(
        (chat.header("X-Own"), chat.header("X-Tenant")),
        (Some("of-the-config"), Some("alice"))
    );
}
