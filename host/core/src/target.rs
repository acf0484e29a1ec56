//! From discovered labels to a final target, as Prometheus' `scrape/target.go` does it.

mod url;

use crate::duration::PromDuration;
use crate::label::{LabelBuilder, LabelSet};
use crate::quote::quote;
use crate::relabel::Relabeler;

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

/// The discovered labels of a target with the job's settings where it sets none itself.
pub fn populate_discovered(discovered: &LabelSet, defaults: &ScrapeDefaults) -> LabelBuilder {
    let mut labels = LabelBuilder::from_set(discovered);
    let interval = defaults.scrape_interval.to_string();
    let timeout = defaults.scrape_timeout.to_string();
    for (name, value) in [
        (JOB, defaults.job.as_str()),
        (INTERVAL, &interval),
        (TIMEOUT, &timeout),
        (METRICS_PATH, &defaults.metrics_path),
        (SCHEME, &defaults.scheme),
        (
            CONVERT_CLASSIC,
            bool_text(defaults.convert_classic_histograms_to_nhcb),
        ),
        (
            ALWAYS_CLASSIC,
            bool_text(defaults.always_scrape_classic_histograms),
        ),
        (
            NATIVE_HISTOGRAMS,
            bool_text(defaults.scrape_native_histograms),
        ),
    ] {
        if is_unset(&labels, name) {
            labels.set(name, value);
        }
    }
    for (name, values) in &defaults.params {
        let name = format!("{PARAM_PREFIX}{name}");
        if let Some(first) = values.first()
            && is_unset(&labels, &name)
        {
            labels.set(&name, first);
        }
    }
    labels
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
    if !relabeler.process(&mut labels) {
        return Outcome::Dropped;
    }
    match finish(&mut labels) {
        Ok(()) => Outcome::Active(FinalTarget {
            labels: labels.build(),
        }),
        Err(text) => Outcome::Invalid(text),
    }
}

/// The order of the checks is upstream's.
fn finish(labels: &mut LabelBuilder) -> Result<(), String> {
    let value = |name| labels.get(name).unwrap_or_default();
    let address = value(ADDRESS);
    if address.is_empty() {
        return Err("no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{} is not a valid hostname", quote(address)));
    }
    let interval = duration(value(INTERVAL), "scrape interval")?;
    let timeout = duration(value(TIMEOUT), "scrape timeout")?;
    if timeout > interval {
        return Err(format!(
            "scrape timeout cannot be greater than scrape interval ({} > {})",
            quote(value(TIMEOUT)),
            quote(value(INTERVAL)),
        ));
    }
    for (name, what) in [
        (CONVERT_CLASSIC, "convert classic histograms to nhcb"),
        (ALWAYS_CLASSIC, "always scrape classic histograms"),
        (NATIVE_HISTOGRAMS, "scrape native histograms"),
    ] {
        let flag = value(name);
        if !flag.is_empty() && !is_bool(flag) {
            return Err(format!(
                "error parsing {what}: strconv.ParseBool: parsing {}: invalid syntax",
                quote(flag)
            ));
        }
    }
    let address = address.to_owned();
    labels.retain(|name| !name.starts_with(META_PREFIX));
    if is_unset(labels, INSTANCE) {
        labels.set(INSTANCE, &address);
    }
    Ok(())
}

fn duration(text: &str, what: &str) -> Result<PromDuration, String> {
    match text.parse::<PromDuration>() {
        Err(error) => Err(format!("error parsing {what}: {error}")),
        Ok(duration) if duration.is_zero() => Err(format!("{what} cannot be 0")),
        Ok(duration) => Ok(duration),
    }
}

fn is_unset(labels: &LabelBuilder, name: &str) -> bool {
    labels.get(name).is_none_or(str::is_empty)
}

fn bool_text(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// What Go's `strconv.ParseBool` reads.
fn is_bool(text: &str) -> bool {
    matches!(
        text,
        "1" | "t" | "T" | "true" | "TRUE" | "True" | "0" | "f" | "F" | "false" | "FALSE" | "False"
    )
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
