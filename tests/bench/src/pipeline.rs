//! A job with many targets: a full pass, and one changed group among all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use async_trait::async_trait;
use periplus_config::{LoadOptions, Section, TransformerConfig, load_str};
use periplus_core::{LabelSet, TargetGroup};
use periplus_discovery::{
    Discoverer, Manager, ManagerHandle, ManagerOptions, Mechanisms, Snapshot, Stage, Transformer,
    Updates,
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::Scale;
use crate::process::Usage;
use crate::report::Report;

const PART: &str = "pipeline: 42 labels, four rules, everything kept";
const TARGETS_PER_GROUP: usize = 2;
/// The provider is ours, whatever the section says.
const CONFIG: &str = "
scrape_configs:
  - job_name: bench
    static_configs: [{targets: [unused]}]
    relabel_configs:
      - {source_labels: [__meta_phase], regex: Failed|Succeeded, action: drop}
      - {source_labels: [__meta_namespace], target_label: namespace}
      - {source_labels: [__meta_pod], target_label: pod}
      - {action: labelmap, regex: __meta_label_(.+)}
";
const PATIENCE: Duration = Duration::from_mins(5);

/// Hands the way into its only provider to the benchmark.
struct Ours(Mutex<Option<oneshot::Sender<Updates>>>);

struct Told(Option<oneshot::Sender<Updates>>);

/// Fills a job, then changes one group after the other.
pub(crate) async fn measure(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let (way, updates) = oneshot::channel();
    let ours = Arc::new(Ours(Mutex::new(Some(way))));
    let (manager, handle) = Manager::new(ours, ManagerOptions::default());
    let stop = CancellationToken::new();
    let running = tokio::spawn(manager.run(stop.clone()));
    let loaded = load_str(CONFIG, "bench.yml".as_ref(), &LoadOptions::default())?;
    handle.apply(loaded.config).await;
    let updates = updates.await.context("the provider was never started")?;
    let snapshots = snapshots(&handle)?;

    let count = scale.targets / TARGETS_PER_GROUP;
    let groups: Vec<_> = (0..count).map(|number| group(number, 0)).collect();
    full_pass(groups, &updates, snapshots.clone(), report).await?;
    one_change(count, scale, &updates, snapshots, report).await?;
    stop.cancel();
    running.await?;
    Ok(())
}

async fn full_pass(
    groups: Vec<Arc<TargetGroup>>,
    updates: &Updates,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (labels, targets) = (
        groups[0].labels.len() + groups[0].targets[0].len(),
        groups.len(),
    );
    anyhow::ensure!(labels == 42, "targets have {labels} labels");
    let targets = (targets * TARGETS_PER_GROUP) as f64;
    let before = Usage::own()?;
    let timed = Instant::now();
    updates.replace(groups);
    wait(&mut snapshots, |snapshot| snapshot.known).await?;
    let took = timed.elapsed();
    let after = Usage::own()?;
    report.add(PART, "targets", targets, "");
    report.add(PART, "full pass", took.as_secs_f64() * 1e3, "ms");
    report.add(
        PART,
        "full pass, per target",
        took.as_secs_f64() * 1e9 / targets,
        "ns",
    );
    report.aim("1,125 ns on one core");
    let cpu = after.cpu_since(&before).as_secs_f64() * 1e9 / targets;
    report.add(PART, "full pass, CPU per target", cpu, "ns");
    let grown = after.resident.saturating_sub(before.resident) as f64;
    report.add(PART, "memory for results, per target", grown / targets, "B");

    let snapshot = Arc::clone(&snapshots.borrow());
    let timed = Instant::now();
    let bytes: usize = snapshot
        .groups
        .values()
        .map(|group| group.segment(Stage::Final).len())
        .sum();
    let took = timed.elapsed().as_secs_f64() * 1e9;
    report.add(
        PART,
        "rendering the final stage, per target",
        took / targets,
        "ns",
    );
    report.add(
        PART,
        "rendered bytes, per target",
        bytes as f64 / targets,
        "B",
    );
    Ok(())
}

async fn one_change(
    count: usize,
    scale: Scale,
    updates: &Updates,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut times = Vec::with_capacity(scale.samples);
    let changes: Vec<_> = (0..scale.samples)
        .map(|n| group(n * 7919 % count, n + 1))
        .collect();
    let before = Usage::own()?;
    for change in changes {
        let version = snapshots.borrow_and_update().version;
        let timed = Instant::now();
        updates.apply(change);
        wait(&mut snapshots, |snapshot| snapshot.version != version).await?;
        times.push(timed.elapsed());
    }
    let cpu = Usage::own()?.cpu_since(&before).as_secs_f64() * 1e6 / times.len() as f64;
    report.add_times(PART, "one changed group, to the snapshot", &mut times);
    report.add(PART, "one changed group, CPU", cpu, "us");
    report.aim("<= 50 us");
    Ok(())
}

fn snapshots(handle: &ManagerHandle) -> anyhow::Result<watch::Receiver<Arc<Snapshot>>> {
    let directory = handle.directory().borrow().clone();
    Ok(directory
        .jobs
        .get("bench")
        .context("there is no job")?
        .snapshots
        .clone())
}

async fn wait(
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    is_so: impl Fn(&Snapshot) -> bool,
) -> anyhow::Result<()> {
    let waiting = snapshots.wait_for(|snapshot| is_so(snapshot));
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .context("the snapshot never came")??;
    Ok(())
}

/// A group like a Pod of two ports: 30 labels of its own, 12 of each target.
fn group(number: usize, revision: usize) -> Arc<TargetGroup> {
    let mut labels = vec![
        (
            "__meta_namespace".to_owned(),
            format!("namespace-{}", number % 50),
        ),
        ("__meta_phase".to_owned(), "Running".to_owned()),
        (
            "__meta_pod".to_owned(),
            format!("deployment-{}-{number:x}", number % 997),
        ),
        ("__meta_label_revision".to_owned(), revision.to_string()),
    ];
    labels.extend((0..6).map(|n| {
        (
            format!("__meta_label_app_{n}"),
            format!("value-{}", number % (n + 2)),
        )
    }));
    labels.extend((0..20).map(|n| {
        (
            format!("__meta_annotation_{n}"),
            format!("text {n} of {number}"),
        )
    }));
    let target = |port: usize| {
        let [a, b, c] = [number >> 16, number >> 8, number].map(|byte| byte % 256);
        let mut labels = vec![("__address__".to_owned(), format!("10.{a}.{b}.{c}:{port}"))];
        labels.extend((0..11).map(|n| (format!("__meta_port_{n}"), format!("port-{port}-{n}"))));
        LabelSet::from_iter(labels)
    };
    Arc::new(TargetGroup {
        source: format!("pod/{number:08}").into(),
        labels: LabelSet::from_iter(labels),
        targets: (0..TARGETS_PER_GROUP)
            .map(|port| target(8080 + port))
            .collect(),
    })
}

// === impl Ours ===

impl Mechanisms for Ours {
    fn discoverer(&self, _: &Section, _: &str) -> Result<Box<dyn Discoverer>, String> {
        Ok(Box::new(Told(
            self.0.lock().unwrap_or_else(PoisonError::into_inner).take(),
        )))
    }

    fn transformer(&self, _: &TransformerConfig) -> Result<Arc<dyn Transformer>, String> {
        Err("there are none".to_owned())
    }
}

#[async_trait]
impl Discoverer for Told {
    async fn run(mut self: Box<Self>, updates: Updates, stop: CancellationToken) {
        if let Some(way) = self.0.take() {
            let _ = way.send(updates);
        }
        stop.cancelled().await;
    }
}
