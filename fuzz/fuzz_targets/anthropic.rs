//! Answers of Anthropic's Messages, and its lists of models.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use tolmach_fuzz::{Answer, check, client, file, same_at_every_cut};

fuzz_target!(|data: &[u8]| {
    let Some(answer) = Answer::of("/v1/messages", data) else { return };
    same_at_every_cut("anthropic", &[], &answer);
    let list = Answer { method: "GET", place: "/v1/models", ..answer };
    fs::write(file(), list.recording(usize::MAX)).unwrap();
    if let Err(error) = client("anthropic", &[]).models(None) {
        check(&error);
    }
});
