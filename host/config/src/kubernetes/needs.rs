//! What a section watches, and so what it must be permitted to.

use std::collections::BTreeSet;

use super::{AttachMetadata, KubernetesResourceSection, KubernetesSection, Role};

/// One kind of object that a section lists and watches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource's plural name.
    pub resource: String,
    /// Whether only the section's namespaces are watched, if it has any; else the whole cluster.
    pub namespaced: bool,
}

// === impl Need ===

impl Need {
    /// All that a section watches, sorted. A selector narrows a watch and needs nothing more;
    /// metadata that a role does not attach (`node` of services) needs nothing at all.
    #[must_use]
    pub fn of(section: &KubernetesSection) -> BTreeSet<Self> {
        let mut needs = of_role(section.role);
        let attach = section.attach_metadata;
        if attaches_pods(section.role) {
            needs.extend(of_pods_metadata(attach));
        }
        if attach.namespace && section.role != Role::Node {
            needs.insert(in_cluster("namespaces"));
        }
        needs
    }

    /// All that a section of another kind watches, which is that kind.
    #[must_use]
    pub fn of_resource(section: &KubernetesResourceSection) -> BTreeSet<Self> {
        BTreeSet::from([Self {
            group: section.resource.group.clone(),
            resource: section.resource.plural.clone(),
            namespaced: !section.cluster_scoped,
        }])
    }
}

fn of_role(role: Role) -> BTreeSet<Need> {
    let needs = match role {
        Role::Node => vec![in_cluster("nodes")],
        Role::Pod => vec![namespaced("", "pods")],
        Role::Service => vec![namespaced("", "services")],
        Role::Ingress => vec![namespaced("networking.k8s.io", "ingresses")],
        Role::Endpoints => vec![
            namespaced("", "endpoints"),
            namespaced("", "services"),
            namespaced("", "pods"),
        ],
        Role::EndpointSlice => vec![
            namespaced("discovery.k8s.io", "endpointslices"),
            namespaced("", "services"),
            namespaced("", "pods"),
        ],
    };
    needs.into_iter().collect()
}

fn attaches_pods(role: Role) -> bool {
    matches!(role, Role::Pod | Role::Endpoints | Role::EndpointSlice)
}

/// A Pod's owner names a ReplicaSet, whose owner is the Deployment, or a Job, whose owner is the
/// CronJob. The Job itself is known from the Pod.
fn of_pods_metadata(attach: AttachMetadata) -> Vec<Need> {
    let mut needs = Vec::new();
    if attach.node {
        needs.push(in_cluster("nodes"));
    }
    if attach.deployment {
        needs.push(namespaced("apps", "replicasets"));
    }
    if attach.cronjob {
        needs.push(namespaced("batch", "jobs"));
    }
    needs
}

fn namespaced(group: &str, resource: &str) -> Need {
    Need {
        group: group.to_owned(),
        resource: resource.to_owned(),
        namespaced: true,
    }
}

fn in_cluster(resource: &str) -> Need {
    Need {
        group: String::new(),
        resource: resource.to_owned(),
        namespaced: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::{ClusterAccess, NamePatterns, Namespaces, Pointer, ResourceName};

    /// Resources as `plural.group`, with a `*` after what is watched in the whole cluster.
    fn shown(needs: &BTreeSet<Need>) -> String {
        let mut shown: Vec<_> = needs
            .iter()
            .map(|need| {
                let dot = if need.group.is_empty() { "" } else { "." };
                let mark = if need.namespaced { "" } else { "*" };
                format!("{}{dot}{}{mark}", need.resource, need.group)
            })
            .collect();
        shown.sort();
        shown.join(" ")
    }

    fn attach(what: &str) -> AttachMetadata {
        let has = |name| what.split(' ').any(|it| it == name);
        AttachMetadata {
            node: has("node"),
            namespace: has("namespace"),
            deployment: has("deployment"),
            job: has("job"),
            cronjob: has("cronjob"),
        }
    }

    const ALL: &str = "node namespace deployment job cronjob";

    #[test]
    fn each_role_needs_what_it_shows() {
        for (role, attached, expected) in [
            (Role::Node, "", "nodes*"),
            (Role::Node, ALL, "nodes*"),
            (Role::Pod, "", "pods"),
            (Role::Pod, "node", "nodes* pods"),
            (Role::Pod, "namespace", "namespaces* pods"),
            (Role::Pod, "deployment", "pods replicasets.apps"),
            (Role::Pod, "job", "pods"),
            (Role::Pod, "cronjob", "jobs.batch pods"),
            (
                Role::Pod,
                ALL,
                "jobs.batch namespaces* nodes* pods replicasets.apps",
            ),
            (Role::Service, "", "services"),
            (Role::Service, ALL, "namespaces* services"),
            (Role::Ingress, "", "ingresses.networking.k8s.io"),
            (
                Role::Ingress,
                ALL,
                "ingresses.networking.k8s.io namespaces*",
            ),
            (Role::Endpoints, "", "endpoints pods services"),
            (
                Role::Endpoints,
                ALL,
                "endpoints jobs.batch namespaces* nodes* pods replicasets.apps services",
            ),
            (
                Role::EndpointSlice,
                "job",
                "endpointslices.discovery.k8s.io pods services",
            ),
            (
                Role::EndpointSlice,
                ALL,
                "endpointslices.discovery.k8s.io jobs.batch namespaces* nodes* pods \
                 replicasets.apps services",
            ),
        ] {
            let section = KubernetesSection {
                attach_metadata: attach(attached),
                ..KubernetesSection::new(role)
            };
            assert_eq!(shown(&Need::of(&section)), expected, "{role} {attached}");
        }
    }

    #[test]
    fn other_resources_need_themselves() {
        for (resource, cluster_scoped, expected) in [
            (
                "gateway.networking.k8s.io/v1/httproutes",
                false,
                "httproutes.gateway.networking.k8s.io",
            ),
            ("v1/persistentvolumes", true, "persistentvolumes*"),
        ] {
            let section = KubernetesResourceSection {
                resource: ResourceName::parse(resource).unwrap(),
                cluster_scoped,
                access: ClusterAccess::Local,
                clusters: None,
                namespaces: Namespaces::default(),
                label_selector: None,
                field_selector: None,
                address: Pointer::parse("/spec/x").unwrap(),
                port: None,
                labels: std::collections::BTreeMap::new(),
                drop_annotations: NamePatterns::default(),
            };
            assert_eq!(shown(&Need::of_resource(&section)), expected);
        }
    }
}
