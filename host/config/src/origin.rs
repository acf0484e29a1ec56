//! Where things of a configuration stand.

use std::path::PathBuf;

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOrigin {
    /// The configuration, or the file that it includes.
    pub file: PathBuf,
    /// The line on which the job begins, from 1.
    pub line: usize,
    /// The path of its key, such as `scrape_configs[0]`, with the file before it if it is included:
    /// what [`Places`](crate::Places) knows it by.
    pub key_path: String,
}
