//! Files that a client was made of, and whether they are still the same.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use kube::config::Kubeconfig;
use periplus_config::TlsConfig;
use tokio::time::Instant;

use super::Access;

/// How often they are looked at, at most.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// Files, and what they were when they were read.
#[derive(Debug)]
pub(super) struct Files {
    files: Vec<(PathBuf, Option<Stamp>)>,
    looked: Instant,
}

/// Tells one content of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    file: u64,
}

// === impl Files ===

impl Files {
    /// The files that `access` names, as they are now. To be called before they are read: what
    /// changes in between is seen as a change.
    pub(super) fn of(access: &Access) -> Self {
        let files = named(access).into_iter().map(|path| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        });
        Self {
            files: files.collect(),
            looked: Instant::now(),
        }
    }

    /// Whether one of them changed, as far as it is time to look.
    pub(super) fn changed(&mut self) -> bool {
        if self.looked.elapsed() < LOOK {
            return false;
        }
        self.looked = Instant::now();
        self.files
            .iter()
            .any(|(path, stamp)| Stamp::of(path) != *stamp)
    }
}

// === impl Stamp ===

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            file: metadata.ino(),
        })
    }
}

/// What is read once for a client. Tokens and passwords are not among them: they are read again
/// while it lives.
fn named(access: &Access) -> Vec<PathBuf> {
    match access {
        Access::Kubeconfig { file, .. } => {
            let mut paths = vec![file.clone()];
            if let Ok(kubeconfig) = Kubeconfig::read_from(file) {
                paths.extend(referred(&kubeconfig));
            }
            paths
        }
        Access::InCluster(account) => vec![account.0.join("ca.crt")],
        Access::Server { settings, .. } => {
            let TlsConfig {
                ca_file,
                cert_file,
                key_file,
                ..
            } = &settings.config().tls;
            let files = [ca_file, cert_file, key_file];
            files.into_iter().flatten().cloned().collect()
        }
    }
}

fn referred(kubeconfig: &Kubeconfig) -> Vec<PathBuf> {
    let clusters = kubeconfig.clusters.iter().flat_map(|named| &named.cluster);
    let authorities = clusters.filter_map(|cluster| cluster.certificate_authority.as_ref());
    let users = kubeconfig
        .auth_infos
        .iter()
        .flat_map(|named| &named.auth_info);
    let identities = users.flat_map(|user| [&user.client_certificate, &user.client_key]);
    let paths = authorities.chain(identities.flatten());
    paths.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A kubeconfig that names an authority beside it.
    const KUBECONFIG: &str = "{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: \
        {server: 'https://localhost', certificate-authority: ca.crt}}]}";

    #[tokio::test(start_paused = true)]
    async fn a_change_of_any_file_is_seen_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("config"), KUBECONFIG).unwrap();
        fs::write(path("ca.crt"), "first").unwrap();
        let access = Access::Kubeconfig {
            file: path("config"),
            context: None,
        };
        let rename: fn(&Path) = |path| {
            let new = path.with_extension("new");
            fs::write(&new, "other").unwrap();
            fs::rename(new, path.with_file_name("ca.crt")).unwrap();
        };
        let changes: [fn(&Path); 4] = [
            |path| fs::write(path, format!("{KUBECONFIG}\n")).unwrap(),
            |path| fs::write(path.with_file_name("ca.crt"), "longer").unwrap(),
            rename,
            |path| fs::remove_file(path.with_file_name("ca.crt")).unwrap(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut files = Files::of(&access);
            tokio::time::advance(LOOK).await;
            assert!(!files.changed(), "before change {number}");
            change(&path("config"));
            assert!(!files.changed(), "not so soon again");
            tokio::time::advance(LOOK).await;
            assert!(files.changed(), "change {number}");
        }
    }
}
