//! Servers that are other people's programs: started on a port that is free, killed with
//! the test.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{LONG, skip};

pub struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts what `command` makes for a port, and waits until it takes connections;
    /// `None`, said aloud, where the program is not installed.
    pub fn start(what: &str, command: impl Fn(u16) -> Command) -> Option<Process> {
        // Somebody else may take the port between its being found and its being used.
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut command = command(address.port());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let Ok(child) = command.spawn() else {
                skip(what, "it is not installed");
                return None;
            };
            let mut process = Process { child, address };
            if process.is_up() {
                return Some(process);
            }
        }
        panic!("{what} does not start");
    }

    fn is_up(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < LONG && self.child.try_wait().unwrap().is_none() {
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
