//! The programs that are measured: building them, and running one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{Sample, cargo, library, root, run, sample, target};
use crate::serving::Serving;

pub const TOLMACH: &str = "Tolmach";
pub const RAW: &str = "raw read";
pub const SIMDJSON: &str = "libcurl + simdjson";
pub const CJSON: &str = "libcurl + cJSON";

/// A program that reads an answer: it is told how, and from which URL.
pub struct Program {
    pub name: &'static str,
    /// The program and its first arguments, or why the program is missing.
    pub call: Result<Vec<PathBuf>, String>,
    /// A flood of a million chunks is this many times shorter for it.
    pub slower: usize,
}

pub struct Programs {
    pub all: Vec<Program>,
    pub target: PathBuf,
    pub server: Serving,
}

pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}

/// Compiles a program in C or C++.
fn compile(
    compiler: &str,
    source: &str,
    out: &str,
    flags: &[&str],
) -> Result<Vec<PathBuf>, String> {
    let out = target("peers").join(out);
    let source = here().join(source);
    let mut command = vec![compiler, "-O3", "-Wall", "-Wextra", "-o"];
    command.extend([out.to_str().unwrap(), source.to_str().unwrap()]);
    command.extend(flags);
    run(&command, root())?;
    Ok(vec![out])
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
        let target = target("peers");
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
        let server = Serving::start();
        fs::write(target.join("certificate.pem"), &server.certificate).unwrap();
        Programs { all, target, server }
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
        if self.name == TOLMACH && args.len() == 2 {
            command.args(["openai", "api_key=key"]);
        }
        if let Some(preload) = preload {
            command.env("LD_PRELOAD", preload);
        }
        sample(&mut command)
            .map_err(|error| eprintln!("{} {}: {error}", self.name, args.join(" ")))
            .ok()
    }
}

/// The peers that `install` fetches and builds, and what runs each.
fn installed(target: &Path) -> Vec<Program> {
    let missing = || "not installed: cargo bench --bench peers -- --install".to_owned();
    let present = |call: Vec<PathBuf>| {
        if call.iter().all(|part| part.exists()) { Ok(call) } else { Err(missing()) }
    };
    let node = target.join("openai-node");
    let python = target.join("openai-python");
    let rust = target.join("build/release");
    let library = |name: &str, library: &str| {
        let headers = target.join(format!("{name}.headers"));
        if !headers.exists() {
            return Err(missing());
        }
        let include = format!("-I{}", fs::read_to_string(headers).unwrap_or_default());
        let folder = rust.to_str().unwrap();
        let (search, path) = (format!("-L{folder}"), format!("-Wl,-rpath,{folder}"));
        compile(
            "cc",
            &format!("{name}/main.c"),
            name,
            &[&include, &search, &path, library, "-lcjson"],
        )
    };
    let program = |name, slower, call| Program { name, call, slower };
    vec![
        program("async-openai", 4, present(vec![rust.join("peer-async-openai")])),
        program("openai-go", 8, present(vec![target.join("openai-go")])),
        program(
            "openai-node",
            20,
            present(vec![node.join("node_modules/openai"), node.join("main.js")])
                .map(|call| vec!["node".into(), call[1].clone()]),
        ),
        program(
            "openai-python",
            50,
            present(vec![python.join("bin/python"), here().join("openai-python/main.py")]),
        ),
        program("aimux-ffi", 8, library("aimux-ffi", "-lpeer_aimux_ffi")),
        program("liter-llm-ffi", 8, library("liter-llm-ffi", "-lpeer_liter_llm_ffi")),
    ]
}

type Step = fn(&Path) -> Result<(), String>;

/// Fetches the peers from their registries, and builds them.
pub fn install() {
    let target = target("peers");
    fs::create_dir_all(&target).unwrap();
    let steps: [(&str, Step); 4] = [
        ("async-openai, aimux-ffi, liter-llm-ffi", install_crates),
        ("openai-go", install_go),
        ("openai-node", install_node),
        ("openai-python", install_python),
    ];
    for (name, step) in steps {
        eprintln!("installing {name}");
        if let Err(error) = step(&target) {
            eprintln!("{name}: {error}");
        }
    }
}

fn install_crates(target: &Path) -> Result<(), String> {
    let build = target.join("build");
    for name in ["async-openai", "aimux-ffi", "liter-llm-ffi"] {
        let folder = here().join(name);
        let cargo = cargo();
        let build = build.to_str().unwrap();
        run(&[&cargo, "build", "--release", "--locked", "--target-dir", build], &folder)?;
        if name == "async-openai" {
            continue;
        }
        // Where the crate's header is.
        let metadata = run(&[&cargo, "metadata", "--locked", "--format-version", "1"], &folder)?;
        let metadata: serde_json::Value =
            serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let manifest = packages
            .filter(|package| package["name"] == name)
            .find_map(|package| package["manifest_path"].as_str())
            .ok_or("the crate is not among the packages")?;
        let package = Path::new(manifest).parent().unwrap();
        let include = package.join("include");
        let headers = if include.exists() { include } else { package.to_owned() };
        fs::write(target.join(format!("{name}.headers")), headers.to_str().unwrap())
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn install_go(target: &Path) -> Result<(), String> {
    let out = target.join("openai-go");
    run(&["go", "build", "-o", out.to_str().unwrap(), "."], &here().join("openai-go")).map(drop)
}

fn install_node(target: &Path) -> Result<(), String> {
    let folder = target.join("openai-node");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    for file in ["package.json", "package-lock.json", "main.js"] {
        fs::copy(here().join("openai-node").join(file), folder.join(file))
            .map_err(|error| format!("{file}: {error}"))?;
    }
    run(&["npm", "ci", "--no-audit", "--no-fund"], &folder).map(drop)
}

fn install_python(target: &Path) -> Result<(), String> {
    let folder = target.join("openai-python");
    run(&["python3", "-m", "venv", folder.to_str().unwrap()], target)?;
    let pip = folder.join("bin/pip");
    let requirements = here().join("openai-python/requirements.txt");
    run(&[pip.as_os_str(), "install".as_ref(), "-r".as_ref(), requirements.as_os_str()], target)
        .map(drop)
}
