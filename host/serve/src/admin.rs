//! The listener for administration: the routes that change something, beside everything to read.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Router, middleware};

use crate::error::ApiError;
use crate::guard::{self, AllowedHosts};
use crate::router::{method_not_allowed, observed, reading};
use crate::state::App;
use crate::ui::Desk;
use crate::{freeze, refresh, reload};

/// The routes that change something, and all that may be read. Requests must name this host as a
/// browser on it would, or one of `hosts`, and come from no page of another origin.
pub(crate) fn router(app: Arc<App>, hosts: Vec<String>) -> Router {
    let hosts = AllowedHosts::new(hosts);
    let routes = reading(Desk::Admin)
        .route("/api/v1/jobs/{*action}", post(freeze::job))
        .route("/api/v1/providers/{*action}", post(refresh::provider))
        .route("/-/reload", post(reload::reload).put(reload::reload))
        .route_layer(middleware::from_fn(back_to_the_page))
        .route_layer(middleware::from_fn_with_state(hosts, guard::check_origin))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_path);
    observed(routes, &app.metrics).with_state(app)
}

async fn no_such_path(request: Request) -> ApiError {
    let path = request.uri().path();
    ApiError::not_found(format!(
        "no such path `{path}`; `/` shows what there is, and `POST` on `/-/reload`, \
         `/api/v1/jobs/{{job}}/freeze` and `/api/v1/providers/{{provider}}/refresh` changes something"
    ))
}

/// Leads a person who pressed a button back to the page with it; programs get the answer itself.
async fn back_to_the_page(request: Request, next: Next) -> Response {
    let page = page_before(&request);
    let response = next.run(request).await;
    match page {
        Some(page) if response.status().is_success() => Redirect::to(&page).into_response(),
        _ => response,
    }
}

/// The page that a browser's form was on.
fn page_before(request: &Request) -> Option<String> {
    let is_form = |path: &str| path == "/-/reload" || path.starts_with("/api/v1/");
    if request.method() != Method::POST || !is_form(request.uri().path()) {
        return None;
    }
    let text = |name| request.headers().get(name)?.to_str().ok();
    let accepts = text(header::ACCEPT)?;
    let page: Uri = text(header::REFERER)?.parse().ok()?;
    // The origin was checked: what counts is the path, so that nobody is led elsewhere.
    let path = page.path_and_query()?.as_str();
    (accepts.contains("text/html") && !path.starts_with("//")).then(|| path.to_owned())
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
