//! `kubernetes_sd_configs`, and beside it what other readers of Kubernetes' keys share.

mod annotations;
pub(super) mod connection;
pub(super) mod resource;
mod selection;

use super::selector;
use super::{Context, quoted};
use crate::http_client::HttpClientConfig;
use crate::kubernetes::{
    AttachMetadata, ClusterAccess, KubernetesSection, Namespaces, Role, RoleSelector,
};
use crate::yaml::{Fields, Value, nearest};

/// Reads and checks one section.
pub(super) fn read(value: &Value<'_>, context: &Context<'_>) -> Option<KubernetesSection> {
    let mut fields = value.fields()?;
    let role = fields.read("role", |value| read_role(&value));
    let draft = connection::take_with_clusters(&mut fields, context);
    let namespaces = fields
        .read("namespaces", |value| read_namespaces(&value))
        .unwrap_or_default();
    let selectors = fields.take("selectors");
    let drafts = selectors
        .as_ref()
        .and_then(read_selectors)
        .unwrap_or_default();
    let attach_metadata = fields
        .read("attach_metadata", |value| read_attach(&value))
        .unwrap_or_default();
    let drop_annotations = fields
        .read("drop_annotations", |value| annotations::read(&value))
        .unwrap_or_default();
    if !fields.finish() {
        return None;
    }
    let Some(role) = role else {
        fields.place(&["role"]).error_with(
            "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)",
            "add `role: pod`, or another of these",
        );
        return None;
    };
    let connection = draft.resolve(&fields, namespaces.own_namespace, context)?;
    let (api_server, kubeconfig_file, http_client) = match connection.access {
        ClusterAccess::Local => (None, None, HttpClientConfig::default()),
        ClusterAccess::Kubeconfig { file, .. } => (None, Some(file), HttpClientConfig::default()),
        ClusterAccess::Server { url, http } => (Some(url), None, *http),
    };
    Some(KubernetesSection {
        role,
        api_server,
        kubeconfig_file,
        namespaces,
        selectors: check_selectors(role, drafts)?,
        attach_metadata,
        http_client,
        clusters: connection.clusters,
        drop_annotations,
    })
}

fn read_role(value: &Value<'_>) -> Option<Role> {
    if value.is_null() {
        return None;
    }
    let text = value.string()?;
    let role = Role::parse(&text);
    if role.is_none() {
        let names = Role::ALL.map(Role::as_str);
        let lower = text.to_lowercase();
        let hint = match nearest(&lower, &names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("roles are {}", names.join(", ")),
        };
        value.error_with(
            format!("unknown Kubernetes SD role {}", quoted(&text)),
            hint,
        );
    }
    role
}

fn read_namespaces(value: &Value<'_>) -> Option<Namespaces> {
    let mut fields = value.fields()?;
    let namespaces = Namespaces {
        own_namespace: fields.bool("own_namespace", false),
        names: fields
            .read("names", |value| value.strings())
            .unwrap_or_default(),
    };
    fields.finish();
    Some(namespaces)
}

fn read_attach(value: &Value<'_>) -> Option<AttachMetadata> {
    let mut fields = value.fields()?;
    let attach = AttachMetadata {
        node: fields.bool("node", false),
        namespace: fields.bool("namespace", false),
        deployment: fields.bool("deployment", false),
        job: fields.bool("job", false),
        cronjob: fields.bool("cronjob", false),
    };
    fields.finish();
    Some(attach)
}

/// A selector whose role may be missing.
struct SelectorDraft<'a> {
    role: Option<Role>,
    label: String,
    field: String,
    fields: Fields<'a>,
}

fn read_selectors<'a>(value: &Value<'a>) -> Option<Vec<SelectorDraft<'a>>> {
    value.list("[]kubernetes.SelectorConfig", |item| {
        let mut fields = item.fields()?;
        let role = fields.read("role", |value| read_role(&value));
        let label = fields.string("label");
        let field = fields.string("field");
        fields.finish().then_some(SelectorDraft {
            role,
            label,
            field,
            fields,
        })
    })
}

fn check_selectors(role: Role, drafts: Vec<SelectorDraft<'_>>) -> Option<Vec<RoleSelector>> {
    let mut selectors: Vec<RoleSelector> = Vec::new();
    let allowed = role.selectable();
    for draft in drafts {
        let place = draft.fields.place(&["role"]);
        if let Some(found) = draft.role
            && selectors.iter().any(|selector| selector.role == found)
        {
            place.error(format!("duplicated selector role: {found}"));
            return None;
        }
        let Some(found) = draft.role.filter(|found| allowed.contains(found)) else {
            let names: Vec<_> = allowed.iter().map(|role| role.as_str()).collect();
            place.error(format!(
                "{role} role supports only {} selectors",
                names.join(", ")
            ));
            return None;
        };
        if let Err(message) = selector::check_fields(&draft.field) {
            draft
                .fields
                .place(&["field"])
                .error_with(message, "write `name=value`, or `name!=value`");
            return None;
        }
        if let Err(message) = selector::check_labels(&draft.label) {
            draft.fields.place(&["label"]).error(message);
            return None;
        }
        let some = |text: String| (!text.is_empty()).then_some(text);
        selectors.push(RoleSelector {
            role: found,
            label: some(draft.label),
            field: some(draft.field),
        });
    }
    Some(selectors)
}
