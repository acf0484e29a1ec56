//! The Pod that the benchmarks speak of: 8.6 KB of JSON, 4 KB of it `managedFields`, two ports.

use serde_json::{Value, json};

use super::cluster::{Cluster, PodRef};
use super::{Random, managed, objects};

const STARTED: &str = "2026-11-01T10:00:07Z";

/// A Pod of a cluster.
pub(super) fn pod(cluster: &Cluster, pod: PodRef) -> Value {
    let service = cluster.service_of(pod.place);
    let node = cluster.node_of(pod.place);
    let app = objects::service_name(service);
    let set = cluster.template_name(service);
    let (namespace, name) = cluster.pod_name(pod);
    let mut random = random(cluster, pod);
    let uid = random.uid();
    let mut labels = json!({
        "app": app, "app.kubernetes.io/name": app, "app.kubernetes.io/instance": app,
        "app.kubernetes.io/part-of": "shop", "app.kubernetes.io/version": "1.24.3",
        "pod-template-hash": set.rsplit('-').next(), "team": namespace,
        "release": format!("r{}", pod.place % 100), "tier": "backend",
        "topology.kubernetes.io/region": "region-1",
        "topology.kubernetes.io/zone": objects::zone_name(node),
    });
    if cluster.is_probe(pod.place) {
        labels["lab-probe"] = "true".into();
    }
    let checksum = format!("{:016x}{:016x}", random.next(), random.next());
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "generateName": format!("{set}-"), "namespace": namespace, "uid": uid,
            "creationTimestamp": "2026-11-01T10:00:00Z",
            "labels": labels,
            "annotations": {
                "prometheus.io/scrape": "true", "prometheus.io/port": "8080",
                "prometheus.io/path": "/metrics",
                "example.com/owner": format!("team-{}", pod.place % 20),
                "example.com/config-checksum": checksum,
                "kubectl.kubernetes.io/restartedAt": "2026-11-01T09:59:59Z",
            },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set,
                "uid": objects::owner_uid(cluster, service),
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": spec(&app, &objects::node_name(node)),
        "status": status(&app, cluster, pod, &mut random),
    });
    object["metadata"]["managedFields"] = json!([
        managed::entry(&object, "kube-controller-manager", None),
        managed::entry(&object, "kubelet", Some("status")),
    ]);
    object
}

pub(super) fn uid(cluster: &Cluster, pod: PodRef) -> String {
    random(cluster, pod).uid()
}

fn random(cluster: &Cluster, pod: PodRef) -> Random {
    Random::for_object(cluster.seed, "pod", cluster.number(pod))
}

fn spec(app: &str, node: &str) -> Value {
    json!({
        "nodeName": node, "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler", "securityContext": {},
        "terminationGracePeriodSeconds": 30, "enableServiceLinks": true,
        "preemptionPolicy": "PreemptLowerPriority", "priority": 0,
        "containers": [main_container(app), sidecar()],
        "volumes": [{"name": "config", "configMap": {"name": format!("{app}-config"), "defaultMode": 420}}],
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
             "tolerationSeconds": 300},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
             "tolerationSeconds": 300},
        ],
    })
}

fn main_container(app: &str) -> Value {
    let probe = |path: &str| {
        json!({"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "periodSeconds": 10,
               "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3})
    };
    json!({
        "name": "app", "image": format!("registry.example.com/shop/{app}:1.24.3"),
        "args": ["serve", "--listen=:8080"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef":
                {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef":
                {"name": format!("{app}-database"), "key": "url"}}},
            {"name": "LOG_LEVEL", "value": "info"},
            {"name": "REGION", "value": "region-1"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"},
                      "limits": {"cpu": "1", "memory": "512Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/config", "readOnly": true}],
        "livenessProbe": probe("/healthy"), "readinessProbe": probe("/ready"),
        "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    })
}

fn sidecar() -> Value {
    json!({
        "name": "proxy", "image": "registry.example.com/mesh/proxy:2.11.0",
        "env": [{"name": "PROXY_CONCURRENCY", "value": "2"}],
        "ports": [{"name": "proxy-metrics", "containerPort": 9901, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
        "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    })
}

fn status(app: &str, cluster: &Cluster, pod: PodRef, random: &mut Random) -> Value {
    let address = cluster.address(pod);
    let host = objects::node_address(cluster.node_of(pod.place));
    let mut container = |name: &str, image: &str| {
        let digest = random.digest();
        json!({
            "name": name, "image": image, "imageID": format!("{image}@sha256:{digest}"),
            "containerID": format!("containerd://{digest}"), "ready": true, "started": true,
            "restartCount": 0, "state": {"running": {"startedAt": STARTED}}, "lastState": {},
        })
    };
    let image = format!("registry.example.com/shop/{app}:1.24.3");
    json!({
        "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
        "hostIP": host, "hostIPs": [{"ip": host}], "startTime": "2026-11-01T10:00:01Z",
        "qosClass": "Burstable", "conditions": conditions(None),
        "containerStatuses": [
            container("app", &image),
            container("proxy", "registry.example.com/mesh/proxy:2.11.0"),
        ],
    })
}

/// A running Pod's five conditions; the kubelet leaves the time of its last look empty.
pub(super) fn conditions(probed: Option<&str>) -> Value {
    let kinds = [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ];
    let condition = |kind: &&str| {
        json!({"type": kind, "status": "True", "lastProbeTime": probed,
               "lastTransitionTime": STARTED})
    };
    kinds.iter().map(condition).collect()
}
