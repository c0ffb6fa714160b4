//! The demo server: a few friendly words in the protocols of the providers, on the loopback.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// How fast it speaks.
const PAUSE: Duration = Duration::from_millis(40);

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
    let own: &[&str] = match provider {
        "openai" => &["base_url=/v1", "api_key=demo", "model=demo"],
        "gigachat" => &["base_url=/giga/v1", "auth_url=/giga/oauth", "api_key=demo"],
        "amigochat" => &["base_url=/amigo/v1"],
        _ => &["base_url="],
    };
    let place = |setting: &&str| setting.replacen("_url=", &format!("_url=http://{address}"), 1);
    own.iter().map(place).chain(["proxy=direct".to_owned()]).collect()
}

struct Request {
    path: String,
    body: Value,
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
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            let whole = end + 4 + length.unwrap_or(0);
            if held.len() >= whole {
                let body = held.get(end + 4..whole).unwrap_or_default();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let request =
                    Request { path, body: serde_json::from_slice(body).unwrap_or_default() };
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
    let body = &request.body;
    match request.path.as_str() {
        "/v1/models" | "/giga/v1/models" => {
            let models = json!([{"id": "demo", "object": "model", "owned_by": "tolmach"}]);
            json_body(stream, 200, &json!({"object": "list", "data": models}))
        }
        "/v1/chat/completions" | "/giga/v1/chat/completions" | "/amigo/v1/chat/completions" => {
            openai(stream, body)
        }
        // GigaChat's tokens: this one lasts until 2100.
        "/giga/oauth" => json_body(
            stream,
            200,
            &json!({"access_token": "demo", "expires_at": 4_102_444_800_000_u64}),
        ),
        // AI365VIP answers in plain text, AiChats in lines of it.
        "/api/chat" => text(stream, "text/plain", &last_message(body, "messages"), str::to_owned),
        "/chat/send2/" => {
            text(stream, "text/event-stream", &last_message(body, "messagesHistory"), |word| {
                format!("data: {word}\n")
            })
        }
        _ => json_body(
            stream,
            404,
            &json!({"error": {"message": "the demo server has no such place"}}),
        ),
    }
}

/// Speaks plain text, each word as `line` makes it.
fn text(
    stream: &mut TcpStream,
    content_type: &str,
    prompt: &str,
    line: fn(&str) -> String,
) -> io::Result<()> {
    head(stream, content_type)?;
    for word in words(prompt) {
        thread::sleep(PAUSE);
        chunk(stream, &line(&word))?;
    }
    stream.write_all(b"0\r\n\r\n")
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

fn openai(stream: &mut TcpStream, body: &Value) -> io::Result<()> {
    let prompt = last_message(body, "messages");
    let choice = |part: &str, message: Value, reason: Value| {
        json!({"id": "chatcmpl-demo", "object": "chat.completion.chunk", "model": "demo",
            "choices": [{"index": 0, part: message, "finish_reason": reason}]})
    };
    let words = words(&prompt);
    if body.get("stream") != Some(&Value::Bool(true)) {
        let message = json!({"role": "assistant", "content": words.concat()});
        return json_body(stream, 200, &choice("message", message, json!("stop")));
    }
    head(stream, "text/event-stream")?;
    for word in &words {
        thread::sleep(PAUSE);
        event(stream, &choice("delta", json!({"content": word}), Value::Null).to_string())?;
    }
    event(stream, &choice("delta", json!({}), json!("stop")).to_string())?;
    let usage =
        json!({"prompt_tokens": prompt.split(' ').count(), "completion_tokens": words.len()});
    event(stream, &json!({"choices": [], "usage": usage}).to_string())?;
    event(stream, "[DONE]")?;
    stream.write_all(b"0\r\n\r\n")
}

/// What the last message of the list `name` says.
fn last_message(body: &Value, name: &str) -> String {
    let last = body.get(name).and_then(Value::as_array).and_then(|messages| messages.last());
    match last.and_then(|message| message.get("content")) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn json_body(stream: &mut TcpStream, status: u16, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} Demo\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The head of an answer that comes in chunks.
fn head(stream: &mut TcpStream, content_type: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
}

fn event(stream: &mut TcpStream, data: &str) -> io::Result<()> {
    chunk(stream, &format!("data: {data}\n\n"))
}

fn chunk(stream: &mut TcpStream, bytes: &str) -> io::Result<()> {
    write!(stream, "{:x}\r\n{bytes}\r\n", bytes.len())
}
