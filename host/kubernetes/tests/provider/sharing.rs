//! Many providers, few watches.

use periplus_config::{AttachMetadata, KubernetesSection, Role, RoleSelector};
use periplus_kube_api::{Fault, KubeApi, Options, Request, Rule, Verb};
use serde_json::json;

use crate::support::{PATIENCE, Running, World, pod, section};

fn selecting(label: &str) -> KubernetesSection {
    let selector = RoleSelector {
        role: Role::Pod,
        label: Some(label.to_owned()),
        field: None,
    };
    KubernetesSection {
        selectors: vec![selector],
        ..section(Role::Pod)
    }
}

async fn server(pods: &[&str]) -> KubeApi {
    let api = KubeApi::start(Options::default()).await.unwrap();
    for name in pods {
        api.apply(pod("a", name, "10.0.0.1"));
    }
    api
}

/// Waits until this many watches of Pods are open, and those that are no longer needed ended.
async fn until_watches(api: &KubeApi, count: usize) {
    let settled = tokio::time::timeout(PATIENCE, async {
        while api.open_watches("pods") != count {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
    let open = || api.open_watches("pods");
    assert!(settled.await.is_ok(), "{} watches, not {count}", open());
}

fn watched(requests: &[Request]) -> Vec<String> {
    let mut resources: Vec<String> = requests
        .iter()
        .filter(|request| request.verb == Verb::Watch && request.status == 200)
        .map(|request| request.resource.clone())
        .collect();
    resources.sort();
    resources
}

#[tokio::test]
async fn the_five_usual_jobs_open_one_watch_per_resource() {
    let api = server(&["one"]).await;
    api.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.1.1.1"}]}}));
    let world = World::new();
    let with_nodes = |role| KubernetesSection {
        attach_metadata: AttachMetadata {
            node: true,
            ..AttachMetadata::default()
        },
        ..section(role)
    };
    let jobs = [
        with_nodes(Role::Pod),
        with_nodes(Role::EndpointSlice),
        section(Role::Node),
        section(Role::Service),
        section(Role::Pod),
    ];
    let running: Vec<Running> = jobs.into_iter().map(|job| world.start(&api, job)).collect();
    for provider in &running {
        provider.until_synced().await;
    }
    running[0].until_sources(&["pod/a/one"]).await;
    running[4].until_sources(&["pod/a/one"]).await;
    running[2].until_sources(&["node/n1"]).await;
    let all = ["endpointslices", "nodes", "pods", "services"];
    let complete = |requests: &[Request]| watched(requests).len() >= all.len();
    assert!(api.wait_for_requests(PATIENCE, complete).await);
    assert_eq!(watched(&api.requests()), all);
}

#[tokio::test]
async fn many_selections_are_served_by_one_watch_and_few_by_their_own() {
    let api = server(&["one", "two", "three", "four", "five"]).await;
    let world = World::new();
    let start = |name: &str| world.start(&api, selecting(&format!("app={name}")));
    let mut running: Vec<Running> = ["one", "two", "three"].map(start).into();
    for provider in &running {
        provider.until_synced().await;
    }
    until_watches(&api, 3).await;
    running.extend(["four", "five"].map(start));
    for (provider, name) in running.iter().zip(["one", "two", "three", "four", "five"]) {
        provider.until_sources(&[&format!("pod/a/{name}")]).await;
    }
    until_watches(&api, 1).await;

    // Selections are still kept apart.
    let mut changed = pod("a", "one", "10.0.0.1");
    changed["metadata"]["labels"]["app"] = json!("two");
    api.apply(changed);
    running[1].until_sources(&["pod/a/one", "pod/a/two"]).await;
    running[0].until_sources(&[]).await;

    // With few again each has its own.
    for provider in running.drain(2..) {
        provider.end().await;
    }
    until_watches(&api, 2).await;
    api.apply(pod("a", "one", "10.0.0.1"));
    running[0].until_sources(&["pod/a/one"]).await;
    running[1].until_sources(&["pod/a/two"]).await;
}

#[tokio::test]
async fn a_selection_is_served_by_a_wider_watch_and_outlives_it() {
    let api = server(&["one", "two"]).await;
    let world = World::new();
    let all = world.start(&api, section(Role::Pod));
    all.until_sources(&["pod/a/one", "pod/a/two"]).await;
    let selective = world.start(&api, selecting("app=one"));
    selective.until_sources(&["pod/a/one"]).await;
    until_watches(&api, 1).await;
    api.clear_requests();
    all.end().await;
    let narrowed = |requests: &[Request]| {
        let mut watches = requests.iter().filter(|request| request.verb == Verb::Watch);
        watches.any(|request| request.query.get("labelSelector").is_some_and(|it| it == "app=one"))
    };
    assert!(api.wait_for_requests(PATIENCE, narrowed).await);
    until_watches(&api, 1).await;
    api.delete("v1/pods", "a", "one");
    selective.until_sources(&[]).await;
    selective.end().await;
    until_watches(&api, 0).await;
}

#[tokio::test]
async fn fields_that_records_do_not_hold_are_left_to_the_server() {
    let api = server(&["one", "two"]).await;
    let mut odd = pod("a", "odd", "10.0.0.3");
    odd["spec"]["schedulerName"] = json!("mine");
    api.apply(odd);
    let world = World::new();
    let all = world.start(&api, section(Role::Pod));
    all.until_synced().await;
    let mut by_scheduler = selecting("");
    by_scheduler.selectors[0].field = Some("spec.schedulerName=mine".to_owned());
    let mine = world.start(&api, by_scheduler);
    mine.until_sources(&["pod/a/odd"]).await;
    let mut by_node = selecting("");
    by_node.selectors[0].field = Some("spec.nodeName=n1,status.phase!=Failed".to_owned());
    let on_node = world.start(&api, by_node);
    on_node.until_sources(&["pod/a/odd", "pod/a/one", "pod/a/two"]).await;
    until_watches(&api, 2).await;
}

#[tokio::test]
async fn who_may_see_a_namespace_does_not_suffer_from_who_may_not_see_all() {
    let api = server(&["one"]).await;
    // Without a namespace in the path it is the whole cluster that is asked for.
    let refusal = api.faults().add(Rule::new(Fault::Forbidden).namespace(""));
    let world = World::new();
    let all = world.start(&api, section(Role::Pod));
    let mut own = section(Role::Pod);
    own.namespaces.names = vec!["a".to_owned()];
    let own = world.start(&api, own);
    own.until_sources(&["pod/a/one"]).await;
    let waiting = all.probe.status().waiting_for.unwrap_or_default();
    assert!(waiting.contains("permission to"), "{waiting}");
    api.faults().remove(refusal);
    all.until_sources(&["pod/a/one"]).await;
    until_watches(&api, 1).await;
    own.until_sources(&["pod/a/one"]).await;
}

#[tokio::test]
async fn dropped_annotations_are_kept_for_those_who_want_them() {
    let api = server(&[]).await;
    let mut annotated = pod("a", "one", "10.0.0.1");
    annotated["metadata"]["annotations"] = json!({"big/one": "x", "small": "y"});
    api.apply(annotated);
    let world = World::new();
    let mut without = section(Role::Pod);
    without.drop_annotations = periplus_config::NamePatterns::new(["big/*"]).unwrap();
    let without = world.start(&api, without);
    without.until_sources(&["pod/a/one"]).await;
    let with = world.start(&api, section(Role::Pod));
    with.until_sources(&["pod/a/one"]).await;
    until_watches(&api, 1).await;
    for (provider, has) in [(&without, false), (&with, true)] {
        let groups = provider.probe.groups();
        let labels = &groups["pod/a/one"].labels;
        let big = labels.get("__meta_kubernetes_pod_annotation_big_one");
        assert_eq!(big.is_some(), has);
        assert!(labels.get("__meta_kubernetes_pod_annotation_small").is_some());
    }
}
