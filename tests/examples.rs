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
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::c::{Program, Running};
use support::server::{Exchange, Server};
use support::{c, openai, stage};

/// The libraries of pkg-config that programs need in addition.
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

/// The text of the last message that the server was sent.
fn asked(exchange: &Exchange) -> String {
    let request = exchange.request.json();
    let messages = request["messages"].as_array().unwrap();
    messages.last().unwrap()["content"].as_str().unwrap().to_owned()
}

/// The lines in the order of the numbers that they begin with.
fn numbered(output: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = output.lines().collect();
    lines.sort_by_key(|line| line.split(':').next().unwrap().parse::<u32>().unwrap());
    lines
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
    // Where there is no answer, nothing is cancelled, and the program goes on; also where it is
    // already reading, which takes it some time to do.
    for _ in 0..1000 {
        interrupt(&program);
        thread::yield_now();
    }
    program.tell("two");
    program.read_until("Answer 1.\n> ");
    program.tell("three");
    program.read_until("\n> ");
    program.tell("four");
    program.read_until("Answer 3.\n> ");
    let outcome = program.finish().passed();
    assert!(outcome.stderr.contains("the session was cancelled"), "{}", outcome.stderr);
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

/// Answers "What is 7 times 7?" and the like.
fn multiply(exchange: &mut Exchange) {
    let number = asked(exchange);
    let number: u32 = number.split(' ').nth(2).unwrap().parse().unwrap();
    exchange.stream(openai::stream(&[&(number * number).to_string()]));
}

#[cfg(target_os = "linux")]
#[test]
fn epoll_loop_has_fifty_answers_at_once() {
    let all = Barrier::new(50);
    let server = Server::start(move |exchange| {
        all.wait();
        multiply(exchange);
    });
    let outcome = at(&server, "m", example("epoll").unwrap().arg("openai")).run().passed();
    let expected: Vec<String> =
        (0..50).map(|number| format!("{number}: {}", number * number)).collect();
    assert_eq!(numbered(&outcome.stdout), expected);
}

#[cfg(target_os = "linux")]
#[test]
fn epoll_loop_goes_on_where_one_session_fails() {
    let server = Server::start(|exchange| match asked(exchange).contains(" 7 times") {
        true => exchange.whole(500, "text/plain", "no"),
        false => multiply(exchange),
    });
    let outcome = at(&server, "m", example("epoll").unwrap().arg("openai")).run();
    assert_eq!(outcome.status.code(), Some(1));
    assert!(outcome.stderr.starts_with("epoll: 7: "), "{}", outcome.stderr);
    assert_eq!((outcome.lines().len(), outcome.stderr.lines().count()), (49, 1));
}

/// Runs `lines` as prompts of four threads.
fn threads(server: &Server, lines: &[&str]) -> c::Outcome {
    let program = example("threads").unwrap().arg("openai");
    let mut program = at(server, "m", program).spawn();
    lines.iter().for_each(|line| program.tell(line));
    program.finish()
}

#[test]
fn threads_share_a_client_and_ask_again_when_the_provider_says() {
    let four = Barrier::new(4);
    let busy: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let asked_at = Arc::clone(&busy);
    let server = Server::start(move |exchange| {
        let asked = asked(exchange);
        if exchange.number < 4 {
            four.wait();
        }
        if asked == "busy" {
            let mut busy = asked_at.lock().unwrap();
            busy.push(Instant::now());
            match busy.len() {
                1 => return exchange.head(429, &[("Retry-After", "1"), ("Content-Length", "0")]),
                2 => return exchange.head(503, &[("Retry-After", "0"), ("Content-Length", "0")]),
                _ => {}
            }
        }
        exchange.stream(openai::stream(&["You said ", &asked, "."]));
    });
    let outcome = threads(&server, &["one", "two", "three", "busy", "five", "six"]).passed();
    let said = ["one", "two", "three", "busy", "five", "six"].iter().zip(1..);
    let expected: Vec<String> =
        said.map(|(said, number)| format!("{number}: You said {said}.")).collect();
    assert_eq!(numbered(&outcome.stdout), expected);
    let busy = busy.lock().unwrap();
    assert_eq!((server.requests().len(), busy.len()), (8, 3));
    assert!(busy[1] - busy[0] >= Duration::from_secs(1), "it did not wait: {busy:?}");
}

#[test]
fn threads_do_not_ask_again_what_no_second_try_helps() {
    let server = Server::start(|exchange| match &*asked(exchange) {
        "bad" => exchange.whole(400, "text/plain", "no"),
        "busy" => exchange.head(503, &[("Retry-After", "0"), ("Content-Length", "0")]),
        _ => exchange.stream(openai::stream(&["Fine."])),
    });
    let outcome = threads(&server, &["good", "bad", "busy"]);
    assert_eq!(outcome.status.code(), Some(1));
    assert_eq!(outcome.stdout, "1: Fine.\n");
    let count = |text: &str| {
        server
            .requests()
            .iter()
            .filter(|request| request.json()["messages"][0]["content"] == text)
            .count()
    };
    assert_eq!((count("bad"), count("busy")), (1, 3));
    assert_eq!(threads(&server, &["busy"]).status.code(), Some(1));
    assert!(outcome.stderr.contains("threads: 2: "), "{}", outcome.stderr);
}

#[test]
fn tools_are_run_and_their_results_go_back_until_there_is_an_answer() {
    let server = stage::start();
    let run = |model: &str| {
        let program = example("tools").unwrap().arg("openai").arg("Is it warmer in Oslo?");
        at(&server, model, program).run()
    };
    assert_eq!(run("tools").passed().stdout, "Oslo: 4 degrees, Bergen: 6 degrees.\n");
    assert_eq!(run("words").passed().stdout, "One two three.\n");
    let refused = run("status-500");
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("Scripted 500"), "{}", refused.stderr);
}

#[test]
fn model_that_never_stops_calling_tools_is_stopped() {
    let call = json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
        "function": {"name": "elsewhere", "arguments": "{}"}}]});
    let events = openai::delta(call) + &openai::finish("tool_calls") + openai::DONE;
    let server = Server::start(move |exchange| exchange.stream(&events));
    let program = example("tools").unwrap().arg("openai").arg("Hi");
    let outcome = at(&server, "m", program).run();
    assert_eq!(outcome.status.code(), Some(1));
    assert_eq!(outcome.stderr, "tools: no answer after 8 rounds\n");
    let requests = server.requests();
    let last = requests.last().unwrap().json();
    assert_eq!((requests.len(), last["messages"].as_array().unwrap().len()), (8, 15));
    let told = last["messages"][2]["content"].as_str().unwrap();
    assert!(told.starts_with("error: the only tool is weather"), "{told}");
}

#[test]
fn json_is_asked_for_by_a_schema_and_checked() {
    let server = Server::start(|exchange| {
        let format = exchange.request.json()["response_format"]["json_schema"].clone();
        assert_eq!(
            (&format["strict"], &format["schema"]["required"]),
            (&json!(true), &json!(["mood", "stars"]))
        );
        let answer = match &*asked(exchange) {
            "fine" => "{\"mood\":\"good\",\"stars\":5}",
            "spaced" => " { \"mood\": \"mixed\",\n \"stars\": 3 }\n",
            "range" => "{\"mood\":\"bad\",\"stars\":0}",
            "more" => "{\"mood\":\"bad\",\"stars\":1} indeed",
            "cut" => {
                return exchange
                    .stream(openai::text("{\"mood\":") + &openai::finish("length") + openai::DONE);
            }
            _ => "{\"mood\":\"odd\",\"stars\":1}",
        };
        exchange.stream(openai::stream(&[&answer[..5], &answer[5..]]));
    });
    let run =
        |review: &str| at(&server, "m", example("json").unwrap().arg("openai").arg(review)).run();
    assert_eq!(run("fine").passed().stdout, "good, 5 of 5 stars\n");
    assert_eq!(run("spaced").passed().stdout, "mixed, 3 of 5 stars\n");
    for review in ["range", "more", "cut", "odd"] {
        let outcome = run(review);
        assert_eq!((outcome.status.code(), &*outcome.stdout), (Some(1), ""), "{review}");
        assert!(outcome.stderr.contains("json: not a verdict: {"), "{}", outcome.stderr);
        let ended = "json: the answer ended early: length\n";
        assert_eq!(outcome.stderr.contains(ended), review == "cut", "{}", outcome.stderr);
    }
}

#[test]
fn children_of_fork_ask_by_clients_of_their_own() {
    let server = stage::start();
    let program = example("fork").unwrap().arg("openai").arg("Hi");
    let outcome = at(&server, "words", program).run().passed();
    let (parent, children): (Vec<&str>, Vec<&str>) =
        outcome.lines().into_iter().partition(|line| line.starts_with("parent: "));
    assert_eq!(parent, ["parent: One two three."; 2]);
    assert_eq!(children.len(), 3, "{}", outcome.stdout);
    assert!(children.iter().all(|line| line.ends_with(": One two three.")), "{children:?}");
    let refused = outcome.stderr.lines().filter(|line| line.contains("fork()"));
    assert_eq!(refused.count(), 3, "{}", outcome.stderr);
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
    assert!(outcome.stderr.contains("the session was cancelled"), "{}", outcome.stderr);
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
    let server = Server::answering(
        "application/json",
        json!({"data": [
            {"id": "small", "owned_by": "them", "context_length": 4096, "supported_parameters": ["tools"]},
            {"id": "large", "architecture": {"input_modalities": ["image"]}, "capabilities": ["tools"]},
            {"id": "pixels", "type": "image"},
        ]})
        .to_string(),
    );
    let run = |server: &Server| at(server, "m", example("models").unwrap().arg("openai")).run();
    let outcome = run(&server).passed();
    let rows: Vec<Vec<&str>> =
        outcome.lines().iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [
            vec!["MODEL", "OWNER", "CONTEXT", "CAN"],
            vec!["small", "them", "4096", "tools"],
            vec!["large", "-", "-", "tools", "vision"],
            vec!["pixels", "-", "-", "images"],
        ]
    );

    let outcome = run(&Server::answering("text/html", "<html>"));
    assert_eq!((outcome.status.code(), &*outcome.stdout), (Some(1), ""), "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with("models: "), "{}", outcome.stderr);
}

#[test]
fn lines_are_compared_by_their_embeddings() {
    let server = Server::start(|exchange| {
        let request = exchange.request.json();
        let inputs = request["input"].as_array().unwrap();
        let entry = |(index, input): (usize, &Value)| {
            let embedding = match input.as_str().unwrap() {
                "cat" => [2.0, 0.0],
                "tiger" => [3.0, 3.0],
                "cats" => [0.5, 0.0],
                _ => [0.0, -1.0],
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        };
        let data: Vec<Value> = inputs.iter().enumerate().map(entry).collect();
        let answer = json!({"object": "list", "data": data, "model": "m"}).to_string();
        exchange.whole(200, "application/json", answer);
    });
    let run = |lines: &[&str]| {
        let program = example("embeddings").unwrap().arg("openai");
        let mut program = at(&server, "m", program).spawn();
        lines.iter().for_each(|line| program.tell(line));
        program.finish()
    };
    let outcome = run(&["cat", "tiger", "cats", "tax"]).passed();
    assert_eq!(outcome.stdout, " 1.00  cat\n 0.71  tiger\n 1.00  cats\n 0.00  tax\n");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].path, "/v1/embeddings");

    let outcome = run(&[]);
    assert_eq!((outcome.status.code(), &*outcome.stdout), (Some(1), ""), "{}", outcome.stderr);
    assert_eq!(outcome.stderr, "embeddings: there are no lines\n");
}
