//! A stand-in API server and the objects in it.

use std::collections::BTreeSet;
use std::time::Duration;

use periplus_kube_api::{KubeApi, Options};
use serde_json::{Value, json};

/// A server whose bookmarks come every second instead of every minute: they are what tells after
/// a failure that a quiet watch is well again.
pub(crate) async fn cluster() -> KubeApi {
    let options = Options {
        bookmark_interval: Duration::from_secs(1),
        ..Options::default()
    };
    KubeApi::start(options).await.unwrap()
}

/// A running Pod with one port: its target is `ADDRESS:8080`.
pub(crate) fn pod(namespace: &str, name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {
            "nodeName": "node-1",
            "containers": [{
                "name": "app",
                "image": "app:1",
                "ports": [{"name": "web", "containerPort": 8080, "protocol": "TCP"}],
            }],
        },
        "status": {
            "phase": "Running",
            "podIP": address,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

/// A job `pods` of all Pods in these namespaces; in all, if there are none.
pub(crate) fn pods_job(api: &KubeApi, namespaces: &[&str]) -> String {
    format!(
        "
  - job_name: pods
    kubernetes_sd_configs:
      - role: pod
        api_server: {}
        namespaces: {{names: [{}]}}
    relabel_configs:
      - source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_name]
        separator: /
        target_label: pod
",
        api.url(),
        namespaces.join(", ")
    )
}

/// Names, with namespaces, of all Pods that have an address.
pub(crate) fn addressed_pods(api: &KubeApi) -> BTreeSet<String> {
    let names = api.names("v1/pods").into_iter();
    names
        .filter(|(namespace, name)| {
            let pod = api.get("v1/pods", namespace, name).unwrap_or_default();
            pod["status"]["podIP"]
                .as_str()
                .is_some_and(|it| !it.is_empty())
        })
        .map(|(namespace, name)| format!("{namespace}/{name}"))
        .collect()
}
