//! [`Error`]: a class for code, a message for people, and the details.

use std::fmt;
use std::time::Duration;

use crate::secret::{Secret, redact};

/// What every fallible operation of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// The class of an error: what a program decides by.
///
/// The discriminants are the ABI's `TOLMACH_E_*` codes; they are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorKind {
    /// NULL, bad UTF-8, bad JSON, an unknown key or provider.
    Argument = -1,
    /// Another thread is polling this session.
    Busy = -2,
    /// The call was cancelled.
    Cancelled = -3,
    /// A deadline passed: connect, first byte, idle or total; the message says which.
    Timeout = -4,
    /// A host name could not be resolved.
    Dns = -5,
    /// Refused, reset, unreachable, or the proxy would not.
    Connect = -6,
    /// The TLS handshake or a certificate failed.
    Tls = -7,
    /// Missing or rejected credentials.
    Auth = -8,
    /// Payment required or quota spent.
    Quota = -9,
    /// Too many requests.
    RateLimited = -10,
    /// The provider says the request is wrong.
    BadRequest = -11,
    /// No such model or endpoint.
    NotFound = -12,
    /// The prompt does not fit the model's context.
    ContextLength = -13,
    /// Content policy, or a bot-protection page.
    Blocked = -14,
    /// The provider failed or is overloaded.
    Server = -15,
    /// An error body that fits no class above.
    Provider = -16,
    /// Not the protocol expected: HTML, bad JSON, wrong content type.
    Protocol = -17,
    /// The answer stopped before its end.
    Truncated = -18,
    /// A configured limit was exceeded.
    TooLarge = -19,
    /// The provider, or this build, cannot do that.
    Unsupported = -20,
    /// A bug in this library.
    Internal = -21,
    /// The system has no more memory, threads or file descriptors.
    NoMemory = -22,
}

impl ErrorKind {
    /// The class of that code.
    pub(crate) fn of_code(code: i64) -> Option<ErrorKind> {
        use ErrorKind as Kind;
        let all = [
            Kind::Argument,
            Kind::Busy,
            Kind::Cancelled,
            Kind::Timeout,
            Kind::Dns,
            Kind::Connect,
            Kind::Tls,
            Kind::Auth,
            Kind::Quota,
            Kind::RateLimited,
            Kind::BadRequest,
            Kind::NotFound,
            Kind::ContextLength,
            Kind::Blocked,
            Kind::Server,
            Kind::Provider,
            Kind::Protocol,
            Kind::Truncated,
            Kind::TooLarge,
            Kind::Unsupported,
            Kind::Internal,
            Kind::NoMemory,
        ];
        all.into_iter().find(|kind| *kind as i64 == code)
    }
}

/// What went wrong. Its text never shows a credential or a prompt.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    details: Option<Box<Details>>,
}

/// What a provider said about an error, beyond its class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// HTTP status; 0 when there was none.
    pub(crate) http_status: u16,
    /// How long the provider asks us to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The provider's own code or type, such as `model_not_found`.
    pub(crate) provider_code: String,
    /// The provider's id of the request, for its support.
    pub(crate) request_id: String,
    /// The answer's body, capped and redacted.
    pub(crate) body: String,
    /// The provider's `x-should-retry`.
    pub(crate) should_retry: Option<bool>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: one_line(message.into()), details: None }
    }

    pub(crate) fn with_details(mut self, details: Details) -> Error {
        self.details = Some(Box::new(details));
        self
    }

    /// This error, of a kind that can heal but will not.
    pub(crate) fn not_to_be_retried(self) -> Error {
        self.with_details(Details { should_retry: Some(false), ..Details::default() })
    }

    /// This error, of a kind that does not heal but may here.
    pub(crate) fn worth_a_retry(mut self) -> Error {
        self.details.get_or_insert_default().should_retry = Some(true);
        self
    }

    /// This error, and what can be done about it.
    pub(crate) fn advised(mut self, advice: &str) -> Error {
        self.message = format!("{}; {advice}", self.message);
        self
    }

    /// This error of the request with that id.
    pub(crate) fn of_request(mut self, id: &str) -> Error {
        if !id.is_empty() {
            id.clone_into(&mut self.details.get_or_insert_default().request_id);
        }
        self
    }

    /// This error without any of `secrets`: providers quote keys. The provider's code stays
    /// as it is: programs decide by it.
    pub(crate) fn redacted(mut self, secrets: &[Secret]) -> Error {
        redact(&mut self.message, secrets);
        if let Some(details) = &mut self.details {
            redact(&mut details.body, secrets);
            redact(&mut details.request_id, secrets);
        }
        self
    }

    /// This error with no more than `most` bytes of the provider's words, and with its code
    /// and id as the words that they are: short, and on one line.
    pub(crate) fn cut(mut self, most: usize) -> Error {
        cut(&mut self.message, most.max(LONGEST_OWN_MESSAGE));
        if let Some(details) = &mut self.details {
            cut(&mut details.body, most);
            for word in [&mut details.provider_code, &mut details.request_id] {
                cut(word, LONGEST_WORD);
                *word = one_line(std::mem::take(word));
            }
        }
        self
    }

    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// One line for people: what was wrong and what would be right.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status of the answer, if there was one.
    pub fn http_status(&self) -> Option<u16> {
        self.details.as_ref().map(|d| d.http_status).filter(|status| *status != 0)
    }

    /// How long the provider asks to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.details.as_ref().and_then(|d| d.retry_after)
    }

    /// The provider's own code or type for this error, or "".
    pub fn provider_code(&self) -> &str {
        self.details.as_ref().map_or("", |d| &d.provider_code)
    }

    /// The provider's id of the failed request, or "".
    pub fn request_id(&self) -> &str {
        self.details.as_ref().map_or("", |d| &d.request_id)
    }

    /// The body of the error answer, capped and redacted, or "".
    pub fn body(&self) -> &str {
        self.details.as_ref().map_or("", |d| &d.body)
    }

    pub(crate) fn details(&self) -> Option<&Details> {
        self.details.as_deref()
    }
}

/// No message of this library's own words is longer.
const LONGEST_OWN_MESSAGE: usize = 4096;

/// A provider's code for an error, or its id of a request, is cut to so many bytes.
const LONGEST_WORD: usize = 256;

/// `text` without line breaks, escapes and the like: a printed message is one line,
/// and no terminal obeys a server.
fn one_line(text: String) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(breaks) {
        return text;
    }
    let parts = text.split(breaks).map(str::trim).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

/// The start of `text`, up to `most` bytes, in whole characters.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        // An error may be kept for long.
        text.shrink_to_fit();
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_one_line_without_control_characters() {
        let message = |text: &str| Error::new(ErrorKind::Provider, text).message().to_owned();
        assert_eq!(message("as it is: é 世界 👩‍👩‍👧"), "as it is: é 世界 👩‍👩‍👧");
        assert_eq!(message("a\r\n  b\n\nc\n"), "a b c");
        assert_eq!(
            message("\u{1b}[31mred\u{9b}0m\u{7f}\0\u{85}x\u{2028}y\u{2029}"),
            "[31mred 0m x y"
        );
    }

    #[test]
    fn cut_text_ends_with_a_whole_character() {
        let error = Error::new(ErrorKind::Provider, "é".repeat(LONGEST_OWN_MESSAGE));
        let details = Details { body: "aé".to_owned(), ..Details::default() };
        let error = error.with_details(details).cut(2);
        assert_eq!((error.body(), error.message().len()), ("a", LONGEST_OWN_MESSAGE));
    }

    #[test]
    fn codes_and_ids_of_a_provider_are_short_and_one_line() {
        let of = |code: &str, id: &str| {
            let (provider_code, request_id) = (code.to_owned(), id.to_owned());
            let details = Details { provider_code, request_id, ..Details::default() };
            let error = Error::new(ErrorKind::Provider, "no").with_details(details).cut(9999);
            (error.provider_code().to_owned(), error.request_id().to_owned())
        };
        let as_it_is = ("rate_limit".to_owned(), "req-1".to_owned());
        assert_eq!(of("rate_limit", "req-1"), as_it_is);
        let one_line = ("a b".to_owned(), "[2Jid".to_owned());
        assert_eq!(of("a\r\n b\0", "\u{1b}[2Jid"), one_line);
        let long = format!("a{}", "é".repeat(1 << 20));
        let (code, id) = of(&long, &long);
        assert_eq!((code.len(), id.len()), (255, 255));
        assert!(long.starts_with(&code) && long.starts_with(&id));
    }
}
