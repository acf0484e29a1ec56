//! Which clusters there are, and which of them a section reads.

use std::path::PathBuf;

use serde::{Serialize, Serializer};
use url::Url;

use super::patterns::NamePatterns;
use crate::http_client::HttpClientConfig;

/// One entry of the top-level list `clusters`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterEntry {
    /// A cluster with its name.
    Named(NamedCluster),
    /// `kubeconfig_dir`: a folder, joined with the configuration's directory, in which every
    /// regular file whose name does not begin with a dot is a kubeconfig; links to files count, since
    /// a mounted Secret has nothing else. The cluster is named by the file's name without its last
    /// extension. The folder is read live.
    Folder(PathBuf),
}

/// A cluster with its name, which is unique in the file and never empty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedCluster {
    /// The name, for sections to refer to and for the label `__meta_kubernetes_cluster`.
    pub name: String,
    /// How to reach it.
    pub access: ClusterAccess,
}

/// How to reach one cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterAccess {
    /// As a Pod of the cluster that this process runs in.
    Local,
    /// By a kubeconfig.
    Kubeconfig {
        /// The file, joined with the configuration's directory.
        file: PathBuf,
        /// The context in it; without one, its current context.
        context: Option<String>,
    },
    /// By the URL of the API server.
    Server {
        /// The server; a password in it is not serialised.
        #[serde(serialize_with = "redacted")]
        url: Url,
        /// How to talk to it.
        http: Box<HttpClientConfig>,
    },
}

/// `clusters` of a section, resolved: all that the section reads, and nothing of other clusters, so
/// that a section is the same as long as what it reads is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClusterSelection {
    /// The entries with a name that the section names or matches, by name.
    pub named: Vec<NamedCluster>,
    /// The folders whose clusters it may match, in the order of the file. Where two hold the same
    /// name, the first counts; a cluster in `named` counts before them all.
    pub folders: Vec<FolderSelection>,
}

/// The clusters of one folder that a section reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FolderSelection {
    /// The folder of a [`ClusterEntry::Folder`].
    pub path: PathBuf,
    /// What a cluster's name must match one of; names of `clusters` that are entries of their own
    /// are not among them.
    pub patterns: NamePatterns,
}

// === impl ClusterAccess ===

impl ClusterAccess {
    /// Secrets in a fixed order, for a section's identity.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Local | Self::Kubeconfig { .. } => Vec::new(),
            Self::Server { url, http } => {
                let mut secrets = http.secrets();
                secrets.extend(url.password());
                secrets
            }
        }
    }
}

// === impl ClusterSelection ===

impl ClusterSelection {
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let named = self.named.iter();
        named.flat_map(|cluster| cluster.access.secrets()).collect()
    }
}

/// A URL as it may be shown: a password in it is replaced.
pub(super) fn redacted<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    let mut url = url.clone();
    if url.password().is_some() {
        // Fails only for URLs that cannot hold a password, and this one does.
        let _ = url.set_password(Some("xxxxx"));
    }
    serializer.serialize_str(url.as_str())
}
