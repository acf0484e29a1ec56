//! From discovered labels to a final target, as Prometheus' `scrape/target.go` does it.

mod explain;
mod url;

use std::sync::LazyLock;

use crate::duration::PromDuration;
use crate::label::{LabelBuilder, LabelRef, LabelSet};
use crate::quote::quote;
use crate::relabel::Relabeler;

pub use explain::{Explanation, Origin, Step, explain};

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const METRICS_PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const JOB: &str = "job";
const INSTANCE: &str = "instance";
const META_PREFIX: &str = "__meta_";
const PARAM_PREFIX: &str = "__param_";
const INTERNAL_PREFIX: &str = "__";
const CONVERT_CLASSIC: &str = "__convert_classic_histograms_to_nhcb__";
const ALWAYS_CLASSIC: &str = "__always_scrape_classic_histograms__";
const NATIVE_HISTOGRAMS: &str = "__scrape_native_histograms__";
const UNIX_SOCKET: &str = "__unix_socket__";

/// The scrape settings of a job that become labels of its targets.
#[derive(Clone, Debug, PartialEq)]
pub struct ScrapeDefaults {
    /// The job's name.
    pub job: String,
    /// The time between two scrapes.
    pub scrape_interval: PromDuration,
    /// The time that a scrape may take.
    pub scrape_timeout: PromDuration,
    /// The path of the metrics.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The URL's parameters, sorted by name.
    pub params: Vec<(String, Vec<String>)>,
    /// Whether classic histograms become native ones with custom buckets.
    pub convert_classic_histograms_to_nhcb: bool,
    /// Whether classic histograms are read where native ones are there too.
    pub always_scrape_classic_histograms: bool,
    /// Whether native histograms are read.
    pub scrape_native_histograms: bool,
}

/// What became of a target after relabeling.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is to be scraped.
    Active(FinalTarget),
    /// A rule dropped it.
    Dropped,
    /// It cannot be scraped; the text is upstream's.
    Invalid(String),
}

/// A target as the scraper takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FinalTarget {
    /// Every label that is left, but those that begin with `__meta_`; `instance` is set.
    pub labels: LabelSet,
}

/// A job's settings as labels, and its rules: makes final targets of discovered ones, one after the
/// other in the same memory.
#[derive(Debug)]
pub struct Populator {
    settings: Vec<(LabelRef, String)>,
    relabeler: Relabeler,
    labels: LabelBuilder,
}

/// The labels that every target is asked for.
struct Names {
    address: LabelRef,
    interval: LabelRef,
    timeout: LabelRef,
    flags: [(LabelRef, &'static str); 3],
    instance: LabelRef,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    address: LabelRef::new(ADDRESS),
    interval: LabelRef::new(INTERVAL),
    timeout: LabelRef::new(TIMEOUT),
    flags: [
        (CONVERT_CLASSIC, "convert classic histograms to nhcb"),
        (ALWAYS_CLASSIC, "always scrape classic histograms"),
        (NATIVE_HISTOGRAMS, "scrape native histograms"),
    ]
    .map(|(name, what)| (LabelRef::new(name), what)),
    instance: LabelRef::new(INSTANCE),
});

/// The discovered labels of a target with the job's settings where it sets none itself.
pub fn populate_discovered(discovered: &LabelSet, defaults: &ScrapeDefaults) -> LabelBuilder {
    let mut labels = LabelBuilder::from_set(discovered);
    add_settings(&mut labels, &settings(defaults));
    labels
}

/// The labels that a job's settings become, in the order in which they are set.
fn settings(defaults: &ScrapeDefaults) -> Vec<(LabelRef, String)> {
    let fixed = [
        (JOB, defaults.job.clone()),
        (INTERVAL, defaults.scrape_interval.to_string()),
        (TIMEOUT, defaults.scrape_timeout.to_string()),
        (METRICS_PATH, defaults.metrics_path.clone()),
        (SCHEME, defaults.scheme.clone()),
        (
            CONVERT_CLASSIC,
            defaults.convert_classic_histograms_to_nhcb.to_string(),
        ),
        (
            ALWAYS_CLASSIC,
            defaults.always_scrape_classic_histograms.to_string(),
        ),
        (
            NATIVE_HISTOGRAMS,
            defaults.scrape_native_histograms.to_string(),
        ),
    ];
    let fixed = fixed.map(|(name, value)| (LabelRef::new(name), value));
    let params = defaults.params.iter().filter_map(|(name, values)| {
        let name = LabelRef::new(&format!("{PARAM_PREFIX}{name}"));
        Some((name, values.first()?.clone()))
    });
    fixed.into_iter().chain(params).collect()
}

fn add_settings(labels: &mut LabelBuilder, settings: &[(LabelRef, String)]) {
    for (name, value) in settings {
        if labels.get_ref(name).is_none_or(str::is_empty) {
            labels.set_to(name, value);
        }
    }
}

/// As [`populate_discovered`], from a target as its group has it. Knows which labels are the
/// target's own, so that rules which give two labels one name pick the same one as upstream.
pub fn populate_group_target(
    group: &LabelSet,
    target: &LabelSet,
    defaults: &ScrapeDefaults,
) -> LabelBuilder {
    let mut labels = populate_discovered(&LabelSet::merge(group, target), defaults);
    labels.set_own(target);
    labels
}

/// Relabels a target and checks that it can be scraped.
pub fn populate(mut labels: LabelBuilder, relabeler: &Relabeler) -> Outcome {
    outcome(&mut labels, relabeler)
}

fn outcome(labels: &mut LabelBuilder, relabeler: &Relabeler) -> Outcome {
    if !relabeler.process(labels) {
        return Outcome::Dropped;
    }
    match finish(labels) {
        Ok(()) => Outcome::Active(FinalTarget {
            labels: labels.build(),
        }),
        Err(text) => Outcome::Invalid(text),
    }
}

/// The order of the checks is upstream's.
fn finish(labels: &mut LabelBuilder) -> Result<(), String> {
    let names = &*NAMES;
    let value = |name| labels.get_ref(name).unwrap_or_default();
    let address = value(&names.address);
    if address.is_empty() {
        return Err("no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{} is not a valid hostname", quote(address)));
    }
    let interval = duration(value(&names.interval), "scrape interval")?;
    let timeout = duration(value(&names.timeout), "scrape timeout")?;
    if timeout > interval {
        return Err(format!(
            "scrape timeout cannot be greater than scrape interval ({} > {})",
            quote(value(&names.timeout)),
            quote(value(&names.interval)),
        ));
    }
    for (name, what) in &names.flags {
        let flag = value(name);
        if !flag.is_empty() && !is_bool(flag) {
            return Err(format!(
                "error parsing {what}: strconv.ParseBool: parsing {}: invalid syntax",
                quote(flag)
            ));
        }
    }
    if value(&names.instance).is_empty() {
        let address = address.to_owned();
        labels.set_to(&names.instance, &address);
    }
    labels.remove_prefix(META_PREFIX);
    Ok(())
}

fn duration(text: &str, what: &str) -> Result<PromDuration, String> {
    match text.parse::<PromDuration>() {
        Err(error) => Err(format!("error parsing {what}: {error}")),
        Ok(duration) if duration.is_zero() => Err(format!("{what} cannot be 0")),
        Ok(duration) => Ok(duration),
    }
}

/// What Go's `strconv.ParseBool` reads.
fn is_bool(text: &str) -> bool {
    matches!(
        text,
        "1" | "t" | "T" | "true" | "TRUE" | "True" | "0" | "f" | "F" | "false" | "FALSE" | "False"
    )
}

// === impl Populator ===

impl Populator {
    /// For the targets of a job with these settings and rules.
    pub fn new(defaults: &ScrapeDefaults, relabeler: Relabeler) -> Self {
        Self {
            settings: settings(defaults),
            relabeler,
            labels: LabelBuilder::default(),
        }
    }

    /// What becomes of a target; as [`populate`] after [`populate_discovered`]. `own` are the labels
    /// that are not its group's, where that is known, so that rules which give two labels one name
    /// pick the same one as upstream.
    pub fn outcome(&mut self, discovered: &LabelSet, own: Option<&LabelSet>) -> Outcome {
        self.labels.reset(discovered);
        add_settings(&mut self.labels, &self.settings);
        if let Some(own) = own {
            self.labels.set_own(own);
        }
        outcome(&mut self.labels, &self.relabeler)
    }
}

// === impl FinalTarget ===

impl FinalTarget {
    /// The labels that series get: those that do not begin with two underscores.
    pub fn public(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels
            .iter()
            .filter(|(name, _)| !name.starts_with(INTERNAL_PREFIX))
    }

    /// The labels that only steer the scraper: those that begin with two underscores.
    pub fn internal(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels
            .iter()
            .filter(|(name, _)| name.starts_with(INTERNAL_PREFIX))
    }

    /// The URL that is scraped, with its query.
    pub fn scrape_url(&self, defaults: &ScrapeDefaults) -> String {
        let value = |name| self.labels.get(name).unwrap_or_default();
        let mut host = value(ADDRESS);
        if host.is_empty() && !value(UNIX_SOCKET).is_empty() {
            host = "localhost";
        }
        let query = url::encode_query(&self.params(defaults));
        url::assemble(value(SCHEME), host, value(METRICS_PATH), &query)
    }

    /// The time between two scrapes.
    pub fn interval(&self) -> Option<PromDuration> {
        self.labels.get(INTERVAL)?.parse().ok()
    }

    /// The time that a scrape may take.
    pub fn timeout(&self) -> Option<PromDuration> {
        self.labels.get(TIMEOUT)?.parse().ok()
    }

    /// The job's parameters; a label replaces the first value, and dropping it removes nothing.
    fn params<'a>(&'a self, defaults: &'a ScrapeDefaults) -> Vec<(&'a str, Vec<&'a str>)> {
        let mut params: Vec<(&str, Vec<&str>)> = defaults
            .params
            .iter()
            .map(|(name, values)| (name.as_str(), values.iter().map(String::as_str).collect()))
            .collect();
        for (name, value) in &self.labels {
            let Some(name) = name.strip_prefix(PARAM_PREFIX) else {
                continue;
            };
            match params.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) if !values.is_empty() => values[0] = value,
                Some((_, values)) => values.push(value),
                None => params.push((name, vec![value])),
            }
        }
        params.sort_unstable_by_key(|(name, _)| *name);
        params
    }
}

#[cfg(test)]
mod tests;
