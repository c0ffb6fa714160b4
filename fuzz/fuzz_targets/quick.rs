//! Events that are like one before them, which are not parsed again: the same comes of an
//! answer as if they were. The input says which recorded stream of which dialect it is, how
//! often its events come, and what is changed in them.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tolmach::{Polled, Request, Session, quick};
use tolmach_fuzz::near::{DIALECTS, Dialect, streams, vary};
use tolmach_fuzz::{Answer, check, client, file, made_up_ids_are_one};

type Recorded = Vec<(&'static Dialect, Vec<u8>)>;

/// All recorded streams; each dialect has some of whose events are not parsed.
fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let mut all = Vec::new();
        for dialect in DIALECTS {
            let before = quick::hits();
            for (_, body) in streams(root, dialect) {
                let repeated = vary(&body, &mut |below| usize::from(below != 3));
                hear(dialect, &repeated, usize::MAX);
                all.push((dialect, body));
            }
            assert!(quick::hits() > before, "{}", dialect.folder);
        }
        all
    })
}

/// All that a program sees of an answer.
fn hear(dialect: &Dialect, body: &[u8], size: usize) -> Vec<String> {
    let answer = Answer {
        method: "POST",
        place: dialect.place,
        status: 200,
        content_type: "text/event-stream",
        body,
    };
    fs::write(file(), answer.recording(size)).unwrap();
    let mut request = Request::new(Some(dialect.model));
    request.message("user", "Hi").unwrap();
    let client = client(dialect.provider, dialect.settings);
    let mut session = Session::open(&client, &request).unwrap();
    let mut heard = Vec::new();
    loop {
        match session.poll(None) {
            Ok(Polled::Chunk(chunk)) => heard.push(format!("{chunk:?}")),
            Ok(_) => break,
            Err(error) => {
                check(&error);
                heard.push(format!("{:?} {error}", error.kind()));
                break;
            }
        }
    }
    heard.push(session.replies().to_json().unwrap());
    heard.iter().map(|text| made_up_ids_are_one(text)).collect()
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.iter();
    let mut choose = |below: usize| {
        let byte = usize::from(bytes.next().copied().unwrap_or_default());
        // Places in an event may be beyond a byte's.
        let more =
            if below > 256 { usize::from(bytes.next().copied().unwrap_or_default()) } else { 0 };
        (byte + 256 * more) % below.max(1)
    };
    let recorded = recorded();
    let (dialect, body) = &recorded[choose(recorded.len())];
    let size = [usize::MAX, 1, 7, 64, 300][choose(5)];
    let body = vary(body, &mut choose);
    quick::turn_off(true);
    let parsed = hear(dialect, &body, size);
    quick::turn_off(false);
    assert_eq!(hear(dialect, &body, size), parsed, "{}", String::from_utf8_lossy(&body));
});
