//! Provider plugin `sockets`: the listening TCP sockets of this machine, from `/proc/net/tcp` and `/proc/net/tcp6`.
//!
//! [`table`] reads the kernel's format and [`config`] what the operator wrote; here sockets become groups, one for each
//! address that is listened on, so that a socket that opens or closes costs one group.

mod config;
mod table;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use config::Config;
use periplus_sdk::prelude::*;
use periplus_sdk::warn;
use table::Socket;

const TCP: &str = "/proc/net/tcp";
const TCP6: &str = "/proc/net/tcp6";

struct Sockets {
    config: Config,
    /// Lines that could not be read last time: said once, and again when their number changes.
    malformed: usize,
}

export_provider!(
    Sockets,
    manifest!()
        .mechanism::<Config>("sockets")
        .asks_files(TCP, "lists the sockets that listen on IPv4")
        .asks_files(TCP6, "lists the sockets that listen on IPv6")
);

impl Provider for Sockets {
    type Config = Config;

    fn configure(_mechanism: &str, config: Config) -> Result<Self, Vec<Problem>> {
        config.check()?;
        Ok(Self {
            config,
            malformed: 0,
        })
    }

    fn refresh(&mut self, _full: bool) -> Result<Update, Unavailable> {
        let mut listing = table::parse(&files::read_to_string(TCP)?);
        match files::read_to_string(TCP6) {
            Ok(text) => listing.extend(table::parse(&text)),
            // A kernel without IPv6.
            Err(failure) if failure.kind == FailureKind::NotFound => {}
            Err(failure) => return Err(failure.into()),
        }
        self.report(&listing.malformed);
        Ok(Update::complete(self.groups(listing.sockets)))
    }
}

impl Sockets {
    fn groups(&self, sockets: Vec<Socket>) -> Vec<Group> {
        let mut by_address: BTreeMap<SocketAddr, Socket> = BTreeMap::new();
        for socket in sockets
            .into_iter()
            .filter(|socket| self.config.selects(socket.address))
        {
            // Several processes may share an address; the oldest socket stands for them, whatever their order.
            let known = by_address.entry(socket.address).or_insert(socket);
            if socket.inode < known.inode {
                *known = socket;
            }
        }
        by_address
            .values()
            .map(|socket| self.group(socket))
            .collect()
    }

    fn group(&self, socket: &Socket) -> Group {
        let address = socket.address;
        let ip = address.ip();
        Group::new(format!("tcp/{address}"))
            .label("__meta_sockets_address", ip.to_string())
            .label("__meta_sockets_port", address.port().to_string())
            .label(
                "__meta_sockets_family",
                if ip.is_ipv4() { "ipv4" } else { "ipv6" },
            )
            .label("__meta_sockets_scope", scope(ip))
            .label("__meta_sockets_uid", socket.uid.to_string())
            .label("__meta_sockets_inode", socket.inode.to_string())
            .target(self.reachable(address))
    }

    /// Where a scraper on this machine, or one that sees `host`, reaches the socket.
    fn reachable(&self, address: SocketAddr) -> String {
        let port = address.port();
        match (address.ip(), &self.config.host) {
            (ip, Some(host)) if ip.is_unspecified() => config::join(host, port),
            (IpAddr::V4(ip), None) if ip.is_unspecified() => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()
            }
            (IpAddr::V6(ip), None) if ip.is_unspecified() => {
                SocketAddr::from((Ipv6Addr::LOCALHOST, port)).to_string()
            }
            _ => address.to_string(),
        }
    }

    fn report(&mut self, malformed: &[String]) {
        if let Some(first) = malformed.first()
            && malformed.len() != self.malformed
        {
            warn!("Skipped lines that are no sockets"; lines = malformed.len(), first = first);
        }
        self.malformed = malformed.len();
    }
}

/// Who can reach a socket that is bound to `ip`.
fn scope(ip: IpAddr) -> &'static str {
    if ip.is_unspecified() {
        "any"
    } else if ip.is_loopback() {
        "loopback"
    } else {
        "address"
    }
}

#[cfg(test)]
mod tests;
