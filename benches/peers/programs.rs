//! The programs that are measured: building them, and running one.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::server::Server;

pub const TOLMACH: &str = "Tolmach";
pub const RAW: &str = "raw read";
pub const SIMDJSON: &str = "libcurl + simdjson";
pub const CJSON: &str = "libcurl + cJSON";

/// A program that reads an answer: it is told how, and from which URL.
pub struct Program {
    pub name: &'static str,
    /// How it is called; why not, if it is missing.
    pub call: Result<Vec<PathBuf>, String>,
    /// A flood of a million chunks is this many times shorter for it.
    pub slower: usize,
}

pub struct Programs {
    pub all: Vec<Program>,
    pub target: PathBuf,
    pub server: Server,
    // Its standard input ends with this program, and so does it.
    _serving: Child,
}

/// What a program says of its run: numbers by name.
pub struct Sample(HashMap<String, f64>);

impl Sample {
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(f64::NAN)
    }
}

pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn target() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    // target/release/deps/peers-...
    here.ancestors().nth(3).unwrap().join("peers")
}

/// Runs a command to its end; its last words if it fails.
fn run<S: AsRef<OsStr>>(command: &[S]) -> Result<(), String> {
    run_in(command, root())
}

fn run_in<S: AsRef<OsStr>>(command: &[S], folder: &Path) -> Result<(), String> {
    let program = command[0].as_ref();
    let out = Command::new(program)
        .args(&command[1..])
        .current_dir(folder)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if out.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&out.stderr);
    let line = words.lines().find(|line| line.contains("error")).unwrap_or("").trim();
    Err(format!("{} failed: {line}", Path::new(program).display()))
}

/// Compiles a program in C or C++.
fn compile(
    compiler: &str,
    source: &str,
    out: &str,
    flags: &[&str],
) -> Result<Vec<PathBuf>, String> {
    let out = target().join(out);
    let source = here().join(source);
    let mut command = vec![compiler, "-O3", "-Wall", "-Wextra", "-o"];
    command.extend([out.to_str().unwrap(), source.to_str().unwrap()]);
    command.extend(flags);
    run(&command)?;
    Ok(vec![out])
}

/// Builds the optimised shared library, and gives it its names.
fn library(target: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let release = target.parent().unwrap();
    eprintln!("building the shared library");
    run(&[
        cargo.as_str(),
        "rustc",
        "--release",
        "--lib",
        "--crate-type",
        "cdylib",
        "--target-dir",
        release.to_str().unwrap(),
    ])?;
    let folder = target.join("lib");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let library = folder.join("libtolmach.so");
    for path in [&library, &folder.join("libtolmach.so.0")] {
        fs::copy(release.join("release/libtolmach.so"), path).map_err(|error| error.to_string())?;
    }
    Ok(library)
}

/// The flags that compile and link a program of Tolmach's.
fn tolmach_flags(target: &Path) -> Vec<String> {
    let folder = target.join("lib").display().to_string();
    vec![
        format!("-I{}", root().join("include").display()),
        format!("-L{folder}"),
        format!("-Wl,-rpath,{folder}"),
        "-ltolmach".to_owned(),
        "-pthread".to_owned(),
    ]
}

impl Programs {
    pub fn build(full: bool) -> Programs {
        let target = target();
        fs::create_dir_all(&target).unwrap();
        library(&target).unwrap_or_else(|error| panic!("{error}"));
        let flags = tolmach_flags(&target);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        for (source, out) in
            [("tolmach/many.c", "many"), ("tolmach/cancel.c", "cancel"), ("start.c", "start")]
        {
            compile("cc", source, out, &flags).unwrap_or_else(|error| panic!("{error}"));
        }
        compile("cc", "allocations.c", "allocations.so", &["-shared", "-fPIC"])
            .unwrap_or_else(|error| panic!("{error}"));
        let mut all = vec![
            Program { name: RAW, call: compile("cc", "raw/main.c", "raw", &[]), slower: 1 },
            Program {
                name: TOLMACH,
                call: compile("cc", "tolmach/main.c", "tolmach", &flags),
                slower: 1,
            },
            Program {
                name: SIMDJSON,
                // What simdjson's documentation says of its On Demand API: it is chosen for the
                // processor at compile time.
                call: compile(
                    "c++",
                    "libcurl-simdjson/main.cpp",
                    "libcurl-simdjson",
                    &["-std=c++17", "-march=native", "-lcurl", "-lsimdjson"],
                ),
                slower: 1,
            },
            Program {
                name: CJSON,
                call: compile(
                    "cc",
                    "libcurl-cjson/main.c",
                    "libcurl-cjson",
                    &["-lcurl", "-lcjson"],
                ),
                slower: 1,
            },
        ];
        if full {
            all.extend(installed(&target));
        }
        let (serving, server) = serve();
        fs::write(target.join("certificate.pem"), &server.certificate).unwrap();
        Programs { all, target, server, _serving: serving }
    }

    pub fn named(&self, name: &str) -> Option<&Program> {
        self.all.iter().find(|program| program.name == name)
    }
}

impl Program {
    /// Runs it; none if it is missing or fails, which is said.
    pub fn sample(&self, args: &[&str], preload: Option<&Path>) -> Option<Sample> {
        let call = self.call.as_ref().ok()?;
        let mut command = Command::new(&call[0]);
        command.args(&call[1..]).args(args);
        if let Some(preload) = preload {
            command.env("LD_PRELOAD", preload);
        }
        sample(&mut command)
            .map_err(|error| eprintln!("{} {}: {error}", self.name, args.join(" ")))
            .ok()
    }
}

/// Runs a program, and reads what it reports.
pub fn sample(command: &mut Command) -> Result<Sample, String> {
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    {
        command.env_remove(name);
    }
    let out = command.output().map_err(|error| error.to_string())?;
    let report = String::from_utf8_lossy(&out.stdout);
    if !out.status.success() {
        let words = String::from_utf8_lossy(&out.stderr);
        return Err(format!("{}: {}", out.status, words.lines().last().unwrap_or("")));
    }
    let numbers = report.split_whitespace().filter_map(|pair| {
        let (name, number) = pair.split_once('=')?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    Ok(Sample(numbers.collect()))
}

/// Starts the server.
fn serve() -> (Child, Server) {
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
    (child, server)
}

impl Drop for Programs {
    fn drop(&mut self) {
        drop(self._serving.stdin.take());
        let _ = self._serving.wait();
    }
}

/// The peers that have to be fetched first: what `install` has built, or that it is missing.
fn installed(_target: &Path) -> Vec<Program> {
    Vec::new()
}

pub fn install() {}
