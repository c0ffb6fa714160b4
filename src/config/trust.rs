//! [`Trust`]: what has to be the same for two clients to share what a server gave to one.

use super::proxy::ProxyChoice;
use super::roots::Roots;
use super::settings::Settings;
use crate::http::Headers;
use crate::secret::Secret;

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

impl Settings {
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
}
