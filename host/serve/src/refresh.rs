//! `POST /api/v1/providers/{provider}/refresh`: an operator wants a source to be asked now.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use periplus_discovery::RefreshError;

use crate::error::ApiError;
use crate::jobs;
use crate::state::App;

const PREFIX: &str = "/api/v1/providers/";

/// Has the source of a provider asked. Its answer is published when it is there, as always.
pub(crate) async fn provider(State(app): State<Arc<App>>, uri: Uri) -> Result<String, ApiError> {
    let path = uri.path();
    let inner = path.strip_prefix(PREFIX).unwrap_or_default();
    let Some(name) = inner.strip_suffix("/refresh") else {
        let message = format!("no such path `{path}`; ask for `{PREFIX}{{provider}}/refresh`");
        return Err(ApiError::not_found(message));
    };
    // Names contain a slash, raw or escaped.
    let name = jobs::decode(name)?;
    match app.manager.refresh(&name) {
        Ok(()) => Ok(format!("The source of `{name}` is asked.\n")),
        Err(error @ RefreshError::Unknown) => {
            Err(ApiError::not_found(format!("`{name}`: {error}")))
        }
        Err(error @ RefreshError::Follows) => {
            let message = format!("`{name}`: {error}");
            Err(ApiError::new(StatusCode::CONFLICT, "bad_data", message))
        }
    }
}
