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

mod faults;
mod http;
pub mod load;
mod object;
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

use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use faults::{Fault, Faults, Rule, WatchFault};
pub use requests::{Request, Verb};
pub use resource::Resource;

use crate::http::Shared;
use requests::RequestLog;
use store::Store;

/// How a server is to behave.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The bearer token that clients must bring; none: everybody is let in.
    pub token: Option<String>,
    /// How many events the history keeps before the oldest versions expire.
    pub history: usize,
    /// Time between bookmarks; the real server takes about a minute.
    pub bookmark_interval: Duration,
    /// How long a watch lasts that does not say.
    pub watch_timeout: Duration,
    /// A watch from an expired version is answered with HTTP 410 rather than an `ERROR` event.
    pub gone_as_status: bool,
    /// Whether big lists are compressed for clients that take gzip.
    pub gzip: bool,
}

/// The part of the options that requests look at.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) token: Option<String>,
    pub(crate) bookmark_interval: Duration,
    pub(crate) watch_timeout: Duration,
    pub(crate) gone_as_status: bool,
    pub(crate) gzip: bool,
}

/// A running server. Dropping it cuts all connections.
#[derive(Debug)]
pub struct KubeApi {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: None,
            history: 10_000,
            bookmark_interval: Duration::from_mins(1),
            watch_timeout: Duration::from_mins(30),
            gone_as_status: false,
            gzip: true,
        }
    }
}

// === impl KubeApi ===

impl KubeApi {
    /// Starts a server.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let settings = Settings {
            token: options.token,
            bookmark_interval: options.bookmark_interval,
            watch_timeout: options.watch_timeout,
            gone_as_status: options.gone_as_status,
            gzip: options.gzip,
        };
        let shared = Arc::new(Shared {
            store: Store::new(options.history),
            faults: Faults::new(),
            log: RequestLog::new(),
            settings,
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

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig, as YAML, that leads here.
    pub fn kubeconfig(&self) -> String {
        let user = match &self.shared.settings.token {
            Some(token) => format!("{{token: \"{token}\"}}"),
            None => "{}".to_owned(),
        };
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: stand-in\n\
             clusters:\n  - name: stand-in\n    cluster: {{server: \"{}\"}}\n\
             users:\n  - name: stand-in\n    user: {user}\n\
             contexts:\n  - name: stand-in\n    context: {{cluster: stand-in, user: stand-in}}\n",
            self.url()
        )
    }

    /// Writes a whole object (`apiVersion`, `kind` and `metadata.name` given), new or not, status included.
    /// Answers with its version; an object that is the same already is not written again. A UID that is
    /// given is kept, also if it differs from the old one; one that is missing stays as it was.
    pub fn apply(&self, mut value: Value) -> u64 {
        let text = |v: &Value, pointer: &str| {
            v.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let namespace = text(&value, "/metadata/namespace");
        let resource = self.shared.store.resource_of(
            &text(&value, "/apiVersion"),
            &text(&value, "/kind"),
            !namespace.is_empty(),
        );
        let key = (namespace, text(&value, "/metadata/name"));
        if let Some(old) = self.shared.store.get(&resource, &key) {
            let old = old.value(&resource.kind, &resource.api_version());
            for field in ["uid", "creationTimestamp"] {
                if value["metadata"][field].is_null() {
                    value["metadata"][field] = old["metadata"][field].clone();
                }
            }
        } else if resource.namespaced {
            write::ensure_namespace(&self.shared.store, &key.0);
        }
        write::complete(&mut value);
        self.shared.store.put(&resource, value).0.version
    }

    /// Applies a JSON merge patch to an object, status included; its new version, if it exists.
    pub fn patch(&self, resource: &str, namespace: &str, name: &str, patch: &Value) -> Option<u64> {
        let mut value = self.get(resource, namespace, name)?;
        write::merge(&mut value, patch);
        Some(self.apply(value))
    }

    /// Removes an object of a resource (`v1/pods`, `apps/v1/deployments`); false if there is none.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> bool {
        let key = (namespace.to_owned(), name.to_owned());
        let resource = self.shared.store.resource(resource);
        resource.is_some_and(|r| self.shared.store.remove(&r, &key).is_some())
    }

    /// One object of a resource (`v1/pods`).
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let resource = self.shared.store.resource(resource)?;
        let key = (namespace.to_owned(), name.to_owned());
        let object = self.shared.store.get(&resource, &key)?;
        Some(object.value(&resource.kind, &resource.api_version()))
    }

    /// Namespaces and names of all objects of a resource (`v1/pods`).
    pub fn names(&self, resource: &str) -> Vec<(String, String)> {
        let Some(resource) = self.shared.store.resource(resource) else {
            return Vec::new();
        };
        self.shared
            .store
            .snapshot(&resource)
            .objects
            .iter()
            .map(|o| o.key())
            .collect()
    }

    /// Offers a kind of object that is not there by itself.
    pub fn register(&self, resource: Resource) {
        self.shared.store.register(resource);
    }

    /// The version of the last write.
    pub fn version(&self) -> u64 {
        self.shared.store.version()
    }

    /// Forgets the history: watches that resume and lists that continue get 410, from whatever version.
    /// Running watches that are up to date go on.
    pub fn compact(&self) {
        self.shared.store.compact();
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
    }
}
