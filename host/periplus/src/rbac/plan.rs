//! From sections to permissions, cluster by cluster.

use std::collections::{BTreeMap, BTreeSet};

use periplus_config::{
    ClusterAccess, ClusterSelection, Config, FolderSelection, Namespaces, Need, SectionKind,
};

/// Resources to list and watch, by API group.
pub(super) type Resources = BTreeMap<String, BTreeSet<String>>;

/// What is needed in one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// In the whole cluster.
    pub(super) everywhere: Resources,
    /// By namespace, without what is needed everywhere.
    pub(super) by_namespace: BTreeMap<String, Resources>,
}

/// The same rules for one or more clusters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Permissions {
    /// The clusters, in words.
    pub(super) clusters: Vec<String>,
    /// Whether they are the cluster that we run in and no other.
    pub(super) is_local: bool,
    /// What is needed there.
    pub(super) rules: Rules,
}

/// A cluster, or those of a folder, which are known only when it is read.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    One(ClusterAccess),
    Folder(FolderSelection),
}

/// A section's wishes.
struct Watches<'a> {
    needs: BTreeSet<Need>,
    namespaces: &'a Namespaces,
    access: ClusterAccess,
    clusters: Option<&'a ClusterSelection>,
}

/// What all Kubernetes sections together need, in the order in which the file names the clusters;
/// clusters with the same rules together. `own` is the namespace that we run in.
pub(super) fn of_config(config: &Config, own: &str) -> Vec<Permissions> {
    let mut places: Vec<(Place, Vec<String>, Rules)> = Vec::new();
    let sections = config.jobs.iter().flat_map(|job| &job.sections);
    for watches in sections.filter_map(|section| Watches::of(&section.kind)) {
        for (place, name) in watches.places() {
            let known = places.iter().position(|(known, ..)| *known == place);
            let index = known.unwrap_or_else(|| {
                places.push((place, Vec::new(), Rules::default()));
                places.len() - 1
            });
            let (_, names, rules) = &mut places[index];
            if !names.contains(&name) {
                names.push(name);
            }
            rules.add(&watches, own);
        }
    }
    let mut permissions: Vec<Permissions> = Vec::new();
    for (place, names, mut rules) in places {
        rules.reduce();
        let is_local = place == Place::One(ClusterAccess::Local);
        let same = permissions.iter_mut().find(|other| other.rules == rules);
        if let Some(same) = same {
            same.clusters.extend(names);
            same.is_local &= is_local;
        } else {
            permissions.push(Permissions {
                clusters: names,
                is_local,
                rules,
            });
        }
    }
    permissions
}

// === impl Rules ===

impl Rules {
    fn add(&mut self, watches: &Watches<'_>, own: &str) {
        let mut namespaces: BTreeSet<&str> = watches
            .namespaces
            .names
            .iter()
            .map(String::as_str)
            .collect();
        if watches.namespaces.own_namespace {
            namespaces.insert(own);
        }
        // To the API, the empty name is all of them.
        let is_limited = !namespaces.is_empty() && !namespaces.contains("");
        for need in &watches.needs {
            let add = |resources: &mut Resources| {
                let group = resources.entry(need.group.clone()).or_default();
                group.insert(need.resource.clone());
            };
            if need.namespaced && is_limited {
                for namespace in &namespaces {
                    let namespace = (*namespace).to_owned();
                    add(self.by_namespace.entry(namespace).or_default());
                }
            } else {
                add(&mut self.everywhere);
            }
        }
    }

    /// Takes out of namespaces what is permitted everywhere.
    fn reduce(&mut self) {
        for resources in self.by_namespace.values_mut() {
            for (group, names) in resources.iter_mut() {
                if let Some(everywhere) = self.everywhere.get(group) {
                    names.retain(|name| !everywhere.contains(name));
                }
            }
            resources.retain(|_, names| !names.is_empty());
        }
        self.by_namespace
            .retain(|_, resources| !resources.is_empty());
    }
}

// === impl Watches ===

impl<'a> Watches<'a> {
    fn of(kind: &'a SectionKind) -> Option<Self> {
        match kind {
            SectionKind::Kubernetes(section) => Some(Self {
                needs: Need::of(section),
                namespaces: &section.namespaces,
                access: section.access(),
                clusters: section.clusters.as_ref(),
            }),
            SectionKind::KubernetesResource(section) => Some(Self {
                needs: Need::of_resource(section),
                namespaces: &section.namespaces,
                access: section.access.clone(),
                clusters: section.clusters.as_ref(),
            }),
            _ => None,
        }
    }

    /// The clusters that are read, each with its name in words.
    fn places(&self) -> Vec<(Place, String)> {
        let Some(clusters) = self.clusters else {
            let name = words_of_access(&self.access);
            return vec![(Place::One(self.access.clone()), name)];
        };
        let named = clusters.named.iter().map(|cluster| {
            let place = Place::One(cluster.access.clone());
            (place, format!("cluster {:?}", cluster.name))
        });
        let folders = clusters
            .folders
            .iter()
            .map(|folder| (Place::Folder(folder.clone()), words_of_folder(folder)));
        named.chain(folders).collect()
    }
}

/// In words that stay on one line whatever the file says: they stand in a comment.
fn words_of_access(access: &ClusterAccess) -> String {
    match access {
        ClusterAccess::Local => "the cluster that Periplus runs in".to_owned(),
        ClusterAccess::Kubeconfig { file, .. } => {
            format!("the cluster of kubeconfig {:?}", file.to_string_lossy())
        }
        ClusterAccess::Server { url, .. } => {
            let port = url.port().map(|port| format!(":{port}"));
            format!(
                "the cluster of API server \"{}://{}{}\"",
                url.scheme(),
                url.host_str().unwrap_or_default(),
                port.unwrap_or_default()
            )
        }
    }
}

fn words_of_folder(folder: &FolderSelection) -> String {
    let patterns = folder.patterns.as_slice().iter();
    let patterns: Vec<_> = patterns.map(|pattern| format!("{pattern:?}")).collect();
    format!(
        "each cluster of folder {:?} that matches {}",
        folder.path.to_string_lossy(),
        patterns.join(" or ")
    )
}

#[cfg(test)]
mod tests;
