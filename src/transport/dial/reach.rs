//! [`Reach`]: which addresses a request may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{Error, ErrorKind, Result};

/// Which addresses a connection may be made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Reach {
    Any,
    /// Those of the public internet: what others name must not lead into the network that
    /// this program is in.
    Public,
}

impl Reach {
    /// Whether it may be connected to. It is asked of the very address: what a name resolves
    /// to may change at any time.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        self == Reach::Any || is_public(address)
    }

    /// Checks a host that somebody else resolves: an address in it is known here, and
    /// `localhost` is one wherever it is resolved.
    pub(super) fn check_host(self, host: &str) -> Result<()> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let allowed = match bare.parse() {
            Ok(address) => self.allows(address),
            Err(_) => self == Reach::Any || !(bare == "localhost" || bare.ends_with(".localhost")),
        };
        if allowed { Ok(()) } else { Err(refused(host)) }
    }
}

/// What is said where [`Reach`] allows no address of `host`.
pub(super) fn refused(host: &str) -> Error {
    Error::new(
        ErrorKind::Argument,
        format!(
            "{host} is not at a public address: files are fetched from there only if \
             \"fetch_private_urls\" is \"true\""
        ),
    )
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(a: u16, b: u16, c: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
}

/// The IPv6 addresses that are given to anybody (IANA).
const GLOBAL: (IpAddr, u32) = (v6(0x2000, 0, 0), 3);

/// IPv4 addresses as IPv6 ones: mapped (RFC 4291), and of NAT64 (RFC 6052), which is how
/// hosts of IPv6 networks reach IPv4.
const EMBEDDED: &[(IpAddr, u32)] =
    &[(IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)), 96), (v6(0x64, 0xff9b, 0), 96)];

/// What is not public of IPv4 and of [`GLOBAL`] (the special-purpose registries of IANA).
const SPECIAL: &[(IpAddr, u32)] = &[
    (v4(0, 0, 0, 0), 8),        // this network
    (v4(10, 0, 0, 0), 8),       // private
    (v4(100, 64, 0, 0), 10),    // carrier-grade NAT
    (v4(127, 0, 0, 0), 8),      // loopback
    (v4(168, 63, 129, 16), 32), // the host of a virtual machine at Azure
    (v4(169, 254, 0, 0), 16),   // link-local, metadata of clouds
    (v4(172, 16, 0, 0), 12),    // private
    (v4(192, 0, 0, 0), 24),     // protocol assignments
    (v4(192, 0, 2, 0), 24),     // documentation
    (v4(192, 88, 99, 0), 24),   // 6to4 relays
    (v4(192, 168, 0, 0), 16),   // private
    (v4(198, 18, 0, 0), 15),    // benchmarks
    (v4(198, 51, 100, 0), 24),  // documentation
    (v4(203, 0, 113, 0), 24),   // documentation
    (v4(224, 0, 0, 0), 4),      // multicast
    (v4(240, 0, 0, 0), 4),      // reserved, broadcast
    (v6(0x2001, 0, 0), 23),     // protocol assignments, Teredo
    (v6(0x2001, 0xdb8, 0), 32), // documentation
    (v6(0x2002, 0, 0), 16),     // 6to4
    (v6(0x3fff, 0, 0), 20),     // documentation
];

fn is_public(address: IpAddr) -> bool {
    let is_in = |ranges: &[(IpAddr, u32)]| {
        ranges.iter().any(|(range, bits)| in_range(address, *range, Some(*bits)))
    };
    match address {
        IpAddr::V6(v6) if is_in(EMBEDDED) => {
            let [.., a, b, c, d] = v6.octets();
            is_public(v4(a, b, c, d))
        }
        IpAddr::V6(_) if !is_in(&[GLOBAL]) => false,
        _ => !is_in(SPECIAL),
    }
}

/// Whether `address` is in the range of those that begin with `bits` bits of `range`.
pub(super) fn in_range(address: IpAddr, range: IpAddr, bits: Option<u32>) -> bool {
    let differing = match (address, range) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    differing.leading_zeros() >= bits.unwrap_or(128).min(128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_told_from_all_others() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.17",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(Reach::Public.allows(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.1.2.3",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!Reach::Public.allows(private.parse().unwrap()), "{private}");
            assert!(Reach::Any.allows(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn host_that_a_proxy_resolves_is_checked_as_far_as_it_is_known() {
        for host in ["127.0.0.1", "[::1]", "10.0.0.1", "localhost", "a.localhost", "localhost."] {
            assert!(Reach::Public.check_host(host).is_err(), "{host}");
            assert!(Reach::Any.check_host(host).is_ok(), "{host}");
        }
        for host in ["1.1.1.1", "[2606:4700::1111]", "example.org", "notlocalhost"] {
            assert!(Reach::Public.check_host(host).is_ok(), "{host}");
        }
    }
}
