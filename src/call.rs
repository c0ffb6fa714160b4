//! [`Call`]: a provider's whole world while it answers one request.
//!
//! It sends HTTP with this call's deadlines and cancellation, decodes what arrives, and
//! takes chunks. Chunks of one read travel together: they are handed over just before the
//! next read could block.

use std::sync::Arc;

use crate::chunk::{Batch, Chunk, ChunkKind, Usage};
use crate::config::{Config, Secret};
use crate::error::{Details, Error, ErrorKind, Result};
use crate::fault;
use crate::log;
use crate::transport::{Body, HttpRequest, Token, Transport};
use crate::wire::{Decoder, Event, Inflate, Step};

/// Who takes the chunks of a call.
pub(crate) trait Sink {
    /// Takes all chunks of `batch` and leaves it empty; waits while there is no room.
    fn deliver(&self, batch: &mut Batch) -> Result<()>;
}

pub(crate) struct Call<'a> {
    config: &'a Config,
    transport: &'a Transport,
    token: &'a Arc<Token>,
    sink: &'a dyn Sink,
    batch: Batch,
    /// A chunk was taken: what comes now is no longer to be asked for again.
    answered: bool,
    /// What must not be seen in errors.
    secrets: Vec<Secret>,
    /// Host and request id of the latest response, for errors.
    host: String,
    request_id: String,
    /// The answered response, whose connection may yet be of use.
    spent: Option<Body>,
}

/// A response of status 2xx, whose body is still to come.
pub(crate) struct Response {
    body: Body,
}

/// The events of a response.
pub(crate) struct Events {
    body: Body,
    decoder: Decoder,
    inflate: Inflate,
    /// Compressed bytes on their way; stays empty for others.
    compressed: Vec<u8>,
}

impl Events {
    /// The event that [`Call::next`] found, until it is called again.
    pub(crate) fn event(&self) -> Event<'_> {
        self.decoder.event()
    }
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        config: &'a Config,
        transport: &'a Transport,
        token: &'a Arc<Token>,
        sink: &'a dyn Sink,
    ) -> Call<'a> {
        Call {
            config,
            transport,
            token,
            sink,
            batch: Batch::default(),
            answered: false,
            secrets: config.secrets(),
            host: String::new(),
            request_id: String::new(),
            spent: None,
        }
    }

    /// Sends `request`; anything but a response of status 2xx is an error.
    ///
    /// The config's own headers win over the provider's.
    pub(crate) fn send(&mut self, mut request: HttpRequest) -> Result<Response> {
        request.headers.set("User-Agent", &self.config.user_agent)?;
        for (name, value) in self.config.headers.iter() {
            request.headers.set(name, value)?;
        }
        self.host = host(&request.url);
        self.request_id.clear();
        log::line(log::Level::Debug, "http", format_args!("asking {}", self.host));
        let mut response = self.transport.send(&request, self.token)?;
        log::line(
            log::Level::Debug,
            "http",
            format_args!("{} answers {}", self.host, response.status),
        );
        if (200..300).contains(&response.status) {
            self.request_id = response.headers.get("x-request-id").unwrap_or_default().to_owned();
            return Ok(Response { body: response.body });
        }
        // A body that does not come to its end says less, but the status stands.
        let (body, whole) = match response.body.read_to_limit(self.config.max_error_bytes) {
            Ok((body, cut)) => (body, !cut),
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(_) => (Vec::new(), false),
        };
        let mut inflate = Inflate::Unknown;
        let plain = inflate.is_plain(&body);
        let text = if plain { &body[..] } else { inflate.inflate(&body).unwrap_or_default() };
        let text = text.get(..self.config.max_error_bytes).unwrap_or(text);
        let error = fault::of_response(&self.host, response.status, &response.headers, text);
        if whole {
            response.body.finish();
        }
        Err(self.redacted(error))
    }

    /// Reads `response` as events.
    pub(crate) fn events(&self, response: Response) -> Events {
        Events {
            body: response.body,
            decoder: Decoder::new(self.config.max_event_bytes),
            inflate: Inflate::Unknown,
            compressed: Vec::new(),
        }
    }

    /// Whether there is a next event. What was taken so far is handed over before it is
    /// waited for.
    pub(crate) fn next(&mut self, events: &mut Events) -> Result<bool> {
        loop {
            match events.decoder.advance()? {
                Step::Event => {
                    if self.config.raw_chunks {
                        let text = String::from_utf8_lossy(events.event().data).into_owned();
                        self.take(&Chunk { text: &text, ..Chunk::new(ChunkKind::Raw) });
                    }
                    return Ok(true);
                }
                Step::End => return Ok(false),
                Step::Starved => {
                    self.flush()?;
                    self.fill(events)?;
                }
                Step::Html => {
                    let mut page = events.decoder.rest().to_vec();
                    let limit = self.config.max_error_bytes;
                    if let Ok((more, _)) = events.body.read_to_limit(limit) {
                        page.extend(more);
                    }
                    page.truncate(limit);
                    return Err(self.redacted(fault::of_page_for_answer(&self.host, &page)));
                }
            }
        }
    }

    fn fill(&mut self, events: &mut Events) -> Result<()> {
        let Events { body, decoder, inflate, compressed } = events;
        if matches!(inflate, Inflate::Gzip(_)) {
            compressed.resize(16 * 1024, 0);
            let count = body.read(compressed)?;
            decoder.feed(inflate.inflate(compressed.get(..count).unwrap_or_default())?);
            if count == 0 {
                decoder.finish();
            }
            return Ok(());
        }
        let space = decoder.space();
        let count = body.read(space)?;
        if count == 0 {
            decoder.finish();
        } else if inflate.is_plain(space.get(..count).unwrap_or_default()) {
            decoder.filled(count);
        } else {
            compressed.extend_from_slice(space.get(..count).unwrap_or_default());
            decoder.feed(inflate.inflate(compressed)?);
        }
        Ok(())
    }

    /// Reads a response that is one JSON document or a list of them, whole.
    pub(crate) fn document(&mut self, response: Response) -> Result<serde_json::Value> {
        let mut events = self.events(response);
        if !self.next(&mut events)? {
            return Err(self.protocol_error("answered with nothing"));
        }
        let value = serde_json::from_slice(events.event().data).map_err(|error| {
            let kind = if error.is_eof() { ErrorKind::Truncated } else { ErrorKind::Protocol };
            Error::new(kind, format!("the answer of {} is not JSON: {error}", self.host))
        })?;
        if let Some(error) = self.error_in(&value) {
            return Err(error);
        }
        while self.next(&mut events)? {}
        self.end(events);
        Ok(value)
    }

    /// The answer is at its end: its connection is freed once the caller knows.
    pub(crate) fn end(&mut self, events: Events) {
        self.token.detach();
        self.spent = Some(events.body);
    }

    /// The error that stands in `value`, if one does.
    pub(crate) fn error_in(&self, value: &serde_json::Value) -> Option<Error> {
        fault::in_event(&self.host, value).map(|error| self.redacted(error))
    }

    /// The answer stopped without its terminal mark.
    pub(crate) fn truncated(&self) -> Error {
        self.error(ErrorKind::Truncated, "stopped before the end of its answer")
    }

    /// The provider says that it gave up.
    pub(crate) fn failed(&self, reason: &str) -> Error {
        self.error(ErrorKind::Server, &format!("ended its answer with the reason {reason:?}"))
    }

    /// The answer is none of this protocol.
    pub(crate) fn protocol_error(&self, what: &str) -> Error {
        self.error(ErrorKind::Protocol, what)
    }

    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        let details = Details { request_id: self.request_id.clone(), ..Details::default() };
        Error::new(kind, format!("{} {what}", self.host)).with_details(details)
    }

    fn redacted(&self, error: Error) -> Error {
        error.redacted(self.secrets.iter().map(Secret::expose))
    }

    /// The answer begins.
    pub(crate) fn start(&mut self, id: &str, model: &str) {
        self.take(&Chunk { text: id, name: model, ..Chunk::new(ChunkKind::Start) });
    }

    /// A piece of text.
    pub(crate) fn text(&mut self, choice: i32, text: &str) {
        if !text.is_empty() {
            self.take(&Chunk { choice, text, ..Chunk::new(ChunkKind::Text) });
        }
    }

    /// A piece of reasoning, and the field that it came in.
    pub(crate) fn reasoning(&mut self, choice: i32, text: &str, field: &str) {
        if !text.is_empty() {
            self.take(&Chunk { choice, text, name: field, ..Chunk::new(ChunkKind::Reasoning) });
        }
    }

    /// A piece of a refusal.
    pub(crate) fn refusal(&mut self, choice: i32, text: &str) {
        if !text.is_empty() {
            self.take(&Chunk { choice, text, ..Chunk::new(ChunkKind::Refusal) });
        }
    }

    /// Token counts.
    pub(crate) fn usage(&mut self, usage: Usage) {
        self.take(&Chunk { usage, ..Chunk::new(ChunkKind::Usage) });
    }

    /// The end of one choice.
    pub(crate) fn finish(&mut self, choice: i32, reason: &str, raw: &str) {
        self.take(&Chunk { choice, text: reason, name: raw, ..Chunk::new(ChunkKind::Finish) });
    }

    /// Any chunk.
    pub(crate) fn take(&mut self, chunk: &Chunk<'_>) {
        self.answered = true;
        self.batch.push(chunk);
    }

    /// Whether a chunk was taken.
    pub(crate) fn answered(&self) -> bool {
        self.answered
    }

    /// Hands over what was taken since the last time.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.sink.deliver(&mut self.batch)?;
        // Only chunks are progress: keep-alives cannot hide a stall.
        self.token.progress();
        Ok(())
    }

    /// Reads on to the end of the answered response, within narrow limits, so that its
    /// connection can serve the next request.
    pub(crate) fn linger(mut self) {
        if let Some(body) = self.spent.take() {
            body.finish();
        }
    }
}

/// The host and port of `url`, without anything that could be secret.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_owned()
}
