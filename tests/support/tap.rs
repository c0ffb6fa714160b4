//! A server in front of another, which knows what the client really sent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::server::Server;

/// Passes every request on to `upstream`, and its answer back as it comes.
pub fn before(upstream: SocketAddr) -> Server {
    Server::start(move |exchange| {
        let request = &exchange.request;
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(upstream).unwrap();
        stream.write_all(&[head.as_bytes(), b"\r\n", &request.body].concat()).unwrap();
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            exchange.send(&buffer[..count]);
            answer.extend_from_slice(&buffer[..count]);
            // The last chunk: an upstream that keeps its connection says no more.
            if answer.ends_with(b"\r\n0\r\n\r\n") {
                return;
            }
        }
        exchange.close();
    })
}
