//! A Pod of about 8.6 KB, as a Deployment, a scheduler and a kubelet leave it behind.

use serde_json::{Value, json};

use super::{Load, Random};

const WORKLOADS: [&str; 8] = [
    "checkout", "cart", "search", "ledger", "gateway", "profile", "mailer", "reports",
];

/// The Pod of a number: two containers, two ports with names and one without a name on an init container.
pub fn pod(load: &Load, index: usize) -> Value {
    let mut random = Random::for_object(load.seed, "pod", index);
    let app = WORKLOADS[index % WORKLOADS.len()];
    let namespace = format!("team-{}", index % load.namespaces.max(1));
    let template = Random::for_object(load.seed, app, 0).suffix(10);
    let set = format!("{app}-{template}");
    let name = format!("{set}-{}{}", random.suffix(5), base(index));
    let host = index % load.nodes.max(1);
    let started = "2026-11-01T10:00:07Z";
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": namespace, "uid": random.uid(),
            "generateName": format!("{set}-"),
            "creationTimestamp": "2026-11-01T10:00:00Z",
            "labels": {
                "app": app, "app.kubernetes.io/name": app, "app.kubernetes.io/part-of": "shop",
                "app.kubernetes.io/version": "1.24.3", "pod-template-hash": template,
                "team": namespace, "release": format!("r{}", index % 100),
            },
            "annotations": {
                "prometheus.io/scrape": if index % 10 == 9 { "false" } else { "true" },
                "prometheus.io/port": "8080", "prometheus.io/path": "/metrics",
                "example.com/owner": format!("team-{}", index % 20),
                "example.com/config-checksum": format!("{:016x}{:016x}", random.next(), random.next()),
                "kubectl.kubernetes.io/restartedAt": "2026-11-01T09:59:59Z",
            },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set,
                "uid": Random::for_object(load.seed, app, 1).uid(),
                "controller": true, "blockOwnerDeletion": true,
            }],
            "managedFields": managed_fields(),
        },
        "spec": spec(app, &format!("node-{host:04}")),
        "status": status(app, index, host, started, &mut random),
    })
}

/// Names must be unique whatever the suffix.
fn base(index: usize) -> String {
    const DIGITS: &[u8] = b"bcdfghjklm";
    index
        .to_string()
        .bytes()
        .map(|d| DIGITS[usize::from(d - b'0')] as char)
        .collect()
}

fn spec(app: &str, node: &str) -> Value {
    json!({
        "nodeName": node, "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
        "serviceAccountName": app, "serviceAccount": app, "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30, "enableServiceLinks": true, "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
        "securityContext": {"runAsNonRoot": true, "runAsUser": 10001, "fsGroup": 10001},
        "initContainers": [{
            "name": "migrate", "image": format!("registry.example.com/shop/{app}:1.24.3"),
            "args": ["migrate", "--wait"], "imagePullPolicy": "IfNotPresent",
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        }],
        "containers": [container(app), proxy()],
        "volumes": [
            {"name": "config", "configMap": {"name": format!("{app}-config"), "defaultMode": 420}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt",
                               "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef":
                    {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
            ]}},
        ],
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
             "tolerationSeconds": 300},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
             "tolerationSeconds": 300},
        ],
    })
}

fn container(app: &str) -> Value {
    let probe = |path: &str| {
        json!({"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "periodSeconds": 10,
               "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3})
    };
    json!({
        "name": app, "image": format!("registry.example.com/shop/{app}:1.24.3"),
        "args": ["serve", "--listen=:8080", "--log-format=json"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef":
                {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef":
                {"name": format!("{app}-database"), "key": "url"}}},
            {"name": "LOG_LEVEL", "value": "info"},
            {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector.monitoring:4317"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"},
                      "limits": {"cpu": "1", "memory": "512Mi"}},
        "volumeMounts": mounts(), "livenessProbe": probe("/healthz"),
        "readinessProbe": probe("/ready"), "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                            "capabilities": {"drop": ["ALL"]}},
    })
}

fn proxy() -> Value {
    json!({
        "name": "proxy", "image": "registry.example.com/mesh/proxy:2.11.0",
        "args": ["--admin=:9901", "--config=/etc/config/proxy.yaml"],
        "ports": [{"name": "proxy-metrics", "containerPort": 9901, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
        "volumeMounts": mounts(), "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    })
}

fn mounts() -> Value {
    json!([
        {"name": "config", "mountPath": "/etc/config", "readOnly": true},
        {"name": "scratch", "mountPath": "/tmp"},
        {"name": "kube-api-access", "readOnly": true,
         "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
    ])
}

fn status(app: &str, index: usize, host: usize, started: &str, random: &mut Random) -> Value {
    let ip = format!(
        "10.{}.{}.{}",
        1 + index / 65_536 % 100,
        index / 256 % 256,
        index % 256
    );
    let host_ip = format!(
        "10.{}.{}.{}",
        200 + host / 65_536 % 50,
        host / 256 % 256,
        host % 256
    );
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": started});
    let mut container = |name: &str, image: &str| {
        let id = format!(
            "{:016x}{:016x}{:016x}{:016x}",
            random.next(),
            random.next(),
            random.next(),
            random.next()
        );
        json!({
            "name": name, "image": image, "imageID": format!("{image}@sha256:{id}"),
            "containerID": format!("containerd://{id}"), "ready": true, "started": true,
            "restartCount": 0, "state": {"running": {"startedAt": started}}, "lastState": {},
        })
    };
    let image = format!("registry.example.com/shop/{app}:1.24.3");
    json!({
        "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
        "hostIP": host_ip, "hostIPs": [{"ip": host_ip}], "startTime": "2026-11-01T10:00:01Z",
        "qosClass": "Burstable",
        "conditions": [
            condition("PodReadyToStartContainers"), condition("Initialized"), condition("Ready"),
            condition("ContainersReady"), condition("PodScheduled"),
        ],
        "initContainerStatuses": [container("migrate", &image)],
        "containerStatuses": [
            container(app, &image),
            container("proxy", "registry.example.com/mesh/proxy:2.11.0"),
        ],
    })
}

/// Who wrote which field: about a quarter of a Pod on the wire, and nothing that discovery needs.
fn managed_fields() -> Value {
    let container = json!({
        ".": {}, "f:args": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {},
        "f:env": {".": {},
            "k:{\"name\":\"DATABASE_URL\"}": {".": {}, "f:name": {}, "f:valueFrom": {".": {}, "f:secretKeyRef": {}}},
            "k:{\"name\":\"LOG_LEVEL\"}": {".": {}, "f:name": {}, "f:value": {}},
            "k:{\"name\":\"POD_NAME\"}": {".": {}, "f:name": {}, "f:valueFrom": {".": {}, "f:fieldRef": {}}}},
        "f:livenessProbe": {".": {}, "f:failureThreshold": {}, "f:httpGet": {".": {}, "f:path": {}, "f:port": {}, "f:scheme": {}},
            "f:periodSeconds": {}, "f:successThreshold": {}, "f:timeoutSeconds": {}},
        "f:ports": {".": {}, "k:{\"containerPort\":8080,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:name": {}, "f:protocol": {}}},
        "f:resources": {".": {}, "f:limits": {".": {}, "f:cpu": {}, "f:memory": {}}, "f:requests": {".": {}, "f:cpu": {}, "f:memory": {}}},
        "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {},
    });
    let condition = json!({".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {}});
    json!([
        {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
         "time": "2026-11-01T10:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {
            "f:metadata": {"f:generateName": {}, "f:annotations": {".": {}, "f:prometheus.io/scrape": {}, "f:prometheus.io/port": {}},
                "f:labels": {".": {}, "f:app": {}, "f:team": {}, "f:pod-template-hash": {}},
                "f:ownerReferences": {".": {}, "k:{\"uid\":\"owner\"}": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"main\"}": container}, "f:dnsPolicy": {}, "f:enableServiceLinks": {},
                "f:restartPolicy": {}, "f:schedulerName": {}, "f:securityContext": {".": {}, "f:fsGroup": {}}, "f:volumes": {".": {}}}}},
        {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "subresource": "status",
         "time": "2026-11-01T10:00:09Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {
            "f:conditions": {"k:{\"type\":\"ContainersReady\"}": condition, "k:{\"type\":\"Initialized\"}": condition,
                "k:{\"type\":\"Ready\"}": condition, "k:{\"type\":\"PodReadyToStartContainers\"}": condition},
            "f:containerStatuses": {}, "f:hostIP": {}, "f:hostIPs": {}, "f:initContainerStatuses": {}, "f:phase": {},
            "f:podIP": {}, "f:podIPs": {".": {}, "k:{\"ip\":\"10.0.0.1\"}": {".": {}, "f:ip": {}}}, "f:startTime": {}}}},
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_the_size_that_the_benchmarks_speak_of() {
        let size = pod(&Load::default(), 7).to_string().len();
        assert!((8_400..8_800).contains(&size), "{size} bytes");
    }

    #[test]
    fn pods_follow_from_seed_and_number_alone() {
        let load = Load::default();
        assert_eq!(pod(&load, 3), pod(&load, 3));
        assert_ne!(
            pod(&load, 3)["metadata"]["name"],
            pod(&load, 11)["metadata"]["name"]
        );
        let other = Load { seed: 2, ..load };
        assert_ne!(
            pod(&load, 3)["metadata"]["uid"],
            pod(&other, 3)["metadata"]["uid"]
        );
    }
}
