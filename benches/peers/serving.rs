//! The server as a process of its own, which lives as long as this value.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::process::{Child, Command, Stdio};

use crate::server::Server;

pub struct Serving {
    server: Server,
    /// Its standard input ends with this program, and so does it.
    child: Child,
}

impl Serving {
    /// Starts this program again, as the server.
    pub fn start() -> Serving {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            line.trim().to_owned()
        };
        let (plain, tls) = (line(), line());
        let mut certificate = String::new();
        while !certificate.contains("-----END CERTIFICATE-----") {
            assert_ne!(out.read_line(&mut certificate).unwrap(), 0, "the server has ended");
        }
        let server = Server {
            plain: format!("http://127.0.0.1:{plain}"),
            tls: format!("https://127.0.0.1:{tls}"),
            certificate,
        };
        Serving { server, child }
    }
}

impl Deref for Serving {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
