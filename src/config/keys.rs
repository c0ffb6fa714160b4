//! The keys of a config: a row each, with its name, its default, its parser and what of it is
//! secret. Whoever adds a key adds a row here and its line to the docs in `ffi/config.rs`; a
//! key of every provider also has a field in [`Settings`].

use super::roots;
use super::secrets;
use super::settings::Settings;
use super::values::Value;
use crate::catalog::Provider;
use crate::error::Result;
use crate::secret::Secret;

/// A key that every provider has.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Initial,
    /// Puts the value where it belongs; `None` leaves its field empty.
    set: fn(&mut Settings, Option<Value<'_>>) -> Result<()>,
    /// What must not be seen of what is set.
    pub(super) secrets: fn(&Settings) -> Vec<Secret>,
    /// A request may have a value of its own for it.
    pub(super) is_option: bool,
}

/// What the values of a key are.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// Text that is not to be shown.
    Secret,
    Url,
    /// The path of a file.
    File,
    Number,
    Milliseconds,
    Boolean,
    Json,
    /// One of these; the first is the default.
    Choice(fn(&Provider) -> &'static [&'static str]),
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
    /// What it is set to by default, as a program would set it; `None` is nothing.
    pub(super) fn initial(&self, provider: &Provider) -> Option<&'static str> {
        match self.default {
            Initial::Empty => None,
            Initial::Text(text) => Some(text),
            Initial::OfProvider(text) => Some(text(provider)).filter(|text| !text.is_empty()),
        }
    }

    /// Sets it to `text`, or to its default.
    pub(super) fn set(
        &self,
        settings: &mut Settings,
        provider: &Provider,
        text: Option<&str>,
    ) -> Result<()> {
        let value = text.or(self.initial(provider)).map(|text| Value { key: self.name, text });
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
    kind: Kind,
    default: Initial,
    set: fn(&mut Settings, Option<Value<'_>>) -> Result<()>,
) -> Key {
    Key { name, kind, default, set, secrets: |_| Vec::new(), is_option: false }
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
    key("base_url", Kind::Url, OfProvider(|it| it.base_url), |s, v| {
        put(&mut s.base_url, v, Value::base_url)
    })
    .hiding(|s| secrets::of_url(&s.base_url)),
    key("model", Kind::Text, Empty, |s, v| put(&mut s.model, v, Value::text)),
    key("headers", Kind::Json, Empty, |s, v| put(&mut s.headers, v, Value::headers))
        .hiding(|s| {
            [secrets::of_headers(&s.headers), secrets::of_headers(&s.request_headers)].concat()
        })
        .option(),
    // What is secret of it, the transport knows, which also asks the environment.
    key("proxy", Kind::Text, Text("environment"), |s, v| put(&mut s.proxy, v, Value::proxy)),
    key("ca_file", Kind::File, Empty, |s, v| put(&mut s.ca_file, v, Value::some_text)),
    key("ca_pem", Kind::Text, Empty, |s, v| put(&mut s.ca_pem, v, Value::some_text)),
    key("tls_roots", Kind::Choice(|_| roots::NAMES), Text("bundled"), |s, v| {
        put(&mut s.roots, v, Value::roots)
    }),
    key("tls_verify", Kind::Boolean, Text("true"), |s, v| {
        put(&mut s.tls_verify, v, Value::boolean)
    }),
    key("tls_pins", Kind::Text, Empty, |s, v| put(&mut s.tls_pins, v, Value::pins)),
    key("client_cert", Kind::Text, Empty, |s, v| put(&mut s.client_cert, v, Value::some_text)),
    // It is sent nowhere, and no error shows it.
    key("client_key", Kind::Secret, Empty, |s, v| put(&mut s.client_key, v, Value::some_secret)),
    key("connect_timeout_ms", Kind::Milliseconds, Text("15000"), |s, v| {
        put(&mut s.limits.connect, v, Value::timeout)
    })
    .option(),
    key("first_byte_timeout_ms", Kind::Milliseconds, Text("300000"), |s, v| {
        put(&mut s.limits.first_byte, v, Value::timeout)
    })
    .option(),
    key("idle_timeout_ms", Kind::Milliseconds, Text("120000"), |s, v| {
        put(&mut s.limits.idle, v, Value::timeout)
    })
    .option(),
    key("total_timeout_ms", Kind::Milliseconds, Text("-1"), |s, v| {
        put(&mut s.limits.total, v, Value::timeout)
    })
    .option(),
    key("max_retries", Kind::Number, Text("2"), |s, v| {
        put(&mut s.max_retries, v, |v| v.number(0, 100))
    })
    .option(),
    key("max_event_bytes", Kind::Number, Text("67108864"), |s, v| {
        put(&mut s.max_event_bytes, v, |v| v.number(1024, 1 << 30))
    }),
    key("max_error_bytes", Kind::Number, Text("262144"), |s, v| {
        put(&mut s.max_error_bytes, v, |v| v.number(0, 1 << 30))
    }),
    key("max_header_bytes", Kind::Number, Text("65536"), |s, v| {
        put(&mut s.max_header_bytes, v, |v| v.number(1024, 1 << 20))
    }),
    // serde_json reads no more levels.
    key("max_json_depth", Kind::Number, Text("127"), |s, v| {
        put(&mut s.max_json_depth, v, |v| v.number(1, 127))
    }),
    key("max_tool_calls", Kind::Number, Text("1024"), |s, v| {
        put(&mut s.max_tool_calls, v, |v| v.number(1, 1 << 16))
    }),
    key("max_reply_bytes", Kind::Number, Text("67108864"), |s, v| {
        put(&mut s.max_reply_bytes, v, |v| v.number(0, 1 << 30))
    })
    .option(),
    key("queue_bytes", Kind::Number, Text("1048576"), |s, v| {
        put(&mut s.queue_bytes, v, |v| v.number(1024, 1 << 30))
    })
    .option(),
    key("user_agent", Kind::Text, Empty, |s, v| put(&mut s.user_agent, v, Value::user_agent)),
    key("raw_chunks", Kind::Boolean, Text("false"), |s, v| {
        put(&mut s.raw_chunks, v, Value::boolean)
    })
    .option(),
    key("retry_chunks", Kind::Boolean, Text("false"), |s, v| {
        put(&mut s.retry_chunks, v, Value::boolean)
    })
    .option(),
    key("model_aliases", Kind::Json, Empty, |s, v| put(&mut s.model_aliases, v, Value::aliases)),
    key("estimate_usage", Kind::Boolean, Text("false"), |s, v| {
        put(&mut s.estimate_usage, v, Value::boolean)
    })
    .option(),
    key("heal", Kind::Boolean, Text("true"), |s, v| put(&mut s.heal, v, Value::boolean)),
    key("fetch_urls", Kind::Boolean, Text("false"), |s, v| {
        put(&mut s.fetch_urls, v, Value::boolean)
    }),
    key("fetch_private_urls", Kind::Boolean, Text("false"), |s, v| {
        put(&mut s.fetch_private_urls, v, Value::boolean)
    }),
    key("record_file", Kind::File, Empty, |s, v| put(&mut s.recording.record, v, Value::some_path)),
    key("replay_file", Kind::File, Empty, |s, v| put(&mut s.recording.replay, v, Value::some_path)),
    key("replay_timing", Kind::Boolean, Text("false"), |s, v| {
        put(&mut s.recording.timing, v, Value::boolean)
    }),
];

/// A key that a provider has if it lists it ([`Provider::keys`]): a credential, a name or a
/// place. Nothing is set by default.
pub(super) struct OwnKey {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What must not be seen of its value.
    pub(super) secrets: fn(&str) -> Vec<Secret>,
}

impl OwnKey {
    pub(super) fn read(&self, provider: &Provider, text: &str) -> Result<Secret> {
        let value = Value { key: self.name, text };
        value.check_line()?;
        let text = match self.kind {
            Kind::Url => value.url(),
            Kind::Boolean => value.flag(),
            Kind::Choice(choices) => value.one_of(choices(provider)),
            _ => value.text(),
        };
        text.map(|text| Secret::new(&text))
    }
}

const fn own(name: &'static str, kind: Kind, secrets: fn(&str) -> Vec<Secret>) -> OwnKey {
    OwnKey { name, kind, secrets }
}

/// The keys that providers choose from.
pub(super) const OWN: &[OwnKey] = &[
    own("api_key", Kind::Secret, secrets::all),
    own("endpoint", Kind::Url, secrets::of_url),
    own("organization", Kind::Text, secrets::nothing),
    own("think_tags", Kind::Boolean, secrets::nothing),
    own("fallback_models", Kind::Text, secrets::nothing),
    own("api", Kind::Choice(|_| &["auto", "chat", "responses"]), secrets::nothing),
    own("scope", Kind::Text, secrets::nothing),
    own("auth_url", Kind::Url, secrets::of_url),
    own("auth_scheme", Kind::Choice(|it| it.auth_schemes), secrets::nothing),
    own("project", Kind::Text, secrets::nothing),
    own("background", Kind::Boolean, secrets::nothing),
    own("anthropic_version", Kind::Text, secrets::nothing),
    own("anthropic_beta", Kind::Text, secrets::nothing),
    own("access_token", Kind::Secret, secrets::all),
    own("user", Kind::Text, secrets::nothing),
    own("password", Kind::Secret, secrets::all),
    own("api_version", Kind::Choice(|_| &["v1", "v2"]), secrets::nothing),
    own("cookie", Kind::Secret, secrets::of_cookies),
];

/// The key of `provider`'s own that has this name.
pub(super) fn own_key(provider: &Provider, name: &str) -> Option<&'static OwnKey> {
    OWN.iter().find(|key| key.name == name && provider.keys.contains(&key.name))
}

/// Whether the values of the key of this name are JSON objects.
pub(super) fn is_json(name: &str) -> bool {
    common_key(name).is_some_and(|key| matches!(key.kind, Kind::Json))
}

pub(super) fn common_key(name: &str) -> Option<&'static Key> {
    COMMON.iter().find(|key| key.name == name)
}
