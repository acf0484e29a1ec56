//! Files for `file_sd`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use periplus_serve::{FileFormat, SdFiles, ServeMetrics, write_files};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Host, group, job};

const PATIENCE: Duration = Duration::from_secs(20);

fn files(directory: &Path) -> SdFiles {
    SdFiles {
        directory: directory.to_owned(),
        format: FileFormat::Json,
        shards: 1,
    }
}

/// Writes until the guard is dropped.
fn start(host: &Host, files: SdFiles) -> DropGuard {
    files.prepare().unwrap();
    let stop = CancellationToken::new();
    let metrics = ServeMetrics::register(&mut Registry::default());
    tokio::spawn(write_files(host.manager(), files, metrics, stop.clone()));
    stop.drop_guard()
}

/// All lists in a folder by name, as the addresses in them.
fn lists(directory: &Path) -> BTreeMap<String, Vec<String>> {
    let mut lists = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with('.') {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(entry.path()) else {
            // Removed since the folder was read.
            continue;
        };
        // Never half of a file, never an empty one.
        let list: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{name}: {text}"));
        let targets = list.as_array().unwrap().iter();
        let targets = targets.map(|it| it["targets"][0].as_str().unwrap().to_owned());
        lists.insert(name, targets.collect());
    }
    lists
}

fn expected(of: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    of.iter()
        .map(|(name, all)| {
            (
                (*name).to_owned(),
                all.iter().map(|&it| it.to_owned()).collect(),
            )
        })
        .collect()
}

async fn until(directory: &Path, wanted: &BTreeMap<String, Vec<String>>) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = lists(directory);
        if found == *wanted {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{found:?} is not {wanted:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn files_follow_their_jobs_and_removed_jobs_lose_theirs() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("foreign.json"), "[]").unwrap();
    let foreign = ("foreign.json", &[][..]);
    let host = Host::start();
    let _writing = start(&host, files(home.path()));
    host.apply([job("a/b", &[]), job("pods", &[])]).await;
    host.deliver("a/b", &[group("a", &[("a:1", "x")])]).await;
    until(home.path(), &expected(&[foreign, ("a%2Fb.json", &["a:1"])])).await;
    // Known, and nothing there.
    host.deliver("pods", &[]).await;
    until(
        home.path(),
        &expected(&[foreign, ("a%2Fb.json", &["a:1"]), ("pods.json", &[])]),
    )
    .await;
    host.updates("pods")
        .await
        .apply(group("p", &[("p:1", "x"), ("p:2", "x")]));
    until(
        home.path(),
        &expected(&[
            foreign,
            ("a%2Fb.json", &["a:1"]),
            ("pods.json", &["p:1", "p:2"]),
        ]),
    )
    .await;
    let list = std::fs::read(home.path().join("pods.json")).unwrap();
    let served = host.get("/sd/pods").await;
    assert_eq!(list, [&served.body[..], b"\n"].concat());
    host.apply([job("pods", &[])]).await;
    until(
        home.path(),
        &expected(&[foreign, ("pods.json", &["p:1", "p:2"])]),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn files_of_an_earlier_run_stand_until_their_job_is_known() {
    let home = tempfile::tempdir().unwrap();
    {
        let host = Host::start();
        let _writing = start(&host, files(home.path()));
        host.apply([job("pods", &[]), job("gone", &[])]).await;
        host.deliver("pods", &[group("p", &[("p:1", "x")])]).await;
        host.deliver("gone", &[group("g", &[("g:1", "x")])]).await;
        until(
            home.path(),
            &expected(&[("gone.json", &["g:1"]), ("pods.json", &["p:1"])]),
        )
        .await;
    }
    // What a kill in the middle of a write leaves.
    let half = home.path().join(".pods.json.tmp");
    std::fs::write(&half, "[{").unwrap();
    let host = Host::start();
    let shards = SdFiles {
        shards: 2,
        ..files(home.path())
    };
    let _writing = start(&host, shards);
    // No configuration yet: nothing is touched.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(lists(home.path()).len(), 2);
    host.apply([job("pods", &[]), job("new", &[])]).await;
    // A job that is gone loses its file; one that is not known yet keeps it.
    until(home.path(), &expected(&[("pods.json", &["p:1"])])).await;
    host.deliver("pods", &[group("p", &[("p:1", "x")])]).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let parted = loop {
        let found = lists(home.path());
        if !found.contains_key("pods.json") {
            break found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{found:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let names: Vec<&str> = parted.keys().map(String::as_str).collect();
    assert_eq!(names, ["pods.0-of-2.json", "pods.1-of-2.json"]);
    assert!(!half.exists());
    assert_eq!(parted.values().map(Vec::len).sum::<usize>(), 1);
}

#[tokio::test(start_paused = true)]
async fn folder_that_comes_and_goes_is_written_to_again() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sd");
    let host = Host::start();
    let yaml = SdFiles {
        format: FileFormat::Yaml,
        ..files(&folder)
    };
    let _writing = start(&host, yaml);
    host.serve(job("pods", &[]), &[group("p", &[("p:1", "x")])])
        .await;
    until(&folder, &expected(&[("pods.yaml", &["p:1"])])).await;
    std::fs::rename(&folder, home.path().join("away")).unwrap();
    host.updates("pods")
        .await
        .apply(group("p", &[("p:2", "x")]));
    host.until("pods", |job| {
        let group = job.groups.values().next().unwrap().discovered().group();
        group.targets[0].get("__address__") == Some("p:2")
    })
    .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    std::fs::rename(home.path().join("away"), &folder).unwrap();
    until(&folder, &expected(&[("pods.yaml", &["p:2"])])).await;
}

#[tokio::test(start_paused = true)]
async fn record_that_cannot_be_read_removes_nothing() {
    let home = tempfile::tempdir().unwrap();
    for record in [
        "{",
        r#"{"files": {"../outside.json": "gone", "/etc/x": "gone"}}"#,
    ] {
        std::fs::write(home.path().join(".periplus-files"), record).unwrap();
        let folder = home.path().join("sd");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(home.path().join("outside.json"), "[]").unwrap();
        std::fs::copy(
            home.path().join(".periplus-files"),
            folder.join(".periplus-files"),
        )
        .unwrap();
        let host = Host::start();
        let _writing = start(&host, files(&folder));
        host.serve(job("pods", &[]), &[group("p", &[("p:1", "x")])])
            .await;
        until(&folder, &expected(&[("pods.json", &["p:1"])])).await;
        assert!(home.path().join("outside.json").exists());
    }
}
