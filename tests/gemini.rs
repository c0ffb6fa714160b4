//! Gemini: what is sent, and what is made of all that the service answers
//! (docs/dialects/gemini.md).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::{Value, json};
use support::server::{Request, Server};
use support::{c, splits};
use tolmach::{Client, Config, ErrorKind, Level, Polled, Session};

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";

const SETTINGS: &[(&str, &str)] = &[("api_key", "test-key-secret"), ("model", "gemini-4-argon")];

/// A short whole answer.
const HI: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}]}\n\n";

fn folder() -> PathBuf {
    c::root().join("tests/fixtures/gemini")
}

fn fixture(name: &str) -> String {
    fs::read_to_string(folder().join(name).with_extension("sse")).unwrap()
}

/// Every answer in tests/fixtures/gemini.
fn fixtures() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let answers = files.filter(|path| path.extension().is_some_and(|kind| kind == "sse"));
    let names = answers.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

/// Runs tests/c/stream.c with the provider gemini.
fn outcome(server: &Server, args: &[&str]) -> c::Outcome {
    let program = c::program("stream").env("TEST_PROVIDER", Some("gemini")).arg(server.url());
    args.iter().fold(program, |program, arg| program.arg(arg)).run().passed()
}

/// The lines that it prints.
fn lines(server: &Server, args: &[&str]) -> Vec<String> {
    let lines = outcome(server, args).stdout;
    lines.lines().map(with_one_invented_id).collect()
}

/// Invented ids are random.
fn with_one_invented_id(line: &str) -> String {
    let mut line = line.to_owned();
    let mut from = 0;
    while let Some(at) = line[from..].find("call_").map(|at| from + at + "call_".len()) {
        let id = line[at..].chars().take_while(char::is_ascii_hexdigit).count();
        if id == 32 {
            line.replace_range(at..at + id, "X");
        }
        from = at;
    }
    line
}

/// What comes of a body, but for its start and the reply.
fn chunks(content_type: &'static str, body: impl Into<Vec<u8>>) -> Vec<String> {
    let mut lines = lines(&Server::answering(content_type, body), &[]);
    lines.retain(|line| !line.starts_with("start ") && !line.starts_with("reply "));
    lines
}

/// The one error line of an answer.
fn error(lines: &[String]) -> &str {
    let mut errors = lines.iter().filter(|line| line.starts_with("error "));
    let error = errors.next().unwrap_or_else(|| panic!("there is no error: {lines:#?}"));
    assert!(errors.next().is_none());
    error
}

/// The request that the chat request `fields` becomes, and what the program printed.
fn exchange(mut fields: Value, args: &[&str]) -> (Request, Vec<String>) {
    if fields.get("messages").is_none() {
        fields["messages"] = json!([{"role": "user", "content": "Hi"}]);
    }
    if fields.get("model").is_none() {
        fields["model"] = json!("gemini-4-argon");
    }
    let server = Server::answering(SSE, HI);
    let request = format!("@{fields}");
    let lines = lines(&server, &[args, &[&request]].concat());
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "{lines:#?}");
    (requests[0].clone(), lines)
}

/// The body that the chat request `fields` becomes.
fn body(fields: Value) -> Value {
    exchange(fields, &[]).0.json()
}

/// Its contents.
fn contents(messages: Value) -> Value {
    body(json!({"messages": messages}))["contents"].clone()
}

/// The error of a request that is not sent.
fn refused(fields: Value) -> String {
    let server = Server::answering(SSE, HI);
    let lines = lines(&server, &[&format!("@{fields}")]);
    assert!(server.requests().is_empty());
    error(&lines).to_owned()
}

fn client(server: &Server, more: &[(&str, &str)]) -> Client {
    let mut config = Config::new("gemini").unwrap();
    let url = server.url();
    for (key, value) in
        [("base_url", &*url), ("proxy", "direct")].iter().chain(SETTINGS).chain(more)
    {
        config.set(key, Some(value)).unwrap();
    }
    Client::new(&config).unwrap()
}

/// Reads an answer; the reply, and how it ended.
fn turn(client: &Client, request: &tolmach::Request) -> (String, Result<(), ErrorKind>) {
    let mut session = Session::open(client, request).unwrap();
    let ended = loop {
        match session.poll(Some(support::LONG)) {
            Ok(Polled::Chunk(_)) => {}
            Ok(Polled::End) => break Ok(()),
            Ok(Polled::Pending) => panic!("the session hangs"),
            Err(error) => break Err(error.kind()),
        }
    };
    (session.replies().to_json().unwrap(), ended)
}

// What is read.

#[test]
fn answers_are_read_as_they_should_be() {
    let mut missing = Vec::new();
    for name in fixtures() {
        let server = Server::answering(SSE, fixture(&name));
        let said = lines(&server, &[]).join("\n") + "\n";
        let wanted = folder().join(&name).with_extension("chunks");
        if std::env::var_os("TOLMACH_TEST_WRITE").is_some() {
            fs::write(&wanted, &said).unwrap();
        }
        match fs::read_to_string(&wanted) {
            Ok(wanted) => assert_eq!(said, wanted, "{name}"),
            Err(_) => missing.push(name),
        }
    }
    assert!(missing.is_empty(), "{missing:?} have no .chunks");
}

#[test]
fn answers_are_the_same_at_every_cut() {
    for name in fixtures() {
        splits::assert_the_same_at_every_cut("gemini", SETTINGS, SSE, fixture(&name));
    }
}

#[test]
fn cut_answers_are_never_a_quiet_success() {
    for name in fixtures() {
        let whole = fixture(&name);
        // Before the event with the (last) finish reason has come, nothing is whole.
        let marks = ["\"finishReason\"", "\"blockReason\""];
        let last = marks.iter().filter_map(|mark| whole.rfind(mark)).max().unwrap();
        let enough = last + whole[last..].find("\n").unwrap_or(0);
        let enough = whole[..enough].trim_end().len();
        let sent = whole.clone();
        let server = Server::start(move |exchange| {
            let cut = exchange.number / 2;
            // Once the end of the body is that of HTTP, and once it is a lost connection.
            let length = if exchange.number % 2 == 0 { cut } else { sent.len() };
            exchange.head(200, &[("Content-Type", SSE), ("Content-Length", &length.to_string())]);
            exchange.send(&sent.as_bytes()[..cut]);
            if exchange.number % 2 == 1 {
                exchange.close();
            }
        });
        let client = client(&server, &[("max_retries", "0")]);
        let mut request = tolmach::Request::new(None);
        request.message("user", "Hi").unwrap();
        for cut in 0..whole.len() {
            for is_clean in [true, false] {
                let (_, ended) = turn(&client, &request);
                let is_whole = is_clean && cut >= enough;
                match ended {
                    Ok(()) => assert!(is_whole, "{name}, cut at {cut}, clean: {is_clean}"),
                    Err(ErrorKind::Truncated) => assert!(!is_whole, "{name}, cut at {cut}"),
                    Err(ErrorKind::Connect) => assert_eq!(cut, 0, "{name}"),
                    Err(kind) => panic!("{name}, cut at {cut}: {kind:?}"),
                }
            }
        }
    }
}

#[test]
fn answer_without_streaming_is_read() {
    let answer = json!({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}, "responseId": "r", "modelVersion": "m"});
    let server = Server::answering(JSON, format!("{answer:#}"));
    let lines = lines(&server, &["model=gemini-4-argon", "@{\"stream\":false,\"messages\":[]}"]);
    assert_eq!(lines[0], "start 0 0 \"r\" name=\"m\"");
    assert_eq!(lines[1], "text 0 0 \"Hi\"");
    assert_eq!(lines[3..5], ["finish 0 0 \"stop\" name=\"STOP\"", "end"]);
    let request = &server.requests()[0];
    assert_eq!(request.path, "/models/gemini-4-argon:generateContent");
    assert_eq!(request.header("accept"), Some(JSON));
}

#[test]
fn list_of_responses_is_read() {
    let piece = |text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}}]});
    let end = json!({"candidates": [{"finishReason": "STOP"}]});
    let whole = format!("{:#}", json!([piece("He"), piece("llo"), end]));
    let said = chunks(JSON, whole);
    assert_eq!(
        said,
        ["text 0 0 \"He\"", "text 0 0 \"llo\"", "finish 0 0 \"stop\" name=\"STOP\"", "end"]
    );
    let failed =
        json!([piece("He"), {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}]);
    let said = chunks(JSON, failed.to_string());
    assert!(error(&said).starts_with("error TOLMACH_E_SERVER http=503"), "{said:?}");
    let cut = chunks(JSON, json!([piece("He")]).to_string());
    assert!(error(&cut).starts_with("error TOLMACH_E_TRUNCATED"), "{cut:?}");
}

#[test]
fn error_in_the_middle_of_a_stream_needs_no_data_field() {
    let start = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"He\"}]}}]}\r\n\r\n";
    let object =
        json!({"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}});
    for failure in [
        format!("{object}"),
        format!("{object:#}\n"),
        format!("[{object:#}]\n"),
        format!("[{object}\n]\n\n"),
        format!("data: {object}\n\n"),
    ] {
        let said = chunks(SSE, format!("{start}{failure}"));
        assert_eq!(said[0], "text 0 0 \"He\"");
        let error = error(&said);
        assert!(error.starts_with("error TOLMACH_E_RATE_LIMITED http=429"), "{failure}: {error}");
        assert!(error.contains("slow down"), "{error}");
    }
    splits::assert_the_same_end_at_every_cut(
        "gemini",
        SETTINGS,
        SSE,
        format!("{start}{object:#}\n"),
        Err(ErrorKind::RateLimited),
    );
}

#[test]
fn error_says_what_the_reason_is_explained_by() {
    let body =
        HI.replace("\"STOP\"", "\"MALFORMED_FUNCTION_CALL\",\"finishMessage\":\"Malformed: f(\"");
    let said = chunks(SSE, body);
    assert!(error(&said).contains("MALFORMED_FUNCTION_CALL\\\": Malformed: f("), "{said:?}");
    let named = chunks(SSE, "event: error\ndata: {\"message\":\"no\"}\n\n");
    assert!(error(&named).starts_with("error TOLMACH_E_PROVIDER"), "{named:?}");
}

#[test]
fn errors_without_a_code_have_that_of_their_status() {
    for (status, code, name) in [
        ("UNAVAILABLE", 503, "SERVER"),
        ("RESOURCE_EXHAUSTED", 429, "RATE_LIMITED"),
        ("DEADLINE_EXCEEDED", 504, "SERVER"),
        ("INTERNAL", 500, "SERVER"),
        ("INVALID_ARGUMENT", 400, "BAD_REQUEST"),
        ("PERMISSION_DENIED", 403, "AUTH"),
        ("UNAUTHENTICATED", 401, "AUTH"),
        ("NOT_FOUND", 404, "NOT_FOUND"),
    ] {
        let failure = json!({"error": {"status": status, "message": "why"}});
        let text = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"He\"}]}}]}\n\n";
        let said = chunks(SSE, format!("{text}data: {failure}\n\n"));
        let start = format!("error TOLMACH_E_{name} http={code} ");
        assert!(error(&said).starts_with(&start), "{status}: {said:?}");
    }
}

#[test]
fn refusals_in_a_list_are_read() {
    let body = json!([{"error": {"code": 429, "message": "quota of this minute", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]}}]);
    let server = Server::start(move |exchange| exchange.whole(429, JSON, format!("{body:#}")));
    let lines = lines(&server, &["max_retries=0"]);
    let error = error(&lines);
    assert!(
        error.starts_with("error TOLMACH_E_RATE_LIMITED http=429 retry_after=34000"),
        "{error}"
    );
    assert!(error.contains("code=\"429\"") || error.contains("RESOURCE_EXHAUSTED"), "{error}");
}

#[test]
fn finish_reasons_are_unified() {
    for (raw, wanted) in [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("ESCALATION", "content_filter"),
        ("PUP_LIMITED_DISABLED", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("IMAGE_PROHIBITED_CONTENT", "content_filter"),
        ("IMAGE_RECITATION", "content_filter"),
        ("IMAGE_OTHER", "IMAGE_OTHER"),
        ("NO_IMAGE", "NO_IMAGE"),
        ("OTHER", "OTHER"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
    ] {
        let said = chunks(SSE, HI.replace("STOP", raw));
        assert_eq!(said[1], format!("finish 0 0 \"{wanted}\" name=\"{raw}\""));
    }
    for raw in [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
    ] {
        let said = chunks(SSE, HI.replace("STOP", raw));
        assert!(error(&said).starts_with("error TOLMACH_E_SERVER"), "{said:?}");
        assert!(error(&said).contains(raw), "{said:?}");
    }
    let said = chunks(SSE, HI.replace("STOP", "FINISH_REASON_UNSPECIFIED"));
    assert!(error(&said).starts_with("error TOLMACH_E_TRUNCATED"), "{said:?}");
}

#[test]
fn blocked_prompts_finish_as_filtered() {
    for raw in [
        "SAFETY",
        "OTHER",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "IMAGE_SAFETY",
        "MODEL_ARMOR",
        "JAILBREAK",
    ] {
        let body =
            json!({"promptFeedback": {"blockReason": raw}, "responseId": "r", "modelVersion": "m"});
        let said = chunks(SSE, format!("data: {body}\n\n"));
        assert_eq!(
            said,
            [format!("finish 0 0 \"content_filter\" name=\"{raw}\""), "end".to_owned()]
        );
    }
    let body = json!({"promptFeedback": {"blockReason": "BLOCK_REASON_UNSPECIFIED"}});
    let said = chunks(SSE, format!("data: {body}\n\n"));
    assert!(error(&said).starts_with("error TOLMACH_E_TRUNCATED"), "{said:?}");
}

#[test]
fn blocked_rating_without_a_reason_finishes_as_filtered() {
    let body = json!({"candidates": [{"safetyRatings": [{"category": "C", "blocked": true}]}]});
    let said = chunks(SSE, format!("data: {body}\n\n"));
    assert_eq!(said, ["finish 0 0 \"content_filter\" name=\"SAFETY\"", "end"]);
}

#[test]
fn usage_of_the_last_event_wins_number_by_number() {
    let event = |usage: Value| format!("data: {}\n\n", json!({"usageMetadata": usage}));
    let early = event(
        json!({"promptTokenCount": 9, "thoughtsTokenCount": 5, "cachedContentTokenCount": 2, "totalTokenCount": 14}),
    );
    let late = event(
        json!({"promptTokenCount": 10, "toolUsePromptTokenCount": 3, "candidatesTokenCount": 7}),
    );
    let said = chunks(SSE, early + HI + &late);
    let usage = said.iter().find(|line| line.starts_with("usage ")).unwrap();
    for number in ["input=13", "output=12", "cached=2", "reasoning=5"] {
        assert!(usage.contains(number), "{usage}");
    }
}

#[test]
fn cut_arguments_are_not_taken_for_whole() {
    let begun = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "willContinue": true,
        "partialArgs": [{"jsonPath": "$.a", "stringValue": "x"}]}}]}}]});
    let end = json!({"candidates": [{"finishReason": "MAX_TOKENS"}]});
    let server = Server::answering(SSE, format!("data: {begun}\n\ndata: {end}\n\n"));
    let lines = lines(&server, &[]);
    assert!(
        lines.iter().any(|line| line.starts_with("tool 0 0 \"{\\\"a\\\":\\\"x\\\"\"")),
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line.starts_with("finish 0 0 \"length\"")), "{lines:#?}");
    assert!(lines.last().unwrap().trim_end() == "reply", "{lines:#?}");
}

#[test]
fn more_candidates_than_allowed_are_too_many() {
    let candidates: Vec<Value> =
        (0..5).map(|index| json!({"index": index, "finishReason": "STOP"})).collect();
    let server = Server::answering(SSE, format!("data: {}\n\n", json!({"candidates": candidates})));
    let lines = lines(&server, &["max_tool_calls=4"]);
    assert!(error(&lines).starts_with("error TOLMACH_E_TOO_LARGE"), "{lines:?}");
}

// What is sent.

#[test]
fn request_is_what_the_protocol_says() {
    let (request, lines) = exchange(
        json!({"model": "gemini-4-argon", "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "In Russian."}]},
            {"role": "user", "content": "Hé"}]}),
        &[],
    );
    assert_eq!(lines[1..4], ["text 0 0 \"Hi\"", "finish 0 0 \"stop\" name=\"STOP\"", "end"]);
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/models/gemini-4-argon:streamGenerateContent?alt=sse");
    assert_eq!(request.header("x-goog-api-key"), Some("test-key-secret"));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.json(),
        json!({
            "contents": [{"role": "user", "parts": [{"text": "Hé"}]}],
            "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "In Russian."}]},
        })
    );
}

#[test]
fn model_stands_in_the_path() {
    for (model, path) in [
        ("models/gemini-3-pro", "/models/gemini-3-pro:"),
        ("tunedModels/mine", "/tunedModels/mine:"),
        ("odd/na me?&#%é", "/models/odd%2Fna%20me%3F%26%23%25%C3%A9:"),
        ("a:b", "/models/a%3Ab:"),
    ] {
        let (request, _) = exchange(json!({"model": model}), &[]);
        assert_eq!(request.path, format!("{path}streamGenerateContent?alt=sse"));
    }
    let server = Server::answering(SSE, HI);
    let base = format!("base_url={}/v1/publishers/google/?x=1", server.url());
    lines(&server, &[&base, "@{\"model\":\"gemini-3-pro\",\"messages\":[]}"]);
    let path = "/v1/publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse&x=1";
    assert_eq!(server.requests()[0].path, path);
}

#[test]
fn key_goes_in_the_header_that_the_config_says() {
    let (request, _) = exchange(json!({}), &["auth_scheme=bearer"]);
    assert_eq!(request.header("authorization"), Some("Bearer test-key-secret"));
    assert_eq!(request.header("x-goog-api-key"), None);
    let (request, _) = exchange(json!({}), &["auth_scheme=x-goog-api-key"]);
    assert_eq!(request.header("x-goog-api-key"), Some("test-key-secret"));
    let (request, _) = exchange(json!({}), &["api_key="]);
    assert_eq!(request.header("x-goog-api-key"), None);
    let server = Server::answering(SSE, HI);
    let wrong = lines(&server, &["auth_scheme=basic"]);
    assert!(error(&wrong).contains("x-goog-api-key or bearer"), "{wrong:?}");
}

#[test]
fn key_is_found_in_either_variable() {
    let server = Server::answering(SSE, HI);
    let run = |first: Option<&str>, second: Option<&str>| {
        let program = c::program("stream").arg(server.url());
        let program = program.env("TEST_PROVIDER", Some("gemini")).env("TEST_NO_KEY", Some("1"));
        let program = program.env("GEMINI_API_KEY", first).env("GOOGLE_API_KEY", second);
        program.run().passed().stdout
    };
    let error = run(None, None);
    assert!(error.starts_with("error TOLMACH_E_AUTH"), "{error}");
    assert!(error.contains("GEMINI_API_KEY or GOOGLE_API_KEY"), "{error}");
    run(Some("first"), Some("second"));
    run(None, Some("second\n"));
    run(Some(" "), Some("second"));
    let requests = server.requests();
    let keys = requests.iter().map(|request| request.header("x-goog-api-key").unwrap());
    assert_eq!(keys.collect::<Vec<_>>(), ["first", "second", "second"]);
}

#[test]
fn key_of_the_environment_is_not_shown() {
    let body = "{\"error\":{\"code\":400,\"message\":\"API key not valid: env-secret-key\"}}";
    let server = Server::start(move |exchange| exchange.whole(400, JSON, body));
    for program in ["stream", "models"] {
        let program = c::program(program).arg(server.url());
        let program = match server.requests().len() {
            0 => program.env("TEST_NO_KEY", Some("1")),
            _ => program.env("TEST_KEY", Some("env-secret-key")).arg("60000"),
        };
        let program = program.env("GEMINI_API_KEY", Some("env-secret-key"));
        let said = program.env("TEST_PROVIDER", Some("gemini")).run().passed().stdout;
        assert!(said.starts_with("error TOLMACH_E_AUTH"), "{said}");
        assert!(!said.contains("env-secret-key"), "{said}");
    }
}

#[test]
fn messages_of_one_role_are_one_and_the_first_is_the_users() {
    assert_eq!(
        contents(json!([
            {"role": "user", "content": "a"},
            {"role": "user", "content": ""},
            {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": ""}]},
            {"role": "assistant", "content": "c"},
            {"role": "system", "content": "s"},
            {"role": "assistant", "content": "d"},
            {"role": "assistant", "content": null},
            {"role": "user", "content": "e"}])),
        json!([
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [{"text": "c"}, {"text": "d"}]},
            {"role": "user", "parts": [{"text": "e"}]}])
    );
    let blank = json!({"role": "user", "parts": [{"text": " "}]});
    assert_eq!(
        contents(json!([{"role": "assistant", "content": "c"}])),
        json!([blank, {"role": "model", "parts": [{"text": "c"}]}])
    );
    assert_eq!(contents(json!([{"role": "system", "content": "s"}])), json!([blank]));
}

#[test]
fn media_are_parts() {
    let content = json!([
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a/b.JPG?x=1"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/image"}},
        {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
        {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "pcm16"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,DDDD"}},
        {"type": "file", "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
        {"videoMetadata": {"fps": 1}, "fileData": {"fileUri": "https://youtu.be/x"}},
        {"type": "text", "text": "What?"}]);
    assert_eq!(
        contents(json!([{"role": "user", "content": content}]))[0]["parts"],
        json!([
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.org/a/b.JPG?x=1"}},
            {"fileData": {"fileUri": "https://example.org/image"}},
            {"inlineData": {"mimeType": "audio/mp3", "data": "BBBB"}},
            {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "CCCC"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "DDDD"}},
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
            {"videoMetadata": {"fps": 1}, "fileData": {"fileUri": "https://youtu.be/x"}},
            {"text": "What?"}])
    );
    let other = json!([{"role": "user", "content": [{"type": "hologram", "data": "x"}]}]);
    let error = refused(json!({"model": "m", "messages": other}));
    assert!(error.starts_with("error TOLMACH_E_UNSUPPORTED"), "{error}");
    assert!(error.contains("hologram"), "{error}");
}

#[test]
fn generation_config_has_its_fields() {
    let config = |fields: Value| body(fields)["generationConfig"].clone();
    assert_eq!(
        config(
            json!({"max_tokens": 7, "temperature": 0.5, "top_p": 0.25, "top_k": 40, "stop": ["a", "b"],
            "presence_penalty": 1, "frequency_penalty": -1, "seed": 3, "n": 2, "logprobs": true, "top_logprobs": 4,
            "modalities": ["text", "audio"], "audio": {"voice": "Kore", "format": "pcm16"}})
        ),
        json!({"maxOutputTokens": 7, "temperature": 0.5, "topP": 0.25, "topK": 40, "presencePenalty": 1,
            "frequencyPenalty": -1, "seed": 3, "candidateCount": 2, "responseLogprobs": true, "logprobs": 4,
            "stopSequences": ["a", "b"], "responseModalities": ["TEXT", "AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}})
    );
    assert_eq!(config(json!({"max_completion_tokens": 9})), json!({"maxOutputTokens": 9}));
    assert_eq!(config(json!({"stop": "a"})), json!({"stopSequences": ["a"]}));
    assert_eq!(config(json!({"stop": []})), json!(null));
    let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/x"}}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    assert_eq!(
        config(json!({"response_format": format})),
        json!({"responseMimeType": "application/json", "responseJsonSchema": schema})
    );
    assert_eq!(
        config(json!({"response_format": {"type": "json_object"}})),
        json!({"responseMimeType": "application/json"})
    );
    assert_eq!(config(json!({"response_format": {"type": "text"}})), json!(null));
}

#[test]
fn what_gemini_lacks_is_refused_by_its_name() {
    for (fields, name) in [
        (json!({"logit_bias": {"1": 2}}), "logit_bias"),
        (json!({"web_search_options": {"user_location": {}}}), "web_search_options"),
        (json!({"moderation": {"model": "m"}}), "moderation"),
        (json!({"functions": [{"name": "f"}]}), "functions"),
        (json!({"function_call": "auto"}), "function_call"),
        (json!({"response_format": {"type": "grammar"}}), "response_format"),
        (json!({"audio": {"format": "mp3"}}), "audio.format"),
        (json!({"tool_choice": {"type": "allowed_tools"}}), "tool_choice"),
        (json!({"stop": ["1", "2", "3", "4", "5", "6"]}), "stop"),
    ] {
        let mut fields = fields;
        fields["model"] = json!("m");
        let error = refused(fields);
        assert!(error.starts_with("error TOLMACH_E_UNSUPPORTED"), "{error}");
        assert!(error.contains(&format!("\\\"{name}\\\"")), "{error}");
    }
    body(json!({"logit_bias": {}}));
    assert_eq!(
        body(json!({"stop": ["1", "2", "3", "4", "5"]}))["generationConfig"]["stopSequences"],
        json!(["1", "2", "3", "4", "5"])
    );
}

#[test]
fn hints_without_a_counterpart_are_left_out() {
    let fields = json!({"user": "u", "store": true, "metadata": {"a": "b"}, "safety_identifier": "s",
        "prompt_cache_key": "k", "prompt_cache_options": {}, "prompt_cache_retention": "24h", "prediction": {},
        "stream_options": {"include_usage": true}, "verbosity": "low", "parallel_tool_calls": false});
    let body = body(fields);
    let names: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["contents"]);
}

#[test]
fn tiers_are_geminis() {
    for (tier, sent) in [
        ("auto", json!(null)),
        ("default", json!("standard")),
        ("flex", json!("flex")),
        ("priority", json!("priority")),
        ("scale", json!(null)),
    ] {
        assert_eq!(body(json!({"service_tier": tier}))["serviceTier"], sent, "{tier}");
    }
}

#[test]
fn native_fields_are_merged_deeply_and_win() {
    assert_eq!(
        body(json!({
            "temperature": 1, "seed": 3, "reasoning_effort": "low", "tool_choice": "required",
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "generationConfig": {"temperature": 0, "thinkingConfig": {"thinkingLevel": "HIGH"}, "mediaResolution": "MEDIA_RESOLUTION_LOW"},
            "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}, "includeServerSideToolInvocations": true},
            "safetySettings": [{"category": "c", "threshold": "BLOCK_NONE"}],
            "cachedContent": "cachedContents/x", "labels": {"a": "b"}, "serviceTier": "flex", "service_tier": "default", "brandNew": 1})),
        json!({
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}, "includeServerSideToolInvocations": true},
            "generationConfig": {"temperature": 0, "seed": 3, "thinkingConfig": {"includeThoughts": true, "thinkingLevel": "HIGH"},
                "mediaResolution": "MEDIA_RESOLUTION_LOW"},
            "safetySettings": [{"category": "c", "threshold": "BLOCK_NONE"}],
            "cachedContent": "cachedContents/x", "labels": {"a": "b"}, "serviceTier": "flex", "brandNew": 1})
    );
}

#[test]
fn tools_are_declared() {
    let parameters =
        json!({"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": false});
    let tools = json!([
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": parameters, "strict": true}},
        {"googleSearch": {}},
        {"type": "function", "function": {"name": "g", "strict": false, "behavior": "NON_BLOCKING"}}]);
    let body_of = |choice: Value| body(json!({"tools": tools, "tool_choice": choice}));
    let sent = body(json!({"tools": tools}));
    assert_eq!(
        sent["tools"],
        json!([
            {"functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": parameters},
                {"name": "g", "behavior": "NON_BLOCKING"}]},
            {"googleSearch": {}}])
    );
    assert_eq!(sent.get("toolConfig"), None);
    let calling = |choice: Value| body_of(choice)["toolConfig"]["functionCallingConfig"].clone();
    assert_eq!(calling(json!("auto")), json!({"mode": "AUTO"}));
    assert_eq!(calling(json!("required")), json!({"mode": "ANY"}));
    assert_eq!(
        calling(json!({"type": "function", "function": {"name": "g"}})),
        json!({"mode": "ANY", "allowedFunctionNames": ["g"]})
    );
    let none = body_of(json!("none"));
    assert_eq!((none.get("tools"), none.get("toolConfig")), (None, None));
    let native = body(json!({"tools": [{"urlContext": {}}], "tool_choice": "auto"}));
    assert_eq!((&native["tools"], native.get("toolConfig")), (&json!([{"urlContext": {}}]), None));
}

#[test]
fn effort_is_a_level_or_a_budget() {
    let thinking = |model: &str, effort: &str| {
        let fields = json!({"model": model, "reasoning_effort": effort});
        body(fields)["generationConfig"]["thinkingConfig"].clone()
    };
    let level = |level: &str| json!({"includeThoughts": true, "thinkingLevel": level});
    for model in [
        "gemini-3-pro-preview",
        "gemini-3.8-flash",
        "gemini-4-argon",
        "gemini-flash-latest",
        "models/gemini-12",
    ] {
        assert_eq!(thinking(model, "none"), json!({"thinkingLevel": "MINIMAL"}), "{model}");
        for (effort, wanted) in [
            ("minimal", "MINIMAL"),
            ("low", "LOW"),
            ("medium", "MEDIUM"),
            ("high", "HIGH"),
            ("xhigh", "HIGH"),
            ("max", "HIGH"),
        ] {
            assert_eq!(thinking(model, effort), level(wanted), "{model} {effort}");
        }
        assert_eq!(thinking(model, "auto"), json!({"includeThoughts": true}));
    }
    assert_eq!(thinking("gemini-4-hydrogen", "xhigh"), level("XHIGH"));
    assert_eq!(thinking("gemini-4-hydrogen", "max"), level("XHIGH"));
    let budget = |tokens: i32| json!({"includeThoughts": true, "thinkingBudget": tokens});
    for (effort, flash, pro) in [
        ("minimal", 512, 512),
        ("low", 1024, 1024),
        ("medium", 8192, 8192),
        ("high", 24_576, 24_576),
        ("xhigh", 24_576, 32_768),
        ("max", 24_576, 32_768),
        ("auto", -1, -1),
        ("strange", -1, -1),
    ] {
        assert_eq!(thinking("gemini-2.5-flash", effort), budget(flash), "{effort}");
        assert_eq!(thinking("gemini-2.5-pro", effort), budget(pro), "{effort}");
    }
    assert_eq!(thinking("gemini-2.5-flash", "none"), json!({"thinkingBudget": 0}));
    assert_eq!(thinking("gemini-2.5-pro", "none"), json!({"thinkingBudget": 128}));
    assert_eq!(thinking("gemini-2.0-flash", "high"), json!(null));
    assert_eq!(body(json!({}))["generationConfig"], json!(null));
    let nested = body(json!({"reasoning": {"effort": "low"}}));
    assert_eq!(nested["generationConfig"]["thinkingConfig"], level("LOW"));
}

#[test]
fn effort_is_sent_as_given_where_nothing_is_to_be_healed() {
    let fields = json!({"model": "gemini-3-pro", "reasoning_effort": "xhigh"});
    let (request, _) = exchange(fields, &["heal=false"]);
    assert_eq!(request.json()["generationConfig"]["thinkingConfig"]["thinkingLevel"], "XHIGH");
}

// What goes back.

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn result(id: &str, content: Value) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

#[test]
fn results_follow_their_calls_in_the_order_of_the_calls() {
    let sent = |model: &str| {
        body(json!({"model": model, "messages": [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": "Hm.", "tool_calls": [
                call("a", "f", "{\"x\":1}"), call("b", "f", ""), call("c", "g", "[1]"), call("d", "g", "{cut")]},
            result("c", json!("[1,2]")),
            result("b", json!("sunny")),
            result("a", json!("{\"ok\":true}")),
            result("d", json!([{"type": "text", "text": "3"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}])),
            {"role": "user", "content": "So?"}]}))["contents"].clone()
    };
    let answers = json!({"role": "user", "parts": [
        {"functionResponse": {"name": "f", "response": {"ok": true}}},
        {"functionResponse": {"name": "f", "response": {"output": "sunny"}}},
        {"functionResponse": {"name": "g", "response": {"output": [1, 2]}}},
        {"functionResponse": {"name": "g", "response": {"output": 3}, "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}},
        {"text": "So?"}]});
    let calls = |signature: Option<&str>| {
        let mut parts = json!([
            {"text": "Hm."},
            {"functionCall": {"name": "f", "args": {"x": 1}}},
            {"functionCall": {"name": "f", "args": {}}},
            {"functionCall": {"name": "g", "args": {"arguments": [1]}}},
            {"functionCall": {"name": "g", "args": {"arguments": "{cut"}}}]);
        if let Some(signature) = signature {
            parts.as_array_mut().unwrap()[1..]
                .iter_mut()
                .for_each(|part| part["thoughtSignature"] = json!(signature));
        }
        json!({"role": "model", "parts": parts})
    };
    // Calls of a model that signs none: from Gemini 3 on they say so.
    let skip = Some("skip_thought_signature_validator");
    for (model, signature) in [
        ("gemini-2.5-flash", None),
        ("other", None),
        ("gemini-3-pro", skip),
        ("gemini-4-argon", skip),
        ("gemini-pro-latest", skip),
    ] {
        assert_eq!(sent(model)[1], calls(signature), "{model}");
        assert_eq!(sent(model)[2], answers);
    }
}

#[test]
fn signatures_of_the_compatible_endpoint_are_taken() {
    let mut signed = call("a", "f", "{}");
    signed["extra_content"] = json!({"google": {"thought_signature": "c2ln"}});
    let messages = json!([{"role": "user", "content": "?"},
        {"role": "assistant", "content": null, "tool_calls": [signed, call("b", "f", "{}")]},
        result("a", json!("1")), result("b", json!("2"))]);
    assert_eq!(
        contents(messages)[1]["parts"],
        json!([
            {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"}])
    );
}

#[test]
fn calls_without_results_are_left_out_unless_they_come_last() {
    let calls = json!({"role": "assistant", "content": "", "tool_calls": [call("a", "f", "{}"), call("b", "g", "{}")]});
    let user = json!({"role": "user", "content": "?"});
    let open = body(json!({"model": "m", "messages": [user, calls]}))["contents"].clone();
    assert_eq!(open[1]["parts"].as_array().unwrap().len(), 2);
    let half =
        body(json!({"model": "m", "messages": [user, calls, result("b", json!("1")), user]}));
    assert_eq!(
        half["contents"],
        json!([
            {"role": "user", "parts": [{"text": "?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "g", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "g", "response": {"output": 1}}}, {"text": "?"}]}])
    );
    let none = body(json!({"model": "m", "messages": [user, calls, user]}))["contents"].clone();
    assert_eq!(none, json!([{"role": "user", "parts": [{"text": "?"}, {"text": "?"}]}]));
    // A result in the older form names its function.
    let older = json!({"role": "function", "name": "g", "content": "1"});
    let older = body(json!({"model": "m", "messages": [user, calls, older]}))["contents"].clone();
    assert_eq!(older[2]["parts"][0]["functionResponse"]["name"], "g");
    for messages in
        [json!([user, result("a", json!("1"))]), json!([user, calls, result("z", json!("1"))])]
    {
        let error = refused(json!({"model": "m", "messages": messages}));
        assert!(error.starts_with("error TOLMACH_E_ARGUMENT"), "{error}");
        assert!(error.contains("tool result"), "{error}");
    }
}

/// The contents of the second of two turns: the answer `stream`, its reply, and the results
/// of its calls.
fn second_turn(stream: String, cut: Option<&str>) -> Value {
    let cut = cut.map(str::to_owned);
    let server = Server::start(move |exchange| match (exchange.number, &cut) {
        (0, Some(mark)) => {
            exchange.stream_head();
            exchange.chunk(&stream[..stream.find(&**mark).unwrap()]);
            exchange.close();
        }
        (0, None) => exchange.stream(&stream),
        _ => exchange.stream(HI),
    });
    let client = client(&server, &[("max_retries", "0")]);
    let mut request = tolmach::Request::new(None);
    request.message("user", "Weather?").unwrap();
    let (reply, _) = turn(&client, &request);
    // Through JSON, as a program that keeps its conversations does it.
    request.message_json(&reply).unwrap();
    let exported = request.to_json().unwrap();
    let mut request = tolmach::Request::from_json(&exported).unwrap();
    let reply: Value = serde_json::from_str(&reply).unwrap();
    for call in reply["tool_calls"].as_array().into_iter().flatten() {
        request.tool_result(call["id"].as_str().unwrap(), "3 degrees").unwrap();
    }
    request.message("user", "Go on").unwrap();
    assert_eq!(turn(&client, &request).1, Ok(()));
    server.requests()[1].json()["contents"].clone()
}

fn thoughts_and_two_calls() -> String {
    fixture("thoughts").replace("\"finishReason\":\"STOP\",", "") + &fixture("two_calls")
}

#[test]
fn parts_go_back_as_they_came() {
    let weather = |city: &str, id: &str, signature: &str| json!({"thoughtSignature": signature, "functionCall": {"id": id, "name": "weather", "args": {"city": city}}});
    let response = |id: &str| json!({"functionResponse": {"id": id, "name": "weather", "response": {"output": "3 degrees"}}});
    assert_eq!(
        second_turn(thoughts_and_two_calls(), None),
        json!([
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {"role": "model", "parts": [
                {"text": "see.", "thought": true, "thoughtSignature": "c2lnLTE="},
                {"text": "Four"},
                {"text": ".", "thoughtSignature": "c2lnLTI="},
                weather("Oslo", "fc-1", "b25l"),
                weather("Rome", "fc-2", "dHdv")]},
            {"role": "user", "parts": [response("fc-1"), response("fc-2"), {"text": "Go on"}]}])
    );
}

#[test]
fn items_that_say_nothing_are_no_parts() {
    let message = json!({"role": "assistant", "content": "", "tool_calls": [call("a", "f", "{}")],
        "tolmach": {"dialect": "gemini", "items": [{"text": 0, "with": {}}, {"call": "a"}]}});
    let contents = contents(json!([{"role": "user", "content": "?"}, message]));
    assert_eq!(contents[1]["parts"].as_array().unwrap().len(), 1, "{contents}");
}

#[test]
fn ids_that_were_invented_are_not_sent() {
    let contents = second_turn(fixture("calls_without_id"), None);
    assert_eq!(
        contents[1]["parts"],
        json!([
            {"text": "I will look."},
            {"thoughtSignature": "b25l", "functionCall": {"name": "now", "args": {}}},
            {"functionCall": {"name": "now", "args": {}}}])
    );
    let response =
        json!({"functionResponse": {"name": "now", "response": {"output": "3 degrees"}}});
    assert_eq!(contents[2]["parts"], json!([response, response, {"text": "Go on"}]));
}

#[test]
fn parts_that_are_no_text_go_back_whole() {
    for (name, parts) in [
        (
            "signature_on_empty_text",
            json!([{"text": "Hi"}, {"text": "", "thoughtSignature": "ZW1wdHk="}]),
        ),
        (
            "code_execution",
            json!([
                {"executableCode": {"language": "PYTHON", "code": "print(2+2)", "id": "x-1"}, "thoughtSignature": "Y29kZQ=="},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "4\n", "id": "x-1"}},
                {"toolCall": {"id": "t-1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["a"]}}, "thoughtSignature": "dG9vbA=="},
                {"toolResponse": {"id": "t-1", "toolType": "GOOGLE_SEARCH_WEB", "response": {}}},
                {"text": "4"}]),
        ),
        (
            "inline_media",
            json!([
                {"text": "A dot:"},
                {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgp0aW55"}, "thoughtSignature": "aW1n"},
                {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAECAwQFBgc="}}]),
        ),
        (
            "unknown",
            json!([
                {"text": "Hi"},
                {"audioTranscription": {"text": "hum"}},
                {"brandNew": {"x": 1}},
                {"text": " there", "partMetadata": {"k": 1}}]),
        ),
    ] {
        assert_eq!(second_turn(fixture(name), None)[1]["parts"], parts, "{name}");
    }
}

#[test]
fn image_alone_goes_back() {
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgp0aW55"}, "thoughtSignature": "aW1n"});
    let answer = json!({"candidates": [{"content": {"parts": [image]}, "finishReason": "STOP"}]});
    let contents = second_turn(format!("data: {answer}\n\n"), None);
    assert_eq!(contents[1], json!({"role": "model", "parts": [image]}));
}

#[test]
fn turn_that_was_cut_goes_back_as_far_as_it_came() {
    // Before the second call, and before the first.
    let contents = second_turn(
        thoughts_and_two_calls(),
        Some(
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"weather\",\"args\":{\"city\":\"Rome\"",
        ),
    );
    assert_eq!(contents[1]["parts"].as_array().unwrap().len(), 4);
    assert_eq!(contents[1]["parts"][3]["thoughtSignature"], "b25l");
    assert_eq!(contents[2]["parts"].as_array().unwrap().len(), 2);
    let contents = second_turn(
        thoughts_and_two_calls(),
        Some("data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall"),
    );
    assert_eq!(contents[1]["parts"].as_array().unwrap().len(), 3);
    assert_eq!(contents[2]["parts"], json!([{"text": "Go on"}]));
    // Code that never ran and thoughts that led to nothing are left out.
    let code =
        fixture("text").replace("\"finishReason\":\"STOP\",", "") + &fixture("code_execution");
    let contents = second_turn(
        code,
        Some("data: {\"candidates\":[{\"content\":{\"parts\":[{\"codeExecutionResult"),
    );
    assert_eq!(contents[1]["parts"], json!([{"text": "Привет \u{1f600}"}]));
    let thought = fixture("text").replace("\"finishReason\":\"STOP\",", "") + &fixture("thoughts");
    let contents = second_turn(
        thought,
        Some("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Four\""),
    );
    assert_eq!(contents[1]["parts"], json!([{"text": "Привет \u{1f600}"}]));
}

#[test]
fn turn_that_was_cancelled_goes_back_valid() {
    let server = Server::start(|exchange| {
        let stream = fixture("two_calls").replace("\"finishReason\":\"STOP\",", "");
        exchange.stream_head();
        exchange.chunk(if exchange.number == 0 { &*stream } else { HI });
        match exchange.number {
            0 => exchange.wait_for_close(),
            _ => exchange.end_chunks(),
        }
    });
    let program = c::program("next_turn").env("TEST_PROVIDER", Some("gemini")).arg(server.url());
    let outcome = program.run().passed();
    assert_eq!(outcome.lines()[0], "TOLMACH_E_CANCELLED");
    let contents = server.requests()[1].json()["contents"].clone();
    // The program answers no call, so that none may go back.
    assert_eq!(contents, json!([{"role": "user", "parts": [{"text": "Hi"}, {"text": "Go on"}]}]));
}

#[test]
fn signed_texts_are_noted_once_each() {
    let part = |text: &str| json!({"text": text, "thoughtSignature": "c2ln"});
    let answer = json!({"candidates": [{"content": {"parts": [part("a"), part("b")]}, "finishReason": "STOP"}]});
    let said = chunks(SSE, format!("data: {answer}\n\n"));
    assert_eq!(said.iter().filter(|line| line.starts_with("state ")).count(), 2, "{said:#?}");
    let contents = second_turn(format!("data: {answer}\n\n"), None);
    assert_eq!(contents[1]["parts"], json!([part("a"), part("b")]));
}

// Long answers.

/// Piece `number` of a long answer: text, usage, and a token to go on with, or the end.
fn long_answer(number: usize, pieces: usize) -> String {
    let part = match number {
        0 => json!({"text": "Once ", "thoughtSignature": "MA=="}),
        1 => json!({"text": "upon "}),
        _ => json!({"functionCall": {"name": "f", "args": {"n": number}}}),
    };
    let mut candidate = json!({"content": {"parts": [part]}, "finishReason": "CONTINUATION",
        "continuationToken": format!("token-{number}")});
    if number + 1 == pieces {
        candidate["finishReason"] = json!("STOP");
        candidate.as_object_mut().unwrap().remove("continuationToken");
    }
    let mut usage =
        json!({"promptTokenCount": 10, "candidatesTokenCount": 2, "totalTokenCount": 12});
    if number == 0 {
        usage["cachedContentTokenCount"] = json!(4);
    }
    let answer = json!({"candidates": [candidate], "usageMetadata": usage, "responseId": format!("r-{number}")});
    format!("data: {answer}\n\n")
}

#[test]
fn long_answer_is_continued_and_stays_one() {
    let server = Server::start(|exchange| exchange.stream(long_answer(exchange.number, 4)));
    let lines = lines(&server, &[]);
    assert_eq!(
        lines[..lines.len() - 1],
        [
            "start 0 0 \"r-0\" name=\"test-model\"",
            "text 0 0 \"Once \"",
            "state 0 0 \"{\\\"tolmach\\\":{\\\"dialect\\\":\\\"gemini\\\",\\\"with\\\":{\\\"thoughtSignature\\\":\\\"MA==\\\"}}}\"",
            "text 0 0 \"upon \"",
            "tool 0 0 \"{\\\"n\\\":2}\" id=\"call_X\" name=\"f\"",
            "state 0 0 \"{\\\"tolmach\\\":{\\\"dialect\\\":\\\"gemini\\\",\\\"call\\\":\\\"call_X\\\",\\\"with\\\":{\\\"functionCall\\\":{}}}}\"",
            "tool 0 1 \"{\\\"n\\\":3}\" id=\"call_X\" name=\"f\"",
            "state 0 0 \"{\\\"tolmach\\\":{\\\"dialect\\\":\\\"gemini\\\",\\\"call\\\":\\\"call_X\\\",\\\"with\\\":{\\\"functionCall\\\":{}}}}\"",
            "usage 0 0 \"\" input=40 output=8 total=48 cached=4 reasoning=-1",
            "finish 0 0 \"tool_calls\" name=\"STOP\"",
            "end",
        ]
    );
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    let first = requests[0].json();
    assert_eq!(first.get("continuationToken"), None);
    for (number, request) in requests.iter().enumerate().skip(1) {
        let mut same = first.clone();
        same["continuationToken"] = json!(format!("token-{}", number - 1));
        assert_eq!(request.json(), same);
        assert_eq!(request.path, requests[0].path);
        assert_eq!(request.header("x-goog-api-key"), Some("test-key-secret"));
    }
}

#[test]
fn call_goes_on_in_the_next_request() {
    let piece = |call: Value, more: Value| {
        let mut candidate = json!({"content": {"parts": [{"functionCall": call}]}});
        candidate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("data: {}\n\n", json!({"candidates": [candidate]}))
    };
    let text = |text: &str, goes_on: bool| json!([{"jsonPath": "$.a", "stringValue": text, "willContinue": goes_on}]);
    let server = Server::start(move |exchange| match exchange.number {
        0 => exchange.stream(piece(
            json!({"name": "f", "willContinue": true, "partialArgs": text("x", true)}),
            json!({"finishReason": "CONTINUATION", "continuationToken": "t"}),
        )),
        _ => exchange.stream(piece(
            json!({"partialArgs": text("y", false)}),
            json!({"finishReason": "STOP"}),
        )),
    });
    let lines = lines(&server, &[]);
    assert_eq!(lines[1], "tool 0 0 \"\" id=\"call_X\" name=\"f\"");
    assert_eq!(lines[2], "tool 0 0 \"{\\\"a\\\":\\\"xy\\\"}\"");
}

#[test]
fn arguments_that_come_without_end_are_bounded() {
    let piece = json!({"jsonPath": "$.a", "stringValue": "x".repeat(600), "willContinue": true});
    let event = |name: Value| {
        let call = json!({"name": name, "willContinue": true, "partialArgs": [piece.clone()]});
        let part = json!({"functionCall": call});
        format!("data: {}\n\n", json!({"candidates": [{"content": {"parts": [part]}}]}))
    };
    let server = Server::answering(SSE, event(json!("f")) + &event(Value::Null).repeat(9));
    let lines = lines(&server, &["max_event_bytes=4096"]);
    let last = lines.iter().find(|line| line.starts_with("error ")).unwrap();
    assert!(last.contains("TOLMACH_E_TOO_LARGE"), "{last}");
    assert!(last.contains("a tool call larger than 4096 bytes (max_event_bytes)"), "{last}");
}

#[test]
fn long_answer_without_streaming_is_continued() {
    let server = Server::start(|exchange| {
        let answer = long_answer(exchange.number, 2);
        exchange.whole(200, JSON, answer.strip_prefix("data: ").unwrap());
    });
    let lines = lines(&server, &["@{\"model\":\"m\",\"stream\":false,\"messages\":[]}"]);
    assert!(lines.contains(&"text 0 0 \"upon \"".to_owned()), "{lines:?}");
    assert!(lines.contains(&"end".to_owned()), "{lines:?}");
    assert_eq!(server.requests()[1].path, "/models/m:generateContent");
}

#[test]
fn continuation_that_fails_is_no_success() {
    for (failure, wanted) in [
        ("cut", "error TOLMACH_E_TRUNCATED http=0 "),
        ("empty", "error TOLMACH_E_TRUNCATED http=0 "),
        ("no reason", "error TOLMACH_E_TRUNCATED http=0 "),
        ("429", "error TOLMACH_E_RATE_LIMITED http=429 "),
        ("error", "error TOLMACH_E_SERVER http=503 "),
    ] {
        let server = Server::start(move |exchange| match (exchange.number, failure) {
            (0, _) => exchange.stream(long_answer(0, 3)),
            (_, "cut") => {
                exchange.stream_head();
                exchange.chunk(long_answer(1, 2));
                exchange.close();
            }
            (_, "empty") => exchange.stream(""),
            (_, "no reason") => exchange.stream(fixture("text").replace("finishReason", "x")),
            (_, "429") => {
                exchange.whole(429, JSON, "{\"error\":{\"code\":429,\"message\":\"slow\"}}")
            }
            _ => exchange
                .stream("data: {\"error\":{\"status\":\"UNAVAILABLE\",\"message\":\"busy\"}}\n\n"),
        });
        let lines = lines(&server, &[]);
        assert!(error(&lines).starts_with(wanted), "{failure}: {lines:?}");
        assert!(lines.contains(&"text 0 0 \"Once \"".to_owned()));
        assert!(!lines.iter().any(|line| line.starts_with("finish ")), "{lines:?}");
        // Nothing of an answer under way is tried again.
        assert_eq!(server.requests().len(), 2, "{failure}");
    }
}

#[test]
fn continuation_that_is_blocked_finishes_as_filtered() {
    let server = Server::start(|exchange| match exchange.number {
        0 => exchange.stream(long_answer(0, 3)),
        _ => exchange.stream("data: {\"promptFeedback\":{\"blockReason\":\"OTHER\"}}\n\n"),
    });
    let lines = lines(&server, &[]);
    assert!(
        lines.contains(&"finish 0 0 \"content_filter\" name=\"OTHER\"".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn answer_that_cannot_be_continued_says_so() {
    let finish = "finish 0 0 \"CONTINUATION\" name=\"CONTINUATION\"".to_owned();
    // Without a token, and with the same one again.
    let server = Server::answering(SSE, HI.replace("STOP", "CONTINUATION"));
    assert!(lines(&server, &[]).contains(&finish));
    assert_eq!(server.requests().len(), 1);
    let server = Server::answering(SSE, long_answer(0, 2));
    assert!(lines(&server, &[]).contains(&finish));
    assert_eq!(server.requests().len(), 2);
    // With ever new tokens.
    let server =
        Server::start(|exchange| exchange.stream(long_answer(exchange.number, usize::MAX)));
    assert!(lines(&server, &[]).contains(&finish));
    assert_eq!(server.requests().len(), 100);
}

#[test]
fn deadline_of_the_session_holds_for_all_its_requests() {
    let server = Server::start(|exchange| match exchange.number {
        0 => exchange.stream(long_answer(0, 3)),
        _ => exchange.wait_for_close(),
    });
    let lines = lines(&server, &["total_timeout_ms=1000"]);
    assert!(error(&lines).starts_with("error TOLMACH_E_TIMEOUT"), "{lines:?}");
    assert!(error(&lines).contains("total"), "{lines:?}");
}

// Models.

fn list(server: &Server) -> c::Outcome {
    c::program("models").env("TEST_PROVIDER", Some("gemini")).arg(server.url()).arg("60000").run()
}

#[test]
fn models_are_listed_page_by_page() {
    let server = Server::start(|exchange| {
        let model = |name: &str, methods: Value| {
            json!({"name": format!("models/{name}"), "displayName": "D", "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536, "supportedGenerationMethods": methods})
        };
        let chat = json!(["generateContent", "countTokens"]);
        let page = match exchange.number {
            0 => {
                json!({"models": [model("gemini-4-argon", chat.clone()), model("embed", json!(["embedContent"]))], "nextPageToken": "a&b"})
            }
            1 => {
                json!({"models": [model("gemini-4-argon-image", chat.clone())], "nextPageToken": "c"})
            }
            _ => json!({"models": [model("gemma-5", chat)], "nextPageToken": "c"}),
        };
        exchange.whole(200, JSON, page.to_string());
    });
    let models = client(&server, &[]).models(None).unwrap();
    let ids: Vec<&str> = models.iter().map(|model| &*model.id).collect();
    assert_eq!(ids, ["gemini-4-argon", "gemini-4-argon-image", "gemma-5"]);
    assert_eq!(models[0].context_length, Some(1_048_576));
    use tolmach::Capabilities as Can;
    assert_eq!(models[0].capabilities, Can::VISION.with(Can::TOOLS));
    assert_eq!(models[1].capabilities, Can::VISION.with(Can::IMAGES));
    assert_eq!(models[2].capabilities, Can::NONE);
    let requests = server.requests();
    let paths: Vec<&str> = requests.iter().map(|request| &*request.path).collect();
    assert_eq!(
        paths,
        [
            "/models?pageSize=1000",
            "/models?pageSize=1000&pageToken=a%26b",
            "/models?pageSize=1000&pageToken=c"
        ]
    );
    assert_eq!(requests[0].header("x-goog-api-key"), Some("test-key-secret"));
}

#[test]
fn list_of_models_ends_in_any_case() {
    let server = Server::start(|exchange| {
        let page =
            json!({"models": [{"name": "models/m"}], "nextPageToken": exchange.number.to_string()});
        exchange.whole(200, JSON, page.to_string());
    });
    assert_eq!(client(&server, &[]).models(None).unwrap().len(), 50);
    let server = Server::answering(
        JSON,
        "{\"publisherModels\":[{\"name\":\"publishers/google/models/gemini-4\"}]}",
    );
    assert_eq!(client(&server, &[]).models(None).unwrap()[0].id, "gemini-4");
    let server = Server::answering(JSON, "{\"surprise\":1}");
    let error = client(&server, &[]).models(None).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let outcome = list(&server);
    assert!(outcome.stdout.starts_with("error TOLMACH_E_PROTOCOL"), "{}", outcome.stdout);
}

// What is told.

#[test]
fn changes_of_the_request_are_told() {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let sink = |_: Level, _: u64, line: &str| {
        TOLD.lock().unwrap().push(line.to_owned());
    };
    tolmach::set_log(Level::Warn as i32, Some(Box::new(sink)));
    let server = Server::answering(SSE, fixture("unknown") + &fixture("unknown"));
    let fields = json!({"model": "gemini-4-argon", "user": "u", "store": true, "metadata": {}, "safety_identifier": "s",
        "prompt_cache_key": "k", "prompt_cache_options": {}, "prompt_cache_retention": "24h", "prediction": {},
        "stream_options": {}, "verbosity": "low", "parallel_tool_calls": false, "service_tier": "scale",
        "reasoning_effort": "xhigh", "tools": [{"type": "function", "function": {"name": "f", "strict": true}}],
        "messages": [
            {"role": "assistant", "content": "", "tool_calls": [call("a", "f", "{}")]},
            {"role": "user", "name": "Ann", "content": [{"type": "image_url", "image_url": {"url": "https://h/i.png", "detail": "high"}}]},
            {"role": "system", "content": "s"}, {"role": "assistant", "content": "x"}]});
    let request = tolmach::Request::from_json(&fields.to_string()).unwrap();
    let first =
        json!({"model": "gemini-4-argon", "messages": [{"role": "assistant", "content": "x"}]});
    let first = tolmach::Request::from_json(&first.to_string()).unwrap();
    for request in [request, first] {
        assert_eq!(turn(&client(&server, &[]), &request).1, Ok(()));
    }
    let fields = json!({"model": "m", "reasoning": {"exclude": true}, "messages": []});
    let request = tolmach::Request::from_json(&fields.to_string()).unwrap();
    turn(&client(&server, &[]), &request).1.unwrap();
    for (model, effort) in [
        ("gemini-3-pro", "none"),
        ("gemini-4-hydrogen", "max"),
        ("gemini-2.0-flash", "low"),
        ("gemini-2.5-pro", "none"),
        ("gemini-2.5-flash", "max"),
        ("gemini-2.5-flash", "strange"),
    ] {
        let fields = json!({"model": model, "reasoning_effort": effort, "messages": []});
        let request = tolmach::Request::from_json(&fields.to_string()).unwrap();
        turn(&client(&server, &[]), &request).1.unwrap();
    }
    let told = TOLD.lock().unwrap().clone();
    for wanted in [
        "request: user: left out",
        "request: store: left out",
        "request: metadata: left out",
        "request: safety_identifier: left out",
        "request: prompt_cache_key: left out",
        "request: prompt_cache_options: left out",
        "request: prompt_cache_retention: left out",
        "request: prediction: left out",
        "request: stream_options: left out",
        "request: verbosity: left out",
        "request: reasoning: left out",
        "request: parallel_tool_calls: left out",
        "request: service_tier: left out",
        "request: tools[].function.strict: left out",
        "request: image_url.detail: left out",
        "request: messages[].name: left out",
        "request: messages: a tool call without a result left out",
        "request: messages: a later system message moved",
        "request: messages: a blank user message added",
        "request: reasoning_effort: sent as HIGH",
        "request: reasoning_effort: sent as MINIMAL",
        "request: reasoning_effort: sent as XHIGH",
        "request: reasoning_effort: left out",
        "request: reasoning_effort: sent as a budget of 128",
        "request: reasoning_effort: sent as a budget of 24576",
        "request: reasoning_effort: unknown",
        "gemini: the status of the model: DEPRECATED 2027-01-01T00:00:00Z goes away",
    ] {
        assert!(told.iter().any(|line| line.starts_with(wanted)), "{wanted}: {told:#?}");
    }
    // Once an answer: there were nine, and all said it twice.
    assert_eq!(told.iter().filter(|line| line.contains("goes away")).count(), 9, "{told:#?}");
}

#[test]
fn choice_is_never_negative() {
    let body = HI.replace("\"index\":0", "\"index\":-5");
    assert_eq!(chunks(SSE, body), chunks(SSE, HI));
}

#[test]
fn call_whose_signed_sibling_is_left_out_has_a_signature() {
    let items = json!([
        {"call": "a", "with": {"functionCall": {}, "thoughtSignature": "s"}},
        {"call": "b", "with": {"functionCall": {}}}]);
    let calls = json!({"role": "assistant", "content": "", "tool_calls": [call("a", "f", "{}"), call("b", "g", "{}")],
        "tolmach": {"dialect": "gemini", "items": items}});
    let user = json!({"role": "user", "content": "?"});
    let sent = contents(json!([user, calls, result("b", json!("1"))]));
    assert_eq!(sent[1]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
}
