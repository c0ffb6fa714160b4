//! Lists of models are sessions: they are cancelled, waited for, retried and replayed as answers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use support::server::{Exchange, Gate, Server};
use support::{LONG, c};
use tolmach::{Client, Config, ErrorKind};

const LIST: &str = r#"{"data":[
    {"id":"a/chat","owned_by":"maker","context_length":128000,"supported_parameters":["tools"],"vision":true},
    {"object":"model"},
    {"id":"painter","type":"image"}]}"#;

fn list(exchange: &mut Exchange) {
    let length = LIST.len().to_string();
    exchange.head(200, &[("Content-Length", &length), ("x-request-id", "req-1")]);
    exchange.send(LIST);
}

#[test]
fn models_are_the_chunks_of_a_session() {
    let server = Server::start(list);
    let outcome = c::program("list").arg(server.url()).run().passed();
    let lines = outcome.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].starts_with(r#"model 0 0 "{\"id\":\"a/chat\",\"owned_by\":\"maker\","#),
        "{}",
        lines[0]
    );
    assert!(
        lines[0].ends_with(r#" id="a/chat" name="maker" flags=24 context=128000"#),
        "{}",
        lines[0]
    );
    let painter = r#"model 0 1 "{\"id\":\"painter\",\"type\":\"image\"}" id="painter" flags=32"#;
    assert_eq!(lines[1..], [painter, "TOLMACH_END attempts=1 request_id=req-1 model="]);
    assert_eq!(server.requests()[0].path, "/models");
    // The blocking call says the same.
    let outcome = c::program("models").arg(server.url()).arg("-1").run().passed();
    let same = r#""a/chat" owner="maker" context=128000 capabilities=24 json="{\"id\":\"a/chat\","#;
    assert!(outcome.stdout.starts_with(same), "{}", outcome.stdout);
}

#[test]
fn list_of_models_is_cancelled_at_once() {
    let asked = Gate::default();
    let seen = asked.clone();
    let server = Server::start(move |exchange| {
        seen.open();
        exchange.wait_for_close();
    });
    let mut program = c::program("list").arg(server.url()).arg("cancel").spawn();
    assert_eq!(program.line(), "open");
    asked.wait();
    program.tell("go on");
    let outcome = program.finish().passed();
    assert!(outcome.stdout.contains("error TOLMACH_E_CANCELLED"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("TOLMACH_E_CANCELLED attempts=1"), "{}", outcome.stdout);
}

#[test]
fn deadlines_of_the_config_hold_for_a_list_of_models() {
    for key in ["total_timeout_ms", "first_byte_timeout_ms"] {
        let server = Server::start(Exchange::wait_for_close);
        let program = c::program("list").arg(server.url());
        let program = program.env("TEST_CONFIG", Some(&format!("{key}=300")));
        let program = program.env("TEST_CONFIG_2", Some("max_retries=0"));
        let said = program.run().passed().stdout;
        assert!(said.contains("error TOLMACH_E_TIMEOUT") && said.contains(key), "{said}");
    }
    let server = Server::start(Exchange::wait_for_close);
    let said = c::program("models").arg(server.url()).arg("300").run().passed().stdout;
    assert!(said.contains("error TOLMACH_E_TIMEOUT") && said.contains("(timeout_ms)"), "{said}");
}

#[test]
fn list_of_models_is_tried_again_and_its_errors_are_those_of_sessions() {
    let server = Server::start(|exchange| match exchange.number {
        0 => exchange.whole(503, "application/json", "{\"error\":{\"message\":\"busy\"}}"),
        _ => list(exchange),
    });
    let said = c::program("list").arg(server.url()).run().passed().stdout;
    assert!(said.contains("TOLMACH_END attempts=2"), "{said}");
    let server = Server::start(|exchange| {
        exchange.whole(401, "application/json", "{\"error\":{\"message\":\"who are you\"}}");
    });
    let said = c::program("list").arg(server.url()).run().passed().stdout;
    assert!(said.starts_with("error TOLMACH_E_AUTH http=401"), "{said}");
    assert!(said.contains("who are you"), "{said}");
}

#[test]
fn pages_of_a_list_are_no_larger_together_than_an_event_may_be() {
    let server = Server::start(|exchange| {
        let page = format!(
            r#"{{"models":[{{"name":"models/m-{0}","description":"{1}"}}],"nextPageToken":"{0}"}}"#,
            exchange.number,
            "x".repeat(400)
        );
        exchange.whole(200, "application/json", &page);
    });
    let program = c::program("list").arg(server.url()).env("TEST_PROVIDER", Some("gemini"));
    let said = program.env("TEST_CONFIG", Some("max_event_bytes=1024")).run().passed().stdout;
    assert!(said.starts_with("error TOLMACH_E_TOO_LARGE"), "{said}");
    assert!(said.contains("max_event_bytes"), "{said}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn list_of_models_is_recorded_and_played() {
    let server = Server::start(list);
    let file = c::workshop().join("list-of-models.jsonl");
    std::fs::remove_file(&file).ok();
    let run = |key: &str, url: &str| {
        let setting = format!("{key}={}", file.display());
        c::program("list").arg(url).env("TEST_CONFIG", Some(&setting)).run().passed().stdout
    };
    let recorded = run("record_file", &server.url());
    assert!(recorded.contains("id=\"painter\""), "{recorded}");
    assert_eq!(run("replay_file", "http://localhost:1"), recorded);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn memory_of_a_list_of_models_is_not_lost() {
    if let Some(program) = c::program("list").under_valgrind() {
        program.arg(Server::start(list).url()).run().passed();
    }
}

#[test]
fn client_lists_models_of_a_provider_for_who_waits() {
    let server = Server::start(|exchange| match exchange.number {
        0 => list(exchange),
        _ => exchange.whole(404, "text/plain", "no"),
    });
    let mut config = Config::new("openai").unwrap();
    for (key, value) in [("base_url", &*server.url()), ("proxy", "direct"), ("api_key", "")] {
        config.set(key, Some(value)).unwrap();
    }
    let client = Client::new(&config).unwrap();
    let models = client.models(Some(LONG)).unwrap();
    let seen: Vec<_> = models.iter().map(|model| (&*model.id, model.context_length)).collect();
    assert_eq!(seen, [("a/chat", Some(128_000)), ("painter", None)]);
    assert_eq!(client.models(None).unwrap_err().http_status(), Some(404));
    assert_ne!(client.models(None).unwrap_err().kind(), ErrorKind::Internal);
}
