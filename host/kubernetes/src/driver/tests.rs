//! The driver against scripted answers, under paused time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use periplus_discovery::Updates;
use serde_json::{Value, json};

use super::*;
use crate::api::error::Refusal;
use crate::metrics::EventKind;
use crate::progress::{Progress, WatchReport};
use crate::resource::pod::Pod;

mod faults;
mod history;
mod lists;
mod watches;

/// What one request is answered with.
#[derive(Clone, Debug)]
enum Answer {
    /// Pieces of a body, each after a wait; then the end, a break, or silence.
    Body(Vec<(Duration, String)>, BodyEnd),
    /// A refusal with this code.
    Refused(u16),
    /// A refusal that names a wait.
    Busy(Duration),
    /// No connection.
    Unreachable,
    /// Neither answer nor error.
    Silence,
}

#[derive(Clone, Copy, Debug)]
enum BodyEnd {
    Closed,
    Cut,
    Open,
}

/// Answers requests in order, and notes when they came. A request beyond the last answer ends
/// the run.
#[derive(Default)]
struct Script {
    over: CancellationToken,
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<(Duration, Call)>>,
    began: Mutex<Option<Instant>>,
}

/// Records by key, as text, and how often something was shown.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<SeenState>>, Option<Arc<WatchReport>>);

#[derive(Default)]
struct SeenState {
    records: BTreeMap<String, Record>,
    shown: Vec<Instant>,
    told: Vec<String>,
}

#[async_trait]
impl Api for Script {
    async fn send(&self, request: &Request) -> Result<Body, ApiError> {
        let began = *lock(&self.began).get_or_insert_with(Instant::now);
        let Some(answer) = lock(&self.answers).pop_front() else {
            self.over.cancel();
            return futures::future::pending().await;
        };
        lock(&self.requests).push((began.elapsed(), request.call.clone()));
        match answer {
            Answer::Body(pieces, end) => Ok(body(pieces, end)),
            Answer::Refused(code) => Err(ApiError::Refused(Refusal {
                code,
                ..Refusal::default()
            })),
            Answer::Busy(wait) => Err(ApiError::Refused(Refusal {
                code: 429,
                retry_after: Some(wait),
                ..Refusal::default()
            })),
            Answer::Unreachable => Err(ApiError::Transport("connection refused".to_owned())),
            Answer::Silence => futures::future::pending().await,
        }
    }
}

fn body(pieces: Vec<(Duration, String)>, end: BodyEnd) -> Body {
    let pieces = stream::iter(pieces).then(|(wait, piece)| async move {
        if !wait.is_zero() {
            sleep(wait).await;
        }
        Ok(Bytes::from(piece))
    });
    let end = stream::once(async move {
        match end {
            BodyEnd::Cut => Some(Err(ApiError::Transport("connection reset".to_owned()))),
            BodyEnd::Closed => None,
            BodyEnd::Open => futures::future::pending().await,
        }
    })
    .filter_map(futures::future::ready);
    pieces.chain(end).boxed()
}

impl Consumer for Seen {
    fn changed(&mut self, key: &ObjectKey, record: &Record) {
        let mut state = lock(&self.0);
        state.told.push(format!("+{}", key.source()));
        state
            .records
            .insert(key.source().to_string(), record.clone());
    }

    fn gone(&mut self, key: &ObjectKey) {
        let mut state = lock(&self.0);
        state.told.push(format!("-{}", key.source()));
        let known = state.records.remove(&*key.source());
        assert!(known.is_some(), "{key:?} is gone and was not there");
    }

    fn publish(&mut self, read_at: Instant) {
        lock(&self.0).shown.push(read_at);
    }

    fn synced(&mut self) {
        if let Some(report) = &self.1 {
            report.synced();
        }
    }

    fn answered(&mut self) {
        if let Some(report) = &self.1 {
            report.success();
        }
    }

    fn failed(&mut self, problem: &Problem) {
        if let Some(report) = &self.1 {
            report.problem(problem.text.clone());
        }
    }
}

impl Seen {
    fn reporting(report: WatchReport) -> Self {
        Self(Arc::default(), Some(Arc::new(report)))
    }

    fn names(&self) -> Vec<String> {
        lock(&self.0)
            .records
            .keys()
            .map(|key| key.trim_start_matches("pod/ns/").to_owned())
            .collect()
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0).told)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A driver that runs against a script for some time.
struct Run {
    seen: Seen,
    kept: SharedKept<Seen>,
    script: Arc<Script>,
    metrics: KubernetesMetrics,
    status: periplus_discovery::ProviderStatus,
}

impl Run {
    fn calls(&self) -> Vec<Call> {
        lock(&self.script.requests)
            .iter()
            .map(|(_, call)| call.clone())
            .collect()
    }

    fn times(&self) -> Vec<Duration> {
        lock(&self.script.requests)
            .iter()
            .map(|(at, _)| *at)
            .collect()
    }

    /// The calls in short: `list`, `list after T`, `list whole`, `watch after V`.
    fn shape(&self) -> Vec<String> {
        let short = |call: &Call| match call {
            Call::List { limit: None, .. } => "list whole".to_owned(),
            Call::List {
                continue_token: None,
                ..
            } => "list".to_owned(),
            Call::List {
                continue_token: Some(token),
                ..
            } => format!("list after {token}"),
            Call::Watch {
                resource_version, ..
            } => format!("watch after {resource_version}"),
        };
        self.calls().iter().map(short).collect()
    }
}

async fn run_for(time: Duration, answers: impl IntoIterator<Item = Answer>) -> Run {
    let script = Arc::new(Script {
        answers: Mutex::new(answers.into_iter().collect()),
        ..Script::default()
    });
    let metrics = KubernetesMetrics::default();
    let (updates, probe) = Updates::testing();
    let report = Progress::begin(updates, vec!["list of `pods`".to_owned()]).remove(0);
    let seen = Seen::reporting(report);
    let collection = Collection {
        group_path: "/api/v1".into(),
        plural: "pods".into(),
        ..Collection::default()
    };
    let api: Arc<dyn Api> = Arc::clone(&script) as Arc<dyn Api>;
    let kept = SharedKept::new(seen.clone());
    let driver = Driver::new(api, Pod::default(), collection, kept.clone(), gate(), metrics.clone());
    // Either ends the run: the script, or the time.
    let _ = timeout(time, driver.run(script.over.clone())).await;
    Run {
        seen,
        kept,
        script,
        metrics,
        status: probe.status(),
    }
}

/// Room for one whole state at a time.
fn gate() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(1))
}

/// A Pod `ns/<name>` whose content is told apart by its address.
fn pod(name: &str, version: u64, ip: &str) -> Value {
    json!({
        "metadata": {"namespace": "ns", "name": name, "uid": name, "resourceVersion": version.to_string()},
        "status": {"podIP": ip},
    })
}

fn list_text(version: &str, token: &str, items: &[Value]) -> String {
    json!({
        "kind": "PodList", "apiVersion": "v1",
        "metadata": {"resourceVersion": version, "continue": token},
        "items": items,
    })
    .to_string()
}

fn list(version: u64, items: &[Value]) -> Answer {
    page(version, "", items)
}

fn page(version: u64, token: &str, items: &[Value]) -> Answer {
    whole(list_text(&version.to_string(), token, items))
}

fn whole(text: String) -> Answer {
    Answer::Body(vec![(Duration::ZERO, text)], BodyEnd::Closed)
}

fn event(kind: &str, object: &Value) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

fn bookmark(version: u64) -> String {
    event(
        "BOOKMARK",
        &json!({"kind": "Pod", "metadata": {"resourceVersion": version.to_string()}}),
    )
}

fn error(code: u16) -> String {
    event(
        "ERROR",
        &json!({"kind": "Status", "code": code, "message": "scripted"}),
    )
}

/// A watch that sends lines at once and stays open.
fn watch(lines: &[String]) -> Answer {
    Answer::Body(vec![(Duration::ZERO, lines.concat())], BodyEnd::Open)
}

/// A watch that sends lines, lasts for some time, and ends.
fn watch_until(end: BodyEnd, lasts: Duration, lines: &[String]) -> Answer {
    let pieces = vec![(Duration::ZERO, lines.concat()), (lasts, String::new())];
    Answer::Body(pieces, end)
}

const SHORT: Duration = Duration::from_mins(1);
