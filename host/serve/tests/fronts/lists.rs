//! `/sd/{job}`: which lists are served, and what they hold.

use std::sync::Arc;
use std::time::Duration;

use periplus_core::{LabelSet, TargetGroup};

use crate::support::{Host, drop_rule, group, job, rule};

const ZONE: &str = "__meta_zone";

fn three_groups() -> [Arc<TargetGroup>; 3] {
    [
        group("c", &[("10.0.0.3:80", "west")]),
        group("a", &[("10.0.0.1:80", "east"), ("10.0.0.9:80", "moon")]),
        group("b", &[("10.0.0.2:80", "we\"st\u{1f30a}")]),
    ]
}

#[tokio::test]
async fn final_list_is_ordered_by_source_and_keeps_no_meta_labels() {
    let host = Host::start();
    let zone = rule(serde_json::json!({"source_labels": [ZONE], "target_label": "zone"}));
    host.serve(
        job("pods", &[drop_rule(ZONE, "moon"), zone]),
        &three_groups(),
    )
    .await;
    let answer = host.get("/sd/pods").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.header("content-length"),
        answer.body.len().to_string()
    );
    assert_eq!(answer.header("vary"), "accept-encoding");
    assert_eq!(answer.header("cache-control"), "no-cache");
    insta::assert_snapshot!("final", answer.text());
}

#[tokio::test]
async fn earlier_stages_show_what_the_provider_said() {
    let host = Host::start();
    host.serve(job("pods", &[drop_rule(ZONE, "moon")]), &three_groups())
        .await;
    let discovered = host.get("/sd/pods?stage=discovered").await;
    insta::assert_snapshot!("discovered", discovered.text());
    let transformed = host.get("/sd/pods?stage=transformed").await;
    assert_eq!(transformed.text(), discovered.text());
    assert_eq!(
        host.get("/sd/pods?stage=final").await.body,
        host.get("/sd/pods").await.body
    );
    assert_ne!(host.get("/sd/pods").await.body, discovered.body);
}

#[tokio::test]
async fn body_does_not_depend_on_the_order_of_arrival() {
    let [c, a, b] = three_groups();
    let (one, other) = (Host::start(), Host::start());
    one.serve(
        job("pods", &[]),
        &[Arc::clone(&c), Arc::clone(&a), Arc::clone(&b)],
    )
    .await;
    other.serve(job("pods", &[]), &[b]).await;
    let updates = other.updates("pods").await;
    updates.apply(a);
    updates.apply(c);
    other
        .until("pods", |snapshot| snapshot.groups.len() == 3)
        .await;
    for stage in ["final", "transformed", "discovered"] {
        let path = format!("/sd/pods?stage={stage}");
        let (left, right) = (one.get(&path).await, other.get(&path).await);
        assert_eq!(left.text(), right.text());
        assert_eq!(left.header("etag"), right.header("etag"));
    }
}

#[tokio::test]
async fn names_with_slashes_and_percent_signs_are_found() {
    let host = Host::start();
    let names = [
        "a/b/c", "a%2Fb", "a b", "/lead", "ümlaut", "100%", "q?x=1", "dots..", "a+b",
    ];
    host.apply(names.map(|name| job(name, &[]))).await;
    for name in names {
        host.deliver(name, &[group(name, &[(&format!("{}:1", name.len()), "x")])])
            .await;
        host.until(name, |snapshot| snapshot.known).await;
    }
    let cases = [
        ("/sd/a/b/c", "a/b/c"),
        ("/sd/a%2Fb%2fc", "a/b/c"),
        ("/sd/a/b%2Fc", "a/b/c"),
        ("/sd/a%252Fb", "a%2Fb"),
        ("/sd/a%20b", "a b"),
        ("/sd//lead", "/lead"),
        ("/sd/%2Flead", "/lead"),
        ("/sd/%C3%BCmlaut", "ümlaut"),
        ("/sd/100%25", "100%"),
        ("/sd/100%", "100%"),
        ("/sd/q%3Fx=1", "q?x=1"),
        ("/sd/dots..", "dots.."),
        ("/sd/a+b", "a+b"),
    ];
    for (path, name) in cases {
        let answer = host.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let labels = &answer.json()[0]["labels"];
        assert_eq!(labels["job"], name, "{path}");
    }
    for path in [
        "/sd/a%2Fb",
        "/sd/a/b/c/",
        "/sd/lead",
        "/sd/",
        "/sd",
        "/sd/a%2525",
    ] {
        assert_eq!(host.get(path).await.status, 404, "{path}");
    }
    assert_eq!(host.get("/sd/%FF").await.status, 400);
}

#[tokio::test]
async fn parameters_that_are_not_understood_are_refused() {
    let host = Host::start();
    host.serve(job("pods", &[]), &three_groups()).await;
    for query in [
        "stage=raw",
        "stage=",
        "stage=Final",
        "stage=final&stage=final",
    ] {
        let answer = host.get(&format!("/sd/pods?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["errorType"], "bad_data", "{query}");
    }
    let answer = host.get("/sd/pods?stage=raw").await;
    assert_eq!(
        answer.text(),
        r#"{"status":"error","errorType":"bad_data","error":"unknown stage `raw`; use `final`, `transformed` or `discovered`"}"#,
    );
}

#[tokio::test]
async fn headers_of_the_reader_change_nothing() {
    let host = Host::start();
    host.serve(job("pods", &[]), &three_groups()).await;
    let headers = [
        ("x-prometheus-refresh-interval-seconds", "60"),
        ("accept", "application/json"),
        ("user-agent", "Prometheus/3.14.0"),
    ];
    let answer = host.get_with("/sd/pods", &headers).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, host.get("/sd/pods").await.body);
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    let host = Host::start();
    host.serve(job("pods", &[]), &three_groups()).await;
    for headers in [&[][..], &[("accept-encoding", "gzip")]] {
        let get = host.get_with("/sd/pods", headers).await;
        let head = host.ask("HEAD", "/sd/pods", headers).await;
        assert_eq!(head.status, 200);
        assert_eq!(head.headers, get.headers);
        assert!(head.body.is_empty());
        assert!(!get.body.is_empty());
    }
}

#[tokio::test]
async fn job_that_is_not_known_yet_is_503_with_what_is_missing() {
    let host = Host::start();
    let before = host.get("/sd/pods").await;
    assert_eq!(before.status, 503);
    host.apply([job("pods", &[]), job("other", &[])]).await;
    host.updates("pods")
        .await
        .waiting_for(Some("list of `pods` in `team-a`: 403".into()));
    host.until("pods", |job| {
        job.missing.iter().any(|what| what.contains("403"))
    })
    .await;
    host.deliver("other", &[]).await;
    host.until("other", |snapshot| snapshot.known).await;

    let answer = host.get("/sd/pods").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(answer.header("content-type"), "application/json");
    let error = answer.json();
    assert_eq!(error["status"], "error");
    assert_eq!(error["errorType"], "unavailable");
    let text = error["error"].as_str().unwrap();
    assert!(
        text.starts_with("the targets of job `pods` are not known yet: "),
        "{text}"
    );
    assert!(text.contains("list of `pods` in `team-a`: 403"), "{text}");
    assert!(error["missing"][0].as_str().unwrap().contains("403"));
    // The neighbour is known, and knows that there is nothing.
    assert_eq!(host.get("/sd/other").await.text(), "[]");

    host.deliver("pods", &three_groups()).await;
    host.until("pods", |snapshot| snapshot.known).await;
    assert_eq!(host.get("/sd/pods").await.status, 200);
}

#[tokio::test]
async fn failing_source_keeps_its_list() {
    let host = Host::start();
    host.serve(job("pods", &[]), &three_groups()).await;
    let before = host.get("/sd/pods").await;
    host.updates("pods").await.failure("connection refused");
    let mut status = String::new();
    while !status.contains("connection refused") {
        status = host.get("/api/v1/providers").await.text().to_owned();
        tokio::task::yield_now().await;
    }
    assert_eq!(host.get("/sd/pods").await.body, before.body);
}

#[tokio::test(start_paused = true)]
async fn removed_job_is_empty_for_a_day_and_then_unknown() {
    let host = Host::start();
    host.apply([job("old", &[]), job("pods", &[])]).await;
    for name in ["old", "pods"] {
        host.deliver(name, &three_groups()).await;
        host.until(name, |snapshot| snapshot.known).await;
    }
    let full = host.get("/sd/old").await;
    host.apply([job("pods", &[])]).await;

    tokio::time::advance(Duration::from_secs(24 * 3600 - 1)).await;
    let answer = host.get("/sd/old").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "[]"));
    assert_ne!(answer.header("etag"), full.header("etag"));
    let known = [("if-none-match", answer.header("etag"))];
    assert_eq!(host.get_with("/sd/old", &known).await.status, 304);
    assert_eq!(host.get("/sd/old?stage=nonsense").await.status, 400);

    tokio::time::advance(Duration::from_secs(1)).await;
    let answer = host.get("/sd/old").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.text(),
        r#"{"status":"error","errorType":"not_found","error":"there is no job `old`; known jobs are `pods`","jobs":["pods"]}"#,
    );
}

#[tokio::test]
async fn hint_for_an_unknown_job_is_bounded() {
    let host = Host::start();
    host.apply((0..50).map(|n| job(&format!("job-{n:02}"), &[])))
        .await;
    let error = host.get("/sd/nonsense").await.json();
    let text = error["error"].as_str().unwrap();
    assert!(text.ends_with("`job-18`, `job-19`, and 30 more"), "{text}");
    assert_eq!(error["jobs"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn group_that_shows_nothing_leaves_no_comma() {
    let host = Host::start();
    host.serve(
        job("pods", &[drop_rule("__meta_source", "a|c")]),
        &three_groups(),
    )
    .await;
    let list = host.get("/sd/pods").await.json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["targets"], serde_json::json!(["10.0.0.2:80"]));
}

#[tokio::test]
async fn large_job_is_served_whole() {
    let host = Host::start();
    let groups: Vec<Arc<TargetGroup>> = (0..3000)
        .map(|n| {
            let address = format!("10.0.{}.{}:80", n / 256, n % 256);
            let labels = [
                ("__address__", address.as_str()),
                ("owner", &"x".repeat(500)),
            ];
            Arc::new(TargetGroup {
                source: format!("{n:05}").into(),
                labels: LabelSet::default(),
                targets: vec![LabelSet::from_iter(labels)],
            })
        })
        .collect();
    host.serve(job("pods", &[]), &groups).await;
    let plain = host.get("/sd/pods").await;
    assert_eq!(plain.json().as_array().unwrap().len(), 3000);
    assert!(
        plain.body.len() > 1 << 20,
        "large enough for the blocking thread"
    );
    let packed = host
        .get_with("/sd/pods", &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(crate::gzip::unpacked(&packed), plain.body);
}
