//! What a wrong configuration is told: every error at once, each with its place, its key and what
//! to do, and nothing that only follows from another.

use crate::lab::{Ended, Lab, hostile, shipped};

/// `periplus check config` of a text without plugins.
async fn checked(config: &str, options: &[&str]) -> (i32, String) {
    let lab = Lab::new(config);
    let Ended { code, .. } = &lab.check(options).await;
    let code = code.unwrap();
    let shown = lab.check(options).await.shown(&lab);
    (code, shown.replace("DIR/prometheus.yml", "FILE"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_file_is_said_to_be_good() {
    let config = "scrape_configs: [{job_name: j, static_configs: [{targets: [a:1]}]}]";
    let expected = "FILE is valid: 1 jobs\n";
    assert_eq!(checked(config, &[]).await, (0, expected.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_that_are_not_set_are_warned_about() {
    let config = "global: {external_labels: {home: $NOT_SET_ANYWHERE, price: $$5}}";
    let expected = "\
warning: FILE:1:34: global.external_labels.home: environment variable \"NOT_SET_ANYWHERE\" is empty
  hint: set it, or write `$$` for a dollar sign
FILE is valid: 0 jobs
";
    assert_eq!(checked(config, &[]).await, (0, expected.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_yaml_is_one_error_at_its_place() {
    for (config, expected) in [
        (
            "scrape_configs:\n  - job_name: a\n   static_configs: []\n",
            "FILE:3:4: invalid YAML: while parsing a block collection, did not find expected '-' indicator\n",
        ),
        (
            "scrape_configs:\n\t- job_name: a\n",
            "FILE:2:2: invalid YAML: tabs disallowed within this context (block indentation)\n",
        ),
        (
            "- a\n",
            "FILE:1:1: expected a mapping, found a list\n  hint: write `key: value` lines here\n",
        ),
    ] {
        assert_eq!(checked(config, &[]).await, (1, expected.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_errors_are_told_at_once_each_with_its_key() {
    let config = r#"global:
  scrape_interval: soon
scrape_configs:
  - job_name: a
    job_name: b
    scrape_timeout: 1h
    static_config: []
    relabel_configs:
      - action: kep
      - regex: "("
  - job_name: c
    static_configs: {targets: [a]}
    metrics_path: [x]
  - job_name: c
    kubernetes_sd_configs: [{role: pods}]
"#;
    let expected = r#"FILE:2:20: global.scrape_interval: not a valid duration string: "soon"
  hint: write a number with a unit: `30s`, `5m`, `1h30m`
FILE:5:5: scrape_configs[0].job_name: key `job_name` is set twice
  hint: remove one of the two
FILE:7:5: scrape_configs[0].static_config: unknown key `static_config`
  hint: did you mean `static_configs`?
FILE:9:9: scrape_configs[0].relabel_configs[0].action: unknown relabel action "kep"
  hint: actions are replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase
FILE:10:9: scrape_configs[0].relabel_configs[1].regex: error parsing regexp: missing closing ): `^(?s:()$`
  hint: expressions are those of RE2, as Go reads them
FILE:12:21: scrape_configs[1].static_configs: expected a list, found a mapping
  hint: write `[a, b]`, or lines that begin with `- `
FILE:13:19: scrape_configs[1].metrics_path: expected a single value, found a list
  hint: write it here, not a list or a mapping
FILE:14:15: scrape_configs[2].job_name: found multiple scrape configs with job name "c"
  hint: the first one is on line 11
FILE:15:36: scrape_configs[2].kubernetes_sd_configs[0].role: unknown Kubernetes SD role "pods"
  hint: did you mean `pod`?
"#;
    // The timeout is not compared with an interval that nobody knows.
    assert_eq!(checked(config, &[]).await, (1, expected.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mechanism_that_nobody_serves_is_an_error_or_an_unknown_job() {
    let config = "scrape_configs:
  - job_name: racks
    inventory_sd_configs: [{site: ams1}]
  - job_name: j
    static_configs: [{targets: [a:1]}]
";
    let hint = "  hint: add a plugin that serves it: `plugins: [{source: file:plugins/inventory.wasm}]`, or start with --allow-missing\n";
    let error =
        "FILE:3:5: scrape_configs[0].inventory_sd_configs: unknown key `inventory_sd_configs`\n";
    assert_eq!(checked(config, &[]).await, (1, format!("{error}{hint}")));
    let (code, text) = checked(config, &["--allow-missing"]).await;
    assert_eq!(code, 0);
    let warning = "warning: FILE:3:28: scrape_configs[0].inventory_sd_configs[0]: nobody serves the mechanism `inventory`: the job stays unknown\n";
    assert_eq!(text, format!("{warning}{hint}FILE is valid: 2 jobs\n"));

    let lab = Lab::new(config);
    let ended = lab.run_in_vain(&[]).await;
    assert!(
        ended.stderr.contains(":3:5: scrape_configs[0]"),
        "{ended:?}"
    );
    let host = lab.run(&["--allow-missing"]).await;
    host.until_addresses("j", &["a:1"]).await;
    host.until_logged(&["Configuration warning", "`inventory`"])
        .await;
    let unknown = host.get("/sd/racks").await;
    assert_eq!(unknown.status, 503);
    assert!(
        unknown.text().contains("mechanism `inventory`"),
        "{}",
        unknown.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sections_of_plugins_are_checked_against_their_schemas() {
    let lab = Lab::new(&format!(
        r#"plugins:
  - source: file:{sockets}
  - source: file:{json_http}
  - source: file:{exporters}
scrape_configs:
  - job_name: local
    sockets_sd_configs:
      - loopback: "maybe"
        ports:
          include: [99999]
        hots: x
    transformers:
      - plugin: known-exporters
        config:
          exporters: {{9100: 5}}
      - plugin: nobody
  - job_name: inventory
    json_http_sd_configs:
      - address: /ip
        refresh_interval: often
"#,
        sockets = shipped("sockets").display(),
        json_http = shipped("json_http").display(),
        exporters = shipped("known_exporters").display(),
    ));
    let checked = lab.check(&[]).await;
    assert_eq!(checked.code, Some(1));
    let text = checked.shown(&lab);
    for expected in [
        "11:15: scrape_configs[0].sockets_sd_configs[0].hots: unknown key `hots`",
        "8:19: scrape_configs[0].sockets_sd_configs[0].loopback: expected `true` or `false`",
        "10:21: scrape_configs[0].sockets_sd_configs[0].ports.include[0]: the value is greater than the maximum of 65535",
        "15:29: scrape_configs[0].transformers[0].config.exporters.9100: expected a text",
        "16:17: scrape_configs[0].transformers[1].plugin: no plugin is named `nobody`",
        "19:9: scrape_configs[1].json_http_sd_configs[0]: key `url` is missing",
        "20:27: scrape_configs[1].json_http_sd_configs[0].refresh_interval: not a valid duration string",
    ] {
        let expected = format!("DIR/prometheus.yml:{expected}");
        assert!(text.contains(&expected), "no `{expected}` in:\n{text}");
    }
    assert_eq!(text.matches("DIR/").count(), 7, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_entry_of_plugins_hides_no_other_error_and_makes_none() {
    let lab = Lab::new(
        "plugins:
  - source: https://example.com/x
  - source: file:missing.wasm
  - source: file:hostile.wasm
    limits: {memory: much}
    allow: {http: [cmdb]}
scrape_configs:
  - job_name: j
    hostile_sd_configs: [{mode: 7}]
    transformers: [{plugin: hostile}, {plugin: x}]
  - job_name: other
    x_sd_configs: [{}]
",
    );
    lab.write("hostile.wasm", hostile());
    let checked = lab.check(&[]).await;
    assert_eq!(checked.code, Some(1));
    assert_eq!(
        checked.shown(&lab),
        "DIR/prometheus.yml:2:13: plugins[0].source: plugin source \"https://example.com/x\" is not supported
  hint: write `source: file:PATH` or `source: oci:REGISTRY/NAME:TAG`
DIR/prometheus.yml:3:1: plugins[1]: failed to read plugin `DIR/missing.wasm`: No such file or directory (os error 2)
  hint: build it, or correct `source`; a relative path begins at the configuration's folder
DIR/prometheus.yml:5:22: plugins[2].limits.memory: units: invalid much
  hint: write a number with a unit: `512KiB`, `64MiB`, `1GB`
DIR/prometheus.yml:6:20: plugins[2].allow.http[0]: \"cmdb\" is not an HTTP origin
  hint: write scheme and host, with a port if it is not the usual one: `https://cmdb.example.com`
DIR/prometheus.yml:9:33: scrape_configs[0].hostile_sd_configs[0].mode: expected a text
"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_repeated() {
    let lab = Lab::new(&format!(
        "plugins: [{{source: file:{}}}]
scrape_configs:
  - job_name: j
    json_http_sd_configs:
      - url: http://127.0.0.1:1/
        address: /ip
        basic_auth: {{username: u, password: hunter2}}
",
        shipped("json_http").display()
    ));
    let host = lab.run(&[]).await;
    let shown = host
        .until("the failure", "/api/v1/providers", |answer| {
            let text = answer.text();
            text.contains("request to `http://127.0.0.1:1`: failed to connect")
        })
        .await;
    assert!(!shown.text().contains("hunter2"), "{}", shown.text());
    assert!(!host.log().contains("hunter2"), "{}", host.log());
}
