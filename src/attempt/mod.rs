//! [`Attempt`]: one HTTP attempt at a request, with its deadlines, its cancellation and the
//! secrets that its errors must not show.

mod facts;
pub(crate) mod heal;
mod rates;
mod refusal;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::answer::Answer;
use crate::cancel_token::CancelToken;
use crate::config::{Config, Settings};
use crate::error::{Details, Error, ErrorKind, Result};
use crate::fault;
use crate::http::{Headers, HttpRequest, Url};
use crate::json;
use crate::log;
use crate::memory;
use crate::secret::{Secret, redact};
use crate::thread;
use crate::transport::{Body, Transport};
use crate::wire::{Decoder, Event, Step};
pub(crate) use facts::Facts;
pub(crate) use rates::Rate;

pub(crate) struct Attempt<'a> {
    config: &'a Config,
    transport: &'a Transport,
    token: &'a Arc<CancelToken>,
    /// What must not be seen in errors.
    secrets: Vec<Secret>,
    /// Host and request id of the latest request, for errors.
    host: String,
    request_id: String,
    /// The answered response, whose connection may yet be of use.
    spent: Option<Body>,
    facts: &'a Facts,
    /// How many bytes were read of documents that are no part of an answer.
    aside: usize,
    /// An event of the answer was read.
    heard: bool,
    /// A chat call that is refused may be made as one of the Responses API.
    offers_responses: bool,
}

/// A response of status 2xx, whose body is still to come.
pub(crate) struct Response {
    content_type: String,
    body: Body,
}

/// The events of a response.
pub(crate) struct Events {
    body: Body,
    decoder: Decoder,
    /// They end with the body: no event marks the end.
    ends_with_body: bool,
    /// How often the body was read.
    reads: u64,
}

impl Events {
    fn new(response: Response, decoder: Decoder) -> Events {
        Events { body: response.body, decoder, ends_with_body: false, reads: 0 }
    }

    /// Reads what comes next.
    #[inline(never)]
    fn read(&mut self, before_waiting: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.reads += 1;
        // Before the first wait, for sending took much of it; after the first event; and ever
        // more seldom.
        if self.reads.is_power_of_two() {
            thread::give_back_stack();
        }
        match self.body.read_with(self.decoder.space()?, before_waiting)? {
            0 => self.decoder.finish(),
            count => self.decoder.filled(count),
        }
        Ok(())
    }

    /// The event that [`Attempt::next`] found, until it is called again.
    #[inline]
    pub(crate) fn event(&self) -> Event<'_> {
        self.decoder.event()
    }

    /// All of that event, where it is a plain one: see [`Decoder::whole`].
    #[inline]
    pub(crate) fn whole(&self) -> Option<(&[u8], Range<usize>)> {
        self.decoder.whole()
    }

    /// The bytes of the events to come, as far as they are known: see [`Decoder::ahead`].
    #[inline]
    pub(crate) fn ahead(&mut self) -> &[u8] {
        self.decoder.ahead()
    }

    /// Takes `length` bytes of [`Events::ahead`], which are whole events.
    #[inline]
    pub(crate) fn skip(&mut self, length: usize) {
        self.decoder.skip(length);
    }
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        config: &'a Config,
        transport: &'a Transport,
        token: &'a Arc<CancelToken>,
        facts: &'a Facts,
    ) -> Attempt<'a> {
        facts.begin_attempt();
        Attempt {
            config,
            transport,
            token,
            secrets: [&config.secrets(), transport.secrets()].concat(),
            host: String::new(),
            request_id: String::new(),
            spent: None,
            facts,
            aside: 0,
            heard: false,
            offers_responses: false,
        }
    }

    /// Keeps `secret` out of errors from now on.
    pub(crate) fn hide(&mut self, secret: &Secret) {
        for form in secret.forms() {
            self.transport.hide(&form);
            self.secrets.push(form);
        }
    }

    /// Waits until `done` is closed, within the deadlines of this attempt.
    pub(crate) fn wait_for(&self, done: &Receiver<()>) -> Result<()> {
        self.token.wait_for(done)
    }

    /// Waits for `delay`, within the deadlines of this attempt.
    pub(crate) fn pause(&self, delay: Duration) -> Result<()> {
        self.transport.pause(delay, self.token)
    }

    /// The config with the options of the request.
    pub(crate) fn config(&self) -> &'a Config {
        self.config
    }

    /// The host of the latest request, as errors name it.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Tells that the parameter `field` of a request was changed, and how.
    pub(crate) fn changed(&self, field: &str, what: &str) {
        log::line(log::Level::Warn, "request", format_args!("{field}: {what}"));
        self.facts.changed(field, what);
    }

    /// Whether a refused request may be changed and sent again: once for all attempts, and
    /// only before the answer.
    pub(crate) fn may_heal(&self) -> bool {
        !self.heard && !self.facts.is_healed()
    }

    /// What chat refuses, the Responses API can be asked.
    pub(crate) fn offer_responses(&mut self) {
        self.offers_responses = true;
    }

    /// A refused request was changed.
    pub(crate) fn healed(&self) {
        self.facts.set_healed();
    }

    /// Sends `request`; anything but a response of status 2xx is an error.
    ///
    /// The config's own headers win over the provider's; they go to its own host alone.
    pub(crate) fn send(&mut self, mut request: HttpRequest) -> Result<Response> {
        if self.config.user_agent.is_some() || request.headers.get("User-Agent").is_none() {
            request.headers.set("User-Agent", self.config.user_agent())?;
        }
        if !request.is_foreign && self.is_own_host(&request.url) {
            let Settings { headers, request_headers, .. } = &**self.config;
            // A token is for all requests of the client, whichever of them needs it first.
            let own = request_headers.iter().filter(|_| !request.is_credential);
            for (name, value) in headers.iter().chain(own) {
                request.headers.set(name, value)?;
            }
        }
        request.resend = self.config.max_retries > 0;
        self.exchange(&request)
    }

    /// Whether `url` is of a host that the config's headers are meant for.
    fn is_own_host(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let own = [Some(&*self.config.base_url), self.config.option("endpoint")];
        let own = own.into_iter().flatten();
        own.filter_map(|own| Url::parse(own).ok()).any(|own| own.origin() == url.origin())
    }

    fn exchange(&mut self, request: &HttpRequest) -> Result<Response> {
        self.host = Url::parse(&request.url).map_or(String::new(), |url| url.origin().to_string());
        // A server may have named it.
        redact(&mut self.host, &self.secrets);
        self.request_id.clear();
        log::line(log::Level::Debug, "http", format_args!("asking {}", self.host));
        let mut response = self.transport.send(request, self.token)?;
        self.request_id = fault::request_id(&response.headers);
        if !request.is_file {
            self.facts.answered(request, &response, &self.request_id, &self.secrets);
        }
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
    /// As [`Attempt::text_events`].
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
        request.is_file = true;
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

    /// Gives the body of `response` to `answer` as it arrives, to its end.
    pub(crate) fn pass_on(
        &mut self,
        mut response: Response,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        response.body.is_file();
        loop {
            match response.body.read_with(&mut buffer, &mut || answer.flush())? {
                0 if self.token.is_whole() => break,
                0 => return Err(self.truncated()),
                count => {
                    answer.body(&response.content_type, buffer.get(..count).unwrap_or_default());
                }
            }
        }
        self.token.detach();
        Ok(())
    }

    /// Whether there is a next event. What `answer` took so far is handed over before the
    /// server is waited for; what has come already is read first.
    pub(crate) fn next(&mut self, events: &mut Events, answer: &mut Answer<'_>) -> Result<bool> {
        let found = self.find(events, answer)?;
        if found {
            if !events.ends_with_body {
                self.check(events.event())?;
            }
            self.show(events.event(), answer)?;
        }
        Ok(found)
    }

    /// The same of an event that is not checked and not shown yet.
    #[inline]
    pub(crate) fn find(&mut self, events: &mut Events, answer: &mut Answer<'_>) -> Result<bool> {
        let found = self.advance(events, || answer.flush())?;
        self.heard |= found;
        Ok(found)
    }

    /// Whether an event of JSON may be parsed.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] where it is too deep or has too many values,
    /// [`ErrorKind::NoMemory`].
    pub(crate) fn check(&self, event: Event<'_>) -> Result<()> {
        json::check_depth(event.data, self.config.max_json_depth)?;
        json::check_size(event.data, self.config.max_event_bytes)
    }

    /// Whether the config asks for the events themselves.
    pub(crate) fn shows_events(&self) -> bool {
        self.config.raw_chunks
    }

    /// Whether an event that is like one before it is not parsed. Tests count that.
    #[inline]
    pub(crate) fn uses_moulds(&self) -> bool {
        #[cfg(any(test, fuzzing))]
        return self.config.quick.is_used();
        #[cfg(not(any(test, fuzzing)))]
        return true;
    }

    /// Gives the event itself, where the config asks for that.
    #[inline]
    pub(crate) fn show(&self, event: Event<'_>, answer: &mut Answer<'_>) -> Result<()> {
        if self.config.raw_chunks {
            answer.raw(&memory::lossy(event.data)?);
        }
        Ok(())
    }

    /// Whether there is a next event; `before_waiting` is called before each read that could
    /// block.
    #[inline]
    fn advance(
        &mut self,
        events: &mut Events,
        mut before_waiting: impl FnMut() -> Result<()>,
    ) -> Result<bool> {
        loop {
            match events.decoder.advance()? {
                Step::Event => {
                    if events.ends_with_body {
                        // Protocols of plain text copy it.
                        memory::room_for(events.event().data.len().saturating_mul(2))?;
                    }
                    return Ok(true);
                }
                Step::End if events.ends_with_body && !self.token.is_whole() => {
                    return Err(self.truncated());
                }
                Step::End => return Ok(false),
                Step::Starved => events.read(&mut before_waiting)?,
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

    /// Reads a JSON document that is no part of an answer, whole: a token, a file's id, a
    /// list. It may hold secrets: it never becomes a raw chunk.
    pub(crate) fn aside(&mut self, response: Response) -> Result<serde_json::Value> {
        let mut events = self.events(response);
        if !self.advance(&mut events, || Ok(()))? {
            return Err(self.protocol_error("answered with nothing"));
        }
        self.check(events.event())?;
        // A list may have any number of pages, all of which are kept.
        self.aside = self.aside.saturating_add(events.event().data.len());
        if self.aside > self.config.max_event_bytes {
            let most = self.config.max_event_bytes;
            let what = format!("sent pages of more than {most} bytes together (max_event_bytes)");
            return Err(self.error(ErrorKind::TooLarge, &what));
        }
        let value = serde_json::from_slice(events.event().data).map_err(|error| {
            let kind = match () {
                () if error.is_eof() => ErrorKind::Truncated,
                () if json::is_too_deep(events.event().data) => ErrorKind::TooLarge,
                () => ErrorKind::Protocol,
            };
            Error::new(kind, format!("the answer of {} is not JSON: {error}", self.host))
        })?;
        if fault::may_be_in(&value) {
            fault::room_for_error(memory::weight(&value))?;
            fault::in_event(&self.host, &value).map_or(Ok(()), Err)?;
        }
        while self.advance(&mut events, || Ok(()))? {
            self.check(events.event())?;
        }
        self.end(events);
        Ok(value)
    }

    /// The answer is at its end: its connection is freed once the caller knows.
    pub(crate) fn end(&mut self, events: Events) {
        self.token.detach();
        self.spent = Some(events.body);
    }

    /// The response stopped before its end.
    fn truncated(&self) -> Error {
        self.error(ErrorKind::Truncated, "stopped before the end of its answer")
    }

    /// The response is none of this protocol.
    pub(crate) fn protocol_error(&self, what: &str) -> Error {
        self.error(ErrorKind::Protocol, what)
    }

    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("{} {what}", self.host))
    }

    /// An error of this attempt as the program is to see it.
    pub(crate) fn told(&self, error: Error) -> Error {
        error.of_request(&self.request_id).redacted(&self.secrets).cut(self.config.max_error_bytes)
    }

    /// Reads on to the end of the answered response, within narrow limits, so that its
    /// connection can serve the next request.
    pub(crate) fn linger(mut self) {
        if let Some(body) = self.spent.take() {
            body.finish();
        }
    }
}

/// The body of an error, which is copied and parsed; without memory for that, nothing: what
/// else is known of the error still stands.
fn affordable(body: &[u8]) -> &[u8] {
    match fault::room_for_error(body.len()) {
        Ok(()) => body,
        Err(_) => &[],
    }
}
