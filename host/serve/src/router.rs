//! All routes in one place.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Router, middleware};

use crate::error::ApiError;
use crate::metrics::ServeMetrics;
use crate::state::{App, ServeState};
use crate::ui::Desk;
use crate::{admin, api, health, mads, metrics, readings, sd, ui, watch};

/// The routes of one host, by listener.
pub struct Routes {
    /// Everything to read.
    pub readers: Router,
    /// What changes something.
    pub admin: Router,
}

/// The routes of all fronts, and those of administration, which may be asked by these names.
pub fn routes(state: ServeState, admin_hosts: Vec<String>) -> Routes {
    let app = Arc::new(App::new(state));
    Routes {
        readers: readers(Arc::clone(&app)),
        admin: admin::router(app, admin_hosts),
    }
}

/// The routes of all fronts alone.
pub fn router(state: ServeState) -> Router {
    readers(Arc::new(App::new(state)))
}

fn readers(app: Arc<App>) -> Router {
    let routes = reading(Desk::Readers)
        .route("/-/reload", any(admin::elsewhere))
        .route("/api/v1/jobs/{*action}", any(admin::elsewhere))
        .route("/api/v1/providers/{*action}", any(admin::elsewhere))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_path)
        // After the fallbacks: its errors have a form of their own.
        .nest("/otel", app.otel.routes())
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app.readings),
            readings::note,
        ));
    observed(routes, &app.metrics).with_state(app)
}

/// What may be read on every listener.
pub(crate) fn reading(desk: Desk) -> Router<Arc<App>> {
    Router::new()
        .route("/sd", get(sd::without_job))
        .route("/sd/", get(sd::without_job))
        .route("/sd/{*job}", get(sd::targets))
        .route("/mads/{*job}", post(mads::fetch))
        .route("/api/v1/watch/{*job}", get(watch::watch))
        .route("/api/v1/targets", get(api::targets::targets))
        .route("/api/v1/explain", get(api::explain::explained))
        .route("/api/v1/scrape_pools", get(api::scrape_pools))
        .route("/api/v1/providers", get(api::providers))
        .route("/api/v1/plugins", get(api::plugins))
        .route("/api/v1/status/buildinfo", get(api::build_info))
        .route("/api/v1/status/runtimeinfo", get(api::runtime_info))
        .route("/api/v1/status/jobs", get(api::jobs))
        .route("/metrics", get(metrics::exposition))
        .route("/-/healthy", get(health::healthy))
        .route("/-/ready", get(health::ready))
        .merge(ui::routes(desk))
}

/// What every listener does with a request and its answer, whatever the route.
pub(crate) fn observed<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    metrics: &ServeMetrics,
) -> Router<S> {
    routes
        .layer(middleware::from_fn_with_state(
            metrics.clone(),
            metrics::observe,
        ))
        .layer(middleware::map_response(no_sniffing))
}

async fn no_such_path(request: Request) -> ApiError {
    let path = request.uri().path();
    ApiError::not_found(format!("no such path `{path}`; `/` lists what there is"))
}

pub(crate) async fn method_not_allowed(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    let message = format!("method {method} is not allowed on `{path}`");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "bad_data", message)
}

/// Label values are foreign text: a browser must never take an answer for a page by guessing.
async fn no_sniffing(mut response: Response) -> Response {
    let value = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, value);
    response
}
