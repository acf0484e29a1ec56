//! What the comparison may forgive: the predicates of `differences.yaml`.
//!
//! A predicate is a role, a pattern for labels and a condition. It never excuses a difference as such: the
//! condition shows from the API server's objects that Periplus tells what is, and that Prometheus tells what
//! was, or that both tell one of several things that are.

mod condition;
mod ports;
mod present;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;

pub use self::condition::Condition;
use self::condition::Scene;
use crate::compare::Difference;
use crate::facts::role_of;
use crate::history::History;
use crate::marker::Marker;
use crate::prometheus::Labels;
use crate::sides::{job_name, sections};

/// The label of a predicate that speaks of whole targets, which one side alone shows.
const WHOLE_TARGET: &str = "target";

/// All predicates, in the order in which they are tried.
#[derive(Clone, Debug)]
pub struct Forgiveness {
    predicates: Vec<Predicate>,
    any_of_colliding: bool,
}

/// One accepted difference.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    /// As `docs/kubernetes.md` explains it; several predicates may share one.
    name: String,
    /// The roles in which it may occur.
    roles: Vec<String>,
    /// A pattern with `*`, or `target`.
    label: String,
    condition: Condition,
}

/// How many differences each name has excused.
pub type Fired = BTreeMap<String, u64>;

// === impl Forgiveness ===

impl Forgiveness {
    /// Reads the predicates of a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read `{}`", path.display()))?;
        Self::parse(&text).with_context(|| format!("in `{}`", path.display()))
    }

    /// Reads predicates.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let predicates: Vec<Predicate> = serde_saphyr::from_str(text)?;
        for predicate in &predicates {
            let whole = predicate.label == WHOLE_TARGET;
            ensure!(
                whole == predicate.condition.is_of_whole_targets(),
                "`{}`: this condition is {}",
                predicate.name,
                if whole {
                    "one of labels"
                } else {
                    "one of whole targets: `label: target`"
                }
            );
        }
        Ok(Self {
            predicates,
            any_of_colliding: false,
        })
    }

    /// The same where both sides are Prometheus: neither prefers one of several names that become one label.
    #[must_use]
    pub fn between_equals(self) -> Self {
        Self {
            any_of_colliding: true,
            ..self
        }
    }

    /// All names, each with nothing excused yet.
    pub fn names(&self) -> Fired {
        let names = self.predicates.iter().map(|p| (p.name.clone(), 0));
        names.collect()
    }

    /// The names of the predicates that together cover a difference; `None` if some of it is not covered.
    pub fn reasons(
        &self,
        difference: &Difference,
        jobs: &[Value],
        history: &History,
    ) -> Option<Vec<String>> {
        let (direct, ours) = difference.labels();
        let role = role_of(ours.or(direct)?)?;
        let job = jobs.iter().find(|job| job_name(job) == difference.job())?;
        let sections = sections(job)
            .into_iter()
            .filter(|section| section["role"] == role);
        // Which section a target comes from, nobody says; one of them must explain all of it.
        sections.into_iter().find_map(|section| {
            let scene = Scene {
                history,
                section: &section,
                role,
                direct,
                ours,
                any_of_colliding: self.any_of_colliding,
            };
            self.covering(&scene, difference)
        })
    }

    /// What Periplus shows of related objects that is not so, for a target of a job; empty if all is as it is.
    /// Of several sections that may have made the target one must be right.
    pub fn overlooked(
        &self,
        job: &str,
        labels: &Labels,
        jobs: &[Value],
        history: &History,
    ) -> Vec<String> {
        let (Some(role), Some(job)) = (
            role_of(labels),
            jobs.iter().find(|other| job_name(other) == job),
        ) else {
            return Vec::new();
        };
        let sections = sections(job)
            .into_iter()
            .filter(|section| section["role"] == role);
        let found = sections.map(|section| {
            let scene = Scene {
                history,
                section: &section,
                role,
                direct: None,
                ours: Some(labels),
                any_of_colliding: self.any_of_colliding,
            };
            scene.overlooked()
        });
        found.min_by_key(Vec::len).unwrap_or_default()
    }

    fn covering(&self, scene: &Scene<'_>, difference: &Difference) -> Option<Vec<String>> {
        let of = |label: &str| {
            let predicate = self.predicates.iter().find(|predicate| {
                predicate.roles.iter().any(|role| role == scene.role)
                    && matches(&predicate.label, label)
                    && predicate.condition.holds(scene, label)
            });
            predicate.map(|p| p.name.clone())
        };
        if scene.direct.is_none() || scene.ours.is_none() {
            return of(WHOLE_TARGET).map(|name| vec![name]);
        }
        let differing = difference.differing();
        let mut names: Vec<String> = differing
            .iter()
            .map(|label| of(label))
            .collect::<Option<_>>()?;
        names.sort();
        names.dedup();
        // Labels that are equal before relabeling and differ after it are no matter of discovery.
        (!names.is_empty()).then_some(names)
    }
}

/// Adds what was forgiven to the counts. What the harness's own objects bring about proves nothing.
pub fn count(fired: &mut Fired, difference: &Difference, names: &[String]) {
    let (direct, ours) = difference.labels();
    let is_marker = |labels: Option<&Labels>| labels.is_some_and(Marker::is_marker);
    if is_marker(direct) || is_marker(ours) {
        return;
    }
    for name in names {
        *fired.entry(name.clone()).or_default() += 1;
    }
}

/// Whether a pattern, in which `*` stands for anything, matches a whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(start) else {
        return false;
    };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
}

#[cfg(test)]
mod tests;
