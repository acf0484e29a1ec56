//! `periplus check discovery`: one job's discovery run for real, until its targets are known.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, bail};
use periplus_config::{Config, Job, Loaded};
use periplus_core::target::{FinalTarget, Outcome, ScrapeDefaults, explain, populate_discovered};
use periplus_core::{LabelBuilder, LabelSet};
use periplus_discovery::{
    DiscoveryMetrics, GroupKey, GroupResult, Manager, ManagerHandle, ManagerOptions, Snapshot,
};
use periplus_kubernetes::{KubernetesMechanism, KubernetesOptions};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::table;
use crate::args::{CheckDiscoveryArgs, OutputFormat};
use crate::load;
use crate::mechanisms::AllMechanisms;

/// A target before and after relabeling. The first keys are those of `promtool`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckedTarget {
    /// What relabeling starts from: what the provider found, edited by transformers, with the job's
    /// settings where it sets none.
    pub(super) discovered_labels: LabelSet,
    /// What is left; empty of a target that is not scraped.
    pub(super) labels: LabelSet,
    /// Why the target is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    pub(super) state: State,
    /// Why the target is not scraped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scrape_url: Option<String>,
    pub(super) mechanism: String,
    pub(super) source: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Active,
    Dropped,
    Invalid,
    Copy,
}

/// Runs the job's providers and prints its targets as soon as all of them have delivered.
pub(crate) async fn discovery(args: CheckDiscoveryArgs) -> anyhow::Result<()> {
    let plugins = load::plugin_host(&args.load)?;
    let loaded = load::load_or_say(&args.file, &args.load, &plugins).await?;
    let job = load::find_job(&loaded, &args.job)?;
    plugins.activate();
    let mechanisms = AllMechanisms {
        metrics: DiscoveryMetrics::default(),
        kubernetes: KubernetesMechanism::new(KubernetesOptions::default()),
        plugins,
    };
    let (manager, handle) = Manager::new(Arc::new(mechanisms), ManagerOptions::default());
    let stop = CancellationToken::new();
    let running = tokio::spawn(manager.run(stop.clone()));
    let known = known(&handle, &loaded.config, job, &args).await;
    stop.cancel();
    running.await.context("the manager panicked")?;
    let known = known?;
    let targets = checked(&known, &Reasons::of(&loaded, job));
    let mut out = std::io::stdout().lock();
    match args.format {
        OutputFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &targets)?;
            writeln!(out)?;
        }
        OutputFormat::Table => table::write(&mut out, &targets)?,
    }
    Ok(())
}

/// The job's first snapshot that means something.
async fn known(
    manager: &ManagerHandle,
    config: &Config,
    job: &Arc<Job>,
    args: &CheckDiscoveryArgs,
) -> anyhow::Result<Arc<Snapshot>> {
    let alone = Config {
        jobs: vec![Arc::clone(job)],
        ..config.clone()
    };
    let report = manager.apply(Arc::new(alone)).await;
    if let Some((key_path, reason)) = report.failed_sections.first() {
        bail!("cannot start {key_path}: {reason}");
    }
    let directory = manager.directory().borrow().clone();
    let entry = directory.jobs.get(&job.name);
    let mut snapshots = entry.context("the manager lost the job")?.snapshots.clone();
    let waited = {
        let known = snapshots.wait_for(|it| it.known);
        let waited = tokio::time::timeout(args.timeout, known).await;
        waited.map(|known| known.map(|it| Arc::clone(&it)))
    };
    if let Ok(snapshot) = waited {
        return snapshot.context("the manager ended");
    }
    for provider in manager.providers() {
        if let Some((_, error)) = provider.last_error {
            writeln!(std::io::stderr(), "{}: {error}", provider.name)?;
        }
    }
    bail!(
        "job `{}` is not known after {}: {}",
        job.name,
        humantime::format_duration(args.timeout),
        snapshots.borrow().missing.join("; ")
    )
}

/// All targets, in the order of their groups.
fn checked(snapshot: &Snapshot, reasons: &Reasons<'_>) -> Vec<CheckedTarget> {
    let groups = snapshot.groups.iter();
    groups
        .flat_map(|(key, result)| of_group(key, result, reasons))
        .collect()
}

fn of_group(key: &GroupKey, result: &GroupResult, reasons: &Reasons<'_>) -> Vec<CheckedTarget> {
    let group = result.discovered().group();
    let defaults = &reasons.job.defaults;
    let mut has_result = vec![false; group.targets.len()];
    let mut targets = Vec::with_capacity(group.targets.len());
    for (index, found) in result.targets.iter().enumerate() {
        if let Some(row) = has_result.get_mut(found.row as usize) {
            *row = true;
        }
        let before = populate_discovered(&result.transformed(&group, index), defaults);
        targets.push(match &found.outcome {
            Outcome::Active(last) => active(key, result, index, &before, last, defaults),
            Outcome::Dropped => {
                let reason = reasons.of_drop(&before);
                unscraped(key, &before, State::Dropped, reason)
            }
            Outcome::Invalid(error) => CheckedTarget {
                error: Some(error.clone()),
                ..unscraped(key, &before, State::Invalid, error.clone())
            },
        });
    }
    for (labels, _) in group.discovered().zip(has_result).filter(|(_, has)| !has) {
        let before = populate_discovered(&labels, defaults);
        let reason = "dropped by a transformer".to_owned();
        targets.push(unscraped(key, &before, State::Dropped, reason));
    }
    targets
}

fn active(
    key: &GroupKey,
    result: &GroupResult,
    index: usize,
    before: &LabelBuilder,
    last: &FinalTarget,
    defaults: &ScrapeDefaults,
) -> CheckedTarget {
    let copy = result.is_copy(index);
    CheckedTarget {
        labels: result.form().shown(&last.labels).collect(),
        scrape_url: Some(last.scrape_url(defaults)),
        state: if copy { State::Copy } else { State::Active },
        reason: copy.then(|| "another target has the same labels and URL".to_owned()),
        ..unscraped(key, before, State::Active, String::new())
    }
}

fn unscraped(key: &GroupKey, before: &LabelBuilder, state: State, reason: String) -> CheckedTarget {
    CheckedTarget {
        discovered_labels: before.build(),
        labels: LabelSet::default(),
        error: None,
        state,
        reason: Some(reason),
        scrape_url: None,
        mechanism: key.section.mechanism.to_string(),
        source: key.source.to_string(),
    }
}

/// Finds the rule that drops a target.
struct Reasons<'a> {
    job: &'a Job,
    /// What to say of each rule.
    rules: Vec<String>,
}

// === impl Reasons ===

impl<'a> Reasons<'a> {
    fn of(loaded: &Loaded, job: &'a Job) -> Self {
        let jobs = loaded.config.jobs.iter();
        let origin = jobs
            .zip(&loaded.origins)
            .find(|(other, _)| other.name == job.name)
            .map(|(_, origin)| origin.key_path.as_str())
            .unwrap_or_default();
        let rules = job.relabel_rules.iter().enumerate().map(|(index, rule)| {
            let pointer = format!("/relabel_configs/{index}");
            let place = loaded.places.diagnostic(origin, &pointer, "");
            format!(
                "dropped by relabel_configs[{index}] ({}:{}), action {}",
                place.file.display(),
                place.line,
                rule.action()
            )
        });
        let rules = rules.collect();
        Self { job, rules }
    }

    /// `before` has the job's settings already, so that they change nothing again.
    fn of_drop(&self, before: &LabelBuilder) -> String {
        let Job {
            defaults,
            relabel_rules,
            ..
        } = self.job;
        let steps = explain(&before.build(), None, defaults, relabel_rules).steps;
        let dropping = steps.iter().position(|step| !step.keep);
        let said = dropping.and_then(|rule| self.rules.get(rule));
        said.map_or_else(|| "dropped by relabeling".to_owned(), String::clone)
    }
}
