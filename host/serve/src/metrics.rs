//! The fronts' own metrics, and `/metrics`.
//!
//! | metric | labels | meaning |
//! |---|---|---|
//! | `periplus_http_requests_total` | `route`, `code` | requests answered |
//! | `periplus_http_request_duration_seconds` | `route` | from the request's head to the answer's head |
//! | `periplus_http_response_bytes_total` | `route` | bytes of answers' bodies, as announced |
//! | `periplus_http_body_cache_bytes` | | bytes of joined target lists that are kept |
//! | `periplus_http_bodies_built_total` | `encoding` | target lists that were joined, or brought up to date in segments |
//! | `periplus_http_view_cache_bytes` | | bytes of compressed lists and parts of lists that are kept in segments |
//! | `periplus_http_segments_built_total` | | segments of such lists that were made, since something in them changed |
//! | `periplus_http_labels_left_out_total` | | labels left out of answers because the reader takes no such names |
//! | `periplus_mads_polls_waiting` | | long polls that are held |
//! | `periplus_mads_refused_total` | | answers that a reader refused |
//! | `periplus_mads_label_collisions_total` | | names of labels that were left out of an assignment, since readers would take them for others |
//! | `periplus_files_written_total` | | files of targets that were replaced |
//! | `periplus_files_failures_total` | | files of targets that could not be replaced or removed |
//!
//! `route` is the pattern of a route, or `other`: the number of series does not grow with jobs.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::Body;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use crate::encoding::Encoding;
use crate::error::ApiError;
use crate::otel::AllocatorMetrics;
use crate::state::App;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// From a 304 to a list of a million targets that is rendered for the first time.
const BUCKETS: [f64; 9] = [0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The fronts' metrics. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServeMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    response_bytes: Family<RouteLabels, Counter>,
    cache_bytes: Gauge,
    built: Family<EncodingLabels, Counter>,
    view_bytes: Gauge,
    left_out: Counter,
    segments: Counter,
    pub(crate) allocator: AllocatorMetrics,
    mads: MadsMetrics,
    files_written: Counter,
    files_failed: Counter,
}

/// Metrics of long polls.
#[derive(Clone, Debug, Default)]
struct MadsMetrics {
    waiting: Gauge,
    refused: Counter,
    collisions: Counter,
}

/// Counts as waiting until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Gauge);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EncodingLabels {
    encoding: &'static str,
}

// === impl ServeMetrics ===

impl ServeMetrics {
    /// Makes the metrics and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            response_bytes: Family::default(),
            cache_bytes: Gauge::<i64, _>::default(),
            built: Family::default(),
            view_bytes: Gauge::<i64, _>::default(),
            left_out: Counter::default(),
            segments: Counter::default(),
            allocator: AllocatorMetrics::register(registry),
            mads: MadsMetrics::default(),
            files_written: Counter::default(),
            files_failed: Counter::default(),
        };
        let Self {
            requests,
            durations,
            response_bytes,
            cache_bytes,
            built,
            view_bytes,
            left_out,
            segments,
            allocator: _,
            mads,
            files_written,
            files_failed,
        } = metrics.clone();
        registry.register("periplus_http_requests", "Requests answered", requests);
        registry.register_with_unit(
            "periplus_http_request_duration",
            "Time from the request's head to the answer's head",
            Unit::Seconds,
            durations,
        );
        registry.register(
            "periplus_http_response_bytes",
            "Bytes of answers' bodies, as announced",
            response_bytes,
        );
        registry.register_with_unit(
            "periplus_http_body_cache",
            "Bytes of joined target lists that are kept",
            Unit::Bytes,
            cache_bytes,
        );
        registry.register(
            "periplus_http_bodies_built",
            "Target lists that were joined, or brought up to date in segments",
            built,
        );
        registry.register_with_unit(
            "periplus_http_view_cache",
            "Bytes of compressed lists and parts of lists that are kept in segments",
            Unit::Bytes,
            view_bytes,
        );
        registry.register(
            "periplus_http_segments_built",
            "Segments of such lists that were made, since something in them changed",
            segments,
        );
        registry.register(
            "periplus_http_labels_left_out",
            "Labels left out of answers because the reader takes no such names",
            left_out,
        );
        mads.register(registry);
        let text = "Files of targets that were replaced";
        registry.register("periplus_files_written", text, files_written);
        let text = "Files of targets that could not be replaced or removed";
        registry.register("periplus_files_failures", text, files_failed);
        metrics
    }

    pub(crate) fn set_cache_bytes(&self, bytes: usize) {
        self.cache_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(crate) fn set_view_bytes(&self, bytes: usize) {
        self.view_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(crate) fn mads_waiting(&self) -> Waiting {
        self.mads.waiting.inc();
        Waiting(self.mads.waiting.clone())
    }

    pub(crate) fn mads_refused(&self) {
        self.mads.refused.inc();
    }

    pub(crate) fn mads_collided(&self, names: usize) {
        self.mads.collisions.inc_by(names as u64);
    }

    pub(crate) fn file_written(&self) {
        self.files_written.inc();
    }

    pub(crate) fn file_failed(&self) {
        self.files_failed.inc();
    }

    pub(crate) fn segments_built(&self, count: usize) {
        self.segments.inc_by(count as u64);
    }

    pub(crate) fn left_out(&self, labels: usize) {
        self.left_out.inc_by(labels as u64);
    }

    pub(crate) fn body_built(&self, encoding: Encoding) {
        let encoding = encoding.name().unwrap_or("identity");
        self.built.get_or_create(&EncodingLabels { encoding }).inc();
    }

    fn answered(&self, route: String, response: &Response, bytes: u64, took: Duration) {
        let code = response.status().as_u16();
        self.requests
            .get_or_create(&RequestLabels {
                route: route.clone(),
                code,
            })
            .inc();
        let labels = RouteLabels { route };
        self.durations
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        self.response_bytes.get_or_create(&labels).inc_by(bytes);
    }
}

// === impl MadsMetrics ===

impl MadsMetrics {
    fn register(self, registry: &mut Registry) {
        let Self {
            waiting,
            refused,
            collisions,
        } = self;
        registry.register(
            "periplus_mads_polls_waiting",
            "Long polls that are held",
            waiting,
        );
        registry.register(
            "periplus_mads_refused",
            "Answers that a reader refused",
            refused,
        );
        registry.register(
            "periplus_mads_label_collisions",
            "Names of labels that were left out of an assignment, since readers would take them for others",
            collisions,
        );
    }
}

// === impl Waiting ===

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts every request.
pub(crate) async fn observe(
    State(metrics): State<ServeMetrics>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().replace("{*job}", "{job}"),
        None => "other".to_owned(),
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let took = started.elapsed();
    // The answer to HEAD announces a length, but has no body.
    let announced = || {
        response
            .headers()
            .get(header::CONTENT_LENGTH)?
            .to_str()
            .ok()?
            .parse()
            .ok()
    };
    let bytes = match method {
        Method::HEAD => 0,
        _ => response
            .body()
            .size_hint()
            .exact()
            .or_else(announced)
            .unwrap_or(0),
    };
    metrics.answered(route, &response, bytes, took);
    let status = response.status().as_u16();
    tracing::debug!(%method, path, status, bytes, ?took, "Answered a request");
    response
}

/// `/metrics`: everything that the process measures.
pub(crate) async fn exposition(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let mut text = String::new();
    encode(&mut text, &app.registry)
        .map_err(|error| ApiError::internal(format!("failed to encode the metrics: {error}")))?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}
