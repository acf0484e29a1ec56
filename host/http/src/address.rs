//! Which addresses may be connected to, whatever the grant says.
//!
//! A grant names an origin; what its name resolves to is decided by whoever runs the DNS zone. So
//! the addresses of cloud metadata services and of this machine are refused here, in every
//! spelling that an operating system understands.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address that no request may go to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("address `{address}` is refused: {reason}")]
pub struct AddressRefused {
    /// The address.
    pub address: IpAddr,
    /// What kind of address it is.
    pub reason: &'static str,
}

/// Metadata services and the like that are not link-local, hence not refused by their range.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// Refuses link-local, metadata, unspecified, multicast and reserved addresses always, and
/// loopback addresses unless `loopback` says that the grant names this machine literally.
pub fn check_address(address: IpAddr, loopback: bool) -> Result<(), AddressRefused> {
    let refused = match address {
        IpAddr::V4(v4) => refused_v4(v4, loopback),
        IpAddr::V6(v6) => refused_v6(v6, loopback),
    };
    refused.map_or(Ok(()), |reason| Err(AddressRefused { address, reason }))
}

/// Whether the address is this machine, embedded forms included.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || embedded_v4(v6).is_some_and(|v4| v4.is_loopback()),
    }
}

fn refused_v4(address: Ipv4Addr, loopback: bool) -> Option<&'static str> {
    let [a, b, ..] = address.octets();
    if address.is_loopback() && !loopback {
        Some("loopback, and the grant does not name this machine")
    } else if address.is_link_local() || METADATA_V4.contains(&address) {
        Some("link-local or metadata service")
    } else if a == 0 {
        Some("unspecified")
    } else if address.is_multicast() || address.is_broadcast() || a >= 240 {
        Some("multicast, broadcast or reserved")
    } else if a == 192 && b == 0 && address.octets()[2] == 0 {
        Some("reserved for protocol assignments")
    } else {
        None
    }
}

fn refused_v6(address: Ipv6Addr, loopback: bool) -> Option<&'static str> {
    if address.is_loopback() {
        return (!loopback).then_some("loopback, and the grant does not name this machine");
    }
    if address.is_unspecified() {
        return Some("unspecified");
    }
    if let Some(v4) = embedded_v4(address) {
        return refused_v4(v4, loopback);
    }
    let first = address.segments()[0];
    if first & 0xffc0 == 0xfe80 || first & 0xffc0 == 0xfec0 || METADATA_V6.contains(&address) {
        Some("link-local or metadata service")
    } else if address.is_multicast() {
        Some("multicast, broadcast or reserved")
    } else {
        None
    }
}

/// The IPv4 address that packets to `address` end at: mapped, compatible, NAT64 and 6to4 forms.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from =
        |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, .., high, low]
        | [0x2002, high, low, ..] => from(high, low),
        // Teredo: the client's address, inverted.
        [0x2001, 0, .., high, low] => from(!high, !low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str, loopback: bool) -> bool {
        check_address(address.parse().unwrap(), loopback).is_ok()
    }

    #[test]
    fn public_and_private_addresses_pass() {
        for address in [
            "192.0.2.1",
            "10.1.2.3",
            "172.16.0.1",
            "2001:db8::1",
            "fd12::1",
        ] {
            assert!(allowed(address, false), "{address}");
        }
    }

    #[test]
    fn metadata_and_link_local_are_refused_in_every_form() {
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "2001:0:1:2:3:4:5601:5601",
            "fe80::1",
            "fec0::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.0.192",
        ] {
            assert!(!allowed(address, true), "{address}");
        }
    }

    #[test]
    fn loopback_needs_a_literal_grant() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
        ] {
            assert!(!allowed(address, false), "{address}");
            assert!(allowed(address, true), "{address}");
        }
    }
}
