//! The demo server: a few friendly words in the protocols of the providers, on the loopback.
//!
//! It is strict where the services are: a client that it answers sends what they want.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

/// How fast it speaks.
const PAUSE: Duration = Duration::from_millis(40);

/// The key of the demo server's `openai`.
const KEY: &str = "demo";

/// The authorization key of its `gigachat`, base64 of `demo:demo`, and what that is good for.
const GIGACHAT_KEY: &str = "ZGVtbzpkZW1v";
const GIGACHAT_TOKEN: &str = "demo-token";

/// Starts the server for the rest of the process's life.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is no concern of the server's.
            thread::spawn(move || serve(stream).ok());
        }
    });
    Ok(address)
}

/// What makes a client of `provider` talk to the demo server.
pub(crate) fn settings(provider: &str, address: SocketAddr) -> Vec<String> {
    let at = |key: &str, path: &str| format!("{key}=http://{address}{path}");
    let mut settings = match provider {
        "gemini" => {
            vec![at("base_url", "/gemini"), format!("api_key={KEY}"), "model=demo".to_owned()]
        }
        "openai" | "openai-responses" | "anthropic" => {
            vec![at("base_url", "/v1"), format!("api_key={KEY}"), "model=demo".to_owned()]
        }
        "gigachat" => vec![
            at("base_url", "/gigachat/api/v1"),
            at("auth_url", "/gigachat/api/v2/oauth"),
            format!("api_key={GIGACHAT_KEY}"),
        ],
        "ai365vip" => vec![at("base_url", "/ai365vip")],
        "amigochat" => vec![at("base_url", "/amigochat/v1")],
        "aichats" => vec![at("base_url", "/aichats")],
        _ => vec![at("base_url", "")],
    };
    settings.push("proxy=direct".to_owned());
    settings
}

struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// "POST /path", without a query.
    fn line(&self) -> String {
        let mut words = self.head.split(' ');
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default();
        format!("{method} {path}")
    }

    /// The value of a header; "" for none.
    fn header(&self, wanted: &str) -> &str {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim()).unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut held = Vec::new();
    while let Some(request) = read(&mut stream, &mut held)? {
        answer(&mut stream, &request)?;
    }
    Ok(())
}

fn read(stream: &mut TcpStream, held: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some(end) = held.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(held.get(..end).unwrap_or_default()).into_owned();
            let mut request = Request { head, body: Vec::new() };
            let whole = end + 4 + request.header("content-length").parse().unwrap_or(0);
            if held.len() >= whole {
                request.body = held.get(end + 4..whole).unwrap_or_default().to_vec();
                held.drain(..whole);
                return Ok(Some(request));
            }
        }
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(None);
        }
        held.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
}

fn answer(stream: &mut TcpStream, request: &Request) -> io::Result<()> {
    match request.line().as_str() {
        "GET /v1/models" if is_openai(request) => {
            let models = json!([{"id": "demo", "object": "model", "owned_by": "tolmach"}]);
            json_body(stream, 200, &json!({"object": "list", "data": models}))
        }
        "POST /v1/chat/completions" if is_openai(request) => openai(stream, &request.json()),
        "POST /v1/responses" if is_openai(request) => responses(stream, &request.json()),
        "POST /v1/messages" if request.header("x-api-key") == KEY => {
            messages(stream, &request.json())
        }
        "POST /gemini/models/demo:streamGenerateContent"
            if request.header("x-goog-api-key") == KEY =>
        {
            gemini(stream, &request.json())
        }
        "GET /v1/models" | "POST /v1/chat/completions" | "POST /v1/responses" => {
            let error = json!({"message": "Incorrect API key provided.",
                "type": "invalid_request_error", "param": null, "code": "invalid_api_key"});
            json_body(stream, 401, &json!({"error": error}))
        }
        "POST /gigachat/api/v2/oauth" => gigachat_token(stream, request),
        line if line.contains(" /gigachat/api/v") => gigachat(stream, line, request),
        "POST /ai365vip/api/chat" => ai365vip(stream, &request.json()),
        "POST /amigochat/v1/chat/completions" => amigochat(stream, request),
        "POST /aichats/chat/send2/" => aichats(stream, &request.json()),
        line => refuse(stream, 404, &format!("the demo server has no {line}")),
    }
}

/// What the server says to a prompt, word by word.
fn words(prompt: &str) -> Vec<String> {
    let said = format!(
        "You asked: \u{201c}{prompt}\u{201d}. I am only the demo server of Tolmach, so I do not know. \
         But every word of mine went through a socket, a worker thread and a poll, \
         and reached your terminal as soon as I had said it."
    );
    said.split_inclusive(' ').map(str::to_owned).collect()
}

fn is_openai(request: &Request) -> bool {
    request.header("authorization").strip_prefix("Bearer ") == Some(KEY)
}

fn openai(stream: &mut TcpStream, body: &Value) -> io::Result<()> {
    let Some(prompt) = last_user_message(body) else {
        return refuse(stream, 400, "there is no message of the user's");
    };
    let model = body.get("model").cloned().unwrap_or_default();
    let event = |choices: Value| json!({"id": "chatcmpl-demo", "object": "chat.completion.chunk", "model": model, "choices": choices});
    let choice = |part: &str, message: Value, reason: Value| json!([{"index": 0, part: message, "finish_reason": reason}]);
    let words = words(&prompt);
    let usage = usage(&prompt, &words);
    if !is_true(body.get("stream")) {
        let message = json!({"role": "assistant", "content": words.concat()});
        let mut answer = event(choice("message", message, json!("stop")));
        merge(&mut answer, json!({"object": "chat.completion", "usage": usage}));
        return json_body(stream, 200, &answer);
    }
    speak(stream, "text/event-stream", &words, |word| {
        sse(&event(choice("delta", json!({"content": word}), Value::Null)))
    })?;
    chunk(stream, &sse(&event(choice("delta", json!({}), json!("stop")))))?;
    if is_true(body.pointer("/stream_options/include_usage")) {
        let mut last = event(json!([]));
        merge(&mut last, json!({"usage": usage}));
        chunk(stream, &sse(&last))?;
    }
    chunk(stream, "data: [DONE]\n\n")?;
    end(stream)
}

fn responses(stream: &mut TcpStream, body: &Value) -> io::Result<()> {
    let input = json!({"messages": body.get("input")});
    let Some(prompt) = last_user_message(&input) else {
        return refuse(stream, 400, "there is no message of the user's");
    };
    let words = words(&prompt);
    let (input, output) = (prompt.split_whitespace().count(), words.len());
    let part = json!({"type": "output_text", "text": words.concat(), "annotations": []});
    let message =
        json!({"id": "msg_demo", "type": "message", "role": "assistant", "content": [part]});
    let response = json!({"id": "resp_demo", "object": "response", "status": "completed",
        "model": body.get("model"), "output": [message],
        "usage": {"input_tokens": input, "output_tokens": output, "total_tokens": input + output}});
    if !is_true(body.get("stream")) {
        return json_body(stream, 200, &response);
    }
    let event = |kind: &str, rest: Value| {
        let mut event = json!({"type": kind});
        merge(&mut event, rest);
        format!("event: {kind}\n{}", sse(&event))
    };
    speak(stream, "text/event-stream", &words, |word| {
        event("response.output_text.delta", json!({"output_index": 0, "delta": word}))
    })?;
    chunk(stream, &event("response.completed", json!({"response": response})))?;
    end(stream)
}

fn messages(stream: &mut TcpStream, body: &Value) -> io::Result<()> {
    let Some(prompt) = last_user_message(body) else {
        return refuse(stream, 400, "messages: at least one message is required");
    };
    if body.get("max_tokens").is_none() || !is_true(body.get("stream")) {
        return refuse(
            stream,
            400,
            "max_tokens: Field required, and only streams are demonstrated",
        );
    }
    let words = words(&prompt);
    let usage = usage(&prompt, &words);
    let event = |kind: &str, rest: Value| {
        let mut event = json!({"type": kind});
        merge(&mut event, rest);
        format!("event: {kind}\n{}", sse(&event))
    };
    let message = json!({"id": "msg_demo", "type": "message", "role": "assistant", "content": [],
        "model": body.get("model"), "stop_reason": null,
        "usage": {"input_tokens": usage.get("prompt_tokens"), "output_tokens": 1}});
    let block = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
    let start =
        event("message_start", json!({"message": message})) + &event("content_block_start", block);
    let first = std::cell::Cell::new(Some(start));
    speak(stream, "text/event-stream", &words, |word| {
        let delta = json!({"index": 0, "delta": {"type": "text_delta", "text": word}});
        first.take().unwrap_or_default() + &event("content_block_delta", delta)
    })?;
    let end_of_message = json!({"delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": usage.get("completion_tokens")}});
    let last = event("content_block_stop", json!({"index": 0}))
        + &event("message_delta", end_of_message)
        + &event("message_stop", json!({}));
    chunk(stream, &last)?;
    end(stream)
}

fn gemini(stream: &mut TcpStream, body: &Value) -> io::Result<()> {
    let contents = body.get("contents").and_then(Value::as_array);
    let last = contents.and_then(|contents| contents.last());
    let Some(prompt) = last.and_then(|last| last.pointer("/parts/0/text")?.as_str()) else {
        return refuse(stream, 400, "contents is not specified");
    };
    let words = words(prompt);
    let usage = usage(prompt, &words);
    let event = |text: &str, rest: Value| {
        let content = json!({"role": "model", "parts": [{"text": text}]});
        let mut candidate = json!({"index": 0, "content": content});
        merge(&mut candidate, rest);
        json!({"responseId": "demo", "modelVersion": "demo", "candidates": [candidate]})
    };
    speak(stream, "text/event-stream", &words, |word| sse(&event(word, json!({}))))?;
    let mut last = event("", json!({"finishReason": "STOP"}));
    merge(
        &mut last,
        json!({"usageMetadata": {
            "promptTokenCount": usage.get("prompt_tokens"),
            "candidatesTokenCount": usage.get("completion_tokens"),
        }}),
    );
    chunk(stream, &sse(&last))?;
    end(stream)
}

fn gigachat_token(stream: &mut TcpStream, request: &Request) -> io::Result<()> {
    let refused = |code: i32, message: &str| json!({"code": code, "message": message});
    let key = request.header("authorization").split_once(' ');
    if key.is_none_or(|(_, key)| key != GIGACHAT_KEY) {
        return json_body(stream, 401, &refused(6, "credentials doesn't match db data"));
    }
    let id = request.header("rquid");
    if id.len() != 36 || id.get(14..15) != Some("4") {
        return refuse(stream, 400, "RqUID is no uuid4");
    }
    let body = String::from_utf8_lossy(&request.body);
    match body.split('&').find_map(|field| field.strip_prefix("scope=")) {
        None | Some("") => json_body(stream, 400, &refused(5, "scope is empty")),
        Some("GIGACHAT_API_PERS" | "GIGACHAT_API_B2B" | "GIGACHAT_API_CORP") => {
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            let expires = now + Duration::from_secs(30 * 60);
            let expires = u64::try_from(expires.as_millis()).unwrap_or(u64::MAX);
            let token = json!({"access_token": GIGACHAT_TOKEN, "expires_at": expires});
            json_body(stream, 200, &token)
        }
        Some(_) => json_body(stream, 400, &refused(1, "scope data format invalid")),
    }
}

fn gigachat(stream: &mut TcpStream, line: &str, request: &Request) -> io::Result<()> {
    let refused = |status: u16, message: &str| json!({"status": status, "message": message});
    if request.header("authorization").strip_prefix("Bearer ") != Some(GIGACHAT_TOKEN) {
        return json_body(stream, 401, &refused(401, "Unauthorized"));
    }
    let body = request.json();
    let messages = body.get("messages").and_then(Value::as_array);
    if messages.into_iter().flatten().skip(1).any(|message| is_of(message, "system")) {
        let why = "Invalid params: system message must be the first message";
        return json_body(stream, 422, &refused(422, why));
    }
    match (line, last_user_message(&body)) {
        ("GET /gigachat/api/v1/models", _) => {
            let model = |id: &str, kind: &str| json!({"id": id, "object": "model", "owned_by": "salutedevices", "type": kind});
            let models = [model("GigaChat-2", "chat"), model("Embeddings", "embedder")];
            json_body(stream, 200, &json!({"object": "list", "data": models}))
        }
        ("POST /gigachat/api/v1/chat/completions", Some(prompt)) => {
            gigachat_v1(stream, &body, &prompt)
        }
        ("POST /gigachat/api/v2/chat/completions", Some(prompt)) => {
            gigachat_v2(stream, &body, &prompt)
        }
        (
            "POST /gigachat/api/v1/chat/completions" | "POST /gigachat/api/v2/chat/completions",
            None,
        ) => json_body(stream, 422, &refused(422, "Invalid params: no message of the user's")),
        _ => json_body(stream, 404, &refused(404, "No such place in the demo server")),
    }
}

fn gigachat_v1(stream: &mut TcpStream, body: &Value, prompt: &str) -> io::Result<()> {
    let event = |choice: Value| json!({"choices": [choice], "created": 1_768_996_176, "model": "GigaChat:2.0.28.2", "object": "chat.completion"});
    let words = words(prompt);
    let mut usage = usage(prompt, &words);
    merge(&mut usage, json!({"precached_prompt_tokens": 0}));
    if !is_true(body.get("stream")) {
        let message = json!({"content": words.concat(), "role": "assistant"});
        let mut answer = event(json!({"message": message, "index": 0, "finish_reason": "stop"}));
        merge(&mut answer, json!({"usage": usage}));
        return json_body(stream, 200, &answer);
    }
    speak(stream, "text/event-stream", &words, |word| {
        sse(&event(json!({"delta": {"content": word, "role": "assistant"}, "index": 0})))
    })?;
    let mut last = event(json!({"delta": {"content": ""}, "index": 0, "finish_reason": "stop"}));
    merge(&mut last, json!({"usage": usage}));
    chunk(stream, &sse(&last))?;
    chunk(stream, "data: [DONE]\n\n")?;
    end(stream)
}

fn gigachat_v2(stream: &mut TcpStream, body: &Value, prompt: &str) -> io::Result<()> {
    let event = |rest: Value| {
        let mut event = json!({"model": "GigaChat-2:32.3.18.5", "created_at": 1_780_321_864});
        merge(&mut event, rest);
        event
    };
    let says =
        |text: &str| json!({"messages": [{"role": "assistant", "content": [{"text": text}]}]});
    let words = words(prompt);
    let (input, output) = (prompt.split_whitespace().count(), words.len());
    let usage =
        json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output});
    let done = json!({"finish_reason": "stop", "usage": usage});
    if !is_true(body.get("stream")) {
        let mut answer = event(says(&words.concat()));
        merge(&mut answer, done);
        return json_body(stream, 200, &answer);
    }
    speak(stream, "text/event-stream", &words, |word| {
        format!("event: response.message.delta\n{}", sse(&event(says(word))))
    })?;
    chunk(stream, &format!("event: response.message.done\n{}", sse(&event(done))))?;
    end(stream)
}

/// Plain text, one folded prompt in.
fn ai365vip(stream: &mut TcpStream, body: &Value) -> io::Result<()> {
    match last_user_message(body) {
        Some(prompt) if body.pointer("/model/id").is_some_and(Value::is_string) => {
            speak(stream, "text/plain; charset=utf-8", &words(unfolded(&prompt)), str::to_owned)?;
            end(stream)
        }
        _ => refuse(stream, 400, "there is no model or no message"),
    }
}

/// Events of the least kind: no id, no finish reason, no usage.
fn amigochat(stream: &mut TcpStream, request: &Request) -> io::Result<()> {
    let body = request.json();
    let is_known = ["chatId", "personaId", "model"]
        .iter()
        .all(|name| body.get(name).is_some_and(Value::is_string));
    let prompt = match last_user_message(&body) {
        Some(prompt) if is_known && request.header("x-device-uuid").len() == 36 => prompt,
        _ => return refuse(stream, 400, "there is no device, chat, persona, model or message"),
    };
    let words = words(&prompt);
    if !is_true(body.get("stream")) {
        let message = json!({"role": "assistant", "content": words.concat()});
        return json_body(stream, 200, &json!({"choices": [{"message": message}]}));
    }
    speak(stream, "text/event-stream", &words, |word| {
        sse(&json!({"choices": [{"delta": {"content": word}}]}))
    })?;
    chunk(stream, "data: [DONE]\n\n")?;
    end(stream)
}

/// Lines of plain text, which end with the body.
fn aichats(stream: &mut TcpStream, body: &Value) -> io::Result<()> {
    let last = body.pointer("/messagesHistory/0/content").and_then(Value::as_str);
    match (body.get("type").and_then(Value::as_str), last) {
        (Some("chat"), Some(prompt)) => {
            // There is no way to say a line break in this protocol.
            let prompt = unfolded(prompt).replace(['\r', '\n'], " ");
            speak(stream, "text/event-stream", &words(&prompt), |word| format!("data: {word}\n"))?;
            end(stream)
        }
        (Some("image"), _) => refuse(stream, 400, "the demo server does not draw"),
        _ => refuse(stream, 400, "there is no type or no message"),
    }
}

fn is_true(value: Option<&Value>) -> bool {
    value == Some(&Value::Bool(true))
}

fn is_of(message: &Value, role: &str) -> bool {
    message.get("role").is_some_and(|its| its == role)
}

/// Adds the fields of `more` to `object`.
fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// A word is a token here.
fn usage(prompt: &str, words: &[String]) -> Value {
    let (input, output) = (prompt.split_whitespace().count(), words.len());
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}

fn last_user_message(body: &Value) -> Option<String> {
    let messages = body.get("messages")?.as_array()?;
    let content = messages.iter().rev().find(|message| is_of(message, "user"))?.get("content")?;
    let text = |part: &Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
    match content {
        Value::String(said) => Some(said.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(text).collect()),
        _ => None,
    }
}

/// What the user said last in a conversation that was folded into one prompt.
fn unfolded(prompt: &str) -> &str {
    let turns = prompt.strip_suffix("\nAssistant:").and_then(|turns| turns.rsplit_once("User: "));
    turns.map_or(prompt, |(_, last)| last)
}

fn refuse(stream: &mut TcpStream, status: u16, why: &str) -> io::Result<()> {
    json_body(stream, status, &json!({"error": {"message": why, "type": "invalid_request_error"}}))
}

fn json_body(stream: &mut TcpStream, status: u16, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Demo\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes())
}

/// Begins an answer that comes in chunks, and says the words, each in its frame.
fn speak(
    stream: &mut TcpStream,
    content_type: &str,
    words: &[String],
    frame: impl Fn(&str) -> String,
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 Demo\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    for word in words {
        thread::sleep(PAUSE);
        chunk(stream, &frame(word))?;
    }
    Ok(())
}

fn sse(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// A chunk of an answer; never empty, which would be its end.
fn chunk(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
}

fn end(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"0\r\n\r\n")
}
