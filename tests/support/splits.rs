//! Answers whose bytes the network cuts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tolmach::{ChunkKind, Client, Config, ErrorKind, Polled, Request, Session};

use super::server::Server;

/// What an answer comes to; pieces that follow one another are one.
pub fn read(client: &Client) -> Vec<String> {
    let (said, ended) = read_to_end(client);
    assert_eq!(ended, Ok(()), "{said:?}");
    said
}

/// The same of an answer that may end in an error.
fn read_to_end(client: &Client) -> (Vec<String>, Result<(), ErrorKind>) {
    let mut request = Request::new(None);
    request.message("user", "Hi").unwrap();
    let mut session = Session::open(client, &request).unwrap();
    let mut said: Vec<(ChunkKind, String)> = Vec::new();
    let ended = loop {
        match session.poll(None) {
            Ok(Polled::Chunk(chunk)) => {
                let rest = format!("{}{}{}{}", chunk.id, chunk.name, chunk.mime, chunk.bytes.len());
                let counts = if chunk.kind == ChunkKind::Usage {
                    format!("{:?}", chunk.usage)
                } else {
                    String::new()
                };
                let mergeable = matches!(chunk.kind, ChunkKind::Text | ChunkKind::Reasoning);
                match said.last_mut() {
                    Some((kind, text)) if *kind == chunk.kind && mergeable => {
                        text.push_str(chunk.text)
                    }
                    _ => said.push((chunk.kind, chunk.text.to_owned())),
                }
                if !mergeable {
                    said.last_mut().unwrap().1.push_str(&(rest + &counts));
                }
            }
            Ok(Polled::End) => break Ok(()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break Err(error.kind()),
        }
    };
    let said = said.into_iter().map(|(kind, text)| format!("{kind:?} {text}"));
    // Ids that were invented are random.
    let is_invented = |text: &str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let said = said.map(|line| match line.split_once("call_") {
        Some((before, after)) if after.get(..32).is_some_and(is_invented) => {
            format!("{before}call_?{}", after.get(32..).unwrap_or_default())
        }
        _ => line,
    });
    (said.collect(), ended)
}

/// Reads `body` cut in two at every byte, and whole: it comes to its end.
pub fn assert_the_same_at_every_cut(
    provider: &str,
    settings: &[(&str, &str)],
    content_type: &'static str,
    body: String,
) {
    assert_the_same_end_at_every_cut(provider, settings, content_type, body, Ok(()));
}

/// Reads `body`, which ends as `wanted`, cut in two at every byte, and whole.
pub fn assert_the_same_end_at_every_cut(
    provider: &str,
    settings: &[(&str, &str)],
    content_type: &'static str,
    body: String,
    wanted: Result<(), ErrorKind>,
) {
    assert_eq!(end_at_every_cut(provider, settings, content_type, body), wanted);
}

/// How an answer of `body` ends, which is the same wherever it is cut in two.
pub fn end_at_every_cut(
    provider: &str,
    settings: &[(&str, &str)],
    content_type: &'static str,
    body: String,
) -> Result<(), ErrorKind> {
    let cut = Arc::new(AtomicUsize::new(0));
    let (at, sent) = (Arc::clone(&cut), body.clone());
    let server = Server::start(move |exchange| {
        if exchange.request.path.ends_with("/oauth") {
            return exchange.whole(
                200,
                "application/json",
                "{\"access_token\":\"t\",\"expires_at\":4102444800}",
            );
        }
        let (first, second) = sent.as_bytes().split_at(at.load(Ordering::SeqCst));
        exchange.head(
            200,
            &[("Content-Type", content_type), ("Content-Length", &sent.len().to_string())],
        );
        exchange.send(first);
        if !first.is_empty() {
            // As a rule the client has read the first part by then.
            thread::sleep(Duration::from_millis(1));
        }
        exchange.send(second);
    });
    let mut config = Config::new(provider).unwrap();
    config.set("base_url", Some(&server.url())).unwrap();
    config.set("proxy", Some("direct")).unwrap();
    for (key, value) in settings {
        config.set(key, Some(&value.replace("URL", &server.url()))).unwrap();
    }
    let client = Client::new(&config).unwrap();
    let (whole, ended) = read_to_end(&client);
    assert!(!whole.is_empty() || ended.is_err(), "{whole:?}");
    for place in 1..body.len() {
        cut.store(place, Ordering::SeqCst);
        assert_eq!(read_to_end(&client), (whole.clone(), ended), "{provider} cut at {place}");
    }
    ended
}
