//! The API of OpenTelemetry's target allocator: collectors ask it what to scrape, each its own share.
//!
//! ```text
//! GET /jobs/{job}/targets?collector_id= --Question--> task: Allocator --Share--> list, ETag
//!                                                       |  Known: who the collectors are
//!                                                       |  Plan per job: assign (pure), Handovers
//! GET /scrape_configs --> each job's section, from the snapshot's own configuration
//! ```
//!
//! Compatible with the collector's Prometheus receiver, which tells more than its API: see `answer`.

mod allocator;
mod answer;
mod assign;
mod handover;
mod metrics;
mod plan;
mod roster;
mod scrape;
mod task;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use periplus_config::TargetAllocator;
use periplus_core::ContentHash;
use periplus_core::hash::ContentHasher;
use periplus_discovery::{Directory, JobHandle, ManagerHandle, Snapshot, readiness};
use serde_json::json;
use tokio::sync::watch;

use self::allocator::{Question, Shares};
use self::answer::Refusal;
use self::handover::CollectorId;
pub(crate) use self::metrics::AllocatorMetrics;
use self::plan::Share;
pub use self::scrape::ClientCertificate;
use self::scrape::LeftOut;
use self::task::Asking;
use crate::metrics::ServeMetrics;
use crate::readings::Told;
use crate::router::observed;

const JOBS: &str = "/jobs/";
const TARGETS: &str = "/targets";
/// An id is foreign text that is kept for a while.
const LONGEST_ID: usize = 256;
/// What upstream's links leave as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The configuration of the allocator; none where nobody asked for it.
pub type AllocatorSettings = watch::Receiver<Option<Arc<TargetAllocator>>>;

/// The front. Cheap to clone.
#[derive(Clone)]
pub struct OtelFront(Arc<Front>);

struct Front {
    manager: ManagerHandle,
    settings: AllocatorSettings,
    asking: Asking,
    left_out: LeftOut,
    metrics: ServeMetrics,
}

/// What there is to say about a job.
enum Found {
    /// Its targets, which may be served.
    Known(JobHandle, Arc<Snapshot>),
    /// Everything is known, and there is no such job.
    Nothing,
}

// === impl OtelFront ===

impl OtelFront {
    /// Starts the task behind the front; it ends with the last clone.
    pub fn start(
        manager: ManagerHandle,
        settings: AllocatorSettings,
        metrics: ServeMetrics,
    ) -> Self {
        let asking = Asking::start(metrics.allocator.clone());
        Self(Arc::new(Front {
            manager,
            settings,
            asking,
            left_out: LeftOut::default(),
            metrics,
        }))
    }

    /// The routes at `/`, for a listener of their own.
    pub fn router(&self) -> Router {
        observed(self.routes::<()>(), &self.0.metrics)
    }

    /// The routes, to be nested.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        Router::new()
            .route("/scrape_configs", get(scrape_configs))
            .route("/jobs", get(jobs))
            .route("/jobs/{*job}", get(targets))
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(no_such_path)
            .with_state(self.clone())
    }
}

// === impl Front ===

impl Front {
    fn directory(&self) -> Result<Arc<Directory>, Refusal> {
        let directory = Arc::clone(&self.manager.directory().borrow());
        if directory.applied {
            Ok(directory)
        } else {
            Err(Refusal::unavailable("no configuration was applied yet"))
        }
    }

    fn settings(&self) -> Result<Arc<TargetAllocator>, Refusal> {
        let settings = self.settings.borrow().clone();
        settings.ok_or_else(|| {
            Refusal::not_found(
                "the target allocator is not switched on; add `target_allocator: {}` to the \
                 configuration",
            )
        })
    }
}

/// Each job's section by the job's name.
async fn scrape_configs(
    State(front): State<OtelFront>,
    request: Request,
) -> Result<Response, Refusal> {
    let front = &*front.0;
    front.settings()?;
    let directory = front.directory()?;
    let with_secrets = request.extensions().get::<ClientCertificate>().is_some();
    let configs = scrape::configs(&directory, with_secrets);
    let body = configs.body();
    let version = ContentHash::of(&body);
    let (method, headers) = (request.method(), request.headers());
    let mut response = answer::json(method, headers, version, false, move || body).await?;
    front.left_out.tell(&configs, &mut response);
    Ok(response)
}

/// The names of all jobs, with where their targets are.
async fn jobs(
    State(front): State<OtelFront>,
    OriginalUri(whole): OriginalUri,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let front = &*front.0;
    front.settings()?;
    let directory = front.directory()?;
    let prefix = whole.path().strip_suffix(uri.path()).unwrap_or_default();
    let links = directory.jobs.keys().map(|job| {
        let path = utf8_percent_encode(job, QUERY);
        (
            job,
            json!({ "_link": format!("{prefix}{JOBS}{path}{TARGETS}") }),
        )
    });
    let links: BTreeMap<_, _> = links.collect();
    let body = serde_json::to_vec(&links).expect("texts are valid JSON");
    let version = ContentHash::of(&body);
    answer::json(&method, &headers, version, false, move || body).await
}

/// What one collector is to scrape of a job, or what all are.
async fn targets(
    State(front): State<OtelFront>,
    OriginalUri(whole): OriginalUri,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let front = &*front.0;
    // Nothing is noted of who cannot read the answer.
    answer::negotiate(&headers)?;
    let job = job_name(uri.path())?;
    let collector = collector(uri.query())?;
    let settings = front.settings()?;
    let directory = front.directory()?;
    let found = find(&directory, &job)?;
    let version = match &found {
        Found::Known(_, snapshot) => Some(snapshot.version),
        Found::Nothing => None,
    };
    let shares = match found {
        Found::Nothing => Shares::new(),
        Found::Known(job, snapshot) => {
            let question = Question {
                directory,
                settings,
                job,
                snapshot,
                // Looking at the head of an answer is not being told of targets.
                collector: collector.clone().filter(|_| method != Method::HEAD),
            };
            front.asking.ask(question).await?
        }
    };
    match collector {
        Some(id) => {
            let part = format!("collector {id}");
            let mut response = one(&method, &headers, shares, &id).await?;
            if version.is_some() {
                let told = Told::of("otel", &job, part, version);
                response.extensions_mut().extend(told);
            }
            Ok(response)
        }
        None => {
            let prefix = whole.path().strip_suffix(uri.path()).unwrap_or_default();
            let path = format!(
                "{prefix}{JOBS}{}{TARGETS}",
                utf8_percent_encode(&job, QUERY)
            );
            all(&method, &headers, shares, path).await
        }
    }
}

async fn one(
    method: &Method,
    headers: &HeaderMap,
    mut shares: Shares,
    id: &str,
) -> Result<Response, Refusal> {
    let share = shares.remove(id).unwrap_or_else(Share::empty);
    let (version, is_large) = (share.version, share.is_large());
    let make = move || {
        let mut json = Vec::new();
        share.write(&mut json);
        json
    };
    answer::json(method, headers, version, is_large, make).await
}

async fn all(
    method: &Method,
    headers: &HeaderMap,
    shares: Shares,
    path: String,
) -> Result<Response, Refusal> {
    let mut hasher = ContentHasher::default();
    for (id, share) in &shares {
        hasher.field(id.as_bytes());
        hasher.field(&share.version.0.to_le_bytes());
    }
    let is_large = shares.values().any(Share::is_large);
    let make = move || {
        let mut json = b"{".to_vec();
        for (at, (id, share)) in shares.iter().enumerate() {
            let link = format!("{path}?collector_id={}", utf8_percent_encode(id, QUERY));
            let separator = if at > 0 { "," } else { "" };
            let head = format!(
                "{separator}{}:{{\"_link\":{},\"targets\":",
                json!(&**id),
                json!(link)
            );
            json.extend_from_slice(head.as_bytes());
            share.write(&mut json);
            json.push(b'}');
        }
        json.push(b'}');
        json
    };
    answer::json(method, headers, hasher.finish(), is_large, make).await
}

/// The job's name, escaped as a query is, which is how collectors write it; slashes may be raw.
fn job_name(path: &str) -> Result<String, Refusal> {
    let raw = path
        .strip_prefix(JOBS)
        .and_then(|it| it.strip_suffix(TARGETS));
    let Some(raw) = raw else {
        let message = format!("no such path `{path}`; ask for `/jobs/JOB/targets?collector_id=ID`");
        return Err(Refusal::not_found(message));
    };
    let spaced = raw.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    let name = decoded.map_err(|_| Refusal::bad_request("the job's name is not valid UTF-8"))?;
    Ok(name.into_owned())
}

/// Who asks; nobody if that is not said.
fn collector(query: Option<&str>) -> Result<Option<CollectorId>, Refusal> {
    let mut id = None;
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if name == "collector_id" && !value.is_empty() {
            if value.len() > LONGEST_ID {
                let message = format!("a collector_id may have {LONGEST_ID} bytes at most");
                return Err(Refusal::bad_request(message));
            }
            if id.replace(CollectorId::from(&*value)).is_some() {
                let message = "parameter `collector_id` is given more than once";
                return Err(Refusal::bad_request(message));
            }
        }
    }
    Ok(id)
}

fn find(directory: &Directory, job: &str) -> Result<Found, Refusal> {
    if let Some(handle) = directory.jobs.get(job) {
        let snapshot = Arc::clone(&handle.snapshots.borrow());
        if snapshot.is_servable() {
            return Ok(Found::Known(handle.clone(), snapshot));
        }
        let why = match snapshot.stale {
            Some(_) => "are from disk, and too old to be served",
            None => "are not known yet",
        };
        let message = format!("the targets of job `{job}` {why}");
        return Err(Refusal::unavailable(message));
    }
    if readiness(directory).is_empty() {
        return Ok(Found::Nothing);
    }
    let message = format!("there is no job `{job}`, but not everything is known yet");
    Err(Refusal::unavailable(message))
}

async fn no_such_path(request: Request) -> Refusal {
    let path = request.uri().path();
    let paths = "`/scrape_configs`, `/jobs` and `/jobs/JOB/targets`";
    Refusal::not_found(format!("no such path `{path}`; there are {paths}"))
}

async fn method_not_allowed(request: Request) -> Refusal {
    let (method, path) = (request.method(), request.uri().path());
    let message = format!("method {method} is not allowed on `{path}`");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
