//! Servers over TLS, with certificates that the tests make.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A certificate and its key.
pub struct Identity {
    pub certificate: rcgen::Certificate,
    pub key: KeyPair,
}

impl Identity {
    /// An authority of the test's own.
    pub fn authority() -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Identity { certificate: params.self_signed(&key).unwrap(), key }
    }

    /// A certificate that the authority gives to `name`.
    pub fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        Identity { certificate, key }
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }
}

/// How a server ends a connection.
#[derive(Clone, Copy, PartialEq)]
pub enum End {
    Proper,
    /// Without a word to TLS.
    Abrupt,
}

/// A server of that identity, which wants clients of `clients` where given, and answers
/// every one with `answer` and closes; its URL.
pub fn serve(identity: &Identity, clients: Option<&Identity>, answer: String, end: End) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivatePkcs8KeyDer::from(identity.key.serialize_der());
    serve_by(builder.with_single_cert(vec![identity.der()], key.into()).unwrap(), answer, end)
}

/// A server of that config, which answers every request with `answer` and closes; its URL.
pub fn serve_by(config: ServerConfig, answer: String, end: End) -> String {
    let config = Arc::new(config);
    let answer = Arc::new(answer);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let mut head = [0; 64 * 1024];
                // A client that is not welcome is told why; one that does not like the
                // certificate goes away.
                if stream.read(&mut head).is_ok() {
                    stream.write_all(answer.as_bytes()).ok();
                    stream.flush().ok();
                    if end == End::Proper {
                        stream.conn.send_close_notify();
                        stream.flush().ok();
                    }
                }
                // What is unread when a socket closes would reset the connection.
                stream.sock.shutdown(std::net::Shutdown::Write).ok();
                while stream.sock.read(&mut head).is_ok_and(|count| count > 0) {}
            });
        }
    });
    format!("https://localhost:{port}")
}
