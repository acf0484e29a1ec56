//! Whether the process lives, and whether it knows enough to be asked.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::state::App;

/// At most so many missing things are named in one answer.
const MOST_LISTED: usize = 100;

/// `/-/healthy`: the process answers.
pub(crate) async fn healthy() -> &'static str {
    "Periplus is healthy.\n"
}

/// `/-/ready`: 503 with what is missing until every job is known or the time for that is over, and
/// 200 ever after. What is missing is told in both.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    let (ready, missing) = app.readiness.check(&app.directory());
    let mut text = match (ready, missing.is_empty()) {
        (true, true) => "Periplus is ready.\n".to_owned(),
        (true, false) => "Periplus is ready, but does not know everything:\n".to_owned(),
        (false, _) => "Periplus is not ready, it waits for:\n".to_owned(),
    };
    for what in missing.iter().take(MOST_LISTED) {
        let _ = writeln!(text, "- {what}");
    }
    if let Some(more) = missing
        .len()
        .checked_sub(MOST_LISTED)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(text, "- and {more} more");
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}
