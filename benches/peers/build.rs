//! Building the library and the programs that are measured, and running one.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program says of its run: numbers by name.
pub struct Sample(HashMap<String, f64>);

impl Sample {
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(f64::NAN)
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the benchmark of this name builds.
pub fn target(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    // target/release/deps/peers-...
    here.ancestors().nth(3).unwrap().join(name)
}

/// Runs a command in a folder to its end; its standard output, or what went wrong.
pub fn run<S: AsRef<OsStr>>(command: &[S], folder: &Path) -> Result<String, String> {
    let program = Path::new(&command[0]).display();
    let out = Command::new(&command[0])
        .args(&command[1..])
        .current_dir(folder)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&out.stderr);
    let line = words.lines().find(|line| line.contains("error")).unwrap_or("").trim();
    Err(format!("{program} failed: {line}"))
}

pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Builds the optimised shared library, and gives it its names.
pub fn library(target: &Path) -> Result<PathBuf, String> {
    let release = target.parent().unwrap();
    let folder = target.join("lib");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let library = folder.join("libtolmach.so");
    // Cargo builds the library for this program as well, with all its crate types and under
    // the same name. That one is never to be measured.
    let built = release.join("release/deps/libtolmach.so");
    if fs::read(&built).ok() != fs::read(&library).ok() {
        let _ = fs::remove_file(&built);
    }
    eprintln!("building the shared library");
    run(
        &[
            cargo().as_str(),
            "rustc",
            "--release",
            "--lib",
            "--crate-type",
            "cdylib",
            "--target-dir",
            release.to_str().unwrap(),
        ],
        root(),
    )?;
    for path in [&library, &folder.join("libtolmach.so.0")] {
        fs::copy(&built, path).map_err(|error| error.to_string())?;
    }
    Ok(library)
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
        return Err(format!("{}: {}", out.status, words.lines().last().unwrap_or_default()));
    }
    let numbers = report.split_whitespace().filter_map(|pair| {
        let (name, number) = pair.split_once('=')?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    Ok(Sample(numbers.collect()))
}
