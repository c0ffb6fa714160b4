//! Keeps `include/tolmach.h` equal to src/ffi, and names the shared library's ABI.

#![allow(clippy::expect_used, clippy::panic, reason = "a build that cannot go on fails")]

use std::env;
use std::fs;
use std::path::Path;

/// The header's sections in its order: a file of src/ffi each, and what it is called.
const SECTIONS: &[(&str, &str)] = &[
    ("status", "status"),
    ("text", "text"),
    ("library", "library: version and log"),
    ("error", "errors: the status is for code, the object is for people"),
    ("provider", "providers: what this build can talk to"),
    ("config", "config: string keys and values, so that it can grow"),
    ("client", "client: a provider bound to its config; its models"),
    ("request", "request: what to ask"),
    ("chunk", "chunk: one piece of an answer"),
    ("session", "session: one answer on its way"),
];

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let root = Path::new(&root);
    for source in ["build.rs", "cbindgen.toml", "src/ffi", "include/tolmach.h", "examples/chat.c"] {
        println!("cargo:rerun-if-changed={source}");
    }
    write_header(root);
    write_help(root);
    name_the_abi();
}

fn write_header(root: &Path) {
    let read = |path: &str| {
        fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let sections = SECTIONS.iter().enumerate().map(|(number, (file, title))| {
        let source = root.join("src/ffi").join(file).with_extension("rs");
        let bindings =
            cbindgen::Builder::new().with_config(config.clone()).with_src(source).generate();
        let mut section = Vec::new();
        bindings.unwrap_or_else(|error| panic!("src/ffi/{file}.rs: {error}")).write(&mut section);
        let section = String::from_utf8(section).expect("sources are UTF-8");
        // Every struct has a typedef, so that `struct` is noise but where it is defined.
        let section = section
            .split("typedef struct")
            .map(|part| part.replacen("struct tolmach_", "tolmach_", usize::MAX))
            .collect::<Vec<_>>()
            .join("typedef struct");
        format!("/* ---- {}. {title} ---- */\n\n{}\n", number + 1, section.trim())
    });
    let header = with_version(&read("src/ffi/header.in"))
        .replace("@PROGRAM@", &comment(&read("examples/chat.c")))
        .replace("@SECTIONS@", &sections.collect::<Vec<_>>().join("\n"));
    let path = root.join("include/tolmach.h");
    if fs::read_to_string(&path).ok().as_deref() == Some(&header) {
        return;
    }
    // A package from a registry is read-only and up to date; a checkout is neither.
    if let Err(error) =
        fs::create_dir_all(root.join("include")).and_then(|()| fs::write(&path, header))
    {
        println!("cargo:warning=include/tolmach.h is out of date and cannot be written: {error}");
    }
}

/// What the header says of each key of a config, as a table for the library itself: the
/// provider (none for all of them), the key, and the text.
fn write_help(root: &Path) {
    let source = fs::read_to_string(root.join("src/ffi/config.rs")).expect("src/ffi/config.rs");
    let docs = source.lines().map_while(|line| match line.starts_with("pub struct") {
        true => None,
        false => Some(line.strip_prefix("///").map(|text| text.strip_prefix(' ').unwrap_or(text))),
    });
    let mut places: Vec<String> = Vec::new();
    let mut items: Vec<(Vec<String>, Vec<String>, String)> = Vec::new();
    for line in docs.flatten() {
        if line.starts_with("Keys of ") || line.starts_with("Key of ") {
            places = line.split('"').skip(1).step_by(2).map(str::to_owned).collect();
            if places.is_empty() {
                places.push(String::new());
            }
        } else if let Some((keys, text)) =
            line.strip_prefix("- ").and_then(|line| line.split_once(": "))
        {
            let keys = keys.split(", ").map(str::to_owned).collect();
            items.push((places.clone(), keys, text.to_owned()));
        } else if let (Some(more), Some((_, _, text))) = (line.strip_prefix("  "), items.last_mut())
        {
            text.push(' ');
            text.push_str(more);
        }
    }
    let rows = items.iter().flat_map(|(places, keys, text)| {
        let pairs = places.iter().flat_map(|place| keys.iter().map(move |key| (place, key)));
        pairs.map(move |(place, key)| format!("    ({place:?}, {key:?}, {text:?}),\n"))
    });
    let table = rows.collect::<String>();
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("help.rs");
    fs::write(out, format!("const HELP: &[(&str, &str, &str)] = &[\n{table}];\n"))
        .expect("OUT_DIR can be written");
}

/// `program` as lines of the essay, which is a comment itself.
fn comment(program: &str) -> String {
    let program = program.replace("/*", "//").replace(" */", "");
    let lines = program.lines().map(|line| format!(" *     {line}").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn with_version(macros: &str) -> String {
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}")).expect("cargo sets it");
    macros
        .replace("@VERSION@", &env::var("CARGO_PKG_VERSION").expect("cargo sets it"))
        .replace("@MAJOR@", &part("MAJOR"))
        .replace("@MINOR@", &part("MINOR"))
        .replace("@PATCH@", &part("PATCH"))
}

/// Cargo names no SONAME by itself; and code with threads in it must not be unloaded.
fn name_the_abi() {
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let version = env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets it");
    match os.as_str() {
        "linux" | "freebsd" | "netbsd" | "openbsd" | "dragonfly" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libtolmach.so.{version}");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        "android" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libtolmach.so");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,max-page-size=16384");
        }
        "macos" | "ios" => {
            println!(
                "cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libtolmach.{version}.dylib"
            );
        }
        _ => {}
    }
}
