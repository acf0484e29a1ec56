//! All files of a section, read one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use periplus_core::TargetGroup;

use super::pattern::Pattern;
use super::read::{self, Content};
use crate::metrics::{DiscoveryMetrics, FileLabel};

/// Reads the files of a section and remembers the last good content of each.
#[derive(Debug)]
pub(super) struct Scanner {
    patterns: Vec<Pattern>,
    /// The last good groups of each file that is there; none if it never had any.
    files: BTreeMap<PathBuf, Option<Vec<Arc<TargetGroup>>>>,
    metrics: DiscoveryMetrics,
}

/// One round of reading.
pub(super) struct Scan {
    /// The last good groups of all files that are there.
    pub(super) groups: Vec<Arc<TargetGroup>>,
    /// What could not be read, with the reason.
    pub(super) errors: Vec<String>,
    /// Files that are there and were never read, with the reason.
    pub(super) never_read: Vec<String>,
}

// === impl Scanner ===

impl Scanner {
    pub(super) fn new(patterns: &[PathBuf], metrics: DiscoveryMetrics) -> Self {
        let patterns = patterns.iter().map(|path| Pattern::new(path)).collect();
        Self {
            patterns,
            files: BTreeMap::new(),
            metrics,
        }
    }

    pub(super) fn scan(&mut self) -> Scan {
        let started = Instant::now();
        let mut errors = Vec::new();
        let mut never_read = Vec::new();
        let found = self.find(&mut errors);
        // A pattern that could not be expanded says nothing about its files: all stay.
        if errors.is_empty() {
            self.forget_all_but(&found);
        } else {
            never_read.clone_from(&errors);
        }
        for path in found {
            let source = path.to_string_lossy().into_owned();
            match read::read(&path, &source) {
                Ok(Content { groups, modified }) => {
                    self.stamp(source, modified);
                    self.files.insert(path, Some(groups));
                }
                Err(error) => {
                    tracing::warn!(path = source, %error, "Failed to read target groups");
                    self.metrics.file_read_errors.inc();
                    let error = format!("`{source}`: {error}");
                    if self.files.entry(path).or_default().is_none() {
                        never_read.push(error.clone());
                    }
                    errors.push(error);
                }
            }
        }
        self.metrics
            .file_scan_duration
            .0
            .observe(started.elapsed().as_secs_f64());
        let groups = self.files.values().flatten().flatten().cloned().collect();
        Scan {
            groups,
            errors,
            never_read,
        }
    }

    /// The directories whose changes matter: of the patterns, and those that links lead to.
    pub(super) fn directories(&self) -> BTreeSet<PathBuf> {
        let mut directories: BTreeSet<PathBuf> = self
            .patterns
            .iter()
            .map(|pattern| pattern.directory().to_owned())
            .collect();
        for path in self
            .patterns
            .iter()
            .filter_map(|pattern| pattern.files().ok())
            .flatten()
        {
            let is_link = path
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_symlink());
            if is_link && let Ok(target) = path.canonicalize() {
                directories.extend(target.parent().map(Path::to_owned));
            }
        }
        directories
    }

    fn find(&self, errors: &mut Vec<String>) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        for pattern in &self.patterns {
            match pattern.files() {
                Ok(files) => found.extend(files),
                Err(error) => {
                    let directory = pattern.directory().display();
                    tracing::warn!(%directory, %error, "Failed to look for files");
                    errors.push(format!("`{directory}`: failed to list: {error}"));
                }
            }
        }
        found
    }

    fn forget_all_but(&mut self, found: &BTreeSet<PathBuf>) {
        self.files.retain(|path, _| {
            let stays = found.contains(path);
            if !stays {
                let filename = path.to_string_lossy().into_owned();
                self.metrics.file_mtime.remove(&FileLabel { filename });
            }
            stays
        });
    }

    fn stamp(&self, filename: String, modified: Option<SystemTime>) {
        let since = modified.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let seconds = since.unwrap_or_default().as_secs_f64();
        self.metrics
            .file_mtime
            .get_or_create(&FileLabel { filename })
            .set(seconds);
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        self.forget_all_but(&BTreeSet::new());
    }
}
