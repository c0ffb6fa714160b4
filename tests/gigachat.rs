//! GigaChat: its tokens, its words for a request, and what is made of its answers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails where it cannot go on"
)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use serde_json::{Value, json};
use support::c;
use support::openai::{self, DONE};
use support::server::{Exchange, Gate, Request, Server};
use tolmach::{Client, Config, Polled, Session};

const JSON: &str = "application/json";

/// GigaChat on the loopback: gives tokens `t1`, `t2`, ... that last `lifetime` seconds, and
/// answers all else by `script`.
struct Sber {
    server: Server,
}

fn in_seconds(seconds: u64) -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + seconds
}

impl Sber {
    fn answering(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Sber {
        Sber::with_tokens(
            |number| json!({"access_token": format!("t{number}"), "expires_at": in_seconds(1800) * 1000}),
            script,
        )
    }

    fn with_tokens(
        token: impl Fn(usize) -> Value + Send + Sync + 'static,
        script: impl Fn(&mut Exchange) + Send + Sync + 'static,
    ) -> Sber {
        let tokens = AtomicUsize::new(0);
        let server = Server::start(move |exchange| match exchange.request.path.as_str() {
            "/oauth" | "/v1/token" => {
                let number = tokens.fetch_add(1, Ordering::SeqCst) + 1;
                exchange.whole(200, JSON, token(number).to_string());
            }
            _ => script(exchange),
        });
        Sber { server }
    }

    fn streaming(events: impl Into<String>) -> Sber {
        let events = events.into();
        Sber::answering(move |exchange| exchange.stream(&events))
    }

    fn lines(&self, args: &[&str]) -> Vec<String> {
        let program = c::program("stream").arg(format!("{}/v1", self.server.url()));
        let program =
            program.arg(format!("auth_url={}/oauth", self.server.url())).arg("max_retries=0");
        let program =
            args.iter().fold(program.env("TEST_PROVIDER", Some("gigachat")), |p, arg| p.arg(arg));
        program.run().passed().stdout.lines().map(str::to_owned).collect()
    }

    /// A program of tests/c whose client is of this server.
    fn program(&self, name: &str) -> c::Program {
        let program = c::program(name).arg(format!("{}/v1", self.server.url()));
        let auth_url = format!("{}/oauth", self.server.url());
        program.env("TEST_PROVIDER", Some("gigachat")).env("TEST_AUTH_URL", Some(&auth_url))
    }

    fn requests(&self, path: &str) -> Vec<Request> {
        let mut requests = self.server.requests();
        requests.retain(|request| request.path == path);
        requests
    }

    /// What GigaChat was asked for this request of OpenAI's kind.
    fn asked(request: Value) -> Value {
        let sber = Sber::streaming(answer("Hi"));
        let lines = sber.lines(&[&format!("@{request}")]);
        assert!(lines.contains(&"end".to_owned()), "{lines:?}");
        sber.requests("/v1/chat/completions")[0].json()
    }
}

fn event(delta: Value, reason: Option<&str>) -> String {
    let mut choice = json!({"delta": delta, "index": 0});
    if let Some(reason) = reason {
        choice["finish_reason"] = reason.into();
    }
    openai::event(
        &json!({"choices": [choice], "model": "GigaChat:2.0.28.2", "object": "chat.completion"}),
    )
}

fn answer(text: &str) -> String {
    event(json!({"content": text, "role": "assistant"}), None)
        + &event(json!({"content": ""}), Some("stop"))
        + DONE
}

fn ask(text: &str) -> String {
    format!("@{}", json!({"messages": [{"role": "user", "content": text}]}))
}

#[test]
fn token_is_asked_for_with_basic_and_a_fresh_rquid() {
    let sber = Sber::streaming(answer("Hi"));
    sber.lines(&["scope=GIGACHAT_API_B2B"]);
    sber.lines(&["auth_scheme=bearer"]);
    let asked = sber.requests("/oauth");
    assert_eq!(asked[0].header("authorization"), Some("Basic test-key-secret"));
    assert_eq!(asked[1].header("authorization"), Some("Bearer test-key-secret"));
    assert_eq!(asked[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked[0].header("accept"), Some(JSON));
    assert_eq!(asked[0].body, b"scope=GIGACHAT_API_B2B");
    assert_eq!(asked[1].body, b"scope=GIGACHAT_API_PERS");
    let ids: Vec<&str> = asked.iter().map(|request| request.header("rquid").unwrap()).collect();
    assert!(ids[0].len() == 36 && ids[0].as_bytes()[14] == b'4' && ids[0] != ids[1], "{ids:?}");
    let chat = &sber.requests("/v1/chat/completions")[0];
    assert_eq!(chat.header("authorization"), Some("Bearer t1"));
    assert_eq!(chat.header("accept"), Some("text/event-stream"));
    assert_eq!(chat.header("cache-control"), Some("no-store"));
}

#[test]
fn ready_token_or_user_and_password_serve_as_well() {
    let sber = Sber::with_tokens(
        |_| json!({"tok": "t9", "exp": in_seconds(1800)}),
        |exchange| exchange.stream(answer("Hi")),
    );
    sber.lines(&["access_token=mine"]);
    sber.lines(&["user=u", "password=p"]);
    let chats = sber.requests("/v1/chat/completions");
    assert_eq!(chats[0].header("authorization"), Some("Bearer mine"));
    assert_eq!(chats[1].header("authorization"), Some("Bearer t9"));
    assert_eq!(sber.requests("/v1/token")[0].header("authorization"), Some("Basic dTpw"));
    assert!(sber.requests("/oauth").is_empty());
}

#[test]
fn query_of_the_base_url_follows_every_path() {
    let file = "<img src=\"f-1\" fuse=\"true\"/>";
    let paths = |args: &[&str]| {
        let sber = Sber::answering(move |exchange| match &exchange.request.path {
            path if path.contains("/token") => {
                let token = json!({"tok": "t", "exp": in_seconds(1800)});
                exchange.whole(200, JSON, token.to_string());
            }
            path if path.contains("/chat/") => exchange.stream(answer(file)),
            _ => exchange.whole(200, JSON, "{}"),
        });
        let base_url = format!("base_url={}/v1/?x=1", sber.server.url());
        sber.lines(&[&[&*base_url, "user=u", "password=p"], args].concat());
        let requests = sber.server.requests();
        requests.into_iter().map(|request| request.path).collect::<Vec<String>>()
    };
    let (token, chat, file) =
        ("/v1/token?x=1", "/v1/chat/completions?x=1", "/v1/files/f-1/content?x=1");
    assert_eq!(paths(&[]), [token, chat, file]);
    assert_eq!(paths(&["api_version=v2"]), [token, "/v2/chat/completions?x=1"]);
    let image =
        json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}});
    let request = json!({"messages": [{"role": "user", "content": [image]}]});
    assert_eq!(paths(&[&format!("@{request}")]), [token, "/v1/files?x=1"]);
}

#[test]
fn wrong_url_of_tokens_is_refused_when_it_is_set() {
    let sber = Sber::streaming(answer("Hi"));
    for wrong in ["http://127.0.0.1:99999/oauth", "http://user:secret@127.0.0.1/oauth", "https://"]
    {
        let error = sber.lines(&[&format!("auth_url={wrong}")]).remove(0);
        assert!(error.starts_with("error TOLMACH_E_ARGUMENT"), "{error}");
        assert!(error.contains("auth_url") && !error.contains("secret"), "{error}");
    }
    assert!(sber.server.requests().is_empty());
}

/// How many tokens two turns of one client take.
fn tokens_of_two_turns(token: impl Fn(usize) -> Value + Send + Sync + 'static) -> usize {
    let sber =
        Sber::with_tokens(token, |exchange| exchange.stream(openai::stream(&["a", "b", "c"])));
    sber.program("crowd").arg("-2").run().passed();
    sber.requests("/oauth").len()
}

#[test]
fn token_is_kept_until_a_minute_before_its_end_in_seconds_or_milliseconds() {
    let token = |end: u64| move |_| json!({"access_token": "t", "expires_at": end});
    assert_eq!(tokens_of_two_turns(token(in_seconds(90))), 1);
    assert_eq!(tokens_of_two_turns(token(in_seconds(90) * 1000)), 1);
    assert_eq!(tokens_of_two_turns(token(in_seconds(59))), 2);
    assert_eq!(tokens_of_two_turns(token(in_seconds(59) * 1000)), 2);
    assert_eq!(tokens_of_two_turns(|_| json!({"access_token": "t"})), 2);
}

#[test]
fn sessions_at_once_fetch_one_token() {
    let sber = Sber::answering(|exchange| exchange.stream(openai::stream(&["a", "b", "c"])));
    sber.program("crowd").arg("20").run().passed();
    assert_eq!(sber.requests("/v1/chat/completions").len(), 20);
    assert_eq!(sber.requests("/oauth").len(), 1);
}

#[test]
fn token_is_no_raw_chunk_and_no_answer_that_forbids_to_try_again() {
    let failures = AtomicUsize::new(0);
    let sber = Sber::answering(move |exchange| match failures.fetch_add(1, Ordering::SeqCst) {
        0 => exchange.whole(500, JSON, "{}"),
        _ => exchange.stream(answer("Hi")),
    });
    let lines = sber.lines(&["raw_chunks=true", "max_retries=1"]);
    assert!(lines.contains(&"end".to_owned()), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("access_token")), "{lines:?}");
}

#[test]
fn clients_of_one_account_share_its_token_and_those_of_others_do_not() {
    let sber = Sber::answering(|exchange| exchange.stream(answer("Hi")));
    let client = |key: &str, scope: &str| {
        let mut config = Config::new("gigachat").unwrap();
        let (base_url, auth_url) =
            (format!("{}/v1", sber.server.url()), format!("{}/oauth", sber.server.url()));
        let settings = [("base_url", &*base_url), ("auth_url", &auth_url), ("proxy", "direct")];
        for (name, value) in settings.into_iter().chain([("api_key", key), ("scope", scope)]) {
            config.set(name, Some(value)).unwrap();
        }
        Client::new(&config).unwrap()
    };
    // In one process, and all of them alive: else there would be nothing to share.
    let clients = [client("k1", "S"), client("k1", "S"), client("k2", "S"), client("k1", "T")];
    for client in &clients {
        let mut session = Session::open(client, &tolmach::Request::new(None)).unwrap();
        while let Polled::Chunk(_) = session.poll(None).unwrap() {}
    }
    let tokens: Vec<String> = sber
        .requests("/v1/chat/completions")
        .iter()
        .map(|request| request.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(tokens, ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t3"]);
    let keys: Vec<String> = sber
        .requests("/oauth")
        .iter()
        .map(|request| request.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(keys, ["Basic k1", "Basic k2", "Basic k1"]);
}

#[test]
fn token_that_came_over_an_unverified_connection_is_not_for_others() {
    let sber = Sber::streaming(answer("Hi"));
    let client = |verify: &str| {
        let mut config = Config::new("gigachat").unwrap();
        let url = sber.server.url();
        for (name, value) in [
            ("base_url", &*format!("{url}/v1")),
            ("auth_url", &format!("{url}/oauth")),
            ("proxy", "direct"),
            ("api_key", "k1"),
            ("tls_verify", verify),
        ] {
            config.set(name, Some(value)).unwrap();
        }
        Client::new(&config).unwrap()
    };
    let clients = [client("false"), client("true"), client("false")];
    for client in &clients {
        let mut session = Session::open(client, &tolmach::Request::new(None)).unwrap();
        while let Polled::Chunk(_) = session.poll(None).unwrap() {}
    }
    let chats = sber.requests("/v1/chat/completions");
    let tokens: Vec<&str> =
        chats.iter().map(|request| request.header("authorization").unwrap()).collect();
    assert_eq!(tokens, ["Bearer t1", "Bearer t2", "Bearer t1"]);
}

#[test]
fn refused_token_is_renewed_once() {
    // The kept token is refused from the second turn on.
    let turn = Arc::new(AtomicU64::new(0));
    let sber = Sber::answering(move |exchange| {
        let number = turn.fetch_add(1, Ordering::SeqCst);
        match (number, exchange.request.header("authorization")) {
            (1.., Some("Bearer t1")) => {
                exchange.whole(401, JSON, "{\"status\":401,\"message\":\"Token has expired\"}")
            }
            _ => exchange.stream(openai::stream(&["a", "b", "c"])),
        }
    });
    sber.program("crowd").arg("-2").run().passed();
    assert_eq!(sber.requests("/oauth").len(), 2);
    assert_eq!(sber.requests("/v1/chat/completions").len(), 3);
}

#[test]
fn fresh_token_that_is_refused_is_an_error() {
    let sber = Sber::with_tokens(
        |number| json!({"access_token": format!("token-{number}+/"), "expires_at": in_seconds(1800)}),
        |exchange| {
            let body = "{\"status\":401,\"message\":\"Unauthorized token-1\\u002B\\/\"}";
            exchange.whole(401, JSON, body)
        },
    );
    let error = sber.lines(&[]).remove(0);
    assert!(
        error.starts_with("error TOLMACH_E_AUTH http=401")
            && error.contains("Unauthorized [redacted]"),
        "{error}"
    );
    assert_eq!(sber.requests("/v1/chat/completions").len(), 1);
}

#[test]
fn errors_of_tokens_and_of_requests_are_told() {
    let refused = Server::start(|exchange| {
        exchange.whole(401, JSON, "{\"code\":6,\"message\":\"credentials doesn't match db data\"}")
    });
    let sber = Sber { server: refused };
    let error = sber.lines(&[]).remove(0);
    assert!(
        error.starts_with("error TOLMACH_E_AUTH http=401 retry_after=-1 code=\"6\""),
        "{error}"
    );
    for (status, class) in [
        (404, "NOT_FOUND"),
        (402, "QUOTA"),
        (413, "BAD_REQUEST"),
        (422, "BAD_REQUEST"),
        (500, "SERVER"),
    ] {
        let sber = Sber::answering(move |exchange| {
            exchange.whole(
                status,
                JSON,
                json!({"status": status, "message": "No such thing"}).to_string(),
            );
        });
        let error = sber.lines(&[]).remove(0);
        assert!(
            error.starts_with(&format!("error TOLMACH_E_{class} http={status}"))
                && error.contains("No such thing"),
            "{error}"
        );
    }
}

#[test]
fn key_is_wanted_or_named() {
    let program =
        c::program("stream").arg("http://127.0.0.1:1").env("TEST_PROVIDER", Some("gigachat"));
    let stdout = program
        .env("TEST_NO_KEY", Some("1"))
        .env("GIGACHAT_CREDENTIALS", None)
        .run()
        .passed()
        .stdout;
    assert!(
        stdout.starts_with("error TOLMACH_E_AUTH") && stdout.contains("GIGACHAT_CREDENTIALS"),
        "{stdout}"
    );
}

#[test]
fn key_of_the_environment_is_not_seen_in_errors() {
    let server = Server::start(|exchange| {
        let key = exchange.request.header("authorization").unwrap().replace("Basic ", "");
        exchange.whole(401, JSON, json!({"code": 4, "message": format!("bad {key}")}).to_string());
    });
    let program = c::program("stream").arg(format!("{}/v1", server.url()));
    let program = program.arg(format!("auth_url={}/oauth", server.url()));
    let program = program.env("TEST_PROVIDER", Some("gigachat")).env("TEST_NO_KEY", Some("1"));
    let out = program.env("GIGACHAT_CREDENTIALS", Some("from-environment")).run().passed().stdout;
    assert!(out.contains("bad [redacted]") && !out.contains("from-environment"), "{out}");
}

#[test]
fn request_without_extras_is_plain() {
    assert_eq!(
        Sber::asked(json!({"messages": [{"role": "user", "content": "Capital of Norway?"}]})),
        json!({"model": "GigaChat-2", "messages": [{"role": "user", "content": "Capital of Norway?"}], "stream": true})
    );
}

#[test]
fn openai_parameters_become_gigachats() {
    let asked = Sber::asked(
        json!({"model": "GigaChat-2-Max", "messages": [], "temperature": 0, "max_completion_tokens": 9,
        "seed": 1, "stop": ["x"], "user": "u", "update_interval": 0.5, "profanity_check": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}}}),
    );
    assert_eq!(
        asked,
        json!({"model": "GigaChat-2-Max", "messages": [], "top_p": 0, "max_tokens": 9, "stream": true,
            "update_interval": 0.5, "profanity_check": false,
            "response_format": {"type": "json_schema", "schema": {"type": "object"}, "strict": true},
            "functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"}})
    );
    let required = Sber::asked(json!({"messages": [], "tool_choice": "required"}));
    assert_eq!(required["function_call"], "auto");
}

#[test]
fn system_comes_first_and_neighbours_of_one_role_are_joined() {
    let asked = Sber::asked(json!({"messages": [
        {"role": "user", "content": "a"}, {"role": "developer", "content": "S"}, {"role": "system", "content": "b"},
        {"role": "assistant", "content": "c"}, {"role": "stranger", "content": [{"type": "text", "text": "d"}, {"type": "text", "text": "e"}]}]}));
    assert_eq!(
        asked["messages"],
        json!([{"role": "system", "content": "S"}, {"role": "user", "content": "a\nb"},
            {"role": "assistant", "content": "c"}, {"role": "user", "content": "d\ne"}])
    );
}

#[test]
fn tool_calls_and_results_become_functions_one_a_turn() {
    let id = "77d3fb14-457a-46ba-937e-8d856156d003";
    let call = |id: &str, city: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": json!({"city": city}).to_string()}});
    let asked = Sber::asked(json!({"messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": null, "tool_calls": [call(id, "Oslo"), call("call_x", "Rome")]},
        {"role": "tool", "tool_call_id": "call_x", "content": "warm"},
        {"role": "tool", "tool_call_id": id, "content": "{\"temp\":3}"}]}));
    assert_eq!(
        asked["messages"],
        json!([
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "", "function_call": {"name": "weather", "arguments": {"city": "Oslo"}}, "functions_state_id": id},
            {"role": "function", "name": "weather", "content": "{\"temp\":3}"},
            {"role": "assistant", "content": "", "function_call": {"name": "weather", "arguments": {"city": "Rome"}}},
            {"role": "function", "name": "weather", "content": "{\"result\":\"warm\"}"},
        ])
    );
}

#[test]
fn results_of_ids_that_repeat_stay_with_their_turn() {
    let turn = |result: &str| {
        [
            json!({"role": "assistant", "tool_calls": [{"id": "call_0", "function": {"name": "f", "arguments": "{}"}}]}),
            json!({"role": "tool", "tool_call_id": "call_0", "content": result}),
        ]
    };
    let messages = [turn("1"), turn("2")].concat();
    let asked = Sber::asked(json!({"messages": messages}));
    let results: Vec<&Value> = asked["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["role"] == "function")
        .map(|message| &message["content"])
        .collect();
    assert_eq!(results, [&json!("{\"result\":1}"), &json!("{\"result\":2}")]);
}

#[test]
fn images_are_uploaded_and_attached() {
    let sber = Sber::answering(|exchange| match exchange.request.path.as_str() {
        "/v1/files" => exchange.whole(200, JSON, "{\"id\":\"file-1\"}"),
        _ => exchange.stream(answer("Hi")),
    });
    let request = json!({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}, {"type": "text", "text": "What?"}]}]});
    sber.lines(&[&format!("@{request}")]);
    let upload = &sber.requests("/v1/files")[0];
    let body = String::from_utf8_lossy(&upload.body);
    assert!(upload.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    assert!(body.contains("name=\"purpose\"\r\n\r\ngeneral\r\n"), "{body}");
    assert!(
        body.contains("filename=\"file.png\"\r\nContent-Type: image/png\r\n\r\n\u{fffd}PNG"),
        "{body}"
    );
    assert_eq!(
        sber.requests("/v1/chat/completions")[0].json()["messages"],
        json!([{"role": "user", "content": "What?", "attachments": ["file-1"]}])
    );
}

#[test]
fn documents_are_uploaded_as_well_and_what_is_no_base64_is_refused() {
    let ask = |part: Value| {
        let sber = Sber::answering(|exchange| match exchange.request.path.as_str() {
            "/v1/files" => exchange.whole(200, JSON, "{\"id\":\"f-1\"}"),
            _ => exchange.stream(answer("Hi")),
        });
        let request = json!({"messages": [{"role": "user", "content": [part]}]});
        let lines = sber.lines(&[&format!("@{request}")]);
        (sber, lines)
    };
    let (sber, _) =
        ask(json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}));
    let asked = sber.requests("/v1/chat/completions")[0].json();
    assert_eq!(asked["messages"][0]["attachments"], json!(["f-1"]));
    let (_, lines) =
        ask(json!({"type": "input_audio", "input_audio": {"data": "?", "format": "mp3"}}));
    assert!(lines[0].starts_with("error TOLMACH_E_ARGUMENT"), "{lines:?}");
}

/// A server of files, and a GigaChat that takes them; the lines of a request with the URL
/// of a file of that server, which `at` makes of its address.
fn attached(
    files: &Server,
    at: impl Fn(SocketAddr) -> String,
    settings: &[&str],
) -> (Sber, Vec<String>) {
    let sber = Sber::answering(|exchange| match exchange.request.path.as_str() {
        "/v1/files" => exchange.whole(200, JSON, "{\"id\":\"f-1\"}"),
        _ => exchange.stream(answer("Hi")),
    });
    let part = json!({"type": "image_url", "image_url": {"url": at(files.address())}});
    let request = format!("@{}", json!({"messages": [{"role": "user", "content": [part]}]}));
    let lines = sber.lines(&[&[&*request], settings].concat());
    (sber, lines)
}

const FETCHES: &str = "fetch_urls=true";
const FETCHES_PRIVATE: &str = "fetch_private_urls=true";

fn png(exchange: &mut Exchange) {
    exchange.whole(200, "image/png", b"\x89PNG\r\n\x1a\n");
}

#[test]
fn attached_url_is_fetched_only_if_the_config_says_so() {
    let files = Server::start(png);
    let at = |address| format!("http://{address}/a.png");
    for settings in [&[][..], &["fetch_urls=false", FETCHES_PRIVATE], &[FETCHES_PRIVATE]] {
        let (sber, lines) = attached(&files, at, settings);
        assert!(lines[0].starts_with("error TOLMACH_E_UNSUPPORTED"), "{lines:?}");
        assert!(lines[0].contains("fetch_urls"), "{lines:?}");
        assert!(sber.requests("/v1/chat/completions").is_empty());
    }
    assert_eq!(files.connections(), 0);
    let (sber, lines) = attached(&files, at, &[FETCHES, FETCHES_PRIVATE]);
    assert!(lines.contains(&"end".to_owned()), "{lines:?}");
    let upload = sber.requests("/v1/files").remove(0);
    assert!(String::from_utf8_lossy(&upload.body).contains("Content-Type: image/png"));
    let chat = sber.requests("/v1/chat/completions").remove(0);
    assert_eq!(chat.json()["messages"][0]["attachments"], json!(["f-1"]));
}

#[test]
fn attached_url_of_a_private_address_is_refused_whatever_it_is_called() {
    let files = Server::start(png);
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "127.0.0.2"] {
        let at = |address: SocketAddr| format!("http://{host}:{}/a.png", address.port());
        let (sber, lines) = attached(&files, at, &[FETCHES]);
        assert!(lines[0].starts_with("error TOLMACH_E_ARGUMENT"), "{host}: {lines:?}");
        assert!(lines[0].contains("fetch_private_urls"), "{host}: {lines:?}");
        assert!(sber.server.requests().is_empty());
    }
    // Not even on the host of the API itself.
    let sber = Sber::streaming(answer("Hi"));
    let url = format!("{}/v1/files/x", sber.server.url());
    let request = json!({"messages": [{"role": "user", "content": [{"image_url": url}]}]});
    let lines = sber.lines(&[FETCHES, &format!("@{request}")]);
    assert!(lines[0].contains("fetch_private_urls"), "{lines:?}");
    assert_eq!((files.connections(), sber.server.connections()), (0, 0));
}

#[test]
fn attached_url_that_is_none_is_told() {
    let files = Server::start(png);
    for (url, why) in [
        ("file:///etc/passwd", "http"),
        ("http://127.0.0.1:99999/a.png", "port"),
        ("http://user:secret@127.0.0.1/a.png", "password"),
        ("http://2130706433/", "IPv4"),
        ("data:image/png,abc", "base64"),
    ] {
        let (_, lines) = attached(&files, |_| url.to_owned(), &[FETCHES, FETCHES_PRIVATE]);
        assert!(lines[0].starts_with("error TOLMACH_E_ARGUMENT"), "{url}: {lines:?}");
        assert!(lines[0].contains(why) && !lines[0].contains("secret"), "{url}: {lines:?}");
    }
}

#[test]
fn attached_url_gets_no_credentials() {
    let files = Server::start(png);
    let mine = "headers={\"X-Mine\":\"secret\",\"Authorization\":\"secret\",\"Cookie\":\"secret\"}";
    let at = |address| format!("http://{address}/a.png");
    attached(&files, at, &[FETCHES, FETCHES_PRIVATE, mine]);
    // On the host of the API as well: it could be anybody's path.
    let endpoint = format!("base_url={}", files.url());
    attached(&files, at, &[FETCHES, FETCHES_PRIVATE, mine, &endpoint]);
    let fetched: Vec<Request> =
        files.requests().into_iter().filter(|request| request.path == "/a.png").collect();
    assert_eq!(fetched.len(), 2);
    for (name, value) in fetched.iter().flat_map(|request| &request.headers) {
        assert!(
            ["host", "accept", "user-agent"].contains(&&*name.to_lowercase()),
            "{name}: {value}"
        );
    }
}

#[test]
fn attached_url_that_redirects_is_not_followed() {
    let target = Server::start(png);
    let location = format!("{}/a.png?token=1", target.url());
    let files = Server::start(move |exchange| {
        exchange.head(302, &[("Location", &location), ("Content-Length", "0")]);
    });
    let at = |address| format!("http://{address}/a.png");
    let (_, lines) = attached(&files, at, &[FETCHES, FETCHES_PRIVATE]);
    assert!(lines[0].starts_with("error TOLMACH_E_PROTOCOL http=302"), "{lines:?}");
    assert!(lines[0].contains("the URL it redirects to"), "{lines:?}");
    assert!(!lines[0].contains("token") && !lines[0].contains("base_url"), "{lines:?}");
    assert_eq!(target.connections(), 0);
}

#[test]
fn file_larger_than_an_event_may_be_is_refused() {
    let serve = |size: usize| {
        Server::start(move |exchange| exchange.whole(200, "image/png", vec![0x89; size]))
    };
    let at = |address| format!("http://{address}/a.png");
    let settings = [FETCHES, FETCHES_PRIVATE, "max_event_bytes=4096"];
    let (_, lines) = attached(&serve(4096), at, &settings);
    assert!(lines.contains(&"end".to_owned()), "{lines:?}");
    let (_, lines) = attached(&serve(4097), at, &settings);
    assert!(lines[0].starts_with("error TOLMACH_E_TOO_LARGE"), "{lines:?}");
    assert!(lines[0].contains("4096") && lines[0].contains("max_event_bytes"), "{lines:?}");
    // The same goes for a file that an answer shows.
    let shown = |size: usize| {
        let sber = Sber::answering(move |exchange| match exchange.request.path.as_str() {
            "/v1/chat/completions" => exchange.stream(answer("<img src=\"f-1\" fuse=\"true\"/>")),
            _ => exchange.whole(200, "image/jpg", vec![0xff; size]),
        });
        sber.lines(&["max_event_bytes=4096"])
    };
    assert!(shown(4096).iter().any(|line| line.ends_with("bytes=4096")));
    let lines = shown(4097);
    assert!(lines.iter().any(|line| line.starts_with("error TOLMACH_E_TOO_LARGE")), "{lines:?}");
}

#[test]
fn answers_stream_with_usage_and_cached_tokens() {
    let last = openai::event(
        &json!({"choices": [{"delta": {"content": ""}, "index": 0, "finish_reason": "stop"}], "model": "GigaChat:2.0.28.2",
        "usage": {"prompt_tokens": 17, "completion_tokens": 4, "total_tokens": 21, "precached_prompt_tokens": 2}}),
    );
    let events = event(json!({"content": "Os", "role": "assistant"}), None)
        + &event(json!({"content": "lo."}), None)
        + &last
        + DONE;
    let expected = [
        "start 0 0 \"\" name=\"GigaChat:2.0.28.2\"",
        "text 0 0 \"Os\"",
        "text 0 0 \"lo.\"",
        "usage 0 0 \"\" input=17 output=4 total=21 cached=2 reasoning=-1",
        "finish 0 0 \"stop\" name=\"stop\"",
        "end",
        "reply {\"role\":\"assistant\",\"content\":\"Oslo.\"}",
    ];
    assert_eq!(Sber::streaming(events.clone()).lines(&[]), expected);
    // No space after the colon, CRLF, no line end at the end: all of one meaning.
    let bare = events.replace("data: ", "data:").replace('\n', "\r\n");
    assert_eq!(Sber::streaming(bare.trim_end()).lines(&[]), expected);
    let bytewise = Sber::answering(move |exchange| {
        exchange.head(
            200,
            &[("Content-Type", "text/event-stream"), ("Content-Length", &events.len().to_string())],
        );
        exchange.send_byte_by_byte(&events);
    });
    assert_eq!(bytewise.lines(&[]), expected);
}

#[test]
fn whole_answers_are_read_whole() {
    let body = json!({"choices": [{"message": {"content": "Oslo.\nYes.", "role": "assistant"}, "index": 0, "finish_reason": "stop"}],
        "model": "GigaChat:2.0.28.2", "object": "chat.completion", "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}});
    let pretty = serde_json::to_string_pretty(&body).unwrap();
    let sber = Sber::answering(move |exchange| exchange.whole(200, JSON, &pretty));
    let lines = sber.lines(&["@{\"stream\":false,\"messages\":[]}"]);
    assert_eq!(lines[1], "text 0 0 \"Oslo.\\nYes.\"");
    assert_eq!(
        sber.requests("/v1/chat/completions")[0].json(),
        json!({"model": "GigaChat-2", "messages": []})
    );
}

#[test]
fn function_call_is_a_tool_call_whose_id_is_the_state() {
    let events = event(
        json!({"role": "assistant", "content": "", "functions_state_id": "77d3fb14-457a-46ba-937e-8d856156d003",
        "function_call": {"name": "weather", "arguments": {"city": "Oslo"}}}),
        None,
    ) + &event(json!({"content": ""}), Some("function_call"))
        + DONE;
    let lines = Sber::streaming(events).lines(&[]);
    assert_eq!(
        lines[1],
        "tool 0 0 \"{\\\"city\\\":\\\"Oslo\\\"}\" id=\"77d3fb14-457a-46ba-937e-8d856156d003\" name=\"weather\""
    );
    assert_eq!(lines[2], "finish 0 0 \"tool_calls\" name=\"function_call\"");
}

#[test]
fn progress_is_no_text_and_reasons_have_their_names() {
    let events =
        event(json!({"role": "function_in_progress", "content": "12", "name": "text2image"}), None)
            + &event(json!({"content": "x", "reasoning_content": "hm"}), None)
            + &event(json!({"content": ""}), Some("blacklist"))
            + DONE;
    let lines = Sber::streaming(events).lines(&[]);
    assert_eq!(
        lines[1..5],
        [
            "progress 0 0 \"12\"",
            "reasoning 0 0 \"hm\" name=\"reasoning_content\"",
            "text 0 0 \"x\"",
            "finish 0 0 \"content_filter\" name=\"blacklist\"",
        ]
    );
    let failed = Sber::streaming(event(json!({"content": ""}), Some("error")) + DONE).lines(&[]);
    assert!(failed[1].starts_with("error TOLMACH_E_SERVER"), "{failed:?}");
}

#[test]
fn images_in_the_text_come_as_bytes() {
    let sber = Sber::answering(|exchange| match exchange.request.path.as_str() {
        "/v1/files/b28fbd8a-2ef2/content" => exchange.whole(200, "image/jpg", b"\xff\xd8\xff jpeg"),
        _ => exchange.stream(
            event(json!({"content": "Here <im"}), None)
                + &event(json!({"content": "g src=\"b28fbd8a-2ef2\" fuse=\"true\"/> it is"}), None)
                + &event(json!({"content": ""}), Some("stop"))
                + DONE,
        ),
    });
    let lines = sber.lines(&[&ask("Draw a cat")]);
    assert_eq!(
        lines[1..5],
        [
            "text 0 0 \"Here \"",
            "text 0 0 \" it is\"",
            "image 0 0 \"\" mime=\"image/jpeg\" bytes=8",
            "finish 0 0 \"stop\" name=\"stop\""
        ]
    );
    let file = &sber.requests("/v1/files/b28fbd8a-2ef2/content")[0];
    assert_eq!(file.header("accept"), Some("application/jpg"));
    assert_eq!(file.header("authorization"), Some("Bearer t1"));
}

#[test]
fn markup_in_the_text_that_shows_no_file_is_text() {
    let text = "Write <img src=\"cat.jpg\" alt=\"A cat\"> here";
    let lines = Sber::streaming(answer(text)).lines(&[]);
    let said: String = lines.iter().filter_map(|line| line.strip_prefix("text 0 0 ")).collect();
    assert_eq!(said.replace("\\\"", "'").replace('"', ""), text.replace('"', "'"), "{lines:?}");
    assert!(lines.contains(&"end".to_owned()), "{lines:?}");
}

#[test]
fn models_that_chat_are_listed() {
    let sber = Sber::answering(|exchange| {
        exchange.whole(200, JSON, "{\"object\":\"list\",\"data\":[{\"id\":\"GigaChat-2\",\"owned_by\":\"salutedevices\",\"type\":\"chat\"},\
            {\"id\":\"Embeddings\",\"type\":\"embedder\"},{\"id\":\"GigaChat\"}]}");
    });
    let stdout = sber.program("models").arg("-1").run().passed().stdout;
    let ids: Vec<&str> = stdout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(ids, ["\"GigaChat-2\"", "\"GigaChat\""]);
    assert!(stdout.starts_with("\"GigaChat-2\" owner=\"salutedevices\""));
}

#[test]
fn second_version_speaks_in_parts_and_named_events() {
    let sber = Sber::streaming(
        "event: response.message.delta\ndata: {\"model\":\"GigaChat-3-Ultra:32\",\"created_at\":\"1\",\"messages\":[{\"role\":\"reasoning\",\"content\":\"hm\"},{\"role\":\"assistant\",\"content\":[{\"text\":\"1, 2\"}]}]}\n\n\
         event: response.tool.completed\ndata: {\"tool_execution\":{\"name\":\"web_search\",\"status\":\"success\"}}\n\n\
         event: response.message.delta\ndata: {\"messages\":[{\"role\":\"assistant\",\"tools_state_id\":\"s-1\",\"content\":[{\"function_call\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]}]}\n\n\
         event: response.message.done\ndata: {\"finish_reason\":\"function_call\",\"usage\":{\"input_tokens\":19,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":8,\"total_tokens\":27}}\n\n",
    );
    let request = json!({"temperature": 0.5, "reasoning_effort": "low", "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [{"id": "77d3fb14-457a-46ba-937e-8d856156d003", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "77d3fb14-457a-46ba-937e-8d856156d003", "content": "{\"y\":2}"}],
        "tools": [{"type": "function", "function": {"name": "f"}}, {"web_search": {}}], "tool_choice": "auto"});
    let lines = sber.lines(&["api_version=v2", &format!("@{request}")]);
    assert_eq!(
        lines[..7],
        [
            "start 0 0 \"\" name=\"GigaChat-3-Ultra:32\"",
            "reasoning 0 0 \"hm\" name=\"reasoning\"",
            "text 0 0 \"1, 2\"",
            "progress 0 0 \"web_search success\"",
            "tool 0 0 \"{\\\"x\\\":1}\" id=\"s-1\" name=\"f\"",
            "usage 0 0 \"\" input=19 output=8 total=27 cached=4 reasoning=-1",
            "finish 0 0 \"tool_calls\" name=\"function_call\"",
        ]
    );
    assert_eq!(
        sber.requests("/v2/chat/completions")[0].json(),
        json!({"model": "GigaChat-2", "stream": true,
            "messages": [{"role": "system", "content": [{"text": "S"}]}, {"role": "user", "content": [{"text": "Hi"}]},
                {"role": "assistant", "content": [{"function_call": {"name": "f", "arguments": {}}}], "tools_state_id": "77d3fb14-457a-46ba-937e-8d856156d003"},
                {"role": "tool", "content": [{"function_result": {"name": "f", "result": {"y": 2}}}]}],
            "model_options": {"temperature": 0.5, "reasoning": {"effort": "low"}},
            "tools": [{"functions": {"specifications": [{"name": "f"}]}}, {"web_search": {}}],
            "tool_config": {"mode": "auto"}})
    );
    let cut = Sber::streaming(
        "event: response.message.delta\ndata: {\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"}]}\n\n",
    );
    let lines = cut.lines(&["api_version=v2"]);
    assert!(lines.iter().any(|line| line.starts_with("error TOLMACH_E_TRUNCATED")), "{lines:?}");
}

#[test]
fn second_version_bears_what_the_first_does() {
    let done = "data: {\"finish_reason\":\"stop\"}\n\n";
    let sber = Sber::streaming(
        "data:\n\ndata: {\"messages\":[{\"content\":\"a\\ud83d\"},{\"content\":[{\"files\":[{}]}]}]}\n\n".to_owned()
            + "data: {\"messages\":[{\"content\":\"\\ude42\"},{\"content\":\"\\ude42\"}]}\n\n"
            + done,
    );
    let lines = sber.lines(&["api_version=v2"]);
    assert_eq!(
        lines[1..6],
        [
            "text 0 0 \"a\"",
            "text 0 0 \"\u{1f642}\"",
            "text 0 0 \"\u{fffd}\"",
            "finish 0 0 \"stop\" name=\"stop\"",
            "end"
        ]
    );
    let cut = Sber::answering(|exchange| exchange.whole(200, JSON, "{\"messages\":[{\"cont"));
    let lines = cut.lines(&["api_version=v2"]);
    assert!(lines[0].starts_with("error TOLMACH_E_TRUNCATED"), "{lines:?}");
}

#[test]
fn conversation_of_three_turns_with_a_tool_call_goes_through() {
    let turn = AtomicUsize::new(0);
    let sber = Sber::answering(move |exchange| {
        match exchange.request.path.as_str() {
        "/v1/files" => exchange.whole(200, JSON, "{\"id\":\"file-1\"}"),
        _ => exchange.stream(match turn.fetch_add(1, Ordering::SeqCst) {
            0 => {
                event(json!({"role": "assistant", "content": "", "functions_state_id": "77d3fb14-457a-46ba-937e-8d856156d003",
                    "function_call": {"name": "weather", "arguments": {"city": "Oslo"}}}), Some("function_call")) + DONE
            }
            1 => answer("Three degrees."),
            _ => answer("A picture."),
        }),
    }
    });
    sber.program("conversation").run().passed();
    let asked: Vec<Value> =
        sber.requests("/v1/chat/completions").iter().map(Request::json).collect();
    assert_eq!(asked[0]["functions"][0]["name"], "weather");
    assert_eq!(
        asked[2]["messages"],
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Oslo?"},
            {"role": "assistant", "content": "", "function_call": {"name": "weather", "arguments": {"city": "Oslo"}},
                "functions_state_id": "77d3fb14-457a-46ba-937e-8d856156d003"},
            {"role": "function", "name": "weather", "content": "{\"temp\":3}"},
            {"role": "assistant", "content": "Three degrees."},
            {"role": "user", "content": "And this?", "attachments": ["file-1"]},
        ])
    );
}

#[test]
fn second_version_answers_whole_and_shows_files() {
    let sber = Sber::answering(|exchange| {
        match exchange.request.path.as_str() {
        "/v1/files/f-1/content" => exchange.whole(200, "image/jpeg", b"\xff\xd8\xff"),
        _ => exchange.whole(
            200,
            JSON,
            json!({"model": "G", "messages": [{"role": "assistant", "content": [{"text": "See"}, {"files": [{"id": "f-1", "mime": "image/jpeg"}]}]}],
                "finish_reason": "stop", "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}})
            .to_string(),
        ),
    }
    });
    let lines = sber.lines(&[
        "api_version=v2",
        "@{\"stream\":false,\"messages\":[],\"tool_choice\":{\"function\":{\"name\":\"f\"}}}",
    ]);
    assert_eq!(lines[1..3], ["text 0 0 \"See\"", "image 0 0 \"\" mime=\"image/jpeg\" bytes=3"]);
    assert_eq!(lines[4..6], ["finish 0 0 \"stop\" name=\"stop\"", "end"]);
    let asked = sber.requests("/v2/chat/completions")[0].json();
    assert_eq!(asked["tool_config"], json!({"mode": "forced", "function_name": "f"}));
    let error =
        Sber::streaming("event: error\ndata: {\"error\":{\"message\":\"m\",\"code\":429}}\n\n");
    assert!(
        error.lines(&["api_version=v2", "max_retries=0"])[0]
            .starts_with("error TOLMACH_E_RATE_LIMITED")
    );
}

#[test]
fn image_is_delivered_before_the_next_one_is_fetched() {
    const TEXT: &str = "See <img src=\"f-1\" fuse=\"true\"/><img src=\"f-2\" fuse=\"true\"/>";
    for version in ["api_version=v1", "api_version=v2"] {
        let seen = Gate::default();
        let first_seen = seen.clone();
        let sber = Sber::answering(move |exchange| {
            match exchange.request.path.as_str() {
            "/v1/files/f-1/content" => exchange.whole(200, "image/jpeg", b"\xff\xd8\xff"),
            "/v1/files/f-2/content" => {
                first_seen.wait();
                exchange.whole(200, "image/jpeg", b"\xff\xd8\xff\xff");
            }
            "/v1/chat/completions" => exchange.stream(answer(TEXT)),
            _ => exchange.stream(openai::event(&json!({"model": "G", "finish_reason": "stop",
                "messages": [{"role": "assistant", "content": [{"text": "See "}, {"files": [{"id": "f-1"}, {"id": "f-2"}]}]}]}))),
        }
        });
        let mut program = sber.program("stream").arg(version);
        program = program.arg(format!("auth_url={}/oauth", sber.server.url()));
        let mut program = program.spawn();
        let mut next = || program.line();
        assert!(next().starts_with("start "));
        assert_eq!(next(), "text 0 0 \"See \"");
        assert_eq!(next(), "image 0 0 \"\" mime=\"image/jpeg\" bytes=3");
        seen.open();
        assert_eq!(next(), "image 0 1 \"\" mime=\"image/jpeg\" bytes=4");
        program.finish().passed();
    }
}

#[test]
fn more_images_than_the_limit_are_too_large() {
    for version in ["api_version=v1", "api_version=v2"] {
        let sber = Sber::answering(|exchange| {
            match exchange.request.path.as_str() {
            "/v1/chat/completions" => {
                exchange.stream(answer(&"<img src=\"f-1\" fuse=\"true\"/>".repeat(4)))
            }
            "/v2/chat/completions" => exchange.stream(openai::event(&json!({"finish_reason": "stop",
                "messages": [{"role": "assistant", "content": [{"files": vec![json!({"id": "f-1"}); 4]}]}]}))),
            _ => exchange.whole(200, "image/jpeg", b"\xff\xd8\xff"),
        }
        });
        assert!(sber.lines(&[version, "max_tool_calls=4"]).contains(&"end".to_owned()));
        let few = sber.lines(&[version, "max_tool_calls=3"]).concat();
        assert!(
            few.contains("error TOLMACH_E_TOO_LARGE") && few.contains("(max_tool_calls)"),
            "{few}"
        );
    }
}

#[test]
fn audio_is_uploaded_and_older_messages_are_taken() {
    let sber = Sber::answering(|exchange| match exchange.request.path.as_str() {
        "/v1/files" => exchange.whole(200, JSON, "{\"id\":\"file-9\"}"),
        _ => exchange.stream(answer("Hi")),
    });
    let request = json!({"functions": [{"name": "f"}], "messages": [
        {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": {}}},
        {"role": "function", "name": "f", "content": "3"},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRgAAAABXQVZF", "format": "wav"}}, {"type": "text", "text": "Hear"}]}]});
    sber.lines(&[&format!("@{request}")]);
    assert!(
        String::from_utf8_lossy(&sber.requests("/v1/files")[0].body)
            .contains("filename=\"file.wav\"")
    );
    let asked = sber.requests("/v1/chat/completions")[0].json();
    assert_eq!(asked["functions"], json!([{"name": "f"}]));
    assert_eq!(
        asked["messages"],
        json!([
            {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": {}}},
            {"role": "function", "name": "f", "content": "{\"result\":3}"},
            {"role": "user", "content": "Hear", "attachments": ["file-9"]},
        ])
    );
}

#[test]
fn image_that_cannot_be_had_is_an_error_after_the_text() {
    let sber = Sber::answering(|exchange| match exchange.request.path.as_str() {
        "/v1/chat/completions" => {
            exchange.stream(answer("Here <img src=\"b28fbd8a-2ef2\" fuse=\"true\"/>"))
        }
        _ => exchange.whole(404, JSON, "{\"status\":404,\"message\":\"No such file\"}"),
    });
    let lines = sber.lines(&[]);
    assert_eq!(lines[1], "text 0 0 \"Here \"");
    assert!(
        lines[2].starts_with("error TOLMACH_E_NOT_FOUND") && lines[2].contains("No such file"),
        "{lines:?}"
    );
}
