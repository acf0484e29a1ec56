//! Whether the sides show the same, and if not, exactly what differs.

mod shown;

use std::fmt::Write;

use self::shown::{Shown, Twin, match_folded, match_places, match_twins, remove_common, shown};
use crate::prometheus::{Labels, Targets};
use crate::sides::Side;

pub use self::shown::title;
pub(crate) use self::shown::{distance, pair};

/// Enough to see what is wrong; the rest is counted.
const SHOWN: usize = 20;

/// What two sides disagree on; empty if nothing.
#[derive(Debug)]
pub struct Differences {
    side: Side,
    found: Vec<Difference>,
    forgiven: Vec<(Difference, Vec<String>)>,
}

/// A target that is not the same on both sides, or is on one alone.
#[derive(Clone, Debug)]
pub struct Difference {
    direct: Option<Shown>,
    other: Option<Shown>,
}

// === impl Differences ===

impl Differences {
    /// Compares what a side shows with what the direct side shows.
    /// `twin` tells what Periplus discovers for a target of the direct side: of several targets that end up
    /// equal, Prometheus shows one at random, so that another one's labels may stand in their place.
    pub fn between(direct: &Targets, other: &Targets, side: Side, twin: &Twin<'_>) -> Self {
        let with_discovered = side != Side::Final;
        let mut left = shown(direct, with_discovered);
        let mut right = shown(other, with_discovered);
        remove_common(&mut left, &mut right);
        let mut pairs = Vec::new();
        if with_discovered {
            pairs = match_twins(&mut left, &mut right, twin);
        }
        // A target that differs is one difference, not one missing and one too many.
        pairs.extend(match_places(&mut left, &mut right));
        if with_discovered {
            pairs.extend(match_folded(&mut left, twin));
        }
        let mut found: Vec<Difference> = pairs
            .into_iter()
            .map(|(direct, other)| Difference {
                direct: Some(direct),
                other: Some(other),
            })
            .collect();
        found.extend(left.into_iter().map(|target| Difference {
            direct: Some(target),
            other: None,
        }));
        found.extend(right.into_iter().map(|target| Difference {
            direct: None,
            other: Some(target),
        }));
        Self {
            side,
            found,
            forgiven: Vec::new(),
        }
    }

    /// Whether the sides agree, but for what is forgiven.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Sets aside every difference for which `reasons` gives names.
    pub fn forgive(&mut self, reasons: &dyn Fn(&Difference) -> Option<Vec<String>>) {
        for difference in std::mem::take(&mut self.found) {
            match reasons(&difference) {
                Some(names) => self.forgiven.push((difference, names)),
                None => self.found.push(difference),
            }
        }
    }

    /// What has been set aside, and why.
    pub fn forgiven(&self) -> impl Iterator<Item = (&Difference, &[String])> {
        self.forgiven.iter().map(|(d, names)| (d, names.as_slice()))
    }

    /// How many targets of a job are forgiven that the other side alone has, and that the direct side alone has.
    pub fn forgiven_alone(&self, job: &str) -> (usize, usize) {
        let of_job = || self.forgiven.iter().filter(|(d, _)| d.job() == job);
        (
            of_job().filter(|(d, _)| d.direct.is_none()).count(),
            of_job().filter(|(d, _)| d.other.is_none()).count(),
        )
    }

    /// The targets of the direct side, with those of the other in place of what is forgiven.
    pub fn corrected(&self, direct: &Targets, other: &Targets) -> Targets {
        let mut corrected = direct.clone();
        let gone = |dropped: bool, index: usize| {
            let mut shown = self.forgiven.iter().filter_map(|(d, _)| d.direct.as_ref());
            shown.any(|s| s.dropped == dropped && s.index == index)
        };
        let mut index = 0..;
        corrected
            .active_targets
            .retain(|_| !gone(false, index.next().unwrap_or_default()));
        let mut index = 0..;
        corrected
            .dropped_targets
            .retain(|_| !gone(true, index.next().unwrap_or_default()));
        for target in self.forgiven.iter().filter_map(|(d, _)| d.other.as_ref()) {
            if target.dropped {
                let taken = other.dropped_targets.get(target.index).cloned();
                corrected.dropped_targets.extend(taken);
            } else {
                let taken = other.active_targets.get(target.index).cloned();
                corrected.active_targets.extend(taken);
            }
        }
        corrected
    }
}

impl std::fmt::Display for Differences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for difference in self.found.iter().take(SHOWN) {
            writeln!(f, "    {}", difference.text(self.side))?;
        }
        if self.found.len() > SHOWN {
            writeln!(f, "    and {} targets more", self.found.len() - SHOWN)?;
        }
        Ok(())
    }
}

// === impl Difference ===

impl Difference {
    /// The job of the target.
    pub fn job(&self) -> &str {
        self.any().map_or("", |target| &target.job)
    }

    /// Its discovered labels on the direct side and on the other, where it is there.
    pub fn labels(&self) -> (Option<&Labels>, Option<&Labels>) {
        (
            self.direct.as_ref().map(|t| &t.discovered),
            self.other.as_ref().map(|t| &t.discovered),
        )
    }

    /// The names of the discovered labels that differ.
    pub fn differing(&self) -> Vec<&str> {
        let (Some(direct), Some(other)) = self.labels() else {
            return Vec::new();
        };
        let mut names: Vec<&str> = direct
            .keys()
            .chain(other.keys())
            .filter(|name| direct.get(*name) != other.get(*name))
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn any(&self) -> Option<&Shown> {
        self.direct.as_ref().or(self.other.as_ref())
    }

    fn text(&self, side: Side) -> String {
        match (&self.direct, &self.other) {
            (Some(direct), Some(other)) => differing(direct, other, side),
            (Some(target), None) => alone(target, Side::Direct, side),
            (None, Some(target)) => alone(target, side, Side::Direct),
            (None, None) => String::new(),
        }
    }
}

fn differing(direct: &Shown, other: &Shown, side: Side) -> String {
    let mut text = format!("job `{}`, target {}:", direct.job, direct.title);
    if direct.dropped != other.dropped {
        let word = |dropped| if dropped { "dropped" } else { "active" };
        let _ = write!(
            text,
            "\n      {} on direct, {} on {}",
            word(direct.dropped),
            word(other.dropped),
            side.name()
        );
    }
    let mut keys: Vec<&String> = direct.facts.keys().chain(other.facts.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let (a, b) = (direct.facts.get(key), other.facts.get(key));
        // A dropped target has no final labels to compare.
        let comparable = direct.dropped == other.dropped || key.starts_with("discovered");
        if a != b && comparable {
            let value = |v: Option<&String>| v.map_or("absent".to_owned(), |v| format!("{v:?}"));
            let _ = write!(
                text,
                "\n      {key}: {} on direct, {} on {}",
                value(a),
                value(b),
                side.name()
            );
        }
    }
    text
}

fn alone(target: &Shown, has: Side, lacks: Side) -> String {
    let mut text = format!(
        "job `{}`, target {} ({}): on {}, not on {}",
        target.job,
        target.title,
        if target.dropped { "dropped" } else { "active" },
        has.name(),
        lacks.name()
    );
    for (key, value) in &target.facts {
        let _ = write!(text, "\n      {key}: {value:?}");
    }
    text
}

#[cfg(test)]
mod tests;
