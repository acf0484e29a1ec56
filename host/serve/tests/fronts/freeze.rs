//! A job whose targets an operator holds.

use periplus_discovery::{Snapshot, Stage};

use crate::support::{Answer, Host, group, job};

async fn host() -> Host {
    let host = Host::start();
    host.apply([job("web", &[]), job("a/b", &[]), job("waiting", &[])])
        .await;
    for job in ["web", "a/b"] {
        host.deliver(job, &[group("a", &[("10.0.0.1:80", "east")])])
            .await;
        host.until(job, |snapshot| snapshot.known).await;
    }
    host
}

async fn post(host: &Host, path: &str) -> Answer {
    host.ask_admin("POST", path, &[("host", "127.0.0.1")]).await
}

fn has(snapshot: &Snapshot, address: &str) -> bool {
    let mut groups = snapshot.groups.values();
    groups.any(|it| String::from_utf8_lossy(&it.segment(Stage::Final)).contains(address))
}

#[tokio::test]
async fn a_frozen_job_keeps_its_targets_and_goes_on_with_the_newest() {
    let host = host().await;
    let before = host.get("/sd/web").await;
    let answer = post(&host, "/api/v1/jobs/web/freeze").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    host.deliver("web", &[group("a", &[("10.0.0.2:80", "east")])])
        .await;
    host.deliver("a/b", &[group("a", &[("10.0.0.3:80", "east")])])
        .await;
    // Another job, which is not frozen, has its change.
    host.until("a/b", |it| has(it, "10.0.0.3:80")).await;
    assert_eq!(host.get("/sd/web").await.text(), before.text());
    let status = host.get("/api/v1/status/jobs").await.json();
    let since = |name: &str| {
        let jobs = status["data"]["jobs"].as_array().unwrap();
        let found = jobs.iter().find(|it| it["name"] == name).unwrap();
        found["frozenSince"].is_string()
    };
    assert!(since("web") && !since("a/b"));

    assert_eq!(post(&host, "/api/v1/jobs/web/thaw").await.status, 200);
    host.until("web", |it| has(it, "10.0.0.2:80")).await;
    let after = host.get("/sd/web").await;
    assert!(!after.text().contains("10.0.0.1:80"), "{}", after.text());
}

#[tokio::test]
async fn freezing_what_cannot_be_frozen_says_why() {
    let host = host().await;
    assert_eq!(post(&host, "/api/v1/jobs/a/b/freeze").await.status, 200);
    assert_eq!(post(&host, "/api/v1/jobs/a%2Fb/thaw").await.status, 200);
    for (path, status, text) in [
        ("/api/v1/jobs/none/freeze", 404, "there is no job `none`"),
        ("/api/v1/jobs/waiting/freeze", 503, "not known yet"),
        ("/api/v1/jobs/web/melt", 404, "no such path"),
        ("/api/v1/jobs/web", 404, "no such path"),
    ] {
        let answer = post(&host, path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
    }
    let path = "/api/v1/jobs/web/freeze";
    let reading = host.ask_admin("GET", path, &[("host", "127.0.0.1")]).await;
    assert_eq!(reading.status, 405);
    assert_eq!(
        host.ask("POST", path, &[]).await.status,
        404,
        "readers freeze nothing"
    );
}
