//! [`ProxyChoice`] and [`Proxy`]: whether and through whom servers are reached.

use percent_encoding::percent_decode_str;

use crate::error::{Error, ErrorKind, Result};
use crate::http::Authority;

/// Whether and through whom to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProxyChoice {
    /// As the environment says, by curl's rules.
    #[default]
    Environment,
    Direct,
    Url(String),
}

impl ProxyChoice {
    /// The proxy of that URL.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when it is not the URL of a proxy.
    pub(crate) fn of(key: &str, url: &str) -> Result<ProxyChoice> {
        Proxy::parse(key, url)?;
        Ok(ProxyChoice::Url(url.to_owned()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyScheme {
    Http,
    /// HTTP over TLS to the proxy.
    Https,
    /// Is given an address that we resolved.
    Socks5,
    /// Is given the name.
    Socks5h,
}

/// A proxy, and who we are to it.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) scheme: ProxyScheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<(String, String)>,
}

impl Proxy {
    /// `key` says where the URL comes from, for errors, which never show the URL itself:
    /// it may hold a password.
    pub(crate) fn parse(key: &str, url: &str) -> Result<Proxy> {
        let wrong = |what: &str| {
            Error::new(
                ErrorKind::Argument,
                format!(
                    "{key:?} {what}; it is a URL such as http://user:password@host:3128 or socks5h://host:1080"
                ),
            )
        };
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let scheme = match scheme {
            "http" => ProxyScheme::Http,
            "https" => ProxyScheme::Https,
            "socks5" => ProxyScheme::Socks5,
            "socks5h" => ProxyScheme::Socks5h,
            _ => return Err(wrong("has a scheme other than http, https, socks5 and socks5h")),
        };
        let place = Authority::of(rest).map_err(wrong)?;
        let port = place.port.unwrap_or(match scheme {
            ProxyScheme::Https => 443,
            _ => 1080,
        });
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = place.userinfo.map(|userinfo| {
            let (user, password) = userinfo.split_once(':').unwrap_or((&userinfo, ""));
            (decode(user), decode(password))
        });
        Ok(Proxy { scheme, host: place.host, port, credentials })
    }
}
