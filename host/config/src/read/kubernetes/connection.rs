//! The keys that say how to reach a cluster, or which ones.

use url::Url;

use super::selection;
use crate::kubernetes::{ClusterAccess, ClusterSelection};
use crate::read::http_client::{self, HttpDraft};
use crate::read::url::{self as go_url, GoUrl};
use crate::read::{Context, path};
use crate::yaml::{Fields, Value};

/// The keys as written, before what they exclude is checked.
pub(in crate::read) struct ConnectionDraft<'a> {
    api_server: Option<GoUrl>,
    kubeconfig: String,
    clusters: Option<Value<'a>>,
    http: HttpDraft,
}

/// What a section reads from.
pub(super) struct Connection {
    /// The cluster; of no meaning with `clusters`.
    pub(super) access: ClusterAccess,
    pub(super) clusters: Option<ClusterSelection>,
}

/// Takes the keys of one cluster.
pub(in crate::read) fn take<'a>(
    fields: &mut Fields<'a>,
    context: &Context<'_>,
) -> ConnectionDraft<'a> {
    ConnectionDraft {
        api_server: fields.read("api_server", |value| go_url::read(&value)),
        kubeconfig: fields.string("kubeconfig_file"),
        clusters: None,
        http: http_client::take(fields, context),
    }
}

/// Takes the keys of a section, which may name clusters of the file instead.
pub(super) fn take_with_clusters<'a>(
    fields: &mut Fields<'a>,
    context: &Context<'_>,
) -> ConnectionDraft<'a> {
    let clusters = fields.take("clusters");
    ConnectionDraft {
        clusters,
        ..take(fields, context)
    }
}

// === impl ConnectionDraft ===

impl ConnectionDraft<'_> {
    /// Whether nothing is written.
    pub(in crate::read) fn is_empty(&self) -> bool {
        self.api_server.is_none() && self.kubeconfig.is_empty() && !self.http.is_custom()
    }

    /// Checks the keys of a section, in the order of upstream.
    pub(super) fn resolve(
        self,
        fields: &Fields<'_>,
        own_namespace: bool,
        context: &Context<'_>,
    ) -> Option<Connection> {
        if let Some(value) = &self.clusters {
            let is_alone = self.check_alone(fields, own_namespace);
            let clusters = selection::read(value, context.clusters)?;
            return is_alone.then_some(Connection {
                access: ClusterAccess::Local,
                clusters: Some(clusters),
            });
        }
        let access = self.resolve_access(fields, own_namespace, None, context)?;
        Some(Connection {
            access,
            clusters: None,
        })
    }

    /// Checks the keys of one cluster in the list of them; `kube_context` is the key `context`.
    pub(in crate::read) fn resolve_cluster(
        self,
        fields: &Fields<'_>,
        kube_context: &str,
        context: &Context<'_>,
    ) -> Option<ClusterAccess> {
        if !kube_context.is_empty() && self.kubeconfig.is_empty() {
            fields.place(&["context"]).error_with(
                "'context' needs 'kubeconfig_file'",
                "add the `kubeconfig_file` that has this context, or remove `context`",
            );
            return None;
        }
        let kube_context = (!kube_context.is_empty()).then_some(kube_context);
        self.resolve_access(fields, false, kube_context, context)
    }

    fn resolve_access(
        self,
        fields: &Fields<'_>,
        own_namespace: bool,
        kube_context: Option<&str>,
        context: &Context<'_>,
    ) -> Option<ClusterAccess> {
        let conflict = self.conflict(own_namespace);
        let http = self.http.validate(fields, context)?;
        if let Some((key, message)) = conflict {
            fields.place(&[key]).error(message);
            return None;
        }
        if let Some(file) = path::join_some(context.directory, &self.kubeconfig) {
            let context = kube_context.map(str::to_owned);
            return Some(ClusterAccess::Kubeconfig { file, context });
        }
        let Some(written) = self.api_server.filter(|url| !url.text.is_empty()) else {
            return Some(ClusterAccess::Local);
        };
        let Some(url) = usable_url(&written) else {
            fields.place(&["api_server"]).error_with(
                format!("`{}` is not a URL of an API server", written.text),
                "write a scheme and a host: `https://kubernetes.example.com:6443`",
            );
            return None;
        };
        Some(ClusterAccess::Server {
            url,
            http: Box::new(http),
        })
    }

    /// Which ways to reach the cluster exclude each other: the first of upstream's objections, with
    /// the key that it is about.
    fn conflict(&self, own_namespace: bool) -> Option<(&'static str, &'static str)> {
        let api_server = self.api_server.is_some();
        let kubeconfig = !self.kubeconfig.is_empty();
        let is_custom = self.http.is_custom();
        if api_server && kubeconfig {
            Some((
                "kubeconfig_file",
                "cannot use 'kubeconfig_file' and 'api_server' simultaneously",
            ))
        } else if kubeconfig && is_custom {
            Some((
                "kubeconfig_file",
                "cannot use a custom HTTP client configuration together with 'kubeconfig_file'",
            ))
        } else if !api_server && is_custom {
            Some((
                "",
                "to use custom HTTP client configuration please provide the 'api_server' URL explicitly",
            ))
        } else if api_server && own_namespace {
            Some((
                "namespaces",
                "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously",
            ))
        } else if kubeconfig && own_namespace {
            Some((
                "namespaces",
                "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously",
            ))
        } else {
            None
        }
    }

    /// Refuses what cannot stand beside `clusters`, all of it.
    fn check_alone(&self, fields: &Fields<'_>, own_namespace: bool) -> bool {
        let conflicts = [
            (
                self.api_server.is_some(),
                "api_server",
                "cannot use 'clusters' and 'api_server' simultaneously",
                "make the server an entry of the top-level list `clusters`, and name it here",
            ),
            (
                !self.kubeconfig.is_empty(),
                "kubeconfig_file",
                "cannot use 'clusters' and 'kubeconfig_file' simultaneously",
                "make the kubeconfig an entry of the top-level list `clusters`, and name it here",
            ),
            (
                self.http.is_custom(),
                "clusters",
                "cannot use a custom HTTP client configuration together with 'clusters'",
                "write it in the cluster's entry of the top-level list `clusters`",
            ),
            (
                own_namespace,
                "namespaces",
                "cannot use 'clusters' and 'namespaces.own_namespace' simultaneously",
                "name the namespaces: `namespaces: {names: [NAME]}`",
            ),
        ];
        let mut found = conflicts.iter().filter(|(is_written, ..)| *is_written);
        let mut is_alone = true;
        for (_, key, message, hint) in &mut found {
            is_alone = false;
            fields.place(&[key]).error_with(*message, *hint);
        }
        is_alone
    }
}

/// The URL of the API server, if requests can be made to it. Upstream accepts any URL in the file
/// and fails when it connects, by the rule that follows: what has no scheme or no host is a
/// `host:port` for HTTP (`DefaultServerURL` of client-go).
fn usable_url(url: &GoUrl) -> Option<Url> {
    if !url.scheme.is_empty() && !url.host.is_empty() {
        return Url::parse(&url.text).ok().filter(Url::has_host);
    }
    let url = Url::parse(&format!("http://{}", url.text)).ok()?;
    (url.has_host() && url.path() == "/").then_some(url)
}
