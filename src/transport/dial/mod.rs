//! Making connections: through a proxy or not, with TLS or not.

mod proxy;
mod reach;
mod tcp;

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, InvalidMessage};

use super::current;
use super::line::{Line, Link};
use super::secure::Secure;
use super::socket::{Socket, ours};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Origin;
use crate::times::Stage;

pub(in crate::transport) use proxy::Proxies;
pub(in crate::transport) use reach::Reach;

/// How a transport makes its connections.
pub(super) struct Dialler {
    pub(super) proxies: Arc<Proxies>,
    pub(super) reach: Reach,
    pub(super) tls: Arc<ClientConfig>,
}

impl Dialler {
    /// Connects to `origin` for the call at hand.
    pub(super) fn dial(&self, origin: &Origin) -> Result<Link> {
        let token = current::token()?;
        token.connecting();
        token.times().dialling();
        let (host, port) = (origin.host(), origin.port());
        let proxy = self.proxies.find(origin);
        let stream = match proxy {
            Some(proxy) => tcp::connect(&proxy.host, proxy.port, Reach::Any, &token)?,
            None => tcp::connect(host, port, self.reach, &token)?,
        };
        // Where this fails there is no small-packet delay to be had, and that is all.
        stream.set_nodelay(true).ok();
        let socket = Socket::bound(stream, Arc::clone(&token))?;
        let mut link = Link { line: Line { socket, proxy_tls: None }, tls: None };
        if let Some(proxy) = proxy {
            if proxy.is_over_tls() {
                link.line.proxy_tls = Some(self.handshake(&proxy.host, &mut link.line)?);
            }
            proxy.tunnel(&mut link.line, host, port, self.reach, &token)?;
        }
        token.times().reach(Stage::Connected);
        if origin.is_https() {
            token.shaking_hands();
            link.tls = Some(self.handshake(host, &mut link.line)?);
            token.times().reach(Stage::TlsDone);
        }
        // What was sent so far is not of the request.
        current::set_sent(false);
        Ok(link)
    }

    fn handshake(&self, host: &str, line: &mut Line) -> Result<Box<Secure>> {
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let failed = |what: &dyn fmt::Display| {
            Error::new(ErrorKind::Tls, format!("no TLS connection to {host}: {what}"))
        };
        let name = ServerName::try_from(name).map_err(|error| failed(&error))?;
        let mut tls = Secure::new(&self.tls, name).map_err(|error| failed(&error))?;
        while tls.is_handshaking() {
            let step = if tls.wants_write() { tls.write_tls(line) } else { tls.read_tls(line) };
            match step {
                Ok(0) if !tls.wants_write() => {
                    return Err(failed(&"the server closed the connection during the handshake"));
                }
                Ok(_) => {}
                Err(error) => match ours(&error) {
                    Some(ours) => return Err(ours),
                    None => return Err(failed(&error)),
                },
            }
            if let Err(error) = tls.process_new_packets() {
                // The server is told why; whether it hears it does not matter.
                tls.write_tls(line).ok();
                return Err(match &error {
                    rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                        failed(&"it does not answer in TLS (is the URL to begin with http://?)")
                    }
                    rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
                        failed(
                            &"it speaks only other protocols there, such as HTTP/2; this \
                              library speaks HTTP/1.1",
                        )
                    }
                    error => failed(error),
                });
            }
        }
        Ok(Box::new(tls))
    }
}
