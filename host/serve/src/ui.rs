//! The interface for people: one page for each question that an operator asks, rendered here.
//!
//! Pages are whole without a script. With one, what is marked as live is fetched again when `events`
//! says that something moved. Everything that comes from elsewhere goes through maud, which escapes
//! it; `style-src` and `script-src` allow the two files of this folder alone, so that nothing that
//! slipped through could run.
//!
//! The same pages stand on both listeners; forms that change something only on the one for
//! administration.

mod config;
mod events;
mod explain;
mod fronts;
mod jobs;
mod layout;
mod overview;
mod plugins;
mod providers;
mod sparkline;
mod targets;
mod words;

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::encoding::{self, Encoding};
use crate::state::App;

pub(crate) use events::Pulse;
pub(crate) use layout::Desk;

const EVENTS: &str = "text/event-stream";
const STYLE: &str = include_str!("ui/style.css");
const SCRIPT: &str = include_str!("ui/live.js");

/// The pages, and what they are made of.
pub(crate) fn routes(desk: Desk) -> Router<Arc<App>> {
    let explain = match desk {
        Desk::Readers => get(explain::page),
        Desk::Admin => get(explain::page).post(explain::tried),
    };
    Router::new()
        .route("/", get(overview::page))
        .route("/jobs", get(jobs::page))
        .route("/targets", get(targets::page))
        .route("/explain", explain)
        .route("/providers", get(providers::page))
        .route("/plugins", get(plugins::page))
        .route("/fronts", get(fronts::page))
        .route("/config", get(config::page))
        .route("/ui/events", get(events::events))
        .route(
            "/ui/style.css",
            get(async || asset("text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/ui/live.js",
            get(async || asset("text/javascript; charset=utf-8", SCRIPT)),
        )
        .layer(middleware::from_fn(packed))
        .layer(axum::Extension(desk))
}

/// Compresses pages for those who take it: labels repeat themselves.
async fn packed(request: Request, next: Next) -> Response {
    let encoding = encoding::negotiate(request.headers());
    let response = next.run(request).await;
    let (mut head, body) = response.into_parts();
    let is_stream = head
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|it| it == EVENTS);
    if is_stream || encoding != Some(Encoding::Gzip) {
        return Response::from_parts(head, body);
    }
    // Pages are made whole, so this reads what is there.
    let Ok(page) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    let Ok(packed) = packer.write_all(&page).and_then(|()| packer.finish()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = &mut head.headers;
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(packed.len()));
    Response::from_parts(head, Body::from(packed))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, text)
}
