//! What a good configuration becomes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use periplus_config::{
    Config, ExplicitScrape, Job, LoadOptions, Loaded, OnError, Role, Section, SectionKind,
    TargetLimits, load_str,
};
use periplus_core::PromDuration;
use periplus_core::name::NameScheme;
use serde_json::json;

fn options() -> LoadOptions {
    LoadOptions {
        mechanisms: ["sockets".to_owned()].into(),
        allow_missing: false,
    }
}

fn load(text: &str) -> Loaded {
    match load_str(text, Path::new("conf/periplus.yml"), &options()) {
        Ok(loaded) => loaded,
        Err(errors) => panic!("refused:\n{errors}"),
    }
}

fn config(text: &str) -> Config {
    Config::clone(&load(text).config)
}

/// The one job of a configuration whose lines after `job_name` are given.
fn job(lines: &str) -> Job {
    let config = config(&format!("scrape_configs:\n- job_name: j\n{lines}"));
    Job::clone(&config.jobs[0])
}

fn section(lines: &str) -> Section {
    job(lines).sections.remove(0)
}

const WHOLE: &str = r#"
global:
  scrape_interval: 30s
  evaluation_interval: 1m
  external_labels: {cluster: c1}
rule_files: [rules/*.yml]
alerting: {alertmanagers: []}
remote_write: [{url: "http://x"}]
plugins:
- source: file:plugins/sockets.wasm
  allow:
    files: [/proc/net/tcp, "/proc/net/tcp6", data/**]
    http:
    - https://CMDB.example.com
    - {origin: "https://*.example.com:8443", methods: [get, post], paths: [/api/]}
  limits: {memory: 64MiB, cpu: 5s, wall: 30s, groups: 100, targets: 1_000, output: 1MB}
- name: known
  source: /opt/known.wasm
  sha256: 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08
scrape_configs:
- job_name: nodes/all
  scrape_timeout: 5s
  metrics_path: /m
  params: {b: [x, y], a: [z]}
  static_configs:
  - targets: [a:1, b:2]
    labels: {env: prod}
  - targets: [c:3]
  kubernetes_sd_configs:
  - role: pod
    kubeconfig_file: kube/config
    namespaces: {names: [default, web]}
    selectors: [{role: pod, label: "app=web"}]
    attach_metadata: {node: true}
  file_sd_configs:
  - files: [targets/*.yml, /abs/a.json]
    refresh_interval: 10m
  sockets_sd_configs:
  - listen: true
    refresh_interval: 5s
    basic_auth: {username: u, password: hunter2}
  transformers:
  - plugin: known
    config: {table: {9100: node}}
    on_error: pass
  - plugin: other
  relabel_configs:
  - {source_labels: [__address__], target_label: x}
"#;

#[test]
fn a_whole_file_is_resolved() {
    let config = config(WHOLE);
    let job = &config.jobs[0];
    assert_eq!(job.name, "nodes/all");
    assert_eq!(job.defaults.scrape_interval, PromDuration::from_secs(30));
    assert_eq!(job.defaults.scrape_timeout, PromDuration::from_secs(5));
    assert_eq!(job.defaults.metrics_path, "/m");
    assert_eq!(job.defaults.scheme, "http");
    let names: Vec<_> = job
        .defaults
        .params
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let mechanisms: Vec<_> = job
        .sections
        .iter()
        .map(|it| it.mechanism.as_str())
        .collect();
    assert_eq!(mechanisms, ["file", "kubernetes", "sockets", "static"]);
    assert_eq!(job.relabel_rules.len(), 1);
    let transformers: Vec<_> = job
        .transformers
        .iter()
        .map(|it| (it.plugin.as_str(), it.on_error))
        .collect();
    assert_eq!(
        transformers,
        [("known", OnError::Pass), ("other", OnError::Keep)]
    );
    assert_eq!(
        job.transformers[0].config,
        json!({"table": {"9100": "node"}})
    );
    assert_eq!(
        job.transformers[1].key_path,
        "scrape_configs[0].transformers[1]"
    );
}

#[test]
fn a_job_is_kept_as_written_with_the_types_it_has() {
    let job = job(
        "  params: {a: [y, 010, 1.0]}\n  honor_labels: y\n  sample_limit: 010\n  scrape_interval: 30s\n  \
         sockets_sd_configs: [{listen: yes, limit: 5}]\n  relabel_configs: [{regex: 5, action: keep}]",
    );
    let expected = json!({
        "job_name": "j",
        "params": {"a": ["y", "010", "1.0"]},
        "honor_labels": true,
        "sample_limit": 8,
        "scrape_interval": "30s",
        "sockets_sd_configs": [{"listen": true, "limit": 5}],
        "relabel_configs": [{"regex": "5", "action": "keep"}],
    });
    assert_eq!(job.verbatim, expected);
}

#[test]
fn plugins_keep_their_grants_and_limits() {
    let config = config(WHOLE);
    let sockets = &config.plugins[0];
    assert_eq!(sockets.name, None);
    assert_eq!(sockets.source, PathBuf::from("conf/plugins/sockets.wasm"));
    assert_eq!(
        sockets.allow.files,
        ["/proc/net/tcp", "/proc/net/tcp6", "conf/data/**"]
    );
    assert_eq!(sockets.allow.http[0].origin, "https://cmdb.example.com");
    assert_eq!(sockets.allow.http[0].methods, ["GET", "HEAD"]);
    assert_eq!(sockets.allow.http[1].origin, "https://*.example.com:8443");
    assert_eq!(sockets.allow.http[1].methods, ["GET", "POST"]);
    assert_eq!(sockets.allow.http[1].paths, ["/api/"]);
    assert_eq!(sockets.limits.memory, Some(64 << 20));
    assert_eq!(sockets.limits.cpu, Some(Duration::from_secs(5)));
    assert_eq!(sockets.limits.wall, Some(Duration::from_secs(30)));
    assert_eq!(sockets.limits.targets, Some(1000));
    assert_eq!(sockets.limits.output, Some(1 << 20));
    assert_eq!(
        (sockets.line, sockets.key_path.as_str()),
        (10, "plugins[0]")
    );
    let known = &config.plugins[1];
    assert_eq!(known.name.as_deref(), Some("known"));
    assert_eq!(known.source, PathBuf::from("/opt/known.wasm"));
    assert!(known.sha256.as_ref().unwrap().starts_with("9f86d0"));
}

#[test]
fn file_sections_are_joined_with_the_directory() {
    let job = &config(WHOLE).jobs[0];
    let SectionKind::File(file) = &job.sections[0].kind else {
        panic!("{:?}", job.sections[0])
    };
    assert_eq!(
        file.patterns,
        [Path::new("conf/targets/*.yml"), Path::new("/abs/a.json")]
    );
    assert_eq!(file.refresh_interval, Duration::from_mins(10));
    let default = section("  file_sd_configs: [{files: [a.yml]}]");
    let SectionKind::File(file) = &default.kind else {
        panic!("{default:?}")
    };
    assert_eq!(file.refresh_interval, Duration::from_mins(5));
}

#[test]
fn an_interval_of_zero_is_the_default() {
    for written in ["0s", "~"] {
        let file = section(&format!(
            "  file_sd_configs: [{{files: [a.yml], refresh_interval: {written}}}]"
        ));
        assert!(
            matches!(&file.kind, SectionKind::File(it) if it.refresh_interval.as_secs() == 300)
        );
        let plugin = section(&format!(
            "  sockets_sd_configs: [{{refresh_interval: {written}}}]"
        ));
        assert!(
            matches!(&plugin.kind, SectionKind::Plugin(it) if it.refresh_interval.as_secs() == 60)
        );
    }
}

#[test]
fn kubernetes_sections_are_typed() {
    let job = &config(WHOLE).jobs[0];
    let SectionKind::Kubernetes(section) = &job.sections[1].kind else {
        panic!()
    };
    assert_eq!(section.role, Role::Pod);
    assert_eq!(
        section.kubeconfig_file.as_deref(),
        Some(Path::new("conf/kube/config"))
    );
    assert_eq!(section.namespaces.names, ["default", "web"]);
    assert_eq!(section.selectors[0].label.as_deref(), Some("app=web"));
    assert_eq!(section.selectors[0].field, None);
    assert!(section.attach_metadata.node && !section.attach_metadata.namespace);
    assert!(section.http_client.follow_redirects);
}

#[test]
fn static_groups_are_one_section_with_numbered_sources() {
    let job = &config(WHOLE).jobs[0];
    let SectionKind::Static(groups) = &job.sections[3].kind else {
        panic!()
    };
    let sources: Vec<_> = groups.iter().map(|group| &*group.source).collect();
    assert_eq!(sources, ["0", "1"]);
    assert_eq!(groups[0].labels.get("env"), Some("prod"));
    assert_eq!(groups[0].targets[1].get("__address__"), Some("b:2"));
}

#[test]
fn the_host_keeps_intervals_and_http_settings_of_plugin_sections() {
    let job = &config(WHOLE).jobs[0];
    let SectionKind::Plugin(section) = &job.sections[2].kind else {
        panic!()
    };
    assert_eq!(section.config, json!({"listen": true}));
    assert_eq!(section.refresh_interval, Duration::from_secs(5));
    assert_eq!(
        section.http_client,
        json!({"basic_auth": {"username": "u", "password": "hunter2"}})
    );
    assert_eq!(
        section.http.basic_auth.as_ref().unwrap().password.expose(),
        "hunter2"
    );
}

#[test]
fn secrets_show_nowhere() {
    let config = config(WHOLE);
    let section = &config.jobs[0].sections[2];
    assert!(!format!("{section:?} {config:?}").contains("hunter2"));
    assert!(!section.shown().to_string().contains("hunter2"));
    let secret = self::section(
        "  sockets_sd_configs: [{api_token: t0psecret, deep: [{password: t0psecret}]}]",
    );
    assert_eq!(
        secret.shown()["config"],
        json!({"api_token": "<secret>", "deep": [{"password": "<secret>"}]})
    );
    let kubernetes = self::section(
        "  kubernetes_sd_configs: [{role: pod, api_server: 'https://u:hunter2@h', bearer_token: hunter2}]",
    );
    assert!(!kubernetes.shown().to_string().contains("hunter2"));
}

#[test]
fn timeouts_are_inherited_up_to_the_interval() {
    for (global, lines, interval, timeout) in [
        ("", "", "1m", "10s"),
        ("scrape_interval: 5s", "", "5s", "5s"),
        ("scrape_interval: 30s", "  scrape_interval: 5s", "5s", "5s"),
        ("scrape_timeout: 20s", "", "1m", "20s"),
        (
            "scrape_timeout: 20s",
            "  scrape_interval: 15s",
            "15s",
            "15s",
        ),
        ("", "  scrape_timeout: 0s", "1m", "10s"),
        ("scrape_interval: ~", "  scrape_interval: null", "1m", "10s"),
    ] {
        let text = format!("global: {{{global}}}\nscrape_configs:\n- job_name: j\n{lines}");
        let defaults = config(&text).jobs[0].defaults.clone();
        let times = (
            defaults.scrape_interval.to_string(),
            defaults.scrape_timeout.to_string(),
        );
        assert_eq!(times, (interval.to_owned(), timeout.to_owned()), "{text}");
    }
}

#[test]
fn what_the_file_sets_is_known() {
    assert_eq!(job("").explicit, ExplicitScrape::default());
    let local = job("  scrape_interval: 10s\n  always_scrape_classic_histograms: false").explicit;
    assert!(local.scrape_interval && local.always_scrape_classic_histograms);
    assert!(!local.scrape_timeout && !local.scrape_native_histograms);
    let text = "global: {scrape_timeout: 5s, scrape_native_histograms: true}\n\
                scrape_configs: [{job_name: j}]";
    let job = &config(text).jobs[0];
    assert!(job.explicit.scrape_timeout && job.explicit.scrape_native_histograms);
    assert!(job.defaults.scrape_native_histograms);
}

#[test]
fn a_timeout_that_an_interval_shortens_counts_as_set() {
    // With the scraper's own ten seconds beside our three, the target would be refused.
    assert!(job("  scrape_interval: 3s").explicit.scrape_timeout);
    assert!(!job("  scrape_interval: 11s").explicit.scrape_timeout);
    let text = "global: {scrape_interval: 4s}\nscrape_configs: [{job_name: j}]";
    assert!(config(text).jobs[0].explicit.scrape_timeout);
}

#[test]
fn the_scheme_of_names_is_inherited() {
    let text = "global: {metric_name_validation_scheme: legacy}\n\
                scrape_configs: [{job_name: a}, {job_name: b, metric_name_validation_scheme: utf8}]";
    let schemes: Vec<_> = config(text)
        .jobs
        .iter()
        .map(|job| job.name_scheme)
        .collect();
    assert_eq!(schemes, [NameScheme::Legacy, NameScheme::Utf8]);
}

#[test]
fn nothing_is_a_configuration() {
    for text in [
        "",
        "\n# nothing\n",
        "---\n",
        "null",
        "global:\nscrape_configs:\n",
        "scrape_configs: []",
    ] {
        assert!(config(text).jobs.is_empty(), "{text:?}");
    }
}

#[test]
fn yaml_is_read_as_1_1() {
    for (lines, metrics_path, scheme) in [
        ("  metrics_path: ~", "", "http"),
        ("  scheme: null", "/metrics", ""),
        ("  scheme: 'null'", "/metrics", "null"),
        ("  scheme: '~'", "/metrics", "~"),
        ("  metrics_path: 010", "010", "http"),
        ("  metrics_path: yes", "yes", "http"),
        (
            "  honor_labels: y\n  enable_compression: Off",
            "/metrics",
            "http",
        ),
        (
            "  sample_limit: 010\n  label_limit: 1_000\n  target_limit: 1.5",
            "/metrics",
            "http",
        ),
        ("  scheme: !!binary aHR0cHM=", "/metrics", "https"),
        (
            "  scheme: https\n...\n---\nscrape_configs: nonsense",
            "/metrics",
            "https",
        ),
    ] {
        let defaults = job(lines).defaults;
        assert_eq!(
            (defaults.metrics_path.as_str(), defaults.scheme.as_str()),
            (metrics_path, scheme),
            "{lines}"
        );
    }
}

#[test]
fn merges_and_anchors_work_as_in_go_yaml() {
    let text = "
scrape_configs:
- &base {job_name: a, scheme: https, metrics_path: /x}
- {<<: *base, job_name: b}
- {job_name: lost, <<: *base, scheme: http}
- {<<: [{scheme: s1, job_name: c}, {scheme: s2, metrics_path: /y}]}
";
    // The third one takes its name from the merge that comes after it, and is called as the first.
    let errors = load_str(text, Path::new("p.yml"), &options()).unwrap_err();
    assert_eq!(
        errors.0[0].message,
        "found multiple scrape configs with job name \"a\""
    );
    let text = text.replace("job_name: lost, <<: *base", "<<: *base, job_name: d");
    let jobs: Vec<_> = config(&text)
        .jobs
        .iter()
        .map(|job| {
            format!(
                "{} {} {}",
                job.name, job.defaults.scheme, job.defaults.metrics_path
            )
        })
        .collect();
    assert_eq!(jobs, ["a https /x", "b https /x", "d http /x", "c s1 /y"]);
}

#[test]
fn sections_passed_over_do_not_disturb() {
    for key in [
        "alerting",
        "storage",
        "tracing",
        "remote_write",
        "remote_read",
        "otlp",
    ] {
        assert!(
            config(&format!("{key}: {{anything: [1, 2]}}"))
                .jobs
                .is_empty(),
            "{key}"
        );
    }
}

#[test]
fn bearer_tokens_become_authorization() {
    let section = section(
        "  kubernetes_sd_configs: [{role: node, api_server: 'https://h', bearer_token_file: token}]",
    );
    let SectionKind::Kubernetes(section) = &section.kind else {
        panic!()
    };
    let authorization = section.http_client.authorization.as_ref().unwrap();
    assert_eq!(authorization.kind, "Bearer");
    assert_eq!(
        authorization.credentials_file.as_deref(),
        Some(Path::new("conf/token"))
    );
}

#[test]
fn equal_sections_have_equal_identities() {
    let identity = |lines: &str| section(lines).identity;
    for (same, one, other) in [
        (
            true,
            "  kubernetes_sd_configs: [{role: pod, namespaces: {names: [a]}}]",
            "\n\n  kubernetes_sd_configs:\n  - namespaces:\n      names: ['a']\n      own_namespace: no\n    role: \"pod\"\n    follow_redirects: true",
        ),
        (
            false,
            "  kubernetes_sd_configs: [{role: pod}]",
            "  kubernetes_sd_configs: [{role: node}]",
        ),
        (
            false,
            "  kubernetes_sd_configs: [{role: pod, api_server: 'http://h', bearer_token: a}]",
            "  kubernetes_sd_configs: [{role: pod, api_server: 'http://h', bearer_token: b}]",
        ),
        (
            true,
            "  file_sd_configs: [{files: [a.yml]}]",
            "  file_sd_configs: [{refresh_interval: 300s, files: [./a.yml]}]",
        ),
        (
            false,
            "  file_sd_configs: [{files: [a.yml]}]",
            "  file_sd_configs: [{refresh_interval: 1m, files: [a.yml]}]",
        ),
        (
            true,
            "  sockets_sd_configs: [{a: 1, b: {c: x, d: y}}]",
            "  sockets_sd_configs: [{b: {d: y, c: x}, a: 0x1}]",
        ),
        (
            false,
            "  sockets_sd_configs: [{a: 1}]",
            "  sockets_sd_configs: [{a: '1'}]",
        ),
        (
            false,
            "  sockets_sd_configs: [{refresh_interval: 1m}]",
            "  sockets_sd_configs: [{refresh_interval: 2m}]",
        ),
        (
            false,
            "  sockets_sd_configs: [{basic_auth: {password: a}}]",
            "  sockets_sd_configs: [{basic_auth: {password: b}}]",
        ),
        (
            true,
            "  static_configs: [{targets: [a:1], labels: {x: y, a: b}}]",
            "  static_configs: [{labels: {a: b, x: y}, targets: ['a:1']}]",
        ),
    ] {
        assert_eq!(identity(one) == identity(other), same, "{one} {other}");
    }
}

#[test]
fn problems_that_plugins_find_have_a_place() {
    let loaded = load(
        "scrape_configs:\n- job_name: j\n  sockets_sd_configs:\n  - ports:\n    - {name: x}\n    \
         names: {9100: node, a/b: 5}\n",
    );
    let base = "scrape_configs[0].sockets_sd_configs[0]";
    for (pointer, place, tail) in [
        ("", (4, 5), ""),
        ("/ports/0/name", (5, 14), ".ports[0].name"),
        ("/ports/0/none", (5, 7), ".ports[0].none"),
        ("/names/9100", (6, 19), ".names.9100"),
        ("/names/a~1b", (6, 30), ".names.a/b"),
    ] {
        let found = loaded.places.diagnostic(base, pointer, "is wrong");
        assert_eq!((found.line, found.column), place, "{pointer}");
        assert_eq!(found.key_path, format!("{base}{tail}"), "{pointer}");
    }
    let shown = loaded
        .places
        .diagnostic("nowhere", "/x", "is wrong")
        .to_string();
    assert_eq!(shown, "conf/periplus.yml: nowhere.x: is wrong");
}

#[test]
fn mechanisms_nobody_serves_can_be_allowed() {
    let options = LoadOptions {
        allow_missing: true,
        ..options()
    };
    let text = "scrape_configs: [{job_name: j, racks_sd_configs: [{site: ams1}]}]";
    let loaded = load_str(text, Path::new("p.yml"), &options).unwrap();
    let section = &loaded.config.jobs[0].sections[0];
    assert!(matches!(section.kind, SectionKind::Missing));
    assert_eq!(section.mechanism, "racks");
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn limits_are_inherited_one_by_one() {
    let text = "
global: {target_limit: 100, label_limit: 30, label_value_length_limit: 200}
scrape_configs:
- {job_name: own, target_limit: 5, label_name_length_limit: 40, label_limit: 0}
- {job_name: none}
";
    let limits = |job: usize| config(text).jobs[job].limits;
    let expected = |targets, name_length| TargetLimits {
        targets,
        labels: 30,
        name_length,
        value_length: 200,
    };
    assert_eq!(limits(0), expected(5, 40));
    assert_eq!(limits(1), expected(100, 0));
}
