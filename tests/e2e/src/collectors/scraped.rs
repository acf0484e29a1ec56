//! Targets that note who scrapes them, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The header in which a collector says who it is.
pub(super) const COLLECTOR: &str = "x-collector";
/// The path that only a relabel rule leads to.
pub(super) const PATH: &str = "/relabelled";

/// The targets: addresses of loopback with one port.
#[derive(Debug)]
pub(super) struct Targets {
    names: BTreeSet<String>,
    port: u16,
    scrapes: Arc<Mutex<Vec<Scrape>>>,
    task: JoinHandle<()>,
}

#[derive(Clone, Debug)]
struct Scrape {
    at: Instant,
    target: String,
    collector: String,
    path: String,
}

/// Each target's collector.
pub(super) type Owners = BTreeMap<String, String>;

// === impl Targets ===

impl Targets {
    /// Starts so many targets.
    pub(super) async fn start(count: u8) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let port = listener.local_addr()?.port();
        let names = (1..=count).map(|n| format!("127.0.1.{n}:{port}"));
        let scrapes = Arc::<Mutex<Vec<Scrape>>>::default();
        let task = tokio::spawn(serve(listener, Arc::clone(&scrapes)));
        Ok(Self {
            names: names.collect(),
            port,
            scrapes,
            task,
        })
    }

    /// Their addresses.
    pub(super) fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// The address of a target that must never be scraped.
    pub(super) fn forbidden(&self) -> String {
        format!("127.0.2.1:{}", self.port)
    }

    /// Who scraped each target lately; an error if it was nobody, or more than one.
    pub(super) fn owners(&self, lately: Duration) -> anyhow::Result<Owners> {
        let since = Instant::now() - lately;
        let mut owners = Owners::new();
        for scrape in self.lock().iter().filter(|scrape| scrape.at >= since) {
            let Scrape {
                target, collector, ..
            } = scrape;
            let owner = owners
                .entry(target.clone())
                .or_insert_with(|| collector.clone());
            ensure!(
                owner == collector,
                "{target} is scraped by {owner} and {collector}"
            );
        }
        let lost = self.names.iter().find(|name| !owners.contains_key(*name));
        ensure!(lost.is_none(), "{lost:?} is scraped by nobody");
        Ok(owners)
    }

    /// The longest time between two scrapes of one target since then.
    pub(super) fn longest_gap(&self, since: Instant) -> (Duration, String) {
        let now = Instant::now();
        let scrapes = self.lock();
        let gaps = self.names.iter().map(|name| {
            let of_target = scrapes
                .iter()
                .filter(|it| it.target == *name && it.at >= since);
            let times: Vec<Instant> = of_target.map(|scrape| scrape.at).chain([now]).collect();
            let first = times.first().map(|first| *first - since);
            let gaps = times.windows(2).map(|pair| pair[1] - pair[0]).chain(first);
            (gaps.max().unwrap_or_default(), name.clone())
        });
        gaps.max().unwrap_or_default()
    }

    /// The longest time in which two collectors scraped one target since then.
    pub(super) fn longest_overlap(&self, since: Instant) -> (Duration, String) {
        let mut times = BTreeMap::<&String, BTreeMap<&String, (Instant, Instant)>>::new();
        let scrapes = self.lock();
        for scrape in scrapes.iter().filter(|scrape| scrape.at >= since) {
            let of_target = times.entry(&scrape.target).or_default();
            let time = of_target
                .entry(&scrape.collector)
                .or_insert((scrape.at, scrape.at));
            time.1 = scrape.at;
        }
        let overlaps = times.iter().flat_map(|(target, collectors)| {
            let all: Vec<_> = collectors.values().copied().collect();
            let pairs = all.iter().enumerate().flat_map(|(index, one)| {
                let rest = all[index + 1..].iter();
                rest.map(|other| {
                    one.1
                        .min(other.1)
                        .saturating_duration_since(one.0.max(other.0))
                })
                .collect::<Vec<_>>()
            });
            pairs
                .map(|overlap| (overlap, (*target).clone()))
                .collect::<Vec<_>>()
        });
        overlaps.max().unwrap_or_default()
    }

    /// Fails if anything was scraped that is none of the targets, or not as the rules say.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for scrape in self.lock().iter() {
            ensure!(
                self.names.contains(&scrape.target) && scrape.path == PATH,
                "{} scraped {}{}, which no rule leads to",
                scrape.collector,
                scrape.target,
                scrape.path
            );
        }
        Ok(())
    }

    /// How many scrapes there were.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Scrape>> {
        self.scrapes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, scrapes: Arc<Mutex<Vec<Scrape>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let scrapes = Arc::clone(&scrapes);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&request, &scrapes);
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // A collector that goes away is no event.
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(request: &Request<Incoming>, scrapes: &Mutex<Vec<Scrape>>) -> Response<Full<Bytes>> {
    let scrape = Scrape {
        at: Instant::now(),
        target: text(request.headers(), HOST.as_str()),
        collector: text(request.headers(), COLLECTOR),
        path: request.uri().path().to_owned(),
    };
    let mut all = scrapes.lock().unwrap_or_else(PoisonError::into_inner);
    all.push(scrape);
    let mut response = Response::new(Full::new(Bytes::from_static(b"answered 1\n")));
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or("somebody unknown").to_owned()
}
