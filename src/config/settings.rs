//! [`Settings`]: the values of the keys that every provider has, checked and typed.

use serde_json::{Map, Value};

use super::limits::Limits;
use super::proxy::ProxyChoice;
use super::recording::RecordingChoice;
use super::roots::Roots;
use crate::http::Headers;
use crate::secret::Secret;

/// A field for a row of [`super::keys`]. Their defaults are there too: all fields empty is only
/// what [`Config::new`](super::Config::new) begins with.
#[derive(Clone, Default, PartialEq)]
pub struct Settings {
    /// Without a slash at the end of its path; for a URL below it see
    /// [`Config::url`](super::Config::url).
    pub(crate) base_url: String,
    pub(crate) model: String,
    pub(crate) headers: Headers,
    /// Those of one request alone, which win over the others.
    pub(crate) request_headers: Headers,
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
    /// A wait before another try is told as a chunk.
    pub(crate) retry_chunks: bool,
    /// Names of the program's own for models.
    pub(super) model_aliases: Map<String, Value>,
    pub(crate) estimate_usage: bool,
    /// Parameters that a server refuses are changed, and the request is sent once more.
    pub(crate) heal: bool,
    /// For a provider that does not, this library fetches what is attached by its URL.
    pub(crate) fetch_urls: bool,
    /// It does so from addresses that are not public as well.
    pub(crate) fetch_private_urls: bool,
    pub(crate) recording: RecordingChoice,
}
