//! A million chunks at full speed, beside a raw read of the same bytes from a socket.
//!
//!     cargo bench

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tolmach::{ChunkKind, Client, Config, Polled, Request, Session};

const CHUNKS: usize = 1_000_000;
const ROUNDS: usize = 5;

/// One chunk of an answer as OpenAI sends it.
const EVENT: &str = "data: {\"id\":\"chatcmpl-BkM3fJq0T4uXkqvXy1YV2m3hVn7aS\",\"object\":\"chat.completion.chunk\",\
\"created\":1750000000,\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_34a54ae93c\",\
\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";

fn main() {
    let address = serve();
    // In turns, so that what else the machine does hits both.
    let rounds: Vec<(Duration, Duration)> =
        (0..ROUNDS).map(|_| (raw(address), session(address))).collect();
    let raw = rounds.iter().map(|(raw, _)| *raw).min().unwrap();
    let session = rounds.iter().map(|(_, session)| *session).min().unwrap();
    let rate = |time: Duration| CHUNKS as f64 / time.as_secs_f64() / 1e6;
    println!("{CHUNKS} chunks of {} bytes, best of {ROUNDS}:", EVENT.len());
    println!("  raw socket read  {:6.2} M chunks/s", rate(raw));
    println!("  session poll     {:6.2} M chunks/s", rate(session));
    println!(
        "  ratio            {:6.2} times the raw read's time",
        session.as_secs_f64() / raw.as_secs_f64()
    );
}

/// Reads the answer and throws it away.
fn raw(address: SocketAddr) -> Duration {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"POST /chat/completions HTTP/1.1\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut buffer = [0; 16 * 1024];
    while stream.read(&mut buffer).unwrap() > 0 {}
    start.elapsed()
}

/// Polls the answer, chunk by chunk.
fn session(address: SocketAddr) -> Duration {
    let start = Instant::now();
    let mut config = Config::new("openai").unwrap();
    for (key, value) in
        [("base_url", &*format!("http://{address}")), ("api_key", ""), ("proxy", "direct")]
    {
        config.set(key, Some(value)).unwrap();
    }
    let client = Client::new(&config).unwrap();
    let mut session = Session::open(&client, &Request::new(Some("m"))).unwrap();
    let mut texts = 0;
    while let Polled::Chunk(chunk) = session.poll(None).unwrap() {
        texts += usize::from(chunk.kind == ChunkKind::Text);
    }
    assert_eq!(texts, CHUNKS);
    start.elapsed()
}

/// A server that answers every request with the same million chunks, and closes.
fn serve() -> SocketAddr {
    const EVENTS: usize = 250;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let events = EVENT.repeat(EVENTS);
    let piece = Arc::new(format!("{:x}\r\n{events}\r\n", events.len()));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, piece) = (stream.unwrap(), Arc::clone(&piece));
            thread::spawn(move || {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .unwrap();
                for _ in 0..CHUNKS / EVENTS {
                    stream.write_all(piece.as_bytes()).unwrap();
                }
                let end = "data: [DONE]\n\n";
                stream
                    .write_all(format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len()).as_bytes())
                    .unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                // What is unread when a socket closes would reset the connection.
                let mut rest = [0; 4096];
                while stream.read(&mut rest).is_ok_and(|count| count > 0) {}
            });
        }
    });
    address
}
