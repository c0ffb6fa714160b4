//! Through proxies that are other people's: tinyproxy and microsocks.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use std::fs;
use std::process::Command;

use support::process::Process;
use support::server::Server;
use support::{c, openai};

fn server() -> Server {
    Server::start(|exchange| exchange.stream(openai::stream(&["Hi"])))
}

/// The lines of tests/c/stream.c, which is told of a proxy by a key or by its environment.
fn ask(url: &str, proxy: &str, environment: &[(&str, &str)]) -> String {
    let program = c::program("stream").arg(url).arg(format!("proxy={proxy}")).arg("max_retries=0");
    let program = [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ]
    .iter()
    .fold(program, |program, name| program.env(name, None));
    let program =
        environment.iter().fold(program, |program, (name, value)| program.env(name, Some(value)));
    program.run().passed().stdout
}

fn assert_answered(said: &str) {
    assert!(said.contains("text 0 0 \"Hi\"") && said.contains("\nend\n"), "{said}");
}

/// tinyproxy, which asks for a user and a password where `credentials` are given.
fn tinyproxy(name: &str, credentials: Option<&str>) -> Option<Process> {
    Process::start("tinyproxy", |port| {
        let config = c::workshop().join(format!("{name}.conf"));
        let auth = credentials.map(|pair| format!("BasicAuth {pair}\n")).unwrap_or_default();
        fs::write(
            &config,
            format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\n{auth}"),
        )
        .unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(config);
        command
    })
}

fn microsocks(args: &[&str]) -> Option<Process> {
    Process::start("microsocks", |port| {
        let mut command = Command::new("microsocks");
        command.args(["-i", "127.0.0.1", "-p", &port.to_string()]).args(args);
        command
    })
}

#[test]
fn http_proxy_makes_a_tunnel() {
    let Some(proxy) = tinyproxy("open", None) else { return };
    let server = server();
    assert_answered(&ask(&server.url(), &format!("http://{}", proxy.address()), &[]));
    assert_eq!(server.requests()[0].header("proxy-authorization"), None);
    // A host that is only reachable there would do; one that answers nobody says enough.
    let refused = ask("http://127.0.0.1:1", &format!("http://{}", proxy.address()), &[]);
    assert!(
        refused.starts_with("error TOLMACH_E_CONNECT") && refused.contains("proxy"),
        "{refused}"
    );
}

#[test]
fn http_proxy_with_a_password_wants_it() {
    let Some(proxy) = tinyproxy("closed", Some("user pass")) else { return };
    let server = server();
    let with =
        |userinfo: &str| ask(&server.url(), &format!("http://{userinfo}{}", proxy.address()), &[]);
    assert_answered(&with("user:p%61ss@"));
    for wrong in ["", "user:wrong@"] {
        let refused = with(wrong);
        assert!(
            refused.starts_with("error TOLMACH_E_CONNECT") && refused.contains("wants a user"),
            "{refused}"
        );
        assert!(!refused.contains("wrong"), "{refused}");
    }
}

#[test]
fn socks_proxy_is_given_an_address_or_a_name() {
    let Some(proxy) = microsocks(&[]) else { return };
    let server = server();
    let by_name = format!("http://localhost:{}", server.address().port());
    for scheme in ["socks5", "socks5h"] {
        let proxy = format!("{scheme}://{}", proxy.address());
        assert_answered(&ask(&server.url(), &proxy, &[]));
        assert_answered(&ask(&by_name, &proxy, &[]));
        let refused = ask("http://127.0.0.1:1", &proxy, &[]);
        assert!(
            refused.starts_with("error TOLMACH_E_CONNECT")
                && refused.contains("connection refused"),
            "{refused}"
        );
    }
}

#[test]
fn socks_proxy_with_a_password_wants_it() {
    let Some(proxy) = microsocks(&["-u", "user", "-P", "pass"]) else { return };
    let server = server();
    let with = |userinfo: &str| {
        ask(&server.url(), &format!("socks5h://{userinfo}{}", proxy.address()), &[])
    };
    assert_answered(&with("user:pass@"));
    for wrong in ["", "user:wrong@"] {
        let refused = with(wrong);
        assert!(
            refused.starts_with("error TOLMACH_E_CONNECT") && refused.contains("proxy"),
            "{refused}"
        );
    }
}

#[test]
fn environment_names_the_proxy_unless_told_otherwise() {
    let Some(proxy) = tinyproxy("environment", None) else { return };
    let server = server();
    let url = format!("http://{}", proxy.address());
    let nowhere = "http://127.0.0.1:1";
    assert_answered(&ask(&server.url(), "environment", &[("http_proxy", &url)]));
    assert_answered(&ask(&server.url(), "environment", &[("all_proxy", &url)]));
    let lost = ask(&server.url(), "environment", &[("http_proxy", nowhere)]);
    assert!(lost.starts_with("error TOLMACH_E_CONNECT"), "{lost}");
    assert_answered(&ask(&server.url(), "direct", &[("http_proxy", nowhere)]));
    assert_answered(&ask(
        &server.url(),
        "environment",
        &[("http_proxy", nowhere), ("no_proxy", "example.org, 127.0.0.0/8")],
    ));
    assert_answered(&ask(&server.url(), "environment", &[("HTTP_PROXY", nowhere)]));
}
