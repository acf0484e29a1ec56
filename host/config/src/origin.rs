//! Where things of a configuration stand.

use std::path::PathBuf;

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOrigin {
    /// The configuration, or the file that it includes.
    pub file: PathBuf,
    /// The line on which the job begins, from 1.
    pub line: usize,
    /// The path of its key in that file, such as `scrape_configs[0]`.
    pub key_path: String,
}
