//! The clusters of this process: each one that is reached in the same way is there once.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use periplus_config::ClusterAccess;
use tokio::sync::Semaphore;

use crate::api::Api;
use crate::api::http::HttpApi;
use crate::connect::{Access, Connection, ServiceAccount};
use crate::mechanism::KubernetesOptions;
use crate::shared::{Cluster, WatchContext};

pub(crate) mod folder;

/// First states that are read at a time, over all clusters: each takes memory and a core.
const FIRST_STATES: usize = 4;

/// Clusters by the way to reach them, as long as somebody reads them.
pub(crate) struct Clusters {
    options: KubernetesOptions,
    gate: Arc<Semaphore>,
    /// Few hundred at most, and compared only when a provider begins.
    known: Mutex<Vec<(ClusterAccess, Weak<Cluster>)>>,
}

// === impl Clusters ===

impl Clusters {
    pub(crate) fn new(options: KubernetesOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            gate: Arc::new(Semaphore::new(FIRST_STATES)),
            known: Mutex::default(),
        })
    }

    pub(crate) fn options(&self) -> &KubernetesOptions {
        &self.options
    }

    /// How `access` is gone about; reads nothing yet.
    ///
    /// # Errors
    /// What it asks for and is not served.
    pub(crate) fn access(&self, access: &ClusterAccess) -> Result<Access, String> {
        let account = ServiceAccount::new(&self.options.service_account);
        Access::of(access, account)
    }

    /// The cluster that is reached by `access`, with the watches that run there. Must be called
    /// within the runtime.
    ///
    /// # Errors
    /// As [`Clusters::access`].
    pub(crate) fn get(&self, access: &ClusterAccess) -> Result<Arc<Cluster>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, cluster)| cluster.strong_count() > 0);
        let running = known.iter().find(|(of, _)| of == access);
        if let Some(cluster) = running.and_then(|(_, cluster)| cluster.upgrade()) {
            return Ok(cluster);
        }
        let connection = Connection::new(self.access(access)?, &self.options.user_agent);
        let metrics = self.options.metrics.clone();
        let api: Arc<dyn Api> = Arc::new(HttpApi::new(connection, metrics.clone()));
        let gate = Arc::clone(&self.gate);
        let cluster = Cluster::new(WatchContext { api, metrics, gate });
        known.push((access.clone(), Arc::downgrade(&cluster)));
        Ok(cluster)
    }
}

impl std::fmt::Debug for Clusters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clusters").finish_non_exhaustive()
    }
}
