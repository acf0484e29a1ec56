//! Why an image cannot be had, or not be trusted.

use std::path::PathBuf;

use crate::digest::Digest;

/// What went wrong with an image, an archive, a key or the store. Every text names its object.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The registry did not do what it was asked for.
    #[error("failed to {action} `{image}`: {reason}")]
    Registry {
        /// The image.
        image: String,
        /// What it was asked for.
        action: &'static str,
        /// What it answered, or why there was no answer.
        reason: String,
        /// Whether another attempt may help.
        temporary: bool,
    },
    /// The registry does not have it.
    #[error("`{image}` is not in its registry")]
    NotFound {
        /// The image.
        image: String,
    },
    /// The registry wants other credentials.
    #[error("the registry of `{image}` refuses access: {reason}")]
    Unauthorized {
        /// The image.
        image: String,
        /// What it answered.
        reason: String,
    },
    /// Content is not what its digest says.
    #[error(
        "`{image}` is not what was asked for: {part} has the digest {found}, but {expected} is expected"
    )]
    Digest {
        /// The image.
        image: String,
        /// Which part of it.
        part: &'static str,
        /// The digest that was asked for.
        expected: String,
        /// The digest of what came.
        found: String,
    },
    /// Not an artifact with one WebAssembly component.
    #[error("`{image}` is not a plugin: {reason}")]
    Layout {
        /// The image.
        image: String,
        /// What it is instead.
        reason: String,
    },
    /// More than may be pulled.
    #[error("`{image}` has a part of {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The image.
        image: String,
        /// Bytes of the part.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Nobody signed it.
    #[error("`{image}` is not signed, but a signature is required")]
    Unsigned {
        /// The image, with its digest.
        image: String,
    },
    /// None of its signatures counts.
    #[error("no signature of `{image}` can be trusted: {reason}")]
    Signature {
        /// The image, with its digest.
        image: String,
        /// What is wrong with each.
        reason: String,
    },
    /// Not in the store, and it must not be pulled.
    #[error("`{image}` is not in the store `{}`, and must not be pulled", store.display())]
    Absent {
        /// The image.
        image: String,
        /// The store.
        store: PathBuf,
    },
    /// A key that is none.
    #[error("cannot use the key `{}`: {reason}", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Credentials that cannot be read.
    #[error("cannot use the registry credentials in `{}`: {reason}", path.display())]
    Credentials {
        /// Their file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file system.
    #[error("failed to {action} `{}`", path.display())]
    Files {
        /// What was done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An archive that is none.
    #[error("`{}` is not an archive of plugins: {reason}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

// === impl ImageError ===

impl ImageError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Registry {
                temporary: true, ..
            } => "it is tried again; see whether the registry can be reached from here",
            Self::NotFound { .. } => "push it, or correct the name or the tag",
            Self::Unauthorized { .. } => {
                "log in with a tool that writes `config.json` (`DOCKER_CONFIG`), or name such a file \
                 with `--registry-auth-file`"
            }
            Self::Digest { .. } => {
                "somebody changed it, on its way or in the registry; if the new one is right, write \
                 its digest"
            }
            Self::Layout { .. } => {
                "push it with `periplus plugin push` or another tool for components"
            }
            Self::Unsigned { .. } => "sign it with `periplus plugin sign` or `cosign sign --key`",
            Self::Signature { .. } => {
                "do not run it before you know who signed it, and with which key"
            }
            Self::Absent { .. } => {
                "fetch it with `periplus plugin pull`, or bring it with `periplus plugin load`"
            }
            Self::Key { .. } => "make one with `openssl ecparam -genkey -name prime256v1 -noout`",
            Self::Credentials { .. } => "it has the format of docker's `config.json`",
            _ => return None,
        })
    }

    /// Whether another attempt may help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Registry { temporary, .. } if *temporary)
    }

    /// A check that failed: retrying, or taking what is at hand instead, would defeat it.
    pub fn is_distrust(&self) -> bool {
        matches!(
            self,
            Self::Digest { .. } | Self::Unsigned { .. } | Self::Signature { .. }
        )
    }

    pub(crate) fn digest(image: &str, part: &'static str, expected: &Digest, found: &str) -> Self {
        Self::Digest {
            image: image.to_owned(),
            part,
            expected: expected.to_string(),
            found: found.to_owned(),
        }
    }
}
