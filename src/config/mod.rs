//! [`Config`]: how to reach a provider, in string keys and values, checked and typed once.

mod limits;
mod proxy;
mod recording;
mod roots;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::catalog::{self, Provider};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Headers, Url};
use crate::json;
use crate::media;
use crate::request::Request;
use crate::secret::Secret;

pub(crate) use limits::Limits;
pub(crate) use proxy::{Proxy, ProxyChoice, ProxyScheme};
pub(crate) use recording::RecordingChoice;
pub(crate) use roots::Roots;

/// The keys that every provider understands; each adds its own ([`Provider::keys`]).
const COMMON_KEYS: &[&str] = &[
    "base_url",
    "model",
    "headers",
    "proxy",
    "ca_file",
    "ca_pem",
    "tls_roots",
    "tls_verify",
    "tls_pins",
    "client_cert",
    "client_key",
    "connect_timeout_ms",
    "first_byte_timeout_ms",
    "idle_timeout_ms",
    "total_timeout_ms",
    "max_retries",
    "max_event_bytes",
    "max_error_bytes",
    "max_header_bytes",
    "max_json_depth",
    "max_tool_calls",
    "max_reply_bytes",
    "queue_bytes",
    "user_agent",
    "raw_chunks",
    "model_aliases",
    "estimate_usage",
    "fetch_urls",
    "fetch_private_urls",
    "record_file",
    "replay_file",
    "replay_timing",
];

/// A provider and what is to be different from its defaults.
#[derive(Clone)]
pub struct Config {
    pub(crate) provider: &'static Provider,
    pub(crate) api_key: Option<Secret>,
    /// Without a slash at the end of its path; for a URL below it see [`Config::url`].
    pub(crate) base_url: String,
    pub(crate) model: String,
    pub(crate) headers: Headers,
    pub(crate) proxy: ProxyChoice,
    pub(crate) ca_file: Option<String>,
    pub(crate) ca_pem: Option<String>,
    pub(crate) roots: Roots,
    pub(crate) tls_verify: bool,
    pub(crate) tls_pins: Vec<[u8; 32]>,
    /// PEM, or the path of a PEM file.
    pub(crate) client_cert: Option<String>,
    pub(crate) client_key: Option<Secret>,
    pub(crate) limits: Limits,
    pub(crate) max_retries: u32,
    pub(crate) max_event_bytes: usize,
    pub(crate) max_error_bytes: usize,
    pub(crate) max_header_bytes: usize,
    pub(crate) max_json_depth: usize,
    pub(crate) max_tool_calls: usize,
    pub(crate) max_reply_bytes: usize,
    pub(crate) queue_bytes: usize,
    /// `None` is the provider's or the library's own.
    pub(crate) user_agent: Option<String>,
    pub(crate) raw_chunks: bool,
    /// Names of the program's own for models.
    model_aliases: Map<String, Value>,
    pub(crate) estimate_usage: bool,
    /// For a provider that does not, this library fetches what is attached by its URL.
    pub(crate) fetch_urls: bool,
    /// It does so from addresses that are not public as well.
    pub(crate) fetch_private_urls: bool,
    pub(crate) recording: RecordingChoice,
    /// The provider's own keys, which it reads when a client is made of the config.
    options: BTreeMap<&'static str, Secret>,
}

/// Which servers a client believes, how it reaches them and what it shows them. What they
/// give to one client is fit for another one only if all of this is the same.
#[derive(Clone, PartialEq)]
pub(crate) struct Trust {
    base_url: String,
    headers: Headers,
    proxy: ProxyChoice,
    ca_file: Option<String>,
    ca_pem: Option<String>,
    roots: Roots,
    tls_verify: bool,
    tls_pins: Vec<[u8; 32]>,
    client_cert: Option<String>,
    client_key: Option<Secret>,
}

impl Config {
    /// The defaults of `provider`.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there is no such provider; the message names all.
    pub fn new(provider: &str) -> Result<Config> {
        let provider = catalog::find(provider).ok_or_else(|| {
            let names: Vec<&str> = catalog::all().iter().map(|p| p.name).collect();
            argument(format!("{provider:?} is no provider; there are {}", names.join(", ")))
        })?;
        Ok(Config {
            provider,
            api_key: None,
            base_url: provider.base_url.to_owned(),
            model: String::new(),
            headers: Headers::default(),
            proxy: ProxyChoice::Environment,
            ca_file: None,
            ca_pem: None,
            roots: Roots::Bundled,
            tls_verify: true,
            tls_pins: Vec::new(),
            client_cert: None,
            client_key: None,
            limits: Limits {
                connect: Some(Duration::from_secs(15)),
                first_byte: Some(Duration::from_secs(300)),
                idle: Some(Duration::from_secs(120)),
                total: None,
            },
            max_retries: 2,
            max_event_bytes: 64 << 20,
            max_error_bytes: 256 << 10,
            max_header_bytes: 64 << 10,
            max_json_depth: json::MAX_DEPTH,
            max_tool_calls: 1024,
            max_reply_bytes: 64 << 20,
            queue_bytes: 1 << 20,
            user_agent: None,
            raw_chunks: false,
            model_aliases: Map::new(),
            estimate_usage: false,
            fetch_urls: false,
            fetch_private_urls: false,
            recording: RecordingChoice::default(),
            options: BTreeMap::new(),
        })
    }

    /// Sets `key`; `None` takes it back to its default.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the provider has no such key, which lists those it has,
    /// or the value is wrong, which says what would be right.
    pub fn set(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        if let Some(option) = self.provider.keys.iter().copied().find(|option| *option == key) {
            return self.set_own(option, value);
        }
        if !COMMON_KEYS.contains(&key) {
            let mut keys: Vec<&str> =
                self.provider.keys.iter().chain(COMMON_KEYS).copied().collect();
            keys.sort_unstable();
            return Err(argument(format!(
                "{key:?} is no key of {}; its keys are {}",
                self.provider.name,
                keys.join(", ")
            )));
        }
        let default = Config::new(self.provider.name)?;
        let limits = &mut self.limits;
        match key {
            "base_url" => {
                self.base_url =
                    or(value, default.base_url, |v| url(key, v).map(|url| http::join(&url, "")))?;
            }
            "model" => self.model = or(value, default.model, text)?,
            "headers" => self.headers = or(value, default.headers, headers)?,
            "proxy" => self.proxy = or(value, default.proxy, |v| proxy(key, v))?,
            "ca_file" => self.ca_file = value.map(str::to_owned),
            "ca_pem" => self.ca_pem = value.map(str::to_owned),
            "tls_roots" => self.roots = or(value, default.roots, |v| roots(key, v))?,
            "tls_verify" => self.tls_verify = or(value, default.tls_verify, |v| boolean(key, v))?,
            "tls_pins" => self.tls_pins = or(value, default.tls_pins, |v| pins(key, v))?,
            "client_cert" => self.client_cert = value.map(str::to_owned),
            "client_key" => self.client_key = value.map(Secret::new),
            "connect_timeout_ms" => {
                limits.connect = or(value, default.limits.connect, |v| timeout(key, v))?;
            }
            "first_byte_timeout_ms" => {
                limits.first_byte = or(value, default.limits.first_byte, |v| timeout(key, v))?;
            }
            "idle_timeout_ms" => limits.idle = or(value, default.limits.idle, |v| timeout(key, v))?,
            "total_timeout_ms" => {
                limits.total = or(value, default.limits.total, |v| timeout(key, v))?
            }
            "max_retries" => {
                self.max_retries = or(value, default.max_retries, |v| number(key, v, 0, 100))?;
            }
            "max_event_bytes" => {
                self.max_event_bytes =
                    or(value, default.max_event_bytes, |v| number(key, v, 1024, 1 << 30))?;
            }
            "max_error_bytes" => {
                self.max_error_bytes =
                    or(value, default.max_error_bytes, |v| number(key, v, 0, 1 << 30))?;
            }
            "max_header_bytes" => {
                self.max_header_bytes =
                    or(value, default.max_header_bytes, |v| number(key, v, 1024, 1 << 20))?;
            }
            "max_json_depth" => {
                self.max_json_depth =
                    or(value, default.max_json_depth, |v| number(key, v, 1, 127))?;
            }
            "max_tool_calls" => {
                self.max_tool_calls =
                    or(value, default.max_tool_calls, |v| number(key, v, 1, 1 << 16))?;
            }
            "max_reply_bytes" => {
                self.max_reply_bytes =
                    or(value, default.max_reply_bytes, |v| number(key, v, 0, 1 << 30))?;
            }
            "queue_bytes" => {
                self.queue_bytes =
                    or(value, default.queue_bytes, |v| number(key, v, 1024, 1 << 30))?;
            }
            "user_agent" => self.user_agent = value.map(user_agent).transpose()?,
            "model_aliases" => self.model_aliases = or(value, default.model_aliases, aliases)?,
            "estimate_usage" => {
                self.estimate_usage = or(value, default.estimate_usage, |v| boolean(key, v))?;
            }
            "fetch_urls" => self.fetch_urls = or(value, default.fetch_urls, |v| boolean(key, v))?,
            "fetch_private_urls" => {
                self.fetch_private_urls =
                    or(value, default.fetch_private_urls, |v| boolean(key, v))?;
            }
            "record_file" => self.recording.record = value.map(PathBuf::from),
            "replay_file" => self.recording.replay = value.map(PathBuf::from),
            "replay_timing" => {
                self.recording.timing = or(value, default.recording.timing, |v| boolean(key, v))?;
            }
            _ => self.raw_chunks = or(value, default.raw_chunks, |v| boolean(key, v))?,
        }
        Ok(())
    }

    /// A key of the provider's own: a credential, a name or a place.
    fn set_own(&mut self, key: &'static str, value: Option<&str>) -> Result<()> {
        let Some(value) = value else {
            if key == "api_key" {
                self.api_key = None;
            }
            self.options.remove(key);
            return Ok(());
        };
        // All of them travel in header lines or request lines.
        if value.chars().any(char::is_control) {
            return Err(argument(format!(
                "the value of {key:?} has a line break or control character"
            )));
        }
        let secret = match key {
            "endpoint" | "auth_url" => Secret::new(&url(key, value)?),
            "auth_scheme" => Secret::new(one_of(key, value, &["basic", "bearer"])?),
            "api_version" => Secret::new(one_of(key, value, &["v1", "v2"])?),
            "think_tags" => Secret::new(if boolean(key, value)? { "true" } else { "" }),
            _ => Secret::new(value),
        };
        if key == "api_key" {
            self.api_key = Some(secret);
        } else {
            self.options.insert(key, secret);
        }
        Ok(())
    }

    pub(crate) fn user_agent(&self) -> &str {
        self.user_agent.as_deref().unwrap_or(concat!("tolmach/", env!("CARGO_PKG_VERSION")))
    }

    /// The model to ask: the request's, else the config's, else the provider's default.
    pub(crate) fn model_for<'m>(&'m self, request: &'m Request) -> &'m str {
        let own = Some(self.model.as_str()).filter(|model| !model.is_empty());
        let model = request.model().or(own).unwrap_or(self.provider.default_model);
        match self.model_aliases.get(model) {
            Some(Value::String(model)) => model,
            Some(Value::Array(models)) if !models.is_empty() => {
                let chosen = models.get(fastrand::usize(..models.len()));
                chosen.and_then(Value::as_str).unwrap_or(model)
            }
            _ => model,
        }
    }

    /// The URL of `path` below the base URL, whose query it keeps.
    pub(crate) fn url(&self, path: &str) -> String {
        http::join(&self.base_url, path)
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust {
            base_url: self.base_url.clone(),
            headers: self.headers.clone(),
            proxy: self.proxy.clone(),
            ca_file: self.ca_file.clone(),
            ca_pem: self.ca_pem.clone(),
            roots: self.roots,
            tls_verify: self.tls_verify,
            tls_pins: self.tls_pins.clone(),
            client_cert: self.client_cert.clone(),
            client_key: self.client_key.clone(),
        }
    }

    /// The value of one of the provider's own keys.
    pub(crate) fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(Secret::expose)
    }

    /// The key to authenticate with: the config's, else the environment's.
    ///
    /// An empty `api_key` says that the server wants none (providers.md 2.3).
    pub(crate) fn credentials(&self) -> Result<Secret> {
        if let Some(key) = &self.api_key {
            return Ok(key.clone());
        }
        // A recording answers whoever asks.
        if self.recording.replay.is_some() {
            return Ok(Secret::default());
        }
        let variable = self.provider.api_key_env;
        let value = match variable {
            "" => None,
            _ => std::env::var(variable).ok().map(Zeroizing::new),
        };
        match value.as_deref().map(|key| key.trim()).filter(|key| !key.is_empty()) {
            Some(key) if key.chars().any(char::is_control) => Err(Error::new(
                ErrorKind::Auth,
                format!(
                    "the environment variable {variable} has a line break or control character"
                ),
            )),
            Some(key) => Ok(Secret::new(key)),
            None => Err(Error::new(
                ErrorKind::Auth,
                format!(
                    "{} needs a key: set \"api_key\" or the environment variable {variable} \
                     (an empty \"api_key\" is for a server that wants none)",
                    self.provider.label
                ),
            )),
        }
    }

    /// Everything that must not be seen in an error, a log line or a recording.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let own = self
            .options
            .iter()
            .filter(|(key, _)| matches!(**key, "cookie" | "password" | "access_token"));
        let mut secrets: Vec<Secret> =
            self.api_key.iter().chain(own.map(|(_, secret)| secret)).cloned().collect();
        for (_, value) in self.headers.iter().filter(|(name, _)| is_of_credentials(name)) {
            // Providers quote a key without its scheme, which is a short word.
            let words = value.split_whitespace().filter(|word| word.len() >= 8);
            secrets.extend(std::iter::once(value).chain(words).map(Secret::new));
        }
        let headers = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        for cookies in headers.map(|(_, value)| value).chain(self.option("cookie")) {
            let values = cookies.split(';').filter_map(|cookie| cookie.split_once('='));
            let values = values.map(|(_, value)| value.trim()).filter(|value| value.len() >= 8);
            secrets.extend(values.map(Secret::new));
        }
        let urls = [Some(&*self.base_url), self.option("endpoint"), self.option("auth_url")];
        for url in urls.into_iter().flatten() {
            let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            if let Some((user, _)) = authority.rsplit_once('@') {
                let decoded =
                    |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                secrets.extend(Secret::of_user(&decoded(user), &decoded(password)));
            }
            let query = url.split_once('?').map_or("", |(_, query)| query);
            let fields = query.split('&').filter_map(|field| field.split_once('='));
            let secret = fields.filter(|(name, _)| is_of_credentials(name));
            secrets.extend(secret.map(|(_, value)| Secret::new(value)));
        }
        secrets.iter().flat_map(Secret::forms).collect()
    }
}

/// Whether a header or field of that name carries credentials: Authorization, Cookie, key, ...
fn is_of_credentials(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "cookie", "credential", "jwt", "key", "pass", "secret", "session", "sig", "token"]
        .iter()
        .any(|word| name.contains(word))
}

/// What `read` makes of a given value; the default where none is given.
fn or<T>(value: Option<&str>, default: T, read: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    value.map_or(Ok(default), read)
}

fn text(value: &str) -> Result<String> {
    Ok(value.to_owned())
}

fn url(key: &str, value: &str) -> Result<String> {
    let wrong = match Url::parse(value) {
        Ok(url) if url.has_fragment() => "has a fragment (#), which no server gets",
        Ok(_) => return Ok(value.to_owned()),
        Err(wrong) => wrong,
    };
    // A URL may hold a password or a key, and is not shown.
    Err(argument(format!("{key:?} {wrong}; it is a URL such as https://api.example.org/v1")))
}

fn headers(value: &str) -> Result<Headers> {
    let Ok(Value::Object(fields)) = serde_json::from_str(value) else {
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

fn aliases(value: &str) -> Result<Map<String, Value>> {
    let is_name = |target: &Value| match target {
        Value::Array(names) => !names.is_empty() && names.iter().all(Value::is_string),
        target => target.is_string(),
    };
    match serde_json::from_str(value) {
        Ok(Value::Object(aliases)) if aliases.values().all(is_name) => Ok(aliases),
        _ => Err(argument(
            "\"model_aliases\" is a JSON object of names to names, or to lists of them to choose from",
        )),
    }
}

fn proxy(key: &str, value: &str) -> Result<ProxyChoice> {
    match value {
        "direct" => Ok(ProxyChoice::Direct),
        "" | "environment" => Ok(ProxyChoice::Environment),
        url => ProxyChoice::of(key, url),
    }
}

fn pins(key: &str, value: &str) -> Result<Vec<[u8; 32]>> {
    let pin = |text: &str| {
        let hash = media::decode_base64(text)
            .ok()
            .flatten()
            .and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        hash.ok_or_else(|| wrong(key, text, "SHA-256 hashes of public keys, in base64"))
    };
    value.split(',').map(str::trim).filter(|text| !text.is_empty()).map(pin).collect()
}

fn roots(key: &str, value: &str) -> Result<Roots> {
    match value {
        "bundled" => Ok(Roots::Bundled),
        "platform" => Ok(Roots::Platform),
        "only_ca" => Ok(Roots::OnlyCa),
        _ => Err(wrong(key, value, "bundled, platform or only_ca")),
    }
}

fn user_agent(value: &str) -> Result<String> {
    Headers::default().set("User-Agent", value)?;
    Ok(value.to_owned())
}

fn one_of<'v>(key: &str, value: &'v str, right: &[&str]) -> Result<&'v str> {
    if right.contains(&value) { Ok(value) } else { Err(wrong(key, value, &right.join(" or "))) }
}

fn boolean(key: &str, value: &str) -> Result<bool> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(wrong(key, value, "true or false")),
    }
}

fn timeout(key: &str, value: &str) -> Result<Option<Duration>> {
    match value.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(ms @ 1..) => Ok(Some(Duration::from_millis(ms.unsigned_abs()))),
        _ => Err(wrong(key, value, "milliseconds above 0, or -1 for no limit")),
    }
}

fn number<N: TryFrom<u64>>(key: &str, value: &str, least: u64, most: u64) -> Result<N> {
    value
        .parse::<u64>()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| wrong(key, value, &format!("a whole number from {least} to {most}")))
}

fn wrong(key: &str, value: &str, right: &str) -> Error {
    argument(format!("{value:?} is wrong for {key:?}, which is {right}"))
}

fn argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Argument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_listed_can_be_set_and_taken_back() {
        for provider in catalog::all() {
            let mut config = Config::new(provider.name).unwrap();
            for key in COMMON_KEYS.iter().chain(provider.keys) {
                let value = match *key {
                    "base_url" | "endpoint" | "auth_url" => "http://127.0.0.1/",
                    "think_tags" => "true",
                    "auth_scheme" => "bearer",
                    "api_version" => "v2",
                    "headers" => "{\"X-A\":\"b\"}",
                    "tls_roots" => "platform",
                    "tls_pins" => "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                    "max_json_depth" => "100",
                    "tls_verify" | "raw_chunks" | "replay_timing" | "estimate_usage"
                    | "fetch_urls" | "fetch_private_urls" => "false",
                    "model_aliases" => "{\"a\":\"b\",\"c\":[\"d\"]}",
                    key if key.ends_with("_ms") || key.starts_with("max_") => "2000",
                    "queue_bytes" => "4096",
                    _ => "text",
                };
                if *key != "max_retries" {
                    config.set(key, Some(value)).unwrap_or_else(|e| panic!("{key}: {e}"));
                }
                config.set(key, None).unwrap();
            }
            assert_eq!(config.base_url, provider.base_url);
            assert!(config.option("scope").is_none());
        }
    }

    #[test]
    fn wrong_keys_and_values_are_told_what_is_right() {
        let mut config = Config::new("openai").unwrap();
        let message = |result: Result<()>| result.unwrap_err().message().to_owned();
        assert!(message(config.set("apikey", Some("k"))).contains("api_key, base_url"));
        assert!(message(config.set("idle_timeout_ms", Some("soon"))).contains("-1 for no limit"));
        assert!(message(config.set("base_url", Some("api.openai.com"))).contains("https://"));
        assert!(message(config.set("headers", Some("[]"))).contains("JSON object"));
        for proxy in ["http://proxy:99999", "socks5h://proxy:", "http://a b", "gopher://proxy"] {
            assert!(message(config.set("proxy", Some(proxy))).contains("socks5h://"), "{proxy}");
        }
        assert_eq!(config.proxy, ProxyChoice::Environment);
        assert!(Config::new("openia").err().unwrap().message().contains("openai"));
    }

    #[test]
    fn line_breaks_in_credentials_are_refused_without_showing_them() {
        let mut config = Config::new("openai").unwrap();
        let error = config.set("api_key", Some("sk-secret\n")).unwrap_err();
        assert!(!error.message().contains("sk-secret"));
        let error = config.set("headers", Some("{\"X-A\":\"sk-secret\\r\\nX-B: c\"}")).unwrap_err();
        assert!(error.message().contains("X-A") && !error.message().contains("sk-secret"));
    }
}
