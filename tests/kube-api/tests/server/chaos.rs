//! Chaos, and a simple client that lives through it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use periplus_kube_api::KubeApi;
use periplus_kube_api::chaos::{Chaos, ChaosOptions, Disruption, Journal};
use serde_json::Value;

use crate::client::{Http, PATIENCE, Watch};

/// Names and UIDs of Pods.
type Pods = BTreeMap<String, String>;

async fn run(seed: u64, seconds: u64) -> Journal {
    let mut api = KubeApi::start(Chaos::server()).await.unwrap();
    let chaos = Chaos::new(seed, ChaosOptions::default());
    let run = chaos.run(&mut api, Duration::from_secs(seconds)).await;
    run.unwrap()
}

fn key(object: &Value) -> Option<(String, String)> {
    let text = |pointer: &str| object.pointer(pointer)?.as_str();
    let name = format!(
        "{}/{}",
        text("/metadata/namespace")?,
        text("/metadata/name")?
    );
    Some((name, text("/metadata/uid")?.to_owned()))
}

fn pods(objects: &[Value]) -> Pods {
    let pods = objects.iter().filter(|o| o["kind"] == "Pod");
    pods.filter_map(key).collect()
}

#[tokio::test(start_paused = true)]
async fn a_seed_decides_what_happens() {
    let (first, second, other) = (run(7, 60).await, run(7, 60).await, run(8, 60).await);
    let kinds = |j: &Journal| j.disruptions.iter().map(|d| d.what).collect::<Vec<_>>();
    assert_eq!(kinds(&first), kinds(&second));
    assert_eq!(pods(&first.objects), pods(&second.objects));
    assert_ne!(kinds(&first), kinds(&other));
}

#[tokio::test(start_paused = true)]
async fn every_kind_happens_and_is_counted_and_told() {
    let journal = run(1, 60).await;
    let counts = journal.counts();
    for kind in Disruption::ALL {
        assert!(counts.contains_key(&kind), "{kind:?}");
    }
    let text = journal.to_string();
    assert_eq!(text.lines().count(), journal.disruptions.len() + 1);
    assert!(text.contains("half-open"), "{text}");
    let names: BTreeSet<_> = Disruption::ALL.iter().map(|d| d.name()).collect();
    assert_eq!(names.len(), Disruption::ALL.len());
}

#[tokio::test(start_paused = true)]
async fn lives_that_have_not_ended_are_the_final_state() {
    let journal = run(3, 120).await;
    let alive = journal.lives.iter().filter(|l| l.until.is_none());
    let alive: BTreeSet<_> = alive
        .map(|l| {
            (
                l.resource.clone(),
                l.namespace.clone(),
                l.name.clone(),
                l.object["metadata"]["uid"].clone().to_string(),
            )
        })
        .collect();
    let ends = pods(&journal.objects);
    let living: Pods = alive
        .iter()
        .filter(|(resource, ..)| resource == "v1/pods")
        .map(|(_, namespace, name, uid)| {
            (
                format!("{namespace}/{name}"),
                uid.trim_matches('"').to_owned(),
            )
        })
        .collect();
    assert_eq!(living, ends);
    assert_eq!(alive.len(), journal.objects.len());
    let whole = journal.existed_throughout(journal.started(), journal.ended());
    for life in whole {
        assert!(life.until.is_none() && !life.malformed);
    }
    assert!(journal.lives.iter().any(|l| l.until.is_some()), "some end");
    assert!(
        journal.lives.iter().any(|l| l.malformed),
        "some are spoiled"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_starts_over_at_every_trouble_ends_with_the_final_state() {
    let mut api = KubeApi::start(Chaos::server()).await.unwrap();
    let chaos = Chaos::new(5, ChaosOptions::default());
    chaos.fill(&api);
    let known = Arc::new(Mutex::new(Pods::new()));
    let client = tokio::spawn(follow(api.url(), known.clone()));
    let journal = chaos.run(&mut api, Duration::from_secs(5)).await.unwrap();
    assert_eq!(journal.counts().len(), Disruption::ALL.len(), "{journal}");
    let wanted = pods(&journal.objects);
    let reached = tokio::time::timeout(PATIENCE, async {
        while *known.lock().unwrap() != wanted {
            tokio::task::yield_now().await;
        }
    });
    let reached = reached.await.is_ok();
    client.abort();
    assert!(
        reached,
        "{journal}\n{:?}\n{wanted:?}",
        known.lock().unwrap()
    );
}

/// Lists, watches, and begins anew whenever anything is not as it should be.
async fn follow(url: String, known: Arc<Mutex<Pods>>) {
    loop {
        let http = Http::to(&url);
        // Silence is trouble too.
        let _ = once(&http, &known).await;
        tokio::task::yield_now().await;
    }
}

async fn once(http: &Http, known: &Mutex<Pods>) -> Option<()> {
    const SILENCE: Duration = Duration::from_millis(1_500);
    let patient = async |path: &str| {
        let response = http.try_send(Method::GET, path, &Value::Null);
        let response = tokio::time::timeout(SILENCE, response).await.ok()?.ok()?;
        (response.status() == 200).then_some(response)
    };
    let list = patient("/api/v1/pods").await?.into_body();
    let list = http_body_util::BodyExt::collect(list);
    let list = tokio::time::timeout(SILENCE, list)
        .await
        .ok()?
        .ok()?
        .to_bytes();
    let list: Value = serde_json::from_slice(&list).ok()?;
    let listed: Pods = list["items"].as_array()?.iter().filter_map(key).collect();
    *known.lock().unwrap() = listed;
    let version = list["metadata"]["resourceVersion"].as_str()?;
    let path = format!("/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion={version}");
    let mut watch = Watch::new(patient(&path).await?);
    loop {
        let line = tokio::time::timeout(SILENCE, watch.line())
            .await
            .ok()?
            .ok()??;
        let event: Value = serde_json::from_str(&line).ok()?;
        match (event["type"].as_str()?, key(&event["object"])) {
            ("ADDED" | "MODIFIED", Some((name, uid))) => {
                known.lock().unwrap().insert(name, uid);
            }
            ("DELETED", Some((name, _))) => {
                known.lock().unwrap().remove(&name);
            }
            ("BOOKMARK", _) => {}
            _ => return None,
        }
    }
}
