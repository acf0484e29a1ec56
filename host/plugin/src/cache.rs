//! Compiled components on disk, so that a plugin compiles once per machine and version of the host.

mod trusted;

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::PluginError;
use crate::source::{VerifiedPlugin, hex};

/// Length of the checksum in front of an entry.
const CHECKSUM: usize = 32;

/// A private directory of compiled components; without one, everything is compiled anew.
///
/// An entry is the SHA-256 of its content, then its content. Its name is the digest of the plugin
/// and a hash of everything of the engine that the code depends on, so that neither another
/// plugin nor another version of the host is ever loaded from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompileCache {
    directory: Option<PathBuf>,
}

/// Hashes the engine's compatibility into bytes that are equal on the next run.
struct CompatibilityHasher(Sha256);

// === impl CompileCache ===

impl CompileCache {
    /// A cache in a directory, which is created for this user alone.
    pub(crate) fn open(directory: Option<&Path>) -> io::Result<Self> {
        if let Some(directory) = directory {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
            let mode = fs::Permissions::from_mode(0o700);
            fs::set_permissions(directory, mode)?;
        }
        Ok(Self {
            directory: directory.map(Path::to_owned),
        })
    }

    /// The compiled component: from the cache, or compiled and put there. Takes as long as
    /// compiling takes; not for a runtime's thread.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        plugin: &VerifiedPlugin,
    ) -> Result<Component, PluginError> {
        let entry = self
            .directory
            .as_ref()
            .map(|d| d.join(entry_name(engine, &plugin.digest)));
        if let Some(component) = entry.as_deref().and_then(|path| load(engine, path)) {
            return Ok(component);
        }
        let component =
            Component::from_binary(engine, &plugin.bytes).map_err(|e| PluginError::Compile {
                path: plugin.path.clone(),
                reason: e.root_cause().to_string(),
            })?;
        if let Some(path) = entry
            && let Err(error) = store(&component, &path)
        {
            tracing::warn!(%error, path = %path.display(), "Failed to write the compile cache");
        }
        Ok(component)
    }
}

/// An entry that is whole; anything else is removed and compiled again.
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let bytes = fs::read(path).ok()?;
    let whole = bytes
        .split_at_checked(CHECKSUM)
        .filter(|(checksum, content)| Sha256::digest(content)[..] == **checksum);
    match whole.map(|(_, content)| trusted::deserialize(engine, content)) {
        Some(Ok(component)) => Some(component),
        outcome => {
            let error = outcome.and_then(Result::err).map(|e| e.to_string());
            tracing::warn!(path = %path.display(), error, "Discarded a damaged entry of the compile cache");
            let _ = fs::remove_file(path);
            None
        }
    }
}

/// Writes beside and renames, so that a reader sees all or nothing.
fn store(component: &Component, path: &Path) -> io::Result<()> {
    let content = component.serialize().map_err(io::Error::other)?;
    let beside = path.with_extension(format!(
        "{}.{:x}",
        std::process::id(),
        rand::random::<u64>()
    ));
    let written = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&Sha256::digest(&content))?;
        file.write_all(&content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn entry_name(engine: &Engine, digest: &str) -> String {
    let mut hasher = CompatibilityHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{}.cwasm", &hex(&hasher.0.finalize())[..16])
}

// === impl CompatibilityHasher ===

impl Hasher for CompatibilityHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not used: the whole digest is.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin() -> VerifiedPlugin {
        let bytes = wat::parse_str("(component (core module (func (export \"f\"))))").unwrap();
        let digest = hex(&Sha256::digest(&bytes));
        VerifiedPlugin {
            path: "x.wasm".into(),
            bytes,
            digest,
        }
    }

    fn entries(directory: &Path) -> Vec<PathBuf> {
        fs::read_dir(directory)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect()
    }

    #[test]
    fn an_entry_is_private_and_used_again() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("a/b");
        let cache = CompileCache::open(Some(&directory)).unwrap();
        let engine = Engine::default();
        cache.component(&engine, &plugin()).unwrap();
        assert_eq!(
            fs::metadata(&directory).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let path = entries(&directory).pop().unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(load(&engine, &path).is_some());
        cache.component(&engine, &plugin()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
    }

    #[test]
    fn a_damaged_entry_is_built_anew() {
        let home = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(Some(home.path())).unwrap();
        let engine = Engine::default();
        cache.component(&engine, &plugin()).unwrap();
        let path = entries(home.path()).pop().unwrap();
        let good = fs::read(&path).unwrap();
        for damaged in [
            &good[..good.len() / 2],
            &[good.as_slice(), b"x"].concat(),
            b"",
            b"short",
        ] {
            fs::write(&path, damaged).unwrap();
            assert!(load(&engine, &path).is_none());
            cache.component(&engine, &plugin()).unwrap();
            assert_eq!(fs::read(&path).unwrap().len(), good.len());
        }
    }

    #[test]
    fn without_a_directory_everything_is_compiled() {
        let cache = CompileCache::open(None).unwrap();
        cache.component(&Engine::default(), &plugin()).unwrap();
    }
}
