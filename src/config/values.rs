//! Parsers of values. Each says what would be right where a value is wrong.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{self as json, Map};

use super::proxy::ProxyChoice;
use super::roots::Roots;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Headers, Url};
use crate::media;
use crate::secret::Secret;

/// The text that a key is set to.
#[derive(Clone, Copy)]
pub(super) struct Value<'v> {
    pub(super) key: &'static str,
    pub(super) text: &'v str,
}

impl Value<'_> {
    pub(super) fn text(self) -> Result<String> {
        Ok(self.text.to_owned())
    }

    pub(super) fn some_text(self) -> Result<Option<String>> {
        self.text().map(Some)
    }

    pub(super) fn some_secret(self) -> Result<Option<Secret>> {
        Ok(Some(Secret::new(self.text)))
    }

    pub(super) fn some_path(self) -> Result<Option<PathBuf>> {
        Ok(Some(PathBuf::from(self.text)))
    }

    /// What travels in a header line or a request line is one line.
    pub(super) fn check_line(self) -> Result<()> {
        if self.text.chars().any(char::is_control) {
            return Err(argument(format!(
                "the value of {:?} has a line break or control character",
                self.key
            )));
        }
        Ok(())
    }

    pub(super) fn url(self) -> Result<String> {
        let wrong = match Url::parse(self.text) {
            Ok(url) if url.has_fragment() => "has a fragment (#), which no server gets",
            Ok(_) => return self.text(),
            Err(wrong) => wrong,
        };
        let key = self.key;
        // A URL may hold a password or a key, and is not shown.
        Err(argument(format!("{key:?} {wrong}; it is a URL such as https://api.example.org/v1")))
    }

    /// A URL that others are made of.
    pub(super) fn base_url(self) -> Result<String> {
        self.url().map(|url| http::join(&url, ""))
    }

    pub(super) fn headers(self) -> Result<Headers> {
        let Ok(json::Value::Object(fields)) = json::from_slice(self.text.as_bytes()) else {
            return Err(argument(
                "\"headers\" is a JSON object of strings, such as {\"X-Name\":\"value\"}",
            ));
        };
        let mut headers = Headers::default();
        for (name, value) in &fields {
            let Some(value) = value.as_str() else {
                return Err(argument(format!("the header {name:?} in \"headers\" is a string")));
            };
            headers.set(name, value)?;
        }
        Ok(headers)
    }

    pub(super) fn aliases(self) -> Result<Map<String, json::Value>> {
        let is_name = |target: &json::Value| match target {
            json::Value::Array(names) => {
                !names.is_empty() && names.iter().all(json::Value::is_string)
            }
            target => target.is_string(),
        };
        match json::from_slice(self.text.as_bytes()) {
            Ok(json::Value::Object(aliases)) if aliases.values().all(is_name) => Ok(aliases),
            _ => Err(argument(
                "\"model_aliases\" is a JSON object of names to names, or to lists of them to choose from",
            )),
        }
    }

    pub(super) fn proxy(self) -> Result<ProxyChoice> {
        match self.text {
            "direct" => Ok(ProxyChoice::Direct),
            "" | "environment" => Ok(ProxyChoice::Environment),
            url => ProxyChoice::of(self.key, url),
        }
    }

    pub(super) fn pins(self) -> Result<Vec<[u8; 32]>> {
        let pin = |text: &str| {
            let hash = media::decode_base64(text)
                .ok()
                .flatten()
                .and_then(|hash| <[u8; 32]>::try_from(hash).ok());
            let given = Value { text, ..self };
            hash.ok_or_else(|| given.wrong("SHA-256 hashes of public keys, in base64"))
        };
        self.text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(pin).collect()
    }

    pub(super) fn roots(self) -> Result<Roots> {
        match self.text {
            "bundled" => Ok(Roots::Bundled),
            "platform" => Ok(Roots::Platform),
            "only_ca" => Ok(Roots::OnlyCa),
            _ => Err(self.wrong("bundled, platform or only_ca")),
        }
    }

    pub(super) fn user_agent(self) -> Result<Option<String>> {
        Headers::default().set("User-Agent", self.text)?;
        self.some_text()
    }

    pub(super) fn one_of(self, right: &[&str]) -> Result<String> {
        if right.contains(&self.text) { self.text() } else { Err(self.wrong(&right.join(" or "))) }
    }

    pub(super) fn boolean(self) -> Result<bool> {
        match self.text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(self.wrong("true or false")),
        }
    }

    /// A boolean as text: "true", or nothing.
    pub(super) fn flag(self) -> Result<String> {
        Ok(if self.boolean()? { "true" } else { "" }.to_owned())
    }

    pub(super) fn timeout(self) -> Result<Option<Duration>> {
        match self.text.parse::<i64>() {
            Ok(-1) => Ok(None),
            Ok(ms @ 1..) => Ok(Some(Duration::from_millis(ms.unsigned_abs()))),
            _ => Err(self.wrong("milliseconds above 0, or -1 for no limit")),
        }
    }

    pub(super) fn number<N: TryFrom<u64>>(self, least: u64, most: u64) -> Result<N> {
        self.text
            .parse::<u64>()
            .ok()
            .filter(|number| (least..=most).contains(number))
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| self.wrong(&format!("a whole number from {least} to {most}")))
    }

    fn wrong(self, right: &str) -> Error {
        argument(format!("{:?} is wrong for {:?}, which is {right}", self.text, self.key))
    }
}

pub(super) fn argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Argument, message)
}
