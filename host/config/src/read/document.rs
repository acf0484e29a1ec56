//! The top level of the file.

use std::path::Path;

use super::global::{self, Global};
use super::jobs::Jobs;
use super::{ClusterList, Context, allocator, clusters, included, plugins, quoted};
use crate::config::Config;
use crate::origin::JobOrigin;
use crate::places::Places;
use crate::plugin::PluginConfig;
use crate::yaml::{Fields, Value};

/// Sections that no scrape job needs; they belong to the scraper.
const PASSED_OVER: [&str; 7] = [
    "runtime",
    "alerting",
    "storage",
    "tracing",
    "remote_write",
    "remote_read",
    "otlp",
];

/// What a file and those that it includes say.
pub(crate) struct Document {
    pub(crate) config: Config,
    /// Where each job stands, in the order of `config.jobs`.
    pub(crate) origins: Vec<JobOrigin>,
    /// `global.external_labels`, variables of the environment put in.
    pub(crate) external_labels: Vec<(String, String)>,
    /// `global` as written.
    pub(crate) global: serde_json::Value,
    pub(crate) places: Places,
}

/// Reads the whole file, and those that it includes if `follow` is set.
pub(crate) fn read_document(
    root: Option<&Value<'_>>,
    file: &Path,
    context: &Context<'_>,
    follow: bool,
) -> Document {
    let mut document = Document {
        config: Config {
            file: file.to_path_buf(),
            jobs: Vec::new(),
            plugins: Vec::new(),
            clusters: Vec::new(),
            target_allocator: None,
        },
        origins: Vec::new(),
        external_labels: Vec::new(),
        global: serde_json::Value::Null,
        places: Places::of(root, file),
    };
    let Some(mut fields) = top(root) else {
        return document;
    };
    let global = fields.take("global").map_or_else(Global::default, |value| {
        let global = global::read(&value);
        document.global = value.json_as_written();
        global
    });
    if let Some(value) = fields.take("plugins") {
        document.config.plugins = plugins::read(&value, context);
    }
    let clusters = fields
        .take("clusters")
        .map_or_else(ClusterList::default, |it| clusters::read(&it, context));
    let context = Context {
        clusters: &clusters,
        ..*context
    };
    let mut jobs = Jobs::new(&global);
    if let Some(value) = fields.take("scrape_configs") {
        jobs.read(&value, &context);
    }
    read_patterns(&mut fields, "rule_files", "rule file");
    let patterns = read_patterns(&mut fields, "scrape_config_files", "scrape config file");
    if follow {
        included::read(&patterns, &mut jobs, &context, &mut document.places);
    }
    document.config.jobs = jobs.list;
    document.origins = jobs.origins;
    document.config.clusters = clusters.entries;
    document.external_labels = global.external_labels;
    if let Some(value) = fields.take("target_allocator") {
        let jobs = &document.config.jobs;
        let jobs = jobs.iter().map(|job| &*job.name).collect();
        document.config.target_allocator = Some(allocator::read(&value, &jobs));
    }
    pass_over(&mut fields);
    fields.finish();
    document
}

/// Reads the list of plugins and nothing else.
pub(crate) fn read_plugins(root: Option<&Value<'_>>, context: &Context<'_>) -> Vec<PluginConfig> {
    let plugins = top(root).and_then(|mut fields| fields.take("plugins"));
    plugins
        .map(|value| plugins::read(&value, context))
        .unwrap_or_default()
}

fn top<'a>(root: Option<&Value<'a>>) -> Option<Fields<'a>> {
    let root = root.filter(|root| !root.is_null())?;
    root.fields()
}

/// Accepts the sections that concern the scraper, their rough shape checked.
fn pass_over(fields: &mut Fields<'_>) {
    for key in PASSED_OVER {
        fields.take(key);
    }
    fields.read("runtime", |value| {
        let mut runtime = value.fields()?;
        runtime.read("gogc", |value| value.int());
        Some(runtime.finish())
    });
}

/// Patterns of paths; those that upstream refuses are left out.
fn read_patterns<'a>(
    fields: &mut Fields<'a>,
    key: &'static str,
    what: &str,
) -> Vec<(String, Value<'a>)> {
    let patterns = fields.read(key, |list| {
        list.list("[]string", |item| {
            let pattern = item.string()?;
            if !is_file_pattern(&pattern) {
                item.error_with(
                    format!("invalid {what} path {}", quoted(&pattern)),
                    "`*` is for the last part of a path alone",
                );
                return None;
            }
            Some((pattern, item))
        })
    });
    patterns.unwrap_or_default()
}

/// `^[^*]*(\*[^/]*)?$`
fn is_file_pattern(pattern: &str) -> bool {
    pattern
        .split_once('*')
        .is_none_or(|(_, tail)| !tail.contains('/'))
}
