//! The listener for administration: the routes that change something, and nothing else.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Router, middleware};

use crate::error::ApiError;
use crate::guard::{self, AllowedHosts};
use crate::router::{method_not_allowed, observed};
use crate::state::App;
use crate::{freeze, reload};

/// The routes that change something. Requests must name this host as a browser on it would, or one
/// of `hosts`, and come from no page of another origin.
pub(crate) fn router(app: Arc<App>, hosts: Vec<String>) -> Router {
    let hosts = AllowedHosts::new(hosts);
    let routes = Router::new()
        .route("/api/v1/jobs/{*action}", post(freeze::job))
        .route("/-/reload", post(reload::reload).put(reload::reload))
        .route_layer(middleware::from_fn_with_state(hosts, guard::check_origin))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_path);
    observed(routes, &app.metrics).with_state(app)
}

async fn no_such_path(request: Request) -> ApiError {
    let path = request.uri().path();
    ApiError::not_found(format!(
        "no such path `{path}`; this listener has `POST /-/reload` and `/api/v1/jobs/{{job}}/freeze` \
         alone, the one of `--listen` everything to read"
    ))
}

/// What the listener for readers says of these routes.
pub(crate) async fn elsewhere(request: Request) -> ApiError {
    let path = request.uri().path();
    let message = format!(
        "`{path}` is served on the listener for administration alone, http://127.0.0.1:9098 unless \
         `--admin-listen` says otherwise"
    );
    ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
}
