//! Answers of GigaChat, of both versions: the first byte's highest bit says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tolmach_fuzz::{Answer, same_at_every_cut};

fuzz_target!(|data: &[u8]| {
    let second = data.first().is_some_and(|how| how & 0x80 != 0);
    let (version, place) = match second {
        true => ("v2", "/v2/chat/completions"),
        false => ("v1", "/v1/chat/completions"),
    };
    let Some(answer) = Answer::of(place, data) else { return };
    same_at_every_cut("gigachat", &[("access_token", "t"), ("api_version", version)], &answer);
});
