//! When the host says that it is ready.

use std::time::Duration;

use periplus_discovery::{Directory, Readiness, readiness};

use crate::support::{Host, fixed, group, job, mock};

#[tokio::test(start_paused = true)]
async fn nothing_is_ready_before_a_configuration_was_applied() {
    let readiness = Readiness::new(Duration::from_mins(2));
    let (ready, missing) = readiness.check(&Directory::default());
    assert!(!ready);
    assert_eq!(missing, ["no configuration was applied yet"]);
}

#[tokio::test(start_paused = true)]
async fn ready_once_every_job_is_known_and_never_false_again() {
    let host = Host::start();
    let directory = || host.handle.directory().borrow().clone();
    host.apply(vec![
        job("quick", vec![fixed(&[&["a:1"]])]),
        job("slow", vec![mock("m")]),
    ])
    .await;
    host.wait_addresses("quick", &["a:1"]).await;
    let ready = Readiness::new(Duration::from_mins(2));
    let updates = host.mocks.updates("m").await;
    updates.waiting_for(Some("list of `pods`".to_owned()));
    host.wait("slow", |snapshot| snapshot.missing[0].contains("list of"))
        .await;
    let missing = vec!["slow: `mock/1`: waiting for list of `pods`".to_owned()];
    assert_eq!(ready.check(&directory()), (false, missing));
    updates.replace(vec![group("0", &["b:1"])]);
    host.wait_addresses("slow", &["b:1"]).await;
    assert_eq!(ready.check(&directory()), (true, Vec::new()));
    host.apply(vec![job("later", vec![mock("n")])]).await;
    let (is_ready, missing) = ready.check(&directory());
    assert!(is_ready, "a reload must not make it unready");
    assert_eq!(missing.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn ready_after_the_timeout_with_what_is_missing() {
    let host = Host::start();
    host.apply(vec![job("dead", vec![mock("m")])]).await;
    host.mocks.updates("m").await.failure("connection refused");
    host.wait("dead", |snapshot| !snapshot.missing.is_empty())
        .await;
    let ready = Readiness::new(Duration::from_mins(2));
    let directory = host.handle.directory().borrow().clone();
    tokio::time::sleep(Duration::from_secs(119)).await;
    assert!(!ready.check(&directory).0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (is_ready, missing) = ready.check(&directory);
    assert!(is_ready);
    assert_eq!(missing, ["dead: `mock/0`: connection refused"]);
    assert_eq!(readiness(&directory), missing);
}
