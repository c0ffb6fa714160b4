//! What the bindings cost over C, in one run on one machine: benches/bindings/README.md.
//!
//!     cargo bench --bench bindings
//!     cargo bench --bench bindings -- --only go,java --pairs 3

#![allow(
    unreachable_pub,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    clippy::exit,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

#[allow(dead_code, reason = "shared with the other benchmark")]
#[path = "../peers/build.rs"]
mod build;
#[allow(dead_code, reason = "shared with the other benchmark")]
#[path = "../peers/server.rs"]
mod server;
#[path = "../peers/serving.rs"]
mod serving;
#[path = "../peers/statistics.rs"]
mod statistics;
#[allow(dead_code, reason = "shared with the other benchmark")]
#[path = "../peers/streams.rs"]
mod streams;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use build::{library, root, target};
use serving::Serving;
use statistics::{Spread, median, spread};

/// The languages: a folder here, a name for people, and what its binding may cost over C.
const LANGUAGES: [(&str, &str, f64); 4] =
    [("cpp", "C++", 1.0), ("go", "Go", 1.3), ("python", "Python", 4.0), ("java", "Java", 1.3)];

/// What a build exits with whose toolchain is not there; what is missing is on standard error.
const MISSING: i32 = 77;

/// How far a goal is overstepped by noise alone.
const NOISE: f64 = 0.05;

const USAGE: &str = "usage: cargo bench --bench bindings -- [--only LANGUAGE,...] [--chunks N] [--pairs N] [--kind flood|varied|split]";

fn main() {
    let (mut only, mut chunks, mut pairs) = (Vec::new(), 100_000_u64, 7);
    let mut kind = "flood".to_owned();
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_default();
        match &*arg {
            // What cargo says to every benchmark.
            "--bench" => {}
            "--only" => only = value().split(',').map(str::to_owned).collect(),
            "--chunks" => chunks = value().parse().unwrap_or(chunks),
            "--pairs" => pairs = value().parse().unwrap_or(pairs),
            "--kind" => kind = value(),
            "serve" => return server::run(),
            _ => {
                eprintln!("{USAGE}");
                exit(2);
            }
        }
    }
    let prefix = install();
    let server = Serving::start();
    let url = format!("{}/{}.{kind}/{chunks}/0", server.plain, streams::OPENAI);
    let c = Program::build("c", &prefix).unwrap_or_else(|error| panic!("c: {error}"));
    let mut rows = Vec::new();
    let mut missing = Vec::new();
    for (folder, name, goal) in LANGUAGES {
        if !only.is_empty() && !only.iter().any(|only| only == folder) {
            continue;
        }
        eprintln!("{name}: building");
        let program = match Program::build(folder, &prefix) {
            Ok(program) => program,
            Err(why) => {
                missing.push(format!("missing: {name} ({why})"));
                continue;
            }
        };
        match compare(&c, &program, &url, pairs) {
            Ok((base, ours)) => rows.push(row(name, goal, &base, &ours)),
            Err(why) => missing.push(format!("failed: {name} ({why})")),
        }
    }
    println!("{chunks} chunks ({kind}); CPU of the whole process, the median of {pairs} pairs.");
    println!("Over C: the ratio within a pair, its median and quartiles.\n");
    println!("| language | a chunk | C, a chunk | over C | goal | reached |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for row in rows {
        println!("{row}");
    }
    println!();
    for line in &missing {
        println!("{line}");
    }
    if missing.iter().any(|line| line.starts_with("failed")) {
        exit(1);
    }
}

/// Builds the C library, and installs it in the folder that is returned.
fn install() -> PathBuf {
    let prefix = target("bindings");
    for folder in ["include", "lib/pkgconfig"] {
        fs::create_dir_all(prefix.join(folder)).unwrap();
    }
    library(&prefix).unwrap_or_else(|error| panic!("{error}"));
    fs::copy(root().join("include/tolmach.h"), prefix.join("include/tolmach.h")).unwrap();
    let package = fs::read_to_string(root().join("tolmach.pc.in")).unwrap();
    let package = package
        .replace("@PREFIX@", prefix.to_str().unwrap())
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    fs::write(prefix.join("lib/pkgconfig/tolmach.pc"), package).unwrap();
    prefix
}

/// The program of one language.
struct Program {
    path: PathBuf,
    prefix: PathBuf,
}

/// What a program measured of one reading.
struct Reading {
    microseconds: f64,
    chunks: u64,
}

impl Program {
    /// Runs the build.sh of the language; why there is no program else.
    fn build(folder: &str, prefix: &Path) -> Result<Program, String> {
        let here = root().join("benches/bindings").join(folder);
        let out = prefix.join(folder);
        fs::create_dir_all(&out).map_err(|error| error.to_string())?;
        let mut command = Command::new("sh");
        command.arg("build.sh").current_dir(here).env("PREFIX", prefix).env("OUT", &out);
        let output =
            environment(&mut command, prefix).output().map_err(|error| error.to_string())?;
        let words = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => Ok(Program { path: out.join("program"), prefix: prefix.to_owned() }),
            Some(MISSING) => Err(words.trim().to_owned()),
            _ => {
                eprintln!("{words}");
                Err(format!("build.sh: {}", output.status))
            }
        }
    }

    fn read(&self, url: &str) -> Result<Reading, String> {
        let mut command = Command::new(&self.path);
        command.args([url, "m"]);
        let output =
            environment(&mut command, &self.prefix).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            return Err(output.status.to_string());
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let mut numbers = said.split_whitespace();
        match (numbers.next().map(str::parse), numbers.next().map(str::parse), numbers.next()) {
            (Some(Ok(microseconds)), Some(Ok(chunks)), None) => {
                Ok(Reading { microseconds, chunks })
            }
            _ => Err(format!("it printed {said:?}, not MICROSECONDS CHUNKS")),
        }
    }
}

/// What a program needs to know beside its arguments.
fn environment<'c>(command: &'c mut Command, prefix: &Path) -> &'c mut Command {
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    {
        // Not for a build, which may fetch.
        if command.get_program() != "sh" {
            command.env_remove(name);
        }
    }
    command
        .env("OPENAI_API_KEY", "key")
        .env("LD_LIBRARY_PATH", prefix.join("lib"))
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
}

/// Readings of C and of another language, in turn.
fn compare(
    c: &Program,
    program: &Program,
    url: &str,
    pairs: usize,
) -> Result<(Vec<f64>, Vec<f64>), String> {
    let (mut base, mut ours) = (Vec::new(), Vec::new());
    for round in 0..pairs {
        eprint!("\r{} of {pairs} ", round + 1);
        let (one, other) = (c.read(url)?, program.read(url)?);
        if one.chunks != other.chunks {
            return Err(format!("it read {} chunks, and C {}", other.chunks, one.chunks));
        }
        base.push(one.microseconds / one.chunks as f64);
        ours.push(other.microseconds / other.chunks as f64);
    }
    eprintln!();
    Ok((base, ours))
}

fn row(name: &str, goal: f64, base: &[f64], ours: &[f64]) -> String {
    let ratios = ours.iter().zip(base).map(|(ours, base)| ours / base).collect();
    let Spread { low, median: ratio, high } = spread(ratios);
    let nanoseconds = |values: &[f64]| format!("{:.0} ns", median(values.to_vec()) * 1000.0);
    let reached = if ratio <= goal + NOISE { "yes" } else { "no" };
    format!(
        "| {name} | {} | {} | {ratio:.2} x ({low:.2} to {high:.2}) | ≤ {goal:.1} x | {reached} |",
        nanoseconds(ours),
        nanoseconds(base),
    )
}
