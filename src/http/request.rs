//! [`HttpRequest`]: what is to be sent.

use serde::Serialize;

use super::headers::Headers;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// The method of that name, which has upper-case letters.
    pub(crate) fn named(name: &str) -> Option<Method> {
        let all = [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];
        all.into_iter().find(|method| method.name() == name)
    }

    /// Whether requests of it carry a body.
    pub(crate) fn has_body(self) -> bool {
        !matches!(self, Method::Get | Method::Delete)
    }

    /// Whether a request that was done twice has done no more than once.
    pub(crate) fn is_idempotent(self) -> bool {
        matches!(self, Method::Get | Method::Put | Method::Delete)
    }
}

pub(crate) struct HttpRequest {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    /// It asks for a credential: the answer is one.
    pub(crate) is_credential: bool,
    /// Its URL is not the config's: somebody else names it. It goes over connections of its
    /// own, on which this client shows no certificate, to public addresses alone.
    pub(crate) is_foreign: bool,
    /// It is for a file in addition to an answer: what a session tells is not of it.
    pub(crate) is_file: bool,
    /// The server that named its URL, where one did.
    pub(crate) named_by: Option<String>,
    /// It may be sent again where it may have reached the server.
    pub(crate) resend: bool,
}

impl HttpRequest {
    pub(crate) fn get(url: &str, headers: Headers) -> HttpRequest {
        HttpRequest { method: Method::Get, ..HttpRequest::post(url, headers, Vec::new()) }
    }

    /// The type of `body` is among the headers.
    pub(crate) fn post(url: &str, headers: Headers, body: Vec<u8>) -> HttpRequest {
        let url = url.to_owned();
        HttpRequest {
            method: Method::Post,
            url,
            headers,
            body,
            is_credential: false,
            is_foreign: false,
            is_file: false,
            named_by: None,
            resend: true,
        }
    }

    pub(crate) fn post_json(
        url: &str,
        headers: Headers,
        body: &impl Serialize,
    ) -> Result<HttpRequest> {
        Ok(HttpRequest::post(url, headers, memory::json(body)?.into_bytes()))
    }

    /// The `error` of this request: a wrong URL is the mistake of the server that named it.
    pub(crate) fn told(&self, error: Error) -> Error {
        match &self.named_by {
            Some(server) if error.kind() == ErrorKind::Argument => Error::new(
                ErrorKind::Protocol,
                format!("{server} answered with a URL that cannot be fetched: {error}"),
            ),
            _ => error,
        }
    }
}
