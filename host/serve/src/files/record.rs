//! The record of the files that are ours, kept beside them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::write;

/// Hidden, so that no pattern for lists takes it.
const FILE: &str = ".periplus-files";

/// Which job each of our files belongs to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    files: BTreeMap<String, String>,
}

// === impl Record ===

impl Record {
    /// The record of an earlier run; one that cannot be read is an empty one: better a file that
    /// nobody removes than one removed that is not ours.
    pub(super) fn read(directory: &Path) -> Self {
        let path = directory.join(FILE);
        let mut record: Self = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "Failed to read which files are ours, old ones stay");
                Self::default()
            }),
            Err(_) => Self::default(),
        };
        // Whatever stands there, nothing outside of the folder is ours.
        record
            .files
            .retain(|name, _| !name.contains('/') && !name.starts_with('.'));
        // What a process left half written that was killed.
        for name in record.files.keys().map(String::as_str).chain([FILE]) {
            let _ = std::fs::remove_file(write::beside(directory, name));
        }
        record
    }

    /// All files with their jobs.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let files = self.files.iter();
        files
            .map(|(name, job)| (name.clone(), job.clone()))
            .collect()
    }

    /// Notes a file that is about to be written.
    pub(super) fn add(&mut self, directory: &Path, name: &str, job: &str) -> io::Result<()> {
        if self.files.get(name).is_some_and(|known| known == job) {
            return Ok(());
        }
        self.files.insert(name.to_owned(), job.to_owned());
        let saved = self.save(directory);
        if saved.is_err() {
            self.files.remove(name);
        }
        saved
    }

    /// Removes a file, and then its entry.
    pub(super) fn remove(&mut self, directory: &Path, name: &str) -> io::Result<()> {
        match std::fs::remove_file(directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.files.remove(name);
        self.save(directory)
    }

    fn save(&self, directory: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        write::replace(directory, FILE, |out| out.write_all(&json))
    }
}
