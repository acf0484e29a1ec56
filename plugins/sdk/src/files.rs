//! Whole files that the operator granted, read-only.

use crate::{Failure, FailureKind};

#[cfg(target_family = "wasm")]
use crate::component::host;
#[cfg(not(target_family = "wasm"))]
use crate::testing::host;

/// The content of a granted file.
pub fn read(path: &str) -> Result<Vec<u8>, Failure> {
    host::files_read(path)
}

/// The content of a granted file, which must be UTF-8.
pub fn read_to_string(path: &str) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|error| {
        Failure::new(
            FailureKind::Other,
            format!("`{path}` is not UTF-8: {error}"),
        )
    })
}

/// Granted paths that match the pattern, sorted.
pub fn glob(pattern: &str) -> Result<Vec<String>, Failure> {
    host::files_glob(pattern)
}
