//! Objects of kinds that nobody built in.

use std::collections::BTreeMap;

use periplus_config::{
    ClusterAccess, ClusterSelection, FolderSelection, KubernetesResourceSection, NamePatterns,
    Namespaces, Pointer, ResourceName,
};
use periplus_kube_api::{Fault, KubeApi, Options, Resource, Rule, Verb};
use serde_json::{Value, json};

use crate::support::{PATIENCE, Running, World};

const ROUTES: &str = "gateway.networking.k8s.io/v1/httproutes";
const GATEWAYS: &str = "gateway.networking.k8s.io/v1/gateways";

/// A section for `group/version/plural`, read through the server's kubeconfig.
fn section(resource: &str, address: &str, port: Option<&str>) -> KubernetesResourceSection {
    let pointer = |text: &str| Pointer::parse(text).unwrap();
    let [group, version, plural] = resource.split('/').collect::<Vec<_>>()[..] else {
        panic!("{resource} has not three parts");
    };
    KubernetesResourceSection {
        resource: ResourceName {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
        },
        cluster_scoped: false,
        access: ClusterAccess::Local,
        clusters: None,
        namespaces: Namespaces::default(),
        label_selector: None,
        field_selector: None,
        address: pointer(address),
        port: port.map(pointer),
        labels: BTreeMap::new(),
        drop_annotations: NamePatterns::default(),
    }
}

fn routes() -> KubernetesResourceSection {
    section(ROUTES, "/spec/hostnames/*", None)
}

fn gateways() -> KubernetesResourceSection {
    let ports = Some("/spec/listeners/*/port");
    section(GATEWAYS, "/status/addresses/*/value", ports)
}

fn route(namespace: &str, name: &str, hosts: &[&str]) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"hostnames": hosts, "parentRefs": [{"name": "edge"}]},
    })
}

fn gateway(name: &str, addresses: &[&str]) -> Value {
    let addresses: Vec<Value> = addresses.iter().map(|it| json!({"value": it})).collect();
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"namespace": "infra", "name": name},
        "spec": {"gatewayClassName": "istio", "listeners": [
            {"name": "web", "hostname": "a.example.com", "port": 80},
            {"name": "any", "port": 81},
            {"name": "tls", "hostname": "b.example.com", "port": 443},
        ]},
        "status": {"addresses": addresses},
    })
}

fn widget(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"name": name}, "at": address,
    })
}

fn source(route: &str) -> String {
    format!("httproutes.gateway.networking.k8s.io/{route}")
}

async fn server() -> KubeApi {
    KubeApi::start(Options::default()).await.unwrap()
}

/// A provider that connects by the server's kubeconfig.
fn start(world: &World, api: &KubeApi, section: KubernetesResourceSection) -> Running {
    let access = ClusterAccess::Kubeconfig {
        file: world.file("kubeconfig", &api.kubeconfig()),
        context: None,
    };
    world.start_resource(&KubernetesResourceSection { access, ..section })
}

/// Waits until the groups have exactly these addresses.
async fn until_addresses(running: &Running, expected: &[&str]) {
    let what = format!("{expected:?}");
    let mut expected: Vec<&str> = expected.to_vec();
    expected.sort_unstable();
    running
        .until(&what, |probe| {
            let groups = probe.groups();
            let targets = groups.values().flat_map(|group| &group.targets);
            let mut found: Vec<&str> = targets.filter_map(|it| it.get("__address__")).collect();
            found.sort_unstable();
            found == expected
        })
        .await;
}

async fn until_sources(running: &Running, routes: &[&str]) {
    let sources: Vec<String> = routes.iter().map(|route| source(route)).collect();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    running.until_sources(&sources).await;
}

#[tokio::test]
async fn host_names_of_routes_are_followed() {
    let api = server().await;
    api.apply(route("shop", "cart", &["a.example.com", "b.example.com"]));
    api.apply(route("shop", "none", &[]));
    let world = World::new();
    let mut section = routes();
    let gateway = Pointer::parse("/spec/parentRefs/0/name").unwrap();
    section.labels.insert("gateway".to_owned(), gateway);
    let running = start(&world, &api, section);
    running.until_synced().await;
    until_addresses(&running, &["a.example.com", "b.example.com"]).await;
    let groups = running.probe.groups();
    assert_eq!(
        serde_json::to_value(&groups[source("shop/cart").as_str()].labels).unwrap(),
        json!({
            "__meta_kubernetes_namespace": "shop",
            "__meta_kubernetes_resource": "httproutes.gateway.networking.k8s.io",
            "__meta_kubernetes_resource_gateway": "edge",
            "__meta_kubernetes_resource_label_app": "cart",
            "__meta_kubernetes_resource_labelpresent_app": "true",
            "__meta_kubernetes_resource_name": "cart",
        })
    );

    api.apply(route("shop", "cart", &["b.example.com"]));
    api.apply(route("shop", "none", &["c.example.com"]));
    until_addresses(&running, &["b.example.com", "c.example.com"]).await;
    api.delete(ROUTES, "shop", "none");
    until_addresses(&running, &["b.example.com"]).await;
    api.apply(route("shop", "cart", &[]));
    until_addresses(&running, &[]).await;
}

#[tokio::test]
async fn sections_of_one_resource_see_it_through_their_own_pointers() {
    let api = server().await;
    api.apply(gateway("edge", &["10.0.0.1", "fd00::1"]));
    let world = World::new();
    let by_address = start(&world, &api, gateways());
    let ports = Some("/spec/listeners/*/port");
    let by_host = section(GATEWAYS, "/spec/listeners/*/hostname", ports);
    let by_host = start(&world, &api, by_host);
    let again = start(&world, &api, gateways());
    let all = [
        "10.0.0.1:80",
        "10.0.0.1:81",
        "10.0.0.1:443",
        "[fd00::1]:80",
        "[fd00::1]:81",
        "[fd00::1]:443",
    ];
    until_addresses(&by_address, &all).await;
    until_addresses(&by_host, &["a.example.com:80", "b.example.com:443"]).await;
    until_addresses(&again, &all).await;

    api.apply(gateway("edge", &["10.0.0.2"]));
    let moved = ["10.0.0.2:80", "10.0.0.2:81", "10.0.0.2:443"];
    until_addresses(&by_address, &moved).await;
    until_addresses(&again, &moved).await;
    until_addresses(&by_host, &["a.example.com:80", "b.example.com:443"]).await;
    // One watch for each set of pointers.
    assert_eq!(api.open_watches("gateways"), 2);

    api.delete(GATEWAYS, "infra", "edge");
    for running in [&by_address, &by_host, &again] {
        until_addresses(running, &[]).await;
    }
}

#[tokio::test]
async fn namespaces_and_selectors_limit_what_is_read() {
    let api = server().await;
    for (namespace, name) in [("a", "one"), ("a", "two"), ("b", "one"), ("c", "one")] {
        api.apply(route(namespace, name, &["x.example.com"]));
    }
    let world = World::new();
    let namespaces = Namespaces {
        names: vec!["a".to_owned(), "b".to_owned()],
        ..Namespaces::default()
    };
    let in_two = KubernetesResourceSection {
        namespaces,
        ..routes()
    };
    let named = KubernetesResourceSection {
        field_selector: Some("metadata.name=two".to_owned()),
        ..routes()
    };
    let labelled = KubernetesResourceSection {
        label_selector: Some("app=one".to_owned()),
        ..in_two.clone()
    };
    let in_two = start(&world, &api, in_two);
    let named = start(&world, &api, named);
    let labelled = start(&world, &api, labelled);
    until_sources(&in_two, &["a/one", "a/two", "b/one"]).await;
    until_sources(&named, &["a/two"]).await;
    until_sources(&labelled, &["a/one", "b/one"]).await;

    // What no longer matches is gone, what matches now is there.
    let mut changed = route("a", "one", &["x.example.com"]);
    changed["metadata"]["labels"]["app"] = json!("other");
    api.apply(changed);
    until_sources(&labelled, &["b/one"]).await;
    api.apply(route("b", "two", &["x.example.com"]));
    api.apply(route("c", "two", &["x.example.com"]));
    until_sources(&named, &["a/two", "b/two", "c/two"]).await;
    until_sources(&in_two, &["a/one", "a/two", "b/one", "b/two"]).await;
}

#[tokio::test]
async fn a_resource_that_the_server_has_not_is_named_and_awaited() {
    let api = server().await;
    let world = World::new();
    let mut widgets = section("example.com/v1/widgets", "/at", None);
    widgets.cluster_scoped = true;
    let running = start(&world, &api, widgets);
    running
        .until("named", |probe| {
            let waiting = probe.status().waiting_for.unwrap_or_default();
            waiting.contains("list of `widgets`: 404 Not Found")
        })
        .await;
    assert!(!running.probe.status().synced);
    api.register(Resource {
        group: "example.com".to_owned(),
        version: "v1".to_owned(),
        plural: "widgets".to_owned(),
        kind: "Widget".to_owned(),
        namespaced: false,
    });
    api.apply(widget("w", "10.0.0.1:9000"));
    running.until_sources(&["widgets.example.com/w"]).await;
    running.until_synced().await;
    until_addresses(&running, &["10.0.0.1:9000"]).await;
    running
        .until("well", |probe| probe.status().last_error.is_none())
        .await;
    let groups = running.probe.groups();
    let labels = &groups["widgets.example.com/w"].labels;
    assert_eq!(labels.get("__meta_kubernetes_namespace"), None);

    api.delete("example.com/v1/widgets", "", "w");
    until_addresses(&running, &[]).await;
}

#[tokio::test]
async fn a_missing_permission_is_named_with_the_group_of_the_resource() {
    let api = server().await;
    api.apply(route("a", "one", &["x.example.com"]));
    let forbidden = api.forbid(Verb::Watch, "httproutes", None);
    let lists = api.forbid(Verb::List, "httproutes", None);
    let world = World::new();
    let running = start(&world, &api, routes());
    running
        .until("named", |probe| {
            let waiting = probe.status().waiting_for.unwrap_or_default();
            waiting.contains("forbidden")
                && waiting.contains("`httproutes.gateway.networking.k8s.io`")
        })
        .await;
    api.faults().remove(forbidden);
    api.faults().remove(lists);
    until_sources(&running, &["a/one"]).await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_stays_as_it_was() {
    let api = server().await;
    api.apply(route("a", "bad", &["bad.example.com"]));
    let world = World::new();
    let running = start(&world, &api, routes());
    until_sources(&running, &["a/bad"]).await;
    api.faults().add(Rule::new(Fault::Replace {
        namespace: "a".to_owned(),
        name: "bad".to_owned(),
        json: r#"{"metadata":{"namespace":"a","name":"bad","labels":7}}"#.to_owned(),
    }));
    api.faults()
        .watches("httproutes", periplus_kube_api::WatchFault::End);
    api.clear_requests();
    let reopened = |requests: &[periplus_kube_api::Request]| !requests.is_empty();
    assert!(api.wait_for_requests(PATIENCE, reopened).await);
    api.apply(route("a", "bad", &["other.example.com"]));
    api.apply(route("a", "good", &["good.example.com"]));
    until_addresses(&running, &["bad.example.com", "good.example.com"]).await;
    let rejected = "periplus_kubernetes_rejected_total{role=\"resource\"}";
    assert!(world.metric(rejected) > 0);
}

#[tokio::test]
async fn clusters_have_each_their_objects() {
    let world = World::new();
    let (eu, us) = (server().await, server().await);
    for (name, api) in [("eu", &eu), ("us", &us)] {
        world.file(&format!("clusters/{name}.yaml"), &api.kubeconfig());
        api.apply(route("a", name, &[&format!("{name}.example.com")]));
    }
    let selection = ClusterSelection {
        named: Vec::new(),
        folders: vec![FolderSelection {
            path: world.folder.path().join("clusters"),
            patterns: NamePatterns::new(["*"]).unwrap(),
        }],
    };
    let running = world.start_resource(&KubernetesResourceSection {
        clusters: Some(selection),
        ..routes()
    });
    let sources = ["eu", "us"].map(|name| format!("{name}/{}", source(&format!("a/{name}"))));
    running.until_sources(&[&sources[0], &sources[1]]).await;
    let groups = running.probe.groups();
    for (name, source) in ["eu", "us"].iter().zip(&sources) {
        let labels = &groups[source.as_str()].labels;
        assert_eq!(labels.get("__meta_kubernetes_cluster"), Some(*name));
    }
    us.delete(ROUTES, "a", "us");
    until_addresses(&running, &["eu.example.com"]).await;
}
