//! Which files a pattern means.

use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// A path whose last part may have `*`, `?` and `[...]`.
#[derive(Debug)]
pub(super) enum Pattern {
    /// One file.
    Literal(PathBuf),
    /// Files of one directory.
    Glob {
        /// The directory as written.
        directory: PathBuf,
        /// What the names must match.
        names: Box<GlobMatcher>,
    },
}

// === impl Pattern ===

impl Pattern {
    pub(super) fn new(path: &Path) -> Self {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| name.contains(['*', '?', '['])) else {
            return Self::Literal(path.to_owned());
        };
        // Braces mean nothing to Prometheus.
        let escaped = name.replace('{', "[{]").replace('}', "[}]");
        let glob = GlobBuilder::new(&escaped)
            .literal_separator(true)
            .backslash_escape(true)
            .build();
        match glob {
            Ok(glob) => {
                let directory = path.parent().unwrap_or(Path::new("")).to_owned();
                Self::Glob {
                    directory,
                    names: Box::new(glob.compile_matcher()),
                }
            }
            // Such as an unclosed bracket: at most a file of that very name.
            Err(_) => Self::Literal(path.to_owned()),
        }
    }

    /// The files that it means now, sorted.
    pub(super) fn files(&self) -> io::Result<Vec<PathBuf>> {
        match self {
            // As a link, so that a dangling one is an error and no absence.
            Self::Literal(path) => match path.symlink_metadata() {
                Ok(_) => Ok(vec![path.clone()]),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(error),
            },
            Self::Glob { directory, names } => {
                let entries = match std::fs::read_dir(or_here(directory)) {
                    Ok(entries) => entries,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                    Err(error) => return Err(error),
                };
                let mut files = Vec::new();
                for entry in entries {
                    let name = entry?.file_name();
                    if names.is_match(&name) {
                        files.push(directory.join(name));
                    }
                }
                files.sort_unstable();
                Ok(files)
            }
        }
    }

    /// The directory in which files appear and vanish.
    pub(super) fn directory(&self) -> &Path {
        match self {
            Self::Literal(path) => path.parent().unwrap_or(Path::new("")),
            Self::Glob { directory, .. } => directory,
        }
    }
}

/// An empty path is the working directory.
pub(super) fn or_here(directory: &Path) -> &Path {
    if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    }
}
