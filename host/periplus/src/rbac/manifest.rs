//! From permissions to YAML.

use std::fmt::Write as _;

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef,
    Subject as BoundSubject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::plan::{Permissions, Resources};

/// All that we ever do with an object: a list, and the watch that follows it.
const VERBS: [&str; 2] = ["list", "watch"];

/// Who is permitted, and how the objects are called.
pub(super) struct Subject {
    /// Name of roles and bindings.
    pub(super) name: String,
    /// Namespace of the service account.
    pub(super) namespace: String,
    /// The service account.
    pub(super) service_account: String,
}

/// Manifests, one YAML document each, with a comment that says for which clusters they are.
pub(super) fn render(permissions: &[Permissions], subject: &Subject) -> anyhow::Result<String> {
    if permissions.is_empty() {
        return Ok("# No section reads Kubernetes: nothing to permit.\n".to_owned());
    }
    let mut text = String::new();
    for (index, permissions) in permissions.iter().enumerate() {
        write_comment(&mut text, permissions)?;
        // All sets may meet in one cluster, so their names differ.
        let name = match index {
            0 => subject.name.clone(),
            _ => format!("{}-{}", subject.name, index + 1),
        };
        let everywhere = &permissions.rules.everywhere;
        if !everywhere.is_empty() {
            write_document(&mut text, &cluster_role(&name, everywhere))?;
            write_document(&mut text, &cluster_role_binding(&name, subject))?;
        }
        for (namespace, resources) in &permissions.rules.by_namespace {
            write_document(&mut text, &role(&name, namespace, resources))?;
            write_document(&mut text, &role_binding(&name, namespace, subject))?;
        }
    }
    Ok(text)
}

fn write_comment(text: &mut String, permissions: &Permissions) -> std::fmt::Result {
    let clusters = permissions.clusters.join(", ");
    writeln!(text, "# For {clusters}.")?;
    if !permissions.is_local {
        writeln!(
            text,
            "# In another cluster than its own, Periplus is who its credentials say: change the\n\
             # subject there if that is not the service account."
        )?;
    }
    Ok(())
}

fn write_document(text: &mut String, object: &impl Serialize) -> anyhow::Result<()> {
    text.push_str("---\n");
    text.push_str(&serde_saphyr::to_string(object)?);
    Ok(())
}

fn cluster_role(name: &str, resources: &Resources) -> ClusterRole {
    ClusterRole {
        metadata: metadata(name, None),
        rules: Some(rules(resources)),
        ..ClusterRole::default()
    }
}

fn cluster_role_binding(name: &str, subject: &Subject) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: metadata(name, None),
        role_ref: role_ref("ClusterRole", name),
        subjects: Some(vec![bound(subject)]),
    }
}

fn role(name: &str, namespace: &str, resources: &Resources) -> Role {
    Role {
        metadata: metadata(name, Some(namespace)),
        rules: Some(rules(resources)),
    }
}

fn role_binding(name: &str, namespace: &str, subject: &Subject) -> RoleBinding {
    RoleBinding {
        metadata: metadata(name, Some(namespace)),
        role_ref: role_ref("Role", name),
        subjects: Some(vec![bound(subject)]),
    }
}

fn metadata(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ObjectMeta::default()
    }
}

fn rules(resources: &Resources) -> Vec<PolicyRule> {
    let rules = resources.iter().map(|(group, names)| PolicyRule {
        api_groups: Some(vec![group.clone()]),
        resources: Some(names.iter().cloned().collect()),
        verbs: VERBS.map(str::to_owned).to_vec(),
        ..PolicyRule::default()
    });
    rules.collect()
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

fn bound(subject: &Subject) -> BoundSubject {
    BoundSubject {
        kind: "ServiceAccount".to_owned(),
        name: subject.service_account.clone(),
        namespace: Some(subject.namespace.clone()),
        ..BoundSubject::default()
    }
}
