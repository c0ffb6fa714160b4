//! Framing: the undecoded events of any bytes, however they are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tolmach_fuzz::{Answer, same_at_every_cut};

fuzz_target!(|data: &[u8]| {
    let answer = Answer {
        method: "POST",
        place: "/v1/chat/completions",
        status: 200,
        content_type: "text/event-stream",
        body: data,
    };
    same_at_every_cut("openai", &[("raw_chunks", "true")], &answer);
});
