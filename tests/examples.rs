//! The programs of examples, each against a scripted server, under AddressSanitizer.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::c::{Program, Running};
use support::server::Server;
use support::{c, openai, stage};

/// How a program is compiled: the name, and the pkg-config package that it needs.
const PACKAGES: &[(&str, &str)] = &[("libuv", "libuv")];

/// An example; `None`, said aloud, where something that it is compiled with is missing.
fn example(name: &str) -> Option<Program> {
    let Some((_, package)) = PACKAGES.iter().find(|(program, _)| *program == name) else {
        return Some(c::example(name));
    };
    let output = Command::new("pkg-config").args(["--cflags", "--libs", package]).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        support::skip(&format!("examples/{name}.c"), &format!("{package} is not installed"));
        return None;
    };
    let options = String::from_utf8(output.stdout).unwrap();
    Some(c::example_with(name, &options.split_whitespace().collect::<Vec<_>>()))
}

/// `program`, told by arguments to ask for that model at `server`, once.
fn at(server: &Server, model: &str, program: Program) -> Program {
    let settings = [
        format!("base_url={}/v1", server.url()),
        format!("api_key={}", stage::KEY),
        format!("model={model}"),
        "proxy=direct".to_owned(),
        "max_retries=0".to_owned(),
    ];
    settings.into_iter().fold(program, |program, setting| program.arg(setting))
}

/// Presses Ctrl-C.
fn interrupt(program: &Running) {
    let id = Pid::from_raw(i32::try_from(program.id()).unwrap());
    kill(id, Signal::SIGINT).unwrap();
}

/// The names of all examples in C.
fn names() -> Vec<String> {
    let files = fs::read_dir(c::root().join("examples")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".c").map(str::to_owned)).collect();
    names.sort();
    names
}

#[test]
fn each_example_is_short_listed_in_the_readme_and_has_a_test() {
    let read = |path: &str| fs::read_to_string(c::root().join(path)).unwrap();
    let tests = read("tests/examples.rs") + &read("tests/demo.rs");
    let readme = read("examples/README.md");
    let names = names();
    assert!(names.len() > 1);
    for name in names {
        let lines = read(&format!("examples/{name}.c")).lines().count();
        assert!(lines < 100, "{name}.c has {lines} lines");
        assert!(tests.contains(&format!("example(\"{name}\")")), "no test runs {name}.c");
        assert!(readme.contains(&format!("[{name}.c]({name}.c)")), "README.md has no {name}.c");
    }
}

#[test]
fn each_example_tells_how_it_is_used_and_which_providers_there_are() {
    for name in names() {
        let Some(program) = example(&name) else { continue };
        let outcome = program.run();
        assert_eq!(outcome.status.code(), Some(2), "{name}: {}", outcome.stderr);
        assert!(outcome.stderr.starts_with(&format!("usage: {name} PROVIDER ")), "{name}");
        let outcome = example(&name).unwrap().arg("nobody").arg("Hi").run();
        assert_eq!(outcome.status.code(), Some(1), "{name}: {}", outcome.stderr);
        assert!(outcome.stderr.starts_with(&format!("{name}: ")), "{name}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("openai, "), "{name}: {}", outcome.stderr);
    }
}

#[test]
fn ctrl_c_cancels_the_answer_and_keeps_the_conversation() {
    let server = Server::start(|exchange| match exchange.number {
        0 => {
            exchange.stream_head();
            exchange.chunk(openai::text("First "));
            exchange.wait_for_close();
        }
        2 => {
            let headers = [("Retry-After", "7"), ("Content-Length", "0")];
            exchange.head(429, &headers);
        }
        number => exchange.stream(openai::stream(&["Answer ", &number.to_string(), "."])),
    });
    let program = example("chat_turns").unwrap().arg("openai");
    let mut program = at(&server, "m", program).spawn();
    program.read_until("> ");
    program.tell("one");
    program.read_until("First ");
    interrupt(&program);
    program.read_until("\n> ");
    // Where there is no answer, nothing is cancelled, and the program goes on.
    interrupt(&program);
    program.tell("two");
    program.read_until("Answer 1.\n> ");
    program.tell("three");
    program.read_until("\n> ");
    program.tell("four");
    program.read_until("Answer 3.\n> ");
    let outcome = program.finish().passed();
    assert!(outcome.stderr.contains(" was cancelled"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("Try again in 7 s."), "{}", outcome.stderr);

    // What was cancelled is in the conversation as far as it came; what failed is not.
    let message = |role: &str, text: &str| json!({"role": role, "content": text});
    let last = server.requests().last().unwrap().json();
    let conversation: Vec<Value> = vec![
        message("user", "one"),
        message("assistant", "First "),
        message("user", "two"),
        message("assistant", "Answer 1."),
        message("user", "four"),
    ];
    assert_eq!(last["messages"], Value::Array(conversation));
}

#[test]
fn libuv_loop_prints_an_answer() {
    let server = stage::start();
    let Some(program) = example("libuv") else { return };
    let outcome = at(&server, "words", program.arg("openai").arg("Hi")).run().passed();
    assert_eq!(outcome.stdout, "One two three.\n");
}

#[test]
fn libuv_loop_cancels_at_ctrl_c() {
    let server = stage::start();
    let Some(program) = example("libuv") else { return };
    let mut program = at(&server, "held", program.arg("openai").arg("Hi")).spawn();
    program.read_until("first ");
    interrupt(&program);
    let outcome = program.finish();
    assert_eq!(outcome.status.code(), Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(" was cancelled"), "{}", outcome.stderr);
}

#[test]
fn images_are_written_to_files() {
    let folder = c::workshop().join("made-images");
    fs::create_dir_all(&folder).unwrap();
    let server = stage::start();
    let run = |model: &str| {
        let program = example("images").unwrap().in_folder(&folder).arg("openai").arg("A dot");
        at(&server, model, program).run()
    };
    let outcome = run("gpt-image-1").passed();
    let pixel = stage::pixel();
    assert_eq!(outcome.stdout, format!("image-1.png: {} bytes\n", pixel.len()));
    assert_eq!(fs::read(folder.join("image-1.png")).unwrap(), pixel);

    let outcome = run("words");
    assert_eq!(outcome.status.code(), Some(1));
    assert_eq!(outcome.stderr, "One two three.\nimages: the answer has no image\n");
}

#[test]
fn models_are_printed_as_a_table() {
    let server = stage::start();
    let run = |server: &Server| at(server, "", example("models").unwrap().arg("openai")).run();
    let outcome = run(&server).passed();
    let rows: Vec<Vec<&str>> =
        outcome.lines().iter().map(|line| line.split_whitespace().collect()).collect();
    let expected =
        [["MODEL", "OWNER", "CONTEXT"], ["words", "stage", "4096"], ["emoji", "stage", "4096"]];
    assert_eq!(rows, expected);

    let outcome = run(&Server::answering("text/html", "<html>"));
    assert_eq!((outcome.status.code(), &*outcome.stdout), (Some(1), ""), "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with("models: "), "{}", outcome.stderr);
}
