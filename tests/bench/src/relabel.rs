//! One Pod target of 29 labels through ten usual rules, on one processor.

use std::hint::black_box;
use std::time::Instant;

use periplus_config::{LoadOptions, load_str};
use periplus_core::relabel::Relabeler;
use periplus_core::target::{Outcome, populate, populate_discovered};
use periplus_core::{LabelBuilder, LabelSet};

use crate::Scale;
use crate::report::Report;

const PART: &str = "relabeling: 29 labels, ten rules";

/// The rules that the other programs were measured with.
const CONFIG: &str = r#"
scrape_configs:
  - job_name: bench
    static_configs: []
    relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_container_port_name], regex: .*-metrics, action: keep}
      - {source_labels: [__meta_kubernetes_pod_label_name], action: drop, regex: ""}
      - {source_labels: [__meta_kubernetes_pod_phase], regex: Succeeded|Failed, action: drop}
      - {source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_label_name], separator: /, target_label: job, replacement: $1}
      - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
      - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
      - {source_labels: [__meta_kubernetes_pod_container_name], target_label: container}
      - {source_labels: [__meta_kubernetes_pod_name, __meta_kubernetes_pod_container_name, __meta_kubernetes_pod_container_port_name], separator: ":", target_label: instance}
      - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
      - {source_labels: [__address__], regex: '(.+):(\d+)', target_label: __address__, replacement: '$1:9090'}
"#;

/// Relabels the same target again and again.
pub(crate) fn measure(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let loaded = load_str(CONFIG, "bench.yml".as_ref(), &LoadOptions::default())?;
    let job = &loaded.config.jobs[0];
    let relabeler = Relabeler::new(&job.relabel_rules);
    let target = target();
    anyhow::ensure!(target.len() == 29, "the target has {} labels", target.len());
    let mut builder = LabelBuilder::default();
    builder.reset(&target);
    anyhow::ensure!(relabeler.process(&mut builder), "the target is dropped");
    anyhow::ensure!(
        builder
            .get("instance")
            .is_some_and(|it| it.ends_with(":http-metrics"))
    );

    let count = scale.relabelled;
    let rules = nanos(count, || {
        builder.reset(black_box(&target));
        black_box(relabeler.process(&mut builder));
    });
    report.add(PART, "rules alone, per target", rules, "ns");
    report.aim("<= 1,000 ns; Prometheus 7,270 ns");
    let built = nanos(count, || {
        builder.reset(black_box(&target));
        black_box(relabeler.process(&mut builder));
        black_box(builder.build());
    });
    report.add(PART, "rules and a new label set, per target", built, "ns");
    let whole = nanos(count, || {
        let labels = populate_discovered(black_box(&target), &job.defaults);
        let outcome = populate(labels, &relabeler);
        assert!(matches!(black_box(outcome), Outcome::Active(_)));
    });
    report.add(PART, "discovered to final target", whole, "ns");
    report.aim("Prometheus 13,000 ns");
    Ok(())
}

fn nanos(count: usize, mut work: impl FnMut()) -> f64 {
    for _ in 0..count / 10 {
        work();
    }
    let timed = Instant::now();
    for _ in 0..count {
        work();
    }
    timed.elapsed().as_secs_f64() * 1e9 / count as f64
}

fn target() -> LabelSet {
    const FIXED: [(&str, &str); 11] = [
        ("__address__", "10.132.183.40:80"),
        ("__meta_kubernetes_namespace", "loki-boltdb-shipper"),
        ("__meta_kubernetes_pod_container_name", "promtail"),
        ("__meta_kubernetes_pod_container_port_name", "http-metrics"),
        ("__meta_kubernetes_pod_label_name", "promtail"),
        ("__meta_kubernetes_pod_name", "promtail-jgtr7"),
        ("__meta_kubernetes_pod_phase", "Running"),
        (
            "__meta_kubernetes_pod_uid",
            "66ebf1d1-05a2-4a8e-8b4f-0a1a2b3c4d5e",
        ),
        ("__metrics_path__", "/metrics"),
        ("__scheme__", "http"),
        ("job", "kubernetes-pods"),
    ];
    let annotations = ('a'..='r').map(|letter| {
        let name = format!("__meta_kubernetes_pod_annotation_some_annotation_{letter}");
        (name, "some_annotation_value_x".to_owned())
    });
    let fixed = FIXED.map(|(name, value)| (name.to_owned(), value.to_owned()));
    fixed.into_iter().chain(annotations).collect()
}
