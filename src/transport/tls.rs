//! TLS by rustls: which roots are trusted, and who we are.

use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Error, ErrorKind, Result};

/// Which certificates are trusted before those that are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Mozilla's, compiled in.
    Bundled,
    /// The system's; Mozilla's where it has none.
    Platform,
    /// None.
    OnlyCa,
}

pub(crate) struct TlsOptions {
    pub(crate) roots: Roots,
    /// More certificates to trust, in PEM.
    pub(crate) extra_ca_pem: Vec<Vec<u8>>,
    pub(crate) verify: bool,
    /// Where there are any, the chain has to have a public key of one of these hashes.
    pub(crate) pins: Vec<[u8; 32]>,
    /// Certificate chain and key of this client, in PEM.
    pub(crate) client_identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// One config for a transport: session tickets live in it.
pub(super) fn config(options: &TlsOptions) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Internal, format!("TLS: {error}")))?;
    let builder = if options.verify && options.pins.is_empty() {
        builder.with_root_certificates(roots(options)?)
    } else {
        let check = Check::new(options, provider)?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(check))
    };
    let mut config = match &options.client_identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates("client_cert", chain)?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
                wrong("client_key", &format!("has no private key in PEM: {error}"))
            })?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                wrong("client_cert", &format!("does not go with client_key: {error}"))
            })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(options: &TlsOptions) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    if options.roots == Roots::Platform {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if options.roots == Roots::Bundled || (options.roots == Roots::Platform && store.is_empty()) {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for pem in &options.extra_ca_pem {
        for certificate in certificates("ca_pem", pem)? {
            store.add(certificate).map_err(|error| {
                wrong("ca_pem", &format!("has a certificate that is none: {error}"))
            })?;
        }
    }
    if store.is_empty() {
        return Err(wrong("tls_roots", "is \"only_ca\", which wants \"ca_file\" or \"ca_pem\""));
    }
    Ok(store)
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| wrong(key, &format!("is not PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(wrong(key, "has no certificate in PEM"));
    }
    Ok(certificates)
}

fn wrong(key: &str, what: &str) -> Error {
    Error::new(ErrorKind::Argument, format!("{key:?} {what}"))
}

/// What is asked of a server's certificate where it is not just to be trusted.
struct Check {
    /// `None` is what `tls_verify` "false" asks for: any certificate will do.
    trusted: Option<Arc<WebPkiServerVerifier>>,
    /// Where there are any, the chain has one of these public keys (RFC 7469, 2.6).
    pins: Vec<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl Check {
    fn new(options: &TlsOptions, provider: Arc<CryptoProvider>) -> Result<Check> {
        let trusted = if options.verify {
            let roots = Arc::new(roots(options)?);
            let trusted = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
            let trusted = trusted.build();
            Some(trusted.map_err(|error| wrong("tls_roots", &format!("cannot be used: {error}")))?)
        } else {
            None
        };
        Ok(Check { trusted, pins: options.pins.clone(), provider })
    }

    fn is_pinned(&self, certificate: &CertificateDer<'_>) -> bool {
        let parsed = ParsedCertificate::try_from(certificate);
        parsed.is_ok_and(|parsed| {
            let hash = digest(&SHA256, &parsed.subject_public_key_info());
            self.pins.iter().any(|pin| pin == hash.as_ref())
        })
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Check")
    }
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if let Some(trusted) = &self.trusted {
            trusted.verify_server_cert(certificate, chain, name, ocsp, now)?;
        }
        let mut all = [certificate].into_iter().chain(chain);
        if self.pins.is_empty() || all.any(|certificate| self.is_pinned(certificate)) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General("no public key of the server is among tls_pins".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
