//! [`Url`] and [`Origin`]: the one place that takes URLs apart, for the config, requests and
//! proxies.
//!
//! What is wrong with one is told as the end of a sentence that names the URL by its key: a
//! URL may hold a password or a key, and is never shown.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ureq::http;

/// An http or https URL that can be requested.
pub(crate) struct Url {
    origin: Origin,
    has_fragment: bool,
}

impl Url {
    /// # Errors
    /// What is wrong with `text`.
    pub(crate) fn parse(text: &str) -> Result<Url, &'static str> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has white space, or a character that has to be percent-encoded");
        }
        let is_https = match text.split_once("://") {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => true,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => false,
            _ => return Err("starts with neither https:// nor http://"),
        };
        let (_, rest) = text.split_once("://").unwrap_or_default();
        let authority = Authority::of(rest)?;
        if authority.userinfo.is_some() {
            return Err("has a user or a password, which are not sent: \
                 credentials go into \"api_key\" or \"headers\"");
        }
        if text.parse::<http::Uri>().is_err() {
            return Err("has a character that has to be percent-encoded");
        }
        Ok(Url { origin: Origin::new(is_https, authority), has_fragment: rest.contains('#') })
    }

    /// Whose server it is on.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The part after a `#`, which no server gets.
    pub(crate) fn has_fragment(&self) -> bool {
        self.has_fragment
    }
}

/// Whose server it is: what goes to one URL may go to another of the same origin.
///
/// Shown as its host, with the port unless that is the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

impl Origin {
    pub(crate) fn new(is_https: bool, authority: Authority) -> Origin {
        let port = authority.port.unwrap_or(default_port(is_https));
        Origin { is_https, host: authority.host, port }
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }

    /// In lower case; an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if self.port == default_port(self.is_https) { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// A host as it stands in a URL, and what may stand around it.
pub(crate) struct Authority {
    /// As it is, percent-encoded.
    pub(crate) userinfo: Option<String>,
    /// In lower case; an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Authority {
    /// The authority that `rest`, which is a URL without its scheme, begins with.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn of(rest: &str) -> Result<Authority, &'static str> {
        let text = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (userinfo, place) = match text.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo.to_owned()), place),
            None => (None, text),
        };
        let colon = match place.strip_prefix('[') {
            Some(_) => place.find(']').map_or(place.len(), |end| end + 1),
            None => place.find(':').unwrap_or(place.len()),
        };
        let (host, port) = place.split_at_checked(colon).unwrap_or((place, ""));
        check_host(host)?;
        let port = match port.strip_prefix(':') {
            _ if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|port| *port != 0).ok_or(WRONG_PORT)?)
            }
            _ => return Err(WRONG_PORT),
        };
        Ok(Authority { userinfo, host: host.to_ascii_lowercase(), port })
    }
}

const WRONG_PORT: &str = "has a wrong port: ports are numbers from 1 to 65535";

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(bracketed) = host.strip_prefix('[') {
        let address = bracketed.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
        return address.map(|_| ()).ok_or("has a wrong IPv6 address");
    }
    if host.is_empty() {
        return Err("names no host");
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Err("has a host with a character that names of hosts do not have");
    }
    // What looks like a number is one to resolvers, each in its own way: 127.1, 0x7f.0.0.1.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.starts_with("0x")
        || last.starts_with("0X");
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("has a wrong IPv4 address: it is four numbers, such as 127.0.0.1");
    }
    Ok(())
}

/// Path and the rest of `url`, cut where its query begins.
pub(crate) fn cut_query(url: &str) -> (&str, &str) {
    url.find('?').and_then(|at| url.split_at_checked(at)).unwrap_or((url, ""))
}

/// The URL of `path` below `base`, which keeps its query.
pub(crate) fn join(base: &str, path: &str) -> String {
    let (place, query) = cut_query(base);
    let place = place.trim_end_matches('/');
    match query.strip_prefix('?') {
        Some(query) if path.contains('?') => format!("{place}{path}&{query}"),
        _ => format!("{place}{path}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_urls_are_told_apart() {
        for (url, why) in [
            ("https://", "no host"),
            ("https:///v1", "no host"),
            ("https://:8080/v1", "no host"),
            ("https://?x=1", "no host"),
            ("api.example.org", "https://"),
            ("ftp://example.org", "https://"),
            ("//example.org", "https://"),
            ("https://example.org:99999/v1", "from 1 to 65535"),
            ("https://example.org:65536", "from 1 to 65535"),
            ("https://example.org:80a", "from 1 to 65535"),
            ("https://example.org:-1", "from 1 to 65535"),
            ("https://example.org:+80", "from 1 to 65535"),
            ("https://example.org:0", "from 1 to 65535"),
            ("https://example.org:", "from 1 to 65535"),
            ("https://example.org:80:80", "from 1 to 65535"),
            ("https://[::1]:99999", "from 1 to 65535"),
            ("https://[::1]80", "from 1 to 65535"),
            ("https://[::1", "IPv6"),
            ("https://[]", "IPv6"),
            ("https://[localhost]", "IPv6"),
            ("https://[fe80::1%25eth0]", "IPv6"),
            ("https://::1/", "no host"),
            ("https://127.1", "IPv4"),
            ("https://2130706433", "IPv4"),
            ("https://0x7f.0.0.1", "IPv4"),
            ("https://0177.0.0.1", "IPv4"),
            ("https://1.2.3.4.", "IPv4"),
            ("https://example.0x1", "IPv4"),
            ("https://user:pass@example.org", "api_key"),
            ("https://user@example.org", "api_key"),
            ("https://@example.org", "api_key"),
            ("https://example.org\\@evil.org/", "api_key"),
            ("https://exa mple.org", "white space"),
            (" https://example.org", "white space"),
            ("https://example.org/\n", "white space"),
            ("https://example.org/\u{e9}", "percent-encoded"),
            ("https://b\u{fc}cher.example/", "percent-encoded"),
            ("https://ex%61mple.org", "character"),
            ("https://example.org\\x", "character"),
            ("https://example.org/<>", "percent-encoded"),
        ] {
            let wrong = Url::parse(url).err().unwrap_or_default();
            assert!(wrong.contains(why), "{url}: {wrong:?}");
        }
    }

    #[test]
    fn right_urls_have_their_host_and_port() {
        for (url, place) in [
            ("https://api.example.org/v1", "api.example.org"),
            ("HTTPS://API.Example.org", "api.example.org"),
            ("http://127.0.0.1:8080?x=1", "127.0.0.1:8080"),
            ("http://[::1]:1/", "[::1]:1"),
            ("http://[2001:DB8::1]", "[2001:db8::1]"),
            ("http://my_host:65535/a:b@c", "my_host:65535"),
            ("http://example.org./", "example.org."),
            ("http://1.example/", "1.example"),
        ] {
            assert_eq!(
                Url::parse(url).map(|url| url.origin().to_string()),
                Ok(place.to_owned()),
                "{url}"
            );
        }
        assert!(Url::parse("http://a/b#c").unwrap().has_fragment());
        assert!(!Url::parse("http://a/b?c").unwrap().has_fragment());
    }

    #[test]
    fn origin_is_scheme_host_and_port() {
        let origin = |text: &str| Url::parse(text).unwrap().origin().clone();
        let own = origin("https://api.example.org/v1");
        for same in ["https://api.example.org/i.png", "HTTPS://API.example.org:443?x"] {
            assert_eq!(own, origin(same));
        }
        for other in [
            "http://api.example.org/i.png",
            "http://api.example.org:443/i.png",
            "https://api.example.org:8443/i.png",
            "https://example.org/i.png",
            "https://api.example.org./i.png",
        ] {
            assert_ne!(own, origin(other));
        }
    }

    #[test]
    fn path_joins_before_the_query() {
        for (base, joined) in [
            ("https://a/v1", "https://a/v1/models"),
            ("https://a", "https://a/models"),
            ("https://a/v1//", "https://a/v1/models"),
            ("https://a/v1?x=1", "https://a/v1/models?x=1"),
            ("https://a/v1/?x=/", "https://a/v1/models?x=/"),
            ("https://a?x=1", "https://a/models?x=1"),
        ] {
            assert_eq!(join(base, "/models"), joined);
        }
        assert_eq!(join("https://a/v1?x=1", "/models?y=2"), "https://a/v1/models?y=2&x=1");
        assert_eq!(join("https://a/v1", "/models?y=2"), "https://a/v1/models?y=2");
    }
}
