//! How an API server is reached: a kubeconfig, the cluster that we run in, or an address.
//!
//! Credentials are read anew when a file that holds them changed, when the server no longer accepts
//! those that we have, and whenever a connection cannot be made: a rotation needs no restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::config::{Config, Kubeconfig};
use periplus_config::ClusterAccess;
use periplus_http::ClientSettings;
use tokio::sync::Mutex;
use url::Url;

mod client;
mod files;
mod pool;
mod server;
#[cfg(test)]
mod tests;

use self::files::Files;
pub(crate) use self::pool::Place;
use self::pool::Pool;
use crate::api::ApiError;
use crate::api::error::with_causes;

/// Where the API server is, and as whom we speak to it.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// A kubeconfig.
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// The context in it; without one, its current context.
        context: Option<String>,
    },
    /// The cluster that we run in, as the service account of our Pod.
    InCluster(ServiceAccount),
    /// An address, with the HTTP client settings of the section.
    Server {
        /// The address.
        url: Url,
        /// The settings.
        settings: ClientSettings,
    },
}

/// The folder that a Pod gets with the credentials of its service account.
#[derive(Clone, Debug)]
pub(crate) struct ServiceAccount(PathBuf);

/// Clients that are made when they are first needed, again when a file that they were made of
/// changed, and again after they were discarded.
pub(crate) struct Connection {
    access: Access,
    user_agent: http::HeaderValue,
    clients: Mutex<Option<(Arc<Clients>, Files)>>,
}

/// Clients with one set of credentials, and where they lead.
pub(crate) struct Clients {
    pool: Pool,
    /// Scheme, host and port, for messages.
    pub(crate) server: Arc<str>,
}

// === impl Access ===

impl Access {
    /// How the configuration says.
    pub(crate) fn of(
        access: &ClusterAccess,
        service_account: ServiceAccount,
    ) -> Result<Self, String> {
        Ok(match access.clone() {
            ClusterAccess::Kubeconfig { file, context } => Self::Kubeconfig { file, context },
            ClusterAccess::Local => Self::InCluster(service_account),
            ClusterAccess::Server { url, http } => {
                server::refuse_unserved(&http)?;
                let settings = ClientSettings::new(*http).map_err(|error| with_causes(&error))?;
                Self::Server { url, settings }
            }
        })
    }

    /// The namespace of our own Pod.
    pub(crate) fn own_namespace(&self) -> Result<String, String> {
        match self {
            Self::InCluster(account) => account.namespace(),
            _ => Err("`own_namespace` needs access from within the cluster".to_owned()),
        }
    }

    /// Reads what is needed to connect. Blocks on files, and on the command of an exec plugin.
    fn load(&self) -> Result<Config, ApiError> {
        let mut config = match self {
            Self::Kubeconfig { file, context } => load_kubeconfig(file, context.as_deref())?,
            Self::InCluster(account) => account.load()?,
            Self::Server { url, settings } => server::load(url, settings)?,
        };
        // One authority on waiting: the driver's back-off.
        config.default_retry = false;
        Ok(config)
    }
}

/// A URL without what may be secret.
fn origin(url: &http::Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("https");
    let host = url.host().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    format!("{scheme}://{host}{}", port.unwrap_or_default())
}

fn load_kubeconfig(path: &Path, context: Option<&str>) -> Result<Config, ApiError> {
    let named = |error: &(dyn std::error::Error + 'static)| {
        let text = with_causes(error);
        ApiError::Setup(format!(
            "cannot use kubeconfig `{}`: {text}",
            path.display()
        ))
    };
    let mut kubeconfig = Kubeconfig::read_from(path).map_err(|error| named(&error))?;
    if let Some(context) = context {
        kubeconfig.current_context = Some(context.to_owned());
    }
    Config::try_from(kubeconfig).map_err(|error| named(&error))
}

// === impl ServiceAccount ===

impl ServiceAccount {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    fn namespace(&self) -> Result<String, String> {
        let path = self.0.join("namespace");
        let text = std::fs::read_to_string(&path).map_err(|error| {
            format!(
                "could not determine the pod's namespace: cannot read `{}`: {error}",
                path.display()
            )
        })?;
        let namespace = text.trim();
        if namespace.is_empty() {
            return Err("could not read own namespace name (empty file)".to_owned());
        }
        Ok(namespace.to_owned())
    }

    fn load(&self) -> Result<Config, ApiError> {
        let host = environment("KUBERNETES_SERVICE_HOST")?;
        let port = environment("KUBERNETES_SERVICE_PORT")?;
        self.load_for(&host, &port)
    }

    fn load_for(&self, host: &str, port: &str) -> Result<Config, ApiError> {
        let address = format!("https://{}", crate::labels::join_host_port(host, port));
        let url = address.parse().map_err(|error| {
            ApiError::Setup(format!(
                "`{address}` is no address of an API server: {error}"
            ))
        })?;
        let mut config = Config::new(url);
        let ca = self.0.join("ca.crt");
        config.root_cert = Some(server::read_certificates(&ca)?);
        // Read again about every minute by kube, as the token is.
        config.root_cert_file = Some(ca);
        config.auth_info.token_file = Some(self.0.join("token").display().to_string());
        Ok(config)
    }
}

fn environment(name: &str) -> Result<String, ApiError> {
    std::env::var(name).map_err(|_| {
        ApiError::Setup(format!(
            "unable to load in-cluster configuration: `{name}` is not set; write `kubeconfig_file` \
             or `api_server` to connect from outside"
        ))
    })
}

// === impl Connection ===

impl Connection {
    /// A connection that is not made yet.
    pub(crate) fn new(access: Access, user_agent: &str) -> Self {
        let user_agent = user_agent
            .parse()
            .unwrap_or(http::HeaderValue::from_static("periplus"));
        Self {
            access,
            user_agent,
            clients: Mutex::new(None),
        }
    }

    /// The clients, and the headers that a request needs right now. Files that changed since the
    /// clients were made make new ones; streams that are open stay open.
    pub(crate) async fn clients(&self) -> Result<(Arc<Clients>, http::HeaderMap), ApiError> {
        let mut headers = match &self.access {
            Access::Server { settings, .. } => server::headers(settings).await?,
            _ => http::HeaderMap::new(),
        };
        headers.insert(http::header::USER_AGENT, self.user_agent.clone());
        let mut current = self.clients.lock().await;
        if let Some((clients, files)) = &mut *current
            && !files.changed()
        {
            return Ok((Arc::clone(clients), headers));
        }
        let (made, files) = self.make().await?;
        let made = Arc::new(made);
        *current = Some((Arc::clone(&made), files));
        Ok((made, headers))
    }

    /// Forgets these clients, unless others took their place: the next request reads credentials
    /// and certificates anew. Streams that are open stay open.
    pub(crate) async fn discard(&self, failed: &Arc<Clients>) {
        let mut current = self.clients.lock().await;
        if matches!(&*current, Some((clients, _)) if Arc::ptr_eq(clients, failed)) {
            current.take();
        }
        if let Access::Server { settings, .. } = &self.access {
            settings.forget_token().await;
        }
    }

    async fn make(&self) -> Result<(Clients, Files), ApiError> {
        let access = self.access.clone();
        let made = tokio::task::spawn_blocking(move || {
            let files = Files::of(&access);
            let config = access.load()?;
            let server = origin(&config.cluster_url).into();
            let pool = Pool::new(config);
            Ok((Clients { pool, server }, files))
        });
        made.await
            .map_err(|error| ApiError::Setup(format!("cannot connect: {error}")))?
    }
}

// === impl Clients ===

impl Clients {
    /// A place on a connection for one request.
    pub(crate) async fn place(self: &Arc<Self>) -> Result<Place, ApiError> {
        if let Some(place) = self.pool.free_place() {
            return Ok(place);
        }
        let clients = Arc::clone(self);
        // Blocks on the command of an exec plugin.
        let made = tokio::task::spawn_blocking(move || clients.pool.place());
        match made.await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(error)) => Err(ApiError::Setup(format!(
                "cannot connect: {}",
                with_causes(error.as_ref())
            ))),
            Err(error) => Err(ApiError::Setup(format!("cannot connect: {error}"))),
        }
    }
}
