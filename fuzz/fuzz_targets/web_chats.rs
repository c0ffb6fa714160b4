//! Answers of the three web chats, the same bytes to each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tolmach_fuzz::{Answer, same_at_every_cut};

fuzz_target!(|data: &[u8]| {
    for (provider, place) in [
        ("ai365vip", "/api/chat"),
        ("amigochat", "/v1/chat/completions"),
        ("aichats", "/chat/send2/"),
    ] {
        let Some(answer) = Answer::of(place, data) else { return };
        same_at_every_cut(provider, &[], &answer);
    }
});
