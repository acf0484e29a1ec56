//! A stand-in for the Kubernetes API server, for tests, benchmarks and the quickstart.
//!
//! It owns an object store with versions and history, answers LIST, WATCH and single-object requests over
//! plain HTTP on loopback as the real server does, and goes wrong on demand. It must not know Periplus, nor
//! any client: what it stores is JSON, and any kind of object will do.
//!
//! ```text
//!   KubeApi (tests) --apply, delete--> Store --history--> watches, lists --> client
//!   http request --route--> faults --> list | watch | write --^
//! ```
//!
//! Writes over HTTP follow the server's rules (`status` apart, conflicts); [`KubeApi::apply`] writes whole
//! objects as they are given, which is what a test wants.

mod access;
mod certificates;
pub mod chaos;
mod faults;
mod fields;
mod http;
pub mod load;
mod object;
mod objects;
mod options;
mod requests;
mod resource;
mod selector;
mod status;
mod store;
mod write;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use access::Login;
pub use faults::{Fault, Faults, InitialFault, Rule, WatchFault};
pub use options::{Options, WatchList};
pub use requests::{Request, Verb};
pub use resource::Resource;

use crate::certificates::Certificates;
use crate::http::{Connections, Shared};
use requests::RequestLog;
use store::Store;

/// The part of the options that requests look at.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) bookmark_interval: Duration,
    pub(crate) watch_timeout: Duration,
    pub(crate) gone_as_status: bool,
    pub(crate) silent_ahead: bool,
    pub(crate) gzip: bool,
    pub(crate) gzip_watch_list: bool,
    pub(crate) token_lifetime: Duration,
    pub(crate) http2: bool,
    pub(crate) max_concurrent_streams: u32,
}

/// A running server. Dropping it cuts all connections.
#[derive(Debug)]
pub struct KubeApi {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

// === impl KubeApi ===

impl KubeApi {
    /// Starts a server.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let settings = Settings {
            bookmark_interval: options.bookmark_interval,
            watch_timeout: options.watch_timeout,
            gone_as_status: options.gone_as_status,
            silent_ahead: options.silent_ahead,
            gzip: options.gzip,
            gzip_watch_list: options.gzip_watch_list,
            token_lifetime: options.token_lifetime,
            http2: options.http2,
            max_concurrent_streams: options.max_concurrent_streams,
        };
        let certificates = options.tls.then(|| Certificates::new(options.http2));
        let certificates = certificates.transpose()?.map(Arc::new);
        let shared = Arc::new(Shared {
            store: Store::new(options.history, options.first_version),
            faults: Faults::new(),
            log: RequestLog::new(),
            settings,
            watch_list: Mutex::new(options.watch_list),
            tokens: Mutex::new(options.token.into_iter().collect()),
            certificates: Mutex::new(certificates),
            connections: Connections::default(),
            watches: Mutex::new(HashMap::new()),
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(http::serve(listener, shared.clone(), stop.clone()));
        Ok(Self {
            shared,
            address,
            stop,
            task: Some(task),
        })
    }

    /// `http://127.0.0.1:PORT`, or `https` with TLS.
    pub fn url(&self) -> String {
        let secure = self.shared.certificates().is_some();
        let scheme = if secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forgets the history: watches that resume and lists that continue get 410, from whatever version.
    /// Running watches that are up to date go on.
    pub fn compact(&self) {
        self.shared.store.compact();
    }

    /// Lets all continue tokens expire, as they do when etcd is compacted; watches notice nothing.
    pub fn expire_tokens(&self) {
        self.shared.store.forget_snapshots();
    }

    /// What becomes of watches that ask for initial events, from now on.
    pub fn set_watch_list(&self, mode: WatchList) {
        let mut current = self
            .shared
            .watch_list
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *current = mode;
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Refuses everything in one namespace, as authorisation does. The number takes it back
    /// ([`Faults::remove`]).
    pub fn forbid_namespace(&self, namespace: &str) -> u64 {
        self.faults()
            .add(Rule::new(Fault::Forbidden).namespace(namespace))
    }

    /// Refuses one verb on one resource, as authorisation does: in one namespace; with an empty one, in
    /// requests across namespaces; without one, everywhere. The number takes it back ([`Faults::remove`]).
    pub fn forbid(&self, verb: Verb, resource: &str, namespace: Option<&str>) -> u64 {
        let mut rule = Rule::new(Fault::Forbidden).verb(verb).resource(resource);
        rule.namespace = namespace.map(ToOwned::to_owned);
        self.faults().add(rule)
    }

    /// All requests so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.all()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.log.clear();
    }

    /// Waits until the requests satisfy `condition`; false if they do not within `patience`.
    pub async fn wait_for_requests(
        &self,
        patience: Duration,
        condition: impl Fn(&[Request]) -> bool,
    ) -> bool {
        self.shared.log.wait_for(patience, condition).await
    }

    /// Running watches of a resource, such as `pods`.
    pub fn open_watches(&self, resource: &str) -> usize {
        let watches = self
            .shared
            .watches
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        watches.get(resource).copied().unwrap_or(0)
    }

    /// Stops listening and cuts all connections; objects and history stay.
    pub async fn pause(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // It can only end.
            let _ = task.await;
        }
    }

    /// Listens again at the same address.
    pub fn resume(&mut self) -> io::Result<()> {
        if self.task.is_some() {
            return Ok(());
        }
        let socket = TcpSocket::new_v4()?;
        // The connections that were cut linger on the port.
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        let listener = socket.listen(1024)?;
        self.stop = CancellationToken::new();
        self.task = Some(tokio::spawn(http::serve(
            listener,
            self.shared.clone(),
            self.stop.clone(),
        )));
        Ok(())
    }
}

impl Drop for KubeApi {
    fn drop(&mut self) {
        self.stop.cancel();
        self.shared.connections.end();
    }
}
