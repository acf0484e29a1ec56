//! `clusters` of a section: names of the file's clusters, and patterns on them.

use crate::kubernetes::{
    ClusterEntry, ClusterSelection, FolderSelection, NamePatterns, NamedCluster,
};
use crate::read::clusters::ClusterList;
use crate::read::quoted;
use crate::yaml::{Value, nearest};

/// Reads the names, and finds what they stand for.
pub(super) fn read(value: &Value<'_>, clusters: &ClusterList) -> Option<ClusterSelection> {
    let written = value.list("[]string", |item| Some((item.string()?, item)))?;
    if written.is_empty() {
        value.error_with(
            "clusters names no cluster",
            "write `clusters: [NAME]`, or `clusters: [\"*\"]` for all",
        );
        return None;
    }
    let named = clusters.entries.iter().filter_map(|entry| match entry {
        ClusterEntry::Named(cluster) => Some(cluster),
        ClusterEntry::Folder(_) => None,
    });
    let named: Vec<&NamedCluster> = named.collect();
    let mut is_clean = true;
    for (name, item) in &written {
        is_clean &= check(name, item, clusters);
    }
    if !is_clean {
        return None;
    }
    let patterns = compile(value, written.iter().map(|(name, _)| name.as_str()))?;
    let mut selected: Vec<NamedCluster> = named
        .into_iter()
        .filter(|cluster| patterns.is_match(&cluster.name))
        .cloned()
        .collect();
    selected.sort_by(|left, right| left.name.cmp(&right.name));
    // What is an entry of its own is none of a folder, so folders do not matter to it.
    let open = written
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !clusters.names.contains(*name));
    Some(ClusterSelection {
        named: selected,
        folders: folders(clusters, &compile(value, open)?),
    })
}

fn folders(clusters: &ClusterList, patterns: &NamePatterns) -> Vec<FolderSelection> {
    if patterns.is_empty() {
        return Vec::new();
    }
    let paths = clusters.entries.iter().filter_map(|entry| match entry {
        ClusterEntry::Folder(path) => Some(path),
        ClusterEntry::Named(_) => None,
    });
    paths
        .map(|path| FolderSelection {
            path: path.clone(),
            patterns: patterns.clone(),
        })
        .collect()
}

/// Whether there may be a cluster of this name; a pattern that has nothing to match is told.
fn check(name: &str, item: &Value<'_>, clusters: &ClusterList) -> bool {
    if name.is_empty() {
        item.error_with(
            "cluster name is empty",
            "write the name of a cluster, or a pattern such as `prod-*`",
        );
        return false;
    }
    if clusters.is_open || clusters.names.contains(name) {
        return true;
    }
    if !NamePatterns::is_pattern(name) {
        item.error_with(
            format!("there is no cluster {}", quoted(name)),
            advice(name, clusters),
        );
        return false;
    }
    let matches = NamePatterns::new([name]);
    if matches.is_ok_and(|it| !clusters.names.iter().any(|name| it.is_match(name))) {
        item.warn_with(
            format!("no cluster matches {}", quoted(name)),
            advice(name, clusters),
        );
    }
    true
}

fn advice(name: &str, clusters: &ClusterList) -> String {
    let names: Vec<_> = clusters.names.iter().map(String::as_str).collect();
    if names.is_empty() {
        return "add it to the top-level list: `clusters: [{name: NAME, kubeconfig_file: FILE}]`"
            .to_owned();
    }
    match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "add it to the top-level list `clusters`, which has {}",
            shortened(&names)
        ),
    }
}

/// The first few names.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(|name| quoted(name));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

fn compile<'n>(
    value: &Value<'_>,
    patterns: impl IntoIterator<Item = &'n str>,
) -> Option<NamePatterns> {
    match NamePatterns::new(patterns) {
        Ok(patterns) => Some(patterns),
        Err(message) => {
            value.error_with(message, "write shorter patterns, or fewer");
            None
        }
    }
}
