//! Folders in which every file is the kubeconfig of a cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use periplus_config::{ClusterAccess, ClusterSelection, FolderSelection};

/// The clusters that a selection has now, by name.
pub(crate) type Found = BTreeMap<String, ClusterAccess>;

/// All clusters of a selection as they are now, and the folders that cannot be read. Blocks on
/// the file system.
pub(crate) fn find(selection: &ClusterSelection) -> (Found, Vec<String>) {
    let named = selection.named.iter();
    let mut found: Found = named
        .map(|cluster| (cluster.name.clone(), cluster.access.clone()))
        .collect();
    let mut problems = Vec::new();
    for folder in &selection.folders {
        match files(folder) {
            Ok(files) => {
                for (name, file) in files {
                    let context = None;
                    found
                        .entry(name)
                        .or_insert(ClusterAccess::Kubeconfig { file, context });
                }
            }
            Err(error) => problems.push(format!(
                "cannot read the folder of kubeconfigs `{}`: {error}",
                folder.path.display()
            )),
        }
    }
    (found, problems)
}

/// Files by the name of their cluster; of two files that give one name, the first in the order of
/// their names.
fn files(folder: &FolderSelection) -> std::io::Result<BTreeMap<String, PathBuf>> {
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(&folder.path)?.collect();
    let mut paths: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = BTreeMap::new();
    for path in paths {
        let Some(name) = cluster_name(&path) else {
            continue;
        };
        if folder.patterns.is_match(name) && path.is_file() {
            files.entry(name.to_owned()).or_insert(path);
        }
    }
    Ok(files)
}

fn cluster_name(path: &Path) -> Option<&str> {
    let file = path.file_name()?.to_str()?;
    if file.starts_with('.') {
        return None;
    }
    path.file_stem()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use periplus_config::{NamePatterns, NamedCluster};

    #[test]
    fn every_file_is_a_cluster_and_entries_with_a_name_come_first() {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "prod-a.yaml",
            "prod-b",
            "prod-b.kubeconfig",
            "test.yaml",
            ".hidden",
        ] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("prod-folder")).unwrap();
        let selection = ClusterSelection {
            named: vec![NamedCluster {
                name: "prod-a".to_owned(),
                access: ClusterAccess::Local,
            }],
            folders: vec![
                FolderSelection {
                    path: folder.path().to_owned(),
                    patterns: NamePatterns::new(["prod-*"]).unwrap(),
                },
                FolderSelection {
                    path: folder.path().join("missing"),
                    patterns: NamePatterns::new(["*"]).unwrap(),
                },
            ],
        };
        let (found, problems) = find(&selection);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["prod-a", "prod-b"]);
        assert_eq!(found["prod-a"], ClusterAccess::Local);
        let file = folder.path().join("prod-b");
        let context = None;
        assert_eq!(found["prod-b"], ClusterAccess::Kubeconfig { file, context });
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("missing"), "{problems:?}");
    }
}
