//! A provider whose source an operator wants to be asked now.

use std::time::Duration;

use crate::support::{Host, group, job};

const LOCAL: [(&str, &str); 1] = [("host", "127.0.0.1")];

#[tokio::test(start_paused = true)]
async fn a_source_is_asked_before_it_is_due() {
    let host = Host::start();
    host.serve(job("web", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    let updates = host.updates("web").await;
    let hour = tokio::time::Instant::now() + Duration::from_hours(1);
    let waiting = tokio::spawn(async move { updates.until(hour).await });
    while host.get("/api/v1/providers").await.json()["data"]["providers"][0]["next_refresh"]
        .is_null()
    {
        tokio::task::yield_now().await;
    }
    let page = host.ask_admin("GET", "/providers", &LOCAL).await;
    let form = "action=\"/api/v1/providers/told/0/refresh\"";
    assert!(page.text().contains(form), "{}", page.text());
    let page = host.get("/providers").await;
    assert!(!page.text().contains(form), "readers change nothing");
    assert!(page.text().contains("in 59 min"), "{}", page.text());

    for path in [
        "/api/v1/providers/told/0/refresh",
        "/api/v1/providers/told%2F0/refresh",
    ] {
        let answer = host.ask_admin("POST", path, &LOCAL).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    waiting.await.unwrap();
    assert!(tokio::time::Instant::now() < hour);
}

#[tokio::test]
async fn what_cannot_be_asked_says_why() {
    let host = Host::start();
    host.serve(job("web", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    for (path, status, text) in [
        (
            "/api/v1/providers/told/0/refresh",
            409,
            "follows its source by itself",
        ),
        (
            "/api/v1/providers/told/7/refresh",
            404,
            "no provider of this name",
        ),
        ("/api/v1/providers/told/0", 404, "no such path"),
    ] {
        let answer = host.ask_admin("POST", path, &LOCAL).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
        assert_eq!(
            host.ask("POST", path, &[]).await.status,
            404,
            "on the admin listener alone"
        );
    }
}
