//! The kernel's table of TCP sockets (`proc(5)`, `/proc/net/tcp` and `tcp6`).
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//!    0: 0100007F:238C 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 ...
//! ```
//! Addresses are 32-bit words as they lie in memory: the bytes of each word run backwards on a little-endian machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `TCP_LISTEN` of the kernel.
const LISTEN: &str = "0A";

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    /// What it is bound to; an IPv4 address that stands in the IPv6 table is one.
    pub(crate) address: SocketAddr,
    /// Who opened it.
    pub(crate) uid: u32,
    /// The kernel's number for it.
    pub(crate) inode: u64,
}

/// What a table lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) sockets: Vec<Socket>,
    /// Lines that are no sockets.
    pub(crate) malformed: Vec<String>,
}

/// A line that is no socket.
struct Malformed;

/// Reads a table; its first line is a heading.
pub(crate) fn parse(text: &str) -> Listing {
    let mut listing = Listing::default();
    for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        match parse_line(line) {
            Ok(Some(socket)) => listing.sockets.push(socket),
            Ok(None) => {}
            Err(Malformed) => listing.malformed.push(line.trim().to_owned()),
        }
    }
    listing
}

/// A socket that listens; none for one that does not.
fn parse_line(line: &str) -> Result<Option<Socket>, Malformed> {
    let mut fields = line.split_ascii_whitespace();
    let mut field = |skipped| fields.nth(skipped).ok_or(Malformed);
    let local = field(1)?;
    let state = field(1)?;
    if state != LISTEN {
        return if is_state(state) {
            Ok(None)
        } else {
            Err(Malformed)
        };
    }
    let uid = field(3)?.parse().map_err(|_| Malformed)?;
    let inode = field(1)?.parse().map_err(|_| Malformed)?;
    let address = parse_address(local).ok_or(Malformed)?;
    Ok(Some(Socket {
        address,
        uid,
        inode,
    }))
}

fn is_state(text: &str) -> bool {
    text.len() == 2 && u8::from_str_radix(text, 16).is_ok()
}

fn parse_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(ip)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, target) in bytes.chunks_exact_mut(4).enumerate() {
                target.copy_from_slice(&word(ip.get(index * 8..index * 8 + 8)?)?);
            }
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn word(text: &str) -> Option<[u8; 4]> {
    u32::from_str_radix(text, 16).ok().map(u32::to_le_bytes)
}

// === impl Listing ===

impl Listing {
    /// Adds another table.
    pub(crate) fn extend(&mut self, other: Self) {
        self.sockets.extend(other.sockets);
        self.malformed.extend(other.malformed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_words_in_memory_order() {
        let cases = [
            ("00000000:2382", "0.0.0.0:9090"),
            ("0100007F:238C", "127.0.0.1:9100"),
            ("0501A8C0:0016", "192.168.1.5:22"),
            ("00000000000000000000000000000000:0050", "[::]:80"),
            ("00000000000000000000000001000000:0277", "[::1]:631"),
            (
                "B80D01200000000067452301EFCDAB89:01BB",
                "[2001:db8::123:4567:89ab:cdef]:443",
            ),
            // IPv4 in IPv6, as Java listens.
            ("0000000000000000FFFF00000100007F:1F90", "127.0.0.1:8080"),
        ];
        for (text, expected) in cases {
            let address = parse_address(text).map(|address| address.to_string());
            assert_eq!(address.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "0100007F",
            "0100007:1",
            "0100007G:1",
            "0100007F:10000",
            "é00007F:1",
            "+100007F:",
        ] {
            assert_eq!(parse_address(text), None, "{text}");
        }
    }

    #[test]
    fn only_sockets_that_listen_are_taken() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:238C 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0 100 0 0 10 0\n   \
            1: 0100007F:8001 0100007F:238C 01 00000000:00000000 00:00000000 00000000     0        0 555 1 0 20 4 30 10 -1\n   \
            2: broken\n   \
            3: 0100007F:238D 00000000:0000 0A 00000000:00000000 00:00000000 00000000  nobody      0 31338 1\n\n";
        let listing = parse(table);
        let address = "127.0.0.1:9100".parse().unwrap();
        assert_eq!(
            listing.sockets,
            [Socket {
                address,
                uid: 1000,
                inode: 31337
            }]
        );
        assert_eq!(listing.malformed.len(), 2);
        assert_eq!(listing.malformed[0], "2: broken");
    }
}
