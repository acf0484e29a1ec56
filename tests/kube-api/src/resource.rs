//! Which kinds of objects there are, and where they live in the URL space.

/// A kind of object that the server stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// API version, such as `v1`.
    pub version: String,
    /// Name in URLs, such as `pods`.
    pub plural: String,
    /// Name in objects, such as `Pod`.
    pub kind: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// The `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// As messages name it: `pods`, `ingresses.networking.k8s.io`.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// What the store files it under: `v1/pods`, `apps/v1/deployments`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.api_version(), self.plural)
    }

    /// A resource for objects of a kind nobody registered, by the usual rule of English plurals.
    pub(crate) fn guess(api_version: &str, kind: &str, namespaced: bool) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let lower = kind.to_lowercase();
        let plural = match lower.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None if lower.ends_with('s') => format!("{lower}es"),
            None => format!("{lower}s"),
        };
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural,
            kind: kind.to_owned(),
            namespaced,
        }
    }
}

/// The kinds every server has.
pub(crate) fn builtin() -> Vec<Resource> {
    const KINDS: &[(&str, &str, &str, bool)] = &[
        ("v1", "pods", "Pod", true),
        ("v1", "nodes", "Node", false),
        ("v1", "namespaces", "Namespace", false),
        ("v1", "services", "Service", true),
        ("v1", "endpoints", "Endpoints", true),
        ("v1", "events", "Event", true),
        ("v1", "configmaps", "ConfigMap", true),
        ("v1", "secrets", "Secret", true),
        (
            "discovery.k8s.io/v1",
            "endpointslices",
            "EndpointSlice",
            true,
        ),
        ("networking.k8s.io/v1", "ingresses", "Ingress", true),
        ("apps/v1", "deployments", "Deployment", true),
        ("apps/v1", "replicasets", "ReplicaSet", true),
        ("apps/v1", "statefulsets", "StatefulSet", true),
        ("apps/v1", "daemonsets", "DaemonSet", true),
        ("batch/v1", "jobs", "Job", true),
        ("batch/v1", "cronjobs", "CronJob", true),
        ("coordination.k8s.io/v1", "leases", "Lease", true),
        (
            "gateway.networking.k8s.io/v1",
            "gatewayclasses",
            "GatewayClass",
            false,
        ),
        ("gateway.networking.k8s.io/v1", "gateways", "Gateway", true),
        (
            "gateway.networking.k8s.io/v1",
            "httproutes",
            "HTTPRoute",
            true,
        ),
    ];
    KINDS
        .iter()
        .map(|&(api_version, plural, kind, namespaced)| Resource {
            plural: plural.to_owned(),
            ..Resource::guess(api_version, kind, namespaced)
        })
        .collect()
}
