use std::path::Path;

use periplus_config::{LoadOptions, load_str};

use super::*;

/// The permissions of jobs with these `kubernetes_sd_configs`, in one line for each cluster.
fn plan(clusters: &str, sections: &str) -> Vec<String> {
    let text = format!(
        "clusters: {clusters}\nscrape_configs: [{{job_name: j, kubernetes_sd_configs: [{sections}]}}]"
    );
    let loaded = load_str(&text, Path::new("p.yml"), &LoadOptions::default());
    let config = loaded.unwrap_or_else(|errors| panic!("{errors}")).config;
    of_config(&config, "own").iter().map(shown).collect()
}

fn shown(permissions: &Permissions) -> String {
    let rules = &permissions.rules;
    let mut parts = vec![shown_resources(&rules.everywhere)];
    parts.extend(
        rules
            .by_namespace
            .iter()
            .map(|(namespace, resources)| format!("{namespace}={}", shown_resources(resources))),
    );
    let mark = if permissions.is_local {
        ""
    } else {
        " elsewhere"
    };
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!(
        "{}{mark}: {}",
        permissions.clusters.join(", "),
        parts.join("; ")
    )
}

fn shown_resources(resources: &Resources) -> String {
    let names = resources.iter().flat_map(|(group, names)| {
        names.iter().map(move |name| {
            if group.is_empty() {
                name.clone()
            } else {
                format!("{name}.{group}")
            }
        })
    });
    names.collect::<Vec<_>>().join(" ")
}

const LOCAL: &str = "the cluster that Periplus runs in";

#[test]
fn sections_of_one_cluster_are_joined() {
    assert_eq!(
        plan(
            "[]",
            "{role: pod}, {role: node}, {role: pod, selectors: [{role: pod, label: a}]}"
        ),
        [format!("{LOCAL}: nodes pods")]
    );
    assert_eq!(plan("[]", ""), [""; 0]);
}

#[test]
fn namespaces_need_no_more_than_themselves() {
    for (sections, expected) in [
        (
            "{role: pod, namespaces: {names: [b, a, a]}}",
            "a=pods; b=pods",
        ),
        (
            "{role: pod, namespaces: {own_namespace: true, names: [a]}}",
            "a=pods; own=pods",
        ),
        (
            "{role: pod, namespaces: {names: [a]}, attach_metadata: {node: true, namespace: true}}",
            "namespaces nodes; a=pods",
        ),
        (
            "{role: endpointslice, namespaces: {names: [a]}, attach_metadata: {deployment: true, cronjob: true}}",
            "a=pods services replicasets.apps jobs.batch endpointslices.discovery.k8s.io",
        ),
        // The empty name is every namespace.
        ("{role: pod, namespaces: {names: [a, '']}}", "pods"),
        ("{role: node, namespaces: {names: [a]}}", "nodes"),
    ] {
        assert_eq!(plan("[]", sections), [format!("{LOCAL}: {expected}")]);
    }
}

#[test]
fn what_is_permitted_everywhere_is_not_permitted_twice() {
    assert_eq!(
        plan(
            "[]",
            "{role: pod}, {role: pod, namespaces: {names: [a]}}, {role: endpoints, namespaces: {names: [b]}}"
        ),
        [format!("{LOCAL}: pods; b=endpoints services")]
    );
}

#[test]
fn clusters_with_the_same_needs_stand_together() {
    let clusters = "[{name: a, kubeconfig_file: a}, {name: b, api_server: 'https://b'}, {name: c}, \
                     {kubeconfig_dir: d}]";
    for (sections, expected) in [
        (
            "{role: pod, clusters: [a, b]}",
            &["cluster \"a\", cluster \"b\" elsewhere: pods"][..],
        ),
        (
            "{role: pod, clusters: [a, b]}, {role: node, clusters: [b]}",
            &[
                "cluster \"a\" elsewhere: pods",
                "cluster \"b\" elsewhere: nodes pods",
            ],
        ),
        (
            "{role: pod, clusters: ['?', 'edge-*']}",
            &[
                "cluster \"a\", cluster \"b\", cluster \"c\", each cluster of folder \"d\" that \
                 matches \"?\" or \"edge-*\" elsewhere: pods",
            ],
        ),
        // A name for the cluster that we run in is no other cluster.
        (
            "{role: pod}, {role: node, clusters: [c]}",
            &["the cluster that Periplus runs in, cluster \"c\": nodes pods"],
        ),
        (
            "{role: pod, kubeconfig_file: k}, {role: pod, api_server: 'https://u:p@h:6443/x'}",
            &[
                "the cluster of kubeconfig \"k\", the cluster of API server \"https://h:6443\" \
                 elsewhere: pods",
            ],
        ),
    ] {
        assert_eq!(plan(clusters, sections), expected, "{sections}");
    }
}
