//! Every provider against every fault: each case ends within its deadline, in the right
//! error, and a cut answer is never a quiet success.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test may pace itself, and fails where it cannot go on"
)]

mod support;

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use support::openai::{DONE, finish, text};
use support::server::{Exchange, Server};
use support::tls::{self, End, Identity};
use tolmach::{ChunkKind, Client, Config, ErrorKind, Polled, Request, Session};

/// A protocol, and a short answer in it that says "Hi".
struct Subject {
    name: &'static str,
    provider: &'static str,
    settings: &'static [(&'static str, &'static str)],
    content_type: &'static str,
    answer: String,
    /// How much of the answer is enough: its end mark, or less where that is missing often.
    enough: usize,
}

fn subjects() -> Vec<Subject> {
    let subject = |name, provider, settings, content_type, answer: String, end: &str| Subject {
        name,
        provider,
        settings,
        content_type,
        enough: answer.len() - end.len(),
        answer,
    };
    let stream = text("H") + &text("i") + &finish("stop") + DONE;
    let done = format!("\n\n{DONE}");
    let whole =
        json!({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}).to_string();
    let responses = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n";
    let second = "event: a\ndata: {\"messages\":[{\"role\":\"assistant\",\"content\":\"Hi\"}]}\n\nevent: b\ndata: {\"finish_reason\":\"stop\"}\n\n";
    let messages = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"1\"}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
    );
    vec![
        subject(
            "openai",
            "openai",
            &[("api_key", "k")],
            "text/event-stream",
            stream.clone(),
            &done,
        ),
        subject("openai, JSON", "openai", &[("api_key", "k")], "application/json", whole, ""),
        subject(
            "responses",
            "openai-responses",
            &[("api_key", "k")],
            "text/event-stream",
            responses.to_owned(),
            "\n\n",
        ),
        subject(
            "gigachat",
            "gigachat",
            &[("access_token", "t")],
            "text/event-stream",
            stream.clone(),
            &done,
        ),
        subject(
            "gigachat v2",
            "gigachat",
            &[("access_token", "t"), ("api_version", "v2")],
            "text/event-stream",
            second.to_owned(),
            "\n\n",
        ),
        subject(
            "anthropic",
            "anthropic",
            &[("api_key", "k")],
            "text/event-stream",
            messages.to_owned(),
            "\n\n",
        ),
        subject("ai365vip", "ai365vip", &[], "text/plain", "Hi".to_owned(), ""),
        subject("amigochat", "amigochat", &[], "text/event-stream", stream, &done),
        subject(
            "gemini",
            "gemini",
            &[("api_key", "k"), ("model", "m")],
            "text/event-stream",
            GEMINI.to_owned(),
            // The end of the body is the end mark.
            "",
        ),
        subject(
            "aichats",
            "aichats",
            &[],
            "text/event-stream",
            "data: H\ndata: i\n".to_owned(),
            "\n",
        ),
    ]
}

/// The finish reason comes in the last event, and nothing marks the end.
const GEMINI: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"H\"}]}}]}\n\n\
    data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"i\"}]},\"finishReason\":\"STOP\"}]}\n\n";

const PATIENCE: &str = "400";

/// What a session at `url` comes to: its text, or the error, and no later than it must.
fn ask(subject: &Subject, url: &str, more: &[(&str, &str)]) -> Result<String, ErrorKind> {
    let mut config = Config::new(subject.provider).unwrap();
    let common =
        [("base_url", url), ("proxy", "direct"), ("max_retries", "0"), ("tls_verify", "false")];
    for (key, value) in common.iter().chain(subject.settings).chain(more) {
        config.set(key, Some(value)).unwrap();
    }
    let mut request = Request::new(None);
    request.message("user", "Hi").unwrap();
    let start = Instant::now();
    let mut session = Session::open(&Client::new(&config).unwrap(), &request).unwrap();
    let mut said = String::new();
    let outcome = loop {
        match session.poll(Some(support::LONG)) {
            Ok(Polled::Chunk(chunk)) if chunk.kind == ChunkKind::Text => said.push_str(chunk.text),
            Ok(Polled::Chunk(_)) => {}
            Ok(Polled::End) => break Ok(said),
            Ok(_) => panic!("{} hangs", subject.name),
            Err(error) => break Err(error.kind()),
        }
    };
    assert!(start.elapsed() < support::LONG, "{} hangs", subject.name);
    outcome
}

/// What a fault is to come to.
enum Wanted {
    Answer,
    Error(&'static [ErrorKind]),
}

/// How a server behaves to one subject.
type Behaviour = Box<dyn Fn(&mut Exchange) + Send + Sync>;

/// What a subject is sent to.
enum Site {
    Scripted(Behaviour),
    At(String),
}

fn head(subject: &Subject, rest: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {}\r\n{rest}\r\n", subject.content_type)
}

fn sized(subject: &Subject) -> String {
    head(subject, &format!("Content-Length: {}\r\n", subject.answer.len())) + &subject.answer
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn script(behaviour: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Site {
    Site::Scripted(Box::new(behaviour))
}

fn say(bytes: impl Into<Vec<u8>>) -> Site {
    let bytes = bytes.into();
    script(move |exchange| {
        exchange.send(&bytes);
        exchange.close();
    })
}

fn stall_after(bytes: impl Into<Vec<u8>>) -> Site {
    let bytes = bytes.into();
    script(move |exchange| {
        exchange.send(&bytes);
        exchange.wait_for_close();
    })
}

/// A port where nobody listens.
fn refusing() -> Site {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Site::At(format!("http://{free}"))
}

/// Resets every connection: a socket that closes with something unread does.
fn resetting() -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().read_exact(&mut [0]).ok();
        }
    });
    Site::At(format!("http://{address}"))
}

/// Takes connections and says nothing, not even in TLS.
fn mute() -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let taken: Vec<_> = listener.incoming().collect();
        drop(taken);
    });
    Site::At(format!("https://{address}"))
}

/// Says the start of the answer over TLS, and is gone without a word to TLS.
fn cut_tls(subject: &Subject) -> Site {
    let half = &subject.answer[..subject.answer.len() / 2];
    let answer = head(subject, "Connection: close\r\n") + half;
    let identity = Identity::authority().issue("localhost", |_| {});
    Site::At(tls::serve(&identity, None, answer, End::Abrupt))
}

/// The faults that a scripted server can have.
fn faults(subject: &Subject) -> Vec<(&'static str, Wanted, Site)> {
    use ErrorKind as Kind;
    use Wanted::{Answer, Error};
    let answer = &subject.answer;
    let bytewise = sized(subject);
    let slow = bytewise.clone();
    let with_gzip = |label: &str| {
        let body = packed(answer);
        [head(subject, &format!("{label}Content-Length: {}\r\n", body.len())).into_bytes(), body]
            .concat()
    };
    let chunked = format!(
        "{}3;name=value\r\n{}\r\n{:X} ; x\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n",
        head(subject, "Transfer-Encoding: chunked\r\n"),
        &answer[..3.min(answer.len() - 1)].chars().chain("   ".chars()).take(3).collect::<String>(),
        answer.len() - 3.min(answer.len() - 1),
        &answer[3.min(answer.len() - 1)..]
    );
    let chunked = if answer.len() > 4 { chunked } else { sized(subject) };
    let close = head(subject, "Connection: close\r\n") + answer;
    vec![
        ("1-byte reads", Answer, script(move |exchange| exchange.send_byte_by_byte(&bytewise))),
        (
            "slow loris",
            Answer,
            script(move |exchange| {
                for piece in slow.as_bytes().chunks(32) {
                    thread::sleep(Duration::from_millis(3));
                    exchange.send(piece);
                }
            }),
        ),
        (
            "wrong content type",
            Answer,
            say(sized(subject).replace(subject.content_type, "application/octet-stream")),
        ),
        (
            "no content type",
            Answer,
            say(sized(subject).replacen(
                &format!("Content-Type: {}\r\n", subject.content_type),
                "",
                1,
            )),
        ),
        ("gzip, labelled", Answer, say(with_gzip("Content-Encoding: gzip\r\n"))),
        ("gzip, not labelled", Answer, say(with_gzip(""))),
        ("extensions and trailers", Answer, say(chunked)),
        ("HTTP/1.0", Answer, say(close.replace("HTTP/1.1", "HTTP/1.0"))),
        ("100 Continue", Answer, say(format!("HTTP/1.1 100 Continue\r\n\r\n{}", sized(subject)))),
        ("refused", Error(&[Kind::Connect]), refusing()),
        ("reset", Error(&[Kind::Connect]), resetting()),
        ("stalled in the handshake", Error(&[Kind::Timeout]), mute()),
        (
            "truncated gzip",
            Error(&[Kind::Truncated]),
            say({
                let mut packed = packed(&answer[..answer.len() / 2]);
                packed.truncate(packed.len() - 9);
                [head(subject, "Connection: close\r\n").into_bytes(), packed].concat()
            }),
        ),
        ("truncated TLS", Error(&[Kind::Truncated]), cut_tls(subject)),
        ("closed at once", Error(&[Kind::Connect]), say("")),
        (
            "garbage",
            Error(&[Kind::Protocol, Kind::Connect]),
            say("\u{1}\u{2}\u{3} garbage\r\n\r\n"),
        ),
        ("half a head", Error(&[Kind::Connect]), say("HTTP/1.1 200 OK\r\nContent-Ty")),
        (
            "HTML",
            Error(&[Kind::Protocol]),
            say(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<!DOCTYPE html>",
            ),
        ),
        (
            "bot page",
            Error(&[Kind::Blocked]),
            say(
                "HTTP/1.1 403 No\r\nContent-Length: 42\r\n\r\n<html><title>Just a moment...</title></html>",
            ),
        ),
        (
            "redirect",
            Error(&[Kind::Protocol]),
            say("HTTP/1.1 307 R\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
        ),
        ("407", Error(&[Kind::Auth]), say("HTTP/1.1 407 P\r\nContent-Length: 0\r\n\r\n")),
        ("503", Error(&[Kind::Server]), say("HTTP/1.1 503 S\r\nContent-Length: 0\r\n\r\n")),
        (
            "damaged gzip",
            Error(&[Kind::Protocol]),
            say([
                head(subject, "Connection: close\r\n").into_bytes(),
                b"\x1f\x8bnonsense".to_vec(),
            ]
            .concat()),
        ),
        (
            "damaged chunks",
            Error(&[Kind::Protocol, Kind::Truncated]),
            say(head(subject, "Transfer-Encoding: chunked\r\n") + "zz\r\nHi\r\n0\r\n\r\n"),
        ),
        (
            "too large a head",
            Error(&[Kind::TooLarge, Kind::Protocol]),
            say(head(subject, &format!("X-Large: {}\r\n", "x".repeat(100_000)))),
        ),
        ("stalled before the head", Error(&[Kind::Timeout]), stall_after("")),
        ("stalled in the head", Error(&[Kind::Timeout]), stall_after("HTTP/1.1 200 OK\r\nConte")),
        (
            "stalled before the body",
            Error(&[Kind::Timeout]),
            stall_after(head(subject, "Content-Length: 1000000\r\n")),
        ),
        (
            "stalled in the body",
            Error(&[Kind::Timeout]),
            stall_after(head(subject, "Content-Length: 1000000\r\n") + &answer[..1]),
        ),
    ]
}

fn fits(outcome: &Result<String, ErrorKind>, wanted: &Wanted) -> bool {
    match (outcome, wanted) {
        (Ok(said), Wanted::Answer) => said == "Hi",
        (Err(kind), Wanted::Error(kinds)) => kinds.contains(kind),
        _ => false,
    }
}

#[test]
fn every_fault_of_every_provider_ends_in_the_right_way() {
    let subjects = subjects();
    let mut table = String::new();
    let mut wrong = Vec::new();
    let mut cells = 0;
    for subject in &subjects {
        let faults = faults(subject);
        let mut right = 0;
        for (fault, wanted, site) in faults {
            let (_server, url) = match site {
                Site::Scripted(behaviour) => {
                    let server = Server::start(behaviour);
                    let url = server.url();
                    (Some(server), url)
                }
                Site::At(url) => (None, url),
            };
            let patience = [
                ("first_byte_timeout_ms", PATIENCE),
                ("idle_timeout_ms", PATIENCE),
                (
                    "connect_timeout_ms",
                    if fault.contains("handshake") { PATIENCE } else { "60000" },
                ),
            ];
            // Where no deadline is to pass, there is all the time that a slow machine needs.
            let stalls =
                matches!(wanted, Wanted::Error(kinds) if kinds.contains(&ErrorKind::Timeout));
            let patience = if stalls { &patience[..] } else { &patience[..0] };
            let outcome = ask(subject, &url, patience);
            cells += 1;
            match fits(&outcome, &wanted) {
                true => right += 1,
                false => wrong.push(format!("{}, {fault}: {outcome:?}", subject.name)),
            }
        }
        writeln!(table, "{:>14}  {right} right", subject.name).unwrap();
    }
    writeln!(io::stderr(), "faults: {cells} cells\n{table}").ok();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn cut_at_every_byte_an_answer_is_never_a_quiet_success() {
    for subject in &subjects() {
        let answer = Arc::new(sized(subject));
        let enough = answer.len() - subject.answer.len() + subject.enough;
        let sent = Arc::clone(&answer);
        let cuts = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::start(move |exchange| {
            let cut = cuts.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            exchange.send(&sent.as_bytes()[..cut]);
            exchange.close();
        });
        for cut in 0..answer.len() {
            match ask(subject, &server.url(), &[]) {
                Ok(said) => assert!(
                    cut >= enough && said == "Hi",
                    "{}, cut at {cut}: {said:?}",
                    subject.name
                ),
                Err(ErrorKind::Connect | ErrorKind::Truncated) => {}
                Err(kind) => panic!("{}, cut at {cut}: {kind:?}", subject.name),
            }
        }
    }
}
