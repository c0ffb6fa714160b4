use std::ffi::c_char;
use std::sync::OnceLock;

use super::caller::Caller;
use super::error::tolmach_error;
use super::status::{TOLMACH_OK, tolmach_status};
use super::text::{Text, tolmach_str};
use crate::config::Config;
use crate::memory;

/// A provider and how to reach it: string keys and values, each checked as it is set. A
/// client copies it, so it may be changed or freed afterwards.
///
/// Keys of every provider (durations in milliseconds, -1 for no limit):
///
/// - base_url: where the API is; if it has a query, every request has it. An http or https
///   URL without user, password and fragment; a port is a number from 1 to 65535
/// - model: asked when the request names none
/// - headers: a JSON object of strings, sent with every request; those that say how a
///   request is sent (Content-Length, Connection, Expect and the like) are refused
/// - proxy: a URL (http, https, socks5 or socks5h, with user:password@ where it wants them),
///   "direct", or "environment" (default: HTTPS_PROXY and the like, by curl's rules)
/// - ca_file, ca_pem: more certificates to trust, as a PEM file or as PEM itself
/// - tls_roots: "bundled" (default), "platform" or "only_ca"
/// - tls_verify: "false" trusts any server; for tests only
/// - tls_pins: SHA-256 hashes of public keys (SPKI) in base64, with commas between, as curl
///   takes them but without "sha256//". One of them has to be the key of the server's own
///   certificate, or of an intermediate or root certificate that it was validated by; other
///   certificates that the server sends do not count. With tls_verify "false" nothing is
///   validated, and only the server's own certificate counts. Pins hold for every server
///   that the client connects to over TLS, also one that tokens come from, and a proxy
/// - client_cert, client_key: PEM, or the path of a PEM file
/// - connect_timeout_ms: resolve, connect, proxy and TLS together (default 15000)
/// - first_byte_timeout_ms: from the request to the first chunk (default 300000)
/// - idle_timeout_ms: between chunks; keep-alives do not count (default 120000)
/// - total_timeout_ms: everything, retries included (default -1)
/// - max_retries: before the first chunk, for what can heal (default 2). With 0 a message is
///   never sent twice; else it is also sent once more, at once, when a connection that was
///   kept from an earlier answer turns out to be lost
/// - max_event_bytes: one event of an answer (default 67108864, at least 1024); of JSON
///   values it may have one for every 128 of these bytes, and at least 65536
/// - max_error_bytes: the body of an error (default 262144)
/// - max_header_bytes: the head of a response (default 65536, at least 1024)
/// - max_json_depth: levels of JSON in one event (default 127, the most)
/// - max_tool_calls: tool calls, choices, and files that GigaChat shows, of one answer
///   (default 1024, at most 65536)
/// - max_reply_bytes: what tolmach_session_reply() and tolmach_session_text() keep of an answer
///   (default 67108864)
/// - queue_bytes: what may wait for the program before the provider has to wait
///   (default 1048576, at least 1024)
/// - user_agent: default "tolmach/" and the version
/// - record_file: where to write what servers answer, without credentials; a file that is
///   not there yet
/// - replay_file: such a file, to be answered from in the place of servers, each answer once
/// - replay_timing: "true" plays it with its pauses
/// - raw_chunks: "true" adds every undecoded event as a chunk
/// - retry_chunks: "true" adds a chunk of kind TOLMACH_CHUNK_RETRY before each wait for another
///   try, so that a program can show why nothing comes (default "false")
///
/// - model_aliases: a JSON object of names of your own for models, or for lists of models
///   to choose from
/// - estimate_usage: "true" counts tokens by their length where the provider counts none
/// - heal: "false" sends every request as it is given. By default ("true") a parameter that
///   the server refuses by name, or that the model is known to refuse, is left out or changed,
///   and the request is sent once more; tolmach_session_info_get() tells what was changed
/// - fetch_urls: "true" lets the library fetch attached URLs for a provider that does not
///   ("gigachat"); default "false". Such a request carries no credentials, no client
///   certificate and none of "headers"; redirects are not followed, and a file is as large
///   as max_event_bytes at most
/// - fetch_private_urls: "true" lets it fetch from any address; default "false": from public
///   ones alone, not from loopback, link-local or private ones. What counts is the address
///   that is connected to. A proxy that resolves names itself (http, https, socks5h) has to
///   see to that for names; addresses in a URL, and "localhost", are refused here. The same
///   goes for an image that "aichats" answers with, unless it is on the host of base_url
///
/// Keys of "openai", beside these:
///
/// - api_key: default is the environment variable OPENAI_API_KEY; empty for a server that
///   wants none
/// - endpoint: the whole URL of the chat call, in the place of base_url/chat/completions
/// - api: "auto" (default) asks OpenAI's chat completions, and its Responses API what only that
///   one answers (some models, and functions together with reasoning); "chat" or "responses"
///   always the one. With an endpoint, and for heal "false", "auto" is "chat"
/// - organization: sent as OpenAI-Organization
/// - think_tags: "true" takes what stands between <think> and </think> for reasoning
/// - fallback_models: names, with commas between, for a server that lists no models
///
/// Keys of "openai-responses":
///
/// - api_key: as for "openai"
/// - endpoint: the whole URL of the call, instead of base_url/responses
/// - organization, project: sent as OpenAI-Organization and OpenAI-Project
/// - auth_scheme: "bearer" (default) or "api-key", the header that Azure takes the key in
/// - background: "true" lets the provider go on with an answer whose connection is lost; the
///   session reads on where it was. Such answers are stored by the provider, which goes on
///   with one whose session is cancelled
///
/// Keys of "anthropic", which is Anthropic's Messages and all that speak it:
///
/// - api_key: default is the environment variable ANTHROPIC_API_KEY; empty for a server that
///   wants none
/// - endpoint: the whole URL of the call, instead of base_url/messages
/// - auth_scheme: the header of the key, "x-api-key" (default) or "bearer"
/// - anthropic_version: the version of the API, a date (default 2023-06-01)
/// - anthropic_beta: names of betas, with commas between, sent as anthropic-beta
///
/// Keys of "gigachat":
///
/// - api_key: the authorization key; default is the environment's GIGACHAT_CREDENTIALS
/// - scope: GIGACHAT_API_PERS (default), GIGACHAT_API_B2B or GIGACHAT_API_CORP
/// - auth_url: the whole URL that tokens come from
/// - auth_scheme: "basic" (default) or "bearer", for the authorization key
/// - access_token: a token of your own, in the place of the key
/// - user, password: in the place of the key
/// - api_version: "v1" (default) or "v2"
///
/// Keys of "gemini":
///
/// - api_key: default is the environment variable GEMINI_API_KEY, else GOOGLE_API_KEY; empty
///   for a server that wants none
/// - auth_scheme: the header of the key: "x-goog-api-key" (default), or "bearer" for an access
///   token, as Vertex AI wants it
///
/// Key of "ai365vip", "amigochat" and "aichats":
///
/// - cookie: sent as it is; none by default
///
/// Functions: tolmach_config_new(), tolmach_config_from_json(), tolmach_config_set(),
/// tolmach_config_header(), tolmach_config_key_count(), tolmach_config_key_get(),
/// tolmach_config_free().
pub struct tolmach_config {
    pub(super) config: Config,
    keys: OnceLock<Keys>,
}

impl tolmach_config {
    fn new(config: Config) -> tolmach_config {
        tolmach_config { config, keys: OnceLock::new() }
    }
}

/// Makes a config with a provider's defaults.
///
/// `provider`: its name, NUL-terminated. `out_config`: receives the config to free.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8 or an unknown provider (the
/// message lists those there are).
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_config_new(
    provider: *const c_char,
    out_config: *mut *mut tolmach_config,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_config = caller.output("out_config", out_config, std::ptr::null_mut())?;
        let config = Config::new(caller.string("provider", provider)?)?;
        out_config.give(&caller, tolmach_config::new(config));
        Ok(TOLMACH_OK)
    })
}

/// Makes a config of JSON, such as a part of a program's own settings file.
///
/// `json`, `len`: an object with "provider" and any keys of that provider; `len` in bytes, or
/// TOLMACH_NUL_TERMINATED. Values are strings, as tolmach_config_set() takes them, or numbers and
/// booleans; those of TOLMACH_KEY_JSON may be objects: {"provider":"openai","max_retries":3,"headers":{"X-Name":"value"}}.
/// null is the default. `out_config`: receives the config to free.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, bad JSON, an unknown provider
/// (the message lists those there are), or a wrong key or value (the message says what is
/// right).
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_config_from_json(
    json: *const c_char,
    len: usize,
    out_config: *mut *mut tolmach_config,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_config = caller.output("out_config", out_config, std::ptr::null_mut())?;
        let config = Config::from_json(caller.text("json", json, len)?)?;
        out_config.give(&caller, tolmach_config::new(config));
        Ok(TOLMACH_OK)
    })
}

/// Sets a key.
///
/// `key`, `value`: NUL-terminated, copied; a NULL value takes the key back to its default.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, a key that the provider
/// does not have (the message lists those it has) or a wrong value (the message says what
/// is right). On failure the config is as it was.
/// Blocks: no. Threads: one thread at a time per config. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_config_set(
    config: *mut tolmach_config,
    key: *const c_char,
    value: *const c_char,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let config = caller.exclusive("config", config)?;
        let key = caller.string("key", key)?;
        let value = caller.optional_string("value", value)?;
        // The config keeps a copy, and a client others.
        memory::room_for(value.map_or(0, str::len).saturating_mul(4))?;
        config.config.set(key, value)?;
        Ok(TOLMACH_OK)
    })
}

/// Sets one header that is sent with every request, beside those of the key "headers". Setting
/// that key afterwards replaces them all.
///
/// `name`, `value`: NUL-terminated, copied; a NULL value removes the header.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, an invalid name or value, or a
/// header that says how a request is sent (Content-Length and the like). On failure the config
/// is as it was.
/// Blocks: no. Threads: one thread at a time per config. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_config_header(
    config: *mut tolmach_config,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let config = caller.exclusive("config", config)?;
        let name = caller.string("name", name)?;
        config.config.header(name, caller.optional_string("value", value)?)?;
        Ok(TOLMACH_OK)
    })
}

/// What the values of a key are. The set is open: take a number you do not know for
/// TOLMACH_KEY_TEXT.
pub type tolmach_key_kind = i32;

/// Any text.
pub const TOLMACH_KEY_TEXT: tolmach_key_kind = 1;
/// Text that is not to be shown, such as an API key.
pub const TOLMACH_KEY_SECRET: tolmach_key_kind = 2;
/// An http or https URL.
pub const TOLMACH_KEY_URL: tolmach_key_kind = 3;
/// The path of a file.
pub const TOLMACH_KEY_FILE: tolmach_key_kind = 4;
/// A whole number, 0 or more.
pub const TOLMACH_KEY_NUMBER: tolmach_key_kind = 5;
/// A number of milliseconds; -1 is no limit.
pub const TOLMACH_KEY_MILLISECONDS: tolmach_key_kind = 6;
/// "true" or "false".
pub const TOLMACH_KEY_BOOLEAN: tolmach_key_kind = 7;
/// A JSON object.
pub const TOLMACH_KEY_JSON: tolmach_key_kind = 8;
/// One of the names in choices.
pub const TOLMACH_KEY_CHOICE: tolmach_key_kind = 9;

/// A key that a config has, for settings pages, completion and checks. Belongs to the config
/// it was asked of. May grow at its end in later versions.
#[repr(C)]
pub struct tolmach_config_key {
    /// Its name.
    pub name: tolmach_str,
    /// What it is set to until it is set; empty for nothing, and where help says what holds then.
    pub default_value: tolmach_str,
    /// The values there are, with commas between, for TOLMACH_KEY_CHOICE; else empty.
    pub choices: tolmach_str,
    /// What it means, in English: what this header says of it.
    pub help: tolmach_str,
    /// What its values are.
    pub kind: tolmach_key_kind,
    /// 1 where tolmach_request_option() can give it another value for one request, else 0.
    pub is_option: i32,
}

/// What the keys of a config point to.
struct Keys {
    views: Vec<tolmach_config_key>,
    _texts: Vec<Text>,
}

// SAFETY: the views point into the texts beside them, and neither ever changes.
unsafe impl Send for Keys {}
// SAFETY: as above.
unsafe impl Sync for Keys {}

impl Keys {
    fn of(config: &Config) -> Keys {
        let mut texts = Vec::new();
        let mut keep = |text: &str| {
            let text = Text::new(text);
            let view = text.as_str();
            texts.push(text);
            view
        };
        let views = config.keys().into_iter().map(|key| tolmach_config_key {
            name: keep(key.name),
            default_value: keep(key.default),
            choices: keep(&key.choices.join(",")),
            help: keep(key.help),
            kind: key.kind as tolmach_key_kind,
            is_option: i32::from(key.is_option),
        });
        Keys { views: views.collect(), _texts: texts }
    }
}

/// How many keys a config has: those of its provider, and those of every provider.
///
/// Returns: their number; 0 for NULL.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_config_key_count(config: *const tolmach_config) -> usize {
    // SAFETY: `config` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(0, || {
        let config = caller.shared("config", config).ok()?;
        Some(config.keys.get_or_init(|| Keys::of(&config.config)).views.len())
    })
}

/// The key at `index`, counted from 0. Those of the provider come first.
///
/// Returns: the key, which lives as long as the config; NULL past the end, and for NULL.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_config_key_get(
    config: *const tolmach_config,
    index: usize,
) -> *const tolmach_config_key {
    // SAFETY: `config` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(std::ptr::null(), || {
        let config = caller.shared("config", config).ok()?;
        let keys = config.keys.get_or_init(|| Keys::of(&config.config));
        keys.views.get(index).map(std::ptr::from_ref)
    })
}

/// Frees a config. NULL is none. Clients made of it live on.
///
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_config_free(config: *mut tolmach_config) {
    // SAFETY: `config` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.free(config);
}
