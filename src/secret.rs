//! [`Secret`]: text that is wiped from memory when it is dropped, and never shown.

use zeroize::Zeroizing;

/// What stands where a secret stood.
pub(crate) const BLOT: &str = "[redacted]";

/// A key, a token, a cookie: whatever proves who asks.
#[derive(Clone, Default)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Blots every one of `secrets` out of `text`.
pub(crate) fn redact<'s>(text: &mut String, secrets: impl IntoIterator<Item = &'s Secret>) {
    for secret in secrets.into_iter().map(Secret::expose).filter(|secret| !secret.is_empty()) {
        if text.contains(secret) {
            *text = text.replace(secret, BLOT);
        }
    }
}
