//! The objects around the Pods of a [`Cluster`]: namespaces, nodes, services, slices and owners.

use serde_json::{Value, json};

use super::cluster::{Cluster, PodRef};
use super::{Random, managed};

/// When the cluster came to be.
pub(super) const CREATED: &str = "2026-09-01T08:00:00Z";
/// Images on a node; the kubelet reports 50 at most.
const IMAGES: usize = 40;

pub(super) fn namespace_name(namespace: usize) -> String {
    format!("team-{namespace:02}")
}

pub(super) fn service_name(service: usize) -> String {
    format!("service-{service:04}")
}

pub(super) fn node_name(node: usize) -> String {
    format!("node-{node:04}")
}

pub(super) fn zone_name(node: usize) -> String {
    let zone = ["a", "b", "c"][node % 3];
    format!("region-1{zone}")
}

pub(super) fn node_address(node: usize) -> String {
    let (third, fourth) = (node / 256 % 256, node % 256);
    format!("10.{}.{third}.{fourth}", 200 + node / 65_536 % 50)
}

pub(super) fn namespace(namespace: usize) -> Value {
    let name = namespace_name(namespace);
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": name, "creationTimestamp": CREATED,
            "labels": {"kubernetes.io/metadata.name": name, "team": name},
        },
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

/// 12.7 KB, most of it the images.
pub(super) fn node(cluster: &Cluster, node: usize) -> Value {
    let name = node_name(node);
    let mut random = Random::for_object(cluster.seed, "node", node);
    let mut object = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": random.uid(), "creationTimestamp": CREATED,
            "labels": {
                "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
                "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone_name(node),
                "topology.kubernetes.io/region": "region-1",
                "node.kubernetes.io/instance-type": "m5.2xlarge",
                "example.com/pool": format!("pool-{}", node % 4),
            },
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {
            "podCIDR": format!("10.{}.{}.0/24", node / 256 % 256, node % 256),
            "podCIDRs": [format!("10.{}.{}.0/24", node / 256 % 256, node % 256)],
            "providerID": format!("lab:///{}/{name}", zone_name(node)),
        },
        "status": {
            "capacity": {"cpu": "8", "ephemeral-storage": "100Gi", "memory": "32Gi", "pods": "110"},
            "allocatable": {"cpu": "7800m", "ephemeral-storage": "90Gi", "memory": "30Gi", "pods": "110"},
            "conditions": conditions(CREATED),
            "addresses": [
                {"type": "InternalIP", "address": node_address(node)},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": random.uid(), "systemUUID": random.uid(), "bootID": random.uid(),
                "kernelVersion": "6.12.48", "osImage": "Debian GNU/Linux 13 (trixie)",
                "containerRuntimeVersion": "containerd://2.1.4", "kubeletVersion": "v1.36.3",
                "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64",
            },
        },
    });
    object["metadata"]["managedFields"] = json!([
        managed::entry(&object, "kubelet", None),
        managed::entry(&object, "kubelet", Some("status")),
    ]);
    object["status"]["images"] = (0..IMAGES)
        .map(|number| image(number, &mut random))
        .collect();
    object
}

/// A node's conditions, all well, as of a time.
pub(super) fn conditions(heartbeat: &str) -> Value {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "lastHeartbeatTime": heartbeat,
               "lastTransitionTime": CREATED, "reason": reason, "message": message})
    };
    json!([
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        condition(
            "DiskPressure",
            "False",
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure"
        ),
        condition(
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        condition(
            "Ready",
            "True",
            "KubeletReady",
            "kubelet is posting ready status"
        ),
    ])
}

fn image(number: usize, random: &mut Random) -> Value {
    let repository = format!("registry.example.com/platform/workload-agent-{number:02}");
    let digest = random.digest();
    let size = 20_000_000 + random.below(400_000_000);
    json!({
        "names": [format!("{repository}@sha256:{digest}"), format!("{repository}:v1.{number}.0")],
        "sizeBytes": size,
    })
}

pub(super) fn service(cluster: &Cluster, service: usize) -> Value {
    let name = service_name(service);
    let mut random = Random::for_object(cluster.seed, "service", service);
    let address = format!("10.96.{}.{}", 1 + service / 250 % 250, 1 + service % 250);
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": name, "namespace": cluster.namespace_of(service), "uid": random.uid(),
            "creationTimestamp": CREATED,
            "labels": {"app": name, "app.kubernetes.io/part-of": "shop"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
        },
        "spec": {
            "type": "ClusterIP", "clusterIP": address, "clusterIPs": [address],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster", "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}],
        },
        "status": {"loadBalancer": {}},
    })
}

pub(super) fn replica_set(cluster: &Cluster, service: usize) -> Value {
    let app = service_name(service);
    let name = cluster.template_name(service);
    let hash = name.rsplit('-').next().unwrap_or_default();
    let labels = json!({"app": app, "pod-template-hash": hash});
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": cluster.namespace_of(service),
            "uid": owner_uid(cluster, service), "creationTimestamp": CREATED,
            "labels": labels, "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "Deployment", "name": app,
                "uid": Random::for_object(cluster.seed, "deployment", service).uid(),
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "replicas": 0, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": "registry.example.com/shop/app:1.24.3"}]},
            },
        },
        "status": {"replicas": 0},
    })
}

pub(super) fn owner_uid(cluster: &Cluster, service: usize) -> String {
    Random::for_object(cluster.seed, "replicaset", service).uid()
}

pub(super) fn slice(cluster: &Cluster, service: usize, part: usize, pods: &[PodRef]) -> Value {
    let name = service_name(service);
    let namespace = cluster.namespace_of(service);
    let endpoint = |pod: &PodRef| {
        let node = cluster.node_of(pod.place);
        let target = cluster.pod_name(*pod).1;
        json!({
            "addresses": [cluster.address(*pod)],
            "conditions": {"ready": true, "serving": true, "terminating": false},
            "nodeName": node_name(node), "zone": zone_name(node),
            "targetRef": {"kind": "Pod", "namespace": namespace, "name": target,
                          "uid": super::baseline::uid(cluster, *pod)},
        })
    };
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{name}-{part:03}"), "generateName": format!("{name}-"),
            "namespace": namespace, "creationTimestamp": CREATED,
            "labels": {
                "app": name, "kubernetes.io/service-name": name,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": CREATED},
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Service", "name": name,
                "uid": Random::for_object(cluster.seed, "service", service).uid(),
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "addressType": "IPv4",
        "endpoints": pods.iter().map(endpoint).collect::<Vec<_>>(),
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    })
}
