//! The cluster has the sizes that the benchmarks speak of.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[test]
fn ten_thousand_pods_have_the_company_of_the_baseline() {
    let cluster = Cluster::of_pods(10_000);
    let slices: usize = (0..400).map(|service| cluster.slices_of(service)).sum();
    assert_eq!(
        (cluster.nodes, cluster.services, cluster.namespaces),
        (200, 400, 50)
    );
    assert_eq!(slices, 440);
    // The same proportions, a hundredth of it.
    let small = Cluster::of_pods(100);
    let mut counts = BTreeMap::new();
    for object in small.objects() {
        *counts
            .entry(object["kind"].as_str().unwrap().to_owned())
            .or_insert(0) += 1;
    }
    let expected = [
        ("EndpointSlice", 4),
        ("Namespace", 50),
        ("Node", 2),
        ("Pod", 100),
        ("ReplicaSet", 4),
        ("Service", 4),
    ];
    assert!(
        counts
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
            .eq(expected)
    );
}

#[test]
fn a_tenth_of_the_services_hold_half_of_the_pods() {
    let cluster = Cluster::of_pods(10_000);
    let mut sizes: Vec<usize> = (0..400).map(|s| cluster.places_of(s).count()).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(sizes[..40].iter().sum::<usize>(), 5_000);
    assert_eq!(sizes.iter().sum::<usize>(), 10_000);
}

#[test]
fn objects_have_the_sizes_of_the_baseline() {
    let cluster = Cluster::of_pods(10_000);
    let pod = cluster.pod(7.into());
    let managed = pod["metadata"]["managedFields"].to_string().len();
    let node = cluster.node(7).to_string().len();
    let sizes = [pod.to_string().len(), managed, node];
    for (size, expected) in sizes.into_iter().zip([8_600, 4_000, 12_700]) {
        assert!(size.abs_diff(expected) < 100, "{sizes:?} bytes");
    }
}

#[test]
fn a_pod_has_two_containers_with_a_port_each() {
    let pod = Cluster::of_pods(10_000).pod(1.into());
    let containers = pod["spec"]["containers"].as_array().unwrap();
    let ports: Vec<_> = containers
        .iter()
        .flat_map(|c| c["ports"].as_array().unwrap())
        .collect();
    assert_eq!((containers.len(), ports.len()), (2, 2));
    assert!(pod["spec"].get("initContainers").is_none());
    assert_eq!(pod["status"]["conditions"].as_array().unwrap().len(), 5);
    assert_eq!(pod["metadata"]["annotations"].as_object().unwrap().len(), 6);
    // Nine, and two that the API server adds from the node.
    assert_eq!(pod["metadata"]["labels"].as_object().unwrap().len(), 11);
}

#[test]
fn each_pod_stands_in_the_slice_of_its_service_with_node_and_owner() {
    for cluster in [Cluster::of_pods(777), Cluster::of_pods(3)] {
        let mut owners = BTreeSet::new();
        let mut nodes = BTreeSet::new();
        let mut pods = BTreeMap::new();
        let mut endpoints = BTreeMap::new();
        let mut addresses = BTreeSet::new();
        for object in cluster.objects() {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            match object["kind"].as_str().unwrap() {
                "Node" => drop(nodes.insert(name)),
                "ReplicaSet" => drop(owners.insert(object["metadata"]["uid"].clone().to_string())),
                "Pod" => {
                    assert!(addresses.insert(object["status"]["podIP"].to_string()));
                    assert!(nodes.contains(object["spec"]["nodeName"].as_str().unwrap()));
                    let owner = &object["metadata"]["ownerReferences"][0]["uid"];
                    assert!(owners.contains(&owner.to_string()));
                    drop(pods.insert(name, object));
                }
                "EndpointSlice" => {
                    for endpoint in object["endpoints"].as_array().unwrap() {
                        let pod = endpoint["targetRef"]["name"].as_str().unwrap();
                        let service = object["metadata"]["labels"]["kubernetes.io/service-name"]
                            .as_str()
                            .unwrap();
                        let known = endpoints.insert(pod.to_owned(), service.to_owned());
                        assert!(known.is_none());
                        let pod = &pods[pod];
                        assert_eq!(endpoint["addresses"][0], pod["status"]["podIP"]);
                        assert_eq!(endpoint["nodeName"], pod["spec"]["nodeName"]);
                        assert_eq!(pod["metadata"]["labels"]["app"], service);
                    }
                }
                _ => {}
            }
        }
        assert_eq!(pods.len(), cluster.pods);
        assert_eq!(endpoints.len(), cluster.pods);
    }
}

#[test]
fn a_replaced_pod_is_another_in_the_same_slice() {
    let cluster = Cluster::of_pods(5_000);
    let (old, new) = (
        PodRef::from(4_321),
        PodRef {
            place: 4_321,
            generation: 1,
        },
    );
    assert_ne!(cluster.pod_name(old), cluster.pod_name(new));
    assert_ne!(cluster.address(old), cluster.address(new));
    let (service, part) = cluster.slice_of(4_321);
    let slice = cluster.slice(service, part, |place| usize::from(place == 4_321));
    let text = slice.to_string();
    assert!(text.contains(&cluster.pod_name(new).1) && !text.contains(&cluster.pod_name(old).1));
}

#[test]
fn objects_follow_from_seed_and_number_alone() {
    let cluster = Cluster::of_pods(60);
    assert!(cluster.objects().eq(cluster.objects()));
    let other = Cluster { seed: 2, ..cluster };
    assert_ne!(
        cluster.pod(3.into())["metadata"]["uid"],
        other.pod(3.into())["metadata"]["uid"]
    );
    assert_eq!(cluster.probes().len(), 60);
    assert_eq!(Cluster::of_pods(10_000).probes().len(), PROBES);
}
