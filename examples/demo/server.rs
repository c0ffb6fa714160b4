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
    match request.path.as_str() {
        "/v1/models" => json_body(
            stream,
            200,
            &json!({"object": "list", "data": [{"id": "demo", "object": "model", "owned_by": "tolmach"}]}),
        ),
        "/v1/chat/completions" => openai(stream, &request.body),
        _ => json_body(
            stream,
            404,
            &json!({"error": {"message": "the demo server has no such place"}}),
        ),
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

fn openai(stream: &mut TcpStream, body: &Value) -> io::Result<()> {
    let prompt = last_user_message(body);
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

fn last_user_message(body: &Value) -> String {
    let messages = body.get("messages").and_then(Value::as_array);
    let last = messages
        .into_iter()
        .flatten()
        .rev()
        .find(|message| message.get("role").is_some_and(|role| role == "user"));
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
