//! `kubernetes_resource_sd_configs`.

use std::collections::BTreeMap;

use super::{annotations, connection, read_namespaces};
use crate::kubernetes::{KubernetesResourceSection, Namespaces, Pointer, ResourceName};
use crate::read::{Context, quoted, selector};
use crate::yaml::{Fields, Value};

const EXAMPLE: &str = "gateway.networking.k8s.io/v1/httproutes";

/// Reads and checks one section.
pub(in crate::read) fn read(
    value: &Value<'_>,
    context: &Context<'_>,
) -> Option<KubernetesResourceSection> {
    let mut fields = value.fields()?;
    let draft = connection::take_with_clusters(&mut fields, context);
    let resource = fields.read("resource", |value| read_resource(&value));
    let cluster_scoped = fields.bool("cluster_scoped", false);
    let namespaces = fields
        .read("namespaces", |value| read_namespaces(&value))
        .unwrap_or_default();
    let label_selector = fields.read("label_selector", |value| {
        read_selector(&value, selector::check_labels)
    });
    let field_selector = fields.read("field_selector", |value| {
        read_selector(&value, selector::check_fields)
    });
    let address = fields.read("address", |value| read_pointer(&value));
    let port = fields.read("port", |value| read_pointer(&value));
    let labels = fields
        .read("labels", |value| read_labels(&value))
        .unwrap_or_default();
    let drop_annotations = fields
        .read("drop_annotations", |value| annotations::read(&value))
        .unwrap_or_default();
    fields.finish();
    let has_all = check_missing(&mut fields);
    let is_scoped = check_scope(cluster_scoped, &namespaces, &fields);
    // Errors so far may be the reason for what is missing; the connection stands by itself.
    let connection = draft.resolve(&fields, namespaces.own_namespace, context)?;
    if !(has_all && is_scoped && fields.is_clean()) {
        return None;
    }
    Some(KubernetesResourceSection {
        resource: resource?,
        cluster_scoped,
        access: connection.access,
        clusters: connection.clusters,
        namespaces,
        label_selector,
        field_selector,
        address: address?,
        port,
        labels,
        drop_annotations,
    })
}

/// Refuses a section without what every section must have.
fn check_missing(fields: &mut Fields<'_>) -> bool {
    let mut has_all = true;
    for (key, example) in [("resource", EXAMPLE), ("address", "/spec/hostnames/*")] {
        let is_written = fields.take(key).is_some_and(|value| !value.is_nil());
        if !is_written {
            has_all = false;
            fields.place(&[key]).error_with(
                format!("{key} is missing"),
                format!("add `{key}: {example}`, or what fits"),
            );
        }
    }
    has_all
}

fn check_scope(cluster_scoped: bool, namespaces: &Namespaces, fields: &Fields<'_>) -> bool {
    let has_namespaces = namespaces.own_namespace || !namespaces.names.is_empty();
    if cluster_scoped && has_namespaces {
        fields.place(&["namespaces"]).error_with(
            "cannot use 'cluster_scoped' and 'namespaces' simultaneously",
            "remove `namespaces`, or `cluster_scoped` if the objects belong to namespaces",
        );
        return false;
    }
    true
}

fn read_resource(value: &Value<'_>) -> Option<ResourceName> {
    if value.is_nil() {
        return None;
    }
    let text = value.string()?;
    let resource = ResourceName::parse(&text);
    if resource.is_none() {
        value.error_with(
            format!("{} is not a resource", quoted(&text)),
            format!(
                "write `group/version/plural` such as `{EXAMPLE}`, or `version/plural` for the core \
                 group, in lower case"
            ),
        );
    }
    resource
}

/// A selector, if there is a right one.
fn read_selector(value: &Value<'_>, check: fn(&str) -> Result<(), String>) -> Option<String> {
    let text = value.string()?;
    if let Err(message) = check(&text) {
        value.error_with(message, "write it as `kubectl get` takes it: `name=value`");
        return None;
    }
    (!text.is_empty()).then_some(text)
}

/// A pointer, if there is a right one.
fn read_pointer(value: &Value<'_>) -> Option<Pointer> {
    if value.is_nil() {
        return None;
    }
    let pointer = Pointer::parse(&value.string()?);
    if let Err(message) = &pointer {
        value.error_with(
            message,
            "write a JSON pointer in which `*` stands for each element: `/spec/hostnames/*`",
        );
    }
    pointer.ok()
}

fn read_labels(value: &Value<'_>) -> Option<BTreeMap<String, Pointer>> {
    let mut labels = BTreeMap::new();
    for (key, value) in value.map("map[string]string")? {
        let Some(name) = key.string() else {
            continue;
        };
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_part) {
            value.error_with(
                format!("{} is not the end of a label's name", quoted(&name)),
                "use letters, digits and `_`",
            );
            continue;
        }
        if value.is_nil() {
            value.error_with(
                "pointer is missing",
                "write where the label's value stands: `/spec/gatewayClassName`",
            );
        } else if let Some(pointer) = read_pointer(&value) {
            labels.insert(name, pointer);
        }
    }
    Some(labels)
}
