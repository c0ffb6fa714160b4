//! The room against loopback servers: cancelling, deadlines, the pool, proxies, TLS.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::{Limits, Roots};
use crate::http::Method;

const LONG: Duration = Duration::from_secs(20);

fn limits() -> Limits {
    Limits { connect: Some(LONG), first_byte: Some(LONG), idle: Some(LONG), total: None }
}

fn ms(count: u64) -> Option<Duration> {
    Some(Duration::from_millis(count))
}

fn tls_options() -> TlsOptions {
    TlsOptions {
        roots: Roots::Bundled,
        extra_ca_pem: vec![],
        verify: true,
        pins: vec![],
        client_identity: None,
    }
}

fn transport(proxy: ProxyChoice, tls: TlsOptions) -> Transport {
    Transport::new(options(proxy, tls)).unwrap()
}

fn options(proxy: ProxyChoice, tls: TlsOptions) -> Options {
    Options {
        proxy,
        tls,
        max_header_bytes: 64 * 1024,
        recording: RecordingChoice::default(),
        foreign_private: false,
    }
}

fn direct() -> Transport {
    transport(ProxyChoice::Direct, tls_options())
}

fn get(url: &str) -> HttpRequest {
    HttpRequest::get(url, Headers::default())
}

fn text(response: HttpResponse) -> String {
    let mut body = response.body;
    let mut bytes = Vec::new();
    assert!(body.read_to_limit(1 << 20, &mut bytes).unwrap());
    let text = String::from_utf8(bytes).unwrap();
    body.finish();
    text
}

/// Serves each connection, numbered, on a thread of its own; gives the address.
fn serve(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let script = Arc::new(script);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (script, stream) = (Arc::clone(&script), stream.unwrap());
            thread::spawn(move || script(number, stream));
        }
    });
    address
}

/// The head of the next request; "" when there is none.
fn head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn say(stream: &mut impl Write, text: &str) -> bool {
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_ok()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Answers every request of a connection with `answer`.
fn answer(stream: &mut (impl Read + Write), answer: &str) {
    while !head(stream).is_empty() && say(stream, answer) {}
}

/// Passes time on a server: it is no synchronisation.
fn pause(millis: u64) {
    let (_held, never) = mpsc::channel::<()>();
    never.recv_timeout(Duration::from_millis(millis)).ok();
}

/// Holds a connection until the client closes it, and tells.
fn hold(stream: &mut impl Read, closed: &Sender<()>) {
    while stream.read(&mut [0; 512]).is_ok_and(|count| count > 0) {}
    closed.send(()).ok();
}

/// Cancels what `work` does once `reached` is told; gives how it ended.
fn cancelled<T: Send + 'static>(
    reached: &Receiver<()>,
    work: impl FnOnce(&Arc<CancelToken>) -> Result<T> + Send + 'static,
) -> Error {
    let token = CancelToken::new(limits());
    let theirs = Arc::clone(&token);
    let worker = thread::spawn(move || work(&theirs).err());
    reached.recv_timeout(LONG).unwrap();
    // Likely blocked by then; if not, less is tested and nothing fails.
    pause(100);
    let start = Instant::now();
    token.cancel();
    let error = worker.join().unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    error
}

/// A listener whose backlog is full: connecting to it hangs. Lives as long as the rest.
pub(super) fn full() -> (String, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(400)) {
        held.push(stream);
    }
    (address.to_string(), listener, held)
}

#[test]
fn cancel_while_waiting_for_headers() {
    let (reached, reaching) = mpsc::channel();
    let (closed, closing) = mpsc::channel();
    let address = serve(move |_, mut stream| {
        head(&mut stream);
        reached.send(()).unwrap();
        hold(&mut stream, &closed);
    });
    let error = cancelled(&reaching, move |token| {
        direct().send(&get(&format!("http://{address}/")), token)
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    closing.recv_timeout(LONG).unwrap();
}

#[test]
fn cancel_amid_the_body() {
    // Of every framing: without one, an end by cancelling looks like a proper end.
    for framing in [CHUNKED, "HTTP/1.1 200 OK\r\n\r\n"] {
        let (reached, reaching) = mpsc::channel();
        let (closed, _closing) = mpsc::channel();
        let address = serve(move |_, mut stream| {
            head(&mut stream);
            say(&mut stream, &format!("{framing}2\r\nok\r\n"));
            hold(&mut stream, &closed);
        });
        let error = cancelled(&reaching, move |token| {
            let mut response = direct().send(&get(&format!("http://{address}/")), token)?;
            response.body.read(&mut [0; 64])?;
            reached.send(()).unwrap();
            while response.body.read(&mut [0; 64])? > 0 {}
            Ok(())
        });
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn cancel_while_connecting() {
    let (address, _listener, _held) = full();
    let (reached, reaching) = mpsc::channel();
    let error = cancelled(&reaching, move |token| {
        reached.send(()).unwrap();
        direct().send(&get(&format!("http://{address}/")), token)
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn cancel_amid_a_sleep_and_before_a_request() {
    let (reached, reaching) = mpsc::channel();
    let error = cancelled(&reaching, move |token| {
        reached.send(()).unwrap();
        token.sleep(LONG)
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let token = CancelToken::new(limits());
    token.cancel();
    token.cancel();
    let error = direct().send(&get("http://127.0.0.1:9/"), &token).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

/// Sends to a server and reads on, progressing after the head, until an error comes.
fn deadline(limits: Limits, script: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> String {
    let (closed, _closing) = mpsc::channel();
    let address = serve(move |_, mut stream| {
        head(&mut stream);
        script(&mut stream);
        hold(&mut stream, &closed);
    });
    let token = CancelToken::new(limits);
    let start = Instant::now();
    let error = direct().send(&get(&format!("http://{address}/")), &token).and_then(|mut it| {
        token.progress();
        while it.body.read(&mut [0; 64])? > 0 {}
        Ok(())
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(290) && elapsed < LONG / 4, "{elapsed:?}");
    error.message().to_owned()
}

#[test]
fn deadlines_pass_and_say_which() {
    let message = deadline(Limits { first_byte: ms(300), ..limits() }, |_| {});
    assert!(message.contains("300 ms (first_byte_timeout_ms)"), "{message}");
    let message = deadline(Limits { idle: ms(300), ..limits() }, |stream| {
        say(stream, CHUNKED);
    });
    assert!(message.contains("300 ms (idle_timeout_ms)"), "{message}");
    let message = deadline(Limits { total: ms(300), ..limits() }, |stream| {
        say(stream, CHUNKED);
    });
    assert!(message.contains("300 ms (total_timeout_ms)"), "{message}");
}

#[test]
fn keep_alives_do_not_extend_the_idle_deadline() {
    let message = deadline(Limits { idle: ms(300), ..limits() }, |stream| {
        say(stream, CHUNKED);
        while say(stream, "7\r\n: ping\n\r\n") {
            pause(20);
        }
    });
    assert!(message.contains("(idle_timeout_ms)"), "{message}");
}

#[test]
fn connect_deadline_passes_and_is_no_refusal() {
    let (address, _listener, _held) = full();
    // Often: the helper's own deadline ends about when the worker's does.
    for limit in 40..80 {
        let token = CancelToken::new(Limits { connect: ms(limit), ..limits() });
        let error = direct().send(&get(&format!("http://{address}/")), &token).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.message().contains("(connect_timeout_ms)"), "{error}");
    }
}

#[test]
fn a_second_request_of_a_call_has_its_own_time_to_connect() {
    let address = serve(|_, mut stream| answer(&mut stream, OK));
    let (mute, _listener, _held) = full();
    let transport = direct();
    let token = CancelToken::new(Limits { connect: ms(2000), ..limits() });
    assert_eq!(text(transport.send(&get(&format!("http://{address}/")), &token).unwrap()), "ok");
    token.progress();
    // Longer than connecting may take: that of the first request does not count.
    pause(2200);
    let error = transport.send(&get(&format!("http://{mute}/")), &token).err().unwrap();
    assert!(error.message().contains("(connect_timeout_ms)"), "{error}");
    assert_eq!(text(transport.send(&get(&format!("http://{address}/")), &token).unwrap()), "ok");
}

#[test]
fn a_wait_before_any_request_does_not_count_as_connecting() {
    let token = CancelToken::new(Limits { connect: ms(50), ..limits() });
    let (done, waiting) = crossbeam_channel::bounded(0);
    let waiter = thread::spawn({
        let token = Arc::clone(&token);
        move || token.wait_for(&waiting)
    });
    pause(400);
    drop(done);
    waiter.join().unwrap().unwrap();
}

#[test]
fn a_finished_body_frees_its_connection_for_the_next_request() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = serve(move |_, mut stream| {
        count.fetch_add(1, Ordering::SeqCst);
        answer(&mut stream, &format!("{CHUNKED}2\r\nok\r\n0\r\n\r\n"));
    });
    let transport = direct();
    for _ in 0..5 {
        let token = CancelToken::new(limits());
        let mut response = transport.send(&get(&format!("http://{address}/")), &token).unwrap();
        assert_eq!(response.body.read(&mut [0; 2]).unwrap(), 2);
        response.body.finish();
        // Too late: the connection serves another by now.
        token.cancel();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_late_cancel_leaves_the_next_request_of_its_connection_alone() {
    for finished in [true, false] {
        let (ask, asked) = mpsc::channel();
        let (go_on, going_on) = mpsc::channel::<()>();
        let going_on = Mutex::new(going_on);
        let address = serve(move |number, mut stream| {
            assert_eq!(number, 0, "the connection is used again");
            head(&mut stream);
            say(&mut stream, OK);
            head(&mut stream);
            ask.send(()).unwrap();
            going_on.lock().unwrap().recv().unwrap();
            say(&mut stream, OK);
        });
        let transport = Arc::new(direct());
        let url = format!("http://{address}/");
        let first = CancelToken::new(limits());
        let mut body = transport.send(&get(&url), &first).unwrap().body;
        assert!(body.read_to_limit(100, &mut Vec::new()).unwrap());
        if finished {
            body.finish();
        }
        let second = thread::spawn({
            let transport = Arc::clone(&transport);
            move || transport.send(&get(&url), &CancelToken::new(limits())).map(text)
        });
        asked.recv_timeout(LONG).unwrap();
        first.cancel();
        // Longer than what is left of a spent body may take.
        pause(300);
        go_on.send(()).unwrap();
        assert_eq!(second.join().unwrap().unwrap(), "ok");
    }
}

#[test]
fn a_body_that_does_not_end_is_not_waited_for() {
    let (closed, closing) = mpsc::channel();
    let address = serve(move |_, mut stream| {
        head(&mut stream);
        say(&mut stream, CHUNKED);
        hold(&mut stream, &closed);
    });
    let token = CancelToken::new(limits());
    let response = direct().send(&get(&format!("http://{address}/")), &token).unwrap();
    response.body.finish();
    closing.recv_timeout(LONG).unwrap();
}

#[test]
fn a_dropped_body_closes_its_connection_though_the_token_lives() {
    let (closed, closing) = mpsc::channel();
    let address = serve(move |_, mut stream| {
        head(&mut stream);
        say(&mut stream, CHUNKED);
        hold(&mut stream, &closed);
    });
    let token = CancelToken::new(limits());
    let response = direct().send(&get(&format!("http://{address}/")), &token).unwrap();
    drop(response);
    closing.recv_timeout(Duration::from_secs(3)).unwrap();
    drop(token);
}

#[test]
fn finishing_one_response_leaves_another_of_the_call_cancellable() {
    let (closed, _closing) = mpsc::channel();
    let address = serve(move |number, mut stream| {
        head(&mut stream);
        if number == 0 {
            say(&mut stream, OK);
        } else {
            say(&mut stream, CHUNKED);
        }
        hold(&mut stream, &closed);
    });
    let (reached, reaching) = mpsc::channel();
    let error = cancelled(&reaching, move |token| {
        let transport = direct();
        let url = format!("http://{address}/");
        let first = transport.send(&get(&url), token)?;
        let mut second = transport.send(&get(&url), token)?;
        let mut first = first.body;
        while first.read(&mut [0; 64])? > 0 {}
        reached.send(()).unwrap();
        second.body.read(&mut [0; 64])
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn a_kept_connection_that_the_server_closed_is_replaced() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let address = serve(move |number, mut stream| {
        while !head(&mut stream).is_empty() {
            let requests = count.fetch_add(1, Ordering::SeqCst);
            if number == 0 && requests == 1 {
                return;
            }
            say(&mut stream, OK);
        }
    });
    let transport = direct();
    for _ in 0..2 {
        let token = CancelToken::new(limits());
        let response = transport.send(&get(&format!("http://{address}/")), &token).unwrap();
        assert_eq!(text(response), "ok");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[test]
fn a_request_that_may_have_been_processed_is_sent_again_only_where_that_is_allowed() {
    for (method, resend, requests) in [
        (Method::Post, true, 3),
        (Method::Post, false, 2),
        (Method::Get, true, 3),
        (Method::Get, false, 3),
    ] {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let address = serve(move |_, mut stream| {
            // The second request is taken, and not answered.
            while !head(&mut stream).is_empty() && count.fetch_add(1, Ordering::SeqCst) != 1 {
                say(&mut stream, OK);
            }
        });
        let transport = direct();
        let url = format!("http://{address}/");
        let request =
            HttpRequest { method, resend, ..HttpRequest::post(&url, Headers::default(), vec![]) };
        assert_eq!(text(transport.send(&request, &CancelToken::new(limits())).unwrap()), "ok");
        let second = transport.send(&request, &CancelToken::new(limits()));
        assert_eq!(
            second.map(text).map_err(|error| error.kind()),
            match requests {
                3 => Ok("ok".to_owned()),
                _ => Err(ErrorKind::Connect),
            }
        );
        assert_eq!(seen.load(Ordering::SeqCst), requests, "{method:?} {resend}");
    }
}

#[test]
fn a_kept_connection_that_closed_before_anything_was_sent_is_always_replaced() {
    let (close, closed) = mpsc::channel();
    let address = serve(move |number, mut stream| {
        head(&mut stream);
        say(&mut stream, OK);
        if number == 0 {
            stream.shutdown(std::net::Shutdown::Both).ok();
            close.send(()).unwrap();
        }
    });
    let transport = direct();
    let url = format!("http://{address}/");
    let request = HttpRequest::post(&url, Headers::default(), vec![b'x']);
    let request = HttpRequest { resend: false, ..request };
    let ask = || text(transport.send(&request, &CancelToken::new(limits())).unwrap());
    assert_eq!(ask(), "ok");
    closed.recv_timeout(LONG).unwrap();
    assert_eq!(ask(), "ok");
}

#[test]
fn a_new_connection_that_the_server_closes_is_an_error_at_once() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let address = serve(move |_, mut stream| {
        head(&mut stream);
        count.fetch_add(1, Ordering::SeqCst);
    });
    let token = CancelToken::new(limits());
    let error = direct().send(&get(&format!("http://{address}/")), &token).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[test]
fn an_early_refusal_of_a_big_upload_is_heard() {
    let address = serve(|_, mut stream| {
        head(&mut stream);
        say(&mut stream, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
        stream.shutdown(std::net::Shutdown::Both).ok();
    });
    let url = format!("http://{address}/");
    let request = HttpRequest::post(&url, Headers::default(), vec![b'x'; 5 << 20]);
    let response = direct().send(&request, &CancelToken::new(limits())).unwrap();
    assert_eq!((response.status, text(response)), (413, "big".to_owned()));
}

#[test]
fn an_early_refusal_of_a_big_upload_is_heard_over_tls() {
    let (pem, _, config) = certificate();
    let address = serve(move |_, stream| {
        let mut stream = secured(&config, stream);
        head(&mut stream);
        say(&mut stream, "HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nwho");
        stream.sock.shutdown(std::net::Shutdown::Both).ok();
    });
    let options = TlsOptions { extra_ca_pem: vec![pem], ..tls_options() };
    let transport = transport(ProxyChoice::Direct, options);
    for _ in 0..5 {
        let url = format!("https://{address}/");
        let request = HttpRequest::post(&url, Headers::default(), vec![b'x'; 5 << 20]);
        let response = transport.send(&request, &CancelToken::new(limits())).unwrap();
        assert_eq!((response.status, text(response)), (401, "who".to_owned()));
    }
}

#[test]
fn legal_answers_that_few_servers_give_are_understood() {
    let many: String = (0..1000).map(|n| format!("X-{n}: y\r\n")).collect();
    for reply in [
        format!("HTTP/1.1 100 Continue\r\nX-Interim: y\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n{OK}"),
        format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 2\r\n\r\nok"),
        format!("{CHUNKED}2;name=\"a value of some length\"\r\nok\r\n0;end\r\nX: y\r\n\r\n"),
        format!("{CHUNKED}1\r\no\r\n0000000000000000000000001\r\nk\r\n0\r\n\r\n"),
    ] {
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let address = serve(move |_, mut stream| {
            count.fetch_add(1, Ordering::SeqCst);
            answer(&mut stream, &reply);
        });
        let transport = direct();
        for _ in 0..3 {
            let token = CancelToken::new(limits());
            let response = transport.send(&get(&format!("http://{address}/")), &token).unwrap();
            assert_eq!(response.headers.get("x-interim"), None);
            assert_eq!(text(response), "ok");
        }
        // Each answer is read to its end, so that the connection can be used again.
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn connection_is_not_used_again_when_the_end_of_its_answer_is_doubtful() {
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    for (first, head, body) in [
        ("HTTP/1.1", "Content-Length: 1\r\nTransfer-Encoding: chunked", chunks),
        ("HTTP/1.0", "Connection: keep-alive\r\nTransfer-Encoding: x\r\nContent-Length: 2", "ok"),
    ] {
        let reply = format!("{first} 200 OK\r\n{head}\r\n\r\n{body}");
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let address = serve(move |_, mut stream| {
            count.fetch_add(1, Ordering::SeqCst);
            answer(&mut stream, &reply);
        });
        let transport = direct();
        for asked in 1..=3 {
            let token = CancelToken::new(limits());
            let response = transport.send(&get(&format!("http://{address}/")), &token).unwrap();
            assert_eq!(text(response), "ok", "{head}");
            assert_eq!(connections.load(Ordering::SeqCst), asked, "{head}");
        }
    }
}

#[test]
fn body_whose_last_coding_is_not_chunked_ends_with_the_connection() {
    for coding in ["x", "chunked, x"] {
        let reply = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: {coding}\r\n\r\nok"
        );
        let address = serve(move |_, mut stream| {
            head(&mut stream);
            say(&mut stream, &reply);
        });
        let token = CancelToken::new(limits());
        let response = direct().send(&get(&format!("http://{address}/")), &token).unwrap();
        assert_eq!(text(response), "ok", "{coding}");
    }
}

#[test]
fn bodies_in_codings_that_cannot_be_read_name_them() {
    let outcome = |coding: &str, body: &str| {
        let reply = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let address = serve(move |_, mut stream| answer(&mut stream, &reply));
        let token = CancelToken::new(limits());
        let mut response = direct().send(&get(&format!("http://{address}/")), &token)?;
        let mut bytes = Vec::new();
        response.body.read_to_limit(1000, &mut bytes)?;
        Ok::<_, Error>(String::from_utf8(bytes).unwrap())
    };
    for coding in ["br", "Deflate", "zstd", "compress", "gzip, br", "odd"] {
        let error = outcome(coding, "\u{1}\u{2}\u{3}").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.message().contains(&format!("{:?}", coding.to_lowercase())), "{error}");
    }
    for coding in ["gzip", "X-GZIP", "identity", "", "UTF-8"] {
        assert_eq!(outcome(coding, "plain").unwrap(), "plain", "{coding}");
    }
    // There is nothing that would have to be read.
    assert_eq!(outcome("br", "").unwrap(), "");
}

#[test]
fn header_lines_and_urls_of_any_length_are_sent() {
    let (tell, told) = mpsc::channel();
    let address = serve(move |_, mut stream| {
        tell.send(head(&mut stream)).unwrap();
        say(&mut stream, OK);
    });
    let path = "p".repeat(40_000);
    let mut headers = Headers::default();
    headers.set("X-Long", &"v".repeat(200_000)).unwrap();
    headers.set("Host", "other.example").unwrap();
    let request = HttpRequest::post(&format!("http://{address}/{path}"), headers, vec![b'x'; 9]);
    assert_eq!(text(direct().send(&request, &CancelToken::new(limits())).unwrap()), "ok");
    let head = told.recv_timeout(LONG).unwrap();
    assert!(head.starts_with(&format!("POST /{path} HTTP/1.1\r\n")));
    assert!(head.contains(&format!("\r\nx-long: {}\r\n", "v".repeat(200_000))));
    assert!(head.contains("\r\nhost: other.example\r\n"));
}

#[test]
fn reset_is_not_the_proper_end_of_a_body_without_a_length() {
    let (tell, told) = mpsc::channel();
    let told = Mutex::new(told);
    let address = serve(move |_, mut stream| {
        head(&mut stream);
        say(&mut stream, "HTTP/1.1 200 OK\r\n\r\nhalf");
        // What is not read yet when the reset comes is lost.
        told.lock().unwrap().recv_timeout(LONG).unwrap();
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let token = CancelToken::new(limits());
    let mut body = direct().send(&get(&format!("http://{address}/")), &token).unwrap().body;
    let mut buffer = [0; 16];
    let mut count = 0;
    while count < "half".len() {
        count += body.read(&mut buffer).unwrap();
    }
    tell.send(()).unwrap();
    assert_eq!(body.read(&mut buffer).unwrap(), 0);
    assert!(!token.is_whole());
}

#[test]
fn servers_that_speak_something_else_are_told_apart() {
    let reply = |bytes: &'static [u8]| {
        let address = serve(move |_, mut stream| {
            head(&mut stream);
            stream.write_all(bytes).unwrap();
            // It stays open: what was said is enough.
            head(&mut stream);
        });
        direct()
            .send(&get(&format!("http://{address}/")), &CancelToken::new(limits()))
            .err()
            .unwrap()
    };
    let error = reply(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("speaks only HTTP/2"), "{error}");
    let error = reply(b"\x15\x03\x03\0\x02\x02\x46");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("https://"), "{error}");
}

#[test]
fn servers_that_speak_no_tls_or_only_http_2_over_it_are_told_apart() {
    let ask = |address: String, limits: Limits| {
        let url = format!("https://{address}/");
        let options = TlsOptions { verify: false, ..tls_options() };
        let transport = transport(ProxyChoice::Direct, options);
        transport.send(&get(&url), &CancelToken::new(limits)).err().unwrap()
    };
    let plain = serve(|_, mut stream| {
        stream.read_exact(&mut [0; 5]).ok();
        say(&mut stream, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        std::io::copy(&mut stream, &mut std::io::sink()).ok();
    });
    let error = ask(plain, limits());
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.message().contains("http://"), "{error}");
    let waiting = serve(|_, mut stream| drop(std::io::copy(&mut stream, &mut std::io::sink())));
    let error = ask(waiting, Limits { connect: ms(2000), ..limits() });
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        error.message().contains("TLS") && error.message().contains("connect_timeout_ms"),
        "{error}"
    );
    let mut config = ServerConfig::clone(&certificate().2);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    let modern = serve(move |_, stream| drop(head(&mut secured(&config, stream))));
    let error = ask(modern, limits());
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.message().contains("HTTP/2"), "{error}");
}

#[test]
fn answers_that_are_cut_malformed_or_too_large_are_told_apart() {
    let large = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    for (reply, kind) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_owned(), ErrorKind::Truncated),
        (format!("{CHUNKED}9\r\nshort"), ErrorKind::Truncated),
        (format!("{CHUNKED}2\r\nok\r\n"), ErrorKind::Truncated),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(), ErrorKind::Protocol),
        (format!("{CHUNKED}zz\r\nok\r\n"), ErrorKind::Protocol),
        (large, ErrorKind::TooLarge),
    ] {
        let shown = reply.get(..40).unwrap_or(&reply).to_owned();
        let address = serve(move |_, mut stream| {
            head(&mut stream);
            say(&mut stream, &reply);
            stream.shutdown(std::net::Shutdown::Write).ok();
            head(&mut stream);
        });
        let token = CancelToken::new(limits());
        let outcome = direct().send(&get(&format!("http://{address}/")), &token);
        let error =
            outcome.and_then(|mut it| it.body.read_to_limit(1000, &mut Vec::new())).err().unwrap();
        assert_eq!(error.kind(), kind, "{shown:?}: {error}");
    }
}

#[test]
fn heads_up_to_the_limit_and_redirects_come_as_they_are() {
    let value = "x".repeat(50_000);
    let reply =
        format!("HTTP/1.1 302 Found\r\nLocation: /b\r\nX: {value}\r\nContent-Length: 2\r\n\r\nok");
    let address = serve(move |_, mut stream| answer(&mut stream, &reply));
    let token = CancelToken::new(limits());
    let response = direct().send(&get(&format!("http://{address}/")), &token).unwrap();
    assert_eq!((response.status, response.headers.get("LOCATION")), (302, Some("/b")));
    assert_eq!(response.headers.get("x").map(str::len), Some(50_000));
    assert_eq!(text(response), "ok");
}

#[test]
fn wrong_urls_are_refused_without_showing_their_secrets() {
    for url in [
        "/v1?key=SECRET",
        "ftp://user:SECRET@host.example/?key=SECRET",
        "host.example?key=SECRET",
        "http://user:SECRET@/",
        "http://user:SECRET@host.example/",
        "http://127.0.0.1:99999/?key=SECRET",
        "http://127.0.0.1:80a/?key=SECRET",
        "http://a b/?key=SECRET",
    ] {
        let error = direct().send(&get(url), &CancelToken::new(limits())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Argument, "{url}: {error}");
        assert!(!error.message().contains("SECRET"), "{error}");
    }
}

#[test]
fn unknown_hosts_and_refused_connections_are_named() {
    let token = CancelToken::new(limits());
    let error = direct().send(&get("http://no-such-host.invalid/"), &token).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Dns);
    assert!(error.message().contains("no-such-host.invalid"), "{error}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/");
    let error = direct().send(&get(&url), &token).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.message().contains(&format!("127.0.0.1:{port}")), "{error}");
}

/// Speaks as what the tunnel leads to.
fn behind(stream: &mut TcpStream, asked: &Mutex<String>, what: String) {
    *asked.lock().unwrap() = what;
    head(stream);
    say(stream, OK);
}

#[test]
fn connect_proxy_gives_a_tunnel_for_a_user_and_password() {
    let asked = Arc::new(Mutex::new(String::new()));
    let theirs = Arc::clone(&asked);
    let address = serve(move |_, mut stream| {
        let request = head(&mut stream);
        // "user:p@ss"
        if request.contains("\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n") {
            // In one piece with the head that ends it: none of it may be lost.
            say(&mut stream, "HTTP/1.1 200 Connection established\r\n\r\n");
            behind(&mut stream, &theirs, request);
        } else {
            say(&mut stream, "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let send = |userinfo: &str| {
        let proxy = ProxyChoice::Url(format!("http://{userinfo}@{address}"));
        let token = CancelToken::new(limits());
        transport(proxy, tls_options()).send(&get("http://far.invalid:8080/x"), &token)
    };
    assert_eq!(text(send("user:p%40ss").unwrap()), "ok");
    assert!(asked.lock().unwrap().starts_with("CONNECT far.invalid:8080 HTTP/1.1\r\n"));
    let error = send("user:SECRET").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.message().contains("407") && !error.message().contains("SECRET"), "{error}");
}

/// A SOCKS 5 proxy that wants "user" and "pw"; tells the address that it was asked for.
fn socks(stream: &mut TcpStream, asked: &Mutex<String>) -> std::io::Result<()> {
    let mut start = [0; 2];
    stream.read_exact(&mut start)?;
    stream.read_exact(&mut vec![0; usize::from(start[1])])?;
    stream.write_all(&[5, 2])?;
    let mut login = [0; 9];
    stream.read_exact(&mut login)?;
    if &login != b"\x01\x04user\x02pw" {
        return stream.write_all(&[1, 1]);
    }
    stream.write_all(&[1, 0])?;
    let mut request = [0; 4];
    stream.read_exact(&mut request)?;
    let mut length = [4];
    if request[3] == 3 {
        stream.read_exact(&mut length)?;
    }
    let mut place = vec![0; usize::from(length[0]) + 2];
    stream.read_exact(&mut place)?;
    // Bound to a name: its length is in the way as well.
    stream.write_all(b"\x05\x00\x00\x03\x02ab\x00\x00")?;
    let port = place.split_off(usize::from(length[0]));
    let port = u16::from_be_bytes([port[0], port[1]]);
    behind(stream, asked, format!("{}:{}:{port}", request[3], String::from_utf8_lossy(&place)));
    Ok(())
}

#[test]
fn socks_proxies_are_given_names_or_addresses_and_a_password() {
    let asked = Arc::new(Mutex::new(String::new()));
    let theirs = Arc::clone(&asked);
    let address = serve(move |_, mut stream| {
        socks(&mut stream, &theirs).ok();
    });
    let send = |scheme: &str, url: &str| {
        let proxy = ProxyChoice::Url(format!("{scheme}@{address}"));
        let token = CancelToken::new(limits());
        transport(proxy, tls_options()).send(&get(url), &token)
    };
    assert_eq!(text(send("socks5h://user:pw", "http://far.invalid:81/").unwrap()), "ok");
    assert_eq!(&*asked.lock().unwrap(), "3:far.invalid:81");
    assert_eq!(text(send("socks5://user:pw", "http://1.2.3.4:82/").unwrap()), "ok");
    assert_eq!(&*asked.lock().unwrap(), "1:\u{1}\u{2}\u{3}\u{4}:82");
    let error = send("socks5h://user:no", "http://far.invalid:81/").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Connect);
}

/// A certificate for 127.0.0.1 that signs itself: PEM and the server's half.
fn certificate() -> (Vec<u8>, Vec<u8>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.key_pair.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let pem = |text: String| text.into_bytes();
    (pem(made.cert.pem()), pem(made.key_pair.serialize_pem()), Arc::new(config))
}

fn secured(
    config: &Arc<ServerConfig>,
    stream: TcpStream,
) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream)
}

#[test]
fn certificates_are_believed_for_a_reason() {
    let (pem, key, config) = certificate();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = serve(move |_, stream| {
        count.fetch_add(1, Ordering::SeqCst);
        answer(&mut secured(&config, stream), OK);
    });
    let url = format!("https://{address}/");
    let error = direct().send(&get(&url), &CancelToken::new(limits())).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    let identity = Some((pem.clone(), key));
    for options in [
        TlsOptions { extra_ca_pem: vec![pem.clone()], ..tls_options() },
        TlsOptions { extra_ca_pem: vec![pem], roots: Roots::OnlyCa, ..tls_options() },
        TlsOptions { verify: false, client_identity: identity, ..tls_options() },
    ] {
        let transport = transport(ProxyChoice::Direct, options);
        let before = connections.load(Ordering::SeqCst);
        for _ in 0..3 {
            assert_eq!(
                text(transport.send(&get(&url), &CancelToken::new(limits())).unwrap()),
                "ok"
            );
        }
        assert_eq!(connections.load(Ordering::SeqCst), before + 1);
    }
}

/// What a server sends in one piece with its first answer, over TLS.
#[derive(Clone, Copy, Debug)]
enum Along {
    Nothing,
    /// Another answer.
    Record,
    /// Another answer, whose end it holds back until the next request.
    HalfARecord,
    /// The end of TLS, but not of the connection.
    End,
}

/// An answer of that letter that fills a record, and the room there is to read one.
fn record_of(letter: char) -> String {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 16000\r\nX: ";
    let filler = "x".repeat((1 << 14) - head.len() - 4 - 16_000);
    format!("{head}{filler}\r\n\r\n{}", String::from(letter).repeat(16_000))
}

/// Writes an answer of `a`, and `along` behind it; what is held back of it.
fn answer_with(along: Along, tls: &mut ServerConnection, stream: &mut TcpStream) -> Vec<u8> {
    tls.writer().write_all(record_of('a').as_bytes()).unwrap();
    let mut bytes = Vec::new();
    tls.write_tls(&mut bytes).unwrap();
    let one = bytes.len();
    match along {
        Along::Nothing => {}
        Along::Record | Along::HalfARecord => {
            tls.writer().write_all(OK.as_bytes()).unwrap();
        }
        Along::End => tls.send_close_notify(),
    }
    while tls.wants_write() {
        tls.write_tls(&mut bytes).unwrap();
    }
    let half = one + (bytes.len() - one) / 2;
    let end = if matches!(along, Along::HalfARecord) { half } else { bytes.len() };
    stream.write_all(&bytes[..end]).unwrap();
    bytes.split_off(end)
}

/// Asks twice of a server that sends `along` with its first answer; how many requests it
/// had on every connection. With `proxied` the TLS is that to a proxy.
fn requests_for_two_answers(along: Along, proxied: bool) -> Vec<usize> {
    let (pem, _, config) = certificate();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let counts = Arc::clone(&requests);
    let address = serve(move |number, stream| {
        counts.lock().unwrap().push(0);
        let mut stream = secured(&config, stream);
        if proxied {
            head(&mut stream);
            say(&mut stream, "HTTP/1.1 200 OK\r\n\r\n");
        }
        let mut held = Vec::new();
        let mut along = if number == 0 { along } else { Along::Nothing };
        while !head(&mut stream).is_empty() {
            counts.lock().unwrap()[number] += 1;
            if held.is_empty() {
                held = answer_with(along, &mut stream.conn, &mut stream.sock);
            } else {
                stream.sock.write_all(&held).unwrap();
            }
            along = Along::Nothing;
        }
    });
    let tls = TlsOptions { extra_ca_pem: vec![pem], ..tls_options() };
    let (proxy, url) = match proxied {
        true => (ProxyChoice::Url(format!("https://{address}")), "http://far.invalid/".to_owned()),
        false => (ProxyChoice::Direct, format!("https://{address}/")),
    };
    let transport = transport(proxy, tls);
    for _ in 0..2 {
        let answer = transport.send(&get(&url), &CancelToken::new(limits())).unwrap();
        assert!(text(answer).starts_with('a'), "{along:?} {proxied}");
    }
    requests.lock().unwrap().clone()
}

#[test]
fn what_comes_over_tls_behind_an_answer_is_not_the_next_one() {
    for proxied in [false, true] {
        assert_eq!(requests_for_two_answers(Along::Nothing, proxied), [2]);
        for along in [Along::Record, Along::HalfARecord, Along::End] {
            assert_eq!(requests_for_two_answers(along, proxied), [1, 1], "{along:?} {proxied}");
        }
    }
}

/// How much of a body had been read whenever the server was about to be waited for. It sends
/// the first 10,000 bytes in one piece, and ten more when it is waited for after them.
fn read_before_waiting(tls: bool) -> Vec<usize> {
    let (pem, _, config) = certificate();
    let (wait, waited) = mpsc::channel();
    let waited = Mutex::new(waited);
    let play = move |stream: &mut dyn ReadWrite| {
        let (mut reader, mut bytes) = (stream, String::from(CHUNKED));
        head(&mut reader);
        (0..10).for_each(|_| bytes.push_str(&format!("3e8\r\n{}\r\n", "x".repeat(1000))));
        say(&mut reader, &bytes);
        while waited.lock().unwrap().recv_timeout(LONG).unwrap() < 10_000 {}
        say(&mut reader, "a\r\n0123456789\r\n0\r\n\r\n");
        head(&mut reader);
    };
    let address = serve(move |_, mut stream| match tls {
        true => play(&mut secured(&config, stream)),
        false => play(&mut stream),
    });
    let options = TlsOptions { extra_ca_pem: vec![pem], ..tls_options() };
    let transport = transport(ProxyChoice::Direct, options);
    let url = format!("http{}://{address}/", if tls { "s" } else { "" });
    let mut body = transport.send(&get(&url), &CancelToken::new(limits())).unwrap().body;
    let (mut read, mut waits) = (0, Vec::new());
    loop {
        let count = body.read_with(&mut [0; 700], &mut || {
            waits.push(read);
            wait.send(read).unwrap();
            Ok(())
        });
        match count.unwrap() {
            0 => break,
            count => read += count,
        }
    }
    assert_eq!(read, 10_010);
    waits
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

#[test]
fn what_is_here_is_read_before_the_server_is_waited_for() {
    // What came with the head is here.
    let waits = read_before_waiting(false);
    assert!(waits[0] > 0 && waits.contains(&10_000), "{waits:?}");
    // TLS holds its whole record.
    assert_eq!(read_before_waiting(true)[0], 10_000);
}

#[test]
fn read_that_is_stopped_before_it_waits_can_be_done_again() {
    let (pause, paused) = mpsc::channel();
    let paused = Mutex::new(paused);
    let address = serve(move |_, mut stream| {
        while !head(&mut stream).is_empty() {
            say(&mut stream, CHUNKED);
            for piece in ["2", "\r\no", "k", "\r", "\n0\r\n", "\r\n"] {
                paused.lock().unwrap().recv_timeout(LONG).ok();
                say(&mut stream, piece);
            }
        }
    });
    let transport = direct();
    for _ in 0..2 {
        let url = format!("http://{address}/");
        let mut body = transport.send(&get(&url), &CancelToken::new(limits())).unwrap().body;
        let (mut text, mut stops) = (Vec::new(), 0);
        loop {
            let mut buffer = [0; 64];
            let (mut calls, stop) = (0, stops % 2 == 0);
            let read = body.read_with(&mut buffer, &mut || {
                calls += 1;
                pause.send(()).unwrap();
                match stop {
                    true => Err(Error::new(ErrorKind::Connect, "stop")),
                    false => Ok(()),
                }
            });
            match read {
                Err(error) => {
                    assert_eq!((error.kind(), calls), (ErrorKind::Connect, 1), "{error}");
                    stops += 1;
                }
                Ok(0) => break,
                Ok(count) => {
                    text.extend_from_slice(&buffer[..count]);
                    stops += 1;
                }
            }
        }
        assert_eq!(text, b"ok");
        assert!(stops > 2);
        body.finish();
    }
}

#[test]
fn read_that_is_stopped_before_it_waits_is_not_recorded_as_a_failure_of_the_server() {
    let (closed, _closing) = mpsc::channel();
    let address = serve(move |_, mut stream| {
        head(&mut stream);
        say(&mut stream, &format!("{CHUNKED}2\r\nok\r\n"));
        hold(&mut stream, &closed);
    });
    let name = format!("tolmach-stopped-{}", std::process::id());
    let file = std::env::temp_dir().join(name);
    let recording = RecordingChoice { record: Some(file.clone()), ..RecordingChoice::default() };
    let options = Options { recording, ..options(ProxyChoice::Direct, tls_options()) };
    let transport = Transport::new(options).unwrap();
    let url = format!("http://{address}/");
    let mut body = transport.send(&get(&url), &CancelToken::new(limits())).unwrap().body;
    let mut text = Vec::new();
    let stopped = loop {
        let mut buffer = [0; 64];
        let read = body.read_with(&mut buffer, &mut || match &*text {
            b"ok" => Err(Error::new(ErrorKind::NoMemory, "no memory")),
            _ => Ok(()),
        });
        match read {
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(error) => break error,
        }
    };
    assert_eq!(stopped.kind(), ErrorKind::NoMemory);
    drop((body, transport));
    let recorded = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(recorded.contains("ok") && !recorded.contains("failed"), "{recorded}");
}

#[test]
fn cancel_amid_the_body_over_tls() {
    let (pem, _, config) = certificate();
    let (closed, _closing) = mpsc::channel();
    let address = serve(move |_, stream| {
        let mut stream = secured(&config, stream);
        head(&mut stream);
        say(&mut stream, &format!("{CHUNKED}2\r\nok\r\n"));
        hold(&mut stream, &closed);
    });
    let (reached, reaching) = mpsc::channel();
    let error = cancelled(&reaching, move |token| {
        let options = TlsOptions { extra_ca_pem: vec![pem], ..tls_options() };
        let transport = transport(ProxyChoice::Direct, options);
        let mut response = transport.send(&get(&format!("https://{address}/")), token)?;
        response.body.read(&mut [0; 64])?;
        reached.send(()).unwrap();
        response.body.read(&mut [0; 64])
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

fn foreign(url: &str) -> HttpRequest {
    HttpRequest { is_foreign: true, ..get(url) }
}

#[test]
fn foreign_requests_reach_public_addresses_alone_unless_told_otherwise() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = serve(move |_, mut stream| {
        count.fetch_add(1, Ordering::SeqCst);
        answer(&mut stream, OK);
    });
    let port = address.rsplit(':').next().unwrap();
    let private = Transport::new(Options {
        foreign_private: true,
        ..options(ProxyChoice::Direct, tls_options())
    });
    let (private, public) = (private.unwrap(), direct());
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}/");
        let error = public.send(&foreign(&url), &CancelToken::new(limits())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
        assert!(error.message().contains("fetch_private_urls"), "{error}");
        assert_eq!(connections.load(Ordering::SeqCst), 0);
    }
    let url = format!("http://{address}/");
    assert_eq!(text(private.send(&foreign(&url), &CancelToken::new(limits())).unwrap()), "ok");
    // A connection that was made for the config's own URL is none for that of somebody else.
    assert_eq!(text(public.send(&get(&url), &CancelToken::new(limits())).unwrap()), "ok");
    assert!(public.send(&foreign(&url), &CancelToken::new(limits())).is_err());
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[test]
fn proxy_is_not_asked_for_a_private_address_of_a_foreign_url() {
    let asked = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&asked);
    let address = serve(move |_, mut stream| {
        let head = head(&mut stream);
        seen.lock().unwrap().push_str(&head);
        say(&mut stream, "HTTP/1.1 200 OK\r\n\r\n");
        answer(&mut stream, OK);
    });
    let through = |scheme: &str, url: &str| {
        let proxy = ProxyChoice::Url(format!("{scheme}://{address}"));
        transport(proxy, tls_options()).send(&foreign(url), &CancelToken::new(limits())).map(text)
    };
    for url in ["http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost:1/"] {
        for scheme in ["http", "socks5", "socks5h"] {
            let error = through(scheme, url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument, "{scheme} {url} {error}");
        }
    }
    assert!(asked.lock().unwrap().is_empty());
    // Who resolves a name knows where it leads. The proxy itself is the config's choice.
    assert_eq!(through("http", "http://far.invalid:81/").unwrap(), "ok");
    assert!(asked.lock().unwrap().starts_with("CONNECT far.invalid:81 "));
}

#[test]
fn foreign_servers_are_not_shown_the_certificate_of_the_client() {
    let (pem, key, _) = certificate();
    let roots = {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        Arc::new(roots)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(&pem).unwrap()],
            PrivateKeyDer::from_pem_slice(&key).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let address = serve(move |_, stream| {
        let mut stream = secured(&config, stream);
        head(&mut stream);
        let shown = if stream.conn.peer_certificates().is_some() { "me" } else { "no" };
        say(&mut stream, &OK.replace("ok", shown));
    });
    let tls =
        TlsOptions { verify: false, client_identity: Some((pem.clone(), key)), ..tls_options() };
    let transport =
        Transport::new(Options { foreign_private: true, ..options(ProxyChoice::Direct, tls) });
    let transport = transport.unwrap();
    let url = format!("https://{address}/");
    let ask =
        |request: HttpRequest| text(transport.send(&request, &CancelToken::new(limits())).unwrap());
    // The own server comes first: its session must not be resumed.
    assert_eq!((ask(get(&url)), ask(foreign(&url))), ("me".to_owned(), "no".to_owned()));
}

#[test]
fn wrong_pem_is_told_by_its_key() {
    let wrong = TlsOptions { extra_ca_pem: vec![b"nonsense".to_vec()], ..tls_options() };
    let error = Transport::new(options(ProxyChoice::Direct, wrong)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert!(error.message().contains("ca_pem"), "{error}");
}
