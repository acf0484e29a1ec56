//! Whatever stands in the file, reading it ends in a configuration or in errors.

use std::path::Path;

use periplus_config::{LoadOptions, load_str};
use proptest::prelude::*;

const SAMPLE: &str = r#"
global: {scrape_interval: 30s, external_labels: {a: b}, scrape_protocols: [PrometheusProto]}
plugins:
- {name: p, source: file:a.wasm, allow: {http: ["https://h"], files: [/x]}, limits: {memory: 1MiB}}
clusters: [{name: c, kubeconfig_file: k, context: x}, {kubeconfig_dir: d}]
scrape_configs:
- &base
  job_name: a
  params: {a: [b]}
  tls_config: {ca_file: ca, min_version: TLS12}
  kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, label: "a in (b, c)", field: a=b}]}]
  kubernetes_resource_sd_configs:
  - {resource: a.io/v1/bs, address: /a/*, labels: {c: /d~1e}, clusters: [c, "d*"], drop_annotations: ["e/*"]}
  file_sd_configs: [{files: [a.yml]}]
  sockets_sd_configs: [{refresh_interval: 5s, x: [1, 2.5, ~, "\u00e9"]}]
  static_configs: [{targets: [a:1], labels: {x: !!binary aGk=}}]
  transformers: [{plugin: p, config: {a: b}, on_error: pass}]
  relabel_configs: [{source_labels: [a], regex: (.*), target_label: b, modulus: 7, action: keep}]
- {<<: *base, job_name: b, oauth2: {client_id: x, token_url: y, claims: {a: [1]}}}
"#;

fn load(text: &str) -> bool {
    let options = LoadOptions {
        mechanisms: ["sockets".to_owned()].into(),
        allow_missing: false,
    };
    load_str(text, Path::new("p.yml"), &options).is_ok()
}

/// Every line of every key, with the values that a mistyped file may have there.
#[test]
fn no_value_of_the_wrong_type_panics() {
    let values = [
        "",
        "~",
        "[]",
        "{}",
        "[~]",
        "[[x]]",
        "{a: {b: c}}",
        "5",
        "-1",
        "1e99",
        ".nan",
        "yes",
        "!!binary //8=",
        "!!int x",
        "'",
        "*base",
    ];
    let places: Vec<_> = SAMPLE
        .match_indices(": ")
        .map(|(index, _)| index + 2)
        .collect();
    for place in places {
        for value in values {
            let end = SAMPLE[place..]
                .find([',', '}', '\n', ']'])
                .map_or(SAMPLE.len(), |end| place + end);
            load(&format!("{}{value}{}", &SAMPLE[..place], &SAMPLE[end..]));
        }
    }
}

#[test]
fn no_truncated_file_panics() {
    assert!(load(SAMPLE));
    for (end, _) in SAMPLE.char_indices() {
        load(&SAMPLE[..end]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "[a-z_:\\-\\[\\]{}&*!<>|'\"%@`#,? \\n\\t0-9é\u{0}]{0,200}") {
        load(&text);
    }

    #[test]
    fn no_damage_panics(
        place in 0..SAMPLE.len(),
        length in 0..40_usize,
        with in "[a-z:\\-\\[\\]{}&*!|'\"%, \\n]{0,8}",
    ) {
        let end = (place + length).min(SAMPLE.len());
        if SAMPLE.is_char_boundary(place) && SAMPLE.is_char_boundary(end) {
            load(&format!("{}{with}{}", &SAMPLE[..place], &SAMPLE[end..]));
        }
    }
}
