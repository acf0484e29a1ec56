//! Compiled components on disk, so that a plugin compiles once per machine and version of the host.

mod entry;
mod evict;
mod trusted;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiler::Compiler;
use crate::error::PluginError;
use crate::source::VerifiedPlugin;

use entry::Draft;

/// A private directory of compiled components; without one, everything is compiled anew.
///
/// An entry's name is the digest of the plugin, a hash of everything of the engine that the code
/// depends on, and a checksum of the entry, so that neither another plugin's code nor that of
/// another version of the host is ever loaded from it, nor a damaged one.
#[derive(Clone, Debug)]
pub(crate) struct CompileCache {
    directory: Option<PathBuf>,
    compiler: Compiler,
    /// Bytes that all entries may have together.
    bound: u64,
}

// === impl CompileCache ===

impl CompileCache {
    /// A cache in a directory, which is created for this user alone.
    pub(crate) fn open(
        directory: Option<&Path>,
        bound: u64,
        compiler: Compiler,
    ) -> io::Result<Self> {
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
            compiler,
            bound,
        })
    }

    /// The compiled component: mapped from the cache, or compiled and put there. Dropped before it
    /// is done, it ends a compiler in another process.
    pub(crate) async fn component(
        &self,
        engine: &Engine,
        plugin: &Arc<VerifiedPlugin>,
    ) -> Result<Component, PluginError> {
        let found = {
            let (cache, engine, plugin) = (self.clone(), engine.clone(), Arc::clone(plugin));
            blocking(move || Ok(cache.load(&engine, &plugin.digest))).await?
        };
        if let Some(component) = found {
            return Ok(component);
        }
        if let (Compiler::Child(compiler), Some(directory)) = (&self.compiler, &self.directory) {
            let written = Draft::create(directory).and_then(|draft| Ok((draft.output()?, draft)));
            match written {
                Ok((output, draft)) => {
                    compiler.compile(plugin, output).await?;
                    return self.adopt(engine, plugin, draft).await;
                }
                // Better slow than not at all.
                Err(error) => warn_unwritable(&error, directory),
            }
        }
        let (cache, engine, plugin) = (self.clone(), engine.clone(), Arc::clone(plugin));
        blocking(move || cache.compile_here(&engine, &plugin)).await
    }

    /// Whether the cache holds a plugin's code for this engine, as far as its name tells.
    pub(crate) fn holds(&self, engine: &Engine, digest: &str) -> bool {
        self.directory
            .as_deref()
            .is_some_and(|it| entry::find(it, &entry::key(engine, digest)).is_some())
    }

    /// Keeps what another process compiled, and maps it.
    async fn adopt(
        &self,
        engine: &Engine,
        plugin: &Arc<VerifiedPlugin>,
        draft: Draft,
    ) -> Result<Component, PluginError> {
        let (cache, engine, plugin) = (self.clone(), engine.clone(), Arc::clone(plugin));
        blocking(move || {
            let kept = draft.keep(&entry::key(&engine, &plugin.digest));
            let failed = |source: Box<dyn std::error::Error + Send + Sync>| PluginError::Host {
                action: "keep a compiled plugin in the cache",
                source,
            };
            kept.map_err(|e| failed(e.into()))?;
            cache.evict(&engine, &plugin.digest);
            cache
                .load(&engine, &plugin.digest)
                .ok_or_else(|| failed("it cannot be read again; see the log".into()))
        })
        .await
    }

    /// An entry that is whole; anything else is removed.
    fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let key = entry::key(engine, digest);
        let path = entry::find(self.directory.as_ref()?, &key)?;
        let loaded = entry::check(&path)
            .map_err(|e| e.to_string())
            .and_then(|()| trusted::map(engine, &path).map_err(|e| e.to_string()));
        match loaded {
            Ok(component) => {
                entry::touch(&path);
                Some(component)
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), error, "Discarded a damaged entry of the compile cache");
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Compiles in this process; a cache that cannot be written to costs time alone.
    fn compile_here(
        &self,
        engine: &Engine,
        plugin: &VerifiedPlugin,
    ) -> Result<Component, PluginError> {
        let compiled = Component::from_binary(engine, &plugin.bytes);
        let component = compiled.map_err(|e| PluginError::Compile {
            path: plugin.path.clone(),
            reason: e.root_cause().to_string(),
        })?;
        let Some(directory) = &self.directory else {
            return Ok(component);
        };
        let written = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|code| {
                let draft = Draft::create(directory)?;
                draft.write(&code)?;
                draft.keep(&entry::key(engine, &plugin.digest))
            });
        match written {
            Ok(()) => self.evict(engine, &plugin.digest),
            Err(error) => warn_unwritable(&error, directory),
        }
        Ok(component)
    }

    /// Makes room, sparing what was written just now.
    fn evict(&self, engine: &Engine, digest: &str) {
        let Some(directory) = &self.directory else {
            return;
        };
        if let Err(error) = evict::evict(directory, self.bound, &entry::key(engine, digest)) {
            tracing::warn!(%error, path = %directory.display(), "Failed to clean up the compile cache");
        }
    }
}

fn warn_unwritable(error: &io::Error, directory: &Path) {
    tracing::warn!(%error, path = %directory.display(), "Failed to write the compile cache");
}

/// Off the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PluginError> + Send + 'static,
) -> Result<T, PluginError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(PluginError::Host {
            action: "compile a plugin",
            source: e.into(),
        })
    })
}

#[cfg(test)]
mod tests;
