//! Name resolution. What leaves here is checked, and what was checked is what is connected to.

use std::io;
use std::net::IpAddr;

use futures::future::BoxFuture;

/// Looks names up. A trait so that tests can say what a name resolves to.
pub trait NameResolver: Send + Sync + 'static {
    /// All addresses of a name.
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system, search list and hosts file included.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

// === impl SystemResolver ===

impl NameResolver for SystemResolver {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
