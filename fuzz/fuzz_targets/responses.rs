//! Answers of OpenAI's Responses API, and what goes back of them with the next request.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use tolmach::{Polled, Request, Session};
use tolmach_fuzz::{Answer, check, client, file, same_at_every_cut};

/// Reads an answer to its end, and adds the reply to the request.
fn turn(request: &mut Request) {
    let mut session = Session::open(&client("openai-responses", &[]), request).unwrap();
    loop {
        match session.poll(None) {
            Ok(Polled::Chunk(_)) => {}
            Ok(_) => break,
            Err(error) => {
                check(&error);
                break;
            }
        }
    }
    let reply = session.replies().to_json().unwrap();
    if !reply.is_empty() {
        request.message_json(&reply).unwrap();
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(answer) = Answer::of("/v1/responses", data) else { return };
    same_at_every_cut("openai-responses", &[("estimate_usage", "true")], &answer);
    fs::write(file(), answer.recording(usize::MAX)).unwrap();
    let mut request = Request::new(Some("m"));
    request.message("user", "Hi").unwrap();
    turn(&mut request);
    turn(&mut request);
});
