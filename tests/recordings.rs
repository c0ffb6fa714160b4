//! Recordings: what is written, what is not, and what playing them back gives.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
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
    assert!(recorded.contains("Incorrect key [redacted] and [redacted]"), "{recorded}");
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

#[test]
fn replay_is_cancelled_in_its_pauses() {
    let path = written("endless.jsonl", &[(3_600_000, json!({"text": text("One. ")}))]);
    let client = replaying(&path, &[("replay_timing", "true"), ("first_byte_timeout_ms", "-1")]);
    let mut session = Session::open(&client, &Request::new(Some("m"))).unwrap();
    assert_eq!(session.poll(Some(Duration::from_millis(50))).unwrap(), Polled::Pending);
    session.control().cancel();
    assert_eq!(session.poll(None).unwrap_err().kind(), ErrorKind::Cancelled);
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
