//! What an operator reads when a configuration is wrong: text, place, key and hint.

use std::fmt::Write as _;
use std::path::Path;

use periplus_config::{ConfigErrors, LoadOptions, load_file, load_str, plugins_of};

fn options() -> LoadOptions {
    let mechanisms = ["sockets", "inventory"].map(str::to_owned);
    LoadOptions {
        mechanisms: mechanisms.into(),
        allow_missing: false,
    }
}

fn errors(text: &str) -> ConfigErrors {
    match load_str(text, Path::new("p.yml"), &options()) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(errors) => errors,
    }
}

/// The one error of a job whose lines after `job_name` (line 2) are given, without its file.
fn job_error(lines: &str) -> String {
    let errors = errors(&format!("scrape_configs:\n- job_name: j\n{lines}"));
    assert_eq!(errors.0.len(), 1, "{errors}");
    let error = &errors.0[0];
    format!(
        "{}:{} {}: {}",
        error.line, error.column, error.key_path, error.message
    )
}

#[test]
fn all_errors_of_a_file_are_shown_in_order_with_place_and_hint() {
    let text = "\
global:
  scrape_intervall: 5s
  evaluation_interval: 5x
scrape_configs:
- job_name: a
  honor_labels: 'true'
  kubernetes_sd_configs:
  - role: pods
  - role: pod
    namespaces: [default]
  relabel_configs:
  - action: kep
- job_name: a
  consul_sd_configs: [{}]
  inventry_sd_configs: [{}]
- job_name:
  static_configs:
  -
extra: 1
scrape_configs: []
";
    let expected = "\
p.yml:2:3: global.scrape_intervall: unknown key `scrape_intervall`
  hint: did you mean `scrape_interval`?
p.yml:3:24: global.evaluation_interval: unknown unit \"x\" in duration \"5x\"
  hint: write a number with a unit: `30s`, `5m`, `1h30m`
p.yml:6:17: scrape_configs[0].honor_labels: expected a boolean, found the text `true`
  hint: write `true` or `false`, without quotes
p.yml:8:11: scrape_configs[0].kubernetes_sd_configs[0].role: unknown Kubernetes SD role \"pods\"
  hint: did you mean `pod`?
p.yml:10:17: scrape_configs[0].kubernetes_sd_configs[1].namespaces: expected a mapping, found a list
  hint: write `key: value` lines here
p.yml:12:5: scrape_configs[0].relabel_configs[0].action: unknown relabel action \"kep\"
  hint: actions are replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase
p.yml:13:13: scrape_configs[1].job_name: found multiple scrape configs with job name \"a\"
  hint: the first one is on line 5
p.yml:14:3: scrape_configs[1].consul_sd_configs: nobody serves the mechanism `consul`
  hint: add a plugin that serves it: `plugins: [{source: file:plugins/consul.wasm}]`, or start with --allow-missing
p.yml:15:3: scrape_configs[1].inventry_sd_configs: unknown key `inventry_sd_configs`
  hint: did you mean `inventory_sd_configs`?
p.yml:16:3: scrape_configs[2].job_name: job_name is empty
  hint: add `job_name: NAME`
p.yml:18:4: scrape_configs[2].static_configs[0]: empty or null section in static_configs
  hint: remove it, or add `targets:`
p.yml:19:1: extra: unknown key `extra`
p.yml:20:1: scrape_configs: key `scrape_configs` is set twice
  hint: remove one of the two";
    assert_eq!(errors(text).to_string(), expected);
}

#[test]
fn jobs_are_checked_as_upstream() {
    for (lines, expected) in [
        (
            "  scrape_interval: 5s\n  scrape_timeout: 10s",
            "4:3 scrape_configs[0].scrape_timeout: scrape timeout greater than scrape interval for scrape config with job name \"j\"",
        ),
        (
            "  scrape_interval: +5s",
            "3:20 scrape_configs[0].scrape_interval: not a valid duration string: \"+5s\"",
        ),
        (
            "  sample_limit: -1",
            "3:17 scrape_configs[0].sample_limit: expected a whole number, zero or more, found the number `-1`",
        ),
        (
            "  body_size_limit: 10XB",
            "3:20 scrape_configs[0].body_size_limit: units: unknown unit XB in 10XB",
        ),
        (
            "  params: {a: b}",
            "3:15 scrape_configs[0].params.a: expected a list, found the text `b`",
        ),
        (
            "  scrape_protocols: []",
            "3:3 scrape_configs[0].scrape_protocols: scrape_protocols cannot be empty for scrape config with job name \"j\"",
        ),
        (
            "  scrape_protocols: [PrometheusProto, prometheusproto]",
            "3:3 scrape_configs[0].scrape_protocols: duplicated protocol in scrape_protocols, got [PrometheusProto prometheusproto] for scrape config with job name \"j\"",
        ),
        (
            "  metric_name_validation_scheme: ascii",
            "3:34 scrape_configs[0].metric_name_validation_scheme: unrecognized ValidationScheme: \"ascii\"",
        ),
        (
            "  metric_name_validation_scheme: legacy\n  metric_name_escaping_scheme: allow-utf-8",
            "4:3 scrape_configs[0].metric_name_escaping_scheme: utf8 metric names requested but validation scheme is not set to UTF8",
        ),
        (
            "  static_configs: [{targets: ['http://bad']}]",
            "3:31 scrape_configs[0].static_configs[0].targets[0]: \"http://bad\" is not a valid hostname",
        ),
        (
            "  relabel_configs:\n  -",
            "4:4 scrape_configs[0].relabel_configs[0]: empty or null target relabeling rule in scrape config",
        ),
        (
            "  metric_relabel_configs: [null]",
            "3:28 scrape_configs[0].metric_relabel_configs[0]: empty or null metric relabeling rule in scrape config",
        ),
        (
            "  relabel_configs: [{action: hashmod, target_label: x}]",
            "3:22 scrape_configs[0].relabel_configs[0].action: relabel configuration for hashmod requires non-zero modulus",
        ),
        (
            "  file_sd_configs: [{}]",
            "3:21 scrape_configs[0].file_sd_configs[0]: file service discovery config must contain at least one path name",
        ),
        (
            "  file_sd_configs: [{files: [a/*/b.yml]}]",
            "3:30 scrape_configs[0].file_sd_configs[0].files[0]: path name \"a/*/b.yml\" is not valid for file discovery",
        ),
        (
            "  sockets_sd_configs: [null]",
            "3:24 scrape_configs[0].sockets_sd_configs[0]: empty or null section in sockets_sd_configs",
        ),
        (
            "  sockets_sd_configs: [true]",
            "3:24 scrape_configs[0].sockets_sd_configs[0]: expected a mapping, found the boolean `true`",
        ),
    ] {
        assert_eq!(job_error(lines), expected, "{lines}");
    }
}

#[test]
fn http_settings_are_checked_as_upstream() {
    for (lines, expected) in [
        (
            "  basic_auth: {}\n  bearer_token: x",
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
        ),
        (
            "  basic_auth: {username: a, username_file: b}",
            "at most one of basic_auth username, username_file & username_ref must be configured",
        ),
        (
            "  authorization: {type: ' Basic '}",
            "authorization type cannot be set to \"basic\", use \"basic_auth\" instead",
        ),
        (
            "  authorization: {}\n  basic_auth: {}",
            "at most one of basic_auth, oauth2 & authorization must be configured",
        ),
        (
            "  oauth2: {token_url: x}",
            "oauth2 client_id must be configured",
        ),
        (
            "  tls_config: {cert: x}",
            "exactly one of key or key_file must be configured when a client certificate is configured",
        ),
        (
            "  tls_config: {min_version: TLS1}",
            "unknown TLS version: TLS1",
        ),
        (
            "  no_proxy: x",
            "if no_proxy is configured, proxy_url must also be configured",
        ),
        (
            "  http_headers: {host: {}}",
            "setting header \"Host\" is not allowed",
        ),
        (
            "  proxy_url: 'http://%zz'",
            "parse \"http://%zz\": invalid URL escape \"%zz\"",
        ),
    ] {
        let error = job_error(lines);
        assert!(
            error.ends_with(&format!(": {expected}")),
            "{lines}: {error}"
        );
    }
}

#[test]
fn plugins_and_transformers_are_checked() {
    for (text, expected) in [
        (
            "plugins: [{name: a}]",
            "1:11 plugins[0]: plugin has no source",
        ),
        (
            "plugins: [~]",
            "1:11 plugins[0]: empty or null section in plugins",
        ),
        (
            "plugins: [{source: 'oci:a:1'}]",
            "1:20 plugins[0].source: plugin source \"oci:a:1\" is not an image",
        ),
        (
            "plugins: [{source: 'https://example.com/a.wasm'}]",
            "1:20 plugins[0].source: plugin source \"https://example.com/a.wasm\" is not supported",
        ),
        (
            "plugins: [{source: 'oci:r.example/a:1', pull: sometimes}]",
            "1:47 plugins[0].pull: unknown pull policy \"sometimes\"",
        ),
        (
            "plugins: [{source: 'oci:r.example/a:1', verify: {keys: []}}]",
            "1:49 plugins[0].verify: no key to verify signatures with",
        ),
        (
            "plugins: [{source: 'oci:r.example/a:1', verify: {}}]",
            "1:49 plugins[0].verify: no key to verify signatures with",
        ),
        (
            "plugins: [{source: a.wasm, verify: {keys: [a.pub]}}]",
            "1:36 plugins[0].verify: \"verify\" is for plugins from registries",
        ),
        (
            "plugins: [{source: a.wasm, sha256: abc}]",
            "1:36 plugins[0].sha256: \"abc\" is not a SHA-256 digest",
        ),
        (
            "plugins: [{source: a.wasm, limits: {memory: lots}}]",
            "1:45 plugins[0].limits.memory: units: invalid lots",
        ),
        (
            "plugins: [{source: a.wasm, limits: {cpu: 0s}}]",
            "1:42 plugins[0].limits.cpu: limit must be greater than zero",
        ),
        (
            "plugins: [{source: a.wasm, allow: {http: ['https://h/path']}}]",
            "1:43 plugins[0].allow.http[0]: \"https://h/path\" is not an HTTP origin",
        ),
        (
            "plugins: [{source: a.wasm, allow: {file: [x]}}]",
            "1:36 plugins[0].allow.file: unknown key `file`",
        ),
        (
            "plugins: [{name: a, source: a.wasm}, {name: a, source: b.wasm}]",
            "1:38 plugins[1]: found multiple plugins with name \"a\"",
        ),
        (
            "scrape_configs: [{job_name: j, transformers: [{config: {}}]}]",
            "1:47 scrape_configs[0].transformers[0]: transformer names no plugin",
        ),
        (
            "scrape_configs: [{job_name: j, transformers: [{plugin: a, on_error: stop}]}]",
            "1:69 scrape_configs[0].transformers[0].on_error: unknown on_error \"stop\"",
        ),
    ] {
        let errors = errors(text);
        let error = &errors.0[0];
        let shown = format!(
            "{}:{} {}: {}",
            error.line, error.column, error.key_path, error.message
        );
        assert_eq!((shown.as_str(), errors.0.len()), (expected, 1), "{text}");
        assert!(error.hint.is_some(), "{text}");
    }
}

#[test]
fn keys_of_mechanisms_are_among_the_hints() {
    for (key, meant) in [
        ("kubernetes_sd_config", Some("kubernetes_sd_configs")),
        ("socket_sd_configs", Some("sockets_sd_configs")),
        ("static_config", Some("static_configs")),
        ("consull_sd_configs", Some("consul_sd_configs")),
        ("sockets", None),
    ] {
        let errors = errors(&format!("scrape_configs: [{{job_name: j, {key}: [{{}}]}}]"));
        let expected = meant.map(|meant| format!("did you mean `{meant}`?"));
        assert_eq!(errors.0[0].hint, expected, "{key}");
    }
}

#[test]
fn broken_yaml_names_the_place() {
    for (text, line, expected) in [
        ("scrape_configs: [", 1, "invalid YAML: "),
        ("a: b: c", 1, "invalid YAML: "),
        (
            "scrape_configs:\n- job_name: a\n bad: x",
            3,
            "invalid YAML: ",
        ),
        ("%YAML 1.2\n---\n", 2, "found incompatible YAML document"),
        ("global: *nobody", 1, "invalid YAML: "),
        ("scrape_configs: &a [*a]", 1, "anchor value contains itself"),
        (
            "global: {query_log_file: \"\\/\"}",
            1,
            "invalid YAML: found unknown escape character",
        ),
    ] {
        let errors = errors(text);
        let error = &errors.0[0];
        assert_eq!((error.line, errors.0.len()), (line, 1), "{text}: {error}");
        assert!(error.message.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn a_repeated_mistake_of_an_alias_is_shown_once() {
    let errors =
        errors("scrape_configs:\n- &a {job_name: a, schema: x}\n- {<<: *a, job_name: b}\n");
    let lines: Vec<_> = errors
        .0
        .iter()
        .map(|error| (error.line, error.message.as_str()))
        .collect();
    let message = "unknown key `schema`";
    assert_eq!(
        lines,
        [(2, message), (2, message)],
        "one for each job that has it"
    );
}

#[test]
fn aliases_of_aliases_do_not_explode() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..60 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        writeln!(text, "a{level}: &a{level} [{before}]").unwrap();
    }
    let errors = errors(&text);
    assert_eq!(errors.0[0].message, "document contains excessive aliasing");
}

#[test]
fn deep_nesting_is_refused_however_it_is_written() {
    let mut text = String::from("a0: &a0 [x]\n");
    for level in 1..2000 {
        writeln!(text, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    assert_eq!(errors(&text).0[0].message, "document is nested too deeply");
    let flow = format!("global: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(errors(&flow).0.len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.yml");
    for errors in [
        load_file(&path, &options()).unwrap_err(),
        plugins_of(&path).unwrap_err(),
    ] {
        let text = errors.to_string();
        assert!(
            text.contains("none.yml: failed to read the configuration: "),
            "{text}"
        );
    }
}

#[test]
fn the_list_of_plugins_is_read_whatever_else_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("p.yml");
    std::fs::write(
        &path,
        "plugins: [{source: a.wasm}]\nscrape_configs: 5\nunknown: 1\n",
    )
    .unwrap();
    let plugins = plugins_of(&path).unwrap();
    assert_eq!(plugins[0].source, directory.path().join("a.wasm"));
    assert_eq!(load_file(&path, &options()).unwrap_err().0.len(), 2);
}

#[test]
fn what_begins_with_a_colon_within_brackets_needs_quotes() {
    let error = |targets: &str| job_error(&format!("  static_configs: [{{targets: {targets}}}]\n"));
    for targets in ["[::1]", "[a, :80]"] {
        let error = error(targets);
        assert!(
            error.contains("did not find expected node content"),
            "{error}"
        );
        assert!(error.starts_with("3:"), "{error}");
    }
    for targets in ["['::1']", "[a:80]"] {
        let text =
            format!("scrape_configs: [{{job_name: j, static_configs: [{{targets: {targets}}}]}}]");
        load_str(&text, Path::new("p.yml"), &options()).unwrap();
    }
    // Outside of brackets it is text.
    let text = "scrape_configs:\n- job_name: j\n  static_configs:\n  - targets:\n    - ::1\n";
    load_str(text, Path::new("p.yml"), &options()).unwrap();
}

#[test]
fn a_label_name_of_other_bytes_is_refused_as_a_name() {
    assert_eq!(
        job_error("  relabel_configs: [{target_label: !!binary /w==, replacement: x}]\n"),
        "3:45 scrape_configs[0].relabel_configs[0].target_label: \"\\xff\" is invalid \
         'target_label' for replace action"
    );
}

#[test]
fn expressions_are_bounded_one_by_one_and_all_together() {
    // Upstream takes it, so it is taken, at a price.
    let rule = "    - {action: drop, regex: '\\pL{1000}'}\n";
    let jobs = |rules: usize| {
        format!(
            "scrape_configs:\n- job_name: a\n  relabel_configs:\n{}- job_name: b\n  relabel_configs:\n{rule}",
            rule.repeat(rules)
        )
    };
    load_str(&jobs(1), Path::new("p.yml"), &options()).unwrap();
    let errors = errors(&jobs(12));
    assert_eq!(errors.0.len(), 1, "{errors}");
    let error = errors.0[0].to_string();
    for expected in [
        "p.yml:4:5: scrape_configs[0].relabel_configs: the expressions of the rules so far take ",
        " MiB when compiled, more than 128 MiB",
        "hint: that of relabel_configs[",
    ] {
        assert!(error.contains(expected), "no `{expected}` in {error}");
    }
    let error = job_error(
        "  relabel_configs: [{action: drop, regex: '\\pL{1000}\\pL{1000}\\pL{1000}\\pL{1000}\\pL{1000}'}]\n",
    );
    assert!(
        error.contains("error parsing regexp: expression too large"),
        "{error}"
    );
}

#[test]
fn yaml_that_is_nested_too_deeply_or_too_large_is_refused() {
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        let text = format!("a: {}{}", open.repeat(100_000), close.repeat(100_000));
        let errors = errors(&text);
        assert_eq!(errors.0.len(), 1, "{errors}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yml");
    std::fs::write(&path, "# padding\n".repeat((64 << 20) / 10 + 1)).unwrap();
    let error = load_file(&path, &options()).unwrap_err().to_string();
    assert!(
        error.contains("p.yml: the file is larger than 64 MiB"),
        "{error}"
    );
}
