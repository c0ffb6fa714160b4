//! [`Config`]: how to reach a provider, in string keys and values, checked and typed once.
//!
//! [`keys`] says which keys there are.

mod described;
mod keys;
mod limits;
mod options;
mod proxy;
mod recording;
mod roots;
mod secrets;
mod settings;
mod trust;
mod values;

use std::collections::BTreeMap;
use std::ops::Deref;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::catalog::{self, Provider};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Headers};
use crate::request::Request;
use crate::secret::Secret;
use values::argument;

pub use described::{KeyInfo, KeyKind};
pub(crate) use limits::Limits;
pub(crate) use proxy::{Proxy, ProxyChoice, ProxyScheme};
pub(crate) use recording::RecordingChoice;
pub(crate) use roots::Roots;
pub(crate) use settings::Settings;
pub(crate) use trust::Trust;

/// A provider and what is to be different from its defaults.
#[derive(Clone)]
pub struct Config {
    pub(crate) provider: &'static Provider,
    /// Read as if they were fields of the config.
    settings: Settings,
    /// What the provider's own keys are set to, which it reads when a client is made.
    options: BTreeMap<&'static str, Secret>,
    /// For tests.
    #[cfg(any(test, fuzzing))]
    #[doc(hidden)]
    pub quick: crate::json::Quick,
}

#[doc(hidden)]
impl Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
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
        let mut settings = Settings::default();
        for key in keys::COMMON {
            key.set(&mut settings, provider, None)?;
        }
        Ok(Config {
            provider,
            settings,
            options: BTreeMap::new(),
            #[cfg(any(test, fuzzing))]
            quick: crate::json::Quick::default(),
        })
    }

    /// Sets `key`; `None` takes it back to its default.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the provider has no such key, which lists those it has,
    /// or the value is wrong, which says what would be right.
    pub fn set(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        if let Some(key) = keys::own_key(self.provider, key) {
            match value {
                Some(value) => self.options.insert(key.name, key.read(self.provider, value)?),
                None => self.options.remove(key.name),
            };
            return Ok(());
        }
        if let Some(key) = keys::common_key(key) {
            return key.set(&mut self.settings, self.provider, value);
        }
        let common = keys::COMMON.iter().map(|key| key.name);
        let mut keys: Vec<&str> = self.provider.keys.iter().copied().chain(common).collect();
        keys.sort_unstable();
        Err(argument(format!(
            "{key:?} is no key of {}; its keys are {}",
            self.provider.name,
            keys.join(", ")
        )))
    }

    /// A config of JSON: an object with a "provider" and any of its keys. Their values are
    /// strings as [`Config::set`] takes them, or numbers, booleans and objects; null is the
    /// default.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when it is not JSON, names no provider, or has a wrong key or
    /// value.
    pub fn from_json(json: &str) -> Result<Config> {
        const OBJECT: &str = "a config is a JSON object, such as {\"provider\":\"openai\"}";
        crate::json::room_to_parse(json.as_bytes())?;
        let fields = match serde_json::from_slice(json.as_bytes()) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(argument(OBJECT)),
            Err(error) => return Err(argument(format!("{OBJECT}; this is not JSON: {error}"))),
        };
        let Some(provider) = fields.get("provider").and_then(Value::as_str) else {
            return Err(argument("a config names its \"provider\", which is a string"));
        };
        let mut config = Config::new(provider)?;
        for (key, value) in fields.iter().filter(|(key, _)| *key != "provider") {
            let written = match value {
                Value::String(text) => Some(text.clone()),
                Value::Null => None,
                Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
                Value::Object(_) if keys::is_json(key) => Some(value.to_string()),
                Value::Object(_) | Value::Array(_) => {
                    let what = "a string, a number or a boolean, as a program would set it";
                    return Err(argument(format!("{key:?} in the JSON of a config is {what}")));
                }
            };
            let written = written.map(Zeroizing::new);
            config.set(key, written.as_ref().map(|text| text.as_str()))?;
        }
        Ok(config)
    }

    /// Sets one header that is sent with every request; `None` removes it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for an invalid name or value, or a header that the library
    /// alone sets.
    pub fn header(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        match value {
            Some(value) => self.settings.headers.set(name, value)?,
            None => {
                Headers::default().set(name, "")?;
                self.settings.headers.remove(name);
            }
        }
        Ok(())
    }

    /// The keys that it has, the provider's own first.
    pub fn keys(&self) -> Vec<KeyInfo> {
        described::all(self.provider)
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

    /// The value of one of the provider's own keys.
    pub(crate) fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(Secret::expose)
    }

    /// The key to authenticate with: the config's, else the environment's.
    ///
    /// An empty `api_key` says that the server wants none.
    pub(crate) fn credentials(&self) -> Result<Secret> {
        if let Some(key) = self.options.get("api_key") {
            return Ok(key.clone());
        }
        // A recording answers whoever asks.
        if self.recording.replay.is_some() {
            return Ok(Secret::default());
        }
        let names = [self.provider.api_key_env, self.provider.dialect.other_api_key_env()];
        let names = names.into_iter().filter(|name| !name.is_empty());
        let found = names.clone().find_map(|name| {
            let value = Zeroizing::new(std::env::var(name).ok()?);
            let key = value.trim();
            (!key.is_empty()).then(|| (name, Secret::new(key)))
        });
        match found {
            Some((name, key)) if key.expose().chars().any(char::is_control) => Err(Error::new(
                ErrorKind::Auth,
                format!("the environment variable {name} has a line break or control character"),
            )),
            Some((_, key)) => Ok(key),
            None => Err(Error::new(
                ErrorKind::Auth,
                format!(
                    "{} needs a key: set \"api_key\" or the environment variable {} \
                     (an empty \"api_key\" is for a server that wants none)",
                    self.provider.label,
                    names.collect::<Vec<_>>().join(" or ")
                ),
            )),
        }
    }

    /// Everything that must not be seen in an error, a log line or a recording.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let common = keys::COMMON.iter().flat_map(|key| (key.secrets)(&self.settings));
        let own = keys::OWN.iter().filter_map(|key| Some((key, self.option(key.name)?)));
        let own = own.flat_map(|(key, value)| (key.secrets)(value));
        common.chain(own).flat_map(|secret| secret.forms()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::keys::Initial;
    use super::*;

    #[test]
    fn every_key_listed_can_be_set_and_taken_back() {
        for provider in catalog::all() {
            let mut config = Config::new(provider.name).unwrap();
            let names: Vec<&str> = keys::COMMON.iter().map(|key| key.name).collect();
            for key in names.iter().chain(provider.keys) {
                let value = match *key {
                    "base_url" | "endpoint" | "auth_url" => "http://127.0.0.1/",
                    "think_tags" | "background" => "true",
                    "auth_scheme" => "bearer",
                    "api_version" => "v2",
                    "api" => "chat",
                    "headers" => "{\"X-A\":\"b\"}",
                    "tls_roots" => "platform",
                    "tls_pins" => "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                    "max_json_depth" => "100",
                    "tls_verify" | "raw_chunks" | "retry_chunks" | "replay_timing"
                    | "estimate_usage" | "heal" | "fetch_urls" | "fetch_private_urls" => "false",
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
    fn default_of_every_key_is_a_value_of_it() {
        for provider in catalog::all() {
            let fresh = Config::new(provider.name).unwrap();
            for key in keys::COMMON {
                let mut config = fresh.clone();
                match key.default {
                    Initial::Text(text) => config.set(key.name, Some(text)).unwrap(),
                    Initial::OfProvider(text) => {
                        config.set(key.name, Some(text(provider))).unwrap();
                    }
                    Initial::Empty => config.set(key.name, None).unwrap(),
                }
                assert!(config.settings == fresh.settings, "{}", key.name);
            }
        }
    }

    #[test]
    fn every_key_changes_what_it_names_and_nothing_else() {
        let samples = [
            ("base_url", "http://127.0.0.1/"),
            ("headers", "{\"X-A\":\"b\"}"),
            ("proxy", "direct"),
            ("tls_roots", "platform"),
            ("tls_verify", "false"),
            ("heal", "false"),
            ("tls_pins", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
            ("max_retries", "7"),
            ("max_json_depth", "100"),
            ("model_aliases", "{\"a\":\"b\"}"),
        ];
        let fresh = Config::new("openai").unwrap();
        let mut changed: Vec<Settings> = Vec::new();
        for key in keys::COMMON {
            let sample = samples.iter().find(|(name, _)| *name == key.name);
            let sample = sample.map_or_else(
                || match key.default {
                    Initial::Text("false") => "true",
                    Initial::Text(_) => "4000",
                    _ => "text",
                },
                |(_, sample)| sample,
            );
            let mut config = fresh.clone();
            config.set(key.name, Some(sample)).unwrap_or_else(|e| panic!("{}: {e}", key.name));
            assert!(!changed.contains(&config.settings), "{}", key.name);
            assert!(config.settings != fresh.settings && config.options.is_empty(), "{}", key.name);
            changed.push(config.settings.clone());
            config.set(key.name, None).unwrap();
            assert!(config.settings == fresh.settings, "{}", key.name);
        }
    }

    #[test]
    fn every_key_has_one_row_and_every_listed_one_has_it() {
        let mut names: Vec<&str> = keys::COMMON.iter().map(|key| key.name).collect();
        names.extend(keys::OWN.iter().map(|key| key.name));
        for (at, name) in names.iter().enumerate() {
            assert!(!names[at + 1..].contains(name), "{name} has two rows");
        }
        for provider in catalog::all() {
            for name in provider.keys {
                assert!(keys::own_key(provider, name).is_some(), "{}: {name}", provider.name);
            }
        }
        for key in keys::OWN {
            let is_listed = catalog::all().iter().any(|it| it.keys.contains(&key.name));
            assert!(is_listed, "nobody has {}", key.name);
        }
    }

    #[test]
    fn every_key_is_documented() {
        let text = include_str!("../ffi/config.rs");
        let lines = text.lines().filter_map(|line| line.strip_prefix("/// - "));
        let named =
            lines.filter_map(|line| line.split_once(':')).flat_map(|(keys, _)| keys.split(", "));
        let documented: Vec<&str> = named.collect();
        for name in keys::COMMON.iter().map(|k| k.name).chain(keys::OWN.iter().map(|k| k.name)) {
            assert!(documented.contains(&name), "{name}");
        }
    }

    #[test]
    fn wrong_values_of_every_key_are_refused_by_its_name() {
        // Any text, or the name of any file, is a value of these.
        let free = [
            "model",
            "ca_file",
            "ca_pem",
            "client_cert",
            "client_key",
            "record_file",
            "replay_file",
        ];
        for provider in catalog::all() {
            let mut config = Config::new(provider.name).unwrap();
            let common = keys::COMMON.iter().map(|key| key.name);
            for name in common.chain(provider.keys.iter().copied()) {
                let outcome = config.set(name, Some("\u{1}"));
                if free.contains(&name) {
                    outcome.unwrap();
                    config.set(name, None).unwrap();
                    continue;
                }
                let error = outcome.unwrap_err();
                let message = error.message().to_lowercase().replace('-', "_");
                assert!(error.kind() == ErrorKind::Argument && message.contains(name), "{error}");
            }
            assert!(config.settings == Config::new(provider.name).unwrap().settings);
            assert!(config.options.is_empty());
        }
    }

    #[test]
    fn secrets_are_those_of_the_rows() {
        let secrets = |provider: &str, values: &[(&str, &str)]| {
            let mut config = Config::new(provider).unwrap();
            values.iter().for_each(|(key, value)| config.set(key, Some(value)).unwrap());
            let secrets = config.secrets();
            secrets.iter().map(|secret| secret.expose().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            secrets(
                "openai",
                &[
                    ("api_key", "sk-1"),
                    ("base_url", "https://a/v1?key=of-base&x=1"),
                    ("endpoint", "https://a/chat?sig=of-endpoint"),
                    ("headers", "{\"X-Auth\":\"Word long-enough\",\"X-Plain\":\"seen\"}"),
                    ("organization", "seen"),
                    ("model", "seen"),
                ],
            ),
            ["of-base", "Word long-enough", "long-enough", "sk-1", "of-endpoint"]
        );
        assert_eq!(
            secrets(
                "gigachat",
                &[
                    ("user", "seen"),
                    ("password", "unseen"),
                    ("access_token", "token"),
                    ("auth_url", "https://a/?token=of-url"),
                ],
            ),
            ["of-url", "token", "unseen"]
        );
        assert_eq!(
            secrets("aichats", &[("cookie", "a=long-enough; b=short")]),
            ["a=long-enough; b=short", "long-enough"]
        );
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
