//! Reading a configuration together with the plugins that it names.
//!
//! The mechanisms that a file may use come from the manifests of its plugins. So the list of
//! plugins is read first, they are loaded and asked what they serve, and then the whole file is
//! checked, their sections against their own schemas.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use periplus_config::{
    Config, ConfigErrors, Diagnostic, Job, LoadOptions, Loaded, Places, SectionKind,
    TransformerConfig, load_file_with, readable_plugins_of,
};
use periplus_core::ContentHash;
use periplus_plugin::{PluginHost, PluginHostOptions};

use crate::args::LoadArgs;
use crate::plugin_folder;

/// The least time between two questions for what a tag means.
const MIN_RECHECK: Duration = Duration::from_secs(1);

/// What the plugin host needs to know of the command line.
pub(crate) fn plugin_options(args: &LoadArgs) -> PluginHostOptions {
    PluginHostOptions {
        cache_dir: Some(args.plugin_cache()),
        images: Some(args.store.options()),
        wait_for_images: false,
        recheck: Some(args.plugin_recheck.max(MIN_RECHECK)),
        compiler: crate::plugin::compiler(),
        watch: true,
    }
}

/// Reads a configuration for a command that prints something else: its warnings go to standard error,
/// and so do its errors, which end the command.
pub(crate) async fn load_or_say(
    file: &Path,
    args: &LoadArgs,
    host: &PluginHost,
) -> anyhow::Result<Loaded> {
    let mut err = std::io::stderr();
    match load(file, args, host).await {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                writeln!(err, "warning: {warning}")?;
            }
            Ok(loaded)
        }
        Err(errors) => {
            writeln!(err, "{errors}")?;
            bail!("{} has {} errors", file.display(), errors.0.len())
        }
    }
}

/// A plugin host for a command that ends soon.
pub(crate) fn plugin_host(args: &LoadArgs) -> anyhow::Result<Arc<PluginHost>> {
    PluginHost::new(plugin_options(args)).context("failed to prepare the plugin host")
}

/// Reads and checks a configuration and its plugins. Touches nothing that runs: the plugins are
/// staged, and take over when the caller activates them.
pub(crate) async fn load(
    file: &Path,
    args: &LoadArgs,
    host: &PluginHost,
) -> Result<Loaded, ConfigErrors> {
    let (mut errors, some_awaited) = stage_plugins(file, args, host).await;
    // A plugin that did not load explains why nobody serves its mechanism, or has its name: said
    // once is enough.
    let some_failed = !errors.is_empty() || some_awaited;
    let allow_missing = args.allow_missing || some_failed;
    let options = LoadOptions {
        mechanisms: host.mechanisms(),
        allow_missing,
    };
    let by_plugins = |config: &Config, places: &Places| {
        config
            .jobs
            .iter()
            .flat_map(|job| problems_of(job, host, places, some_failed))
            .collect()
    };
    match load_file_with(file, &options, by_plugins) {
        Ok(mut loaded) if errors.is_empty() => {
            if some_awaited {
                withhold(&mut loaded, host);
            }
            return Ok(loaded);
        }
        Ok(_) => {}
        Err(ConfigErrors(more)) => {
            let new: Vec<_> = more
                .into_iter()
                .filter(|error| !errors.contains(error))
                .collect();
            errors.extend(new);
        }
    }
    Err(ConfigErrors::in_order(file, errors))
}

/// A job by its name, or an error that says which there are.
pub(crate) fn find_job<'a>(loaded: &'a Loaded, name: &str) -> anyhow::Result<&'a Arc<Job>> {
    let jobs = &loaded.config.jobs;
    if let Some(job) = jobs.iter().find(|job| job.name == name) {
        return Ok(job);
    }
    let known: Vec<String> = jobs.iter().map(|job| format!("`{}`", job.name)).collect();
    bail!(
        "job `{name}` is not in the configuration; select one of {}",
        known.join(", ")
    )
}

/// A job whose transformer is not here yet stays unknown: its targets without it would be others.
fn withhold(loaded: &mut Loaded, host: &PluginHost) {
    for job in &mut Arc::make_mut(&mut loaded.config).jobs {
        let here = |it: &TransformerConfig| host.check_transformer(it).is_ok();
        if job.transformers.iter().all(here) {
            continue;
        }
        for section in &mut Arc::make_mut(job).sections {
            section.kind = SectionKind::Missing;
            // Another one, so that it is made anew when the plugin is here.
            section.identity = ContentHash::of(format!("awaited {}", section.identity).as_bytes());
        }
    }
}

/// Loads what `plugins:` lists, and says what is wrong with the list or with a plugin, and whether
/// one of them is waited for.
async fn stage_plugins(file: &Path, args: &LoadArgs, host: &PluginHost) -> (Vec<Diagnostic>, bool) {
    let (mut list, mut errors) = readable_plugins_of(file);
    if let Some(folder) = &args.plugin_dir {
        match plugin_folder::list(folder, &list) {
            Ok(more) => list.extend(more),
            Err(error) => errors.push(error),
        }
    }
    let mut some_awaited = false;
    for (config, outcome) in host.load(&list).await {
        if let Err(reason) = &outcome
            && host.is_awaited(&config)
        {
            some_awaited = true;
            tracing::warn!(
                reason,
                "Waiting for a plugin; jobs that need it are not served yet"
            );
        } else if let Err(message) = outcome {
            errors.push(Diagnostic {
                file: file.to_path_buf(),
                line: config.line,
                column: 1,
                key_path: config.key_path.clone(),
                message,
                hint: host.advice(&config).map(str::to_owned),
            });
        }
    }
    (errors, some_awaited)
}

/// What only the plugins can check: a job's sections and the configurations of its transformers.
fn problems_of(
    job: &Job,
    host: &PluginHost,
    places: &Places,
    some_failed: bool,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for section in &job.sections {
        if let SectionKind::Plugin(content) = &section.kind
            && let Err(problems) = host.check_section(&section.mechanism, content)
        {
            found.extend(
                problems
                    .into_iter()
                    .map(|it| places.diagnostic(&section.key_path, &it.path, it.message)),
            );
        }
    }
    for transformer in &job.transformers {
        if let Err(problems) = host.check_transformer(transformer) {
            found.extend(
                problems
                    .into_iter()
                    .filter(|it| !some_failed || it.path != "/plugin")
                    .map(|it| places.diagnostic(&transformer.key_path, &it.path, it.message)),
            );
        }
    }
    found
}
