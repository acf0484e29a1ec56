//! Objects of any kind, of which a section says by pointers what is kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use periplus_config::{KubernetesResourceSection, Pointer};

use super::Kind;

/// What is kept of the objects of a custom kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spec {
    kind: Kind,
    address: Pointer,
    port: Option<Pointer>,
    labels: BTreeMap<String, Pointer>,
}

// === impl Spec ===

impl Spec {
    /// What a section asks for.
    pub(crate) fn of(section: &KubernetesResourceSection) -> Self {
        let resource = &section.resource;
        let (group_path, qualified) = if resource.group.is_empty() {
            (
                format!("/api/{}", resource.version),
                resource.plural.clone(),
            )
        } else {
            (
                format!("/apis/{}/{}", resource.group, resource.version),
                format!("{}.{}", resource.plural, resource.group),
            )
        };
        Self {
            kind: Kind {
                group_path: Cow::Owned(group_path),
                plural: Cow::Owned(resource.plural.clone()),
                namespaced: !section.cluster_scoped,
                metadata_only: false,
                role: "resource",
                key_prefix: Cow::Owned(qualified),
            },
            address: section.address.clone(),
            port: section.port.clone(),
            labels: section.labels.clone(),
        }
    }

    /// The kind of the objects.
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }
}
