//! What is said of a component when it is handed on.

use std::path::Path;

use crate::error::PluginError;
use crate::inspect::{inspect, outer};
use crate::source;

/// A file that is a plugin for this host, as far as its imports and exports tell.
#[derive(Debug)]
pub struct PluginFile {
    /// The component.
    pub bytes: Vec<u8>,
    /// Names of what it imports.
    pub imports: Vec<String>,
    /// Names of what it exports.
    pub exports: Vec<String>,
}

// === impl PluginFile ===

impl PluginFile {
    /// Reads one; nothing of it is compiled or run. Blocks.
    pub fn read(path: &Path) -> Result<Self, PluginError> {
        let plugin = source::read(path, None)?;
        inspect(path, &plugin.bytes)?;
        let (imports, exports) =
            outer(&plugin.bytes).map_err(|reason| PluginError::NotAComponent {
                path: path.to_owned(),
                reason,
            })?;
        Ok(Self {
            bytes: plugin.bytes,
            imports,
            exports,
        })
    }
}
