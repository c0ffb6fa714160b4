//! Proxies: which one a host is reached through, and how a tunnel is asked of it.

use std::io::{Read, Write};
use std::net::IpAddr;

use super::reach::{Reach, in_range};
use super::tcp;
use crate::cancel_token::CancelToken;
use crate::config::{Proxy, ProxyChoice, ProxyScheme as Scheme};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Origin;
use crate::secret::Secret;
use crate::transport::socket::ours;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// How long the head of a proxy's answer may be.
const MAX_HEAD: usize = 16 * 1024;

/// The proxies of a transport.
pub(in crate::transport) struct Proxies {
    for_http: Option<Proxy>,
    for_https: Option<Proxy>,
    /// Hosts that are reached directly.
    except: Vec<String>,
}

impl Proxies {
    pub(in crate::transport) fn new(choice: ProxyChoice) -> Result<Proxies> {
        match choice {
            ProxyChoice::Direct => {
                Ok(Proxies { for_http: None, for_https: None, except: Vec::new() })
            }
            ProxyChoice::Url(url) => {
                let proxy = Proxy::parse("proxy", &url)?;
                Ok(Proxies {
                    for_http: Some(proxy.clone()),
                    for_https: Some(proxy),
                    except: Vec::new(),
                })
            }
            ProxyChoice::Environment => Proxies::from_environment(|name| {
                std::env::var(name).ok().filter(|value| !value.is_empty())
            }),
        }
    }

    /// `HTTP_PROXY` counts in lower case alone: a CGI program gets it from its caller.
    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Proxies> {
        let first = |names: &[&str]| {
            let found = names.iter().find_map(|name| Some((*name, variable(name)?)));
            found.map(|(name, url)| Proxy::parse(name, &url)).transpose()
        };
        let except = variable("no_proxy").or_else(|| variable("NO_PROXY")).unwrap_or_default();
        Ok(Proxies {
            for_http: first(&["http_proxy", "all_proxy", "ALL_PROXY"])?,
            for_https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            except: except.split(',').map(|entry| entry.trim().to_lowercase()).collect(),
        })
    }

    /// What proves to them who asks.
    pub(in crate::transport) fn secrets(&self) -> Vec<Secret> {
        let proxies = self.for_http.iter().chain(&self.for_https);
        let users = proxies.filter_map(|proxy| proxy.credentials.as_ref());
        users.flat_map(|(user, password)| Secret::of_user(user, password)).collect()
    }

    /// The proxy to reach `origin` through.
    pub(super) fn find(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = if origin.is_https() { &self.for_https } else { &self.for_http };
        let (host, port) = (origin.host(), origin.port());
        let excepted = || self.except.iter().any(|entry| excepts(entry, host, port));
        proxy.as_ref().filter(|_| !excepted())
    }
}

/// Whether an entry of `NO_PROXY` names `host`: a name with all below it, an address, a
/// range of addresses, each perhaps with a port; or `*`.
fn excepts(entry: &str, host: &str, port: u16) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    if entry == "*" {
        return true;
    }
    let (entry, at_port) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => {
            (name, digits.parse::<u16>().ok())
        }
        _ => (entry, None),
    };
    if entry.is_empty() || at_port.is_some_and(|at_port| at_port != port) {
        return false;
    }
    let entry = entry.trim_start_matches('[').trim_end_matches(']').trim_start_matches('.');
    if let Ok(address) = host.parse::<IpAddr>() {
        let (range, bits) = entry.split_once('/').unwrap_or((entry, ""));
        return range.parse().is_ok_and(|range| in_range(address, range, bits.parse().ok()));
    }
    host == entry || host.strip_suffix(entry).is_some_and(|before| before.ends_with('.'))
}

impl Proxy {
    /// Whether this proxy is itself spoken to over TLS.
    pub(super) fn is_over_tls(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Asks for a tunnel to `host` over a fresh connection to this proxy.
    pub(super) fn tunnel(
        &self,
        stream: &mut (impl Read + Write),
        host: &str,
        port: u16,
        reach: Reach,
        token: &CancelToken,
    ) -> Result<()> {
        match self.scheme {
            Scheme::Http | Scheme::Https => {
                reach.check_host(host)?;
                self.connect(stream, host, port)
            }
            Scheme::Socks5 => {
                let address = tcp::address(host, port, reach, token)?;
                self.socks(stream, &socks_address(&address), port)
            }
            Scheme::Socks5h => {
                reach.check_host(host)?;
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                let address = match bare.parse() {
                    Ok(address) => socks_address(&address),
                    Err(_) => {
                        let length = u8::try_from(bare.len()).map_err(|_| {
                            Error::new(
                                ErrorKind::Argument,
                                "the host's name is longer than 255 bytes",
                            )
                        })?;
                        [&[3, length], bare.as_bytes()].concat()
                    }
                };
                self.socks(stream, &address, port)
            }
        }
    }

    /// HTTP's CONNECT (RFC 9110, 9.3.6).
    fn connect(&self, stream: &mut (impl Read + Write), host: &str, port: u16) -> Result<()> {
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
        if let Some((user, password)) = &self.credentials {
            let credentials = BASE64.encode(format!("{user}:{password}"));
            request.push_str(&format!("Proxy-Authorization: Basic {credentials}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).map_err(|error| self.lost(&error))?;
        // Byte by byte: what follows the head belongs to the tunnel.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).map_err(|error| self.lost(&error))?;
            head.extend(byte);
            if head.len() > MAX_HEAD {
                return Err(self.refused("answers with a head that has no end"));
            }
        }
        let head = String::from_utf8_lossy(&head);
        let line = head.lines().next().unwrap_or_default();
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next().and_then(|status| status.parse::<u16>().ok())) {
            (Some(version), Some(200..=299)) if version.starts_with("HTTP/1") => Ok(()),
            (_, Some(status @ (401 | 407))) => {
                Err(self.refused(&format!("wants a user and a password, or other ones ({status})")))
            }
            (_, Some(status)) => {
                Err(self.refused(&format!("refuses a tunnel to {host}:{port} ({status})")))
            }
            _ => Err(self.refused("does not answer in HTTP")),
        }
    }

    /// SOCKS 5 (RFC 1928), with user and password where the proxy wants them (RFC 1929).
    fn socks(&self, stream: &mut (impl Read + Write), address: &[u8], port: u16) -> Result<()> {
        let mut exchange = |request: &[u8], reply: &mut [u8]| {
            let sent = stream.write_all(request).and_then(|()| stream.read_exact(reply));
            sent.map_err(|error| self.lost(&error))
        };
        let methods: &[u8] = if self.credentials.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
        let mut method = [0; 2];
        exchange(methods, &mut method)?;
        match (method, &self.credentials) {
            ([5, 0], _) => {}
            ([5, 2], Some((user, password))) => {
                let field = |text: &str| {
                    let length = u8::try_from(text.len());
                    let length =
                        length.map_err(|_| self.refused("takes no user or password that long"))?;
                    Ok([&[length], text.as_bytes()].concat())
                };
                let mut verdict = [0; 2];
                exchange(&[&[1][..], &field(user)?, &field(password)?].concat(), &mut verdict)?;
                if verdict != [1, 0] {
                    return Err(self.refused("does not accept the user and password"));
                }
            }
            ([5, _], _) => return Err(self.refused("wants a user and a password")),
            _ => return Err(self.refused("does not answer in SOCKS 5")),
        }
        let mut reply = [0; 4];
        exchange(&[&[5, 1, 0], address, &port.to_be_bytes()].concat(), &mut reply)?;
        let [5, verdict, _, kind] = reply else {
            return Err(self.refused("does not answer in SOCKS 5"));
        };
        if verdict != 0 {
            const REASONS: [&str; 8] = [
                "general failure",
                "not allowed",
                "network unreachable",
                "host unreachable",
                "connection refused",
                "time to live expired",
                "command not supported",
                "address type not supported",
            ];
            let reason = REASONS.get(usize::from(verdict) - 1).copied().unwrap_or("unknown reason");
            return Err(self.refused(&format!("makes no connection: {reason}")));
        }
        // The address that it connected from: of no use, but in the way.
        let mut length = [0];
        let length = match kind {
            1 => 4,
            4 => 16,
            _ => {
                exchange(&[], &mut length)?;
                let [length] = length;
                usize::from(length)
            }
        };
        let mut rest = [0; 257];
        exchange(&[], rest.get_mut(..length + 2).unwrap_or_default())
    }

    fn refused(&self, what: &str) -> Error {
        Error::new(ErrorKind::Connect, format!("the proxy {}:{} {what}", self.host, self.port))
            .not_to_be_retried()
    }

    fn lost(&self, error: &std::io::Error) -> Error {
        match ours(error) {
            Some(ours) => ours,
            None => Error::new(
                ErrorKind::Connect,
                format!("the proxy {}:{} closed the connection: {error}", self.host, self.port),
            ),
        }
    }
}

fn socks_address(address: &IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => [&[1][..], &address.octets()].concat(),
        IpAddr::V6(address) => [&[4][..], &address.octets()].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Url;

    #[test]
    fn no_proxy_names_hosts_domains_addresses_and_ranges() {
        for (entry, host, port, excepted) in [
            ("*", "a.example", 443, true),
            ("example.org", "example.org", 443, true),
            ("example.org", "api.example.org", 443, true),
            (".example.org", "api.example.org", 443, true),
            ("example.org", "badexample.org", 443, false),
            ("example.org:8080", "example.org", 443, false),
            ("example.org:443", "api.example.org", 443, true),
            ("127.0.0.1", "127.0.0.1", 80, true),
            ("10.0.0.0/8", "10.1.2.3", 80, true),
            ("10.0.0.0/8", "11.1.2.3", 80, false),
            ("fd00::/8", "[fd00::1]", 80, true),
            ("::1", "[::1]", 80, true),
            ("", "example.org", 80, false),
        ] {
            assert_eq!(excepts(entry, host, port), excepted, "{entry} {host}:{port}");
        }
    }

    #[test]
    fn environment_is_read_by_curls_rules() {
        let environment = |name: &str| match name {
            "HTTP_PROXY" => Some("http://wrong".to_owned()),
            "HTTPS_PROXY" => Some("http://user:p%40ss@secure:3128/".to_owned()),
            "ALL_PROXY" => Some("socks5h://all".to_owned()),
            "NO_PROXY" => Some("localhost, .corp".to_owned()),
            _ => None,
        };
        let proxies = Proxies::from_environment(environment).unwrap();
        let origin = |url: &str| Url::parse(url).unwrap().origin().clone();
        let secure = proxies.find(&origin("https://a.example")).unwrap();
        assert_eq!((&*secure.host, secure.port), ("secure", 3128));
        assert_eq!(secure.credentials, Some(("user".to_owned(), "p@ss".to_owned())));
        let plain = proxies.find(&origin("http://a.example")).unwrap();
        assert_eq!((&*plain.host, plain.scheme), ("all", Scheme::Socks5h));
        assert!(proxies.find(&origin("https://localhost")).is_none());
        assert!(proxies.find(&origin("https://x.corp")).is_none());
    }

    #[test]
    fn wrong_proxies_are_told_what_is_right_without_showing_them() {
        for url in ["ftp://secret@host", "http://secret@host:port", "http://secret@"] {
            let error = Proxies::new(ProxyChoice::Url(url.to_owned())).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Argument);
            assert!(!error.message().contains("secret"), "{}", error.message());
        }
    }
}
