//! How a server is to behave.

use std::net::SocketAddr;
use std::time::Duration;

/// What a server is like, from its start on.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The bearer token that clients must bring; none: everybody is let in.
    pub token: Option<String>,
    /// How many events the history keeps before the oldest versions expire.
    pub history: usize,
    /// The version to begin with; a server that is to lose its history needs room below.
    pub first_version: u64,
    /// Time between bookmarks; the real server takes about a minute.
    pub bookmark_interval: Duration,
    /// How long a watch lasts that does not say.
    pub watch_timeout: Duration,
    /// A watch from an expired version is answered with HTTP 410 rather than an `ERROR` event.
    pub gone_as_status: bool,
    /// A watch from a version that has not happened yet is accepted and stays silent until it has, as with
    /// the real server, rather than refused with 504.
    pub silent_ahead: bool,
    /// Whether watches can begin with the current state. [`crate::KubeApi::set_watch_list`] changes it.
    pub watch_list: WatchList,
    /// Whether big lists are compressed for clients that take gzip.
    pub gzip: bool,
    /// Whether watches that begin with the current state are compressed for clients that take gzip, one
    /// member for each event, as Kubernetes 1.37 does.
    pub gzip_watch_list: bool,
    /// How long a continue token holds; with the real server, until etcd compacts.
    pub token_lifetime: Duration,
    /// TLS with an authority of the server's own, and client certificates that it signs.
    pub tls: bool,
    /// Whether HTTP/2 is spoken: offered under TLS, understood without.
    pub http2: bool,
    /// Requests under way on one connection of HTTP/2; the real server allows 100.
    pub max_concurrent_streams: u32,
}

/// What becomes of a watch that asks for `sendInitialEvents`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchList {
    /// The current state, a bookmark that says so, then changes.
    #[default]
    On,
    /// 422, as with servers that know the feature and have it off.
    Refused,
    /// The parameter is unknown, as with old servers: a plain watch from the version given.
    Ignored,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: None,
            history: 10_000,
            first_version: 100,
            bookmark_interval: Duration::from_mins(1),
            watch_timeout: Duration::from_mins(30),
            gone_as_status: false,
            silent_ahead: false,
            watch_list: WatchList::On,
            gzip: true,
            gzip_watch_list: false,
            token_lifetime: Duration::from_mins(5),
            tls: false,
            http2: true,
            max_concurrent_streams: 100,
        }
    }
}
