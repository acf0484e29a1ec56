//! `kubernetes_sd_configs`, resolved, and what belongs to it: clusters and other kinds of objects.

mod cluster;
mod needs;
mod patterns;
mod pointer;
mod resource;
mod rows;
mod selector;

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use url::Url;

use crate::http_client::HttpClientConfig;

pub use cluster::{ClusterAccess, ClusterEntry, ClusterSelection, FolderSelection, NamedCluster};
pub use needs::Need;
pub use patterns::NamePatterns;
pub use pointer::{Pointer, Segment};
pub use resource::{KubernetesResourceSection, ResourceName};
pub use rows::{ResourcePointers, ResourceRow, ResourceRows};
pub use selector::{
    FieldRequirement, FieldSelector, LabelOperator, LabelRequirement, LabelSelector,
};

/// One section of `kubernetes_sd_configs`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KubernetesSection {
    /// Which objects become targets.
    pub role: Role,
    /// The API server; without it and without `kubeconfig_file`, the cluster we run in.
    #[serde(serialize_with = "redacted_url")]
    pub api_server: Option<Url>,
    /// A kubeconfig, joined with the configuration's directory.
    pub kubeconfig_file: Option<PathBuf>,
    /// Which namespaces are watched.
    pub namespaces: Namespaces,
    /// Selectors, at most one per role.
    pub selectors: Vec<RoleSelector>,
    /// What is attached to targets from related objects.
    pub attach_metadata: AttachMetadata,
    /// How to talk to `api_server`.
    pub http_client: HttpClientConfig,
    /// Which of the file's clusters are read, instead of the one that the keys above lead to.
    pub clusters: Option<ClusterSelection>,
    /// Annotations that are left out, of all objects.
    pub drop_annotations: NamePatterns,
}

/// The kind of object that becomes a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `node`
    Node,
    /// `pod`
    Pod,
    /// `service`
    Service,
    /// `endpoints`
    Endpoints,
    /// `endpointslice`
    EndpointSlice,
    /// `ingress`
    Ingress,
}

/// Which namespaces are watched; neither set means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Namespaces {
    /// The namespace that this process runs in.
    pub own_namespace: bool,
    /// Namespaces by name.
    pub names: Vec<String>,
}

/// Selectors for the objects of one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleSelector {
    /// Which objects.
    pub role: Role,
    /// A label selector.
    pub label: Option<String>,
    /// A field selector.
    pub field: Option<String>,
}

/// What is attached to targets from related objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AttachMetadata {
    /// Labels and annotations of the node.
    pub node: bool,
    /// Labels and annotations of the namespace.
    pub namespace: bool,
    /// The deployment that owns the pod.
    pub deployment: bool,
    /// The job that owns the pod.
    pub job: bool,
    /// The cron job that owns the pod.
    pub cronjob: bool,
}

#[expect(
    clippy::ref_option,
    reason = "serde hands over a reference to the field"
)]
fn redacted_url<S: Serializer>(url: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
    match url {
        Some(url) => cluster::redacted(url, serializer),
        None => serializer.serialize_none(),
    }
}

// === impl KubernetesSection ===

impl KubernetesSection {
    /// A section with nothing but its role written.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            role,
            api_server: None,
            kubeconfig_file: None,
            namespaces: Namespaces::default(),
            selectors: Vec::new(),
            attach_metadata: AttachMetadata::default(),
            http_client: HttpClientConfig::default(),
            clusters: None,
            drop_annotations: NamePatterns::default(),
        }
    }

    /// How to reach the cluster; [`ClusterAccess::Local`], and of no meaning, with `clusters`.
    #[must_use]
    pub fn access(&self) -> ClusterAccess {
        match (&self.kubeconfig_file, &self.api_server) {
            (Some(file), _) => ClusterAccess::Kubeconfig {
                file: file.clone(),
                context: None,
            },
            (None, Some(url)) => ClusterAccess::Server {
                url: url.clone(),
                http: Box::new(self.http_client.clone()),
            },
            (None, None) => ClusterAccess::Local,
        }
    }

    pub(crate) fn secrets(&self) -> Vec<&str> {
        let mut secrets = self.http_client.secrets();
        secrets.extend(self.api_server.iter().filter_map(|url| url.password()));
        secrets.extend(self.clusters.iter().flat_map(ClusterSelection::secrets));
        secrets
    }
}

// === impl Role ===

impl Role {
    /// All roles, in the order in which Prometheus lists them.
    pub const ALL: [Self; 6] = [
        Self::Pod,
        Self::Service,
        Self::Endpoints,
        Self::EndpointSlice,
        Self::Node,
        Self::Ingress,
    ];

    /// The name as it is configured.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::EndpointSlice => "endpointslice",
            Self::Ingress => "ingress",
        }
    }

    /// The roles whose objects a section of this role may select.
    #[must_use]
    pub fn selectable(self) -> &'static [Self] {
        match self {
            Self::Pod => &[Self::Pod, Self::Node],
            Self::Service => &[Self::Service],
            Self::EndpointSlice => &[Self::Pod, Self::Service, Self::EndpointSlice],
            Self::Endpoints => &[Self::Pod, Self::Service, Self::Endpoints],
            Self::Node => &[Self::Node],
            Self::Ingress => &[Self::Ingress],
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
