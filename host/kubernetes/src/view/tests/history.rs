//! Any history of events leads to what the final state alone leads to.

use proptest::prelude::*;

use super::*;

/// One event: an object of a kind as it is now, or gone.
#[derive(Clone, Debug)]
struct Event {
    kind: ObjectKind,
    number: usize,
    /// How the object looks; `None`: it is gone.
    look: Option<usize>,
    /// Whether the view is asked for its groups afterwards.
    takes: bool,
}

const KINDS: [ObjectKind; 9] = [
    ObjectKind::Pod,
    ObjectKind::Node,
    ObjectKind::Service,
    ObjectKind::Endpoints,
    ObjectKind::EndpointSlice,
    ObjectKind::Ingress,
    ObjectKind::Namespace,
    ObjectKind::ReplicaSet,
    ObjectKind::Job,
];

/// Three objects of each kind that refer to each other, each in several looks.
fn object(kind: ObjectKind, number: usize, look: usize) -> Value {
    let metadata =
        |labels: Value| json!({"name": format!("o{number}"), "namespace": "ns", "labels": labels});
    let plain = metadata(json!({"look": (look % 3).to_string()}));
    let other = |by: usize| format!("o{}", (number + look + by) % 3);
    match kind {
        ObjectKind::Pod => {
            let ports = |from: usize| -> Vec<Value> {
                (0..look % 3)
                    .map(|at| json!({"containerPort": 80 + from + at}))
                    .collect()
            };
            let mut metadata = plain;
            let owner = if look.is_multiple_of(2) {
                "ReplicaSet"
            } else {
                "Job"
            };
            metadata["ownerReferences"] =
                json!([{"kind": owner, "name": other(0), "controller": true}]);
            let ip = if look == 5 {
                String::new()
            } else {
                format!("10.0.0.{number}")
            };
            json!({
                "metadata": metadata,
                "spec": {"nodeName": other(1), "containers": [{"name": "a", "ports": ports(0)}],
                    "initContainers": [{"name": "b", "ports": ports(2)}]},
                "status": {"podIP": ip},
            })
        }
        ObjectKind::Node => {
            let addresses = if look == 5 {
                json!([])
            } else {
                json!([{"type": "InternalIP", "address": other(2)}])
            };
            json!({"metadata": plain, "status": {"addresses": addresses}})
        }
        ObjectKind::Service => json!({"metadata": plain, "spec": {
            "ports": [{"port": look}], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": if look.is_multiple_of(2) { "PreferDualStack" } else { "SingleStack" },
        }}),
        ObjectKind::Ingress => json!({"metadata": plain, "spec": {"rules": [{"host": other(0)}]}}),
        ObjectKind::Endpoints | ObjectKind::EndpointSlice => backends(kind, plain, number, look),
        ObjectKind::Namespace => {
            json!({"metadata": {"name": "ns", "labels": {"look": (look % 3).to_string()}}})
        }
        _ => {
            let owner = if kind == ObjectKind::Job {
                "CronJob"
            } else {
                "Deployment"
            };
            let mut metadata = plain;
            metadata["ownerReferences"] =
                json!([{"kind": owner, "name": other(0), "controller": look < 4}]);
            json!({"metadata": metadata})
        }
    }
}

/// Endpoints or a slice, of Pods and nodes.
fn backends(kind: ObjectKind, plain: Value, number: usize, look: usize) -> Value {
    let other = |by: usize| format!("o{}", (number + look + by) % 3);
    match kind {
        ObjectKind::Endpoints => {
            let address = |by: usize| {
                json!({"ip": other(by), "nodeName": other(by + 1),
                "targetRef": {"kind": "Pod", "namespace": "ns", "name": other(by)}})
            };
            json!({"metadata": plain, "subsets": [
                {"addresses": [address(0), address(1)], "notReadyAddresses": [address(0)],
                    "ports": [{"port": 80}, {"port": 81 + look}]},
                {"addresses": [address(1)], "ports": [{"port": 82}]},
            ]})
        }
        _ => {
            let endpoint = |by: usize| {
                json!({"addresses": [other(by), "x"], "nodeName": other(by),
                "targetRef": {"kind": if by == 3 { "Node" } else { "Pod" }, "namespace": "ns", "name": other(by)}})
            };
            let endpoints: Vec<Value> = (0..=look % 4).map(endpoint).collect();
            let mut metadata = plain;
            metadata["labels"]["kubernetes.io/service-name"] = json!(other(0));
            json!({"metadata": metadata, "endpoints": endpoints,
                "addressType": if look == 4 { "IPv6" } else { "IPv4" },
                "ports": [{"port": 80}, {"port": 81 + look % 2}]})
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    (
        prop::sample::select(&KINDS[..]),
        0..3_usize,
        prop::option::weighted(0.8, 0..6_usize),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(kind, number, look, takes)| Event {
            kind,
            number,
            look,
            takes,
        })
}

fn any_spec() -> impl Strategy<Value = ViewSpec> {
    let attach = prop::array::uniform5(prop::bool::ANY);
    (prop::sample::select(&Role::ALL[..]), attach).prop_map(
        |(role, [node, namespace, deployment, job, cronjob])| ViewSpec {
            attach: AttachMetadata {
                node,
                namespace,
                deployment,
                job,
                cronjob,
            },
            ..spec(role, "")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_history_leads_where_its_end_does(spec in any_spec(), events in prop::collection::vec(event(), 1..80)) {
        let mut bench = Bench::new(spec.clone());
        let mut state = BTreeMap::new();
        for Event { kind, number, look, takes } in events {
            // There is one namespace.
            let number = if kind == ObjectKind::Namespace { 0 } else { number };
            let look_of = object(kind, number, look.unwrap_or_default());
            if look.is_some() {
                bench.put(kind, &look_of);
                state.insert((kind, number), look_of);
            } else if state.remove(&(kind, number)).is_some() {
                let watched = WatchedKind::of(kind, &spec).unwrap();
                let (key, _) = packed(&watched, &AnnotationFilter::default(), &look_of).unwrap();
                bench.remove(kind, key.as_str());
            }
            if takes {
                bench.take();
            }
        }
        bench.take();
        let mut fresh = Bench::new(spec);
        for ((kind, _), object) in state.iter().rev() {
            fresh.put(*kind, object);
        }
        fresh.take();
        prop_assert_eq!(bench.groups, fresh.groups);
    }
}
