//! Streams an answer in a terminal: compiles `examples/chat.c` against the shared library
//! and runs it.
//!
//!     cargo run --release --example demo -- "Why is the sky blue?"
//!
//! Asks the provider named in `TOLMACH_PROVIDER`, else the first whose key is in the
//! environment, else the demo server of this repository, on the loopback: that works
//! without a key and without a network. `TOLMACH_MODEL` names the model.

#![allow(
    clippy::print_stderr,
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a program of its own"
)]

mod server;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use tolmach::Provider;

fn main() {
    match run() {
        Ok(code) => exit(code),
        Err(error) => {
            eprintln!("demo: {error}");
            exit(1);
        }
    }
}

fn run() -> Result<i32, Box<dyn Error>> {
    let prompt = env::args().nth(1).unwrap_or_else(|| "Why is the sky blue?".to_owned());
    let chat = compile_chat()?;
    let (provider, settings) = choose()?;
    let mut command = Command::new(chat);
    command.arg(provider.name).arg(prompt).args(settings);
    let status = command.status()?;
    Ok(status.code().unwrap_or(1))
}

/// Whom to ask, and the settings for it.
fn choose() -> Result<(&'static Provider, Vec<String>), Box<dyn Error>> {
    let has_key = |provider: &Provider| {
        let variable = provider.api_key_env;
        !variable.is_empty() && env::var(variable).is_ok_and(|key| !key.is_empty())
    };
    let wanted = env::var("TOLMACH_PROVIDER").ok().filter(|name| !name.is_empty());
    let named = match wanted {
        Some(name) => Some(tolmach::find_provider(&name).ok_or_else(|| {
            let names: Vec<&str> =
                tolmach::providers().iter().map(|provider| provider.name).collect();
            format!("TOLMACH_PROVIDER is {name:?}; there are {}", names.join(", "))
        })?),
        None => tolmach::providers().iter().find(|provider| has_key(provider)),
    };
    let model = env::var("TOLMACH_MODEL").ok().filter(|name| !name.is_empty());
    if let Some(provider) = named.filter(|provider| has_key(provider)) {
        let default = match provider.name {
            "openai" | "openai-responses" => "gpt-5.6-luna",
            "anthropic" => "claude-haiku-5-5",
            "gemini" => "gemini-3.8-flash",
            _ => provider.default_model,
        };
        let model = model.as_deref().unwrap_or(default);
        eprintln!("demo: asking {} ({}, model {model})\n", provider.label, provider.api_key_env);
        return Ok((provider, vec![format!("model={model}")]));
    }
    let provider = match named {
        Some(provider) => provider,
        None => tolmach::find_provider("openai").ok_or("this build has no openai")?,
    };
    let address = server::start()?;
    eprintln!(
        "demo: no key in the environment: asking the demo server on {address}, as {}\n",
        provider.label
    );
    let mut settings = server::settings(provider.name, address);
    settings.extend(model.map(|model| format!("model={model}")));
    Ok((provider, settings))
}

/// The program of the README, linked with the library that cargo built beside this one.
fn compile_chat() -> Result<PathBuf, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = env::current_exe()?;
    let profile = here.parent().and_then(Path::parent).ok_or("this program lies nowhere")?;
    let name = format!("{}tolmach{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let library = profile.join("deps").join(&name);
    let folder = profile.join("demo");
    fs::create_dir_all(&folder)?;
    // The names that the linker and the loader look for.
    for name in [name.clone(), format!("{name}.0"), name.replace(".dylib", ".0.dylib")] {
        fs::copy(&library, folder.join(name))
            .map_err(|error| format!("{}: {error}", library.display()))?;
    }
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let chat = folder.join("chat");
    let status = Command::new(&compiler)
        .args(["-std=c99", "-Wall", "-Wextra"])
        .arg("-I")
        .arg(root.join("include"))
        .arg(root.join("examples/chat.c"))
        .arg("-L")
        .arg(&folder)
        .args(["-ltolmach", &format!("-Wl,-rpath,{}", folder.display()), "-o"])
        .arg(&chat)
        .status()
        .map_err(|error| {
            format!("a C compiler is needed, {compiler} (or name one in CC): {error}")
        })?;
    if !status.success() {
        return Err(format!("{compiler} failed on examples/chat.c").into());
    }
    Ok(chat)
}
