//! A job with many targets: a full pass, and one changed group among all; with groups that are kept
//! whole, as plugins hand them over, and with groups that can be made again, as Kubernetes does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use async_trait::async_trait;
use periplus_config::{LoadOptions, Section, TransformerConfig, load_str};
use periplus_core::{LabelSet, TargetGroup};
use periplus_discovery::{
    Discoverer, GroupOrigin, Manager, ManagerHandle, ManagerOptions, Mechanisms, Snapshot, Stage,
    Transformer, Updates, View,
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::Scale;
use crate::process::Usage;
use crate::report::Report;

const WHOLE: &str = "pipeline: 42 labels, four rules, everything kept";
const DERIVED: &str = "pipeline: the same, groups made again when somebody looks";
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

/// All that has to be kept of a group.
struct Origin {
    number: u32,
    revision: u32,
}

/// How groups are handed over.
struct Hand {
    part: &'static str,
    is_derived: bool,
    updates: Updates,
}

/// Hands the way into its only provider to the benchmark.
struct Ours(Mutex<Option<oneshot::Sender<Updates>>>);

struct Told(Option<oneshot::Sender<Updates>>);

/// Fills a job, then changes one group after the other.
pub(crate) async fn measure(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    measure_part(WHOLE, false, scale, report).await?;
    measure_part(DERIVED, true, scale, report).await
}

async fn measure_part(
    part: &'static str,
    is_derived: bool,
    scale: Scale,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (way, updates) = oneshot::channel();
    let ours = Arc::new(Ours(Mutex::new(Some(way))));
    let (manager, handle) = Manager::new(ours, ManagerOptions::default());
    let stop = CancellationToken::new();
    let running = tokio::spawn(manager.run(stop.clone()));
    let loaded = load_str(CONFIG, "bench.yml".as_ref(), &LoadOptions::default())?;
    handle.apply(loaded.config).await;
    let updates = updates.await.context("the provider was never started")?;
    let snapshots = snapshots(&handle)?;
    let hand = Hand {
        part,
        is_derived,
        updates,
    };

    let count = scale.targets / TARGETS_PER_GROUP;
    full_pass(count, &hand, snapshots.clone(), report).await?;
    rendering(&snapshots, part, count, report);
    one_change(count, scale, &hand, snapshots, report).await?;
    stop.cancel();
    running.await?;
    Ok(())
}

async fn full_pass(
    count: usize,
    hand: &Hand,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let part = hand.part;
    let first = group(0, 0);
    let labels = first.labels.len() + first.targets[0].len();
    anyhow::ensure!(labels == 42, "targets have {labels} labels");
    let targets = (count * TARGETS_PER_GROUP) as f64;
    let empty = Usage::own()?.resident;
    let groups: Vec<_> = (0..count).map(|number| (number, 0)).collect();
    let groups = with_origins(&groups);
    let before = Usage::own()?;
    let timed = Instant::now();
    hand.give(groups);
    hand.updates.synced();
    wait(&mut snapshots, |snapshot| {
        snapshot.known && snapshot.groups.len() == count
    })
    .await?;
    let took = timed.elapsed();
    let after = Usage::own()?;
    report.add(part, "targets", targets, "");
    report.add(part, "full pass", took.as_secs_f64() * 1e3, "ms");
    let per_target = took.as_secs_f64() * 1e9 / targets;
    report.add(part, "full pass, per target", per_target, "ns");
    if !hand.is_derived {
        report.aim("1,125 ns on one core");
    }
    let cpu = after.cpu_since(&before).as_secs_f64() * 1e9 / targets;
    report.add(part, "full pass, CPU per target", cpu, "ns");
    let grown = after.resident.saturating_sub(empty) as f64;
    let what = "memory for groups and results, per target";
    report.add(part, what, grown / targets, "B");
    Ok(())
}

fn rendering(
    snapshots: &watch::Receiver<Arc<Snapshot>>,
    part: &'static str,
    count: usize,
    report: &mut Report,
) {
    let snapshot = Arc::clone(&snapshots.borrow());
    let targets = (count * TARGETS_PER_GROUP) as f64;
    for stage in [Stage::Final, Stage::Discovered] {
        let timed = Instant::now();
        let bytes: usize = snapshot
            .body(View::of(stage))
            .map(|piece| piece.len())
            .sum();
        let took = timed.elapsed().as_secs_f64() * 1e9 / targets;
        let (time, size) = match stage {
            Stage::Final => (
                "rendering the final stage, per target",
                "rendered bytes, per target",
            ),
            _ => (
                "rendering the discovered stage, per target",
                "discovered bytes, per target",
            ),
        };
        report.add(part, time, took, "ns");
        report.add(part, size, bytes as f64 / targets, "B");
    }
}

async fn one_change(
    count: usize,
    scale: Scale,
    hand: &Hand,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let part = hand.part;
    let mut times = Vec::with_capacity(scale.samples);
    let changes: Vec<_> = (0..scale.samples)
        .map(|n| with_origins(&[(n * 7919 % count, n + 1)]))
        .collect();
    let before = Usage::own()?;
    for change in changes {
        let version = snapshots.borrow_and_update().version;
        let timed = Instant::now();
        hand.give(change);
        wait(&mut snapshots, |snapshot| snapshot.version != version).await?;
        times.push(timed.elapsed());
    }
    let cpu = Usage::own()?.cpu_since(&before).as_secs_f64() * 1e6 / times.len() as f64;
    report.add_times(part, "one changed group, to the snapshot", &mut times);
    report.add(part, "one changed group, CPU", cpu, "us");
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

/// Groups by number and revision, each with its origin.
fn with_origins(all: &[(usize, usize)]) -> Vec<(Arc<TargetGroup>, Arc<dyn GroupOrigin>)> {
    let all = all.iter().map(|(number, revision)| {
        let origin = Origin {
            number: *number as u32,
            revision: *revision as u32,
        };
        let origin: Arc<dyn GroupOrigin> = Arc::new(origin);
        (group(*number, *revision), origin)
    });
    all.collect()
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

// === impl Origin ===

impl GroupOrigin for Origin {
    fn derive(&self) -> TargetGroup {
        let group = group(self.number as usize, self.revision as usize);
        Arc::unwrap_or_clone(group)
    }
}

// === impl Hand ===

impl Hand {
    fn give(&self, groups: Vec<(Arc<TargetGroup>, Arc<dyn GroupOrigin>)>) {
        if self.is_derived {
            self.updates.apply_derived(groups);
        } else {
            self.updates
                .apply_all(groups.into_iter().map(|(group, _)| group));
        }
    }
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
