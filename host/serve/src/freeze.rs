//! `POST /api/v1/jobs/{job}/freeze` and `.../thaw`: an operator holds a job's targets as they are.
//!
//! Sources are followed all the same, so that a job that is thawed is as new as any other.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;

use crate::error::ApiError;
use crate::jobs::{self, Found};
use crate::state::App;

const PREFIX: &str = "/api/v1/jobs/";

/// Freezes a job, or lets it go on. The job's name may contain slashes, raw or escaped.
pub(crate) async fn job(State(app): State<Arc<App>>, uri: Uri) -> Result<String, ApiError> {
    let path = uri.path();
    let inner = path.strip_prefix(PREFIX).unwrap_or_default();
    let Some((job, action)) = inner.rsplit_once('/') else {
        return Err(unknown(path));
    };
    let job = jobs::decode(job)?;
    let handle = match (jobs::find(&app, &job)?, action) {
        (Found::Removed, _) => {
            return Err(ApiError::not_found(format!("a reload removed job `{job}`")));
        }
        (Found::Known(handle, _), "freeze" | "thaw") => handle,
        (Found::Known(..), _) => return Err(unknown(path)),
    };
    if action == "thaw" {
        handle.thaw();
        return Ok(format!("Job `{job}` goes on.\n"));
    }
    if handle.freeze() {
        Ok(format!(
            "Job `{job}` stays as it is until it is thawed, or the host restarts.\n"
        ))
    } else {
        Err(ApiError::unavailable(format!(
            "job `{job}` is not known yet"
        )))
    }
}

fn unknown(path: &str) -> ApiError {
    let message = format!("no such path `{path}`; ask for `{PREFIX}{{job}}/freeze` or `.../thaw`");
    ApiError::not_found(message)
}
