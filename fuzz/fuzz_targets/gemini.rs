//! Answers of Gemini's protocol, and its lists of models.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use tolmach_fuzz::{Answer, check, client, file, same_at_every_cut};

fuzz_target!(|data: &[u8]| {
    let place = "/v1beta/models/m:streamGenerateContent?alt=sse";
    let Some(answer) = Answer::of(place, data) else { return };
    same_at_every_cut("gemini", &[], &answer);
    let list = Answer { method: "GET", place: "/v1beta/models?pageSize=1000", ..answer };
    fs::write(file(), list.recording(usize::MAX)).unwrap();
    if let Err(error) = client("gemini", &[]).models(None) {
        check(&error);
    }
});
