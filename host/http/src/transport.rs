//! The connections of one client, made anew when a file with a certificate changes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::connect::{Connector, Served};
use crate::error::EgressError;
use crate::policy::OriginPolicy;
use crate::resolve::NameResolver;
use crate::settings::{ClientSettings, SettingsError};
use crate::tls::{self, LazyTls, Material};

/// How long an idle connection is kept, as upstream.
const IDLE: Duration = Duration::from_mins(5);
/// How long an HTTP/2 connection with requests may be silent before a ping, as upstream.
const PING_AFTER: Duration = Duration::from_mins(1);
/// How long the answer to a ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// How many connections in a row may turn out to be closed: as many as lie idle for one source.
const MOST_REPETITIONS: u32 = 3;

type Client = legacy::Client<Connector, Full<Bytes>>;

/// Sends single requests.
pub(crate) struct Transport {
    settings: ClientSettings,
    policy: Arc<OriginPolicy>,
    resolver: Arc<dyn NameResolver>,
    idle_per_host: usize,
    current: Mutex<Option<(Material, Client)>>,
}

// === impl Transport ===

impl Transport {
    pub(crate) fn new(
        settings: ClientSettings,
        policy: Arc<OriginPolicy>,
        resolver: Arc<dyn NameResolver>,
        idle_per_host: usize,
    ) -> Self {
        Self {
            settings,
            policy,
            resolver,
            idle_per_host,
            current: Mutex::new(None),
        }
    }

    /// One request, without redirects. One that may be repeated and met a connection that the
    /// server was just closing is sent again over another, as Go does.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, EgressError> {
        let client = self.client().await?;
        let may_repeat = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut repetitions = 0;
        loop {
            match client.request(request.clone()).await {
                Ok(response) => {
                    if let Some(served) = response.extensions().get::<Served>() {
                        served.set();
                    }
                    return Ok(response);
                }
                Err(error) if may_repeat && repetitions < MOST_REPETITIONS && was_stale(&error) => {
                    repetitions += 1;
                }
                Err(error) => return Err(EgressError::from_client(&error)),
            }
        }
    }

    /// The client for the certificates as they are now. Requests that are under way keep theirs.
    async fn client(&self) -> Result<Client, SettingsError> {
        let tls = &self.settings.config().tls;
        let current = self.current();
        if let Some((_, client)) = &current
            && !tls::has_files(tls)
        {
            return Ok(client.clone());
        }
        let material = Material::read(tls).await?;
        if let Some((old, client)) = current
            && old == material
        {
            return Ok(client);
        }
        let client = self.make(material.clone())?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((material, client.clone()));
        Ok(client)
    }

    fn current(&self) -> Option<(Material, Client)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    fn make(&self, material: Material) -> Result<Client, SettingsError> {
        let config = self.settings.config();
        let tls = LazyTls::new(config.tls.clone(), material, config.enable_http2);
        let connector = Connector {
            policy: Arc::clone(&self.policy),
            resolver: Arc::clone(&self.resolver),
            proxies: self.settings.proxies(),
            tls: Arc::new(tls),
            server_name: tls::server_name(&config.tls)?,
        };
        Ok(legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(self.idle_per_host)
            .http2_keep_alive_interval(PING_AFTER)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build(connector))
    }
}

/// Whether an exchange broke before its answer began, on a connection that had served before: then
/// the server closed it while it lay idle.
fn was_stale(error: &legacy::Error) -> bool {
    let mut extensions = Extensions::new();
    if let Some(connection) = error.connect_info() {
        connection.get_extras(&mut extensions);
    }
    extensions.get::<Served>().is_some_and(Served::get) && was_closed(error)
}

fn was_closed(error: &legacy::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_closed() || error.is_canceled())
        {
            return true;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
            );
        }
        cause = error.source();
    }
    false
}
