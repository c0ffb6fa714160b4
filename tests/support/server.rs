//! The scripted server: HTTP on the loopback, every byte and every pause of it the test's.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::LONG;

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// As they came, in their order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let known = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, value)| &**value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the request's body is JSON")
    }
}

/// A server whose script runs once for every request.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    connections: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    open: Mutex<HashMap<usize, TcpStream>>,
}

impl Server {
    pub fn start(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Server {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (ours, script) = (Arc::clone(&shared), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ours.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), shared, script) = (stream, Arc::clone(&ours), Arc::clone(&script))
                else {
                    continue;
                };
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                shared.open.lock().unwrap().insert(number, stream.try_clone().unwrap());
                thread::spawn(move || {
                    serve(stream, &shared, &*script);
                    shared.open.lock().unwrap().remove(&number);
                });
            }
        });
        Server { address, shared }
    }

    /// Answers every request with one body of that type.
    pub fn answering(content_type: &'static str, body: impl Into<Vec<u8>>) -> Server {
        let body = body.into();
        Server::start(move |exchange| exchange.whole(200, content_type, &body))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// How many connections have been made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap().values() {
            stream.shutdown(Shutdown::Both).ok();
        }
        // Wakes the thread that accepts.
        TcpStream::connect(self.address).ok();
    }
}

/// Hundreds may come at once: the usual backlog would turn some of them away.
fn listener() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(4096).unwrap();
    socket.into()
}

fn serve(stream: TcpStream, shared: &Shared, script: &(dyn Fn(&mut Exchange) + Send + Sync)) {
    stream.set_nodelay(true).unwrap();
    let mut held = Vec::new();
    let mut stream = Some(stream);
    while let Some(mut open) = stream.take() {
        let Some(request) = read_request(&mut open, &mut held) else { return };
        let number = {
            let mut requests = shared.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let mut exchange = Exchange { request, number, stream: Some(open) };
        script(&mut exchange);
        stream = exchange.stream;
    }
}

fn read_request(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<Request> {
    let mut buffer = [0; 64 * 1024];
    let mut more = |held: &mut Vec<u8>| match stream.read(&mut buffer) {
        Ok(count @ 1..) => {
            held.extend_from_slice(&buffer[..count]);
            Some(())
        }
        _ => None,
    };
    let end = loop {
        if let Some(at) = held.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        more(held)?;
    };
    let head = String::from_utf8_lossy(&held[..end]).into_owned();
    held.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let mut request = Request {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        ..Request::default()
    };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    while held.len() < length {
        more(held)?;
    }
    request.body = held.drain(..length).collect();
    Some(request)
}

/// One request and the connection to answer it on.
pub struct Exchange {
    pub request: Request,
    /// How many requests the server had before this one.
    pub number: usize,
    stream: Option<TcpStream>,
}

impl Exchange {
    /// Raw bytes. A client that has gone does not matter to a script.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Some(stream) = &mut self.stream {
            stream.write_all(bytes.as_ref()).ok();
        }
    }

    pub fn send_byte_by_byte(&mut self, bytes: impl AsRef<[u8]>) {
        bytes.as_ref().iter().for_each(|byte| self.send([*byte]));
    }

    pub fn head(&mut self, status: u16, headers: &[(&str, &str)]) {
        let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(head + "\r\n");
    }

    /// The head of an answer that comes in chunks.
    pub fn stream_head(&mut self) {
        self.head(200, &[("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]);
    }

    /// One chunk of HTTP.
    pub fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        self.send(framed(bytes.as_ref()));
    }

    /// One chunk of HTTP; `held` is called once if the client takes none of it for so long
    /// that it is not just slow. False if it has gone.
    pub fn chunk_watched(&mut self, bytes: impl AsRef<[u8]>, held: impl FnOnce()) -> bool {
        let (bytes, mut held) = (framed(bytes.as_ref()), Some(held));
        let Some(stream) = &mut self.stream else { return false };
        let mut sent = 0;
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        while sent < bytes.len() {
            match stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if let Some(held) = held.take() {
                        held();
                    }
                }
                Err(_) => return false,
            }
        }
        stream.set_write_timeout(None).unwrap();
        true
    }

    pub fn end_chunks(&mut self) {
        self.send("0\r\n\r\n");
    }

    /// A whole answer with its length.
    pub fn whole(&mut self, status: u16, content_type: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        self.head(
            status,
            &[("Content-Type", content_type), ("Content-Length", &body.len().to_string())],
        );
        self.send(body);
    }

    /// A whole stream of events.
    pub fn stream(&mut self, events: impl AsRef<[u8]>) {
        self.stream_head();
        self.chunk(events);
        self.end_chunks();
    }

    /// Ends the connection properly.
    pub fn close(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// Waits until the client closes the connection.
    pub fn wait_for_close(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.set_read_timeout(Some(LONG)).unwrap();
            loop {
                match stream.read(&mut [0; 1024]) {
                    Ok(1..) => {}
                    Err(error)
                        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                    {
                        panic!("the client did not close the connection");
                    }
                    _ => break,
                }
            }
        }
        self.stream = None;
    }
}

/// `bytes` as a chunk of HTTP.
fn framed(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// What one thread opens and others wait for.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub fn wait(&self) {
        let open = self.0.0.lock().unwrap();
        let (open, _) = self.0.1.wait_timeout_while(open, LONG, |open| !*open).unwrap();
        assert!(*open, "nobody opened the gate");
    }
}
