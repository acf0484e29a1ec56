//! `kubernetes_resource_sd_configs`, resolved.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::Namespaces;
use super::cluster::{ClusterAccess, ClusterSelection};
use super::patterns::NamePatterns;
use super::pointer::Pointer;

/// One section of `kubernetes_resource_sd_configs`: objects of any kind become targets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KubernetesResourceSection {
    /// Which objects become targets.
    pub resource: ResourceName,
    /// Whether the objects belong to no namespace.
    pub cluster_scoped: bool,
    /// How to reach the cluster; [`ClusterAccess::Local`], and of no meaning, with `clusters`.
    pub access: ClusterAccess,
    /// Which of the file's clusters are read.
    pub clusters: Option<ClusterSelection>,
    /// Which namespaces are watched; all, and none by name, if the objects are cluster-scoped.
    pub namespaces: Namespaces,
    /// A label selector.
    pub label_selector: Option<String>,
    /// A field selector.
    pub field_selector: Option<String>,
    /// Where the addresses of targets stand.
    pub address: Pointer,
    /// Where their ports stand; without it, addresses are taken as they are.
    pub port: Option<Pointer>,
    /// Where the values of further labels stand, by the end of the label's name.
    pub labels: BTreeMap<String, Pointer>,
    /// Annotations that are left out.
    pub drop_annotations: NamePatterns,
}

/// A kind of object as the API's paths name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName {
    /// The group; empty for the core group.
    pub group: String,
    /// The version, such as `v1` or `v1beta1`.
    pub version: String,
    /// The plural, such as `httproutes`.
    pub plural: String,
}

// === impl KubernetesResourceSection ===

impl KubernetesResourceSection {
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let mut secrets = self.access.secrets();
        secrets.extend(self.clusters.iter().flat_map(ClusterSelection::secrets));
        secrets
    }
}

// === impl ResourceName ===

impl ResourceName {
    /// Reads `group/version/plural`, or `version/plural` for the core group.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (group, version, plural) = match text.split('/').collect::<Vec<_>>()[..] {
            [version, plural] => ("", version, plural),
            [group, version, plural] if !group.is_empty() => (group, version, plural),
            _ => return None,
        };
        let is_group = group.is_empty() || group.split('.').all(is_dns_label);
        let is_named = is_group && is_version(version) && is_dns_label(plural);
        is_named.then(|| Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
        })
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        write!(f, "{}/{}", self.version, self.plural)
    }
}

impl Serialize for ResourceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `v1`, `v2beta3`, `v1alpha1`.
fn is_version(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let Some(rest) = text.strip_prefix('v') else {
        return false;
    };
    let stages = ["alpha", "beta"];
    match stages.iter().find_map(|stage| rest.split_once(stage)) {
        Some((major, minor)) => is_number(major) && is_number(minor),
        None => is_number(rest),
    }
}

fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_resources_are_read_and_shown() {
        for (text, group, version, plural) in [
            ("v1/pods", "", "v1", "pods"),
            ("apps/v1/deployments", "apps", "v1", "deployments"),
            (
                "gateway.networking.k8s.io/v1beta1/httproutes",
                "gateway.networking.k8s.io",
                "v1beta1",
                "httproutes",
            ),
            ("x.io/v2alpha10/y-z", "x.io", "v2alpha10", "y-z"),
        ] {
            let name = ResourceName::parse(text).unwrap();
            let parts = (&name.group[..], &name.version[..], &name.plural[..]);
            assert_eq!(parts, (group, version, plural));
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_resource_is_refused() {
        for text in [
            "",
            "pods",
            "apps/deployments",
            "/v1/pods",
            "v1/",
            "v1/Pods",
            "v1/pods/status",
            "a/b/v1/pods",
            "v/pods",
            "v1gamma1/pods",
            "v1beta/pods",
            "1/pods",
            "Apps/v1/deployments",
            "a..b/v1/c",
            "v1/pods?x",
            "v1/../pods",
        ] {
            assert_eq!(ResourceName::parse(text), None, "{text}");
        }
    }
}
