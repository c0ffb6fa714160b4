//! The ABI is the one of `abi/`: what a program was compiled against stays.
//!
//! `abi/VERSION.txt` lists the functions with their types, the constants, and the size and place
//! of every field, as a C compiler sees them (on systems whose pointers have 64 bits). The file of
//! this version is exactly what the header says; what an older, released file says is still true.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![cfg(target_pointer_width = "64")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use support::c;

/// The header without comments and line breaks.
fn header() -> String {
    let mut text = fs::read_to_string(c::root().join("include/tolmach.h")).unwrap();
    while let Some(start) = text.find("/*") {
        let end = start + text[start..].find("*/").unwrap() + 2;
        text.replace_range(start..end, "");
    }
    text
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A declaration without the names of its parameters: they may change.
fn types_of(declaration: &str) -> String {
    let (start, parameters) = declaration.split_once('(').unwrap();
    let parameters = parameters.trim_end_matches(')').split(',').map(|parameter| {
        let parameter = words(parameter);
        let unnamed = parameter.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let is_named = !unnamed.trim().is_empty() && unnamed.trim() != "const";
        if is_named { unnamed.trim().to_owned() } else { parameter }
    });
    format!("{}({})", words(start), parameters.collect::<Vec<_>>().join(", "))
}

/// The structs whose fields are public: their names and those of their fields.
fn structs(header: &str) -> Vec<(String, Vec<String>)> {
    let bodies = header.split("typedef struct ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once('{')?;
        if name.contains(';') {
            return None;
        }
        let (body, _) = rest.split_once('}')?;
        let fields = body.split(';').map(words).filter(|field| !field.is_empty());
        let fields = fields.map(|field| field.rsplit([' ', '*']).next().unwrap().to_owned());
        Some((name.trim().to_owned(), fields.collect()))
    });
    bodies.collect()
}

/// All that a program which was compiled against the header relies on, a line each.
fn abi() -> &'static BTreeSet<String> {
    static ABI: OnceLock<BTreeSet<String>> = OnceLock::new();
    ABI.get_or_init(look)
}

fn look() -> BTreeSet<String> {
    let header = header();
    let mut lines = BTreeSet::new();
    for (start, _) in header.match_indices("\nTOLMACH_API") {
        let declaration = header[start..].split_once("TOLMACH_API").unwrap().1;
        lines.insert(format!("function {}", types_of(declaration.split(';').next().unwrap())));
    }
    for declaration in header.split("typedef ").skip(1) {
        let declaration = words(declaration.split(';').next().unwrap());
        if !declaration.starts_with("struct ") {
            lines.insert(format!("type {declaration}"));
        }
    }
    let mut source = "#include <stdio.h>\n#include <tolmach.h>\nint main(void) {\n".to_owned();
    for line in header.lines().filter_map(|line| line.strip_prefix("#define TOLMACH_")) {
        let Some((name, value)) = line.split_once(' ') else { continue };
        if value.trim().parse::<i64>().is_ok() && !name.starts_with("VERSION") {
            let name = format!("TOLMACH_{name}");
            source += &format!("printf(\"constant {name} %lld\\n\", (long long){name});\n");
        }
    }
    for (name, fields) in structs(&header) {
        source += &format!("printf(\"size {name} %zu\\n\", sizeof({name}));\n");
        for field in fields {
            source += &format!(
                "printf(\"field {name}.{field} at %zu of %zu\\n\", offsetof({name}, {field}), \
                 sizeof((({name} *)0)->{field}));\n"
            );
        }
    }
    source += "return 0; }\n";
    let path = c::workshop().join("abi.c");
    let program: PathBuf = c::workshop().join("abi");
    fs::write(&path, source).unwrap();
    let output = c::compiler("c").arg("-std=c99").arg("-o").arg(&program).arg(&path).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap();
    lines.extend(printed.lines().map(str::to_owned));
    lines
}

fn recorded(file: &PathBuf) -> BTreeSet<String> {
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

/// What of `before` is not true any more of `now`. A struct may have grown.
fn broken(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let size = |line: &str| {
        let (name, size) = line.strip_prefix("size ")?.split_once(' ')?;
        Some((name.to_owned(), size.parse::<usize>().ok()?))
    };
    let has_grown = |line: &str| {
        size(line).is_some_and(|(name, before)| {
            now.iter()
                .filter_map(|line| size(line))
                .any(|(known, now)| known == name && now >= before)
        })
    };
    before.iter().filter(|line| !now.contains(*line) && !has_grown(line)).cloned().collect()
}

#[test]
fn abi_is_the_one_that_is_recorded() {
    let file = c::root().join("abi").join(concat!(env!("CARGO_PKG_VERSION"), ".txt"));
    let now = abi();
    if std::env::var_os("TOLMACH_UPDATE_ABI").is_some() {
        let lines: Vec<&str> = now.iter().map(String::as_str).collect();
        fs::write(&file, lines.join("\n") + "\n").unwrap();
    }
    let recorded = recorded(&file);
    let added: Vec<&String> = now.difference(&recorded).collect();
    let lost: Vec<&String> = recorded.difference(now).collect();
    assert!(
        added.is_empty() && lost.is_empty(),
        "the ABI is not the one of {}: added {added:#?}, lost {lost:#?}. If that is meant, run \
         this test with TOLMACH_UPDATE_ABI=1 and commit the file.",
        file.display()
    );
}

#[test]
fn released_abis_are_kept() {
    let now = abi();
    for file in fs::read_dir(c::root().join("abi")).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "txt") {
            let broken = broken(&recorded(&file), now);
            assert!(broken.is_empty(), "{}: programs rely on {broken:#?}", file.display());
        }
    }
}

#[test]
fn only_additions_keep_an_abi() {
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    let before: BTreeSet<String> =
        lines(&["function void f(int)", "size s 8", "field s.a at 0 of 8"]);
    let kept: BTreeSet<String> =
        lines(&["function void f(int)", "size s 16", "field s.a at 0 of 8", "field s.b at 8 of 8"]);
    assert!(broken(&before, &kept).is_empty());
    for (change, is_lost) in [
        (["function void f(long)", "size s 8", "field s.a at 0 of 8"], "function void f(int)"),
        (["function void f(int)", "size s 4", "field s.a at 0 of 8"], "size s 8"),
        (["function void f(int)", "size s 16", "field s.a at 8 of 8"], "field s.a at 0 of 8"),
    ] {
        assert_eq!(broken(&before, &lines(&change)), [is_lost]);
    }
}

#[test]
fn record_has_every_function_of_the_header() {
    let functions = abi().iter().filter(|line| line.starts_with("function ")).count();
    let header = fs::read_to_string(c::root().join("include/tolmach.h")).unwrap();
    assert_eq!(functions, header.matches("\nTOLMACH_API").count());
}

/// What `abi/link.sh` makes for distributions: every function has the version that added it,
/// and a program that is linked with it asks for that version.
#[test]
#[cfg(target_os = "linux")]
fn linked_by_the_script_every_symbol_has_a_version() {
    if c::is_sanitized() {
        return support::skip("symbol versions", "a library with a sanitizer needs its runtime");
    }
    if Command::new("readelf").arg("--version").output().is_err() {
        return support::skip("symbol versions", "readelf is not installed");
    }
    let folder = c::workshop().join("versioned");
    fs::create_dir_all(&folder).unwrap();
    let library = folder.join("libtolmach.so.0");
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(Command::new(c::root().join("abi/link.sh"))
        .arg(c::library().with_file_name("libtolmach.a"))
        .arg(&library));
    std::os::unix::fs::symlink("libtolmach.so.0", folder.join("libtolmach.so")).unwrap();
    let symbols = run(Command::new("readelf").args(["-W", "--dyn-syms"]).arg(&library));
    let symbols: BTreeSet<&str> = symbols.split_whitespace().collect();
    let functions = abi().iter().filter_map(|line| {
        let name = line.strip_prefix("function ")?.split('(').next()?;
        name.rsplit([' ', '*']).next()
    });
    for function in functions {
        assert!(symbols.contains(&*format!("{function}@@TOLMACH_0.1")), "{function}");
    }
    let program = folder.join("version");
    run(c::compiler("c")
        .args(["-std=c99", "-o"])
        .arg(&program)
        .arg(c::root().join("tests/c/version.c"))
        .arg("-L")
        .arg(&folder)
        .args(["-ltolmach", &format!("-Wl,-rpath,{}", folder.display())]));
    let needed = run(Command::new("readelf").args(["-W", "--dyn-syms"]).arg(&program));
    assert!(needed.contains("tolmach_version@TOLMACH_0.1"), "{needed}");
    run(&mut Command::new(&program));
}
