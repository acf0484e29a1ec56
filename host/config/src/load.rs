//! From a file to a configuration.

use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::diagnostic::{ConfigErrors, Diagnostic};
use crate::options::LoadOptions;
use crate::origin::JobOrigin;
use crate::places::Places;
use crate::plugin::PluginConfig;
use crate::read::{ClusterList, Context, read_document, read_plugins};
use crate::text;
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
    /// Where each job stands, in the order of the jobs.
    pub origins: Vec<JobOrigin>,
    /// `global.external_labels`, sorted, with variables of the environment put in as Prometheus does.
    /// Discovery has no use for them.
    pub external_labels: Vec<(String, String)>,
    /// `global` as written; null if it is not.
    pub global: serde_json::Value,
}

/// Reads and checks a configuration file and those that it includes. Paths in a file are relative
/// to its directory.
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
    let text = text::read(path)?;
    load(&text, path, options, true, check)
}

/// Checks the text of a configuration; `file_name` stands in messages, and paths in the text are
/// relative to its directory. Files that it includes are not read.
pub fn load_str(
    text: &str,
    file_name: &Path,
    options: &LoadOptions,
) -> Result<Loaded, ConfigErrors> {
    load(text, file_name, options, false, |_, _| Vec::new())
}

fn load(
    text: &str,
    file_name: &Path,
    options: &LoadOptions,
    follow: bool,
    check: impl FnOnce(&Config, &Places) -> Vec<Diagnostic>,
) -> Result<Loaded, ConfigErrors> {
    let loaded = with_document(text, file_name, options, |root, context, report| {
        let document = read_document(root, file_name, context, follow);
        report.add(check(&document.config, &document.places));
        document
    });
    loaded.map(|(document, warnings)| Loaded {
        config: Arc::new(document.config),
        warnings,
        places: document.places,
        origins: document.origins,
        external_labels: document.external_labels,
        global: document.global,
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
    let text = match text::read(path) {
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
