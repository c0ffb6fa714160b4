//! The keys of a config: a row each, with its name, its default, its parser and what of it is
//! secret. Whoever adds a key adds a row here and its line to the docs in `ffi/config.rs`; a
//! key of every provider also has a field in [`Settings`].

use super::secrets;
use super::settings::Settings;
use super::values::Value;
use crate::catalog::Provider;
use crate::error::Result;
use crate::secret::Secret;

/// A key that every provider has.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) default: Initial,
    /// Puts the value where it belongs; `None` leaves its field empty.
    set: fn(&mut Settings, Option<Value<'_>>) -> Result<()>,
    /// What must not be seen of what is set.
    pub(super) secrets: fn(&Settings) -> Vec<Secret>,
    /// A request may have a value of its own for it.
    pub(super) is_option: bool,
}

/// What a key is set to until it is set.
#[derive(Clone, Copy)]
pub(super) enum Initial {
    /// Nothing.
    Empty,
    /// This, as a program would set it.
    Text(&'static str),
    /// What the provider says; "" is nothing.
    OfProvider(fn(&Provider) -> &'static str),
}

impl Key {
    /// Sets it to `text`, or to its default.
    pub(super) fn set(
        &self,
        settings: &mut Settings,
        provider: &Provider,
        text: Option<&str>,
    ) -> Result<()> {
        let default = match self.default {
            Initial::Empty => None,
            Initial::Text(text) => Some(text),
            Initial::OfProvider(text) => Some(text(provider)).filter(|text| !text.is_empty()),
        };
        let value = text.or(default).map(|text| Value { key: self.name, text });
        (self.set)(settings, value)
    }

    /// Whether `text` is a value of it.
    pub(super) fn check(&self, text: &str) -> Result<()> {
        (self.set)(&mut Settings::default(), Some(Value { key: self.name, text }))
    }

    const fn hiding(self, secrets: fn(&Settings) -> Vec<Secret>) -> Key {
        Key { secrets, ..self }
    }

    /// A request may have a value of its own. Such a key is read in the course of a request,
    /// and not when the client is made.
    const fn option(self) -> Key {
        Key { is_option: true, ..self }
    }
}

use Initial::{Empty, OfProvider, Text};

const fn key(
    name: &'static str,
    default: Initial,
    set: fn(&mut Settings, Option<Value<'_>>) -> Result<()>,
) -> Key {
    Key { name, default, set, secrets: |_| Vec::new(), is_option: false }
}

/// Puts what `read` makes of `value` into `field`, which stays as it is where it is wrong.
fn put<'v, T: Default>(
    field: &mut T,
    value: Option<Value<'v>>,
    read: impl FnOnce(Value<'v>) -> Result<T>,
) -> Result<()> {
    *field = value.map_or_else(|| Ok(T::default()), read)?;
    Ok(())
}

/// The keys of every provider.
pub(super) const COMMON: &[Key] = &[
    key("base_url", OfProvider(|it| it.base_url), |s, v| put(&mut s.base_url, v, Value::base_url))
        .hiding(|s| secrets::of_url(&s.base_url)),
    key("model", Empty, |s, v| put(&mut s.model, v, Value::text)),
    key("headers", Empty, |s, v| put(&mut s.headers, v, Value::headers))
        .hiding(|s| secrets::of_headers(&s.headers))
        .option(),
    // What is secret of it, the transport knows, which also asks the environment.
    key("proxy", Text("environment"), |s, v| put(&mut s.proxy, v, Value::proxy)),
    key("ca_file", Empty, |s, v| put(&mut s.ca_file, v, Value::some_text)),
    key("ca_pem", Empty, |s, v| put(&mut s.ca_pem, v, Value::some_text)),
    key("tls_roots", Text("bundled"), |s, v| put(&mut s.roots, v, Value::roots)),
    key("tls_verify", Text("true"), |s, v| put(&mut s.tls_verify, v, Value::boolean)),
    key("tls_pins", Empty, |s, v| put(&mut s.tls_pins, v, Value::pins)),
    key("client_cert", Empty, |s, v| put(&mut s.client_cert, v, Value::some_text)),
    // It is sent nowhere, and no error shows it.
    key("client_key", Empty, |s, v| put(&mut s.client_key, v, Value::some_secret)),
    key("connect_timeout_ms", Text("15000"), |s, v| put(&mut s.limits.connect, v, Value::timeout))
        .option(),
    key("first_byte_timeout_ms", Text("300000"), |s, v| {
        put(&mut s.limits.first_byte, v, Value::timeout)
    })
    .option(),
    key("idle_timeout_ms", Text("120000"), |s, v| put(&mut s.limits.idle, v, Value::timeout))
        .option(),
    key("total_timeout_ms", Text("-1"), |s, v| put(&mut s.limits.total, v, Value::timeout))
        .option(),
    key("max_retries", Text("2"), |s, v| put(&mut s.max_retries, v, |v| v.number(0, 100))).option(),
    key("max_event_bytes", Text("67108864"), |s, v| {
        put(&mut s.max_event_bytes, v, |v| v.number(1024, 1 << 30))
    }),
    key("max_error_bytes", Text("262144"), |s, v| {
        put(&mut s.max_error_bytes, v, |v| v.number(0, 1 << 30))
    }),
    key("max_header_bytes", Text("65536"), |s, v| {
        put(&mut s.max_header_bytes, v, |v| v.number(1024, 1 << 20))
    }),
    // serde_json reads no more levels.
    key("max_json_depth", Text("127"), |s, v| put(&mut s.max_json_depth, v, |v| v.number(1, 127))),
    key("max_tool_calls", Text("1024"), |s, v| {
        put(&mut s.max_tool_calls, v, |v| v.number(1, 1 << 16))
    }),
    key("max_reply_bytes", Text("67108864"), |s, v| {
        put(&mut s.max_reply_bytes, v, |v| v.number(0, 1 << 30))
    })
    .option(),
    key("queue_bytes", Text("1048576"), |s, v| {
        put(&mut s.queue_bytes, v, |v| v.number(1024, 1 << 30))
    })
    .option(),
    key("user_agent", Empty, |s, v| put(&mut s.user_agent, v, Value::user_agent)),
    key("raw_chunks", Text("false"), |s, v| put(&mut s.raw_chunks, v, Value::boolean)).option(),
    key("model_aliases", Empty, |s, v| put(&mut s.model_aliases, v, Value::aliases)),
    key("estimate_usage", Text("false"), |s, v| put(&mut s.estimate_usage, v, Value::boolean))
        .option(),
    key("heal", Text("true"), |s, v| put(&mut s.heal, v, Value::boolean)),
    key("fetch_urls", Text("false"), |s, v| put(&mut s.fetch_urls, v, Value::boolean)),
    key("fetch_private_urls", Text("false"), |s, v| {
        put(&mut s.fetch_private_urls, v, Value::boolean)
    }),
    key("record_file", Empty, |s, v| put(&mut s.recording.record, v, Value::some_path)),
    key("replay_file", Empty, |s, v| put(&mut s.recording.replay, v, Value::some_path)),
    key("replay_timing", Text("false"), |s, v| put(&mut s.recording.timing, v, Value::boolean)),
];

/// A key that a provider has if it lists it ([`Provider::keys`]): a credential, a name or a
/// place. Nothing is set by default.
pub(super) struct OwnKey {
    pub(super) name: &'static str,
    read: fn(&Provider, Value<'_>) -> Result<String>,
    /// What must not be seen of its value.
    pub(super) secrets: fn(&str) -> Vec<Secret>,
}

impl OwnKey {
    pub(super) fn read(&self, provider: &Provider, text: &str) -> Result<Secret> {
        let value = Value { key: self.name, text };
        value.check_line()?;
        (self.read)(provider, value).map(|text| Secret::new(&text))
    }
}

const fn own(
    name: &'static str,
    read: fn(&Provider, Value<'_>) -> Result<String>,
    secrets: fn(&str) -> Vec<Secret>,
) -> OwnKey {
    OwnKey { name, read, secrets }
}

/// The keys that providers choose from.
pub(super) const OWN: &[OwnKey] = &[
    own("api_key", |_, v| v.text(), secrets::all),
    own("endpoint", |_, v| v.url(), secrets::of_url),
    own("organization", |_, v| v.text(), secrets::nothing),
    own("think_tags", |_, v| v.flag(), secrets::nothing),
    own("fallback_models", |_, v| v.text(), secrets::nothing),
    own("api", |_, v| v.one_of(&["auto", "chat", "responses"]), secrets::nothing),
    own("scope", |_, v| v.text(), secrets::nothing),
    own("auth_url", |_, v| v.url(), secrets::of_url),
    own("auth_scheme", |it, v| v.one_of(it.auth_schemes), secrets::nothing),
    own("project", |_, v| v.text(), secrets::nothing),
    own("background", |_, v| v.flag(), secrets::nothing),
    own("anthropic_version", |_, v| v.text(), secrets::nothing),
    own("anthropic_beta", |_, v| v.text(), secrets::nothing),
    own("access_token", |_, v| v.text(), secrets::all),
    own("user", |_, v| v.text(), secrets::nothing),
    own("password", |_, v| v.text(), secrets::all),
    own("api_version", |_, v| v.one_of(&["v1", "v2"]), secrets::nothing),
    own("cookie", |_, v| v.text(), secrets::of_cookies),
];

/// The key of `provider`'s own that has this name.
pub(super) fn own_key(provider: &Provider, name: &str) -> Option<&'static OwnKey> {
    OWN.iter().find(|key| key.name == name && provider.keys.contains(&key.name))
}

pub(super) fn common_key(name: &str) -> Option<&'static Key> {
    COMMON.iter().find(|key| key.name == name)
}
