//! `clusters:`, the list of clusters that sections may name.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use super::kubernetes::connection;
use super::{Context, path, quoted};
use crate::kubernetes::{ClusterEntry, NamePatterns, NamedCluster};
use crate::yaml::{Fields, Value};

/// What is known of a file's clusters when its sections are read.
#[derive(Default)]
pub(crate) struct ClusterList {
    pub(crate) entries: Vec<ClusterEntry>,
    /// The names of all entries, of those with errors too: they are not missing.
    pub(super) names: BTreeSet<String>,
    /// Whether there may be clusters of other names: in a folder, or in what could not be read.
    pub(super) is_open: bool,
}

/// Reads the list.
pub(super) fn read(value: &Value<'_>, context: &Context<'_>) -> ClusterList {
    let mut clusters = ClusterList::default();
    let mut lines = HashMap::new();
    let mut folders = HashMap::new();
    let entries = value.list("[]cluster", |item| {
        let (name, entry) = read_entry(&item, context);
        if let Some(name) = &name
            && let Some(first) = lines.insert(name.clone(), item.mark().line)
        {
            item.key("name").error_with(
                format!("found multiple clusters with name {}", quoted(name)),
                format!("the first one is on line {first}: give one of them another name"),
            );
        }
        if let Some(ClusterEntry::Folder(path)) = &entry
            && let Some(first) = folders.insert(path.clone(), item.mark().line)
        {
            item.key("kubeconfig_dir").error_with(
                format!("folder `{}` is listed twice", path.display()),
                format!("the first one is on line {first}: remove one of the two"),
            );
        }
        clusters.is_open |= name.is_none();
        clusters.names.extend(name);
        entry
    });
    clusters.is_open |= entries.is_none();
    clusters.entries = entries.unwrap_or_default();
    clusters
}

/// Reads one entry: the cluster's name, if it has one, and all of it, if nothing in it is wrong.
fn read_entry(value: &Value<'_>, context: &Context<'_>) -> (Option<String>, Option<ClusterEntry>) {
    if value.is_nil() {
        value.error_with(
            "empty or null section in clusters",
            "remove it, or add `name: NAME` and how to reach the cluster",
        );
        return (None, None);
    }
    let Some(mut fields) = value.fields() else {
        return (None, None);
    };
    let folder = fields.string("kubeconfig_dir");
    let name = fields.take("name");
    let named = name.as_ref().and_then(Value::string).unwrap_or_default();
    let written = (folder.is_empty() && !named.is_empty()).then(|| named.clone());
    let draft = connection::take(&mut fields, context);
    let kube_context = fields.string("context");
    if !fields.finish() {
        return (written, None);
    }
    if !folder.is_empty() {
        let is_alone = name.is_none() && kube_context.is_empty() && draft.is_empty();
        return (written, read_folder(&folder, is_alone, &fields, context));
    }
    let is_named = check_name(&named, &fields);
    let access = draft.resolve_cluster(&fields, &kube_context, context);
    let entry = access.filter(|_| is_named).map(|access| {
        ClusterEntry::Named(NamedCluster {
            name: named,
            access,
        })
    });
    (written, entry)
}

fn read_folder(
    folder: &str,
    is_alone: bool,
    fields: &Fields<'_>,
    context: &Context<'_>,
) -> Option<ClusterEntry> {
    if !is_alone {
        fields.place(&["kubeconfig_dir"]).error_with(
            "cannot use 'kubeconfig_dir' together with other keys",
            "each file of the folder is a cluster with the file's name: leave the other keys out, \
             or make two entries of them",
        );
        return None;
    }
    let path: PathBuf = path::join(context.directory, folder);
    Some(ClusterEntry::Folder(path))
}

fn check_name(name: &str, fields: &Fields<'_>) -> bool {
    let (message, hint) = if name.is_empty() {
        (
            "cluster has no name".to_owned(),
            "add `name: NAME`, or read a folder of kubeconfigs with `kubeconfig_dir: FOLDER`",
        )
    } else if NamePatterns::is_pattern(name) {
        (
            format!("cluster name {} has a wildcard", quoted(name)),
            "leave `*` and `?` out: they make patterns where sections name clusters",
        )
    } else {
        return true;
    };
    fields.place(&["name"]).error_with(message, hint);
    false
}
