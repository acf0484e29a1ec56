//! `kubernetes_sd_configs`.

use url::Url;

use super::selector;
use super::url::{self as go_url, GoUrl};
use super::{Context, http_client, path, quoted};
use crate::kubernetes::{
    AttachMetadata, KubernetesSection, NamePatterns, Namespaces, Role, RoleSelector,
};
use crate::yaml::{Fields, Value, nearest};

/// Reads and checks one section.
pub(super) fn read(value: &Value<'_>, context: &Context<'_>) -> Option<KubernetesSection> {
    let mut fields = value.fields()?;
    let api_server = fields.read("api_server", |value| go_url::read(&value));
    let role = fields.read("role", |value| read_role(&value));
    let kubeconfig = fields.string("kubeconfig_file");
    let http = http_client::take(&mut fields, context);
    let namespaces = fields
        .read("namespaces", |value| read_namespaces(&value))
        .unwrap_or_default();
    let selectors = fields.take("selectors");
    let drafts = selectors
        .as_ref()
        .and_then(read_selectors)
        .unwrap_or_default();
    let attach = fields
        .read("attach_metadata", |value| read_attach(&value))
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
    let is_custom = http.is_custom();
    let http_client = http.validate(&fields, context)?;
    check_connection(
        &fields,
        api_server.is_some(),
        &kubeconfig,
        is_custom,
        namespaces.own_namespace,
    )?;
    let api_server = api_server.filter(|url| !url.text.is_empty());
    let server_url = api_server.as_ref().and_then(usable_url);
    if let Some(unusable) = api_server.filter(|_| server_url.is_none()) {
        fields.place(&["api_server"]).error_with(
            format!("`{}` is not a URL of an API server", unusable.text),
            "write a scheme and a host: `https://kubernetes.example.com:6443`",
        );
        return None;
    }
    Some(KubernetesSection {
        role,
        api_server: server_url,
        kubeconfig_file: path::join_some(context.directory, &kubeconfig),
        namespaces,
        selectors: check_selectors(role, drafts)?,
        attach_metadata: attach,
        http_client,
        clusters: None,
        drop_annotations: NamePatterns::default(),
    })
}

/// Which ways to reach the cluster go together.
fn check_connection(
    fields: &Fields<'_>,
    api_server: bool,
    kubeconfig: &str,
    is_custom: bool,
    own_namespace: bool,
) -> Option<()> {
    let kubeconfig = !kubeconfig.is_empty();
    let (key, message) = if api_server && kubeconfig {
        (
            "kubeconfig_file",
            "cannot use 'kubeconfig_file' and 'api_server' simultaneously",
        )
    } else if kubeconfig && is_custom {
        (
            "kubeconfig_file",
            "cannot use a custom HTTP client configuration together with 'kubeconfig_file'",
        )
    } else if !api_server && is_custom {
        (
            "",
            "to use custom HTTP client configuration please provide the 'api_server' URL explicitly",
        )
    } else if api_server && own_namespace {
        (
            "namespaces",
            "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously",
        )
    } else if kubeconfig && own_namespace {
        (
            "namespaces",
            "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously",
        )
    } else {
        return Some(());
    };
    fields.place(&[key]).error(message);
    None
}

/// The URL of the API server, if requests can be made to it. Upstream accepts any URL in the file
/// and fails when it connects.
fn usable_url(url: &GoUrl) -> Option<Url> {
    let parsed = if url.scheme.is_empty() {
        Url::parse(&format!("http://{}", url.text.trim_start_matches('/')))
    } else {
        Url::parse(&url.text)
    };
    parsed.ok().filter(Url::has_host)
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
