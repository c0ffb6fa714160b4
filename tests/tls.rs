//! TLS: whom to trust, and what is said of those whom not to.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring::{default_provider, sign};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
    server::ParsedCertificate,
};
use support::tls::{self, End, Identity};
use support::{c, openai};

/// A server of that identity, which wants clients of `clients` where given; its URL.
fn serve(identity: &Identity, clients: Option<&Identity>, end: End) -> String {
    serve_saying(identity, clients, &openai::stream(&["Hi"]), end)
}

fn serve_saying(identity: &Identity, clients: Option<&Identity>, said: &str, end: End) -> String {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    tls::serve(identity, clients, format!("{head}{said}"), end)
}

fn ask(url: &str, settings: &[String]) -> String {
    let program = c::program("stream").arg(url).arg("max_retries=0");
    settings.iter().fold(program, |program, setting| program.arg(setting)).run().passed().stdout
}

fn trusting(authority: &Identity) -> Vec<String> {
    vec![format!("ca_pem={}", authority.certificate.pem())]
}

fn assert_answered(said: &str) {
    assert!(said.contains("text 0 0 \"Hi\"") && said.contains("\nend\n"), "{said}");
}

fn assert_refused(said: &str, why: &str) {
    assert!(said.starts_with("error TOLMACH_E_TLS") && said.contains(why), "{said}");
}

#[test]
fn private_authority_is_trusted_where_it_is_given_in_addition_or_alone() {
    let authority = Identity::authority();
    let url = serve(&authority.issue("localhost", |_| {}), None, End::Proper);
    assert_answered(&ask(&url, &trusting(&authority)));
    let file = c::workshop().join("ca.pem");
    std::fs::write(&file, authority.certificate.pem()).unwrap();
    let alone = [format!("ca_file={}", file.display()), "tls_roots=only_ca".to_owned()];
    assert_answered(&ask(&url, &alone));
    assert_refused(&ask(&url, &[]), "UnknownIssuer");
    assert_refused(&ask(&url, &["tls_roots=platform".to_owned()]), "UnknownIssuer");
    // Of the same name, but another.
    assert_refused(&ask(&url, &trusting(&Identity::authority())), "BadSignature");
    assert_answered(&ask(&url, &["tls_verify=false".to_owned()]));
}

#[cfg(target_os = "linux")]
#[test]
fn authority_of_the_platform_is_trusted_where_the_platforms_are() {
    let authority = Identity::authority();
    let url = serve(&authority.issue("localhost", |_| {}), None, End::Proper);
    let file = c::workshop().join("platform.pem");
    std::fs::write(&file, authority.certificate.pem()).unwrap();
    // Where OpenSSL, and what does as it does, has the system's certificates from.
    let ask = |roots: &str| {
        let program = c::program("stream").arg(&url).arg("max_retries=0").arg(roots);
        program.env("SSL_CERT_FILE", file.to_str()).run().passed().stdout
    };
    assert_answered(&ask("tls_roots=platform"));
    assert_refused(&ask("tls_roots=bundled"), "UnknownIssuer");
}

#[test]
fn expired_certificate_is_refused() {
    let authority = Identity::authority();
    let expired = authority.issue("localhost", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    assert_refused(&ask(&serve(&expired, None, End::Proper), &trusting(&authority)), "expired");
}

#[test]
fn certificate_of_another_host_is_refused() {
    let authority = Identity::authority();
    let other = authority.issue("other.example", |_| {});
    assert_refused(&ask(&serve(&other, None, End::Proper), &trusting(&authority)), "not valid for");
}

#[test]
fn certificate_that_signed_itself_is_refused() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let url = serve(&Identity { certificate, key }, None, End::Proper);
    assert_refused(&ask(&url, &[]), "UnknownIssuer");
}

/// The hash of the public key of `identity`.
fn pin(identity: &Identity) -> String {
    let parsed = ParsedCertificate::try_from(identity.certificate.der()).unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, &parsed.subject_public_key_info());
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash)
}

/// Shows one chain to every client, whether its key is that of the chain or not.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A server that shows `chain`, signs with `key` and speaks `version` of TLS; its URL.
fn serve_chain(
    chain: &[&Identity],
    key: &KeyPair,
    version: &'static SupportedProtocolVersion,
) -> String {
    let chain: Vec<CertificateDer<'static>> = chain.iter().map(|identity| identity.der()).collect();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let key = sign::any_supported_type(&key.into()).unwrap();
    let shows = Shows(Arc::new(CertifiedKey::new(chain, key)));
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap();
    let config = builder.with_no_client_auth().with_cert_resolver(Arc::new(shows));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    tls::serve_by(config, format!("{head}{}", openai::stream(&["Hi"])), End::Proper)
}

#[test]
fn pinned_certificate_that_is_only_sent_along_does_not_count() {
    let authority = Identity::authority();
    let genuine = authority.issue("localhost", |_| {});
    let issued_by_mistake = authority.issue("localhost", |_| {});
    let pinned = vec![format!("tls_pins={}", pin(&genuine))];
    for version in [&TLS12, &TLS13] {
        let url = serve_chain(&[&issued_by_mistake, &genuine], &issued_by_mistake.key, version);
        assert_refused(&ask(&url, &[trusting(&authority), pinned.clone()].concat()), "tls_pins");
        let blind = [vec!["tls_verify=false".to_owned()], pinned.clone()].concat();
        assert_refused(&ask(&url, &blind), "tls_pins");
    }
}

#[test]
fn pinned_certificate_is_refused_of_a_server_without_its_key() {
    let authority = Identity::authority();
    let genuine = authority.issue("localhost", |_| {});
    let pinned = vec![format!("tls_pins={}", pin(&genuine))];
    for version in [&TLS12, &TLS13] {
        let url = serve_chain(&[&genuine], &KeyPair::generate().unwrap(), version);
        assert_refused(&ask(&url, &[trusting(&authority), pinned.clone()].concat()), "Signature");
        let blind = [vec!["tls_verify=false".to_owned()], pinned.clone()].concat();
        assert_refused(&ask(&url, &blind), "Signature");
    }
}

#[test]
fn pin_of_an_authority_that_the_certificate_was_validated_by_counts() {
    let root = Identity::authority();
    let between = root.issue("Between", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let server = between.issue("localhost", |_| {});
    let other = root.issue("Other", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let url = serve_chain(&[&server, &between, &other], &server.key, &TLS13);
    let pinned = |pinned: &Identity, more: Vec<String>| {
        ask(&url, &[vec![format!("tls_pins={}", pin(pinned))], more].concat())
    };
    for proven in [&server, &between, &root] {
        assert_answered(&pinned(proven, trusting(&root)));
    }
    assert_refused(&pinned(&other, trusting(&root)), "tls_pins");
    // Nothing is validated here: an authority's certificate proves nothing.
    let blind = vec!["tls_verify=false".to_owned()];
    assert_answered(&pinned(&server, blind.clone()));
    for unproven in [&between, &root] {
        assert_refused(&pinned(unproven, blind.clone()), "tls_pins");
    }
}

#[test]
fn server_without_a_pinned_key_is_refused_though_it_is_trusted() {
    let authority = Identity::authority();
    let identity = authority.issue("localhost", |_| {});
    let url = serve(&identity, None, End::Proper);
    let pinned = |pins: String| {
        ask(&url, &[trusting(&authority), vec![format!("tls_pins={pins}")]].concat())
    };
    let other = pin(&Identity::authority());
    assert_answered(&pinned(format!("{other}, {}", pin(&identity))));
    assert_refused(&pinned(other.clone()), "tls_pins");
    // A pin counts also where nothing else does.
    assert_refused(
        &ask(&url, &["tls_verify=false".to_owned(), format!("tls_pins={other}")]),
        "tls_pins",
    );
    assert_answered(&ask(
        &url,
        &["tls_verify=false".to_owned(), format!("tls_pins={}", pin(&identity))],
    ));
    assert_refused(&ask(&url, &[format!("tls_pins={}", pin(&identity))]), "UnknownIssuer");
    let wrong = ask(&url, &["tls_pins=abc".to_owned()]);
    assert!(wrong.starts_with("error TOLMACH_E_ARGUMENT"), "{wrong}");
}

#[test]
fn client_shows_its_certificate_where_one_is_wanted() {
    let authority = Identity::authority();
    let url = serve(&authority.issue("localhost", |_| {}), Some(&authority), End::Proper);
    let client = authority.issue("client", |_| {});
    let mut settings = trusting(&authority);
    let refused = ask(&url, &settings);
    assert!(refused.starts_with("error TOLMACH_E_TLS"), "{refused}");
    settings.push(format!("client_cert={}", client.certificate.pem()));
    let half = ask(&url, &settings);
    assert!(half.starts_with("error TOLMACH_E_ARGUMENT") && half.contains("client_key"), "{half}");
    settings.push(format!("client_key={}", client.key.serialize_pem()));
    assert_answered(&ask(&url, &settings));
}

#[test]
fn answer_over_tls_that_is_cut_is_truncated_and_an_abrupt_end_after_it_is_none() {
    let authority = Identity::authority();
    let identity = authority.issue("localhost", |_| {});
    assert_answered(&ask(&serve(&identity, None, End::Abrupt), &trusting(&authority)));
    let half = openai::stream(&["Hi"]);
    let half = serve_saying(&identity, None, &half[..half.len() / 2], End::Abrupt);
    let cut = ask(&half, &trusting(&authority));
    assert!(cut.contains("error TOLMACH_E_TRUNCATED"), "{cut}");
}

#[test]
fn plain_server_where_tls_was_asked_for_is_told() {
    let server =
        support::server::Server::start(|exchange| exchange.stream(openai::stream(&["Hi"])));
    let said =
        ask(&server.url().replace("http://", "https://"), &["connect_timeout_ms=1000".to_owned()]);
    assert!(
        said.starts_with("error TOLMACH_E_T") || said.starts_with("error TOLMACH_E_CONNECT"),
        "{said}"
    );
}

#[test]
fn certificates_that_are_none_are_told() {
    for (setting, why) in [
        ("ca_pem=nonsense", "no certificate"),
        ("ca_file=/no/such/file", "cannot be read"),
        ("tls_roots=only_ca", "only_ca"),
    ] {
        let said = ask("https://127.0.0.1:1", &[setting.to_owned()]);
        assert!(
            said.starts_with("error TOLMACH_E_ARGUMENT") && said.contains(why),
            "{setting}: {said}"
        );
    }
}

/// A proxy that is spoken to over TLS, of that identity; its URL.
fn https_proxy(identity: &Identity) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let key = PrivatePkcs8KeyDer::from(identity.key.serialize_der());
    let config =
        builder.with_no_client_auth().with_single_cert(vec![identity.der()], key.into()).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut client = StreamOwned::new(connection, stream.unwrap());
            thread::spawn(move || {
                let mut buffer = [0; 16 * 1024];
                let count = client.read(&mut buffer).unwrap();
                let head = String::from_utf8_lossy(&buffer[..count]).into_owned();
                let target =
                    head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap();
                let mut server = TcpStream::connect(target).unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                client.flush().unwrap();
                // One thread serves both directions: each has a moment in turns.
                let moment = Some(Duration::from_millis(2));
                client.sock.set_read_timeout(moment).unwrap();
                server.set_read_timeout(moment).unwrap();
                let waits = |error: &std::io::Error| {
                    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                };
                loop {
                    match client.read(&mut buffer) {
                        Ok(count @ 1..) => server.write_all(&buffer[..count]).unwrap(),
                        Err(error) if waits(&error) => {}
                        _ => return,
                    }
                    match server.read(&mut buffer) {
                        Ok(0) => return,
                        Ok(count) => client
                            .write_all(&buffer[..count])
                            .and_then(|()| client.flush())
                            .unwrap(),
                        Err(error) if waits(&error) => {}
                        Err(_) => return,
                    }
                }
            });
        }
    });
    format!("https://localhost:{port}")
}

#[test]
fn https_proxy_is_spoken_to_over_tls_and_tunnels_tls() {
    let authority = Identity::authority();
    let proxy = https_proxy(&authority.issue("localhost", |_| {}));
    let mut settings = trusting(&authority);
    settings.push(format!("proxy={proxy}"));
    let secure = serve(&authority.issue("localhost", |_| {}), None, End::Proper);
    assert_answered(&ask(&secure, &settings));
    let plain = support::server::Server::start(|exchange| exchange.stream(openai::stream(&["Hi"])));
    assert_answered(&ask(&plain.url(), &settings));
    assert_refused(&ask(&secure, &[format!("proxy={proxy}")]), "UnknownIssuer");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_that_is_sent_can_raise_sigpipe() {
    let authority = Identity::authority();
    let secure = serve(&authority.issue("localhost", |_| {}), None, End::Proper);
    let plain = support::server::Server::start(|exchange| exchange.stream(openai::stream(&["Hi"])));
    let proxy = format!("proxy={}", https_proxy(&authority.issue("localhost", |_| {})));
    let shim = c::preloaded("loud_sockets");
    for url in [&secure, &plain.url()] {
        for proxy in ["proxy=direct", &proxy] {
            let program = c::program("stream").arg(url).arg("tls_verify=false").arg(proxy);
            let program = program.arg("max_retries=0").env("LD_PRELOAD", shim.to_str());
            assert_answered(&program.run().passed().stdout);
        }
    }
}
