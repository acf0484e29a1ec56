//! `GET /api/v1/explain?job=&target=`: where each label of a target comes from, and why a target is
//! not there.
//!
//! Nothing of this is kept: it is made by doing for one target what the pipeline does, rule by rule.
//! The steps have the shape of Prometheus' own `/api/v1/targets/relabel_steps`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::uri::Uri;
use axum::response::Response;
use periplus_core::relabel::{RawRule, Rule};
use periplus_core::target::{Explanation, FinalTarget, Origin, Outcome, ScrapeDefaults, explain};
use periplus_core::{LabelSet, TargetGroup};
use periplus_discovery::{GroupKey, GroupResult, Snapshot};
use serde::Serialize;

use crate::error::ApiError;
use crate::jobs::{self, Found};
use crate::state::App;

/// Targets with one address that are explained in one answer.
const MOST_EXPLAINED: usize = 20;
const ADDRESS: &str = "__address__";
const INSTANCE: &str = "instance";

/// What there is to say about the targets with one address.
#[derive(Serialize)]
pub(crate) struct Explained {
    pub(crate) job: String,
    /// How many targets there are by this address; at most [`MOST_EXPLAINED`] are explained.
    pub(crate) total: usize,
    pub(crate) targets: Vec<ExplainedTarget>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedTarget {
    pub(crate) mechanism: String,
    /// The group's source within its provider.
    pub(crate) source: String,
    /// As the provider found it.
    pub(crate) discovered_labels: LabelSet,
    /// Of these the ones that are the target's own and not its group's.
    pub(crate) own_labels: Vec<String>,
    /// After the job's transformers, if there are any and they left the target.
    pub(crate) transformed_labels: Option<LabelSet>,
    pub(crate) transformers: Vec<String>,
    /// What relabeling starts from: with the settings of the job.
    pub(crate) start: Option<LabelSet>,
    pub(crate) steps: Vec<RelabelStep>,
    #[serde(flatten)]
    pub(crate) end: End,
    /// Every label that the target ever had, with who gave it which value.
    pub(crate) labels: BTreeMap<String, Vec<Change>>,
}

/// In the shape of Prometheus.
#[derive(Serialize)]
pub(crate) struct RelabelStep {
    pub(crate) rule: RawRule,
    pub(crate) output: LabelSet,
    pub(crate) keep: bool,
}

/// What became of a target.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub(crate) enum End {
    /// It is served.
    #[serde(rename_all = "camelCase")]
    Active {
        final_labels: LabelSet,
        scrape_url: String,
    },
    /// Another target of the job has the same final labels and URL, and stands for both.
    #[serde(rename_all = "camelCase")]
    Copy { final_labels: LabelSet },
    /// It cannot be scraped, for upstream's reason.
    Invalid { reason: String },
    /// A rule dropped it: its place in `relabel_configs`, counted from 0.
    DroppedByRule { rule: usize },
    /// The transformers did not keep it.
    DroppedByTransformers,
}

/// One value of a label.
#[derive(Serialize)]
pub(crate) struct Change {
    pub(crate) by: By,
    /// Empty if the label was removed.
    pub(crate) value: String,
    /// Which rule, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<usize>,
}

/// Who gave a label a value.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    Group,
    Target,
    Transformers,
    JobSetting,
    Rule,
    /// `instance` is the address where nothing else sets it.
    AddressAsInstance,
}

/// Explains the targets of a job that have an address.
pub(crate) async fn explained(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, ApiError> {
    let (job, target) = asked(uri.query())?;
    let explained = Explained::find(&app, &job, &target, None).await?;
    Ok(super::json(super::encode(&explained)))
}

fn asked(query: Option<&str>) -> Result<(String, String), ApiError> {
    let (mut job, mut target) = (None, None);
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let slot = match &*name {
            "job" => &mut job,
            "target" => &mut target,
            _ => {
                let known = "there are `job` and `target`";
                return Err(ApiError::bad_data(format!(
                    "unknown parameter `{name}`; {known}"
                )));
            }
        };
        if slot.replace(value.into_owned()).is_some() {
            let message = format!("parameter `{name}` is given more than once");
            return Err(ApiError::bad_data(message));
        }
    }
    match (job, target) {
        (Some(job), Some(target)) if !target.is_empty() => Ok((job, target)),
        (None, _) => Err(ApiError::bad_data("name a job: `?job=NAME&target=ADDRESS`")),
        _ => Err(ApiError::bad_data(
            "name a target by its address or instance: `?job=NAME&target=ADDRESS`",
        )),
    }
}

// === impl Explained ===

impl Explained {
    /// Explains the targets of a job that have an address; with `rules` instead of the job's own, if
    /// some are given.
    ///
    /// # Errors
    /// If the job is not known, or has no such target.
    pub(crate) async fn find(
        app: &App,
        job: &str,
        target: &str,
        rules: Option<Vec<Rule>>,
    ) -> Result<Self, ApiError> {
        let Found::Known(_, snapshot) = jobs::find(app, job)? else {
            return Err(ApiError::not_found(format!("a reload removed job `{job}`")));
        };
        let (job, target) = (job.to_owned(), target.to_owned());
        let explain = move || {
            let explained = Self::of(job, &target, &snapshot, rules.as_deref());
            if explained.total > 0 {
                return Ok(explained);
            }
            Err(ApiError::not_found(format!(
                "job `{}` has no target `{target}`: neither a discovered nor a final `{ADDRESS}` \
                 is that, nor an `{INSTANCE}`",
                explained.job
            )))
        };
        // Groups are derived again to be looked at.
        let explained = tokio::task::spawn_blocking(explain).await;
        explained.map_err(|_| ApiError::unavailable("the host is stopping"))?
    }

    fn of(job: String, target: &str, snapshot: &Snapshot, trial: Option<&[Rule]>) -> Self {
        let mut explained = Self {
            job,
            total: 0,
            targets: Vec::new(),
        };
        for (key, result) in &snapshot.groups {
            let group = result.discovered().group();
            let look = Look {
                snapshot,
                trial,
                key,
                result,
                group: &group,
            };
            let found = result
                .places()
                .filter(|(row, at)| look.is(target, *row, *at));
            for (row, at) in found {
                explained.total += 1;
                if explained.targets.len() < MOST_EXPLAINED {
                    explained.targets.push(look.explain(row, at));
                }
            }
        }
        explained
    }
}

/// One group under a magnifying glass.
struct Look<'a> {
    snapshot: &'a Snapshot,
    /// Rules that are tried instead of the job's.
    trial: Option<&'a [Rule]>,
    key: &'a GroupKey,
    result: &'a GroupResult,
    group: &'a TargetGroup,
}

// === impl Look ===

impl Look<'_> {
    fn is(&self, target: &str, row: usize, at: Option<usize>) -> bool {
        let outcome = at.map(|at| &self.result.targets[at].outcome);
        let is_final = outcome.is_some_and(|outcome| match outcome {
            Outcome::Active(FinalTarget { labels }) => {
                labels.get(INSTANCE) == Some(target) || labels.get(ADDRESS) == Some(target)
            }
            _ => false,
        });
        is_final || self.discovered_address(row) == Some(target)
    }

    fn discovered_address(&self, row: usize) -> Option<&str> {
        let own = self.group.targets.get(row)?.get(ADDRESS);
        own.or_else(|| self.group.labels.get(ADDRESS))
    }

    fn rules(&self) -> &[Rule] {
        self.trial.unwrap_or(&self.snapshot.job.relabel_rules)
    }

    fn explain(&self, row: usize, at: Option<usize>) -> ExplainedTarget {
        let own = self.group.targets.get(row).cloned().unwrap_or_default();
        let discovered = LabelSet::merge(&self.group.labels, &own);
        let job = &self.snapshot.job;
        let is_edited = !job.transformers.is_empty();
        let transformed = at.map(|at| self.result.transformed(self.group, at).into_owned());
        let explanation = transformed.as_ref().map(|labels| {
            let own = (!is_edited).then_some(&own);
            explain(labels, own, &job.defaults, self.rules())
        });
        let transformers = job.transformers.iter();
        let mut labels = found_by(&discovered, &own);
        if let (Some(transformed), Some(explanation)) = (&transformed, &explanation) {
            if is_edited {
                edited(&mut labels, &discovered, transformed);
            }
            relabelled(&mut labels, explanation, transformed, &job.defaults);
        }
        ExplainedTarget {
            mechanism: self.key.section.mechanism.to_string(),
            source: self.key.source.to_string(),
            own_labels: own.iter().map(|(name, _)| name.to_owned()).collect(),
            discovered_labels: discovered,
            transformed_labels: transformed.filter(|_| is_edited),
            transformers: transformers.map(|it| it.plugin.clone()).collect(),
            steps: relabel_steps(self.rules(), explanation.as_ref()),
            end: self.end(explanation.as_ref(), at),
            start: explanation.map(|explanation| explanation.start),
            labels,
        }
    }

    fn end(&self, explanation: Option<&Explanation>, at: Option<usize>) -> End {
        let (Some(explanation), Some(at)) = (explanation, at) else {
            return End::DroppedByTransformers;
        };
        match &explanation.outcome {
            Outcome::Dropped => End::DroppedByRule {
                rule: explanation.steps.len().saturating_sub(1),
            },
            Outcome::Invalid(reason) => End::Invalid {
                reason: reason.clone(),
            },
            Outcome::Active(target) => {
                let final_labels = self.result.form().shown(&target.labels).collect();
                // Which targets are copies under other rules is not known.
                if self.trial.is_none() && self.result.is_copy(at) {
                    End::Copy { final_labels }
                } else {
                    let scrape_url = target.scrape_url(&self.snapshot.job.defaults);
                    End::Active {
                        final_labels,
                        scrape_url,
                    }
                }
            }
        }
    }
}

/// As upstream: of a target that is dropped nothing is shown, and every further rule drops it again.
fn relabel_steps(rules: &[Rule], explanation: Option<&Explanation>) -> Vec<RelabelStep> {
    let Some(explanation) = explanation else {
        return Vec::new();
    };
    let steps = rules.iter().enumerate().map(|(index, rule)| {
        let kept = explanation.steps.get(index).filter(|step| step.keep);
        RelabelStep {
            rule: rule.raw().clone(),
            output: kept.map(|step| step.output.clone()).unwrap_or_default(),
            keep: kept.is_some(),
        }
    });
    steps.collect()
}

fn found_by(discovered: &LabelSet, own: &LabelSet) -> BTreeMap<String, Vec<Change>> {
    let labels = discovered.iter().map(|(name, value)| {
        let by = match own.get(name) {
            Some(_) => By::Target,
            None => By::Group,
        };
        (name.to_owned(), vec![Change::new(by, value)])
    });
    labels.collect()
}

fn edited(labels: &mut BTreeMap<String, Vec<Change>>, before: &LabelSet, after: &LabelSet) {
    let names: BTreeSet<&str> = before.iter().chain(after).map(|(name, _)| name).collect();
    for name in names {
        let value = after.get(name).unwrap_or_default();
        if before.get(name).unwrap_or_default() != value {
            let history = labels.entry(name.to_owned()).or_default();
            history.push(Change::new(By::Transformers, value));
        }
    }
}

/// Adds what settings and rules did.
fn relabelled(
    labels: &mut BTreeMap<String, Vec<Change>>,
    explanation: &Explanation,
    discovered: &LabelSet,
    defaults: &ScrapeDefaults,
) {
    let steps = explanation.steps.iter().map(|step| &step.output);
    let last = match &explanation.outcome {
        Outcome::Active(target) => Some(&target.labels),
        _ => None,
    };
    let all = [&explanation.start].into_iter().chain(steps).chain(last);
    let names: BTreeSet<&str> = all.flatten().map(|(name, _)| name).collect();
    for name in names {
        for (origin, value) in explanation.history(name, discovered, defaults) {
            let (by, rule) = match origin {
                Origin::Discovered => continue,
                Origin::Setting => (By::JobSetting, None),
                Origin::Rule(rule) => (By::Rule, Some(rule)),
                Origin::Instance => (By::AddressAsInstance, None),
            };
            let change = Change {
                rule,
                ..Change::new(by, value)
            };
            labels.entry(name.to_owned()).or_default().push(change);
        }
    }
}

// === impl Change ===

impl Change {
    fn new(by: By, value: &str) -> Self {
        Self {
            by,
            value: value.to_owned(),
            rule: None,
        }
    }
}
