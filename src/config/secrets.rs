//! What of a value must not be seen in an error, a log line or a recording.

use crate::http::Headers;
use crate::secret::Secret;

/// Shorter words are no secrets of themselves: the scheme of a header, a flag in a cookie.
const SHORTEST: usize = 8;

pub(super) fn all(value: &str) -> Vec<Secret> {
    vec![Secret::new(value)]
}

pub(super) fn nothing(_: &str) -> Vec<Secret> {
    Vec::new()
}

/// The value of a cookie header, and those of the cookies in it.
pub(super) fn of_cookies(cookies: &str) -> Vec<Secret> {
    let values = cookies.split(';').filter_map(|cookie| cookie.split_once('='));
    let values = values.map(|(_, value)| value.trim()).filter(|value| value.len() >= SHORTEST);
    std::iter::once(cookies).chain(values).map(Secret::new).collect()
}

pub(super) fn of_headers(headers: &Headers) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for (name, value) in headers.iter().filter(|(name, _)| is_of_credentials(name)) {
        // Providers quote a key without its scheme, which is a short word.
        let words = value.split_whitespace().filter(|word| word.len() >= SHORTEST);
        secrets.extend(std::iter::once(value).chain(words).map(Secret::new));
        if name.eq_ignore_ascii_case("cookie") {
            secrets.extend(of_cookies(value));
        }
    }
    secrets
}

/// Fields of the query of `url`. It has no user and no password: they are refused.
pub(super) fn of_url(url: &str) -> Vec<Secret> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let fields = query.split('&').filter_map(|field| field.split_once('='));
    let secret = fields.filter(|(name, _)| is_of_credentials(name));
    secret.map(|(_, value)| Secret::new(value)).collect()
}

/// Whether a header or field of that name carries credentials: Authorization, Cookie, key, ...
fn is_of_credentials(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "cookie", "credential", "jwt", "key", "pass", "secret", "session", "sig", "token"]
        .iter()
        .any(|word| name.contains(word))
}
