//! `files` for providers.

use std::sync::Arc;

use crate::bindings::provider::periplus::discovery::files::Host;
use crate::bindings::provider::periplus::discovery::types::{Failure, FailureKind};
use crate::files::{FileError, FileGrants};
use crate::functions::http::closed;
use crate::grants::Outside;
use crate::store::GuestState;

impl Host for GuestState {
    async fn read(&mut self, path: String) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        Ok(on_files(self.outside.as_ref(), move |grants| grants.read(&path)).await)
    }

    async fn glob(&mut self, pattern: String) -> wasmtime::Result<Result<Vec<String>, Failure>> {
        Ok(on_files(self.outside.as_ref(), move |grants| grants.glob(&pattern)).await)
    }
}

/// File systems block, network ones for long: never on a runtime's thread.
async fn on_files<T: Send + 'static>(
    outside: Option<&Outside>,
    work: impl FnOnce(&FileGrants) -> Result<T, FileError> + Send + 'static,
) -> Result<T, Failure> {
    let grants = Arc::clone(&outside.ok_or_else(closed)?.files);
    tokio::task::spawn_blocking(move || work(&grants))
        .await
        .unwrap_or_else(|_| Err(FileError::Other("reading was cancelled".into())))
        .map_err(failure)
}

fn failure(error: FileError) -> Failure {
    let (kind, message) = match error {
        FileError::Denied(message) => (FailureKind::Denied, message),
        FileError::Invalid(message) => (FailureKind::Invalid, message),
        FileError::NotFound(message) => (FailureKind::NotFound, message),
        FileError::TooLarge(message) => (FailureKind::TooLarge, message),
        FileError::Other(message) => (FailureKind::Other, message),
    };
    Failure { kind, message }
}
