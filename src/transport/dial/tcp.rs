//! Connecting: what the system cannot interrupt runs on a helper thread, which is left to
//! itself when its call is cancelled. It holds nothing of the call's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, after, bounded, never, select};

use super::reach::{self, Reach};
use crate::cancel_token::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::thread;
use crate::times::Stage;

/// How long an address is given before the next one is tried beside it (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);

/// What bounds a connect that nobody bounds.
const LONGEST: Duration = Duration::from_secs(120);

/// Resolves `host` and connects to the first of its addresses that answers, of those that
/// `reach` allows.
pub(super) fn connect(
    host: &str,
    port: u16,
    reach: Reach,
    token: &CancelToken,
) -> Result<TcpStream> {
    let limit = token.left()?.unwrap_or(LONGEST);
    let host = host.to_owned();
    // A helper that is left to itself may find the address when its call is further on.
    let resolved = Arc::new(OnceLock::new());
    let helpers = Arc::clone(&resolved);
    let connected = off_thread(token, move || {
        let addresses = resolve(&host, port, reach)?;
        helpers.set(Instant::now()).ok();
        race(&host, port, &addresses, Instant::now() + limit)
    });
    if let Some(time) = resolved.get() {
        token.times().reach_at(Stage::Resolved, *time);
    }
    connected
}

/// The first address of `host`, for a proxy that is to be given one.
pub(super) fn address(host: &str, port: u16, reach: Reach, token: &CancelToken) -> Result<IpAddr> {
    let host = host.to_owned();
    let addresses = off_thread(token, move || resolve(&host, port, reach))?;
    match addresses.first() {
        Some(address) => Ok(address.ip()),
        None => Err(Error::new(ErrorKind::Dns, "the host has no address")),
    }
}

/// Does `work` on a helper thread; waits no longer than `token` lets.
fn off_thread<T: Send + 'static>(
    token: &CancelToken,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (done, result) = bounded(1);
    thread::spawn("tolmach-dial", move || {
        // Nobody may be waiting any more.
        done.send(work()).ok();
    })?;
    loop {
        let deadline = token.left()?.map_or_else(never, after);
        select! {
            recv(result) -> result => {
                let result = result.unwrap_or_else(|_| {
                    Err(Error::new(ErrorKind::Internal, "a bug in tolmach made connecting panic: report it"))
                });
                if result.is_err() {
                    // The helper's time is up when ours is: then the deadline is the reason.
                    token.left()?;
                }
                return result;
            }
            // Cancelled, or past the deadline: the token says which.
            recv(token.woken()) -> _ => {}
            recv(deadline) -> _ => {}
        }
    }
}

/// The addresses of `host` that `reach` allows, of both families in turns.
fn resolve(host: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>> {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let unknown =
        |what: &str| Error::new(ErrorKind::Dns, format!("{host} cannot be resolved: {what}"));
    let found = (name, port).to_socket_addrs();
    let found = found.map_err(|error| {
        // A resolver without file descriptors reports a failure of its own: one more is tried.
        let tried = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).err();
        let lack = exhausted(&error).or_else(|| exhausted(&tried?));
        lack.unwrap_or_else(|| unknown(&error.to_string()))
    })?;
    let mut found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(unknown("it has no address"));
    }
    found.retain(|address| reach.allows(address.ip()));
    if found.is_empty() {
        return Err(reach::refused(host));
    }
    Ok(in_turns(found))
}

/// Both families in turns, beginning with the one that the system puts first (RFC 8305).
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let leading = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == leading);
    let mut second = second.into_iter();
    let mut addresses = Vec::new();
    for address in first {
        addresses.push(address);
        addresses.extend(second.next());
    }
    addresses.extend(second);
    addresses
}

/// Tries the addresses one after another, each beside those that have not answered yet.
fn race(host: &str, port: u16, addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream> {
    if let [address] = addresses {
        return attempt(*address, deadline).map_err(|error| unreachable(host, port, &error));
    }
    let (done, results) = bounded(addresses.len());
    let mut waiting = addresses.iter();
    let mut running = 0_usize;
    let mut failure = None;
    loop {
        if let Some(address) = waiting.next() {
            start(*address, deadline, done.clone())?;
            running += 1;
        }
        let wait = if waiting.len() > 0 { STAGGER } else { LONGEST };
        match results.recv_timeout(wait) {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                failure = Some(error);
                running -= 1;
            }
            Err(_) => {}
        }
        if running == 0 && waiting.len() == 0 {
            let failure = failure.unwrap_or_else(|| io::ErrorKind::TimedOut.into());
            return Err(unreachable(host, port, &failure));
        }
    }
}

fn start(
    address: SocketAddr,
    deadline: Instant,
    done: Sender<io::Result<TcpStream>>,
) -> Result<()> {
    thread::spawn("tolmach-dial", move || {
        // Another address may have been faster.
        done.send(attempt(address, deadline)).ok();
    })
}

fn attempt(address: SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    TcpStream::connect_timeout(&address, left)
}

fn unreachable(host: &str, port: u16, error: &io::Error) -> Error {
    exhausted(error).unwrap_or_else(|| {
        Error::new(ErrorKind::Connect, format!("no connection to {host}:{port}: {error}"))
    })
}

/// The error that it is when the system has no room for another socket.
#[cfg(unix)]
fn exhausted(error: &io::Error) -> Option<Error> {
    use nix::errno::Errno;
    let what = match Errno::from_raw(error.raw_os_error()?) {
        Errno::EMFILE => {
            "the process has no file descriptors left: close sessions, or raise its limit (ulimit -n)"
        }
        Errno::ENFILE => "the system has no more file descriptors",
        Errno::ENOMEM | Errno::ENOBUFS => "the system has no more memory for a connection",
        _ => return None,
    };
    Some(Error::new(ErrorKind::NoMemory, what))
}

#[cfg(not(unix))]
fn exhausted(error: &io::Error) -> Option<Error> {
    (error.kind() == io::ErrorKind::OutOfMemory).then(|| {
        Error::new(
            ErrorKind::NoMemory,
            format!("the system has no more memory for a connection: {error}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::{Domain, Socket, Type};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + LONGEST
    }

    #[test]
    fn addresses_of_both_families_are_tried_in_turns() {
        let v4 = |last: u8| SocketAddr::from(([10, 0, 0, last], 80));
        let v6 = |last: u16| SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, last], 80));
        for (found, tried) in [
            (vec![v6(1), v6(2), v6(3), v4(1)], vec![v6(1), v4(1), v6(2), v6(3)]),
            (vec![v4(1), v4(2), v6(1), v6(2), v6(3)], vec![v4(1), v6(1), v4(2), v6(2), v6(3)]),
            (vec![v4(2), v4(1)], vec![v4(2), v4(1)]),
            (vec![], vec![]),
        ] {
            assert_eq!(in_turns(found), tried);
        }
    }

    #[test]
    fn next_address_is_tried_when_the_first_does_not_answer_in_time() {
        let (mute, _listener, _held) = crate::transport::tests::full();
        let answering = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = [mute.parse().unwrap(), answering.local_addr().unwrap()];
        let start = Instant::now();
        let stream = race("host", 80, &addresses, soon()).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
        let elapsed = start.elapsed();
        let (early, late) = (Duration::from_millis(250), Duration::from_secs(30));
        assert!(elapsed >= early && elapsed < late, "{elapsed:?}");
    }

    #[test]
    fn next_address_is_tried_at_once_when_one_is_refused() {
        // Nobody else can listen there, and this does not.
        let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        deaf.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let closed = deaf.local_addr().unwrap().as_socket().unwrap();
        let answering = TcpListener::bind("127.0.0.1:0").unwrap();
        // With a pause after each they would take 100 s.
        let mut addresses = vec![closed; 400];
        addresses.push(answering.local_addr().unwrap());
        let start = Instant::now();
        race("host", 80, &addresses, soon()).unwrap();
        assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
        let error = race("host", 80, &[closed, closed], soon()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
}
