//! A real server: aimock, an OpenAI-compatible server of the npm registry.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::{LONG, c, skip};

const PACKAGE: &str = "@copilotkit/aimock@1.43";

/// The key that the server takes.
pub const KEY: &str = "right-key";

pub struct Aimock {
    server: Child,
    address: SocketAddr,
}

impl Aimock {
    /// The server, shared by the tests of a process; `None`, said aloud, where it cannot be
    /// had.
    pub fn shared() -> Option<Arc<Aimock>> {
        static SHARED: Mutex<Weak<Aimock>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let program = match install() {
            Ok(program) => program,
            Err(why) => {
                skip("a real server (aimock)", &why);
                return None;
            }
        };
        let started = Arc::new(Aimock::start(&program));
        *shared = Arc::downgrade(&started);
        Some(started)
    }

    fn start(program: &Path) -> Aimock {
        // Somebody else may take the port between its being found and its being used.
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let log = c::workshop().join("aimock.log");
            let server = Command::new("node")
                .arg(program)
                .args(["-p", &address.port().to_string(), "-h", "127.0.0.1"])
                .arg("-f")
                .arg(c::root().join("tests/fixtures/aimock.json"))
                .args(["--validate-on-load", "--strict", "--log-level", "warn"])
                .env("AIMOCK_API_KEYS", KEY)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(File::create(log).unwrap())
                .spawn()
                .unwrap();
            let mut aimock = Aimock { server, address };
            if aimock.is_up() {
                return aimock;
            }
        }
        panic!(
            "aimock does not start: {}",
            fs::read_to_string(c::workshop().join("aimock.log")).unwrap()
        );
    }

    fn is_up(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < LONG {
            if self.lists_its_models().unwrap_or(false) {
                return true;
            }
            if self.server.try_wait().unwrap().is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Whether it is aimock that listens there, and not somebody who took the port.
    fn lists_its_models(&self) -> io::Result<bool> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(LONG))?;
        write!(
            stream,
            "GET /v1/models HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.contains("\"aimock\""))
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Aimock {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// Where the server is, installed if need be.
fn install() -> Result<PathBuf, String> {
    let version = |program: &str| {
        Command::new(program)
            .arg("--version")
            .output()
            .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
            .map_err(|_| format!("{program} is not installed"))
    };
    version("node")?;
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aimock");
    let program = |home: &Path| home.join("node_modules/@copilotkit/aimock/dist/cli.js");
    if program(&home).exists() {
        return Ok(program(&home));
    }
    version("npm")?;
    // Made elsewhere and moved, so that half of it is never taken for the whole.
    let made = c::workshop().join("aimock");
    fs::create_dir_all(&made).unwrap();
    let output = Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(&made)
        .arg(PACKAGE)
        .output()
        .map_err(|error| format!("npm does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "npm cannot install it: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    fs::rename(&made, &home).ok();
    Ok(program(&home))
}
