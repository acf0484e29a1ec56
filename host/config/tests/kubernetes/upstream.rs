//! What Prometheus checks, in its order and in its words.

use super::{config, content, errors, section, text_of, try_load};

/// The messages about a section, without places.
fn messages(section: &str) -> Vec<String> {
    let errors = try_load(&text_of("", "kubernetes", section)).map(|_| ());
    match errors {
        Ok(()) => Vec::new(),
        Err(errors) => errors.0.into_iter().map(|error| error.message).collect(),
    }
}

const SERVER: &str = "api_server: 'https://localhost:1234'";

#[test]
fn sections_that_prometheus_accepts_are_accepted() {
    for section in [
        "{role: endpoints}",
        "{role: pod, api_server: ''}",
        "{role: pod, api_server: 'kubernetes:443'}",
        "{role: pod, api_server: null, kubeconfig_file: '', selectors: ~, attach_metadata:}",
        "{role: pod, api_server: 'https://h', bearer_token: x, proxy_url: 'http://p'}",
        "{role: pod, kubeconfig_file: k, follow_redirects: true, enable_http2: true}",
        "{role: pod, kubeconfig_file: k, tls_config: {}}",
        "{role: pod, namespaces: {own_namespace: true, names: [a, a]}}",
        "{role: node, namespaces: {names: [a]}, attach_metadata: {node: true, cronjob: true}}",
        "{role: ingress, attach_metadata: {node: true, namespace: true, deployment: true, job: true}}",
        "{role: pod, selectors: [{role: pod, label: foo=bar, field: metadata.status=Running}]}",
        "{role: pod, selectors: [{role: pod, label: 'foo in (bar,baz)'}]}",
        "{role: pod, selectors: [{role: node, label: foo=bar}, {role: pod}]}",
        "{role: endpoints, selectors: [{role: pod}, {role: service}, {role: endpoints}]}",
        "{role: endpointslice, selectors: [{role: pod}, {role: service}, {role: endpointslice}]}",
        "{role: service, selectors: [{role: service}]}",
        "{role: node, selectors: [{role: node, field: 'metadata.name!=a,spec.x==b'}]}",
        "{role: ingress, selectors: [{role: ingress}]}",
    ] {
        assert_eq!(messages(section), [""; 0], "{section}");
    }
}

#[test]
fn the_role_is_checked_first() {
    const MISSING: &str =
        "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)";
    for (section, expected) in [
        ("{}", MISSING),
        ("{role: }", MISSING),
        (
            "{role: ~, kubeconfig_file: k, api_server: 'http://h'}",
            MISSING,
        ),
        ("{role: ''}", "unknown Kubernetes SD role \"\""),
        (
            "{role: vacation}",
            "unknown Kubernetes SD role \"vacation\"",
        ),
        ("{role: Pod}", "unknown Kubernetes SD role \"Pod\""),
        ("{role: 'pod '}", "unknown Kubernetes SD role \"pod \""),
        (
            "{role: vacation, bearer_token: a, bearer_token_file: b}",
            "unknown Kubernetes SD role \"vacation\"",
        ),
    ] {
        assert_eq!(messages(section), [expected], "{section}");
    }
}

#[test]
fn ways_to_the_cluster_exclude_each_other() {
    const WITHOUT_SERVER: &str = "to use custom HTTP client configuration please provide the \
                                  'api_server' URL explicitly";
    const WITH_KUBECONFIG: &str =
        "cannot use a custom HTTP client configuration together with 'kubeconfig_file'";
    const BOTH: &str = "cannot use 'kubeconfig_file' and 'api_server' simultaneously";
    for (keys, expected) in [
        (
            "SERVER, bearer_token: 1234, basic_auth: {username: u, password: p}",
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
        ),
        (
            "bearer_token: a, bearer_token_file: b, kubeconfig_file: k",
            "at most one of bearer_token & bearer_token_file must be configured",
        ),
        ("SERVER, kubeconfig_file: /user1/.kube/config", BOTH),
        ("api_server: '', kubeconfig_file: k", BOTH),
        (
            "SERVER, kubeconfig_file: k, follow_redirects: false, namespaces: {own_namespace: true}",
            BOTH,
        ),
        ("kubeconfig_file: k, basic_auth: {}", WITH_KUBECONFIG),
        ("kubeconfig_file: k, enable_http2: false", WITH_KUBECONFIG),
        ("authorization: {credentials: 1234}", WITHOUT_SERVER),
        ("http_headers: {X-A: {values: [a]}}", WITHOUT_SERVER),
        (
            "tls_config: {insecure_skip_verify: true}, namespaces: {own_namespace: true}",
            WITHOUT_SERVER,
        ),
        (
            "SERVER, namespaces: {own_namespace: true}",
            "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously",
        ),
        (
            "kubeconfig_file: k, namespaces: {own_namespace: true}",
            "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously",
        ),
        (
            "SERVER, namespaces: {own_namespace: true}, selectors: [{role: ingress}]",
            "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously",
        ),
    ] {
        let section = format!("{{role: endpoints, {}}}", keys.replace("SERVER", SERVER));
        assert_eq!(messages(&section), [expected], "{section}");
    }
}

#[test]
fn selectors_are_checked_in_their_order() {
    for (role, selectors, expected) in [
        (
            "endpoints",
            "{role: pod, label: foo=bar}, {role: pod, label: foo=bar}",
            "duplicated selector role: pod",
        ),
        (
            "node",
            "{role: pod, label: foo=bar, field: metadata.status=Running}",
            "node role supports only node selectors",
        ),
        (
            "pod",
            "{role: node, label: foo=bar}, {role: service, label: 'not a selector'}",
            "pod role supports only pod, node selectors",
        ),
        (
            "service",
            "{role: endpoints}",
            "service role supports only service selectors",
        ),
        (
            "endpointslice",
            "{role: endpoints}",
            "endpointslice role supports only pod, service, endpointslice selectors",
        ),
        (
            "endpoints",
            "{role: node}",
            "endpoints role supports only pod, service, endpoints selectors",
        ),
        (
            "ingress",
            "{role: service}",
            "ingress role supports only ingress selectors",
        ),
        (
            "pod",
            "{label: a=b}",
            "pod role supports only pod, node selectors",
        ),
        (
            "endpoints",
            "{role: pod, field: metadata.status-Running, label: '='}",
            "invalid selector: 'metadata.status-Running'; can't understand 'metadata.status-Running'",
        ),
        (
            "pod",
            "{role: pod, label: 'x in (a b)'}",
            "unable to parse requirement: found 'b', expected: ',' or ')'",
        ),
        ("pod", "{role: pods}", "unknown Kubernetes SD role \"pods\""),
    ] {
        let section = format!("{{role: {role}, selectors: [{selectors}]}}");
        assert_eq!(messages(&section), [expected], "{section}");
    }
}

#[test]
fn field_selectors_are_refused_with_the_words_of_kubernetes() {
    for (field, expected) in [
        ("a", Some("invalid selector: 'a'; can't understand 'a'")),
        ("!a", Some("invalid selector: '!a'; can't understand '!a'")),
        (
            "b=c,a>1",
            Some("invalid selector: 'b=c,a>1'; can't understand 'a>1'"),
        ),
        (
            "a=b=c",
            Some("invalid field selector: unescaped character in value: 61"),
        ),
        (
            r"a=b\c",
            Some(r"invalid field selector: invalid escape sequence: \c"),
        ),
        (
            r"a=b\",
            Some(r"invalid field selector: invalid escape sequence: \"),
        ),
        (r"a=b\=c\,d\\", None),
        ("a==b,c!=d,", None),
        ("spec.nodeName=", None),
        ("", None),
    ] {
        let section = format!("{{role: pod, selectors: [{{role: pod, field: '{field}'}}]}}");
        assert_eq!(messages(&section), Vec::from_iter(expected), "{field}");
    }
}

#[test]
fn keys_and_types_are_checked() {
    for (keys, expected) in [
        (
            "api_server: 'kubernetes:443', namespaces: {foo: bar}",
            "unknown key `foo`",
        ),
        ("namespace: a", "unknown key `namespace`"),
        ("refresh_interval: 5s", "unknown key `refresh_interval`"),
        ("attach_metadata: {nodes: true}", "unknown key `nodes`"),
        (
            "attach_metadata: {node: 1}",
            "expected a boolean, found the number `1`",
        ),
        (
            "attach_metadata: true",
            "expected a mapping, found the boolean `true`",
        ),
        ("namespaces: [default]", "expected a mapping, found a list"),
        (
            "namespaces: {names: default}",
            "expected a list, found the text `default`",
        ),
        (
            "selectors: app=web",
            "expected a list, found the text `app=web`",
        ),
        (
            "selectors: [{role: pod, labels: a}]",
            "unknown key `labels`",
        ),
        (
            "api_server: ':6443'",
            "parse \":6443\": missing protocol scheme",
        ),
        (
            "api_server: 'http://%zz'",
            "parse \"http://%zz\": invalid URL escape \"%zz\"",
        ),
        (
            "api_server: 'mailto:someone'",
            "`mailto:someone` is not a URL of an API server",
        ),
        (
            "api_server: 'file:///etc/passwd'",
            "`file:///etc/passwd` is not a URL of an API server",
        ),
    ] {
        let section = format!("{{role: pod, {keys}}}");
        assert_eq!(messages(&section), [expected], "{section}");
    }
    assert_eq!(
        messages("~"),
        ["empty or null section in kubernetes_sd_configs"]
    );
}

#[test]
fn errors_of_all_sections_are_told_at_once_with_their_places() {
    let text = "\
scrape_configs:
- job_name: j
  kubernetes_sd_configs:
  - role: pods
    namespaces: {name: [a]}
  - kubeconfig_file: k
  - role: pod
    kubeconfig_file: k
    api_server: https://h
  - role: pod
    selectors:
    - role: pod
      field: a
  - role: node
    drop_annotations: ['', a b]
";
    assert_eq!(
        errors(text),
        [
            "4:11 scrape_configs[0].kubernetes_sd_configs[0].role: unknown Kubernetes SD role \"pods\"",
            "5:18 scrape_configs[0].kubernetes_sd_configs[0].namespaces.name: unknown key `name`",
            "6:5 scrape_configs[0].kubernetes_sd_configs[1]: role missing (one of: pod, service, endpoints, endpointslice, node, ingress)",
            "8:5 scrape_configs[0].kubernetes_sd_configs[2].kubeconfig_file: cannot use 'kubeconfig_file' and 'api_server' simultaneously",
            "13:7 scrape_configs[0].kubernetes_sd_configs[3].selectors[0].field: invalid selector: 'a'; can't understand 'a'",
            "15:24 scrape_configs[0].kubernetes_sd_configs[4].drop_annotations[0]: no annotation can match \"\"",
            "15:28 scrape_configs[0].kubernetes_sd_configs[4].drop_annotations[1]: no annotation can match \"a b\"",
        ]
    );
}

#[test]
fn annotations_are_dropped_by_pattern_and_none_without() {
    assert!(
        content(&section("", "{role: pod}"))
            .drop_annotations
            .is_empty()
    );
    let dropping = section(
        "",
        "{role: pod, drop_annotations: ['kubectl.kubernetes.io/*', 'a?', example.com/x_y.z]}",
    );
    let patterns = &content(&dropping).drop_annotations;
    assert!(patterns.is_match("kubectl.kubernetes.io/last-applied-configuration"));
    assert!(patterns.is_match("ab") && !patterns.is_match("a"));
    assert!(!patterns.is_match("kubernetes.io/psp"));
    for pattern in ["a/b/c", "ä", "[ab]", "a b", ""] {
        let section = format!("{{role: pod, drop_annotations: ['{pattern}']}}");
        assert_eq!(
            messages(&section),
            [format!("no annotation can match \"{pattern}\"")]
        );
    }
}

#[test]
fn dropped_annotations_are_part_of_the_identity_and_their_order_is_not() {
    let identity = |keys: &str| section("", &format!("{{role: pod{keys}}}")).identity;
    assert_eq!(identity(""), identity(", drop_annotations: []"));
    assert_ne!(identity(""), identity(", drop_annotations: [a]"));
    assert_eq!(
        identity(", drop_annotations: [a, b]"),
        identity(", drop_annotations: [b, a, b]")
    );
}

#[test]
fn a_password_in_the_url_is_hidden_and_part_of_the_identity() {
    let of = |password: &str| {
        let keys = format!("{{role: pod, api_server: 'https://u:{password}@h'}}");
        section("", &keys)
    };
    assert_ne!(of("hunter2").identity, of("hunter3").identity);
    assert!(!of("hunter2").shown().to_string().contains("hunter2"));
}

#[test]
fn a_server_without_a_scheme_is_reached_by_http_as_client_go_does() {
    for (written, expected) in [
        ("kubernetes:443", "http://kubernetes:443/"),
        ("kubernetes", "http://kubernetes/"),
        ("10.0.0.1/", "http://10.0.0.1/"),
        ("https://h:6443/prefix", "https://h:6443/prefix"),
    ] {
        let section = section("", &format!("{{role: pod, api_server: '{written}'}}"));
        let url = content(&section).api_server.as_ref().unwrap();
        assert_eq!(url.as_str(), expected, "{written}");
    }
}

#[test]
fn a_file_without_clusters_has_none() {
    assert_eq!(config("scrape_configs: []").clusters, []);
    assert_eq!(content(&section("", "{role: pod}")).clusters, None);
}
