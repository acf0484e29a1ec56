//! `/scrape_configs`: what collectors need of the configuration beside the targets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderValue;
use axum::response::Response;
use periplus_config::ScrapeSection;
use periplus_discovery::Directory;

/// Says how many jobs lack secrets in the answer that bears it.
const LEFT_OUT: &str = "periplus-jobs-without-secrets";

/// The mark of a request that came over TLS from a client whose certificate was verified; the listener
/// that verified it puts it into the request's extensions. Only such requests are told secrets.
#[derive(Clone, Copy, Debug)]
pub struct ClientCertificate;

/// All jobs' sections.
pub(super) struct Configs(BTreeMap<String, ScrapeSection>);

/// Warns of secrets that were left out, once for each set of them.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Arc<Mutex<Vec<String>>>);

/// The sections of all jobs. Also of those that are not known yet: without them a collector would drop
/// their targets, with them it keeps what it has.
pub(super) fn configs(directory: &Directory, with_secrets: bool) -> Configs {
    let jobs = directory.jobs.iter();
    let sections = jobs.map(|(name, job)| {
        // The configuration that the targets were made with, since they belong together.
        let section = job.snapshots.borrow().job.scrape_section(with_secrets);
        (name.clone(), section)
    });
    Configs(sections.collect())
}

// === impl Configs ===

impl Configs {
    /// The JSON that collectors read as YAML.
    pub(super) fn body(&self) -> Vec<u8> {
        let sections = self.0.iter().map(|(name, it)| (name, &it.section));
        let sections: BTreeMap<_, _> = sections.collect();
        serde_json::to_vec(&sections).expect("a configuration is valid JSON")
    }

    /// What was left out, as `job: key`.
    fn left_out(&self) -> Vec<String> {
        let all = self.0.iter();
        all.flat_map(|(name, it)| it.left_out.iter().map(move |key| format!("{name}: {key}")))
            .collect()
    }
}

// === impl LeftOut ===

impl LeftOut {
    /// Says in a header what the body lacks, and in the log if that is new.
    pub(super) fn tell(&self, configs: &Configs, response: &mut Response) {
        let left_out = configs.left_out();
        if left_out.is_empty() {
            return;
        }
        let jobs = configs.0.values().filter(|it| !it.left_out.is_empty());
        let count = HeaderValue::from(jobs.count());
        response.headers_mut().insert(LEFT_OUT, count);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != left_out {
            tracing::warn!(
                keys = left_out.join(", "),
                "Collectors are not told the secrets of jobs, since they ask without a client \
                 certificate; use files (`password_file`) that collectors have"
            );
            *last = left_out;
        }
    }
}
