//! [`Secret`]: text that is wiped from memory when it is dropped, and never shown.

use std::cmp::Reverse;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// What stands where a secret stood.
pub(crate) const BLOT: &str = "[redacted]";

/// A key, a token, a cookie: whatever proves who asks.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// This text as servers quote it: as it is, within JSON, out of a URL.
    pub(crate) fn forms(&self) -> Vec<Secret> {
        let text = self.expose();
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        let mut forms = vec![self.clone()];
        for form in [&text.replace('/', "\\/"), &*decoded] {
            if form != text {
                forms.push(Secret::new(form));
            }
        }
        forms
    }
}

/// Blots every one of `secrets` out of `text`.
pub(crate) fn redact<'s>(text: &mut String, secrets: impl IntoIterator<Item = &'s Secret>) {
    let mut secrets: Vec<&str> = secrets.into_iter().map(Secret::expose).collect();
    // One may be the start of another.
    secrets.sort_by_key(|secret| Reverse(secret.len()));
    for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
        if text.contains(secret) {
            *text = text.replace(secret, BLOT);
        }
    }
}
