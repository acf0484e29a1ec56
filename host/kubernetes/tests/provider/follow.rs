//! One provider and one server.

use std::collections::BTreeSet;

use periplus_config::{Authorization, KubernetesSection, Namespaces, Role, RoleSelector};
use periplus_kube_api::load::{Load, heartbeat};
use periplus_kube_api::{Fault, KubeApi, Options, Rule, Verb, WatchFault, WatchList};
use serde_json::json;

use crate::support::{PATIENCE, Running, World, address, pod, section, sources, start};

#[tokio::test]
async fn pods_are_followed_by_kubeconfig() {
    let api = KubeApi::start(Options {
        token: Some("secret".to_owned()),
        ..Options::default()
    })
    .await
    .unwrap();
    api.apply(pod("a", "one", "10.0.0.1"));
    let (running, _world) = start(&api, section(Role::Pod));
    running.until("synced", |probe| probe.status().synced).await;
    running.until_sources(&["pod/a/one"]).await;

    api.apply(pod("b", "two", "10.0.0.2"));
    running.until_sources(&["pod/a/one", "pod/b/two"]).await;
    api.apply(pod("a", "one", "10.0.0.9"));
    running
        .until("changed", |probe| {
            address(probe, "pod/a/one").as_deref() == Some("10.0.0.9:80")
        })
        .await;
    api.delete("v1/pods", "a", "one");
    running.until_sources(&["pod/b/two"]).await;

    let requests = api.requests();
    assert_eq!(requests[0].query["sendInitialEvents"], "true");
    assert!(
        requests
            .iter()
            .all(|request| request.user_agent.starts_with("periplus/"))
    );
    assert!(
        requests
            .iter()
            .all(|request| request.accept_encoding != "gzip")
    );
    assert_eq!(requests.len(), 1, "state and changes in one: {requests:?}");
}

#[tokio::test]
async fn many_pods_come_in_pages_and_heartbeats_go_no_further() {
    let api = KubeApi::start(Options {
        watch_list: WatchList::Refused,
        ..Options::default()
    })
    .await
    .unwrap();
    let load = Load {
        pods: 1200,
        nodes: 3,
        ..Load::default()
    };
    load.fill(&api);
    let (running, world) = start(&api, section(Role::Pod));
    running.until("synced", |probe| probe.status().synced).await;
    assert_eq!(running.probe.groups().len(), 1200);
    let lists = api
        .requests()
        .iter()
        .filter(|request| request.verb == Verb::List)
        .count();
    assert_eq!(lists, 3);

    let (namespace, name) = load.pod_name(7);
    let source = format!("pod/{namespace}/{name}");
    let derived =
        |world: &World| world.metric("periplus_kubernetes_derived_groups_total{role=\"pod\"}");
    let before = derived(&world);
    assert_eq!(before, 1200);
    let mut beating = api.get("v1/pods", &namespace, &name).unwrap();
    heartbeat(&mut beating, 1);
    api.apply(beating);
    api.apply(pod("marker", "marker", "10.0.0.1"));
    running
        .until("marked", |probe| {
            probe.groups().contains_key("pod/marker/marker")
        })
        .await;
    assert!(running.probe.groups().contains_key(source.as_str()));
    assert_eq!(derived(&world), before + 1, "the marker alone");

    let (nodes, _world) = start(&api, section(Role::Node));
    nodes.until("synced", |probe| probe.status().synced).await;
    assert_eq!(nodes.probe.groups().len(), 3);
}

#[tokio::test]
async fn an_address_with_credentials_in_a_file_connects_and_follows_rotation() {
    let api = KubeApi::start(Options {
        token: Some("right".to_owned()),
        ..Options::default()
    })
    .await
    .unwrap();
    api.apply(pod("a", "one", "10.0.0.1"));
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "wrong").unwrap();
    let mut section = section(Role::Pod);
    section.api_server = Some(api.url().parse().unwrap());
    section.http_client.authorization = Some(Authorization {
        kind: "Bearer".to_owned(),
        credentials_file: Some(token.clone()),
        ..Authorization::default()
    });
    let (running, _world) = start(&api, section);
    running
        .until("refused", |probe| {
            let waiting = probe.status().waiting_for.unwrap_or_default();
            waiting.starts_with("list of `pods`: 401 Unauthorized")
        })
        .await;
    std::fs::write(&token, "right\n").unwrap();
    running.until_sources(&["pod/a/one"]).await;
    running
        .until("well", |probe| probe.status().last_error.is_none())
        .await;
}

#[tokio::test]
async fn a_kubeconfig_that_appears_later_is_used() {
    let api = KubeApi::start(Options::default()).await.unwrap();
    api.apply(pod("a", "one", "10.0.0.1"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let (running, _world) = start(
        &api,
        KubernetesSection {
            kubeconfig_file: Some(path.clone()),
            ..section(Role::Pod)
        },
    );
    running
        .until("waiting", |probe| {
            let waiting = probe.status().waiting_for.unwrap_or_default();
            waiting.contains("cannot use kubeconfig") && waiting.contains("No such file")
        })
        .await;
    std::fs::write(&path, api.kubeconfig()).unwrap();
    running.until_sources(&["pod/a/one"]).await;
}

#[tokio::test]
async fn a_namespace_that_refuses_hides_no_other() {
    let api = KubeApi::start(Options::default()).await.unwrap();
    for namespace in ["good", "bad", "unasked"] {
        api.apply(pod(namespace, "one", "10.0.0.1"));
    }
    let refusal = api.forbid_namespace("bad");
    let names = vec!["good".to_owned(), "bad".to_owned(), "good".to_owned()];
    let namespaces = Namespaces {
        names,
        ..Namespaces::default()
    };
    let (running, _world) = start(
        &api,
        KubernetesSection {
            namespaces,
            ..section(Role::Pod)
        },
    );
    running.until_sources(&["pod/good/one"]).await;
    running
        .until("refused", |probe| {
            let waiting = probe.status().waiting_for.unwrap_or_default();
            waiting.starts_with("list of `pods` in `bad`: 403 Forbidden")
                && waiting.contains("permission to `list` `pods` in `bad`")
        })
        .await;
    assert!(!running.probe.status().synced);
    api.apply(pod("good", "two", "10.0.0.2"));
    running
        .until_sources(&["pod/good/one", "pod/good/two"])
        .await;

    api.faults().remove(refusal);
    running
        .until_sources(&["pod/good/one", "pod/good/two", "pod/bad/one"])
        .await;
    running.until("synced", |probe| probe.status().synced).await;

    // Refused again, after it was known: what is known stays.
    api.forbid_namespace("bad");
    api.faults().watches("pods", WatchFault::Cut);
    running
        .until("failing", |probe| probe.status().last_error.is_some())
        .await;
    api.apply(pod("good", "three", "10.0.0.3"));
    running
        .until_sources(&[
            "pod/good/one",
            "pod/good/two",
            "pod/good/three",
            "pod/bad/one",
        ])
        .await;
}

#[tokio::test]
async fn selectors_are_evaluated_by_the_server() {
    let api = KubeApi::start(Options::default()).await.unwrap();
    for name in ["one", "two", "three"] {
        api.apply(pod("a", name, "10.0.0.1"));
    }
    let selectors = vec![
        RoleSelector {
            role: Role::Pod,
            label: Some("app in (one,two)".to_owned()),
            field: Some("status.phase=Running".to_owned()),
        },
        RoleSelector {
            role: Role::Node,
            label: Some("x=y".to_owned()),
            field: None,
        },
    ];
    let (running, _world) = start(
        &api,
        KubernetesSection {
            selectors,
            ..section(Role::Pod)
        },
    );
    running.until_sources(&["pod/a/one", "pod/a/two"]).await;
    // It no longer matches: the server says that it is deleted.
    let mut done = pod("a", "two", "10.0.0.1");
    done["status"]["phase"] = json!("Succeeded");
    api.apply(done);
    running.until_sources(&["pod/a/one"]).await;
}

#[tokio::test]
async fn an_expired_version_is_listed_again_and_deletions_are_found() {
    let api = KubeApi::start(Options::default()).await.unwrap();
    for name in ["one", "two"] {
        api.apply(pod("a", name, "10.0.0.1"));
    }
    let (running, _world) = start(&api, section(Role::Pod));
    running.until_sources(&["pod/a/one", "pod/a/two"]).await;
    // A gap: the watch is held up, and what happens meanwhile is forgotten.
    let gap = api.faults().add(
        Rule::new(Fault::Status {
            code: 503,
            retry_after: Some(1),
        })
        .verb(Verb::Watch),
    );
    api.faults().watches("pods", WatchFault::Cut);
    running
        .until("failing", |probe| probe.status().last_error.is_some())
        .await;
    api.delete("v1/pods", "a", "one");
    api.apply(pod("a", "three", "10.0.0.3"));
    api.compact();
    api.faults().remove(gap);
    running.until_sources(&["pod/a/two", "pod/a/three"]).await;
}

#[tokio::test]
async fn cuts_and_garbage_lose_nothing() {
    for fault in [
        WatchFault::End,
        WatchFault::Cut,
        WatchFault::CutMidLine,
        WatchFault::Line("garbage\n".to_owned()),
        WatchFault::Line("{\"type\":\"ADDED\",\"object\":{\"metadata\":\n".to_owned()),
        WatchFault::BookmarkAt(1),
        WatchFault::Error(500),
        WatchFault::Error(410),
    ] {
        let said = format!("well after {fault:?}");
        let api = KubeApi::start(Options::default()).await.unwrap();
        api.apply(pod("a", "one", "10.0.0.1"));
        let (running, _world) = start(&api, section(Role::Pod));
        running.until_sources(&["pod/a/one"]).await;
        let watching = |requests: &[periplus_kube_api::Request]| {
            requests
                .iter()
                .any(|request| request.verb == Verb::Watch && request.status == 200)
        };
        assert!(api.wait_for_requests(PATIENCE, watching).await);
        api.clear_requests();
        api.faults().watches("pods", fault);
        assert!(
            api.wait_for_requests(PATIENCE, watching).await,
            "no new watch: {said}"
        );
        api.apply(pod("a", "two", "10.0.0.2"));
        api.delete("v1/pods", "a", "one");
        let expected = BTreeSet::from(["pod/a/two".to_owned()]);
        running
            .until(&said, |probe| sources(probe) == expected)
            .await;
        assert!(!running.task.is_finished());
    }
}

#[tokio::test]
async fn half_an_object_in_a_list_is_skipped_alone() {
    let api = KubeApi::start(Options::default()).await.unwrap();
    for name in ["one", "two", "three"] {
        api.apply(pod("a", name, "10.0.0.1"));
    }
    api.faults().add(Rule::new(Fault::Replace {
        namespace: "a".to_owned(),
        name: "two".to_owned(),
        json: r#"{"metadata":{"namespace":"a","name":"two","labels":[]}}"#.to_owned(),
    }));
    let (running, _world) = start(&api, section(Role::Pod));
    running.until("synced", |probe| probe.status().synced).await;
    running.until_sources(&["pod/a/one", "pod/a/three"]).await;
}

#[tokio::test]
async fn a_server_that_restarts_is_followed_again_and_nothing_blinks() {
    let mut api = KubeApi::start(Options::default()).await.unwrap();
    api.apply(pod("a", "one", "10.0.0.1"));
    let (running, _world) = start(&api, section(Role::Pod));
    running.until_sources(&["pod/a/one"]).await;
    let before = running.probe.groups()["pod/a/one"].clone();
    api.pause().await;
    running
        .until("failing", |probe| probe.status().last_error.is_some())
        .await;
    assert_eq!(sources(&running.probe).len(), 1);
    api.apply(pod("a", "two", "10.0.0.2"));
    api.resume().unwrap();
    running.until_sources(&["pod/a/one", "pod/a/two"]).await;
    running
        .until("well", |probe| probe.status().last_error.is_none())
        .await;
    assert_eq!(before, running.probe.groups()["pod/a/one"]);
}

#[tokio::test]
async fn a_provider_stops_when_told() {
    let api = KubeApi::start(Options::default()).await.unwrap();
    let (Running { probe, task, stop }, _world) = start(&api, section(Role::Pod));
    let synced = tokio::time::timeout(PATIENCE, probe.wait_until(|probe| probe.status().synced));
    synced.await.unwrap();
    drop(stop);
    tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
}
