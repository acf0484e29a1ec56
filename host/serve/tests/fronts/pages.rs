//! The interface for people, without a browser.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use periplus_core::{LabelSet, TargetGroup};
use serde_json::json;
use tower::ServiceExt;

use crate::support::{Host, group, job, rule};

const LOCAL: (&str, &str) = ("host", "localhost");
const PAGES: [&str; 7] = [
    "/",
    "/jobs",
    "/targets",
    "/providers",
    "/plugins",
    "/fronts",
    "/config",
];

/// A job whose names and values try everything to become markup.
async fn hostile() -> Host {
    let host = Host::start();
    let name = "a/<script>alert(1)</script>";
    let labels = [
        ("__address__", "10.0.0.1:9100"),
        ("team", "\"><img src=x onerror=alert(2)>"),
        ("motto", "\u{202e}evil\u{0}"),
    ];
    let group = Arc::new(TargetGroup {
        source: "</td><b>".into(),
        labels: LabelSet::default(),
        targets: vec![LabelSet::from_iter(labels)],
    });
    host.serve(job(name, &[]), &[group]).await;
    host
}

/// A form as a browser sends it: the status and the page.
async fn post(host: &Host, path: &str, form: String) -> (u16, String) {
    let request = Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .unwrap();
    let response = host.admin.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let page = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(page.to_vec()).unwrap())
}

#[tokio::test]
async fn every_page_answers_under_a_strict_policy() {
    let host = hostile().await;
    for path in PAGES {
        let answer = host.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        let page = answer.text();
        assert!(
            !page.contains("<script>") && !page.contains("<img") && !page.contains("</td><b>"),
            "{path}: {page}"
        );
        assert!(!page.contains(['\u{202e}', '\u{0}']), "{path}");
        assert!(page.contains("aria-current=\"page\""), "{path}");
        assert!(
            !page.contains("http://") && !page.contains("https://"),
            "{path} asks nobody else"
        );
    }
}

#[tokio::test]
async fn targets_are_found_by_text_matcher_and_state() {
    let host = Host::start();
    let groups = (0..120).map(|number| {
        let (address, zone) = (format!("10.0.0.{number}:80"), format!("z{}", number % 3));
        group(&format!("g{number:03}"), &[(&*address, &*zone)])
    });
    let groups: Vec<_> = groups.collect();
    let rules = [
        rule(json!({"source_labels": ["__meta_zone"], "target_label": "zone"})),
        rule(json!({"source_labels": ["zone"], "regex": "z2", "action": "drop"})),
    ];
    host.serve(job("web", &rules), &groups).await;
    for (query, expected) in [
        ("", "Targets 1 to 50 of 80."),
        ("?page=2", "Targets 51 to 80 of 80."),
        ("?page=9", "No target on this page; there are 80."),
        ("?state=dropped", "Targets 1 to 40 of 40."),
        ("?state=all&q=Z1", "Targets 1 to 40 of 40."),
        ("?match=%7Bzone%3D%22z0%22%7D", "Targets 1 to 40 of 40."),
        (
            "?match=%7Bzone%3D%22z0%22%7D&job=web&mechanism=nope",
            "No target",
        ),
        ("?sort=-instance", "Targets 1 to 50 of 80."),
    ] {
        let page = host
            .get(&format!("/targets{query}"))
            .await
            .text()
            .to_owned();
        assert!(page.contains(expected), "{query}: {page}");
    }
    let page = host.get("/targets?sort=-instance").await.text().to_owned();
    let (first, second) = (page.find("10.0.0.99:80"), page.find("10.0.0.97:80"));
    assert!(first.is_some() && first < second, "{first:?} {second:?}");
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said_on_a_page() {
    let host = hostile().await;
    for (path, status, expected) in [
        ("/targets?page=0", 400, "page: `0`"),
        ("/targets?match={", 400, "matcher: "),
        ("/targets?state=gone", 400, "state: `gone`"),
        ("/targets?job=gone", 404, "There is no job `gone` now."),
        ("/jobs?job=gone", 404, "There is no job `gone` now."),
        ("/explain?job=gone&target=x", 404, "gone"),
    ] {
        let answer = host.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(
            answer.text().contains(expected),
            "{path}: {}",
            answer.text()
        );
        assert!(answer.text().contains("<nav"), "{path}");
    }
}

#[tokio::test]
async fn other_rules_are_tried_where_administration_is_served_alone() {
    let host = hostile().await;
    let page = "/explain?job=a/%3Cscript%3Ealert(1)%3C/script%3E&target=10.0.0.1:9100";
    let reader = host.get(page).await;
    assert_eq!(reader.status, 200);
    assert!(!reader.text().contains("<textarea"));
    let admin = host.ask_admin("GET", page, &[LOCAL]).await;
    assert!(admin.text().contains("<textarea"), "{}", admin.text());
    assert_eq!(host.ask("POST", "/explain", &[LOCAL]).await.status, 405);

    let form = |rules: &str| {
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("job", "a/<script>alert(1)</script>")
            .append_pair("target", "10.0.0.1:9100")
            .append_pair("rules", rules)
            .finish()
    };
    let (status, page) = post(
        &host,
        "/explain",
        form("- {target_label: team, replacement: <blue>}"),
    )
    .await;
    assert_eq!(status, 200);
    assert!(
        page.contains("&lt;blue&gt;") && page.contains("Nothing was changed"),
        "{page}"
    );
    for (rules, expected) in [
        (
            "- {action: drop, source_labels: [team]}",
            "drops the target",
        ),
        ("- {action: dance}", "rule 1: "),
        ("nonsense", "role=\"alert\""),
        ("", "served"),
    ] {
        let (_, page) = post(&host, "/explain", form(rules)).await;
        assert!(page.contains(expected), "{rules}: {page}");
    }
    // The job is as it was.
    assert!(host.get("/targets").await.text().contains("onerror"));
}

#[tokio::test]
async fn readers_are_shown_with_what_they_have() {
    let host = hostile().await;
    let page = host.get("/fronts").await.text().to_owned();
    assert!(page.contains("Nobody has asked"), "{page}");
    let list = "/sd/a/%3Cscript%3Ealert(1)%3C/script%3E?shard=0/2";
    assert_eq!(
        host.get_with(list, &[("user-agent", "Prometheus/3.16")])
            .await
            .status,
        200
    );
    let page = host.get("/fronts").await.text().to_owned();
    assert!(
        page.contains("Prometheus/3.16") && page.contains("shard 0"),
        "{page}"
    );
    assert!(page.contains("has the newest"), "{page}");
}

#[tokio::test]
async fn pages_are_compressed_for_those_who_take_it() {
    let host = hostile().await;
    let answer = host
        .get_with("/targets", &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    let plain = host.get("/targets").await;
    assert!(answer.body.len() * 2 < plain.body.len());
}

#[tokio::test]
async fn a_button_leads_back_to_its_page() {
    let host = hostile().await;
    let path = "/api/v1/jobs/a/%3Cscript%3Ealert(1)%3C/script%3E/freeze";
    let browser = [
        LOCAL,
        ("accept", "text/html"),
        ("referer", "http://localhost/jobs?q=a"),
    ];
    let answer = host.ask_admin("POST", path, &browser).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "/jobs?q=a");
    let elsewhere = [
        LOCAL,
        ("accept", "text/html"),
        ("referer", "http://localhost//evil.test"),
    ];
    assert_eq!(host.ask_admin("POST", path, &elsewhere).await.status, 200);
    assert_eq!(host.ask_admin("POST", path, &[LOCAL]).await.status, 200);
    assert!(
        host.ask_admin("GET", "/jobs", &[LOCAL])
            .await
            .text()
            .contains("Thaw")
    );
    assert!(!host.get("/jobs").await.text().contains("Thaw"));
}
