//! The connections of one client, made anew when a file with a certificate changes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::connect::Connector;
use crate::error::EgressError;
use crate::policy::OriginPolicy;
use crate::resolve::NameResolver;
use crate::settings::{ClientSettings, SettingsError};
use crate::tls::{self, Material};

/// How long an idle connection is kept, as upstream.
const IDLE: Duration = Duration::from_mins(5);
/// How long an HTTP/2 connection with requests may be silent before a ping, as upstream.
const PING_AFTER: Duration = Duration::from_mins(1);
/// How long the answer to a ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(15);

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

    /// One request, without redirects.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, EgressError> {
        let client = self.client().await?;
        client
            .request(request)
            .await
            .map_err(|error| EgressError::from_client(&error))
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
        let client = self.make(&material)?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((material, client.clone()));
        Ok(client)
    }

    fn current(&self) -> Option<(Material, Client)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    fn make(&self, material: &Material) -> Result<Client, SettingsError> {
        let config = self.settings.config();
        let tls = tls::client_config(&config.tls, material, config.enable_http2);
        let connector = Connector {
            policy: Arc::clone(&self.policy),
            resolver: Arc::clone(&self.resolver),
            proxies: self.settings.proxies(),
            tls: tls.map(Arc::new).map_err(|error| error.to_string().into()),
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
