//! TLS by rustls: which roots are trusted, and who we are.

use std::fmt;
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::config::Roots;
use crate::error::{Error, ErrorKind, Result};

pub(crate) struct TlsOptions {
    pub(crate) roots: Roots,
    /// More certificates to trust, in PEM.
    pub(crate) extra_ca_pem: Vec<Vec<u8>>,
    pub(crate) verify: bool,
    /// Where there are any, the validated chain has a public key of one of these hashes.
    pub(crate) pins: Vec<[u8; 32]>,
    /// Certificate chain and key of this client, in PEM.
    pub(crate) client_identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// How a transport speaks TLS: session tickets live in it.
pub(super) struct Configs {
    /// As this client.
    pub(super) own: Arc<ClientConfig>,
    /// Without the certificate of this client.
    pub(super) anonymous: Arc<ClientConfig>,
}

pub(super) fn configs(options: &TlsOptions) -> Result<Configs> {
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
    let anonymous = finished(builder.clone().with_no_client_auth());
    let own = match &options.client_identity {
        None => Arc::clone(&anonymous),
        Some((chain, key)) => {
            let chain = certificates("client_cert", chain)?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
                wrong("client_key", &format!("has no private key in PEM: {error}"))
            })?;
            finished(builder.with_client_auth_cert(chain, key).map_err(|error| {
                wrong("client_cert", &format!("does not go with client_key: {error}"))
            })?)
        }
    };
    Ok(Configs { own, anonymous })
}

fn finished(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
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
    trusted: Option<Trusted>,
    /// Hashes of public keys, one of which the server has to prove (RFC 7469, 2.6).
    pins: Vec<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

struct Trusted {
    roots: Arc<RootCertStore>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Check {
    fn new(options: &TlsOptions, provider: Arc<CryptoProvider>) -> Result<Check> {
        let trusted = if options.verify {
            let roots = Arc::new(roots(options)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(
                Arc::clone(&roots),
                Arc::clone(&provider),
            );
            let verifier = verifier
                .build()
                .map_err(|error| wrong("tls_roots", &format!("cannot be used: {error}")))?;
            Some(Trusted { roots, verifier })
        } else {
            None
        };
        Ok(Check { trusted, pins: options.pins.clone(), provider })
    }

    /// Whether the server proves a pinned key. A certificate counts only if it is part of
    /// the proof: anybody can send a copy of somebody else's along with their own.
    ///
    /// The key of the server's own certificate is proven by the signature of the handshake,
    /// the others by the path from it to a trusted root. Where nothing is trusted there is no
    /// such path.
    fn is_pinned(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> bool {
        let Ok(leaf) = EndEntityCert::try_from(certificate) else { return false };
        if self.has(&[&leaf.subject_public_key_info()]) {
            return true;
        }
        let Some(trusted) = &self.trusted else { return false };
        // Of several paths to a root, one with a pinned key is looked for.
        let has_pin = |path: &VerifiedPath<'_>| {
            let anchor = &path.anchor().subject_public_key_info;
            let mut between = path.intermediate_certificates();
            match between.any(|certificate| self.has(&[&certificate.subject_public_key_info()]))
                || self.has(&[&sequence_header(anchor.len()), anchor])
            {
                true => Ok(()),
                false => Err(webpki::Error::UnknownIssuer),
            }
        };
        let path = leaf.verify_for_usage(
            self.provider.signature_verification_algorithms.all,
            &trusted.roots.roots,
            chain,
            now,
            KeyUsage::server_auth(),
            None,
            Some(&has_pin),
        );
        path.is_ok()
    }

    /// Whether the public key (SPKI, in pieces) is a pinned one.
    fn has(&self, key: &[&[u8]]) -> bool {
        let mut hash = Context::new(&SHA256);
        key.iter().for_each(|piece| hash.update(piece));
        let hash = hash.finish();
        self.pins.iter().any(|pin| pin == hash.as_ref())
    }
}

/// The tag and length of a DER sequence of `length` bytes: trusted roots are kept without.
fn sequence_header(length: usize) -> Vec<u8> {
    let bytes = length.to_be_bytes();
    let bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    match (bytes.as_slice(), u8::try_from(bytes.len())) {
        ([], _) => vec![0x30, 0],
        ([short @ ..=0x7f], _) => vec![0x30, *short],
        (long, count) => [&[0x30, 0x80 | count.unwrap_or_default()], long].concat(),
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
            trusted.verifier.verify_server_cert(certificate, chain, name, ocsp, now)?;
        }
        if self.pins.is_empty() || self.is_pinned(certificate, chain, now) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General(
            "no public key that the server proves is among tls_pins".to_owned(),
        ))
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

#[cfg(test)]
mod tests {
    use rustls::server::ParsedCertificate;

    use super::*;

    #[test]
    fn trusted_root_has_the_key_of_its_certificate() {
        // An RSA key: the length of its sequence takes several bytes.
        let pem = include_bytes!("../catalog/gigachat_root.pem");
        let certificate = certificates("ca_pem", pem).unwrap().remove(0);
        let mut store = RootCertStore::empty();
        store.add(certificate.clone()).unwrap();
        let anchor = &store.roots[0].subject_public_key_info;
        let key = [&sequence_header(anchor.len()), &anchor[..]].concat();
        let parsed = ParsedCertificate::try_from(&certificate).unwrap();
        assert_eq!(key, parsed.subject_public_key_info().as_ref());
        for (length, header) in
            [(0, &[0x30, 0][..]), (127, &[0x30, 127]), (128, &[0x30, 0x81, 128])]
        {
            assert_eq!(sequence_header(length), header);
        }
    }
}
