//! `periplus kubernetes rbac`, as an operator runs it, and the manifests in `deploy/` that it made.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_periplus"))
        .args(["kubernetes", "rbac"])
        .args(arguments)
        .output()
        .unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What is printed for the text of a configuration, beside further arguments.
fn rbac(config: &str, arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prometheus.yml");
    std::fs::write(&path, config).unwrap();
    let arguments = [&["--config", path.to_str().unwrap()], arguments].concat();
    printed(&arguments)
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

#[test]
fn manifests_in_deploy_are_what_the_command_prints() {
    let mut checked = 0;
    for entry in std::fs::read_dir(deploy()).unwrap() {
        let config = entry.unwrap().path();
        if config
            .extension()
            .is_none_or(|extension| extension != "yml")
        {
            continue;
        }
        let name = config.file_stem().unwrap().to_str().unwrap();
        let manifest = deploy().join(format!("rbac-{name}.yaml"));
        let arguments = [
            "--config",
            config.to_str().unwrap(),
            "--namespace",
            "periplus",
        ];
        let printed = printed(&arguments);
        let again = format!(
            "periplus kubernetes rbac --config deploy/{name}.yml --namespace periplus > {}",
            manifest.display()
        );
        assert_eq!(
            std::fs::read_to_string(&manifest).unwrap_or_default(),
            printed,
            "make it again: {again}"
        );
        checked += 1;
    }
    assert!(checked >= 5, "only {checked} configurations found");
}

#[test]
fn manifests_in_deploy_have_a_configuration() {
    for entry in std::fs::read_dir(deploy()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(stem) = name
            .strip_prefix("rbac-")
            .and_then(|rest| rest.strip_suffix(".yaml"))
        {
            let config = deploy().join(format!("{stem}.yml"));
            assert!(config.exists(), "{name} has no {stem}.yml");
        }
    }
}

#[test]
fn the_deployment_in_deploy_runs_as_the_account_that_is_permitted() {
    let objects = documents(&std::fs::read_to_string(deploy().join("periplus.yaml")).unwrap());
    let find = |kind: &str| objects.iter().find(|it| it["kind"] == kind).unwrap();
    let permitted = std::fs::read_to_string(deploy().join("rbac-pods.yaml")).unwrap();
    let subject = documents(&permitted)[1]["subjects"][0].clone();
    let pod = &find("Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], subject["name"]);
    assert_eq!(
        find("Deployment")["metadata"]["namespace"],
        subject["namespace"]
    );
    assert_eq!(
        find("ServiceAccount")["metadata"],
        subject_metadata(&subject)
    );
    // The configuration that stands in it as an example needs what `rbac-pods.yaml` gives.
    let config = find("ConfigMap")["data"]["prometheus.yml"]
        .as_str()
        .unwrap();
    assert_eq!(rbac(config, &["--namespace", "periplus"]), permitted);
}

fn subject_metadata(subject: &Value) -> Value {
    json!({"name": subject["name"], "namespace": subject["namespace"]})
}

#[test]
fn the_command_line_in_deploy_is_understood() {
    let objects = documents(&std::fs::read_to_string(deploy().join("periplus.yaml")).unwrap());
    let deployment = objects
        .iter()
        .find(|it| it["kind"] == "Deployment")
        .unwrap();
    let arguments = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    let arguments = arguments.as_array().unwrap().iter();
    let arguments: Vec<_> = arguments.map(|it| it.as_str().unwrap()).collect();
    // With `--help` behind them, arguments that it does not know are refused all the same.
    let known = Command::new(env!("CARGO_BIN_EXE_periplus"))
        .args(&arguments)
        .arg("--help")
        .output()
        .unwrap();
    assert!(known.status.success(), "{known:?}");
    let help = String::from_utf8(known.stdout).unwrap();
    for argument in arguments.iter().filter_map(|it| it.strip_prefix("--")) {
        let (name, _) = argument.split_once('=').unwrap();
        assert!(help.contains(&format!("--{name} ")), "{name}");
    }
}

#[test]
fn a_whole_cluster_is_permitted_by_a_cluster_role() {
    let config = "scrape_configs: [{job_name: j, kubernetes_sd_configs: \
                  [{role: pod, attach_metadata: {deployment: true}}, {role: ingress}]}]";
    let arguments = [
        "--name",
        "reader",
        "--namespace",
        "tools",
        "--service-account",
        "scraper",
    ];
    let text = rbac(config, &arguments);
    assert!(
        text.starts_with("# For the cluster that Periplus runs in.\n---\n"),
        "{text}"
    );
    assert_eq!(
        documents(&text),
        [
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "reader"},
                "rules": [
                    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
                    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list", "watch"]},
                    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["list", "watch"]},
                ],
            }),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "reader"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
                "subjects": [{"kind": "ServiceAccount", "name": "scraper", "namespace": "tools"}],
            }),
        ]
    );
}

#[test]
fn namespaces_are_permitted_by_roles_alone() {
    let config = "scrape_configs: [{job_name: j, kubernetes_sd_configs: \
                  [{role: pod, namespaces: {own_namespace: true, names: [web]}}]}]";
    let text = rbac(config, &["--namespace", "tools"]);
    let shown: Vec<_> = documents(&text)
        .iter()
        .map(|it| {
            let name = &it["metadata"]["name"];
            (
                it["kind"].clone(),
                name.clone(),
                it["metadata"]["namespace"].clone(),
            )
        })
        .collect();
    let expected = [
        ("Role", "periplus", "tools"),
        ("RoleBinding", "periplus", "tools"),
        ("Role", "periplus", "web"),
        ("RoleBinding", "periplus", "web"),
    ];
    assert_eq!(
        shown,
        expected.map(|(kind, name, namespace)| (json!(kind), json!(name), json!(namespace)))
    );
    for binding in documents(&text)
        .iter()
        .filter(|it| it["kind"] == "RoleBinding")
    {
        let subject = json!([{"kind": "ServiceAccount", "name": "periplus", "namespace": "tools"}]);
        assert_eq!(binding["subjects"], subject);
        assert_eq!(binding["roleRef"]["kind"], "Role");
    }
}

#[test]
fn each_need_of_clusters_has_manifests_of_its_own() {
    let config = "\
clusters: [{name: a, kubeconfig_file: a}, {name: b, kubeconfig_file: b}, {kubeconfig_dir: more}]
scrape_configs:
- job_name: j
  kubernetes_sd_configs: [{role: pod, clusters: ['*']}, {role: node, clusters: [b]}]
  kubernetes_resource_sd_configs:
  - {resource: example.com/v1/things, address: /spec/host, cluster_scoped: true, clusters: [b]}
";
    let text = rbac(config, &[]);
    let comments: Vec<_> = text.lines().filter(|it| it.starts_with("# For ")).collect();
    assert_eq!(comments.len(), 2, "{text}");
    // In the order of sections, which is by key: other resources first.
    assert_eq!(comments[0], "# For cluster \"b\".");
    assert!(
        comments[1].starts_with("# For cluster \"a\", each cluster of folder "),
        "{text}"
    );
    let documents = documents(&text);
    let roles: Vec<_> = documents
        .iter()
        .filter(|it| it["kind"] == "ClusterRole")
        .collect();
    assert_eq!(roles[0]["metadata"]["name"], "periplus");
    assert_eq!(roles[1]["metadata"]["name"], "periplus-2");
    assert_eq!(
        roles[0]["rules"],
        json!([
            {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list", "watch"]},
            {"apiGroups": ["example.com"], "resources": ["things"], "verbs": ["list", "watch"]},
        ])
    );
}

#[test]
fn a_configuration_without_kubernetes_needs_nothing() {
    let text = rbac(
        "scrape_configs: [{job_name: j, static_configs: [{targets: [a]}]}]",
        &[],
    );
    assert_eq!(text, "# No section reads Kubernetes: nothing to permit.\n");
}

#[test]
fn names_cannot_break_out_of_a_comment() {
    let config = "clusters: [{name: \"a\\nkind: x\"}]\nscrape_configs: [{job_name: j, \
                  kubernetes_sd_configs: [{role: pod, clusters: ['*']}]}]";
    let text = rbac(config, &[]);
    assert!(
        text.starts_with("# For cluster \"a\\nkind: x\".\n"),
        "{text}"
    );
}

#[test]
fn mechanisms_of_plugins_are_no_concern() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prometheus.yml");
    let config = "plugins: [{source: a.wasm}]\nscrape_configs: [{job_name: j, \
                  inventory_sd_configs: [{}], kubernetes_sd_configs: [{role: pod}]}]";
    std::fs::write(&path, config).unwrap();
    let output = run(&["--config", path.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_wrong_configuration_and_wrong_names_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prometheus.yml");
    std::fs::write(
        &path,
        "scrape_configs: [{job_name: j, kubernetes_sd_configs: [{}]}]",
    )
    .unwrap();
    let wrong = run(&["--config", path.to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(1));
    let text = String::from_utf8(wrong.stdout).unwrap();
    assert!(text.contains("role missing"), "{text}");
    for name in ["", "A", "a b", "-a", "a/b", "x\ny"] {
        let refused = run(&["--config", path.to_str().unwrap(), "--name", name]);
        assert_eq!(refused.status.code(), Some(2), "{name}");
    }
}
