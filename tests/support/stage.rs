//! The stage: the scripted server that every binding's tests ask, over OpenAI's protocol.
//!
//! The request's model names the scene; "the message" is the text of its last user message.
//!
//! | Model | What is played |
//! | --- | --- |
//! | `words` | reasoning `Hm.`, then `One `, `two `, `three.`, usage 3 + 5, finish `stop` |
//! | `counted` | `Hi`, usage 9 + 5 = 14, 4 of them from a cache, 3 written to one, 2 for reasoning |
//! | `emoji` | [`EMOJI`], every byte in a write of its own |
//! | `many` | [`MANY`] pieces of text: `0 `, `1 `, ... |
//! | `gated` | `first `, and `second` not before `open` was asked with the same message |
//! | `open` | opens the gate of `gated`, says `opened` |
//! | `held` | `first `, then nothing until the client closes the connection |
//! | `silent` | nothing at all until the client closes the connection |
//! | `was-closed` | `closed`, once the `held` or `silent` of the same message was closed |
//! | `weather` | calls the tool `weather` with `{"city":"Oslo"}`; told its result, says `It is RESULT.`; asked on, says how many messages there were before, as `After 4 messages.` |
//! | `tools` | calls the tool `weather` twice, with [`CITIES`], the pieces of both calls' arguments one after another; told both results, says `Oslo: RESULT, Bergen: RESULT.` |
//! | `calls` | calls the tools that the message lists, as JSON: `[["weather", "{\"city\":\"Oslo\"}"], ...]`; told the results, says them as a JSON list; `calls-for-ever` goes on calling them |
//! | `echo` | says the message |
//! | `gpt-...` | where tools are offered, what `tools` plays; where a format is asked for, says [`REPORT`]; else `words`: for the code of the READMEs |
//! | `look` | says of each attached image its type and bytes: `image/png 67 bytes, sum 1234.` |
//! | `gpt-image-1` | paints [`pixel`], as bytes |
//! | `status-NNN` | that HTTP status, code `code_NNN`, message `Scripted NNN`, Retry-After 7, x-request-id `req-42`, none left of 60 requests |
//! | `quota`, `context-length`, `blocked` | the errors of those names, with the same headers |
//! | `fails` | `first `, then an error of the provider's within the 200 |
//! | `truncated` | `first `, then the connection is closed |
//! | `html` | a web page |
//!
//! `POST /embeddings` answers each input with two numbers: how many bytes it has, and its index.
//!
//! `GET /models` lists `words` and `emoji`. The key is [`KEY`]; another is refused with 401.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::openai::{DONE, delta, event, finish, stream, text, usage};
use super::server::{Exchange, Gate, Server};

/// The key that the server takes.
pub const KEY: &str = "stage-key";

/// Characters of one to four bytes, a joined family among them.
pub const EMOJI: &str = "Привет, 世界 👋 👩‍👩‍👧 ok";

/// How many pieces `many` says.
pub const MANY: usize = 20_000;

/// Where the two calls of `tools` ask for the weather.
pub const CITIES: [&str; 2] = ["Oslo", "Bergen"];

/// What `gpt-...` says where JSON is asked for.
pub const REPORT: &str = r#"{"city":"Oslo","celsius":3}"#;

/// A PNG of one pixel.
pub fn pixel() -> Vec<u8> {
    STANDARD.decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==").unwrap()
}

/// What the tests of one scene wait for, by the message.
type Gates = Mutex<HashMap<String, Gate>>;

pub fn start() -> Server {
    let gates: Arc<Gates> = Arc::default();
    Server::start(move |exchange| {
        let key = exchange.request.header("authorization").unwrap_or_default();
        if key.strip_prefix("Bearer ") != Some(KEY) {
            return refuse(exchange, 401, "invalid_api_key", "Incorrect API key provided");
        }
        match (exchange.request.method.as_str(), exchange.request.path.as_str()) {
            ("GET", "/v1/models") => {
                let model = |id: &str| json!({"id": id, "object": "model", "owned_by": "stage", "context_length": 4096});
                let list = json!({"object": "list", "data": [model("words"), model("emoji")]});
                exchange.whole(200, "application/json", list.to_string());
            }
            ("POST", "/v1/images/generations") => {
                let image = json!({"created": 1, "data": [{"b64_json": STANDARD.encode(pixel())}]});
                exchange.whole(200, "application/json", image.to_string());
            }
            ("POST", "/v1/embeddings") => embed(exchange),
            ("POST", "/v1/chat/completions") => play(exchange, &gates),
            _ => refuse(exchange, 404, "not_found", "No such place on this stage"),
        }
    })
}

fn play(exchange: &mut Exchange, gates: &Gates) {
    let request = exchange.request.json();
    let model = request["model"].as_str().unwrap_or_default();
    let messages = request["messages"].as_array().unwrap();
    let gate = |name: &str| {
        let key = format!("{name} {}", message_of(messages));
        gates.lock().unwrap().entry(key).or_default().clone()
    };
    match model {
        "words" => exchange.stream(
            delta(json!({"reasoning_content": "Hm."})) + &stream(&["One ", "two ", "three."]),
        ),
        "counted" => {
            let usage = json!({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 2}});
            let usage = event(&json!({"choices": [], "usage": usage}));
            exchange.stream(text("Hi") + &finish("stop") + &usage + DONE);
        }
        "emoji" => {
            exchange.stream_head();
            for byte in text(EMOJI).bytes() {
                exchange.chunk([byte]);
            }
            exchange.chunk(finish("stop") + DONE);
            exchange.end_chunks();
        }
        "many" => {
            let pieces: String = (0..MANY).map(|number| text(&format!("{number} "))).collect();
            exchange.stream(pieces + &finish("stop") + DONE);
        }
        "gated" => {
            exchange.stream_head();
            exchange.chunk(text("first "));
            gate("open").wait();
            exchange.chunk(text("second") + &finish("stop") + DONE);
            exchange.end_chunks();
        }
        "open" => {
            gate("open").open();
            exchange.stream(stream(&["opened"]));
        }
        "held" | "silent" => {
            if model == "held" {
                exchange.stream_head();
                exchange.chunk(text("first "));
            }
            exchange.wait_for_close();
            gate("closed").open();
        }
        "was-closed" => {
            gate("closed").wait();
            exchange.stream(stream(&["closed"]));
        }
        "weather" => weather(exchange, &request, messages),
        "tools" => tools(exchange, &request, messages),
        "calls" | "calls-for-ever" => calls(exchange, messages, model == "calls"),
        "echo" => exchange.stream(stream(&[&message_of(messages)])),
        _ if model.starts_with("gpt-") => {
            let format = &request["response_format"]["type"];
            match &request["tools"] {
                Value::Null if format == "json_schema" => exchange.stream(stream(&[REPORT])),
                Value::Null => exchange.stream(stream(&["One ", "two ", "three."])),
                _ => tools(exchange, &request, messages),
            }
        }
        "look" => {
            let seen: Vec<String> = images_of(messages)
                .map(|(mime, bytes)| {
                    let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
                    format!("{mime} {} bytes, sum {sum}.", bytes.len())
                })
                .collect();
            exchange.stream(stream(&[&seen.join(" ")]));
        }
        "quota" => refuse(exchange, 429, "insufficient_quota", "You exceeded your current quota"),
        "context-length" => refuse(
            exchange,
            400,
            "context_length_exceeded",
            "This model's maximum context length is 8 tokens",
        ),
        "blocked" => refuse(exchange, 400, "content_policy_violation", "Not allowed"),
        "fails" => exchange.stream(
            text("first ")
                + &event(
                    &json!({"error": {"message": "Odd", "type": "odd_error", "code": "code_odd"}}),
                ),
        ),
        "truncated" => {
            exchange.stream_head();
            exchange.chunk(text("first "));
            exchange.close();
        }
        "html" => exchange.whole(200, "text/html", "<html><body>Log in</body></html>"),
        _ => match model.strip_prefix("status-").and_then(|status| status.parse().ok()) {
            Some(status) => {
                refuse(exchange, status, &format!("code_{status}"), &format!("Scripted {status}"))
            }
            None => refuse(exchange, 404, "model_not_found", "No such scene on this stage"),
        },
    }
}

/// A conversation of three turns with a tool call, in which nothing may be missing.
fn weather(exchange: &mut Exchange, request: &Value, messages: &[Value]) {
    let call = "call_1";
    let Some(at) = messages.iter().position(|message| message["role"] == "tool") else {
        let tools = request["tools"].as_array().map_or(&[][..], Vec::as_slice);
        if !tools.iter().any(|tool| tool["function"]["name"] == "weather") {
            return refuse(exchange, 400, "no_tools", "The tool weather is not among the tools");
        }
        let first = json!({"tool_calls": [{"index": 0, "id": call, "type": "function",
            "function": {"name": "weather", "arguments": ""}}]});
        let piece = |arguments: &str| {
            delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}))
        };
        let pieces = delta(first) + &piece("{\"city\":") + &piece("\"Oslo\"}");
        return exchange.stream(pieces + &finish("tool_calls") + &usage(9, 4) + DONE);
    };
    let answered = &messages[at];
    let asked = &messages[..at].last().map(|message| message["tool_calls"][0].clone());
    let is_whole = asked.as_ref().is_some_and(|asked| {
        asked["id"] == call
            && asked["function"] == json!({"name": "weather", "arguments": "{\"city\":\"Oslo\"}"})
    });
    if !is_whole || answered["tool_call_id"] != call {
        return refuse(exchange, 400, "bad_history", "The tool's call or its result is not right");
    }
    let last = messages.last().is_some_and(|message| message["role"] == "tool");
    let said = if last {
        format!("It is {}.", answered["content"].as_str().unwrap_or_default())
    } else {
        format!("After {} messages.", messages.len() - 1)
    };
    exchange.stream(stream(&[&said]));
}

/// Two calls at once, whose pieces alternate; both have to come back whole, each with its result.
fn tools(exchange: &mut Exchange, request: &Value, messages: &[Value]) {
    let offered = request["tools"].as_array().map_or(&[][..], Vec::as_slice);
    if !offered.iter().any(|tool| tool["function"]["name"] == "weather") {
        return refuse(exchange, 400, "no_tools", "The tool weather is not among the tools");
    }
    let ids = ["call_1", "call_2"];
    let Some(at) = messages.iter().position(|message| message["role"] == "tool") else {
        let begins = |index: usize| {
            delta(json!({"tool_calls": [{"index": index, "id": ids[index], "type": "function",
                "function": {"name": "weather", "arguments": ""}}]}))
        };
        let piece = |index: usize, arguments: &str| {
            delta(json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}))
        };
        let rest = |index: usize| piece(index, &format!("\"{}\"}}", CITIES[index]));
        let city = "{\"city\":";
        let pieces = [begins(0), begins(1), piece(0, city), piece(1, city), rest(0), rest(1)];
        return exchange.stream(pieces.concat() + &finish("tool_calls") + &usage(9, 8) + DONE);
    };
    let asked = messages[..at].last().map(|message| message["tool_calls"].clone());
    let right = [0, 1].map(|index| {
        let arguments = json!({"city": CITIES[index]}).to_string();
        json!({"id": ids[index], "type": "function",
            "function": {"name": "weather", "arguments": arguments}})
    });
    let results: Option<Vec<String>> = (ids.iter().zip(CITIES))
        .map(|(id, city)| {
            let mut tools = messages[at..].iter().filter(|message| message["role"] == "tool");
            let told = tools.find(|message| message["tool_call_id"] == *id)?;
            Some(format!("{city}: {}", told["content"].as_str()?))
        })
        .collect();
    match results {
        Some(results) if asked == Some(json!(right)) => {
            exchange.stream(stream(&[&results.join(", "), "."]));
        }
        _ => refuse(exchange, 400, "bad_history", "The calls or their results are not right"),
    }
}

/// Calls whatever the message says, once or for ever.
fn calls(exchange: &mut Exchange, messages: &[Value], is_once: bool) {
    let results: Vec<&Value> = (messages.iter().filter(|message| message["role"] == "tool"))
        .map(|message| &message["content"])
        .collect();
    if is_once && !results.is_empty() {
        return exchange.stream(stream(&[&json!(results).to_string()]));
    }
    let asked: Value = serde_json::from_str(&message_of(messages)).unwrap_or_default();
    let calls = asked.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate();
    let pieces: String = calls
        .map(|(index, call)| {
            let id = format!("call_{}_{index}", messages.len());
            delta(json!({"tool_calls": [{"index": index, "id": id, "type": "function",
                "function": {"name": call[0], "arguments": call[1]}}]}))
        })
        .collect();
    exchange.stream(pieces + &finish("tool_calls") + DONE);
}

/// In base64 where that is asked for.
fn embed(exchange: &mut Exchange) {
    let request = exchange.request.json();
    let inputs = request["input"].as_array().map_or(&[][..], Vec::as_slice).iter().enumerate();
    let data: Vec<Value> = inputs
        .map(|(index, input)| {
            let vector = [input.as_str().unwrap_or_default().len() as f32, index as f32];
            let embedding = if request["encoding_format"] == "base64" {
                json!(STANDARD.encode(vector.map(f32::to_le_bytes).concat()))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let usage = json!({"prompt_tokens": 2, "total_tokens": 2});
    let list = json!({"object": "list", "data": data, "model": request["model"], "usage": usage});
    exchange.whole(200, "application/json", list.to_string());
}

fn refuse(exchange: &mut Exchange, status: u16, code: &str, message: &str) {
    let body = json!({"error": {"message": message, "type": "scripted_error", "code": code}});
    let body = body.to_string();
    exchange.head(
        status,
        &[
            ("Content-Type", "application/json"),
            ("Retry-After", "7"),
            ("x-request-id", "req-42"),
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "7s"),
            ("Content-Length", &body.len().to_string()),
        ],
    );
    exchange.send(body);
}

/// The text of the last user message.
fn message_of(messages: &[Value]) -> String {
    let content = messages.iter().rev().find(|message| message["role"] == "user");
    match content.map(|message| &message["content"]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect()
        }
        _ => String::new(),
    }
}

/// The images attached to any message: media type and bytes.
fn images_of(messages: &[Value]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let parts = messages.iter().filter_map(|message| message["content"].as_array()).flatten();
    let urls = parts.filter_map(|part| part["image_url"]["url"].as_str());
    urls.filter_map(|url| {
        let (mime, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
        Some((mime.to_owned(), STANDARD.decode(data).ok()?))
    })
}
