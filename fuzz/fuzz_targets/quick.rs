//! Events that are like one before them, which are not parsed again: the same comes of an
//! answer as if they were. The input says which recorded stream of which dialect it is, how
//! often its events come, and what is changed in them.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tolmach::{Client, Polled, Request, Session};
use tolmach_fuzz::near::{DIALECTS, Dialect, streams, vary};
use tolmach_fuzz::{Answer, check, config, file, made_up_ids_are_one};

type Recorded = Vec<(&'static Dialect, Vec<u8>)>;

/// All recorded streams; each dialect has some of whose events are not parsed.
fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let mut all = Vec::new();
        for dialect in DIALECTS {
            let mut hits = 0;
            for (_, body) in streams(root, dialect) {
                let repeated = vary(&body, &mut |below| usize::from(below != 3));
                hits += hear(dialect, &repeated, usize::MAX, true).1;
                all.push((dialect, body));
            }
            assert!(hits > 0, "{}", dialect.folder);
        }
        all
    })
}

/// All that a program sees of an answer, and how many events were not parsed.
fn hear(dialect: &Dialect, body: &[u8], size: usize, is_quick: bool) -> (Vec<String>, u64) {
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
    let config = config(dialect.provider, dialect.settings);
    if !is_quick {
        config.quick.turn_off();
    }
    let client = Client::new(&config).unwrap();
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
    (heard.iter().map(|text| made_up_ids_are_one(text)).collect(), config.quick.hits())
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
    let (parsed, _) = hear(dialect, &body, size, false);
    let (heard, _) = hear(dialect, &body, size, true);
    assert_eq!(heard, parsed, "{}", String::from_utf8_lossy(&body));
});
