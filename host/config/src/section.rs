//! One piece of discovery in a job.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use periplus_core::{ContentHash, TargetGroup};

use crate::kubernetes::KubernetesSection;
use crate::plugin::PluginSection;

/// One element of a `<mechanism>_sd_configs` list, or all of a job's `static_configs`.
#[derive(Clone, Debug)]
pub struct Section {
    /// The mechanism: `static`, `file`, `kubernetes`, or one that a plugin serves.
    pub mechanism: String,
    /// Where it stands, such as `scrape_configs[0].kubernetes_sd_configs[1]`.
    pub key_path: String,
    /// The line on which it begins.
    pub line: usize,
    /// Hash of the mechanism and the resolved content: equal sections share one provider. It does
    /// not depend on the order of keys, on formatting or on the place.
    pub identity: ContentHash,
    /// What the mechanism needs to run.
    pub kind: SectionKind,
}

/// The content of a section by mechanism.
#[derive(Clone, Debug)]
pub enum SectionKind {
    /// All `static_configs` of a job, with sources `0`, `1`, ...
    Static(Vec<Arc<TargetGroup>>),
    /// `file_sd_configs`.
    File(FileSection),
    /// `kubernetes_sd_configs`.
    Kubernetes(KubernetesSection),
    /// A mechanism that a plugin serves.
    Plugin(PluginSection),
    /// A mechanism that nobody serves, allowed by [`LoadOptions::allow_missing`].
    ///
    /// [`LoadOptions::allow_missing`]: crate::LoadOptions::allow_missing
    Missing,
}

/// Where `file_sd` finds its target groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSection {
    /// Files, or patterns with `*` in the last part, joined with the configuration's directory.
    pub patterns: Vec<PathBuf>,
    /// How often files are read again without an event; 5 minutes unless written.
    pub refresh_interval: Duration,
}
