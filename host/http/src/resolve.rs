//! Name resolution with the address policy in the middle: what leaves here is what is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{AddressRefused, check_address};
use crate::policy::OriginPolicy;

/// Looks names up. A trait so that tests can say what a name resolves to.
pub trait NameResolver: Send + Sync + 'static {
    /// All addresses of a name.
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system, search list and hosts file included.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

/// The hook for the client: one look-up per connection, whose checked addresses are the only ones
/// that the connector sees.
pub(crate) struct CheckedResolver {
    pub(crate) resolver: Arc<dyn NameResolver>,
    pub(crate) policy: Arc<OriginPolicy>,
    /// Host of the proxy, which the operator chose: any address.
    pub(crate) proxy_host: Option<String>,
}

// === impl SystemResolver ===

impl NameResolver for SystemResolver {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

// === impl CheckedResolver ===

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let trusted = self.proxy_host.as_deref() == Some(name.as_str());
        let loopback = self.policy.grants_loopback_name(&name);
        let resolver = Arc::clone(&self.resolver);
        Box::pin(async move {
            let found = resolver.lookup(name).await?;
            let checked = if trusted {
                found
            } else {
                allowed(found, loopback)?
            };
            let addresses: Vec<_> = checked
                .into_iter()
                .map(|ip| SocketAddr::new(ip, 0))
                .collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be connected to; refused if none is left, saying why.
fn allowed(found: Vec<IpAddr>, loopback: bool) -> Result<Vec<IpAddr>, AddressRefused> {
    let mut first_refusal = None;
    let mut kept = Vec::with_capacity(found.len());
    for address in found {
        match check_address(address, loopback) {
            Ok(()) => kept.push(address),
            Err(refused) => first_refusal = first_refusal.or(Some(refused)),
        }
    }
    match first_refusal {
        Some(refused) if kept.is_empty() => Err(refused),
        _ => Ok(kept),
    }
}
