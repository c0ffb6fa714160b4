//! Answers of OpenAI's protocol, and its lists of models.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use tolmach_fuzz::{Answer, check, client, file, same_at_every_cut};

fuzz_target!(|data: &[u8]| {
    let Some(answer) = Answer::of("/v1/chat/completions", data) else { return };
    same_at_every_cut("openai", &[("think_tags", "true"), ("estimate_usage", "true")], &answer);
    let list = Answer { method: "GET", place: "/v1/models", ..answer };
    fs::write(file(), list.recording(usize::MAX)).unwrap();
    if let Err(error) = client("openai", &[]).models(None) {
        check(&error);
    }
});
