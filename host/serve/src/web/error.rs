//! Why a web configuration cannot be used.

use std::path::PathBuf;

/// Why a web configuration cannot be used. No text holds a key, a password or a hash.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// The file, or one that it names, cannot be read.
    #[error("failed to read {}`{}`", key.map(|key| format!("{key} ")).unwrap_or_default(), file.display())]
    Read {
        /// The file that cannot be read.
        file: PathBuf,
        /// The key that names it; none for the web configuration itself.
        key: Option<&'static str>,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not YAML, or has other keys or types.
    #[error("web configuration `{}`: {reason}", file.display())]
    Yaml {
        /// The web configuration.
        file: PathBuf,
        /// The parser's reason, with line and column.
        reason: String,
    },
    /// What is written cannot be done.
    #[error("web configuration `{}`: {reason}", file.display())]
    Invalid {
        /// The web configuration.
        file: PathBuf,
        /// The reason, in exporter-toolkit's words where it has the same check.
        reason: String,
    },
}

// === impl WebConfigError ===

impl WebConfigError {
    /// The text with the system's reason.
    pub(super) fn with_cause(&self) -> String {
        match self {
            Self::Read { source, .. } => format!("{self}: {source}"),
            Self::Yaml { .. } | Self::Invalid { .. } => self.to_string(),
        }
    }
}
