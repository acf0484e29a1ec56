//! Targets as `http_sd` objects, and the hashes of what they show.

use bytes::Bytes;
use periplus_config::Job;
use periplus_core::hash::ContentHasher;
use periplus_core::target::{Outcome, ScrapeDefaults};
use periplus_core::{ContentHash, LabelSet};

use crate::group::{GroupResult, Stage};

const ADDRESS: &str = "__address__";

/// What the final stage leaves out: scrape settings that neither our file nor a rule sets, so that
/// the scraper's own stand.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FinalForm {
    /// Labels with the value at which they are left out.
    implied: Vec<(&'static str, String)>,
}

// === impl FinalForm ===

impl FinalForm {
    /// The form for a job's final targets.
    pub fn of(job: &Job) -> Self {
        let ScrapeDefaults {
            scrape_interval,
            scrape_timeout,
            convert_classic_histograms_to_nhcb,
            always_scrape_classic_histograms,
            scrape_native_histograms,
            ..
        } = &job.defaults;
        let explicit = &job.explicit;
        let settings = [
            (
                explicit.scrape_interval,
                "__scrape_interval__",
                scrape_interval.to_string(),
            ),
            (
                explicit.scrape_timeout,
                "__scrape_timeout__",
                scrape_timeout.to_string(),
            ),
            (
                explicit.convert_classic_histograms_to_nhcb,
                "__convert_classic_histograms_to_nhcb__",
                convert_classic_histograms_to_nhcb.to_string(),
            ),
            (
                explicit.always_scrape_classic_histograms,
                "__always_scrape_classic_histograms__",
                always_scrape_classic_histograms.to_string(),
            ),
            (
                explicit.scrape_native_histograms,
                "__scrape_native_histograms__",
                scrape_native_histograms.to_string(),
            ),
        ];
        let implied = settings.into_iter().filter(|(explicit, ..)| !explicit);
        Self {
            implied: implied.map(|(_, name, value)| (name, value)).collect(),
        }
    }

    /// The labels of a final target that are shown.
    pub fn shown<'a>(&'a self, labels: &'a LabelSet) -> impl Iterator<Item = (&'a str, &'a str)> {
        labels
            .iter()
            .filter(|(name, value)| !self.is_implied(name, value))
    }

    pub(crate) fn content_hash(&self) -> ContentHash {
        let mut hasher = ContentHasher::default();
        for (name, _) in &self.implied {
            hasher.field(name.as_bytes());
        }
        hasher.finish()
    }

    /// The identity of a final target within its job. What is left out is the job's own default,
    /// and the URL is a function of the labels: two targets share both exactly if they share this.
    pub(crate) fn identity(&self, labels: &LabelSet) -> ContentHash {
        let mut hasher = ContentHasher::default();
        for (name, value) in self.shown(labels) {
            hasher.field(name.as_bytes()).field(value.as_bytes());
        }
        hasher.finish()
    }

    fn is_implied(&self, name: &str, value: &str) -> bool {
        name.starts_with("__")
            && self
                .implied
                .iter()
                .any(|(implied, default)| *implied == name && default == value)
    }
}

/// The targets of one stage as JSON objects joined by commas.
pub(crate) fn segment(result: &GroupResult, stage: Stage) -> Bytes {
    let mut json = Vec::new();
    match stage {
        Stage::Discovered => {
            let mut rows: Vec<LabelSet> = result.group.discovered().collect();
            rows.sort_unstable();
            for labels in &rows {
                object(&mut json, labels.iter());
            }
        }
        Stage::Transformed => {
            let rows = result.targets.iter();
            let mut rows: Vec<_> = rows.map(|target| result.transformed(target)).collect();
            rows.sort_unstable();
            for labels in &rows {
                object(&mut json, labels.iter());
            }
        }
        Stage::Final => {
            let mut rows: Vec<&LabelSet> = standing(result).map(|(_, labels)| labels).collect();
            rows.sort_unstable();
            for labels in rows {
                object(&mut json, result.form().shown(labels));
            }
        }
    }
    json.into()
}

/// The active targets that are no copies, with their index.
pub(crate) fn standing(result: &GroupResult) -> impl Iterator<Item = (usize, &LabelSet)> {
    result
        .targets
        .iter()
        .enumerate()
        .filter_map(|(index, target)| match &target.outcome {
            Outcome::Active(last) if !result.is_copy(index) => Some((index, &last.labels)),
            _ => None,
        })
}

/// One target. A label without a name would make the reader refuse the whole list: left out.
fn object<'a>(json: &mut Vec<u8>, labels: impl Iterator<Item = (&'a str, &'a str)>) {
    if !json.is_empty() {
        json.push(b',');
    }
    let mut address = "";
    let mut rest = Vec::new();
    for (name, value) in labels {
        if name == ADDRESS {
            address = value;
        } else if !name.is_empty() {
            rest.push(if rest.is_empty() { b'{' } else { b',' });
            string(&mut rest, name);
            rest.push(b':');
            string(&mut rest, value);
        }
    }
    if rest.is_empty() {
        rest.push(b'{');
    }
    json.extend_from_slice(br#"{"targets":["#);
    string(json, address);
    json.extend_from_slice(br#"],"labels":"#);
    json.extend_from_slice(&rest);
    json.extend_from_slice(b"}}");
}

fn string(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("a string is valid JSON, and a Vec takes every byte");
}
