//! Targets as `http_sd` objects, and the hashes of what they show.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use periplus_config::Job;
use periplus_core::hash::ContentHasher;
use periplus_core::name::{NameScheme, is_valid_label_name};
use periplus_core::target::{Outcome, ScrapeDefaults};
use periplus_core::{ContentHash, LabelSet};

use crate::group::{GroupResult, Stage};
use crate::targets::Copies;
use crate::view::{Names, View};

pub(crate) const ADDRESS: &str = "__address__";

/// What the final stage leaves out: scrape settings that neither our file nor a rule sets, so that
/// the scraper's own stand.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FinalForm {
    /// Labels with the value at which they are left out.
    implied: Vec<(&'static str, String)>,
}

/// How long the rendered segments of a group are, as far as that is known: one more than the
/// length, or 0. Enough to announce the length of a list whose bytes nobody keeps.
#[derive(Debug, Default)]
pub(crate) struct Lengths([AtomicU32; 3]);

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

    pub(crate) fn is_implied(&self, name: &str, value: &str) -> bool {
        name.starts_with("__")
            && self
                .implied
                .iter()
                .any(|(implied, default)| *implied == name && default == value)
    }
}

// === impl Lengths ===

impl Lengths {
    pub(crate) fn known(&self, stage: Stage) -> Option<usize> {
        let known = self.0[stage as usize].load(Ordering::Relaxed);
        known.checked_sub(1).map(|length| length as usize)
    }

    pub(crate) fn learn(&self, stage: Stage, length: usize) {
        // A segment of 4 GB is measured each time.
        if let Ok(length) = u32::try_from(length + 1) {
            self.0[stage as usize].store(length, Ordering::Relaxed);
        }
    }

    /// The same but for one stage.
    pub(crate) fn without(&self, stage: Stage) -> Self {
        let copy = |of: Stage| self.0[of as usize].load(Ordering::Relaxed);
        let mut lengths = Stage::ALL.map(copy);
        lengths[stage as usize] = 0;
        Self(lengths.map(AtomicU32::new))
    }
}

/// Appends the targets of one stage to `json`, as JSON objects joined by commas.
pub(crate) fn segment(result: &GroupResult, stage: Stage, json: &mut Vec<u8>) {
    match stage {
        Stage::Final => {
            let mut rows: Vec<&LabelSet> = standing(result).map(|(_, labels)| labels).collect();
            rows.sort_unstable();
            objects(rows, json, |labels| result.form().shown(labels));
        }
        Stage::Transformed if let Some(edited) = result.edited() => {
            let mut rows: Vec<&LabelSet> = edited.iter().collect();
            rows.sort_unstable();
            objects(rows, json, LabelSet::iter);
        }
        Stage::Discovered | Stage::Transformed => {
            let group = result.discovered().group();
            let mut rows: Vec<LabelSet> = group.discovered().collect();
            rows.sort_unstable();
            objects(&rows, json, LabelSet::iter);
        }
    }
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

fn objects<'a, L: Iterator<Item = (&'a str, &'a str)>>(
    rows: impl IntoIterator<Item = &'a LabelSet>,
    json: &mut Vec<u8>,
    shown: impl Fn(&'a LabelSet) -> L,
) {
    for (index, labels) in rows.into_iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        let address = labels.get(ADDRESS).unwrap_or_default();
        object(json, address, shown(labels));
    }
}

/// One target. A label without a name would make the reader refuse the whole list: left out.
pub(crate) fn object<'a>(
    json: &mut Vec<u8>,
    address: &str,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) {
    json.extend_from_slice(br#"{"targets":["#);
    string(json, address);
    json.extend_from_slice(br#"],"labels":{"#);
    let start = json.len();
    for (name, value) in labels {
        if name != ADDRESS && !name.is_empty() {
            if json.len() > start {
                json.push(b',');
            }
            string(json, name);
            json.push(b':');
            string(json, value);
        }
    }
    json.extend_from_slice(b"}}");
}

/// Appends what a view shows of a group, like [`segment`]; returns how many labels were left out
/// because of their names.
pub(crate) fn view_segment(result: &GroupResult, view: &View, json: &mut Vec<u8>) -> usize {
    let copies = match view.shard {
        Some(_) => Copies::Hidden,
        None => Copies::Shown,
    };
    let mut rows = Vec::new();
    result.visit(view.stage, copies, |target| {
        if view.shows(target) {
            rows.push(target.label_set().clone());
        }
    });
    rows.sort_unstable();
    let all = FinalForm::default();
    let form = match view.stage {
        Stage::Final => result.form(),
        _ => &all,
    };
    let left_out = Cell::new(0);
    let is_fit = |name: &str| {
        let is_fit = view.names == Names::Utf8 || is_valid_label_name(name, NameScheme::Legacy);
        left_out.set(left_out.get() + usize::from(!is_fit && !name.is_empty()));
        is_fit
    };
    objects(&rows, json, |labels| {
        form.shown(labels).filter(|(name, _)| is_fit(name))
    });
    left_out.get()
}

/// Nearly every text is plain and short, and then this costs its copy.
fn string(json: &mut Vec<u8>, text: &str) {
    let is_special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    let found = text
        .bytes()
        .fold(false, |found, byte| found | is_special(byte));
    if found {
        return serde_json::to_writer(json, text)
            .expect("a string is valid JSON, and a Vec takes every byte");
    }
    json.reserve(text.len() + 2);
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}
