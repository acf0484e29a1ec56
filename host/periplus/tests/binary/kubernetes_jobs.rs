//! What jobs of several kinds see of Kubernetes, and how little they ask for it.

use periplus_kube_api::{KubeApi, Request, Verb};
use serde_json::{Value, json};

use crate::cluster::{cluster, pod};
use crate::lab::Lab;
use crate::running::{Running, until};

const ROUTES: &str = "gateway.networking.k8s.io/v1/httproutes";

fn route(name: &str, hosts: &[&str]) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"hostnames": hosts, "parentRefs": [{"name": "edge"}]},
    })
}

fn gateway(address: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"namespace": "infra", "name": "edge"},
        "spec": {"gatewayClassName": "istio", "listeners": [
            {"name": "web", "port": 80}, {"name": "tls", "port": 443},
        ]},
        "status": {"addresses": [{"value": address}]},
    })
}

/// Jobs of Gateways by one server's address, and of Pods and routes in all clusters of a folder.
fn jobs(api: &KubeApi) -> String {
    format!(
        r#"
clusters:
  - kubeconfig_dir: clusters
scrape_configs:
  - job_name: gateways
    kubernetes_resource_sd_configs:
      - resource: gateway.networking.k8s.io/v1/gateways
        api_server: {url}
        address: /status/addresses/*/value
        port: /spec/listeners/*/port
        labels: {{listener: /spec/listeners/*/name, class: /spec/gatewayClassName}}
    relabel_configs:
      - {{source_labels: [__meta_kubernetes_resource_listener], target_label: listener}}
  - job_name: routes
    kubernetes_resource_sd_configs:
      - resource: {ROUTES}
        clusters: ["*"]
        address: /spec/hostnames/*
        labels: {{gateway: /spec/parentRefs/0/name}}
  - job_name: pods
    kubernetes_sd_configs:
      - {{role: pod, clusters: ["*"]}}
    relabel_configs:
      - {{source_labels: [__meta_kubernetes_cluster], target_label: cluster}}
"#,
        url = api.url()
    )
}

/// Waits until a job has this target; its labels as they were discovered.
async fn discovered(host: &Running, job: &str, address: &str) -> Value {
    let path = format!("{job}?stage=discovered");
    let has = host.until_job(address, &path, |answer| {
        answer.status == 200 && answer.labels(address).is_some()
    });
    has.await.labels(address).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn other_kinds_and_clusters_of_a_folder_are_served() {
    let (eu, us) = (cluster().await, cluster().await);
    eu.apply(gateway("10.0.0.1"));
    let lab = Lab::new(&jobs(&eu));
    std::fs::create_dir(lab.path("clusters")).unwrap();
    for (name, api) in [("eu", &eu), ("us", &us)] {
        lab.write(&format!("clusters/{name}.yaml"), api.kubeconfig());
        let host = format!("{name}.example.com");
        api.apply(route(name, &[&host]));
    }
    eu.apply(pod("shop", "web", "10.1.0.1"));
    us.apply(pod("shop", "web", "10.2.0.1"));
    let host = lab.run(&[]).await;

    host.until_addresses("gateways", &["10.0.0.1:80", "10.0.0.1:443"])
        .await;
    let final_labels = host.get("/sd/gateways").await.labels("10.0.0.1:443");
    assert_eq!(final_labels.unwrap()["listener"], "tls");
    assert_eq!(
        discovered(&host, "gateways", "10.0.0.1:80").await,
        json!({
            "__meta_kubernetes_namespace": "infra",
            "__meta_kubernetes_resource": "gateways.gateway.networking.k8s.io",
            "__meta_kubernetes_resource_class": "istio",
            "__meta_kubernetes_resource_listener": "web",
            "__meta_kubernetes_resource_name": "edge",
            "__meta_kubernetes_resource_port": "80",
        })
    );

    host.until_addresses("routes", &["eu.example.com", "us.example.com"])
        .await;
    host.until_addresses("pods", &["10.1.0.1:8080", "10.2.0.1:8080"])
        .await;
    for (name, address) in [("eu", "10.1.0.1:8080"), ("us", "10.2.0.1:8080")] {
        let pod = discovered(&host, "pods", address).await;
        assert_eq!(pod["__meta_kubernetes_cluster"], name);
        let served = host.get("/sd/pods").await.labels(address).unwrap();
        assert_eq!(served["cluster"], name);
        let route = discovered(&host, "routes", &format!("{name}.example.com")).await;
        assert_eq!(route["__meta_kubernetes_cluster"], name);
        assert_eq!(route["__meta_kubernetes_resource_gateway"], "edge");
    }

    // Objects and clusters come and go, without a reload.
    us.apply(route("us", &["new.example.com"]));
    eu.delete(ROUTES, "shop", "eu");
    host.until_addresses("routes", &["new.example.com"]).await;
    std::fs::remove_file(lab.path("clusters/us.yaml")).unwrap();
    host.until_addresses("routes", &[]).await;
    host.until_addresses("pods", &["10.1.0.1:8080"]).await;
}

/// The five usual jobs.
fn five_jobs(api: &KubeApi) -> String {
    let jobs = [
        ("pods", "pod", "attach_metadata: {node: true}"),
        ("slow-pods", "pod", ""),
        ("slices", "endpointslice", "attach_metadata: {node: true}"),
        ("services", "service", ""),
        ("nodes", "node", ""),
    ];
    let jobs = jobs.map(|(name, role, more)| job(api, name, role, more));
    format!("scrape_configs:{}", jobs.concat())
}

fn job(api: &KubeApi, name: &str, role: &str, more: &str) -> String {
    let url = api.url();
    format!(
        "
  - job_name: {name}
    kubernetes_sd_configs:
      - role: {role}
        api_server: {url}
        {more}"
    )
}

/// The resources of the watches that the server was asked for, sorted.
fn watched(requests: &[Request]) -> Vec<&str> {
    let watches = requests.iter().filter(|it| it.verb == Verb::Watch);
    let mut resources: Vec<&str> = watches.map(|it| it.resource.as_str()).collect();
    resources.sort_unstable();
    resources
}

fn fill(api: &KubeApi) {
    api.apply(pod("shop", "web", "10.0.0.1"));
    api.apply(json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "node-1", "labels": {"zone": "a"}},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.9.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        },
    }));
    api.apply(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {"ports": [{"name": "web", "port": 80, "protocol": "TCP"}]},
    }));
    api.apply(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "namespace": "shop", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"},
        },
        "endpoints": [{
            "addresses": ["10.0.0.1"],
            "nodeName": "node-1",
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web"},
        }],
        "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_jobs_of_different_roles_share_one_watch_for_each_resource() {
    let api = cluster().await;
    fill(&api);
    let lab = Lab::new(&five_jobs(&api));
    let host = lab.run(&[]).await;
    let of_pod = ["10.0.0.1:8080"];
    for (job, expected) in [
        ("pods", &of_pod[..]),
        ("slow-pods", &of_pod),
        ("slices", &of_pod),
        ("services", &["web.shop.svc:80"]),
        ("nodes", &["10.9.0.1:10250"]),
    ] {
        host.until_addresses(job, expected).await;
    }
    for job in ["pods", "slices"] {
        let labels = discovered(&host, job, of_pod[0]).await;
        assert_eq!(labels["__meta_kubernetes_node_label_zone"], "a", "{job}");
    }
    host.until("readiness", "/-/ready", |answer| answer.status == 200)
        .await;
    let all = ["endpointslices", "nodes", "pods", "services"];
    assert_eq!(watched(&api.requests()), all);
    let lists = api.requests();
    assert!(lists.iter().all(|it| it.verb != Verb::List), "{lists:?}");

    // A sixth job is served by what runs already, and all see the next change.
    let selecting = "selectors: [{role: pod, label: app=web}]";
    let six = five_jobs(&api) + &job(&api, "selected", "pod", selecting) + "\n";
    lab.configure(&six);
    assert_eq!(host.reload().await.status, 200);
    host.until_addresses("selected", &of_pod).await;
    api.apply(pod("shop", "other", "10.0.0.2"));
    for job in ["pods", "slow-pods"] {
        host.until_addresses(job, &["10.0.0.1:8080", "10.0.0.2:8080"])
            .await;
    }
    host.until_addresses("selected", &of_pod).await;
    assert_eq!(watched(&api.requests()), all);

    // Watches end with the last job that needs them.
    lab.configure(&format!(
        "scrape_configs:{}\n",
        job(&api, "nodes", "node", "")
    ));
    assert_eq!(host.reload().await.status, 200);
    until(|| {
        let open = all.iter().filter(|it| api.open_watches(it) > 0);
        open.eq(&["nodes"])
    })
    .await;
    host.until_addresses("nodes", &["10.9.0.1:10250"]).await;
    assert_eq!(watched(&api.requests()), all);
}
