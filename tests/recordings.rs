//! Recordings: what is written, what is not, and what playing them back gives.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails where it cannot go on"
)]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use support::c;
use support::openai::{self, DONE, delta, finish, text, usage};
use support::server::Server;
use tolmach::{Client, Config, Error, ErrorKind, Polled, Request, Session};

/// Where nobody listens: who asks there is refused.
const NOWHERE: &str = "http://127.0.0.1:1/v1";

/// A file of the test's own that is not there.
fn place(name: &str) -> PathBuf {
    let path = c::workshop().join(name);
    fs::remove_file(&path).ok();
    path
}

fn client(provider: &str, settings: &[(&str, &str)]) -> Result<Client, Error> {
    let mut config = Config::new(provider)?;
    config.set("proxy", Some("direct"))?;
    for (key, value) in settings {
        config.set(key, Some(value))?;
    }
    Client::new(&config)
}

fn recording(server: &Server, path: &Path, more: &[(&str, &str)]) -> Client {
    let (url, path) = (format!("{}/v1", server.url()), path.to_str().unwrap());
    let settings = [("base_url", &*url), ("api_key", "key-of-the-test"), ("record_file", path)];
    client("openai", &[&settings, more].concat()).unwrap()
}

fn replaying(path: &Path, more: &[(&str, &str)]) -> Client {
    let settings = [("base_url", NOWHERE), ("replay_file", path.to_str().unwrap())];
    client("openai", &[&settings, more].concat()).unwrap()
}

fn ask(client: &Client, prompt: &str) -> Result<String, Error> {
    let mut request = Request::new(Some("m"));
    request.message("user", prompt)?;
    let mut session = Session::open(client, &request)?;
    let mut said = String::new();
    loop {
        match session.poll(None)? {
            Polled::Chunk(chunk) => said += &format!("{:?} {}|", chunk.kind, chunk.text),
            Polled::End => return Ok(said),
            Polled::Pending => {}
        }
    }
}

/// A recording of one answer: its moments, in milliseconds after the request.
fn written(name: &str, moments: &[(u64, Value)]) -> PathBuf {
    let path = place(name);
    let mut lines = vec![
        json!({"tolmach_recording": 1}),
        json!({"exchange": 1, "at_ms": 0, "method": "POST", "url": "https://a/v1/chat/completions"}),
        json!({"exchange": 1, "at_ms": 0, "status": 200, "headers": []}),
    ];
    for (at, moment) in moments {
        let mut line = json!({"exchange": 1, "at_ms": at});
        line.as_object_mut().unwrap().extend(moment.as_object().unwrap().clone());
        lines.push(line);
    }
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, lines).unwrap();
    path
}

#[test]
fn replayed_answer_is_the_recorded_one_without_server_or_key() {
    let call = json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function",
        "function": {"name": "f", "arguments": "{}"}}]});
    let events = delta(json!({"reasoning_content": "Hm."}))
        + &text("Привет 👩‍👩‍👧")
        + &delta(call)
        + &finish("tool_calls")
        + &usage(3, 5)
        + DONE;
    let path = place("whole.jsonl");
    let record = format!("record_file={}", path.display());
    let replay = format!("replay_file={}", path.display());
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        exchange.send_byte_by_byte(format!("{:x}\r\n{events}\r\n0\r\n\r\n", events.len()));
    });
    let recorded = c::program("stream").arg(server.url()).arg(record).run().passed().stdout;
    drop(server);
    let replayed = c::program("stream")
        .env("TEST_NO_KEY", Some("1"))
        .env("OPENAI_API_KEY", None)
        .arg("http://127.0.0.1:1")
        .arg(replay)
        .run()
        .passed()
        .stdout;
    assert!(recorded.contains("👩‍👩‍👧") && recorded.contains("\nend\n"), "{recorded}");
    assert_eq!(replayed, recorded);
}

#[test]
fn recording_shows_no_credential() {
    let key = "key-of-the-test";
    let server = Server::start(move |exchange| {
        if exchange.number == 0 {
            let body = text("A key: ") + &text(key) + &finish("stop") + DONE;
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(body.as_bytes()).unwrap();
            return exchange.whole(200, "text/event-stream", packed.finish().unwrap());
        }
        exchange.head(
            401,
            &[("Set-Cookie", "session=of-theirs"), ("X-Echo", key), ("Connection", "close")],
        );
        exchange.send(r#"{"error":{"message":"Incorrect key key-of"#);
        exchange.send(format!("-the-test and {}\"}}}}", "other-secret"));
        exchange.close();
    });
    let path = place("secret.jsonl");
    let url = format!("{}/v1/chat/completions?key=query-secret", server.url());
    let more = [("headers", r#"{"X-Api-Key":"other-secret"}"#), ("endpoint", &*url)];
    let client = recording(&server, &path, &more);
    assert!(ask(&client, "one").unwrap().contains(key));
    assert_eq!(ask(&client, "two").unwrap_err().kind(), ErrorKind::Auth);
    let recorded = fs::read_to_string(&path).unwrap();
    for secret in [key, "other-secret", "query-secret", "of-theirs"] {
        assert!(!recorded.contains(secret), "{secret}: {recorded}");
    }
    // In one piece or in several.
    let quoted = ["Incorrect key ", "[redacted] and [redacted]"];
    assert!(quoted.iter().all(|said| recorded.contains(said)), "{recorded}");
    // It is found again under another key.
    let url = "http://127.0.0.1:1/v1/chat/completions?key=another";
    let replay = replaying(&path, &[("endpoint", url)]);
    assert!(ask(&replay, "one").unwrap().contains("[redacted]"));
    assert_eq!(ask(&replay, "two").unwrap_err().kind(), ErrorKind::Auth);
}

#[test]
fn tokens_are_not_recorded_and_replaying_asks_for_as_many_as_it_wants() {
    let server = Server::start(|exchange| match &*exchange.request.path {
        "/oauth" => {
            let token =
                json!({"access_token": "token-of-theirs", "expires_at": 2_000_000_000_000_u64});
            exchange.whole(200, "application/json", token.to_string());
        }
        _ => exchange.stream(openai::stream(&["Hi"])),
    });
    let path = place("token.jsonl");
    let (base, auth) = (format!("{}/v1", server.url()), format!("{}/oauth", server.url()));
    let settings = [("base_url", &*base), ("auth_url", &auth), ("api_key", "key-of-the-test")];
    let record = [("record_file", path.to_str().unwrap())];
    let first = client("gigachat", &[&settings[..], &record].concat()).unwrap();
    let answers = [ask(&first, "one").unwrap(), ask(&first, "two").unwrap()];
    let recorded = fs::read_to_string(&path).unwrap();
    assert!(!recorded.contains("token-of-theirs"), "{recorded}");
    assert_eq!(recorded.matches("/oauth").count(), 1, "{recorded}");
    // Long after: the token that was recorded has ended.
    fs::write(&path, recorded.replace("2000000000000", "1000000000000")).unwrap();
    let nowhere = [("base_url", NOWHERE), ("auth_url", "http://127.0.0.1:1/oauth")];
    let replay = [("replay_file", path.to_str().unwrap())];
    let second = client("gigachat", &[&nowhere[..], &replay].concat()).unwrap();
    assert_eq!([ask(&second, "one").unwrap(), ask(&second, "two").unwrap()], answers);
}

#[test]
fn failures_are_replayed_as_they_were() {
    let server = Server::start(|exchange| match exchange.number {
        0 => {
            let headers =
                [("Retry-After", "100"), ("x-request-id", "r-7"), ("Content-Length", "0")];
            exchange.head(429, &headers);
        }
        1 => {
            exchange.stream_head();
            exchange.chunk(text("First. "));
            exchange.close();
        }
        _ => exchange.close(),
    });
    let path = place("failures.jsonl");
    let client = recording(&server, &path, &[("max_retries", "0")]);
    let recorded = [(); 3].map(|()| ask(&client, "x").unwrap_err());
    let replay = replaying(&path, &[("max_retries", "0")]);
    for was in recorded {
        let is = ask(&replay, "x").unwrap_err();
        assert_eq!((is.kind(), is.retry_after()), (was.kind(), was.retry_after()), "{is} {was}");
        assert_eq!(is.request_id(), was.request_id());
    }
    // What healed heals again, and nobody waits for a server that is not there.
    let healed = place("healed.jsonl");
    let all = fs::read_to_string(&path).unwrap();
    let whole = written("healing.jsonl", &[(1, json!({"text": openai::stream(&["Well."])}))]);
    let whole = fs::read_to_string(whole).unwrap().replace("\"exchange\":1", "\"exchange\":9");
    let first =
        all.lines().filter(|line| line.contains("recording") || line.contains("\"exchange\":1,"));
    let lines: Vec<&str> = first.chain(whole.lines().skip(1)).collect();
    fs::write(&healed, lines.join("\n")).unwrap();
    let start = Instant::now();
    assert!(ask(&replaying(&healed, &[]), "x").unwrap().contains("Well."));
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn pauses_are_played_where_they_are_asked_for() {
    let pieces = [
        (1, json!({"text": text("One. ")})),
        (400, json!({"text": text("Two.") + &finish("stop") + DONE})),
    ];
    let path = written("pauses.jsonl", &pieces);
    let start = Instant::now();
    ask(&replaying(&path, &[("replay_timing", "true")]), "x").unwrap();
    assert!(start.elapsed() >= Duration::from_millis(399));
    // An hour of silence, which full speed does not know and the deadlines do.
    let path = written("hour.jsonl", &[pieces[0].clone(), (3_600_000, pieces[1].1.clone())]);
    ask(&replaying(&path, &[]), "x").unwrap();
    let timing = [("replay_timing", "true"), ("idle_timeout_ms", "50")];
    let error = ask(&replaying(&path, &timing), "x").unwrap_err();
    assert!(error.message().contains("idle_timeout_ms"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn replay_is_cancelled_in_its_pauses() {
    // What was answered before, a token, must not keep the cancellation from what follows it.
    let path = place("endless.jsonl");
    let lines = [
        json!({"tolmach_recording": 1}),
        json!({"exchange": 1, "at_ms": 0, "method": "POST", "url": "https://a/oauth", "credential": true}),
        json!({"exchange": 1, "at_ms": 0, "status": 200, "headers": []}),
        json!({"exchange": 1, "at_ms": 0, "text": "{\"access_token\":\"x\",\"expires_at\":1}"}),
        json!({"exchange": 1, "at_ms": 0, "end": true}),
        json!({"exchange": 2, "at_ms": 0, "method": "POST", "url": "https://a/v1/chat/completions"}),
        json!({"exchange": 2, "at_ms": 0, "status": 200, "headers": []}),
        json!({"exchange": 2, "at_ms": 3_600_000, "text": text("One. ")}),
    ];
    fs::write(&path, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    let program = c::program("cancel").env("TEST_PROVIDER", Some("gigachat"));
    let program = program.env("TEST_CONFIG", Some(&format!("replay_file={}", path.display())));
    let program = program.env("TEST_CONFIG_2", Some("replay_timing=true"));
    let program = program.env("TEST_AUTH_URL", Some("http://127.0.0.1:1/oauth"));
    let mut program = program.arg(NOWHERE).arg("0").spawn();
    assert_eq!(program.line(), "waiting");
    program.tell("it waits");
    assert_eq!(program.line(), "cancelled");
    // The worker is idle again, and does not spin: what it had to do takes no second.
    let worked = |program: &c::Running| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", program.id())).unwrap();
        let fields: Vec<u64> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse().unwrap())
            .collect();
        fields[0] + fields[1]
    };
    let before = worked(&program);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(worked(&program) - before < 50, "the worker spins");
    program.finish().passed();
}

#[test]
fn sessions_at_once_get_their_own_answers_again() {
    let server = Server::start(|exchange| {
        let prompt = exchange.request.json()["messages"][0]["content"].clone();
        exchange.stream(openai::stream(&["You said ", prompt.as_str().unwrap()]));
    });
    let path = place("crowd.jsonl");
    let all = |client: &Client| -> Vec<String> {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..20)
                .map(|n| scope.spawn(move || ask(client, &format!("{n}")).unwrap()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    };
    let recorded = all(&recording(&server, &path, &[]));
    assert!(recorded[7].contains("Text 7|"), "{recorded:?}");
    assert_eq!(all(&replaying(&path, &[])), recorded);
}

#[test]
fn models_are_replayed() {
    let server = Server::answering("application/json", r#"{"data":[{"id":"m-1"},{"id":"m-2"}]}"#);
    let path = place("models.jsonl");
    let recorded = recording(&server, &path, &[]).models(None).unwrap();
    let replayed = replaying(&path, &[]).models(None).unwrap();
    let ids = |models: &[tolmach::Model]| -> Vec<String> {
        models.iter().map(|model| model.id.clone()).collect()
    };
    assert_eq!(ids(&replayed), ids(&recorded));
    assert_eq!(ids(&replayed), ["m-1", "m-2"]);
}

#[test]
fn answer_that_was_left_is_truncated_when_it_is_played() {
    let server = Server::start(|exchange| {
        exchange.stream_head();
        exchange.chunk(text("First. "));
        exchange.wait_for_close();
    });
    let path = place("left.jsonl");
    let client = recording(&server, &path, &[]);
    let mut session = Session::open(&client, &Request::new(Some("m"))).unwrap();
    while !matches!(session.poll(None).unwrap(), Polled::Chunk(chunk) if chunk.text == "First. ") {}
    drop(session);
    let error = ask(&replaying(&path, &[]), "x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
}

#[test]
fn recordings_that_cannot_be_are_told_what_is_wrong() {
    let refused = |settings: &[(&str, &str)]| {
        let base = [("base_url", NOWHERE), ("api_key", "")];
        let error = client("openai", &[&base, settings].concat()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
        error.message().to_owned()
    };
    let there = written("there.jsonl", &[]);
    let there = there.to_str().unwrap();
    assert!(refused(&[("record_file", there)]).contains("is not overwritten"));
    assert!(refused(&[("record_file", "/nowhere/at/all")]).contains("/nowhere/at/all"));
    assert!(refused(&[("replay_file", "/nowhere/at/all")]).contains("/nowhere/at/all"));
    assert!(refused(&[("replay_file", there), ("record_file", "x")]).contains("not set both"));
    for (text, why) in [
        ("", "no recording"),
        ("{}\n", "no recording"),
        ("{\"tolmach_recording\":2}\n", "version 2"),
        ("{\"tolmach_recording\":1}\n{\"exchange\":1}\n", "line 2"),
        ("{\"tolmach_recording\":1}\nnonsense\n", "line 2"),
        ("\u{1f4a9}", "line 1"),
    ] {
        let path = place("wrong.jsonl");
        fs::write(&path, text).unwrap();
        let message = refused(&[("replay_file", path.to_str().unwrap())]);
        assert!(message.contains(why), "{text:?}: {message}");
    }
    let client = replaying(Path::new(there), &[]);
    assert_eq!(ask(&client, "x").unwrap_err().kind(), ErrorKind::Truncated);
    let error = ask(&client, "x").unwrap_err();
    assert!(error.message().contains("no more answers to POST /v1/chat/completions"), "{error}");
}

#[test]
fn file_that_a_server_names_fails_as_it_did_and_a_recording_without_it_is_told() {
    let body = json!({"data": [{"url": "http://127.0.0.1:2/x"}]}).to_string();
    let server = Server::start(move |exchange| exchange.whole(200, "application/json", &body));
    let path = place("private.jsonl");
    let error = |url: &str, key: &str| {
        let settings = [("base_url", url), ("model", "dalle"), (key, path.to_str().unwrap())];
        let client = client("aichats", &settings).unwrap();
        let mut request = Request::new(None);
        request.message("user", "A cat").unwrap();
        Session::open(&client, &request).unwrap().poll(None).unwrap_err()
    };
    let live = error(&server.url(), "record_file");
    assert_eq!(live.kind(), ErrorKind::Protocol, "{live}");
    let played = error(NOWHERE.trim_end_matches("/v1"), "replay_file");
    assert_eq!((played.kind(), played.message()), (live.kind(), live.message()));
    // What the recording lacks is no mistake of the server's.
    let lines = fs::read_to_string(&path).unwrap();
    let first = lines.lines().filter(|line| !line.contains("\"exchange\":2"));
    fs::write(&path, first.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let played = error(NOWHERE.trim_end_matches("/v1"), "replay_file");
    assert_eq!(played.kind(), ErrorKind::Argument, "{played}");
    assert!(played.message().contains("no more answers to GET /x"), "{played}");
}

#[test]
fn credentials_are_known_in_every_form_in_which_they_are_quoted() {
    let server = Server::start(|exchange| {
        let headers = [
            ("X-Auth-Token", "made-by-the-server"),
            ("Location", "/l?session_token=made-by-the-server"),
            ("Connection", "close"),
        ];
        exchange.head(401, &headers);
        exchange.send(
            r#"{"error":{"message":"key AbC\/dEf+gHi12= cookie zyxwvut987 query a+b/cdef"}}"#,
        );
        exchange.close();
    });
    let path = place("forms.jsonl");
    let query = "sig=signed-by-us&pass=word-of-ours&key=a%2Bb%2Fcdef";
    let url = format!("{}/v1/chat/completions?{query}", server.url());
    let settings = [
        ("endpoint", &*url),
        ("headers", r#"{"Cookie":"a=1; session=zyxwvut987; b=2"}"#),
        ("api_key", "AbC/dEf+gHi12="),
    ];
    let error = ask(&recording(&server, &path, &settings), "x").unwrap_err();
    let recorded = fs::read_to_string(&path).unwrap();
    let parts = [
        "made-by-the-server",
        "dEf+gHi12",
        "zyxwvut987",
        "b/cdef",
        "b%2Fcdef",
        "signed-by-us",
        "word-of-ours",
    ];
    for secret in parts {
        assert!(!recorded.contains(secret), "{secret}: {recorded}");
        assert!(!error.body().contains(secret), "{secret}: {}", error.body());
    }
}

#[test]
fn escaped_key_that_comes_in_pieces_is_not_recorded() {
    let server = Server::start(|exchange| {
        exchange.head(401, &[("Connection", "close")]);
        exchange.send_byte_by_byte(
            r#"{"error":{"message":"A: AbC\u002FdEf\u002bgHi. C: AbCpassword."}}"#,
        );
        exchange.close();
    });
    let path = place("escaped.jsonl");
    let settings = [("api_key", "AbC/dEf+gHi")];
    let error = ask(&recording(&server, &path, &settings), "x").unwrap_err();
    let recorded = fs::read_to_string(&path).unwrap();
    let lines = recorded.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let body: String = lines.filter_map(|line| Some(line["text"].as_str()?.to_owned())).collect();
    for text in [body.as_str(), error.body(), error.message()] {
        assert!(!text.contains("gHi") && text.contains("C: AbCpassword."), "{text}");
    }
}

#[test]
fn start_of_a_key_at_which_an_answer_breaks_off_is_not_recorded() {
    let server = Server::start(|exchange| {
        exchange.stream_head();
        exchange.chunk("data: {\"choices\":[{\"delta\":{\"content\":\"key-of-the-tes");
        exchange.close();
    });
    let path = place("start.jsonl");
    ask(&recording(&server, &path, &[]), "x").unwrap_err();
    let recorded = fs::read_to_string(&path).unwrap();
    assert!(recorded.contains("content") && !recorded.contains("key-of"), "{recorded}");
}

#[test]
fn placeholder_for_a_key_is_no_secret() {
    let server = Server::answering("text/event-stream", openai::stream(&["Hi"]));
    let path = place("placeholder.jsonl");
    let live = ask(&recording(&server, &path, &[("api_key", "null")]), "x").unwrap();
    assert_eq!(ask(&replaying(&path, &[]), "x").unwrap(), live);
}

#[test]
fn end_that_nothing_vouched_for_is_none_when_it_is_played() {
    let server = Server::start(|exchange| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(b"Half of what was to").unwrap();
        let packed = packed.finish().unwrap();
        exchange.whole(200, "text/plain", &packed[..packed.len() - 9]);
    });
    let path = place("cut.jsonl");
    let file = path.to_str().unwrap();
    let live = client("ai365vip", &[("base_url", &*server.url()), ("record_file", file)]).unwrap();
    assert_eq!(ask(&live, "x").unwrap_err().kind(), ErrorKind::Truncated);
    let played =
        client("ai365vip", &[("base_url", "http://127.0.0.1:1"), ("replay_file", file)]).unwrap();
    assert_eq!(ask(&played, "x").unwrap_err().kind(), ErrorKind::Truncated);
}

#[test]
fn tokens_of_recordings_and_of_servers_do_not_mix() {
    let server = Server::start(|exchange| match (&*exchange.request.path, exchange.number) {
        ("/oauth", 2) => exchange.whole(503, "application/json", r#"{"message":"busy"}"#),
        ("/oauth", _) => {
            let token =
                json!({"access_token": "token-of-theirs", "expires_at": 4_000_000_000_000_u64});
            exchange.whole(200, "application/json", token.to_string());
        }
        _ => {
            assert_eq!(exchange.request.header("authorization"), Some("Bearer token-of-theirs"));
            exchange.stream(openai::stream(&["Hi"]));
        }
    });
    let path = place("mixed.jsonl");
    let (base, auth) = (format!("{}/v1", server.url()), format!("{}/oauth", server.url()));
    let settings = [("base_url", &*base), ("auth_url", &auth), ("api_key", "key-of-the-mixed")];
    let with = |more: &[(&str, &str)]| client("gigachat", &[&settings[..], more].concat()).unwrap();
    let live = with(&[]);
    ask(&live, "x").unwrap();
    // It is whole by itself, though there is a token; and what healed heals again.
    let recorded = ask(&with(&[("record_file", path.to_str().unwrap())]), "x").unwrap();
    drop(live);
    let played = with(&[("replay_file", path.to_str().unwrap())]);
    assert_eq!(ask(&played, "x").unwrap(), recorded);
    // The token that was played is of no use to a server.
    ask(&with(&[]), "x").unwrap();
}

#[test]
fn recording_whose_last_line_is_not_whole_is_played_up_to_it() {
    let path = written("torn.jsonl", &[(1, json!({"text": text("First. ")}))]);
    let mut torn = fs::read_to_string(&path).unwrap();
    torn.push_str("{\"exchange\":1,\"at");
    fs::write(&path, torn).unwrap();
    assert_eq!(ask(&replaying(&path, &[]), "x").unwrap_err().kind(), ErrorKind::Truncated);
}

/// Prompts and answers stand in it.
#[cfg(unix)]
#[test]
fn recording_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::answering("text/event-stream", openai::stream(&["Hi"]));
    let path = place("mode.jsonl");
    ask(&recording(&server, &path, &[]), "x").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
