//! `kubernetes_resource_sd_configs`.

use periplus_config::{
    ClusterAccess, KubernetesResourceSection, Pointer, Section, SectionKind, Segment,
};
use serde_json::json;

use super::{config, errors, text_of, try_load};

const ROUTES: &str =
    "resource: gateway.networking.k8s.io/v1/httproutes, address: /spec/hostnames/*";

fn section(clusters: &str, keys: &str) -> Section {
    let section = format!("{{{keys}}}");
    let config = config(&text_of(clusters, "kubernetes_resource", &section));
    config.jobs[0].sections[0].clone()
}

fn content(section: &Section) -> &KubernetesResourceSection {
    match &section.kind {
        SectionKind::KubernetesResource(content) => content,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_section_is_resolved_with_its_defaults() {
    let section = section("", ROUTES);
    assert_eq!(section.mechanism, "kubernetes_resource");
    let routes = content(&section);
    assert_eq!(routes.resource.group, "gateway.networking.k8s.io");
    assert_eq!(routes.resource.version, "v1");
    assert_eq!(routes.resource.plural, "httproutes");
    assert_eq!(routes.access, ClusterAccess::Local);
    assert_eq!(routes.clusters, None);
    assert!(!routes.cluster_scoped && routes.drop_annotations.is_empty());
    assert_eq!((&routes.label_selector, &routes.port), (&None, &None));
    assert_eq!(
        routes.address.segments(),
        [
            Segment::Key("spec".to_owned()),
            Segment::Key("hostnames".to_owned()),
            Segment::Each
        ]
    );
}

#[test]
fn a_whole_section_is_resolved() {
    let section = section(
        "[{name: a}]",
        "resource: gateway.networking.k8s.io/v1/gateways, clusters: [a], namespaces: {names: [x]}, \
         label_selector: 'tier in (edge)', field_selector: metadata.name=gw, \
         address: /status/addresses/*/value, port: /spec/listeners/*/port, \
         labels: {class: /spec/gatewayClassName, team: /metadata/labels/example.com~1team}, \
         drop_annotations: ['kubectl.kubernetes.io/*']",
    );
    let gateways = content(&section);
    assert_eq!(gateways.namespaces.names, ["x"]);
    assert_eq!(gateways.clusters.as_ref().unwrap().named[0].name, "a");
    assert_eq!(gateways.label_selector.as_deref(), Some("tier in (edge)"));
    assert_eq!(gateways.field_selector.as_deref(), Some("metadata.name=gw"));
    assert_eq!(gateways.port, Pointer::parse("/spec/listeners/*/port").ok());
    assert_eq!(
        gateways.labels["team"].segments()[2],
        Segment::Key("example.com/team".to_owned())
    );
    let shown = section.shown();
    assert_eq!(shown["resource"], "gateway.networking.k8s.io/v1/gateways");
    assert_eq!(
        shown["labels"],
        json!({"class": "/spec/gatewayClassName", "team": "/metadata/labels/example.com~1team"})
    );
}

#[test]
fn all_errors_of_a_section_are_told_at_once() {
    let text = "\
scrape_configs:
- job_name: j
  kubernetes_resource_sd_configs:
  - resource: httproutes
    address: spec.hostnames
    port: ''
    labels: {a-b: /spec, c: , d: /e~, '': /f}
    label_selector: a b
    field_selector: a
    cluster_scoped: true
    namespaces: {names: [x]}
    drop_annotations: [a b]
    role: pod
    kubeconfig_file: k
    api_server: https://h
  - {}
  -
  - {resource: ~, address: ~}
";
    let place = "scrape_configs[0].kubernetes_resource_sd_configs";
    let expected = [
        "4:15 [0].resource: \"httproutes\" is not a resource",
        "5:14 [0].address: pointer `spec.hostnames` does not begin with `/`",
        "6:11 [0].port: pointer is empty",
        "7:19 [0].labels.a-b: \"a-b\" is not the end of a label's name",
        "7:27 [0].labels.c: pointer is missing",
        "7:34 [0].labels.d: pointer `/e~` has a `~` in `e~` that is neither `~0` nor `~1`",
        "7:43 [0].labels.: \"\" is not the end of a label's name",
        "8:21 [0].label_selector: unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        "9:21 [0].field_selector: invalid selector: 'a'; can't understand 'a'",
        "11:5 [0].namespaces: cannot use 'cluster_scoped' and 'namespaces' simultaneously",
        "12:24 [0].drop_annotations[0]: no annotation can match \"a b\"",
        "13:5 [0].role: unknown key `role`",
        "14:5 [0].kubeconfig_file: cannot use 'kubeconfig_file' and 'api_server' simultaneously",
        "16:5 [1]: resource is missing",
        "16:5 [1]: address is missing",
        "17:4 [2]: empty or null section in kubernetes_resource_sd_configs",
        "18:6 [3].resource: resource is missing",
        "18:19 [3].address: address is missing",
    ];
    let found: Vec<_> = errors(text)
        .iter()
        .map(|error| error.replace(place, ""))
        .collect();
    assert_eq!(found, expected);
    let without_hint = |error: &&periplus_config::Diagnostic| {
        error.hint.is_none() && !error.message.starts_with("cannot use 'kubeconfig_file'")
    };
    let all = try_load(text).unwrap_err();
    let missing: Vec<_> = all.0.iter().filter(without_hint).collect();
    // No key is near `role`.
    assert_eq!(missing.len(), 1, "{missing:?}");
}

#[test]
fn connections_are_checked_as_in_other_sections() {
    for (keys, expected) in [
        (
            "bearer_token: x",
            "to use custom HTTP client configuration please provide the 'api_server' URL explicitly",
        ),
        (
            "kubeconfig_file: k, namespaces: {own_namespace: true}",
            "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously",
        ),
        ("clusters: [nowhere]", "there is no cluster \"nowhere\""),
    ] {
        let text = text_of("", "kubernetes_resource", &format!("{{{ROUTES}, {keys}}}"));
        let errors = try_load(&text).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert_eq!(errors.0[0].message, expected);
    }
}

#[test]
fn equal_sections_have_equal_identities_and_secrets_count() {
    let identity = |keys: &str| section("", &format!("{ROUTES}{keys}")).identity;
    assert_eq!(
        identity(", labels: {a: /x, b: /y}"),
        identity(", cluster_scoped: false, labels: {b: /y, a: /x}, port: ~")
    );
    for keys in [
        ", port: /p",
        ", labels: {a: /x}",
        ", cluster_scoped: true",
        ", label_selector: a",
    ] {
        assert_ne!(identity(""), identity(keys), "{keys}");
    }
    let with_token = |token: &str| format!(", api_server: 'https://h', bearer_token: {token}");
    assert_ne!(identity(&with_token("a")), identity(&with_token("b")));
    let secret = section("", &format!("{ROUTES}{}", with_token("hunter2")));
    assert!(!secret.shown().to_string().contains("hunter2"));
    assert!(!format!("{secret:?}").contains("hunter2"));
}
