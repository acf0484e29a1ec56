//! Services and ingresses.

use serde_json::{Value, json};

use super::super::random::Random;
use super::pods::PORTS;

pub(super) fn service(random: &mut Random) -> Value {
    let mut ports: Vec<Value> = random
        .some_of(&PORTS, 50)
        .into_iter()
        .map(|(name, number)| json!({"name": name, "port": number}))
        .collect();
    if random.chance(15) {
        ports = vec![json!({"port": 53, "protocol": "UDP"})];
    }
    let kind = random.weighted(&[
        ("cluster", 3),
        ("headless", 2),
        ("dual", 3),
        ("node", 1),
        ("balanced", 2),
        ("external", 2),
    ]);
    if ports.is_empty() && !matches!(kind, "headless" | "dual" | "external") {
        // An address without ports is refused.
        ports = vec![json!({"name": "http", "port": 80})];
    }
    let mut service = json!({"apiVersion": "v1", "spec": {"ports": ports}});
    let spec = &mut service["spec"];
    match kind {
        "headless" => spec["clusterIP"] = "None".into(),
        "dual" => {
            // Both families are to be had without a selector alone: nobody hands out addresses.
            spec["clusterIP"] = "None".into();
            spec["ipFamilyPolicy"] =
                (*random.one_of(&["RequireDualStack", "PreferDualStack"])).into();
            spec["ipFamilies"] = random
                .one_of(&[json!(["IPv4", "IPv6"]), json!(["IPv6", "IPv4"])])
                .clone();
        }
        "node" => spec["type"] = "NodePort".into(),
        "external" => {
            spec["type"] = "ExternalName".into();
            spec["externalName"] = "db.example.com".into();
        }
        "balanced" => balanced(random, &mut service),
        _ => {}
    }
    service
}

fn balanced(random: &mut Random, service: &mut Value) {
    service["spec"]["type"] = "LoadBalancer".into();
    if random.chance(40) {
        service["spec"]["loadBalancerIP"] = "203.0.113.7".into();
    }
    let points = [
        json!({"ip": "203.0.113.8"}),
        json!({"ip": "2001:db8::8"}),
        json!({"hostname": "lb.example.com"}),
    ];
    service["status"] = json!({"loadBalancer": {"ingress": random.some_of(&points, 50)}});
}

pub(super) fn ingress(random: &mut Random) -> Value {
    let hosts = [
        "shop.example.com",
        "blog.example.com",
        "*.example.com",
        "a.b.example.com",
    ];
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let rules: Vec<Value> = random
        .some_of(&hosts, 50)
        .into_iter()
        .map(|host| rule(random, host, &backend))
        .collect();
    let mut spec = json!({});
    if rules.is_empty() || random.chance(20) {
        spec["defaultBackend"] = backend;
    }
    spec["rules"] = rules.into();
    if random.chance(50) {
        spec["ingressClassName"] = (*random.one_of(&["nginx", "other"])).into();
    }
    let names = ["shop.example.com", "*.example.com", "*.b.example.com"];
    spec["tls"] = random
        .some_of(&names, 30)
        .into_iter()
        .map(|host| json!({"hosts": [host]}))
        .collect::<Vec<_>>()
        .into();
    json!({"apiVersion": "networking.k8s.io/v1", "spec": spec})
}

fn rule(random: &mut Random, host: &str, backend: &Value) -> Value {
    let mut rule = json!({"host": host});
    if random.chance(80) {
        let first = *random.one_of(&["/", "/metrics", ""]);
        let mut paths = vec![path(first, backend)];
        if random.chance(40) {
            paths.push(path("/more", backend));
        }
        rule["http"] = json!({ "paths": paths });
    }
    rule
}

fn path(path: &str, backend: &Value) -> Value {
    json!({"path": path, "pathType": "ImplementationSpecific", "backend": backend})
}
