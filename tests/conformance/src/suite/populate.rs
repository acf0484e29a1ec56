//! `populate.jsonl`: from a target group to what is scraped.

use std::collections::BTreeMap;

use periplus_core::relabel::{RawRule, Relabeler};
use periplus_core::target::{self, FinalTarget, ScrapeDefaults};
use periplus_core::{LabelBuilder, LabelSet, PromDuration};
use serde::Deserialize;
use serde_json::Value;

use super::{Mismatch, Outcome, expect, read, relabeler, scheme_of};

/// The settings of `global` and of a job that matter here.
#[derive(Deserialize, Default)]
struct Settings {
    #[serde(default)]
    job_name: String,
    scrape_interval: Option<PromDuration>,
    scrape_timeout: Option<PromDuration>,
    metrics_path: Option<String>,
    scheme: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, Vec<String>>,
    convert_classic_histograms_to_nhcb: Option<bool>,
    always_scrape_classic_histograms: Option<bool>,
    scrape_native_histograms: Option<bool>,
    metric_name_validation_scheme: Option<String>,
    #[serde(default)]
    relabel_configs: Vec<RawRule>,
}

#[derive(Deserialize)]
struct Group {
    labels: LabelSet,
    targets: Vec<LabelSet>,
}

#[derive(Deserialize)]
struct Recorded {
    discovered: LabelSet,
    labels: Option<LabelSet>,
    internal: Option<LabelSet>,
    scrape_url: Option<String>,
    dropped: bool,
    error: Option<String>,
}

pub(super) fn check(case: &Value) -> Outcome {
    let global: Option<Settings> = read(case, "global")?;
    let global = global.unwrap_or_default();
    let job: Settings = read(case, "job")?;
    let defaults = job.defaults(&global);
    let scheme = job.metric_name_validation_scheme.as_deref();
    let scheme = scheme_of(scheme.or(global.metric_name_validation_scheme.as_deref()));
    let relabeler = relabeler(&job.relabel_configs, scheme)?;
    let group: Group = read(case, "group")?;
    let recorded: Vec<Recorded> = read(case, "targets")?;
    expect("number of targets", &recorded.len(), &group.targets.len())?;
    for (at, (own, recorded)) in group.targets.iter().zip(&recorded).enumerate() {
        let discovered = target::populate_group_target(&group.labels, own, &defaults);
        check_target(discovered, &defaults, &relabeler, recorded)
            .map_err(|Mismatch(text)| Mismatch(format!("in target {at}: {text}")))?;
    }
    Ok(())
}

fn check_target(
    labels: LabelBuilder,
    defaults: &ScrapeDefaults,
    relabeler: &Relabeler,
    recorded: &Recorded,
) -> Outcome {
    expect("discovered labels", &recorded.discovered, &labels.build())?;
    let outcome = target::populate(labels, relabeler);
    expect(
        "dropped",
        &recorded.dropped,
        &(outcome == target::Outcome::Dropped),
    )?;
    let (target, error) = match outcome {
        target::Outcome::Active(target) => (Some(target), None),
        target::Outcome::Dropped => (None, None),
        target::Outcome::Invalid(text) => (None, Some(text)),
    };
    expect("error", &recorded.error, &error)?;
    let target = target.as_ref();
    let public = target.map(|target| target.public().collect());
    expect("public labels", &recorded.labels, &public)?;
    let internal = target.map(|target| target.internal().collect());
    expect("internal labels", &recorded.internal, &internal)?;
    let url = target.map(|target: &FinalTarget| target.scrape_url(defaults));
    expect("scrape URL", &recorded.scrape_url, &url)
}

// === impl Settings ===

impl Settings {
    /// A job's settings with upstream's defaults: an interval of zero is not set, and a timeout that
    /// is not set is the shorter of the default and the interval.
    fn defaults(&self, global: &Self) -> ScrapeDefaults {
        let set = |duration: Option<PromDuration>| duration.filter(|duration| !duration.is_zero());
        let global_interval = set(global.scrape_interval).unwrap_or(PromDuration::from_secs(60));
        let global_timeout = set(global.scrape_timeout)
            .unwrap_or_else(|| PromDuration::from_secs(10).min(global_interval));
        let scrape_interval = set(self.scrape_interval).unwrap_or(global_interval);
        let scrape_timeout =
            set(self.scrape_timeout).unwrap_or_else(|| global_timeout.min(scrape_interval));
        let flag = |job: Option<bool>, global: Option<bool>| job.or(global).unwrap_or_default();
        ScrapeDefaults {
            job: self.job_name.clone(),
            scrape_interval,
            scrape_timeout,
            metrics_path: self
                .metrics_path
                .clone()
                .unwrap_or_else(|| "/metrics".to_owned()),
            scheme: self.scheme.clone().unwrap_or_else(|| "http".to_owned()),
            params: self.params.clone().into_iter().collect(),
            convert_classic_histograms_to_nhcb: flag(
                self.convert_classic_histograms_to_nhcb,
                global.convert_classic_histograms_to_nhcb,
            ),
            always_scrape_classic_histograms: flag(
                self.always_scrape_classic_histograms,
                global.always_scrape_classic_histograms,
            ),
            scrape_native_histograms: flag(
                self.scrape_native_histograms,
                global.scrape_native_histograms,
            ),
        }
    }
}
