//! From a section of the configuration to a provider.

use std::path::PathBuf;

use periplus_config::{KubernetesSection, Role};
use periplus_discovery::Discoverer;

use crate::connect::{Access, ServiceAccount};
use crate::metrics::KubernetesMetrics;
use crate::provider::{Follow, Provider};
use crate::resource::node::Node;
use crate::resource::pod::Pod;

/// Where a Pod finds the credentials of its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The mechanism `kubernetes`.
#[derive(Clone, Debug)]
pub struct KubernetesMechanism {
    options: KubernetesOptions,
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
        Self { options }
    }

    /// The provider for a section. It reads no file and reaches no server before it runs: what
    /// cannot be read then is reported, and tried again.
    ///
    /// # Errors
    /// What the section asks for and is not served.
    pub fn discoverer(
        &self,
        section: &KubernetesSection,
        name: &str,
    ) -> Result<Box<dyn Discoverer>, String> {
        refuse_unserved(section)?;
        let service_account = ServiceAccount::new(&self.options.service_account);
        let access = Access::of(section, service_account)?;
        let follow = Follow::of(section);
        let options = self.options.clone();
        let name = name.to_owned();
        Ok(match section.role {
            Role::Node => Box::new(Provider::<Node>::new(name, access, follow, options)),
            // `refuse_unserved` let no other role through.
            _ => Box::new(Provider::<Pod>::new(name, access, follow, options)),
        })
    }
}

fn refuse_unserved(section: &KubernetesSection) -> Result<(), String> {
    let role = section.role;
    if section.clusters.is_some() {
        return Err("`clusters` is not served yet".to_owned());
    }
    if !section.drop_annotations.is_empty() {
        return Err("`drop_annotations` is not served yet".to_owned());
    }
    if !matches!(role, Role::Pod | Role::Node) {
        return Err(format!("role `{role}` is not served yet"));
    }
    let attach = section.attach_metadata;
    let asked = [
        ("node", attach.node),
        ("namespace", attach.namespace),
        ("deployment", attach.deployment),
        ("job", attach.job),
        ("cronjob", attach.cronjob),
    ];
    // A node has nothing attached whatever is asked for, as upstream.
    match asked.iter().find(|(_, asked)| *asked && role != Role::Node) {
        Some((what, _)) => Err(format!(
            "`attach_metadata.{what}` is not served yet for role `{role}`"
        )),
        None => Ok(()),
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
