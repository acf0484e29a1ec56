//! What was known survives the process, and the source has the last word.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use periplus_discovery::{DiscoveryMetrics, ManagerOptions, Snapshot, StateDir};

use crate::support::{Host, addresses, group, job, mock, settle};

fn host(folder: &Path) -> Host {
    let state = StateDir::open(folder, StateDir::DEFAULT_MAX_STALE_AGE).unwrap();
    Host::start_as(ManagerOptions {
        metrics: DiscoveryMetrics::default(),
        state: Some(Arc::new(state)),
    })
}

/// A host that once knew these groups, each of one target, in section `m` of job `web`, and ended.
async fn knew(folder: &Path, groups: &[(&str, &str)]) {
    let host = host(folder);
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(groups.iter().map(|(s, a)| group(s, &[a])).collect());
    host.wait("web", |snapshot| snapshot.known).await;
    host.stop().await;
}

async fn starts_again(folder: &Path) -> (Host, Arc<Snapshot>) {
    let host = host(folder);
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let snapshot = host.wait("web", |snapshot| snapshot.known).await;
    (host, snapshot)
}

#[tokio::test(start_paused = true)]
async fn a_start_serves_what_was_known_until_the_source_answers() {
    let folder = tempfile::tempdir().unwrap();
    knew(folder.path(), &[("s1", "a:1"), ("s2", "b:1")]).await;
    let (host, snapshot) = starts_again(folder.path()).await;
    assert_eq!(addresses(&snapshot), ["a:1", "b:1"]);
    assert!(snapshot.stale.is_some() && snapshot.is_servable());
    let status = &host.handle.providers()[0];
    assert!(!status.synced && status.stale_since.is_some());
    host.mocks.updates("m").await.failure("down");
    settle().await;
    assert_eq!(addresses(&host.now("web")), ["a:1", "b:1"]);
    assert!(host.now("web").stale.is_some());

    // Piece by piece, nothing vanishes before the source is known as a whole.
    let updates = host.mocks.updates("m").await;
    updates.apply(group("s1", &["a:2"]));
    let snapshot = host.wait_addresses("web", &["a:2", "b:1"]).await;
    assert!(snapshot.stale.is_some());
    updates.synced();
    let snapshot = host.wait_addresses("web", &["a:2"]).await;
    assert_eq!(snapshot.stale, None);
    assert_eq!(host.handle.providers()[0].stale_since, None);
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_confirms_everything_is_no_longer_stale() {
    let folder = tempfile::tempdir().unwrap();
    knew(folder.path(), &[("s1", "a:1")]).await;
    let (host, stale) = starts_again(folder.path()).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group("s1", &["a:1"])]);
    let fresh = host.wait("web", |snapshot| snapshot.stale.is_none()).await;
    assert_eq!(addresses(&fresh), ["a:1"]);
    assert_eq!(fresh.version, stale.version);
}

#[tokio::test(start_paused = true)]
async fn groups_that_could_not_be_read_stay_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    knew(
        folder.path(),
        &[("s1", "a:1"), ("s2", "b:1"), ("s3", "c:1")],
    )
    .await;
    let (host, _) = starts_again(folder.path()).await;
    let updates = host.mocks.updates("m").await;
    updates.replace_except(vec![group("s1", &["a:2"])], &["s2".into()]);
    let snapshot = host.wait_addresses("web", &["a:2", "b:1"]).await;
    assert_eq!(snapshot.stale, None);
}

#[tokio::test(start_paused = true)]
async fn another_section_has_no_state() {
    let folder = tempfile::tempdir().unwrap();
    knew(folder.path(), &[("s1", "a:1")]).await;
    let host = host(folder.path());
    host.apply(vec![job("web", vec![mock("other")])]).await;
    settle().await;
    assert!(!host.now("web").known);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_known_when_each_of_its_sections_is() {
    let folder = tempfile::tempdir().unwrap();
    knew(folder.path(), &[("s1", "a:1")]).await;
    let host = host(folder.path());
    host.apply(vec![job("web", vec![mock("m"), mock("new")])])
        .await;
    settle().await;
    assert!(!host.now("web").known);
    host.mocks
        .updates("new")
        .await
        .replace(vec![group("n", &["n:1"])]);
    let snapshot = host.wait_addresses("web", &["a:1", "n:1"]).await;
    assert!(snapshot.stale.is_some(), "one of two is from disk");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answered_leaves_its_state_alone() {
    let folder = tempfile::tempdir().unwrap();
    knew(folder.path(), &[("s1", "a:1")]).await;
    for _ in 0..2 {
        let (host, snapshot) = starts_again(folder.path()).await;
        assert_eq!(addresses(&snapshot), ["a:1"]);
        host.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_on_disk_a_minute_later() {
    let folder = tempfile::tempdir().unwrap();
    knew(folder.path(), &[("s1", "a:1")]).await;
    let first = host(folder.path());
    first.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = first.mocks.updates("m").await;
    updates.replace(vec![group("s1", &["a:2"])]);
    tokio::time::sleep(Duration::from_mins(2)).await;
    // As if it had been killed: it goes on, and nobody asks it to write.
    let (_host, snapshot) = starts_again(folder.path()).await;
    assert_eq!(addresses(&snapshot), ["a:2"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_still_true_does_not_grow_old() {
    let folder = tempfile::tempdir().unwrap();
    knew(folder.path(), &[("s1", "a:1")]).await;
    let file = fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let modified = || fs::metadata(&file).unwrap().modified().unwrap();
    let (host, _) = starts_again(folder.path()).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group("s1", &["a:1"])]);
    updates.success();
    tokio::time::sleep(Duration::from_mins(2)).await;
    let yesterday = SystemTime::now() - Duration::from_hours(23);
    let set = || {
        File::options()
            .append(true)
            .open(&file)
            .unwrap()
            .set_modified(yesterday)
    };
    set().unwrap();
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(modified() > yesterday, "the source answers");
    set().unwrap();
    updates.failure("down");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(modified(), yesterday, "the source fails");
}
