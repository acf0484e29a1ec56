//! The top level of the file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::global::{self, Global};
use super::{ClusterList, Context, allocator, clusters, job, plugins, quoted};
use crate::config::{Config, Job};
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

/// Reads the whole file.
pub(crate) fn read_document(
    root: Option<&Value<'_>>,
    file: &Path,
    context: &Context<'_>,
) -> Config {
    let mut config = Config {
        file: file.to_path_buf(),
        jobs: Vec::new(),
        plugins: Vec::new(),
        clusters: Vec::new(),
        target_allocator: None,
    };
    let Some(mut fields) = top(root) else {
        return config;
    };
    let global = fields
        .take("global")
        .map_or_else(Global::default, |value| global::read(&value));
    if let Some(value) = fields.take("plugins") {
        config.plugins = plugins::read(&value, context);
    }
    let clusters = fields
        .take("clusters")
        .map_or_else(ClusterList::default, |it| clusters::read(&it, context));
    if let Some(value) = fields.take("scrape_configs") {
        let context = Context {
            clusters: &clusters,
            ..*context
        };
        config.jobs = read_jobs(&value, &global, &context);
    }
    config.clusters = clusters.entries;
    if let Some(value) = fields.take("target_allocator") {
        let jobs = config.jobs.iter().map(|job| &*job.name).collect();
        config.target_allocator = Some(allocator::read(&value, &jobs));
    }
    pass_over(&mut fields);
    fields.finish();
    config
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

fn read_jobs(value: &Value<'_>, global: &Global, context: &Context<'_>) -> Vec<Arc<Job>> {
    let mut names = HashMap::new();
    let jobs = value.list("[]*config.ScrapeConfig", |item| {
        let job = job::read(&item, global, context)?;
        let line = item.mark().line;
        if let Some(first) = names.insert(job.name.clone(), line)
            && !job.name.is_empty()
        {
            item.key("job_name").error_with(
                format!(
                    "found multiple scrape configs with job name {}",
                    quoted(&job.name)
                ),
                format!("the first one is on line {first}"),
            );
        }
        Some(Arc::new(job))
    });
    jobs.unwrap_or_default()
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
    for (key, what) in [
        ("rule_files", "rule file"),
        ("scrape_config_files", "scrape config file"),
    ] {
        let Some(list) = fields.take(key) else {
            continue;
        };
        list.list("[]string", |item| {
            let pattern = item.string()?;
            if !is_file_pattern(&pattern) {
                item.error(format!("invalid {what} path {}", quoted(&pattern)));
            }
            Some(())
        });
        if key == "scrape_config_files" && !list.is_nil() {
            list.warn_with(
                "scrape_config_files are not read yet",
                "move the jobs into this file's `scrape_configs`",
            );
        }
    }
}

/// `^[^*]*(\*[^/]*)?$`
fn is_file_pattern(pattern: &str) -> bool {
    pattern
        .split_once('*')
        .is_none_or(|(_, tail)| !tail.contains('/'))
}
