//! `target_allocator`, and the section of a job that its collectors are given.

use std::path::Path;
use std::time::Duration;

use periplus_config::{
    AllocationStrategy, Collector, CollectorSource, Config, Handover, LoadOptions, TargetAllocator,
    load_str,
};
use serde_json::{Value, json};

fn load(text: &str) -> Result<Config, String> {
    let loaded = load_str(text, Path::new("p.yml"), &LoadOptions::default());
    let loaded = loaded.map_err(|errors| errors.to_string())?;
    Ok(Config::clone(&loaded.config))
}

fn allocator(lines: &str) -> TargetAllocator {
    let text = format!("scrape_configs: [{{job_name: pods}}]\ntarget_allocator:{lines}");
    let config = load(&text).unwrap_or_else(|errors| panic!("refused:\n{errors}"));
    config.target_allocator.expect("it is written")
}

fn error(lines: &str) -> String {
    let text = format!("scrape_configs: [{{job_name: pods}}]\ntarget_allocator:{lines}");
    let errors = load(&text).map(|_| ()).expect_err(lines);
    errors.replace("p.yml:", "").replace("\n  hint", " | hint")
}

#[test]
fn nothing_is_served_unless_asked_for() {
    assert_eq!(load("scrape_configs: []").unwrap().target_allocator, None);
    for lines in ["", " {}", " null"] {
        let found = allocator(lines);
        assert_eq!(found, TargetAllocator::default(), "{lines}");
        assert_eq!(found.fallback, Some(AllocationStrategy::ConsistentHashing));
        assert_eq!(found.handover, Some(Handover::default()));
    }
}

#[test]
fn every_key_is_read() {
    let found = allocator(
        "\n  strategy: per-node\n  fallback_strategy: least-weighted\n  zone_label: zone\n  collectors:\n  \
         - {id: a, weight: 3, zone: z1, node: n1}\n  - id: b\n  handover: {reload_tick: 0s, deadline: 90s}",
    );
    let expected = TargetAllocator {
        strategy: AllocationStrategy::PerNode,
        fallback: Some(AllocationStrategy::LeastWeighted),
        zone_label: Some("zone".into()),
        collectors: CollectorSource::List(vec![
            Collector {
                id: "a".into(),
                weight: 3,
                zone: Some("z1".into()),
                node: Some("n1".into()),
            },
            Collector::named("b"),
        ]),
        handover: Some(Handover {
            reload_tick: Duration::ZERO,
            deadline: Duration::from_secs(90),
        }),
    };
    assert_eq!(found, expected);
    let found = allocator(
        "\n  strategy: per-node\n  fallback_strategy: none\n  handover: {enabled: false}\n  \
         collectors_from_requests: {expire_after: 5m, settle: 0s}",
    );
    assert_eq!((found.fallback, found.handover), (None, None));
    let expected = CollectorSource::Requests {
        expire_after: Duration::from_mins(5),
        settle: Duration::ZERO,
    };
    assert_eq!(found.collectors, expected);
    let found = allocator("\n  collectors_from_job: {job: pods, id_label: id}");
    let CollectorSource::Job(source) = found.collectors else {
        panic!("{:?}", found.collectors);
    };
    assert_eq!((&*source.job, &*source.id_label), ("pods", "id"));
    assert_eq!(source.node_label, "__meta_kubernetes_pod_node_name");
}

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    let cases = [
        (
            "\n  strategy: fair",
            "3:13: target_allocator.strategy: unknown strategy \"fair\" | hint: write `consistent-hashing`, \
             `least-weighted` or `per-node`",
        ),
        (
            "\n  strategy: per-node\n  fallback_strategy: per-node",
            "4:22: target_allocator.fallback_strategy: `per-node` cannot fall back to itself | hint: write \
             `consistent-hashing`, `least-weighted` or `none`",
        ),
        (
            "\n  fallback_strategy: none",
            "3:3: target_allocator.fallback_strategy: strategy `consistent-hashing` has no fallback | hint: \
             remove `fallback_strategy`, or write `strategy: per-node`",
        ),
        (
            "\n  collectors: []",
            "3:15: target_allocator.collectors: the list of collectors is empty | hint: list their `id`s, or \
             write `collectors_from_requests: {}`",
        ),
        (
            "\n  collectors:\n  - id: a\n  - id: a",
            "5:9: target_allocator.collectors[1].id: found multiple collectors with id \"a\" | hint: the first \
             one is on line 4: every collector has an id of its own",
        ),
        (
            "\n  collectors:\n  - {weight: 2}",
            "4:5: target_allocator.collectors[0]: collector has no id | hint: add `id: NAME`, the \
             `collector_id` of its Prometheus receiver",
        ),
        (
            "\n  collectors:\n  - {id: a, weight: 101}",
            "4:21: target_allocator.collectors[0].weight: weight 101 is not between 1 and 100 | hint: write a \
             whole number from 1 to 100; leave out a collector that gets nothing",
        ),
        (
            "\n  collectors: [{id: a, zone: z}]",
            "3:3: target_allocator.collectors: collectors have zones, but nothing says which zone a target is \
             in | hint: add `zone_label: LABEL`, such as \
             `__meta_kubernetes_node_label_topology_kubernetes_io_zone`",
        ),
        (
            "\n  collectors: [{id: a}]\n  collectors_from_requests: {}",
            "4:3: target_allocator.collectors_from_requests: both `collectors` and `collectors_from_requests` \
             say who the collectors are | hint: keep one of the two",
        ),
        (
            "\n  collectors_from_job: {job: nodes}",
            "3:25: target_allocator.collectors_from_job.job: there is no job \"nodes\" | hint: name a job of \
             `scrape_configs` whose targets are the collectors",
        ),
        (
            "\n  collectors_from_requests: {expire_after: 0s}",
            "3:44: target_allocator.collectors_from_requests.expire_after: expire_after is zero | hint: write \
             a time such as `2m`",
        ),
        (
            "\n  handover: {deadline: 10s}",
            "3:14: target_allocator.handover.deadline: the deadline of a hand-over is not longer than \
             `reload_tick` | hint: raise `deadline`: the new owner must have asked by then, reloaded and \
             scraped once",
        ),
        (
            "\n  colectors: []",
            "3:3: target_allocator.colectors: unknown key `colectors` | hint: did you mean `collectors`?",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(error(lines), expected, "{lines}");
    }
}

fn section(global: &str, job: &str, with_secrets: bool) -> (Value, Vec<String>) {
    let text = format!("global:\n{global}\nscrape_configs:\n- job_name: j\n{job}");
    let config = load(&text).unwrap_or_else(|errors| panic!("refused:\n{errors}"));
    let found = config.jobs[0].scrape_section(with_secrets);
    (found.section.into(), found.left_out)
}

#[test]
fn section_for_the_scraper_has_globals_and_no_discovery() {
    let (found, left_out) = section(
        "  scrape_interval: 7s\n  sample_limit: 010\n  body_size_limit: 1MB\n  external_labels: {a: b}\n  \
         scrape_protocols: [PrometheusText0.0.4]\n  label_limit: 5",
        "  static_configs: [{targets: [a]}]\n  kubernetes_sd_configs: [{role: pod}]\n  label_limit: 30\n  \
         sample_limit: 0\n  params: {a: [y]}\n  relabel_configs: [{regex: 5, action: keep}]",
        false,
    );
    let expected = json!({
        "job_name": "j",
        "scrape_interval": "7s",
        "scrape_timeout": "7s",
        "sample_limit": 8,
        "body_size_limit": "1MB",
        "label_limit": 30,
        "scrape_protocols": ["PrometheusText0.0.4"],
        "params": {"a": ["y"]},
        "relabel_configs": [{"regex": "5", "action": "keep"}],
    });
    assert_eq!(found, expected);
    assert_eq!(left_out, [""; 0]);
    // What our file does not set stays the scraper's own business.
    assert_eq!(section("  {}", "", false).0, json!({"job_name": "j"}));
}

#[test]
fn secrets_are_left_out_with_all_that_means_nothing_without_them() {
    let cases = [
        (
            "  basic_auth: {username: u, password: s3cret}",
            "basic_auth",
        ),
        ("  authorization: {credentials: s3cret}", "authorization"),
        ("  bearer_token: s3cret", "bearer_token"),
        (
            "  oauth2: {client_id: i, token_url: 'http://t', client_secret: s3cret}",
            "oauth2",
        ),
        (
            "  oauth2: {client_id: i, token_url: 'http://u:s3cret@t', client_secret_file: f}",
            "oauth2",
        ),
        ("  proxy_url: http://u:s3cret@proxy", "proxy_url"),
        (
            "  proxy_url: http://proxy\n  proxy_connect_header: {A: [s3cret]}",
            "proxy_connect_header",
        ),
        (
            "  http_headers: {A: {values: [shown]}, B: {secrets: [s3cret]}}",
            "http_headers.B",
        ),
        (
            "  tls_config: {cert: c, key: s3cret, server_name: shown}",
            "tls_config.key",
        ),
    ];
    for (lines, expected) in cases {
        let (found, left_out) = section("  {}", lines, false);
        assert_eq!(left_out, [expected], "{lines}");
        assert!(!found.to_string().contains("s3cret"), "{found}");
        assert_eq!(
            found.to_string().contains("shown"),
            lines.contains("shown"),
            "{found}"
        );
        let (found, left_out) = section("  {}", lines, true);
        assert_eq!(left_out, [""; 0], "{lines}");
        assert!(found.to_string().contains("s3cret"), "{found}");
    }
    let files = "  basic_auth: {username: u, password_file: f}";
    let (found, left_out) = section("  {}", files, false);
    assert_eq!(left_out, [""; 0]);
    assert_eq!(found["basic_auth"]["username"], "u");
}
