//! Why a plugin cannot be loaded, and why a call of one gave no answer.

use std::path::PathBuf;
use std::time::Duration;

use crate::schema::Problem;

/// A plugin that cannot be loaded. Every text names the file.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The file cannot be read.
    #[error("failed to read plugin `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than a component may be.
    #[error("plugin `{}` has {size} bytes, more than the limit of {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The file is not what the operator pinned.
    #[error("plugin `{}` has sha256 `{found}`, but `{expected}` is configured", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// As configured.
        expected: String,
        /// As read.
        found: String,
    },
    /// An image that cannot be had, or not be trusted.
    #[error("plugin `{}` cannot be had", path.display())]
    Image {
        /// `oci:` and the image.
        path: PathBuf,
        /// Why.
        #[source]
        source: periplus_oci::ImageError,
    },
    /// The bytes are no WebAssembly component.
    #[error("plugin `{}` is not a WebAssembly component: {reason}", path.display())]
    NotAComponent {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// A component for another world.
    #[error("plugin `{}` does not fit this host: {reason}", path.display())]
    Incompatible {
        /// The file.
        path: PathBuf,
        /// What is missing on which side.
        reason: String,
    },
    /// The component does not compile.
    #[error("plugin `{}` does not compile: {reason}", path.display())]
    Compile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The compiler ended without an answer.
    #[error("failed to compile plugin `{}`: the compiler gave no answer: {reason}", path.display())]
    Compiler {
        /// The file.
        path: PathBuf,
        /// What ended it.
        reason: String,
    },
    /// `describe` failed.
    #[error("plugin `{}` failed to describe itself: {reason}", path.display())]
    Describe {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The manifest is not one.
    #[error("plugin `{}` has a manifest that is not valid: {}", path.display(), list(problems))]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
    /// Two plugins have one name, or serve one mechanism.
    #[error("plugin `{}` clashes with another: {reason}", path.display())]
    Clash {
        /// The file.
        path: PathBuf,
        /// Over what.
        reason: String,
    },
    /// The host itself failed.
    #[error("failed to {action}")]
    Host {
        /// What it was doing.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

// === impl PluginError ===

impl PluginError {
    /// Whether another attempt may help: a registry that cannot be reached, above all.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self, Self::Image { source, .. } if source.is_temporary())
    }

    /// What the operator can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Image { source, .. } => return source.hint(),
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                "build it, or correct `source`; a relative path begins at the configuration's folder"
            }
            Self::Read { .. } => "give this process a regular file that it may read",
            Self::TooLarge { .. } => "build it in release mode, without debug information",
            Self::Digest { .. } => {
                "if the new file is the right one, write its digest under `sha256`"
            }
            Self::NotAComponent { .. } => {
                "build or copy it again; a plugin is a component for `wasm32-wasip2`"
            }
            Self::Incompatible { .. } => "build it against the contract in `wit/` of this version",
            Self::Describe { .. } => {
                "if a limit was passed, raise it under `limits`; else it is the plugin's mistake"
            }
            Self::Compiler { .. } => {
                "build it smaller, or compile it where there is more memory and time"
            }
            Self::Clash { .. } => "remove one of the two, or name them apart",
            Self::Compile { .. } | Self::Manifest { .. } | Self::Host { .. } => return None,
        })
    }
}

/// A call that ended without an answer; the store is gone with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// A bound was passed.
    #[error(transparent)]
    Limit(#[from] LimitPassed),
    /// The guest trapped.
    #[error("it trapped: {0}")]
    Trap(String),
}

/// A bound that a guest passed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitPassed {
    /// CPU time of a call.
    #[error("it used more than its {0:?} of CPU time in one call")]
    Cpu(Duration),
    /// Time of a call.
    #[error("it did not return within {0:?}")]
    Wall(Duration),
    /// Linear memory.
    #[error("it asked for {asked} bytes of memory, more than its limit of {limit}")]
    Memory { asked: usize, limit: usize },
    /// Table elements.
    #[error("it asked for a table of {0} elements, more than the host allows")]
    Table(usize),
    /// What a call hands over.
    #[error("it handed over more than its limit of {0} bytes in one call")]
    Output(usize),
}

// === impl CallError ===

impl CallError {
    /// Which kind, for metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Limit(LimitPassed::Cpu(_)) => "cpu",
            Self::Limit(LimitPassed::Wall(_)) => "wall",
            Self::Limit(LimitPassed::Memory { .. } | LimitPassed::Table(_)) => "memory",
            Self::Limit(LimitPassed::Output(_)) => "output",
        }
    }

    /// What wasmtime reports, in words for an operator: our own bounds by name, else the cause
    /// and the guest's innermost functions.
    pub(crate) fn from_wasmtime(error: &wasmtime::Error, output: usize) -> Self {
        if let Some(limit) = error.downcast_ref::<LimitPassed>() {
            return Self::Limit(limit.clone());
        }
        let cause = error.root_cause().to_string();
        if cause.contains("fuel allocated for hostcalls") {
            return Self::Limit(LimitPassed::Output(output));
        }
        let frames = error
            .downcast_ref::<wasmtime::WasmBacktrace>()
            .map(innermost)
            .unwrap_or_default();
        let mut text = format!("{cause}{frames}");
        crate::store::truncate(&mut text, 1024);
        Self::Trap(text)
    }
}

fn innermost(backtrace: &wasmtime::WasmBacktrace) -> String {
    let names: Vec<_> = backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        .take(4)
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" (in `{}`)", names.join("` < `"))
    }
}

/// All problems in one line.
pub(crate) fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
