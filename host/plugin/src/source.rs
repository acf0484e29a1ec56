//! From a path to bytes that are what the operator meant.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::PluginError;
use crate::limits::MAX_COMPONENT_BYTES;

/// The bytes of a plugin, bounded and, if the operator pinned them, the right ones.
pub(crate) struct VerifiedPlugin {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    /// SHA-256, lower-case hexadecimal.
    pub(crate) digest: String,
}

/// Reads a plugin's file.
pub(crate) fn read(path: &Path, pinned: Option<&str>) -> Result<VerifiedPlugin, PluginError> {
    let failed = |source| PluginError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(std::io::Error::other("it is not a regular file")));
    }
    let too_large = |size| PluginError::TooLarge {
        path: path.to_owned(),
        size,
        limit: MAX_COMPONENT_BYTES,
    };
    if metadata.len() > MAX_COMPONENT_BYTES {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // Once more while reading: the file may grow meanwhile.
    Read::by_ref(&mut file)
        .take(MAX_COMPONENT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        return Err(too_large(bytes.len() as u64));
    }
    let digest = hex(&Sha256::digest(&bytes));
    match pinned {
        Some(expected) if !expected.eq_ignore_ascii_case(&digest) => Err(PluginError::Digest {
            path: path.to_owned(),
            expected: expected.to_owned(),
            found: digest,
        }),
        _ => Ok(VerifiedPlugin {
            path: path.to_owned(),
            bytes,
            digest,
        }),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_digest_must_be_the_one_of_the_bytes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"abc").unwrap();
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(read(file.path(), Some(digest)).unwrap().digest, digest);
        let error = read(file.path(), Some(&"0".repeat(64)))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains(digest) && error.contains(file.path().to_str().unwrap()),
            "{error}"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("missing/plugin.wasm"), None)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("missing/plugin.wasm"), "{error}");
    }

    #[test]
    fn a_file_past_the_limit_is_refused_before_it_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_COMPONENT_BYTES + 1).unwrap();
        assert!(matches!(
            read(file.path(), None),
            Err(PluginError::TooLarge { .. })
        ));
    }
}
