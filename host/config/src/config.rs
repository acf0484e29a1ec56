//! The resolved configuration: what the host runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use periplus_core::name::NameScheme;
use periplus_core::relabel::Rule;
use periplus_core::target::ScrapeDefaults;

use crate::allocator::TargetAllocator;
use crate::kubernetes::ClusterEntry;
use crate::plugin::{PluginConfig, TransformerConfig};
use crate::section::Section;

/// A whole configuration, checked and ready to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it was read from.
    pub file: PathBuf,
    /// The jobs in the order of the file; their names are unique.
    pub jobs: Vec<Arc<Job>>,
    /// The plugins to load.
    pub plugins: Vec<PluginConfig>,
    /// The clusters that sections may name, in the order of the file.
    pub clusters: Vec<ClusterEntry>,
    /// How OpenTelemetry collectors share the targets; none if they are not served.
    pub target_allocator: Option<TargetAllocator>,
}

/// One scrape configuration: what feeds it and what happens to its targets.
#[derive(Clone)]
pub struct Job {
    /// `job_name`.
    pub name: String,
    /// What fills labels that a target does not bring, the inheritance from `global` applied.
    pub defaults: ScrapeDefaults,
    /// Which of the defaults the file sets.
    pub explicit: ExplicitScrape,
    /// Discovery, in the order of Prometheus: by key, all static groups as one section at the end.
    pub sections: Vec<Section>,
    /// Transformers in the order they run.
    pub transformers: Vec<TransformerConfig>,
    /// `relabel_configs`.
    pub relabel_rules: Vec<Rule>,
    /// How many targets and labels the scraper takes.
    pub limits: TargetLimits,
    /// Which label names the rules may write.
    pub name_scheme: NameScheme,
    /// The job as written, for fronts that hand it on. It holds secrets.
    pub verbatim: serde_json::Value,
    /// What `global` sets of the settings that jobs inherit, as written; one for all jobs.
    pub inherited: Arc<serde_json::Map<String, serde_json::Value>>,
}

/// What the scraper refuses of a job; 0 is no limit. Nothing is left out for it: it is counted and
/// shown, since the scraper refuses the whole job or every scrape of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetLimits {
    /// `target_limit`: targets of the job.
    pub targets: u64,
    /// `label_limit`: labels of a series, those of its target among them.
    pub labels: u64,
    /// `label_name_length_limit`: bytes of a label's name.
    pub name_length: u64,
    /// `label_value_length_limit`: bytes of a label's value.
    pub value_length: u64,
}

/// Which scrape settings our file sets, globally or in the job. What it does not set is the
/// scraper's own business and stays out of final targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExplicitScrape {
    /// `scrape_interval`.
    pub scrape_interval: bool,
    /// `scrape_timeout`.
    pub scrape_timeout: bool,
    /// `convert_classic_histograms_to_nhcb`.
    pub convert_classic_histograms_to_nhcb: bool,
    /// `always_scrape_classic_histograms`.
    pub always_scrape_classic_histograms: bool,
    /// `scrape_native_histograms`.
    pub scrape_native_histograms: bool,
}

// === impl Job ===

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not `verbatim`, which holds secrets.
        f.debug_struct("Job")
            .field("name", &self.name)
            .field("defaults", &self.defaults)
            .field("explicit", &self.explicit)
            .field("sections", &self.sections)
            .field("transformers", &self.transformers)
            .field("relabel_rules", &self.relabel_rules)
            .field("name_scheme", &self.name_scheme)
            .finish_non_exhaustive()
    }
}
