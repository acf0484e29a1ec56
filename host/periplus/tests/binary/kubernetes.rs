//! API servers that fail: what was known stays, what went wrong is named, and it ends well.

use periplus_kube_api::{Fault, KubeApi, Rule, Verb, WatchFault, WatchList};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::cluster::{cluster, pod, pods_job};
use crate::lab::Lab;
use crate::running::{PATIENCE, Readings, Running, until};

const BOTH: &[&str] = &["10.0.0.1:8080", "10.0.0.2:8080"];

/// A host that serves `team-a/web-1` and `team-b/web-2`, watched by namespace.
async fn serving() -> (KubeApi, Running) {
    serving_by(WatchList::On).await
}

/// The same with a server that streams states, or does not.
async fn serving_by(mode: WatchList) -> (KubeApi, Running) {
    let api = cluster().await;
    api.set_watch_list(mode);
    api.apply(pod("team-a", "web-1", "10.0.0.1"));
    api.apply(pod("team-b", "web-2", "10.0.0.2"));
    let host = follow(&api).await;
    host.until_addresses("pods", BOTH).await;
    watching(&api).await;
    (api, host)
}

async fn follow(api: &KubeApi) -> Running {
    let job = pods_job(api, &["team-a", "team-b"]);
    let lab = Lab::new(&format!("scrape_configs:{job}"));
    lab.run(&["--ready-timeout", "1s"]).await
}

/// Waits until a watch of each namespace is open, which faults then befall.
async fn watching(api: &KubeApi) {
    until(|| api.open_watches("pods") == 2).await;
}

/// Makes the state of both namespaces be asked for anew, as after an expired version.
fn expire(api: &KubeApi) {
    api.clear_requests();
    api.compact();
    api.faults().watches("pods", WatchFault::Error(410));
}

/// Waits until both namespaces were listed, or their states streamed.
async fn listed(api: &KubeApi) {
    let listed = api.wait_for_requests(PATIENCE, |all| {
        ["team-a", "team-b"].iter().all(|namespace| {
            all.iter().any(|it| {
                let of_state = it.verb == Verb::List || it.query.contains_key("sendInitialEvents");
                of_state && it.namespace == *namespace
            })
        })
    });
    assert!(listed.await, "{:?}", api.requests());
}

fn failure(provider: &Value) -> &str {
    provider["last_error"]["message"]
        .as_str()
        .unwrap_or_default()
}

/// Waits until the provider says all of this about its failure.
async fn until_failing(host: &Running, parts: &[&str]) {
    host.until_provider(&format!("{parts:?}"), "kubernetes", |provider| {
        parts.iter().all(|part| failure(provider).contains(part))
    })
    .await;
}

async fn until_well(host: &Running) {
    host.until_provider("no failure", "kubernetes", |provider| {
        provider["state"] == "ready" && provider["last_error"].is_null()
    })
    .await;
}

/// Everything that was read held both targets.
async fn assert_kept(readings: Readings) {
    for answer in readings.end().await {
        assert_eq!(answer.status, 200, "{}", answer.text());
        for address in BOTH {
            let labels = answer.labels(address);
            assert!(labels.is_some(), "lost {address}: {}", answer.text());
        }
    }
}

/// What happens now is seen: the host has not merely kept what it had.
async fn assert_follows(api: &KubeApi, host: &Running) {
    api.apply(pod("team-a", "web-3", "10.0.0.3"));
    host.until_addresses("pods", &["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"])
        .await;
    api.delete("v1/pods", "team-a", "web-3");
    host.until_addresses("pods", BOTH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_connections_is_named_and_awaited() {
    let mut api = cluster().await;
    api.apply(pod("team-a", "web-1", "10.0.0.1"));
    api.apply(pod("team-b", "web-2", "10.0.0.2"));
    api.pause().await;
    let host = follow(&api).await;
    let refused = [
        "list of `pods` in `team-a`",
        "Connection refused",
        &api.url(),
    ];
    until_failing(&host, &refused).await;
    let unknown = host.get("/sd/pods").await;
    assert_eq!(unknown.status, 503);
    for part in refused {
        assert!(unknown.text().contains(part), "{}", unknown.text());
    }
    // Once, and as a warning: it is awaited, and nobody has to do anything here.
    assert!(!host.log().contains(" ERROR "), "{}", host.log());
    api.resume().unwrap();
    host.until_addresses("pods", BOTH).await;
    until_well(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_loses_nothing_but_what_is_gone() {
    let (mut api, host) = serving().await;
    api.apply(pod("team-b", "web-9", "10.0.0.9"));
    host.until_addresses("pods", &["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.9:8080"])
        .await;
    let readings = host.read_steadily("/sd/pods");
    api.pause().await;
    until_failing(&host, &["`pods` in `team-a`", "Connection refused"]).await;
    // What happened meanwhile is not in any history afterwards.
    api.delete("v1/pods", "team-b", "web-9");
    api.compact();
    api.resume().unwrap();
    host.until_addresses("pods", BOTH).await;
    until_well(&host).await;
    assert_kept(readings).await;
    assert_follows(&api, &host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_namespace_of_several_is_named_and_the_others_go_on() {
    let (api, host) = serving().await;
    let readings = host.read_steadily("/sd/pods");
    let forbidden = api.forbid_namespace("team-b");
    api.faults().watches("pods", WatchFault::Cut);
    host.until_provider("one namespace alone", "kubernetes", |provider| {
        let message = failure(provider);
        let named = [
            "`pods` in `team-b`",
            "forbidden",
            "needs the permission to `watch` `pods`",
        ];
        named.iter().all(|part| message.contains(part)) && !message.contains("team-a")
    })
    .await;
    assert_follows(&api, &host).await;
    api.faults().remove(forbidden);
    until_well(&host).await;
    assert_kept(readings).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_refused_from_the_start_is_named_by_readiness() {
    let api = cluster().await;
    api.apply(pod("team-a", "web-1", "10.0.0.1"));
    api.apply(pod("team-b", "web-2", "10.0.0.2"));
    let forbidden = api.forbid_namespace("team-b");
    let job = |namespace: &str| {
        let job = pods_job(&api, &[namespace]);
        job.replace("job_name: pods", &format!("job_name: {namespace}"))
    };
    let jobs = [
        pods_job(&api, &["team-a", "team-b"]),
        job("team-a"),
        job("team-b"),
    ]
    .concat();
    let lab = Lab::new(&format!("scrape_configs:{jobs}"));
    let host = lab.run(&[]).await;
    host.until_addresses("team-a", &["10.0.0.1:8080"]).await;
    let waiting = host
        .until("the namespace", "/-/ready", |answer| {
            answer.text().matches("forbidden").count() >= 2
        })
        .await;
    assert_eq!(waiting.status, 503);
    for job in ["pods", "team-b"] {
        let text = waiting.text();
        let line = text
            .lines()
            .find(|it| it.starts_with(&format!("- {job}: ")));
        let line = line.unwrap_or_else(|| panic!("no `{job}` in:\n{text}"));
        assert!(line.contains("list of `pods` in `team-b`"), "{line}");
        assert!(!line.contains("in `team-a`"), "{line}");
        // Half the truth would be a false list.
        assert_eq!(host.get(&format!("/sd/{job}")).await.status, 503);
    }
    api.faults().remove(forbidden);
    host.until_addresses("pods", BOTH).await;
    host.until_addresses("team-b", &["10.0.0.2:8080"]).await;
    host.until("readiness", "/-/ready", |answer| answer.status == 200)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_expired_versions_loses_nothing() {
    let modes = [WatchList::On, WatchList::Refused];
    let mut cases: JoinSet<()> = modes.into_iter().map(storm).collect();
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

async fn storm(mode: WatchList) {
    let (api, host) = serving_by(mode).await;
    let readings = host.read_steadily("/sd/pods");
    for _ in 0..3 {
        expire(&api);
        listed(&api).await;
        watching(&api).await;
    }
    assert_follows(&api, &host).await;
    assert_kept(readings).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_lie_about_their_version_are_overcome() {
    let lies = [0, 1, 1_000_000].map(Fault::ListVersion);
    let mut cases: JoinSet<()> = lies.into_iter().map(broken_lists).collect();
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_object_is_skipped_and_the_others_go_on() {
    let api = cluster().await;
    api.set_watch_list(WatchList::Refused);
    api.apply(pod("team-a", "web-1", "10.0.0.1"));
    api.apply(pod("team-b", "web-2", "10.0.0.2"));
    api.apply(pod("team-b", "half", "10.0.0.8"));
    let half = |json: &str| {
        let fault = Fault::Replace {
            namespace: "team-b".to_owned(),
            name: "half".to_owned(),
            json: json.to_owned(),
        };
        api.faults().add(Rule::new(fault))
    };
    // Not what the field may be.
    let broken = r#"{"metadata":{"namespace":"team-b","name":"half","resourceVersion":"7"},"spec":{"containers":7}}"#;
    let first = half(broken);
    let host = follow(&api).await;
    host.until_addresses("pods", BOTH).await;
    host.until("a count", "/metrics", |answer| {
        let text = answer.text();
        let mut lines = text.lines();
        lines.any(|line| {
            line.starts_with("periplus_kubernetes_rejected_total{role=\"pod\"}")
                && !line.ends_with(" 0")
        })
    })
    .await;
    assert_eq!(host.get("/-/ready").await.status, 200);
    api.faults().remove(first);

    // Whole again, it is there; half once more, in an event, it stays as it was.
    api.apply(pod("team-b", "half", "10.0.0.7"));
    let all: &[&str] = &["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.7:8080"];
    host.until_addresses("pods", all).await;
    let readings = host.read_steadily("/sd/pods");
    let second = half(broken);
    // The next watches, and with them the next events.
    api.faults().watches("pods", WatchFault::End);
    until(|| api.open_watches("pods") < 2).await;
    watching(&api).await;
    api.apply(pod("team-b", "half", "10.0.0.6"));
    api.apply(pod("team-b", "later", "10.0.0.5"));
    host.until_job("the later Pod", "pods", |answer| {
        answer.labels("10.0.0.5:8080").is_some()
    })
    .await;
    assert!(host.get("/sd/pods").await.labels("10.0.0.7:8080").is_some());
    // In a list, it is no reason to think that it is gone either.
    expire(&api);
    listed(&api).await;
    api.apply(pod("team-b", "later", "10.0.0.4"));
    host.until_job("the change", "pods", |answer| {
        answer.labels("10.0.0.4:8080").is_some()
    })
    .await;
    assert!(host.get("/sd/pods").await.labels("10.0.0.7:8080").is_some());
    api.faults().remove(second);
    expire(&api);
    host.until_job("what it is now", "pods", |answer| {
        answer.labels("10.0.0.6:8080").is_some() && answer.labels("10.0.0.7:8080").is_none()
    })
    .await;
    assert_kept(readings).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_are_cut_resume_where_they_were() {
    let (api, host) = serving().await;
    let readings = host.read_steadily("/sd/pods");
    let garbage = WatchFault::Line("{\"type\":\"MODIFIED\",\"object\":{\"meta".to_owned());
    for (index, what) in [
        WatchFault::CutMidLine,
        WatchFault::Cut,
        garbage,
        WatchFault::End,
    ]
    .into_iter()
    .enumerate()
    {
        watching(&api).await;
        api.faults().watches("pods", what);
        let address = format!("10.0.1.{index}");
        api.apply(pod("team-a", "next", &address));
        let target = format!("{address}:8080");
        host.until_job(&target, "pods", |answer| answer.labels(&target).is_some())
            .await;
    }
    until_well(&host).await;
    assert_kept(readings).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_breaks_off_removes_nothing() {
    let broken = [
        Fault::TruncateBody(40),
        Fault::Body("<html>502 Bad Gateway</html>".to_owned()),
        Fault::Body(r#"{"kind":"PodList","items":[]"#.to_owned()),
        Fault::Disconnect,
        Fault::Status {
            code: 503,
            retry_after: Some(1),
        },
    ];
    let mut cases: JoinSet<()> = broken.into_iter().map(broken_lists).collect();
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

/// Lists go wrong in this way for a while, in the middle of a host's life.
async fn broken_lists(fault: Fault) {
    // Some lies show only in how the watch ends, which is no failure.
    let fails = !matches!(fault, Fault::ListVersion(_));
    let (api, host) = serving_by(WatchList::Refused).await;
    let readings = host.read_steadily("/sd/pods");
    let rule = api.faults().add(Rule::new(fault).verb(Verb::List));
    expire(&api);
    listed(&api).await;
    if fails {
        until_failing(&host, &["`pods` in `team-a`: "]).await;
    }
    api.faults().remove(rule);
    until_well(&host).await;
    assert_follows(&api, &host).await;
    assert_kept(readings).await;
}
