//! Embeddings: one request for many texts, in OpenAI's protocol.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use support::c;
use support::server::Server;

fn base64(numbers: &[f32]) -> String {
    BASE64.encode(numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

/// An answer with these entries.
fn answer(entries: &Value) -> String {
    json!({"object": "list", "data": entries, "model": "embedder-2",
        "usage": {"prompt_tokens": 3, "total_tokens": 3}})
    .to_string()
}

fn entry(index: usize, embedding: impl Into<Value>) -> Value {
    json!({"object": "embedding", "index": index, "embedding": embedding.into()})
}

fn said(body: impl Into<Vec<u8>>) -> String {
    let server = Server::answering("application/json", body);
    c::program("embed").arg(server.url()).run().passed().stdout
}

const THREE: [&str; 9] = [
    r#"start 0 0 "" name="embedder-2""#,
    r#"embedding 0 0 "" bytes=8"#,
    "0.5 -2",
    r#"embedding 0 1 "" bytes=8"#,
    "1 3.25",
    r#"embedding 0 2 "" bytes=8"#,
    "0 1e-05",
    r#"usage 0 0 "" input=3 output=-1 total=3 cached=-1 reasoning=-1"#,
    "TOLMACH_END embedder-2",
];

#[test]
fn embeddings_come_as_floats_in_the_order_of_the_inputs_whatever_their_form() {
    let numbers = [[0.5, -2.0], [1.0, 3.25], [0.0, 1e-5]];
    let text = numbers.map(|numbers| base64(&numbers));
    let texts = json!([entry(0, &*text[0]), entry(1, &*text[1]), entry(2, &*text[2])]);
    let server = Server::answering("application/json", answer(&texts));
    let outcome = c::program("embed").arg(server.url()).run().passed();
    assert_eq!(outcome.lines(), THREE);
    let request = &server.requests()[0];
    assert_eq!((&*request.method, &*request.path), ("POST", "/embeddings"));
    assert_eq!(request.header("authorization"), Some("Bearer test-key-secret"));
    let sent = json!({"model": "embedder", "input": ["one", "two", "three"], "dimensions": 2});
    assert_eq!(request.json(), sent);
    let lists = numbers.map(|numbers| json!(numbers));
    let [zero, one, two] = [0, 1, 2].map(|index| entry(index, lists[index].clone()));
    let nameless = lists.clone().map(|list| json!({"embedding": list}));
    let same = lists.map(|list| entry(0, list));
    for entries in [json!([zero, one, two]), json!([two, zero, one]), json!(nameless), json!(same)]
    {
        assert_eq!(said(answer(&entries)).lines().collect::<Vec<_>>(), THREE, "{entries}");
    }
    // Over several lines, as some servers write it.
    let value: Value = serde_json::from_str(&answer(&texts)).unwrap();
    assert_eq!(said(serde_json::to_string_pretty(&value).unwrap()).lines().count(), THREE.len());
}

#[test]
fn openais_responses_provider_asks_for_embeddings_too() {
    let server = Server::answering("application/json", answer(&json!([entry(0, json!([1]))])));
    let program = c::program("embed").arg(server.url()).arg(r#"{"model":"e","input":[[1,2]]}"#);
    let program = program.env("TEST_PROVIDER", Some("openai-responses"));
    let said = program.run().passed().stdout;
    assert!(said.contains("embedding 0 0 \"\" bytes=4\n1\n"), "{said}");
    assert_eq!(server.requests()[0].json(), json!({"model": "e", "input": [[1, 2]]}));
}

#[test]
fn tokens_are_inputs_and_a_list_of_numbers_is_one() {
    let server = Server::answering("application/json", answer(&json!([entry(0, json!([1, 2]))])));
    let request = r#"{"model":"e","input":[7,8,9],"encoding_format":"float","user":"u"}"#;
    let said = c::program("embed").arg(server.url()).arg(request).run().passed().stdout;
    assert!(said.contains("bytes=8") && said.contains("TOLMACH_END"), "{said}");
    let sent = server.requests()[0].json();
    assert_eq!(sent, serde_json::from_str::<Value>(request).unwrap());
}

#[test]
fn answers_that_are_no_embeddings_are_errors() {
    let float = entry(0, json!([1]));
    for (body, status) in [
        (String::new(), "TOLMACH_E_"),
        ("{}".to_owned(), "TOLMACH_E_PROTOCOL"),
        ("[]".to_owned(), "TOLMACH_E_PROTOCOL"),
        ("{\"data\":[{\"index\":0,\"embedding\":[1,".to_owned(), "TOLMACH_E_TRUNCATED"),
        (answer(&json!([float, float])), "TOLMACH_E_PROTOCOL"),
        (answer(&json!([])), "TOLMACH_E_PROTOCOL"),
        (answer(&json!([float, float, entry(2, "AAAA")])), "TOLMACH_E_PROTOCOL"),
        (answer(&json!([float, float, entry(2, "?")])), "TOLMACH_E_PROTOCOL"),
        (answer(&json!([float, float, entry(2, json!([]))])), "TOLMACH_E_PROTOCOL"),
        (answer(&json!([float, float, entry(2, json!([[1]]))])), "TOLMACH_E_PROTOCOL"),
        (answer(&json!([float, float, entry(2, json!([null]))])), "TOLMACH_E_PROTOCOL"),
        ("{\"error\":{\"message\":\"no room\",\"code\":\"full\"}}".to_owned(), "code=\"full\""),
        ("<html><body>hello</body></html>".to_owned(), "TOLMACH_E_"),
    ] {
        let said = said(body.clone());
        assert!(said.starts_with("error ") && said.contains(status), "{body}: {said}");
        assert!(!said.contains("embedding 0"), "{said}");
    }
}

#[test]
fn answer_deeper_than_the_config_allows_is_an_error() {
    let entries = [0, 1, 2].map(|index| entry(index, json!([1])));
    let mut body: Value = serde_json::from_str(&answer(&json!(entries))).unwrap();
    let mut outcome = |deep: Value| {
        body["more"] = deep;
        let server = Server::answering("application/json", body.to_string());
        let program = c::program("embed").arg(server.url());
        program.env("TEST_CONFIG", Some("max_json_depth=4")).run().passed().stdout
    };
    let said = outcome(json!([[[1]]]));
    assert!(said.contains("TOLMACH_END"), "{said}");
    let said = outcome(json!([[[[1]]]]));
    assert!(said.starts_with("error TOLMACH_E_TOO_LARGE"), "{said}");
}

#[test]
fn undecoded_event_comes_with_the_embeddings_where_the_config_asks_for_it() {
    let entries = [0, 1, 2].map(|index| entry(index, json!([1])));
    let server = Server::answering("application/json", answer(&json!(entries)));
    let program = c::program("embed").arg(server.url());
    let said = program.env("TEST_CONFIG", Some("raw_chunks=true")).run().passed().stdout;
    assert!(said.starts_with("raw 0 0 \"{"), "{said}");
    assert!(said.ends_with("TOLMACH_END embedder-2\n"), "{said}");
}

#[test]
fn many_embeddings_are_no_larger_than_their_numbers() {
    // As numbers of JSON they would be too many values.
    let list = json!(vec![0.5; 200_000]);
    let entries = json!([entry(0, list.clone()), entry(1, list.clone()), entry(2, list)]);
    let server = Server::answering("application/json", answer(&entries));
    let program = c::program("embed").arg(server.url());
    let program = program.env("TEST_CONFIG", Some("queue_bytes=1024"));
    let said = program.run().passed().stdout;
    assert_eq!(said.matches("bytes=800000").count(), 3);
    assert!(said.ends_with("TOLMACH_END embedder-2\n"));
}

#[test]
fn other_providers_are_not_asked_for_embeddings() {
    for provider in ["anthropic", "gemini", "gigachat", "aichats"] {
        let server = Server::answering("application/json", "{}");
        let program = c::program("embed").arg(server.url());
        let program = program.env("TEST_PROVIDER", Some(provider));
        let program = program.env("TEST_AUTH_URL", None);
        let said = program.run().passed().stdout;
        assert!(said.starts_with("error TOLMACH_E_UNSUPPORTED http=0"), "{said}");
        assert!(said.contains("embeddings"), "{said}");
        assert!(server.requests().is_empty());
    }
}

#[test]
fn embeddings_are_tried_again_and_lose_no_memory() {
    let entries = [0, 1, 2].map(|index| entry(index, base64(&[1.0])));
    let body = answer(&json!(entries));
    let server = Server::start(move |exchange| match exchange.number {
        0 => exchange.whole(503, "application/json", "{}"),
        _ => exchange.whole(200, "application/json", &body),
    });
    let said = c::program("embed").arg(server.url()).run().passed().stdout;
    assert!(said.ends_with("TOLMACH_END embedder-2\n"), "{said}");
    assert_eq!(server.requests().len(), 2);
    if let Some(program) = c::program("embed").under_valgrind() {
        program.arg(server.url()).run().passed();
    }
}
