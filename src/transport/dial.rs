//! Connecting: what the system cannot interrupt runs on a helper thread, which is left to
//! itself when its call is cancelled. It holds nothing of the call's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, after, bounded, never, select};

use super::reach::{self, Reach};
use super::token::Token;
use crate::error::{Error, ErrorKind, Result};
use crate::thread;

/// How long an address is given before the next one is tried beside it (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);

/// What bounds a connect that nobody bounds.
const LONGEST: Duration = Duration::from_secs(120);

/// Resolves `host` and connects to the first of its addresses that answers, of those that
/// `reach` allows.
pub(super) fn connect(host: &str, port: u16, reach: Reach, token: &Token) -> Result<TcpStream> {
    let limit = token.left()?.unwrap_or(LONGEST);
    let host = host.to_owned();
    off_thread(token, move || {
        race(&host, port, &resolve(&host, port, reach)?, Instant::now() + limit)
    })
}

/// The first address of `host`, for a proxy that is to be given one.
pub(super) fn address(host: &str, port: u16, reach: Reach, token: &Token) -> Result<IpAddr> {
    let host = host.to_owned();
    let addresses = off_thread(token, move || resolve(&host, port, reach))?;
    match addresses.first() {
        Some(address) => Ok(address.ip()),
        None => Err(Error::new(ErrorKind::Dns, "the host has no address")),
    }
}

/// Does `work` on a helper thread; waits no longer than `token` lets.
fn off_thread<T: Send + 'static>(
    token: &Token,
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
    let (first, second): (Vec<_>, Vec<_>) = {
        let mut found: Vec<SocketAddr> = found.collect();
        if found.is_empty() {
            return Err(unknown("it has no address"));
        }
        found.retain(|address| reach.allows(address.ip()));
        let Some(leading) = found.first().map(SocketAddr::is_ipv6) else {
            return Err(reach::refused(host));
        };
        found.into_iter().partition(|address| address.is_ipv6() == leading)
    };
    let mut second = second.into_iter();
    let mut addresses = Vec::new();
    for address in first {
        addresses.push(address);
        addresses.extend(second.next());
    }
    addresses.extend(second);
    Ok(addresses)
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
