//! Requests of any JSON: what is taken is JSON again, and can be asked of every provider.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use tolmach::{Polled, Request, Session};
use tolmach_fuzz::{check, client, file};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut request = match Request::from_json(text) {
        Ok(request) => request,
        Err(error) => {
            check(&error);
            let mut request = Request::new(None);
            let (name, value) = text.split_once('=').unwrap_or(("messages", text));
            if let Err(error) = request.set(name, value) {
                check(&error);
            }
            request
        }
    };
    let json = request.to_json().unwrap();
    let again = Request::from_json(&json).expect("what is written can be read");
    assert_eq!(again.to_json().unwrap(), json);
    request.attach(b"\x89PNG\r\n\x1a\n", None).ok();
    request.message("user", text).unwrap();
    fs::write(file(), "{\"tolmach_recording\":1}\n").unwrap();
    for provider in tolmach::providers() {
        // The recording has no answer; what was asked was made all the same.
        let mut session = Session::open(&client(provider.name, &[]), &request).unwrap();
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
    }
});
