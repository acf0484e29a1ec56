//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// One error or warning with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 if the whole file is meant.
    pub line: usize,
    /// The column in characters, from 1; 0 if the whole file is meant.
    pub column: usize,
    /// The key's path, such as `scrape_configs[0].job_name`; empty at the top.
    pub key_path: String,
    /// What is wrong; Prometheus' own text where it has one.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// All errors of a configuration, ordered by place; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Diagnostic>);

// === impl ConfigErrors ===

impl ConfigErrors {
    /// Errors in the order of the files (the main one first, then as they first appear) and of their
    /// lines.
    #[must_use]
    pub fn in_order(main: &Path, mut errors: Vec<Diagnostic>) -> Self {
        let mut files = vec![main.to_path_buf()];
        for error in &errors {
            if !files.contains(&error.file) {
                files.push(error.file.clone());
            }
        }
        errors.sort_by_key(|error| {
            let file = files.iter().position(|file| *file == error.file);
            (file, error.line, error.column)
        });
        Self(errors)
    }
}

// === impl Diagnostic ===

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key_path.is_empty() {
            write!(f, ": {}", self.key_path)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}
