//! The program of the README against the demo server, in each of the protocols.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

#[path = "../examples/demo/server.rs"]
mod server;

use support::c;

#[test]
fn demo_server_speaks_all_protocols_to_the_program_of_the_readme() {
    let address = server::start().unwrap();
    for provider in tolmach::providers().iter().map(|provider| provider.name) {
        let program = c::example("chat").arg(provider).arg("Why?");
        let settings = server::settings(provider, address);
        let program = settings.iter().fold(program, |program, setting| program.arg(setting));
        let outcome = program.run().passed();
        assert!(
            outcome.stdout.starts_with("You asked: \u{201c}Why?\u{201d}."),
            "{provider}: {}",
            outcome.stdout
        );
        assert!(
            outcome.stdout.ends_with("as soon as I had said it.\n"),
            "{provider}: {}",
            outcome.stdout
        );
    }
}

#[test]
fn program_of_the_readme_says_what_went_wrong() {
    let run =
        |args: &[&str]| args.iter().fold(c::example("chat"), |program, arg| program.arg(arg)).run();
    let unknown = run(&["nobody", "Hi"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("there are openai, "), "{}", unknown.stderr);
    assert_eq!(run(&[]).status.code(), Some(2));
}

#[test]
fn readme_shows_the_program_as_it_is() {
    let read = |path: &str| std::fs::read_to_string(c::root().join(path)).unwrap();
    assert!(read("README.md").contains(&format!("```c\n{}```\n", read("examples/chat.c"))));
}
