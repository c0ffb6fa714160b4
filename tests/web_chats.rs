//! The three web chats whose services are gone: what is sent, and what comes of all they
//! answered.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use support::server::{Exchange, Server};
use support::{c, openai};

fn lines(provider: &str, server: &Server, args: &[&str]) -> Vec<String> {
    let program = c::program("stream")
        .arg(server.url())
        .arg("max_retries=0")
        .env("TEST_PROVIDER", Some(provider));
    let program = args.iter().fold(program, |program, arg| program.arg(arg));
    program.run().passed().stdout.lines().map(str::to_owned).collect()
}

/// What comes of a body, the same whole and byte by byte.
fn chunks(provider: &str, content_type: &'static str, body: &str) -> Vec<String> {
    let whole = lines(provider, &Server::answering(content_type, body), &[]);
    let body = body.to_owned();
    let bytewise = Server::start(move |exchange| {
        exchange.head(
            200,
            &[("Content-Type", content_type), ("Content-Length", &body.len().to_string())],
        );
        exchange.send_byte_by_byte(&body);
    });
    let texts = |lines: &[String]| -> String {
        lines
            .iter()
            .filter_map(|line| line.strip_prefix("text 0 0 \""))
            .map(|text| &text[..text.len() - 1])
            .collect()
    };
    let in_bytes = lines(provider, &bytewise, &[]);
    assert_eq!(texts(&whole), texts(&in_bytes));
    assert_eq!(whole.last(), in_bytes.last());
    whole
}

const HISTORY: &str = "@{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},\
{\"role\":\"assistant\",\"content\":\"Hello!\"},{\"role\":\"user\",\"content\":\"Bye\"}]}";

fn headers(server: &Server) -> Vec<(String, String)> {
    let mut headers = server.requests()[0].headers.clone();
    headers.retain(|(name, _)| {
        !["host", "content-length", "x-device-uuid"].contains(&&*name.to_lowercase())
    });
    headers.iter_mut().for_each(|(name, _)| *name = name.to_lowercase());
    headers
}

fn has(headers: &[(String, String)], name: &str, value: &str) {
    assert!(
        headers.contains(&(name.to_owned(), value.to_owned())),
        "{name}: {value} is not in {headers:?}"
    );
}

#[test]
fn services_that_are_gone_say_so() {
    for name in ["ai365vip", "amigochat", "aichats"] {
        let provider = tolmach::find_provider(name).unwrap();
        assert!(!provider.capabilities.has(tolmach::Capabilities::WORKING), "{name}");
    }
    assert!(
        tolmach::find_provider("gigachat")
            .unwrap()
            .capabilities
            .has(tolmach::Capabilities::WORKING)
    );
}

#[test]
fn keys_that_a_web_chat_does_not_have_are_refused() {
    let server = Server::answering("text/plain", "");
    for provider in ["ai365vip", "amigochat", "aichats"] {
        let refused = lines(provider, &server, &["organization=x"]);
        assert!(
            refused[0].starts_with("error TOLMACH_E_ARGUMENT") && refused[0].contains("cookie"),
            "{refused:?}"
        );
    }
}

#[test]
fn ai365vip_is_sent_one_folded_prompt() {
    let server = Server::answering("text/plain", "Hi");
    lines("ai365vip", &server, &[HISTORY, "cookie=a=b"]);
    let request = &server.requests()[0];
    assert_eq!((&*request.method, &*request.path), ("POST", "/api/chat"));
    assert_eq!(
        request.json(),
        json!({"model": {"id": "gpt-4o", "name": "GPT-3.5", "maxLength": 3000, "tokenLimit": 2048},
            "messages": [{"role": "user", "content": "User: Hi\nAssistant: Hello!\nUser: Bye\nAssistant:"}],
            "key": "", "prompt": "You are a helpful assistant.", "temperature": 1})
    );
    let headers = headers(&server);
    assert_eq!(headers.len(), 19);
    has(&headers, "origin", "https://chat.ai365vip.com");
    has(&headers, "referer", "https://chat.ai365vip.com/en");
    has(&headers, "sec-ch-ua-platform-version", "\"4.19.276\"");
    has(&headers, "sec-ch-ua-model", "\"\"");
    has(&headers, "cookie", "a=b");
    assert!(request.header("user-agent").unwrap().contains("Chrome/127.0.0.0"));
}

#[test]
fn ai365vip_answers_in_plain_text_never_cut_inside_a_character() {
    let chunks = chunks("ai365vip", "text/plain", "При\u{1f600}\nвет");
    assert_eq!(
        chunks[..2],
        ["start 0 0 \"\" name=\"test-model\"", "text 0 0 \"При\u{1f600}\\nвет\""]
    );
    assert_eq!(chunks[2..4], ["finish 0 0 \"stop\"", "end"]);
}

#[test]
fn ai365vip_with_a_page_or_an_error_is_no_answer() {
    let page = "<!DOCTYPE html><title>Just a moment...</title>";
    assert!(
        lines("ai365vip", &Server::answering("text/html", page), &[])[0]
            .starts_with("error TOLMACH_E_BLOCKED")
    );
    let lied = lines("ai365vip", &Server::answering("text/plain", page), &[]);
    assert!(lied.iter().any(|line| line.starts_with("error TOLMACH_E_BLOCKED")), "{lied:?}");
    let server = Server::start(|exchange| exchange.whole(502, "text/plain", "no"));
    assert!(lines("ai365vip", &server, &[])[0].starts_with("error TOLMACH_E_SERVER http=502"));
    let cut = Server::start(|exchange| {
        exchange.head(200, &[("Content-Type", "text/plain"), ("Content-Length", "100")]);
        exchange.send("half");
        exchange.close();
    });
    assert!(
        lines("ai365vip", &cut, &[])
            .iter()
            .any(|line| line.starts_with("error TOLMACH_E_TRUNCATED"))
    );
}

#[test]
fn aichats_is_sent_one_folded_prompt() {
    let server = Server::answering("text/event-stream", "data: Hi\n");
    lines("aichats", &server, &[HISTORY]);
    let request = &server.requests()[0];
    assert_eq!((&*request.method, &*request.path), ("POST", "/chat/send2/"));
    assert_eq!(
        request.json(),
        json!({"type": "chat", "messagesHistory": [
            {"from": "you", "content": "User: Hi\nAssistant: Hello!\nUser: Bye\nAssistant:"}]})
    );
    let headers = headers(&server);
    assert_eq!(headers.len(), 14);
    has(&headers, "accept", "application/json, text/event-stream");
    has(&headers, "referer", "https://ai-chats.org/chat/");
    has(&headers, "pragma", "no-cache");
    assert_eq!(request.header("cookie"), None);
}

#[test]
fn aichats_data_lines_are_joined_without_anything_between() {
    let chunks = chunks(
        "aichats",
        "text/event-stream",
        "data:  Hel\r\ndata: lo \r\n\r\ndata: \n: x\ndata: \u{1f600}\ndata: \u{20}\ndata: [DONE]\ndata: no",
    );
    let text: String = chunks
        .iter()
        .filter_map(|line| line.strip_prefix("text 0 0 \""))
        .map(|text| &text[..text.len() - 1])
        .collect();
    assert_eq!(text, "Hello \u{1f600}");
    assert_eq!(chunks[0], "start 0 0 \"\" name=\"test-model\"");
    assert!(chunks.contains(&"end".to_owned()));
    let last = self::chunks("aichats", "text/plain", "data: without an end");
    assert!(last.contains(&"text 0 0 \"without an end\"".to_owned()), "{last:?}");
}

#[test]
fn aichats_errors_are_errors_and_no_text() {
    for (status, body, error) in [
        (500, "oh", "TOLMACH_E_SERVER"),
        (200, "{\"error\":\"busy\"}", "TOLMACH_E_PROVIDER"),
        (200, "oh", "TOLMACH_E_PROTOCOL"),
        (200, "", "TOLMACH_E_PROTOCOL"),
    ] {
        let server = Server::start(move |exchange| exchange.whole(status, "text/plain", body));
        let line = lines("aichats", &server, &[]).remove(0);
        assert!(line.starts_with(&format!("error {error}")), "{body}: {line}");
    }
}

#[test]
fn aichats_error_is_an_error_also_where_raw_chunks_are_wanted() {
    let server = Server::answering("text/plain", "{\"error\":\"busy\"}");
    let lines = lines("aichats", &server, &["raw_chunks=true"]);
    assert!(lines[1].starts_with("error TOLMACH_E_PROVIDER"), "{lines:?}");
}

#[test]
fn aichats_bad_url_of_an_image_is_the_servers_mistake() {
    for url in ["", "/i.png", "i.png", "http://", "http://a b/", "ftp://a/b", "http://a:99999/b"] {
        let body = json!({"data": [{"url": url}]}).to_string();
        let server = Server::start(move |exchange| exchange.whole(200, "application/json", &body));
        let line = lines("aichats", &server, &["@{\"model\":\"dalle\",\"messages\":[]}"]).remove(0);
        assert!(line.starts_with("error TOLMACH_E_PROTOCOL"), "{url}: {line}");
    }
}

#[test]
fn aichats_url_of_a_private_address_is_the_servers_mistake() {
    let images = Server::answering("image/png", b"\x89PNG\r\n\x1a\n");
    let port = images.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let body = json!({"data": [{"url": format!("http://{host}:{port}/x")}]}).to_string();
        let server = Server::start(move |exchange| exchange.whole(200, "application/json", &body));
        let line = lines("aichats", &server, &["@{\"model\":\"dalle\",\"messages\":[]}"]).remove(0);
        assert!(line.starts_with("error TOLMACH_E_PROTOCOL"), "{host}: {line}");
        // It says whose mistake it is, and what to do where the address is a trusted one.
        assert!(line.contains(server.url().trim_start_matches("http://")), "{host}: {line}");
        assert!(line.contains("fetch_private_urls"), "{host}: {line}");
    }
    assert_eq!(images.connections(), 0);
}

#[test]
fn aichats_images_are_fetched_without_a_cookie() {
    let images = Server::answering(
        "image/png",
        "\u{ff}\u{d8}".chars().map(|c| c as u8).collect::<Vec<u8>>(),
    );
    let url = format!("{}/i.png", images.url());
    let server = Server::start(move |exchange| {
        exchange.whole(200, "application/json", json!({"data": [{"url": url}]}).to_string());
    });
    let request = "@{\"model\":\"dalle\",\"messages\":[{\"role\":\"user\",\"content\":\"A cat\"}]}";
    let settings = [request, "cookie=a=secret", "headers={\"X-Mine\":\"secret\"}"];
    let refused = lines("aichats", &server, &settings).remove(0);
    assert!(refused.starts_with("error ") && refused.contains("fetch_private_urls"), "{refused}");
    assert_eq!(images.connections(), 0);
    let lines = lines("aichats", &server, &[&settings[..], &["fetch_private_urls=true"]].concat());
    assert_eq!(lines[1], "image 0 0 \"\" mime=\"image/jpeg\" bytes=2");
    assert_eq!(lines[3], "end");
    let asked = &server.requests()[0];
    assert_eq!(
        asked.json(),
        json!({"type": "image", "messagesHistory": [{"from": "you", "content": "A cat"}]})
    );
    assert_eq!(asked.header("referer"), Some("https://ai-chats.org/image/"));
    assert_eq!(asked.header("x-mine"), Some("secret"));
    let fetched = &images.requests()[0];
    assert_eq!((&*fetched.method, &*fetched.path), ("GET", "/i.png"));
    assert!(fetched.headers.iter().all(|(_, value)| !value.contains("secret")), "{fetched:?}");
    let none = Server::answering("application/json", "{\"data\":[]}");
    assert!(self::lines("aichats", &none, &[request])[0].starts_with("error TOLMACH_E_PROTOCOL"));
    // On its own host the server has nothing to reach that it does not reach by itself.
    let own = Server::start(|exchange| match &*exchange.request.path {
        "/i.jpg" => exchange.whole(200, "image/jpeg", b"\xff\xd8"),
        _ => {
            let url = format!("http://{}/i.jpg", exchange.request.header("host").unwrap());
            exchange.whole(200, "application/json", json!({"data": [{"url": url}]}).to_string());
        }
    });
    assert_eq!(self::lines("aichats", &own, &[request])[1], lines[1]);
}

#[test]
fn amigochat_is_sent_its_persona_and_a_device_of_its_own() {
    let server = Server::answering("text/event-stream", openai::stream(&["Hi"]));
    let request = "@{\"model\":\"gpt-4o-mini\",\"stream\":false,\"tools\":[],\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}";
    lines("amigochat", &server, &[request]);
    lines("amigochat", &server, &[request]);
    let requests = server.requests();
    assert_eq!((&*requests[0].method, &*requests[0].path), ("POST", "/chat/completions"));
    let mut body = requests[0].json();
    let id = body["chatId"].take();
    assert_eq!(id.as_str().unwrap().len(), 36);
    assert_ne!(id, requests[1].json()["chatId"]);
    assert_eq!(
        body,
        json!({"chatId": null, "frequency_penalty": 0, "max_tokens": 4000,
            "messages": [{"role": "user", "content": "Hello"}], "model": "gpt-4o-mini", "personaId": "amigo",
            "presence_penalty": 0, "stream": false, "temperature": 0.5, "top_p": 0.95})
    );
    let headers = headers(&server);
    assert_eq!(headers.len(), 16);
    has(&headers, "authorization", "Bearer");
    has(&headers, "origin", "https://amigochat.io/chat/");
    has(&headers, "referer", "https://amigochat.io/chat//");
    has(&headers, "x-device-version", "1.0.45");
    assert_ne!(requests[0].header("x-device-uuid"), requests[1].header("x-device-uuid"));
}

#[test]
fn amigochat_models_have_aliases_and_personas() {
    let server = Server::answering("text/event-stream", openai::stream(&["Hi"]));
    for (asked, model, persona) in [
        ("", "gpt-4o-mini", "amigo"),
        ("gpt-4o", "gpt-4o-2024-11-20", "gpt"),
        ("claude-3.5-sonnet", "claude-3-5-sonnet-20241022", "clude-claude-3-5-sonnet-20241022"),
        ("jamba-mini", "ai21/jamba-1-5-mini", "ai21-jamba-1-5-mini"),
        ("zero-one-ai/Yi-34B", "zero-one-ai/Yi-34B", "zero-one-ai-Yi-34B"),
    ] {
        let request = json!({"model": asked, "temperature": 1, "messages": []});
        lines("amigochat", &server, &[&format!("@{request}")]);
        let body = server.requests().last().unwrap().json();
        assert_eq!(
            (&body["model"], &body["personaId"], &body["temperature"]),
            (&json!(model), &json!(persona), &json!(1))
        );
    }
}

#[test]
fn amigochat_model_that_is_none_needs_no_network() {
    let server = Server::start(Exchange::close);
    let refused =
        lines("amigochat", &server, &["@{\"model\":\"gpt-9\",\"messages\":[]}"]).remove(0);
    assert!(
        refused.starts_with("error TOLMACH_E_NOT_FOUND") && refused.contains("gpt-4o-mini"),
        "{refused}"
    );
    assert_eq!(server.connections(), 0);
}

#[test]
fn amigochat_answers_in_events_or_json() {
    let model = "model=gpt-4o-mini";
    let request = "@{\"messages\":[]}";
    let body = openai::text("Hel") + "data: {\"choices\":[{\"text\":\"lo\"}]}\n\n" + openai::DONE;
    let events =
        lines("amigochat", &Server::answering("text/event-stream", body), &[model, request]);
    assert_eq!(events[1..4], ["text 0 0 \"Hel\"", "text 0 0 \"lo\"", "finish 0 0 \"stop\""]);
    let answer = "{\"choices\":[{\"message\":{\"content\":\"Hello\"}}]}";
    let json =
        lines("amigochat", &Server::answering("application/json", answer), &[model, request]);
    assert_eq!(
        json[..3],
        ["start 0 0 \"\" name=\"gpt-4o-mini\"", "text 0 0 \"Hello\"", "finish 0 0 \"stop\""]
    );
}

#[test]
fn amigochat_tries_three_times_with_three_devices_and_not_after_the_first_chunk() {
    let server = Server::start(|exchange| {
        exchange.send("HTTP/1.1 503 No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
    });
    let run = |server: &Server| {
        let program = c::program("stream").arg(server.url()).arg("@{\"messages\":[]}");
        program.env("TEST_PROVIDER", Some("amigochat")).run().passed().stdout
    };
    assert!(run(&server).starts_with("error TOLMACH_E_SERVER http=503"));
    let mut devices: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.header("x-device-uuid").unwrap().to_owned())
        .collect();
    devices.sort();
    devices.dedup();
    assert_eq!((server.requests().len(), devices.len()), (3, 3));
    let late = Server::start(|exchange| exchange.stream(openai::text("Hel")));
    let said = run(&late);
    assert!(
        said.contains("text 0 0 \"Hel\"") && said.contains("error TOLMACH_E_TRUNCATED"),
        "{said}"
    );
    assert_eq!(late.requests().len(), 1);
}

#[test]
fn amigochat_images_come_by_url_or_as_bytes() {
    let server = Server::answering(
        "application/json",
        "{\"data\":[{\"url\":\"https://i/1\"},{\"b64_json\":\"R0lGODlh\"}]}",
    );
    let request =
        "@{\"model\":\"flux-realism\",\"messages\":[{\"role\":\"user\",\"content\":\"A cat\"}]}";
    let lines = lines("amigochat", &server, &[request]);
    assert_eq!(
        lines[1..3],
        ["image 0 0 \"https://i/1\"", "image 0 1 \"\" mime=\"image/gif\" bytes=6"]
    );
    let asked = &server.requests()[0];
    assert_eq!(asked.path, "/images/generations");
    assert_eq!(
        asked.json(),
        json!({"prompt": "A cat", "model": "flux-realism", "personaId": "flux-realism"})
    );
    let none = Server::answering("application/json", "{}");
    assert!(self::lines("amigochat", &none, &[request])[0].starts_with("error TOLMACH_E_PROTOCOL"));
}

#[test]
fn models_of_web_chats_are_known_without_asking() {
    let server = Server::start(Exchange::close);
    for (provider, count, first) in [
        ("ai365vip", 3, "gpt-3.5-turbo"),
        ("amigochat", 37, "gpt-4o-2024-11-20"),
        ("aichats", 2, "gpt-4"),
    ] {
        let program =
            c::program("models").arg(server.url()).arg("-1").env("TEST_PROVIDER", Some(provider));
        let stdout = program.run().passed().stdout;
        assert_eq!(stdout.lines().count(), count, "{stdout}");
        assert!(stdout.starts_with(&format!("\"{first}\"")), "{stdout}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn aichats_image_that_is_cut_is_none() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&[b"\x89PNG\r\n\x1a\n".to_vec(), vec![7; 2000]].concat()).unwrap();
    let packed = packed.finish().unwrap();
    let images = Server::answering("image/png", &packed[..packed.len() - 4]);
    let url = format!("{}/i.png", images.url());
    let server = Server::start(move |exchange| {
        exchange.whole(200, "application/json", json!({"data": [{"url": url}]}).to_string());
    });
    let request = "@{\"model\":\"dalle\",\"messages\":[{\"role\":\"user\",\"content\":\"A cat\"}]}";
    let lines = lines("aichats", &server, &[request, "fetch_private_urls=true"]);
    assert!(lines[0].starts_with("error TOLMACH_E_TRUNCATED"), "{lines:?}");
}
