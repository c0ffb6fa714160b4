//! [`Raw`]: an HTTP request that the program makes itself, to the provider's own host.

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Headers, HttpRequest, Method, Url};
use crate::memory;

/// Such a request, checked.
pub(crate) struct Raw {
    method: Method,
    url: String,
    content_type: String,
    body: Vec<u8>,
}

impl Raw {
    /// # Errors
    /// [`ErrorKind::Argument`] when there is no such method, it has no body and one is given, or
    /// `path` is not one below the base URL.
    pub(crate) fn new(
        config: &Config,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Raw> {
        let Some(method) = Method::named(method) else {
            return Err(argument(format!(
                "{method:?} is not a method: GET, POST, PUT, PATCH and DELETE are"
            )));
        };
        if !method.has_body() && !body.is_empty() {
            return Err(argument(format!("a request of the method {} has no body", method.name())));
        }
        let content_type = content_type.unwrap_or("application/json");
        Headers::default().set("Content-Type", content_type)?;
        check_path(path).map_err(|wrong| argument(format!("the path {wrong}")))?;
        let url = config.url(path);
        let origin = |url| Url::parse(url).map(|url| url.origin().clone());
        let own = origin(&config.base_url);
        match origin(&url) {
            Ok(origin) if own.is_ok_and(|own| own == origin) => {}
            Ok(_) => return Err(argument("the path leads to another host")),
            Err(wrong) => return Err(argument(format!("the path {wrong}"))),
        }
        Ok(Raw { method, url, content_type: content_type.to_owned(), body: memory::bytes(body)? })
    }

    /// As it is sent, with the provider's `headers`.
    pub(crate) fn request(&self, mut headers: Headers) -> Result<HttpRequest> {
        headers.put("Accept", "*/*");
        // Files come as they are.
        headers.put("Accept-Encoding", "identity");
        if self.method.has_body() {
            headers.put("Content-Type", &self.content_type);
        }
        let body = memory::bytes(&self.body)?;
        Ok(HttpRequest { method: self.method, ..HttpRequest::post(&self.url, headers, body) })
    }
}

/// # Errors
/// What is wrong with `path`. It may hold a key, and is not shown.
fn check_path(path: &str) -> std::result::Result<(), &'static str> {
    if !path.starts_with('/') || path.starts_with("//") {
        return Err("begins with one slash, and has no host: it is below base_url");
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has white space, or a character that has to be percent-encoded");
    }
    if path.contains(['\\', '#']) {
        return Err("has a \\ or a #, which has to be percent-encoded");
    }
    let place = path.split('?').next().unwrap_or_default();
    let dots = place.replace("%2e", ".").replace("%2E", ".");
    // A server may take a coded slash for one.
    let dots = dots.replace("%2f", "/").replace("%2F", "/").replace("%5c", "/").replace("%5C", "/");
    if dots.split('/').any(|part| matches!(part, "." | "..")) {
        return Err("has a part \".\" or \"..\", which could lead out of base_url");
    }
    Ok(())
}

fn argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Argument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(method: &str, path: &str, content_type: Option<&str>, body: &[u8]) -> Result<Raw> {
        let mut config = Config::new("openai")?;
        config.set("base_url", Some("https://api.example.org/v1?v=1"))?;
        Raw::new(&config, method, path, content_type, body)
    }

    #[test]
    fn paths_stay_below_the_base_url() {
        for (path, url) in [
            ("/files", "https://api.example.org/v1/files?v=1"),
            ("/files/a%2Eb/..c?limit=1", "https://api.example.org/v1/files/a%2Eb/..c?limit=1&v=1"),
            ("/m:countTokens", "https://api.example.org/v1/m:countTokens?v=1"),
            ("/a@evil.org/x", "https://api.example.org/v1/a@evil.org/x?v=1"),
            (
                "/x?url=http://evil.org/../",
                "https://api.example.org/v1/x?url=http://evil.org/../&v=1",
            ),
        ] {
            assert_eq!(raw("GET", path, None, b"").unwrap().url, url);
        }
        for path in [
            "",
            "files",
            "//evil.org/x",
            "///evil.org",
            "http://evil.org/",
            "https:/evil.org",
            "@evil.org/",
            ".evil.org/",
            ":80/",
            "?x",
            "/\\evil.org",
            "\\\\evil.org",
            "/a\\..\\b",
            "/a b",
            "/a\r\nX: y",
            "/a\n",
            "/a\0",
            "/a\t",
            "/a\u{7f}",
            "/\u{e9}",
            "/a#b",
            "/..",
            "/../admin",
            "/a/../../b",
            "/a/./b",
            "/%2e%2E/admin",
            "/a/.%2e/b",
            "/a%2f..%2Fb",
            "/a%5c..%5Cb",
            "/<>",
        ] {
            let error = raw("GET", path, None, b"").err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Argument, "{path:?}");
        }
    }

    #[test]
    fn methods_and_types_are_checked() {
        for method in ["", "get", "HEAD", "CONNECT", "GET /x", "POST\r\n", "OPTIONS"] {
            assert!(raw(method, "/x", None, b"").is_err(), "{method:?}");
        }
        for method in ["GET", "DELETE"] {
            assert!(raw(method, "/x", None, b"x").is_err());
            assert!(raw(method, "/x", None, b"").is_ok());
        }
        for method in ["POST", "PUT", "PATCH"] {
            assert!(raw(method, "/x", Some("text/plain"), b"x").is_ok());
            assert!(raw(method, "/x", Some("text/plain\r\nX: y"), b"x").is_err());
        }
    }
}
