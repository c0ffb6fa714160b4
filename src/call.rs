//! [`Call`]: a provider's whole world while it answers one request.
//!
//! It sends HTTP with this call's deadlines and cancellation, decodes what arrives, and
//! takes chunks. Chunks of one read travel together: they are handed over just before the
//! next read could block.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use serde::Serialize;

use crate::chunk::{Batch, Chunk, ChunkKind, Usage};
use crate::config::Config;
use crate::error::{Details, Error, ErrorKind, Result};
use crate::fault;
use crate::log;
use crate::media;
use crate::memory;
use crate::prompt;
use crate::request::Request;
use crate::secret::{Secret, redact};
use crate::transport::{Body, Headers, HttpRequest, Token, Transport, Url};
use crate::wire::halves::{self, Halves};
use crate::wire::{Decoder, Event, Step, json};

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
    /// Once the answer held half a character: those that wait for their other half.
    halves: Option<Halves<Stream>>,
    /// A chunk was taken: what comes now is no longer to be asked for again.
    answered: bool,
    /// Why a chunk could not be taken: the answer ends there.
    failure: Option<Error>,
    /// How many images and sources each choice has had.
    counts: HashMap<(ChunkKind, i32), i32>,
    /// What usage is estimated from, where the config asks for that (providers.md 1.6).
    estimate: Option<Usage>,
    /// What must not be seen in errors.
    secrets: Vec<Secret>,
    /// Host and request id of the latest request, for errors.
    host: String,
    request_id: String,
    /// The answered response, whose connection may yet be of use.
    spent: Option<Body>,
}

/// A text whose pieces follow one another: its kind, choice, index, and name.
type Stream = (ChunkKind, i32, i32, String);

/// A response of status 2xx, whose body is still to come.
pub(crate) struct Response {
    content_type: String,
    body: Body,
}

/// The events of a response.
pub(crate) struct Events {
    body: Body,
    decoder: Decoder,
    /// They are no part of the answer, and may hold secrets: none is a raw chunk.
    aside: bool,
    /// Their end is the body's: nothing in it tells.
    ends_with_body: bool,
}

impl Events {
    fn new(response: Response, decoder: Decoder) -> Events {
        Events { body: response.body, decoder, aside: false, ends_with_body: false }
    }

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
            halves: None,
            answered: false,
            failure: None,
            counts: HashMap::new(),
            estimate: None,
            secrets: [&config.secrets(), transport.secrets()].concat(),
            host: String::new(),
            request_id: String::new(),
            spent: None,
        }
    }

    /// Keeps `secret` out of errors from now on.
    pub(crate) fn hide(&mut self, secret: &Secret) {
        for form in secret.forms() {
            self.transport.hide(&form);
            self.secrets.push(form);
        }
    }

    /// Waits until `done` is closed, within the deadlines of the call.
    pub(crate) fn wait_for(&self, done: &Receiver<()>) -> Result<()> {
        self.token.wait_for(done)
    }

    /// Sends `request`; anything but a response of status 2xx is an error.
    ///
    /// The config's own headers win over the provider's; they go to its own host alone.
    pub(crate) fn send(&mut self, mut request: HttpRequest) -> Result<Response> {
        if self.config.user_agent.is_some() || request.headers.get("User-Agent").is_none() {
            request.headers.set("User-Agent", self.config.user_agent())?;
        }
        if !request.is_foreign && self.is_own_host(&request.url) {
            for (name, value) in self.config.headers.iter() {
                request.headers.set(name, value)?;
            }
        }
        self.exchange(&request)
    }

    /// Whether `url` is of a host that the config's headers are meant for.
    fn is_own_host(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let own = [Some(&*self.config.base_url), self.config.option("endpoint")];
        let own = own.into_iter().flatten();
        own.filter_map(|own| Url::parse(own).ok()).any(|own| own.is_of_same_origin(&url))
    }

    fn exchange(&mut self, request: &HttpRequest) -> Result<Response> {
        self.host = Url::parse(&request.url).map(|url| url.place()).unwrap_or_default();
        // A server may have named it.
        redact(&mut self.host, &self.secrets);
        self.request_id.clear();
        log::line(log::Level::Debug, "http", format_args!("asking {}", self.host));
        let mut response = self.transport.send(request, self.token)?;
        self.request_id = fault::request_id(&response.headers);
        log::line(
            log::Level::Debug,
            "http",
            format_args!("{} answers {}", self.host, response.status),
        );
        if (200..300).contains(&response.status) {
            let content_type = response.headers.get("content-type").unwrap_or_default();
            return Ok(Response { content_type: content_type.to_owned(), body: response.body });
        }
        if request.is_foreign && (300..400).contains(&response.status) {
            let details = Details { http_status: response.status, ..Details::default() };
            return Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "{} redirects ({}), which is not followed: use the URL it redirects to",
                    self.host, response.status
                ),
            )
            .with_details(details));
        }
        // A body that does not come to its end says less, but the status stands.
        let mut body = Vec::new();
        let whole = match response.body.read_to_limit(self.config.max_error_bytes, &mut body) {
            Ok(whole) => whole,
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(_) => false,
        };
        let error =
            fault::of_response(&self.host, response.status, &response.headers, affordable(&body));
        if whole {
            response.body.finish();
        }
        Err(error)
    }

    /// Reads `response` as events of JSON, in whichever framing they come.
    pub(crate) fn events(&self, response: Response) -> Events {
        Events::new(response, Decoder::events(self.config.max_event_bytes))
    }

    /// Reads `response` as plain text.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] or [`ErrorKind::Blocked`] when it is a web page.
    pub(crate) fn text_events(&self, response: Response) -> Result<Events> {
        self.refuse_page(response, Decoder::text)
    }

    /// Reads `response` as plain lines.
    ///
    /// # Errors
    /// As [`Call::text_events`].
    pub(crate) fn line_events(&self, response: Response) -> Result<Events> {
        self.refuse_page(response, Decoder::lines)
    }

    fn refuse_page(&self, mut response: Response, decoder: fn(usize) -> Decoder) -> Result<Events> {
        if response.content_type.to_ascii_lowercase().starts_with("text/html") {
            return Err(self.page(&mut response.body, Vec::new()));
        }
        let decoder = decoder(self.config.max_event_bytes);
        Ok(Events { ends_with_body: true, ..Events::new(response, decoder) })
    }

    /// Gets a file that an answer points to, on the provider's own host or on a foreign one.
    pub(crate) fn fetch(&mut self, url: &str) -> Result<Vec<u8>> {
        if let Err(wrong) = Url::parse(url) {
            return Err(self.protocol_error(&format!("answered with a URL that {wrong}")));
        }
        self.file(HttpRequest {
            is_foreign: !self.is_own_host(url),
            named_by: Some(self.host.clone()),
            ..HttpRequest::get(url, Headers::default())
        })
    }

    /// Gets a file that a program attached by its URL, for a provider that does not.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless the config says that this is done.
    pub(crate) fn fetch_attached(&mut self, url: &str) -> Result<Vec<u8>> {
        if let Err(wrong) = Url::parse(url) {
            return Err(Error::new(ErrorKind::Argument, format!("an attached URL {wrong}")));
        }
        if !self.config.fetch_urls {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{} does not fetch URLs: attach the file itself, or set \"fetch_urls\" to \
                     \"true\" and this library fetches them",
                    self.config.provider.label
                ),
            ));
        }
        self.file(HttpRequest { is_foreign: true, ..HttpRequest::get(url, Headers::default()) })
    }

    fn file(&mut self, mut request: HttpRequest) -> Result<Vec<u8>> {
        request.headers.put("Accept", "*/*");
        let response = self.send(request)?;
        self.bytes(response)
    }

    /// Reads `response` whole, as bytes.
    pub(crate) fn bytes(&mut self, mut response: Response) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if !response.body.read_to_limit(self.config.max_event_bytes, &mut bytes)? {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "a file from {} is larger than {} bytes (max_event_bytes)",
                    self.host, self.config.max_event_bytes
                ),
            ));
        }
        if !self.token.is_whole() {
            return Err(self.truncated());
        }
        response.body.finish();
        Ok(bytes)
    }

    /// Whether there is a next event. What was taken so far is handed over before it is
    /// waited for.
    pub(crate) fn next(&mut self, events: &mut Events) -> Result<bool> {
        loop {
            match events.decoder.advance()? {
                Step::Event => {
                    let data = events.event().data;
                    if events.ends_with_body {
                        // Protocols of plain text copy it.
                        memory::room_for(data.len().saturating_mul(2))?;
                    } else {
                        json::check_depth(data, self.config.max_json_depth)?;
                        json::check_size(data, self.config.max_event_bytes)?;
                    }
                    if self.config.raw_chunks && !events.aside {
                        let text = memory::lossy(events.event().data)?;
                        self.take(&Chunk { text: &text, ..Chunk::new(ChunkKind::Raw) });
                    }
                    return Ok(true);
                }
                Step::End if events.ends_with_body && !self.token.is_whole() => {
                    return Err(self.truncated());
                }
                Step::End => return Ok(false),
                Step::Starved => {
                    self.flush()?;
                    match events.body.read(events.decoder.space()?)? {
                        0 => events.decoder.finish(),
                        count => events.decoder.filled(count),
                    }
                }
                Step::Html => {
                    let page = memory::bytes(events.decoder.rest())?;
                    return Err(self.page(&mut events.body, page));
                }
            }
        }
    }

    /// The error that a web page is which begins in the place of text, with `start`.
    pub(crate) fn page_for_text(&self, events: &mut Events, start: &str) -> Error {
        match memory::bytes(start.as_bytes()) {
            Ok(page) => self.page(&mut events.body, page),
            Err(error) => error,
        }
    }

    /// The error that a web page is, of which `page` was read already.
    fn page(&self, body: &mut Body, mut page: Vec<u8>) -> Error {
        // As much of it as there is says what it is.
        body.read_to_limit(self.config.max_error_bytes, &mut page).ok();
        fault::of_page_for_answer(&self.host, affordable(&page))
    }

    /// Reads a response that is one JSON document or a list of them, whole.
    pub(crate) fn document(&mut self, response: Response) -> Result<serde_json::Value> {
        let events = self.events(response);
        self.document_of(events)
    }

    /// As [`Call::document`], of what is asked for beside the answer: tokens, files, lists.
    pub(crate) fn aside(&mut self, response: Response) -> Result<serde_json::Value> {
        let events = Events { aside: true, ..self.events(response) };
        self.document_of(events)
    }

    fn document_of(&mut self, mut events: Events) -> Result<serde_json::Value> {
        if !self.next(&mut events)? {
            return Err(self.protocol_error("answered with nothing"));
        }
        let value = serde_json::from_slice(events.event().data).map_err(|error| {
            let kind = match () {
                () if error.is_eof() => ErrorKind::Truncated,
                () if json::is_too_deep(events.event().data) => ErrorKind::TooLarge,
                () => ErrorKind::Protocol,
            };
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
        if !fault::may_be_in(value) {
            return None;
        }
        if let Err(error) = fault::room_for_error(memory::weight(value)) {
            return Some(error);
        }
        let settled = self.halves.as_ref().map(|_| halves::settle(&value.to_string()));
        let settled = settled.and_then(|text| serde_json::from_str(&text).ok());
        fault::in_event(&self.host, settled.as_ref().unwrap_or(value))
    }

    /// What an event is that serde refused with `error`, repaired. Characters that it cuts in
    /// two are joined with what comes.
    pub(crate) fn repair(
        &mut self,
        data: &[u8],
        error: &serde_json::Error,
    ) -> Result<serde_json::Value> {
        let value = json::repair(data, error)?;
        if self.halves.is_none() && halves::are_in(&memory::json(&value)?) {
            self.halves = Some(Halves::default());
        }
        Ok(value)
    }

    /// The error that an event of that name is.
    pub(crate) fn error_of(&self, event: Event<'_>) -> Error {
        match fault::room_for_error(event.data.len()) {
            Ok(()) => fault::of_event(&self.host, event.data),
            Err(error) => error,
        }
    }

    /// How many choices, tool calls and files of an answer are told apart.
    pub(crate) fn max_tool_calls(&self) -> usize {
        self.config.max_tool_calls
    }

    /// There are more than that.
    pub(crate) fn too_many_calls(&self) -> Error {
        let most = self.config.max_tool_calls;
        self.error(
            ErrorKind::TooLarge,
            &format!(
                "answered with more than {most} tool calls, choices or files (max_tool_calls)"
            ),
        )
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
        Error::new(kind, format!("{} {what}", self.host))
    }

    /// An error of this call as the program is to see it.
    pub(crate) fn told(&self, error: Error) -> Error {
        error.of_request(&self.request_id).redacted(&self.secrets).cut(self.config.max_error_bytes)
    }

    /// The request that is being answered.
    pub(crate) fn asked(&mut self, request: &Request) {
        if self.config.estimate_usage {
            let contents = request.messages().iter().filter_map(|message| message.get("content"));
            let input = contents.map(|content| tokens_of(prompt::text_of(content).len()) + 4);
            self.estimate =
                Some(Usage { input: 1 + input.sum::<i64>(), output: 0, ..Usage::default() });
        }
    }

    /// Opaque JSON of the provider's, to be sent back with the reply.
    pub(crate) fn state(&mut self, choice: i32, state: &impl Serialize) {
        match memory::json(state) {
            Ok(text) => {
                self.take(&Chunk { choice, text: &text, ..Chunk::new(ChunkKind::State) });
            }
            Err(error) => self.fail(error),
        }
    }

    /// The answer begins.
    pub(crate) fn start(&mut self, id: &str, model: &str) {
        self.take(&Chunk { text: id, name: model, ..Chunk::new(ChunkKind::Start) });
    }

    /// A piece of text.
    pub(crate) fn text(&mut self, choice: i32, text: &str) {
        if !text.is_empty() {
            if let Some(usage) = &mut self.estimate {
                usage.output += tokens_of(text.len() + 2);
            }
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

    /// What the provider says it is doing.
    pub(crate) fn progress(&mut self, text: &str) {
        self.take(&Chunk { text, ..Chunk::new(ChunkKind::Progress) });
    }

    /// An image in bytes; what kind they are, they tell themselves. `name`: its prompt, as
    /// the provider revised it.
    pub(crate) fn image(&mut self, choice: i32, bytes: &[u8], name: &str) {
        let mime = media::sniff(bytes).unwrap_or_default();
        let index = self.next_index(ChunkKind::Image, choice);
        self.take(&Chunk { choice, index, mime, bytes, name, ..Chunk::new(ChunkKind::Image) });
    }

    /// An image that lies elsewhere, or in a data URL.
    pub(crate) fn image_at(&mut self, choice: i32, url: &str, name: &str) {
        match media::decode_data_url(url) {
            Ok(Some(bytes)) => return self.image(choice, &bytes, name),
            Ok(None) => {}
            Err(error) => return self.fail(error),
        }
        let index = self.next_index(ChunkKind::Image, choice);
        self.take(&Chunk { choice, index, text: url, name, ..Chunk::new(ChunkKind::Image) });
    }

    /// A source: where it is, and its title.
    pub(crate) fn source(&mut self, choice: i32, url: &str, title: &str) {
        let index = self.next_index(ChunkKind::Source, choice);
        let chunk = Chunk::new(ChunkKind::Source);
        self.take(&Chunk { choice, index, text: url, name: title, ..chunk });
    }

    /// Which chunk of that kind comes next. Counted over the whole answer: most servers
    /// count anew in every event, or not at all.
    fn next_index(&mut self, kind: ChunkKind, choice: i32) -> i32 {
        let count = self.counts.entry((kind, choice)).or_default();
        let index = *count;
        *count = index.saturating_add(1);
        index
    }

    /// Token counts.
    pub(crate) fn usage(&mut self, usage: Usage) {
        self.end_texts();
        self.estimate = None;
        self.take(&Chunk { usage, ..Chunk::new(ChunkKind::Usage) });
    }

    /// The end of one choice. Usage comes before it: told, else estimated where asked for.
    pub(crate) fn finish(&mut self, choice: i32, reason: &str, raw: &str) {
        self.end_texts();
        if let Some(mut usage) = self.estimate.take() {
            usage.total = usage.input + usage.output;
            self.usage(usage);
        }
        self.take(&Chunk { choice, text: reason, name: raw, ..Chunk::new(ChunkKind::Finish) });
    }

    /// Any chunk.
    pub(crate) fn take(&mut self, chunk: &Chunk<'_>) {
        self.answered = true;
        if self.failure.is_some() {
            return;
        }
        let taken = match &mut self.halves {
            None => self.batch.push(chunk),
            Some(halves) => push_joined(chunk, halves, &mut self.batch),
        };
        if let Err(error) = taken {
            self.fail(error);
        }
    }

    /// A chunk cannot be taken: the answer ends with `error`, after what came before.
    pub(crate) fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    /// No more text comes: what waits for the other half of a character waits in vain.
    pub(crate) fn end_texts(&mut self) {
        let waiting: Vec<Stream> = self.halves.iter_mut().flat_map(Halves::take).collect();
        for (kind, choice, index, name) in waiting {
            let text = "\u{fffd}";
            let chunk = Chunk { choice, index, text, name: &name, ..Chunk::new(kind) };
            if let Err(error) = self.batch.push(&chunk) {
                self.fail(error);
            }
        }
    }

    /// Something of the answer arrived that makes no chunk yet: the idle limit counts anew.
    pub(crate) fn goes_on(&self) {
        self.token.progress();
    }

    /// Whether a chunk was taken.
    pub(crate) fn answered(&self) -> bool {
        self.answered
    }

    /// Hands over what was taken since the last time.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if !self.batch.is_empty() {
            self.sink.deliver(&mut self.batch)?;
            // Only chunks are progress: keep-alives cannot hide a stall.
            self.token.progress();
        }
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Reads on to the end of the answered response, within narrow limits, so that its
    /// connection can serve the next request.
    pub(crate) fn linger(mut self) {
        if let Some(body) = self.spent.take() {
            body.finish();
        }
    }
}

/// Puts `chunk` into `batch`, its text joined with what came before and without marks.
fn push_joined(chunk: &Chunk<'_>, halves: &mut Halves<Stream>, batch: &mut Batch) -> Result<()> {
    let (kind, choice, index) = (chunk.kind, chunk.choice, chunk.index);
    let (id, name) = (halves::settle(chunk.id), halves::settle(chunk.name));
    let chunk = Chunk { id: &id, name: &name, ..*chunk };
    let streams = [ChunkKind::Text, ChunkKind::Reasoning, ChunkKind::Refusal, ChunkKind::ToolCall];
    if !streams.contains(&kind) {
        return batch.push(&Chunk { text: &halves::settle(chunk.text), ..chunk });
    }
    let field = if kind == ChunkKind::Reasoning { name.clone() } else { String::new() };
    let is_same = |known: &Stream| (known.0, known.1, known.2) == (kind, choice, index);
    let text = halves.join((kind, choice, index, field), is_same, chunk.text);
    if !text.is_empty() || !id.is_empty() || kind == ChunkKind::ToolCall && !name.is_empty() {
        batch.push(&Chunk { text: &text, ..chunk })?;
    }
    Ok(())
}

/// The body of an error, which is copied and parsed; without memory for that, nothing: what
/// else is known of the error still stands.
fn affordable(body: &[u8]) -> &[u8] {
    match fault::room_for_error(body.len()) {
        Ok(()) => body,
        Err(_) => &[],
    }
}

/// A token is four bytes, more or less.
fn tokens_of(bytes: usize) -> i64 {
    i64::try_from(bytes / 4).unwrap_or(i64::MAX)
}
