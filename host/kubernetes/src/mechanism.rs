//! From a section of the configuration to a provider.

use std::path::PathBuf;
use std::sync::Arc;

use periplus_config::{
    ClusterAccess, ClusterSelection, KubernetesResourceSection, KubernetesSection,
};
use periplus_discovery::Discoverer;

use crate::clusters::Clusters;
use crate::metrics::KubernetesMetrics;
use crate::provider::{Place, Provider};
use crate::wanted::Wanted;

/// Where a Pod finds the credentials of its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The mechanisms `kubernetes` and `kubernetes_resource`. Its providers share their watches.
#[derive(Clone, Debug)]
pub struct KubernetesMechanism {
    clusters: Arc<Clusters>,
}

/// What the providers of this mechanism have in common.
#[derive(Clone, Debug)]
pub struct KubernetesOptions {
    /// Where events and failures are counted.
    pub metrics: KubernetesMetrics,
    /// The folder with `token`, `ca.crt` and `namespace` for access from within a cluster.
    pub service_account: PathBuf,
    /// How requests name their sender.
    pub user_agent: String,
}

// === impl KubernetesMechanism ===

impl KubernetesMechanism {
    /// A mechanism that has made no provider yet.
    pub fn new(options: KubernetesOptions) -> Self {
        let clusters = Clusters::new(options);
        Self { clusters }
    }

    /// The provider for a section of `kubernetes_sd_configs`. It reads no file and reaches no
    /// server before it runs: what cannot be read then is reported, and tried again.
    ///
    /// # Errors
    /// What the section asks for and is not served.
    pub fn discoverer(
        &self,
        section: &KubernetesSection,
        name: &str,
    ) -> Result<Box<dyn Discoverer>, String> {
        let place = self.place(section.access(), section.clusters.as_ref())?;
        Ok(self.provider(Wanted::of(section), place, name))
    }

    /// The same for a section of `kubernetes_resource_sd_configs`.
    ///
    /// # Errors
    /// As [`KubernetesMechanism::discoverer`].
    pub fn resource_discoverer(
        &self,
        section: &KubernetesResourceSection,
        name: &str,
    ) -> Result<Box<dyn Discoverer>, String> {
        let place = self.place(section.access.clone(), section.clusters.as_ref())?;
        Ok(self.provider(Wanted::of_resource(section), place, name))
    }

    fn place(
        &self,
        access: ClusterAccess,
        clusters: Option<&ClusterSelection>,
    ) -> Result<Place, String> {
        if let Some(selection) = clusters {
            for cluster in &selection.named {
                let refused = self.clusters.access(&cluster.access).err();
                if let Some(error) = refused {
                    return Err(format!("cluster `{}`: {error}", cluster.name));
                }
            }
            return Ok(Place::Many(selection.clone()));
        }
        self.clusters.access(&access)?;
        Ok(Place::One(access))
    }

    fn provider(&self, wanted: Wanted, place: Place, name: &str) -> Box<dyn Discoverer> {
        Box::new(Provider {
            name: name.to_owned(),
            wanted,
            place,
            clusters: Arc::clone(&self.clusters),
        })
    }
}

// === impl KubernetesOptions ===

impl Default for KubernetesOptions {
    fn default() -> Self {
        Self {
            metrics: KubernetesMetrics::default(),
            service_account: SERVICE_ACCOUNT.into(),
            user_agent: concat!("periplus/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
