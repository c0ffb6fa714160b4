//! The server: a process of its own that answers with streams made beforehand.
//!
//! A URL's path says what is wanted: `/KIND/COUNT/TOKEN/` and what the client appends.
//!
//! - `DIALECT.flood`, `DIALECT.varied`, `DIALECT.split`: COUNT events, at full speed
//! - `paced`: COUNT events, 1 ms apart, each with the time of its write as text
//! - `rate`: COUNT events, 20 ms apart
//! - `stamp`: one event, with the time when the request had been read as text
//! - `idle`: one event, and then nothing until the client leaves
//! - `gone`: waits until the client of the `idle` stream with that token has left; the time

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::streams::{self, BLOCK, Stream};

/// The server's addresses, and the certificate of the one with TLS.
pub struct Server {
    pub plain: String,
    pub tls: String,
    pub certificate: String,
}

/// Serves until standard input ends. Prints the ports and the certificate first.
pub fn run() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = TcpListener::bind("127.0.0.1:0").unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    println!("{}", plain.local_addr().unwrap().port());
    println!("{}", tls.local_addr().unwrap().port());
    println!("{}", certificate.pem().trim_end());
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
    let state = Arc::new(State::default());
    accept(plain, &state, |stream| Box::new(stream));
    let config = Arc::new(config);
    accept(tls, &state, move |stream| {
        Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream))
    });
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
}

/// CLOCK_MONOTONIC in nanoseconds, which all processes of a machine share.
pub fn now() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

#[derive(Default)]
struct State {
    streams: Mutex<HashMap<String, Arc<Stream>>>,
    /// When the client of each `idle` stream left, by token.
    gone: Mutex<HashMap<String, i64>>,
    left: Condvar,
}

impl State {
    fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        let mut streams = self.streams.lock().unwrap();
        if let Some(stream) = streams.get(name) {
            return Some(Arc::clone(stream));
        }
        let (dialect, kind) = name.split_once('.')?;
        let stream = Arc::new(streams::stream(dialect, kind)?);
        streams.insert(name.to_owned(), Arc::clone(&stream));
        Some(stream)
    }
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn accept(
    listener: TcpListener,
    state: &Arc<State>,
    wrap: impl Fn(TcpStream) -> Box<dyn Wire> + Clone + Send + 'static,
) {
    let state = Arc::clone(state);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let (state, wrap) = (Arc::clone(&state), wrap.clone());
            thread::Builder::new()
                .stack_size(256 * 1024)
                .spawn(move || {
                    let socket = stream.try_clone().unwrap();
                    // A client that leaves in the middle is no failure of the server's.
                    let _ = answer_all(&mut *wrap(stream), &socket, &state);
                })
                .unwrap();
        }
    });
}

/// Answers the requests of a connection, one after another.
fn answer_all(wire: &mut dyn Wire, socket: &TcpStream, state: &State) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(wire, &mut buffer)? {
        answer(wire, state, &request)?;
        wire.flush()?;
        if request.close {
            socket.shutdown(Shutdown::Write)?;
            // What is unread when a socket closes would reset the connection.
            let mut rest = [0; 4096];
            while wire.read(&mut rest)? > 0 {}
            return Ok(());
        }
    }
    Ok(())
}

struct Request {
    kind: String,
    count: usize,
    token: String,
    close: bool,
    /// When all of it had been read.
    read: i64,
}

/// The next request of a connection; none when the client has left.
fn read_request(wire: &mut dyn Wire, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            let headers = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let value = |name: &str| {
                headers.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
            };
            let length = value("content-length:").and_then(|value| value.parse().ok()).unwrap_or(0);
            let end = end + 4 + length;
            if buffer.len() >= end {
                let read = now();
                let mut path = headers.split(' ').nth(1).unwrap_or("").split('/').skip(1);
                let mut part = || path.next().unwrap_or("").to_owned();
                let request = Request {
                    kind: part(),
                    count: part().parse().unwrap_or(0),
                    token: part(),
                    close: value("connection:") == Some("close"),
                    read,
                };
                buffer.drain(..end);
                return Ok(Some(request));
            }
        }
        match wire.read(&mut piece)? {
            0 => return Ok(None),
            count => buffer.extend_from_slice(&piece[..count]),
        }
    }
}

const HEADERS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn answer(wire: &mut dyn Wire, state: &State, request: &Request) -> io::Result<()> {
    match &*request.kind {
        "paced" => timed(wire, request.count, Duration::from_millis(1)),
        "rate" => timed(wire, request.count, Duration::from_millis(20)),
        "stamp" => {
            begin(wire)?;
            send(wire, &streams::openai_text(&request.read.to_string()))?;
            end(wire)
        }
        "idle" => {
            begin(wire)?;
            send(wire, &streams::openai_text("word"))?;
            wire.flush()?;
            let mut rest = [0; 4096];
            while wire.read(&mut rest).is_ok_and(|count| count > 0) {}
            state.gone.lock().unwrap().insert(request.token.clone(), now());
            state.left.notify_all();
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        "gone" => {
            let gone = state.gone.lock().unwrap();
            let limit = Duration::from_secs(10);
            let (mut gone, _) = state
                .left
                .wait_timeout_while(gone, limit, |gone| !gone.contains_key(&request.token))
                .unwrap();
            let time = gone.remove(&request.token).unwrap_or(0).to_string();
            write!(wire, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{time}", time.len())
        }
        name => {
            let Some(stream) = state.stream(name) else {
                return wire.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            };
            wire.write_all(HEADERS.as_bytes())?;
            wire.write_all(&stream.first)?;
            for block in stream.blocks.iter().cycle().take(request.count / BLOCK) {
                wire.write_all(block)?;
            }
            wire.write_all(&stream.last)
        }
    }
}

fn begin(wire: &mut dyn Wire) -> io::Result<()> {
    wire.write_all(HEADERS.as_bytes())?;
    send(wire, &streams::openai_first(false))
}

fn send(wire: &mut dyn Wire, event: &str) -> io::Result<()> {
    wire.write_all(&streams::chunk(event))
}

fn end(wire: &mut dyn Wire) -> io::Result<()> {
    wire.write_all(&streams::chunk(&streams::openai_last(false)))?;
    wire.write_all(b"0\r\n\r\n")
}

/// `count` events, one per `gap`; the text of each is the time just before its write.
fn timed(wire: &mut dyn Wire, count: usize, gap: Duration) -> io::Result<()> {
    begin(wire)?;
    wire.flush()?;
    let mut due = Instant::now();
    for _ in 0..count {
        due += gap;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        send(wire, &streams::openai_text(&now().to_string()))?;
        wire.flush()?;
    }
    end(wire)
}
