//! From a file to a configuration.

use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::diagnostic::{ConfigErrors, Diagnostic};
use crate::options::LoadOptions;
use crate::places::Places;
use crate::plugin::PluginConfig;
use crate::read::{ClusterList, Context, read_document, read_plugins};
use crate::yaml::{self, Report, Value};

/// A configuration and what may be wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Arc<Config>,
    /// What deserves attention but stops nothing.
    pub warnings: Vec<Diagnostic>,
    /// Where every key stands, for what only plugins can check.
    pub places: Places,
}

/// Reads and checks a configuration file. Paths in it are relative to its directory.
pub fn load_file(path: &Path, options: &LoadOptions) -> Result<Loaded, ConfigErrors> {
    load_file_with(path, options, |_, _| Vec::new())
}

/// As [`load_file`], with a check by who knows more than this crate, such as the plugins. It sees
/// what could be read, also of a file with errors, so that all errors are told at once.
pub fn load_file_with(
    path: &Path,
    options: &LoadOptions,
    check: impl FnOnce(&Config, &Places) -> Vec<Diagnostic>,
) -> Result<Loaded, ConfigErrors> {
    let text = read(path)?;
    load(&text, path, options, check)
}

/// Checks the text of a configuration; `file_name` stands in messages, and paths in the text are
/// relative to its directory.
pub fn load_str(
    text: &str,
    file_name: &Path,
    options: &LoadOptions,
) -> Result<Loaded, ConfigErrors> {
    load(text, file_name, options, |_, _| Vec::new())
}

fn load(
    text: &str,
    file_name: &Path,
    options: &LoadOptions,
    check: impl FnOnce(&Config, &Places) -> Vec<Diagnostic>,
) -> Result<Loaded, ConfigErrors> {
    let loaded = with_document(text, file_name, options, |root, context, report| {
        let config = read_document(root, file_name, context);
        let places = Places::of(root, file_name);
        report.add(check(&config, &places));
        (config, places)
    });
    loaded.map(|((config, places), warnings)| Loaded {
        config: Arc::new(config),
        warnings,
        places,
    })
}

/// Reads only the list of plugins, which must be loaded before the rest can be checked.
pub fn plugins_of(path: &Path) -> Result<Vec<PluginConfig>, ConfigErrors> {
    let (plugins, errors) = readable_plugins_of(path);
    if errors.is_empty() {
        Ok(plugins)
    } else {
        Err(ConfigErrors(errors))
    }
}

/// The plugins that could be read, and what is wrong with the list. With the former, the rest of a
/// file with errors can be checked as well.
pub fn readable_plugins_of(path: &Path) -> (Vec<PluginConfig>, Vec<Diagnostic>) {
    let text = match read(path) {
        Ok(text) => text,
        Err(ConfigErrors(errors)) => return (Vec::new(), errors),
    };
    let mut plugins = Vec::new();
    let read = |root: Option<&Value<'_>>, context: &Context<'_>, _: &Report| {
        plugins = read_plugins(root, context);
    };
    let outcome = with_document(&text, path, &LoadOptions::default(), read);
    (plugins, outcome.err().map_or(Vec::new(), |it| it.0))
}

/// Parses the text and lets `read` walk it; its errors win over what it gives.
fn with_document<T>(
    text: &str,
    file_name: &Path,
    options: &LoadOptions,
    read: impl FnOnce(Option<&Value<'_>>, &Context<'_>, &Report) -> T,
) -> Result<(T, Vec<Diagnostic>), ConfigErrors> {
    let report = Report::new(file_name);
    let node = yaml::parse(text, &report);
    let root = node.as_ref().map(|node| Value {
        node,
        path: String::new(),
        report: &report,
    });
    let directory = file_name.parent().unwrap_or(Path::new(""));
    let context = Context {
        directory,
        options,
        clusters: &ClusterList::default(),
    };
    let result = read(root.as_ref(), &context, &report);
    report.finish().map(|warnings| (result, warnings))
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
