//! Memory is bounded, given back, and never touched wrongly.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::io::Write;
use std::sync::mpsc;

use serde_json::{Value, json};
use support::server::{Exchange, Gate, Server};
use support::{c, openai};

#[test]
fn million_chunks_read_slowly_keep_the_process_under_40_mib() {
    const BATCH: usize = 1000;
    const CHUNKS: usize = 1_000_000;
    let batch = openai::text("five ").repeat(BATCH);
    let (hold, held) = mpsc::channel();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        for _ in 0..CHUNKS / BATCH {
            exchange.chunk_watched(&batch, || hold.send(true).unwrap());
        }
        hold.send(false).unwrap();
        exchange.chunk(openai::finish("stop") + openai::DONE);
        exchange.end_chunks();
    });
    let mut program = c::program("slow").arg(server.url()).arg(CHUNKS.to_string()).spawn();
    // The program reads on when the server can send no more: what was to fill is full.
    let was_held = held.recv_timeout(support::LONG).unwrap();
    program.tell("read on");
    let outcome = program.finish().passed();
    assert!(was_held, "the whole answer was taken from the server before anybody read it");
    let (texts, peak) = outcome.stdout.trim().split_once(' ').unwrap();
    assert_eq!(texts.parse::<usize>().unwrap(), CHUNKS);
    let peak: i64 = peak.parse().unwrap();
    if peak < 0 {
        return support::skip("peak memory", "this system does not tell it");
    }
    assert!(peak < 40 * 1024, "{peak} KiB");
}

#[test]
fn server_is_held_where_the_queue_is_full() {
    const QUEUE: usize = 8 << 20;
    /// More than the system keeps of a connection, at both of its ends.
    const SOCKETS: usize = 32 << 20;
    let events = openai::text(&"x".repeat(1000)).repeat(100);
    let (full, filled) = mpsc::channel();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        for sent in 1.. {
            let held = || full.send(sent * events.len()).unwrap();
            if !exchange.chunk_watched(&events, held) {
                return;
            }
        }
    });
    let setting = format!("queue_bytes={QUEUE}");
    let program = c::program("full").arg(server.url()).env("TEST_CONFIG", Some(&setting));
    let mut program = program.spawn();
    let sent = filled.recv_timeout(support::LONG).unwrap();
    program.tell("it is full");
    program.finish().passed();
    assert!(sent < QUEUE + SOCKETS, "{sent} bytes were taken of the server");
}

/// What peak.c prints of an answer: how it ended, how long its text was, the end of its
/// reply with the error's message, and its peak in KiB unless the system does not tell it.
fn peak(server: &Server, setting: &str) -> (String, usize, String, Option<i64>) {
    let program = c::program("peak").arg(server.url()).env("TEST_CONFIG", Some(setting));
    let outcome = program.run().passed();
    let mut words = outcome.stdout.trim().splitn(4, ' ');
    let mut next = || words.next().unwrap_or_default().to_owned();
    let (status, texts, peak) = (next(), next().parse().unwrap(), next().parse().unwrap());
    if peak < 0 || c::is_sanitized() {
        support::skip("peak memory", "this system or a sanitizer does not tell it");
        return (status, texts, next(), None);
    }
    (status, texts, next(), Some(peak))
}

#[test]
fn reply_to_a_huge_answer_is_bounded_and_the_answer_is_not() {
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 1600;
    let events = openai::text(&"x".repeat(PIECE));
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        (0..PIECES).for_each(|_| exchange.chunk(&events));
        exchange.chunk(openai::finish("stop") + openai::DONE);
        exchange.end_chunks();
    });
    let (status, texts, reply, peak) = peak(&server, "max_reply_bytes=1048576");
    assert_eq!((&*status, texts), ("TOLMACH_END", PIECE * PIECES));
    assert!(reply.starts_with("\",\"incomplete\":true}"), "{reply}");
    assert!(peak.is_none_or(|peak| peak < 40 * 1024), "{peak:?} KiB");
}

#[test]
fn reply_that_is_incomplete_says_so_and_can_be_sent() {
    let server = Server::answering("text/event-stream", openai::stream(&["Hello", ", world"]));
    let program = c::program("incomplete").arg(server.url());
    let outcome = program.env("TEST_CONFIG", Some("max_reply_bytes=7")).run().passed();
    let lines = outcome.lines();
    let [.., text, _, _, reply, request] = lines[..] else { panic!("{lines:?}") };
    assert_eq!(text, "text 0 0 \", world\"");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let message = json!({"role": "assistant", "content": "Hello, "});
    assert_eq!(json(request), json!({"messages": [message]}));
    let message = json!({"role": "assistant", "content": "Hello, ", "incomplete": true});
    assert_eq!(json(reply), message);
}

#[test]
fn state_of_tool_calls_counts_towards_the_reply() {
    let signature = "s".repeat(1 << 20);
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        for index in 0..40 {
            let function = json!({"name": "f", "arguments": "{}"});
            let call = json!({"index": index, "id": format!("c{index}"), "function": function, "extra_content": signature});
            exchange.chunk(openai::delta(json!({"tool_calls": [call]})));
        }
        exchange.chunk(openai::finish("tool_calls") + openai::DONE);
        exchange.end_chunks();
    });
    let (status, _, reply, peak) = peak(&server, "max_reply_bytes=4194304");
    assert_eq!(status, "TOLMACH_END");
    assert!(reply.ends_with("\"incomplete\":true}"), "{reply}");
    assert!(peak.is_none_or(|peak| peak < 64 * 1024), "{peak:?} KiB");
}

/// An event with a block of reasoning that goes back.
fn reasoning(choice: usize, index: usize, text: &str) -> String {
    let details = json!([{"type": "reasoning.text", "index": index, "text": text}]);
    let choice = json!({"index": choice, "delta": {"reasoning_details": details}});
    openai::event(&json!({"choices": [choice]}))
}

#[test]
fn state_that_is_given_before_each_tool_call_is_bounded() {
    let server = Server::start(|exchange| {
        exchange.stream_head();
        exchange.chunk(reasoning(0, 0, &"x".repeat(4 << 20)));
        let more = |index: usize| {
            let function = json!({"name": "f", "arguments": "{}"});
            let call = json!({"index": index, "id": format!("c{index}"), "function": function});
            reasoning(0, index, "x") + &openai::delta(json!({"tool_calls": [call]}))
        };
        exchange.chunk((0..200).map(more).collect::<String>());
        exchange.chunk(openai::finish("tool_calls") + openai::DONE);
        exchange.end_chunks();
    });
    let (status, _, reply, peak) = peak(&server, "max_retries=0");
    assert_eq!(status, "TOLMACH_END");
    // The last of it comes with the end.
    assert!(reply.contains("199,\"text\":\"x\"}]}"), "{reply}");
    assert!(peak.is_none_or(|peak| peak < 160 * 1024), "{peak:?} KiB");
}

#[test]
fn state_of_all_choices_is_bounded_together() {
    const CHOICES: usize = 30;
    let server = Server::start(|exchange| {
        exchange.stream_head();
        let text = "x".repeat(2 << 20);
        (0..CHOICES).for_each(|choice| exchange.chunk(reasoning(choice, 0, &text)));
        exchange.chunk(openai::DONE);
        exchange.end_chunks();
    });
    let (status, _, _, peak) = peak(&server, "max_retries=0");
    assert_eq!(status, "TOLMACH_END");
    assert!(peak.is_none_or(|peak| peak < 100 * 1024), "{peak:?} KiB");
}

#[test]
fn json_that_is_much_larger_in_memory_is_too_large() {
    let values = |value: &str, count: usize| vec![value; count].join(",");
    let answering = |events: String| Server::answering("text/event-stream", events + openai::DONE);
    let shapes: [fn(&str) -> String; 4] = [
        |list| format!("data: {{\"choices\":[],\"usage\":[{list}]}}\n\n"),
        |list| format!("data: {{\"choices\":[{list}]}}\n\n"),
        |list| format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{list}]}}}}]}}\n\n"),
        |list| {
            let call = format!("{{\"function\":{{\"arguments\":[{list}]}}}}");
            format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n")
        },
    ];
    for (shape, value) in shapes.iter().flat_map(|shape| [(shape, "0"), (shape, "{}")]) {
        let server = answering(shape(&values(value, 2_000_000)));
        let (status, _, message, peak) = peak(&server, "max_retries=0");
        assert_eq!(status, "TOLMACH_E_TOO_LARGE", "{message}");
        assert!(message.contains("(max_event_bytes"), "{message}");
        assert!(peak.is_none_or(|peak| peak < 64 * 1024), "{peak:?} KiB");
    }
    // As many as there may be, and text with as many commas.
    let server = answering(shapes[0](&values("0", 500_000)) + &openai::finish("stop"));
    assert_eq!(peak(&server, "max_retries=0").0, "TOLMACH_END");
    let commas = openai::text(&",[{".repeat(1_000_000)) + &openai::finish("stop");
    let (status, texts, ..) = peak(&answering(commas), "max_retries=0");
    assert_eq!((&*status, texts), ("TOLMACH_END", 3_000_000));
}

#[test]
fn list_of_models_that_is_much_larger_in_memory_is_too_large() {
    let list = format!("{{\"data\":[{}]}}", vec!["\"a\""; 600_000].join(","));
    let server = Server::answering("application/json", list);
    let outcome = c::program("models").arg(server.url()).arg("-1").run().passed();
    assert!(outcome.stdout.starts_with("error TOLMACH_E_TOO_LARGE"), "{}", outcome.stdout);
}

#[test]
fn memory_that_runs_out_is_a_status_of_its_own_and_work_goes_on() {
    const MIB: usize = 1 << 20;
    if !cfg!(target_os = "linux") || c::is_sanitized() {
        return support::skip(
            "scarce memory",
            "it cannot be limited on this system or with a sanitizer",
        );
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"data: ").unwrap();
    encoder.write_all(&vec![b'x'; 256 * MIB]).unwrap();
    let packed = encoder.finish().unwrap();
    // The errors are read, but not copied as often as errors are.
    let long = "X".repeat(12 * MIB);
    let told = openai::event(&json!({"error": {"message": long}}));
    let named = format!("event: error\ndata: {{\"message\":\"{long}\"}}\n\n");
    let function = json!({"name": "f", "arguments": "{}"});
    let call =
        json!({"index": 0, "id": "a", "function": function, "extra_content": "X".repeat(16 * MIB)});
    let signed = openai::text("Hi")
        + &openai::delta(json!({"tool_calls": [call]}))
        + &openai::finish("stop")
        + openai::DONE;
    let server = Server::start(move |exchange| {
        let asked = exchange.request.json()["messages"][0]["content"].to_string();
        let endless = |exchange: &mut Exchange, piece: &[u8]| {
            while exchange.chunk_watched(piece, || {}) {}
        };
        match asked.trim_matches('"') {
            "event" => {
                exchange.stream_head();
                exchange.chunk("data: ");
                endless(exchange, &vec![b'x'; MIB]);
            }
            "lines" => {
                exchange.stream_head();
                endless(exchange, &b"data\n".repeat(MIB / 5));
            }
            "packed" => exchange.stream(&packed),
            "error" => {
                exchange.head(500, &[("Transfer-Encoding", "chunked")]);
                endless(exchange, &vec![b'x'; MIB]);
            }
            "page" => {
                exchange.stream_head();
                exchange.chunk("<html>");
                endless(exchange, &vec![b'x'; MIB]);
            }
            "told" => exchange.stream(&told),
            "named" => exchange.stream(&named),
            "signed" => exchange.stream(&signed),
            "long" => {
                exchange.stream_head();
                let events = openai::text(&"x".repeat(MIB));
                (0..80).for_each(|_| exchange.chunk(&events));
                exchange.chunk(openai::finish("stop") + openai::DONE);
                exchange.end_chunks();
            }
            _ => exchange.stream(openai::stream(&["a", "b", "c"])),
        }
    });
    c::program("scarce").arg(server.url()).arg("4").run().passed();
}

/// Runs a program under valgrind, against `server`.
fn check(name: &str, server: &Server, args: &[&str]) {
    if let Some(program) = c::program(name).under_valgrind() {
        let program = args.iter().fold(program.arg(server.url()), |program, arg| program.arg(arg));
        program.run().passed();
    }
}

#[test]
fn streaming_loses_no_memory() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["Hel", "lo"])));
    check("stream", &server, &[]);
}

#[test]
fn failing_loses_no_memory() {
    check(
        "stream",
        &Server::answering("application/json", "{\"error\":{\"message\":\"no\"}}"),
        &[],
    );
    check("stream", &Server::start(|exchange| exchange.whole(401, "text/html", "<html>")), &[]);
    check("models", &Server::start(|exchange| exchange.whole(404, "text/plain", "no")), &["-1"]);
}

#[test]
fn listing_models_loses_no_memory() {
    let list = "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\",\"owned_by\":\"c\"}]}";
    check("models", &Server::answering("application/json", list), &["-1"]);
}

#[test]
fn cancelling_loses_no_memory() {
    let server = Server::start(|exchange| exchange.wait_for_close());
    check("cancel", &server, &["0"]);
}

#[test]
fn sessions_in_many_threads_lose_no_memory() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["a", "b", "c"])));
    check("crowd", &server, &["8"]);
}

#[test]
fn cancelling_with_a_full_queue_loses_no_memory_and_no_thread() {
    let (full, filled) = mpsc::channel();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        let events = openai::text(&"x".repeat(1000)).repeat(100);
        while exchange.chunk_watched(&events, || full.send(()).unwrap()) {}
    });
    if let Some(program) = c::program("full").under_valgrind() {
        let mut program = program.arg(server.url()).spawn();
        filled.recv_timeout(support::LONG).unwrap();
        program.tell("it is full");
        program.finish().passed();
    }
}

#[test]
fn conversing_loses_no_memory() {
    let call = json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "weather", "arguments": "{}"}}]});
    let call = openai::delta(call) + &openai::finish("tool_calls") + openai::DONE;
    let server = Server::start(move |exchange| match exchange.number {
        0 => exchange.stream(&call),
        _ => exchange.stream(openai::stream(&["Three ", "degrees."])),
    });
    check("conversation", &server, &[]);
}

#[test]
fn ten_thousand_sessions_leave_nothing_behind() {
    if !cfg!(target_os = "linux") {
        return support::skip("the soak", "this system does not tell what a process holds");
    }
    let server = Server::start(|exchange| {
        exchange.stream_head();
        exchange.chunk(openai::text("one"));
        exchange.wait_for_close();
    });
    c::program("soak").arg(server.url()).arg("10000").run().passed();
}

#[test]
fn five_hundred_sessions_at_once_are_answered() {
    let server = Server::start(|exchange| exchange.stream(openai::stream(&["a", "b", "c"])));
    c::program("crowd").arg(server.url()).arg("500").run().passed();
    assert_eq!(server.requests().len(), 500);
}

#[test]
fn waiting_session_holds_little_memory_and_goes_on() {
    /// Of a debug build, whose frames are large: it has 58, and 125 with the whole stack.
    const MOST: i64 = 80;
    let (gate, waited) = (Gate::default(), nested(100));
    let theirs = gate.clone();
    let server = Server::start(move |exchange| {
        exchange.stream_head();
        exchange.chunk(openai::text("one"));
        theirs.wait();
        // Reading it takes a deep stack again.
        exchange.chunk(openai::event(&json!({"choices": [], "usage": waited})));
        exchange.chunk(openai::text("two") + &openai::finish("stop") + openai::DONE);
        exchange.end_chunks();
    });
    let mut program = c::program("waiting").arg(server.url()).arg("50").spawn();
    let kib: i64 = program.line().parse().unwrap();
    gate.open();
    program.tell("go on");
    program.finish().passed();
    if kib < 0 || c::is_sanitized() {
        return support::skip("memory of sessions", "this system or a sanitizer does not tell it");
    }
    assert!(kib < MOST, "{kib} KiB");
}

/// An array in an array, and so on.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn waiting_session_wakes_up_nobody() {
    if !cfg!(target_os = "linux") {
        return support::skip("wake-ups", "this system does not count them");
    }
    let server = Server::start(|exchange| {
        exchange.stream_head();
        exchange.chunk(openai::text("one"));
        exchange.wait_for_close();
    });
    let outcome = c::program("idle").arg(server.url()).run().passed();
    assert_eq!(outcome.stdout.trim(), "0");
}
