//! A proxy before Periplus that does mischief, so that the harness can prove that it notices.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT as USER_AGENT_HEADER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::Client;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::steady::USER_AGENT;

/// What the proxy does to lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// Nothing.
    None,
    /// This label is missing from every target.
    DropLabel(&'static str),
    /// This label has this value on every target that has it.
    WrongLabel(&'static str, &'static str),
    /// This label keeps the first value that was seen on a target of this address.
    KeepLabel(&'static str),
    /// Targets with this value of this label are missing, always.
    Lose(&'static str, &'static str),
    /// From some time on, every list stays as it is.
    Freeze,
    /// From some time on, every list is this old.
    Delay(Duration),
    /// From some time on, one list in ten lacks a target, and only the reader between comparisons gets it.
    Gap,
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    mischief: Mischief,
    armed: AtomicBool,
    backend: String,
    client: Client,
    requests: AtomicU64,
    /// What each path answered, and when.
    past: Mutex<HashMap<String, Vec<(Instant, Answer)>>>,
    /// The first value of a label that each target had.
    first: Mutex<HashMap<String, Value>>,
}

#[derive(Clone, Debug)]
struct Answer {
    code: StatusCode,
    body: Bytes,
}

// === impl Proxy ===

impl Proxy {
    /// Starts to listen before `backend`.
    pub async fn start(backend: &str, mischief: Mischief) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            mischief,
            armed: AtomicBool::new(false),
            backend: backend.to_owned(),
            client: Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(10))
                .build()?,
            requests: AtomicU64::new(0),
            past: Mutex::default(),
            first: Mutex::default(),
        });
        let task = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self { url, shared, task })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Mischief that begins at some time begins now.
    pub fn arm(&self) {
        self.shared.armed.store(true, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(shared.clone(), request));
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // A client that goes away is no event.
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |p| p.as_str())
        .to_owned();
    let by_reader = request
        .headers()
        .get(USER_AGENT_HEADER)
        .is_some_and(|value| value.as_bytes() == USER_AGENT.as_bytes());
    let answer = shared.mischief(&path, by_reader).await;
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

// === impl Shared ===

impl Shared {
    async fn fetch(&self, path: &str) -> Answer {
        let answer = self
            .client
            .get(format!("{}{path}", self.backend))
            .send()
            .await;
        let bad = Answer {
            code: StatusCode::BAD_GATEWAY,
            body: Bytes::new(),
        };
        let Ok(answer) = answer else { return bad };
        let code = answer.status();
        answer
            .bytes()
            .await
            .map_or(bad, |body| Answer { code, body })
    }

    async fn mischief(&self, path: &str, by_reader: bool) -> Answer {
        let answer = self.fetch(path).await;
        let armed = self.armed.load(Ordering::Relaxed);
        match self.mischief {
            Mischief::DropLabel(name) => edited(answer, |entries| {
                for entry in entries {
                    if let Some(labels) = entry["labels"].as_object_mut() {
                        labels.shift_remove(name);
                    }
                }
            }),
            Mischief::WrongLabel(name, value) => edited(answer, |entries| {
                for entry in entries {
                    if let Some(label) = entry["labels"].get_mut(name) {
                        *label = value.into();
                    }
                }
            }),
            Mischief::KeepLabel(name) => edited(answer, |entries| self.keep(name, path, entries)),
            Mischief::Lose(name, value) => edited(answer, |entries| {
                entries.retain(|entry| entry["labels"][name] != value);
            }),
            Mischief::Gap if armed && by_reader => {
                if self.requests.fetch_add(1, Ordering::Relaxed) % 10 == 5 {
                    edited(answer, |entries| drop(entries.pop()))
                } else {
                    answer
                }
            }
            Mischief::Freeze => self.past(path, answer, armed.then_some(Duration::MAX)),
            Mischief::Delay(delay) => self.past(path, answer, armed.then_some(delay)),
            Mischief::None | Mischief::Gap => answer,
        }
    }

    fn keep(&self, name: &str, path: &str, entries: &mut [Value]) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            let key = format!("{path} {}", entry["targets"]);
            if let Some(label) = entry["labels"].get_mut(name) {
                *label = first.entry(key).or_insert_with(|| label.clone()).clone();
            }
        }
    }

    /// Remembers an answer. With an age, the newest answer that is at least so old takes its place, or
    /// else the oldest.
    fn past(&self, path: &str, answer: Answer, age: Option<Duration>) -> Answer {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = past.entry(path.to_owned()).or_default();
        let Some(age) = age else {
            // Before it begins, the last answer is all that matters.
            answers.clear();
            answers.push((Instant::now(), answer.clone()));
            return answer;
        };
        answers.push((Instant::now(), answer));
        let old = answers
            .iter()
            .rposition(|(at, _)| at.elapsed() >= age)
            .unwrap_or(0);
        answers.drain(..old);
        answers[0].1.clone()
    }
}

/// An answer with its list changed; what is no list stays as it is.
fn edited(answer: Answer, edit: impl FnOnce(&mut Vec<Value>)) -> Answer {
    match serde_json::from_slice::<Vec<Value>>(&answer.body) {
        Ok(mut entries) if answer.code.is_success() => {
            edit(&mut entries);
            Answer {
                body: Bytes::from(Value::Array(entries).to_string()),
                ..answer
            }
        }
        _ => answer,
    }
}
