//! Every metric of this crate. `prometheus_sd_*` where Prometheus has a metric of the same
//! meaning, `periplus_*` for the rest.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use periplus_config::Job;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::recent::Recent;
use crate::state::Stale;

/// From a hundred microseconds to ten seconds.
const LATENCIES: [f64; 13] = [
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

/// The metrics of discovery. Cheap to clone; the default counts without being shown anywhere.
#[derive(Clone, Debug, Default)]
pub struct DiscoveryMetrics {
    /// `prometheus_sd_failed_configs`: sections and transformers that the last reload could not make.
    pub(crate) failed_configs: Gauge,
    /// `prometheus_sd_discovered_targets`: targets of a job before its pipeline.
    pub(crate) discovered_targets: Family<ConfigLabel, Gauge>,
    /// `prometheus_sd_received_updates_total`: times that a provider delivered.
    pub(crate) received_updates: Counter,
    /// `prometheus_sd_updates_delayed_total`: passes that waited because the last one was dear.
    pub(crate) delayed_updates: Counter,
    /// `prometheus_sd_updates_total`: snapshots published.
    pub(crate) updates: Counter,
    /// `prometheus_sd_last_update_timestamp_seconds`: when a job's last snapshot was published.
    pub(crate) last_update: Family<ConfigLabel, Gauge<f64, AtomicU64>>,
    /// `prometheus_sd_file_read_errors_total`: files that could not be read or understood.
    pub(crate) file_read_errors: Counter,
    /// `prometheus_sd_file_watcher_errors_total`: failures of file watching.
    pub(crate) file_watcher_errors: Counter,
    /// `prometheus_sd_file_scan_duration_seconds`: time to read all files of a section.
    pub(crate) file_scan_duration: Latency,
    /// `prometheus_sd_file_mtime_seconds`: modification time of each file when it was read.
    pub(crate) file_mtime: Family<FileLabel, Gauge<f64, AtomicU64>>,
    /// `prometheus_sd_http_failures_total`: refreshes of `http_sd` that failed.
    pub(crate) http_failures: Counter,
    /// `prometheus_sd_refresh_failures_total`: refreshes that failed, of mechanisms that poll.
    pub(crate) refresh_failures: Family<MechanismLabel, Counter>,
    /// `prometheus_sd_refresh_duration_histogram_seconds`: time that a refresh took.
    pub(crate) refresh_duration: LatencyByMechanism,
    /// `periplus_discovery_providers`: providers that run.
    pub(crate) providers: Family<MechanismLabel, Gauge>,
    /// `periplus_discovery_suppressed_groups_total`: groups that came again without a change.
    pub(crate) suppressed_groups: Family<MechanismLabel, Counter>,
    /// `periplus_discovery_publish_latency_seconds`: from a source's event to the snapshot.
    pub(crate) publish_latency: LatencyByMechanism,
    /// `periplus_pipeline_pass_duration_seconds`: time that one pass took, transformers included.
    pub(crate) pass_duration: Latency,
    /// `periplus_pipeline_transform_failures_total`: calls of transformers that failed.
    pub(crate) transform_failures: Family<TransformerLabels, Counter>,
    /// `periplus_pipeline_relabelled_targets_total`: targets that went through the rules; a changed
    /// group's other targets do not.
    pub(crate) relabelled_targets: Counter,
    /// `periplus_discovery_final_targets`: targets of a job after relabeling, copies left out.
    pub(crate) final_targets: Family<ConfigLabel, Gauge>,
    /// `periplus_discovery_over_target_limit`: of jobs with a `target_limit`, whether they have more
    /// targets than that, so that the scraper refuses them all.
    pub(crate) over_limit: Family<ConfigLabel, Gauge>,
    /// `periplus_discovery_stale_since_timestamp_seconds`: for jobs with targets from disk, when these
    /// were last good.
    pub(crate) stale_since: Family<ConfigLabel, Gauge<f64, AtomicU64>>,
    /// `periplus_discovery_state_write_failures_total`: last known good states that could not be written.
    pub(crate) state_failures: Counter,
    /// `periplus_discovery_restored_groups_total`: groups that a start took from disk.
    pub(crate) restored_groups: Family<MechanismLabel, Counter>,
    /// `periplus_pipeline_refused_labels_total`: labels without a name, left out of what is served.
    pub(crate) refused_labels: Counter,
    /// What was published of late; shown to people, and no metric.
    pub(crate) recent: Arc<Recent>,
}

/// The job, under the name that Prometheus has for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ConfigLabel {
    pub(crate) config: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct MechanismLabel {
    pub(crate) mechanism: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FileLabel {
    pub(crate) filename: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TransformerLabels {
    pub(crate) job: String,
    pub(crate) plugin: String,
}

/// A histogram with the buckets of latencies.
#[derive(Clone, Debug)]
pub(crate) struct Latency(pub(crate) Histogram);

/// Histograms with the buckets of latencies.
#[derive(Clone, Debug)]
pub(crate) struct LatencyByMechanism(pub(crate) Family<MechanismLabel, Histogram, LatencyBuckets>);

/// Makes histograms with the buckets of latencies.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatencyBuckets;

// === impl DiscoveryMetrics ===

impl DiscoveryMetrics {
    /// Metrics that `registry` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics.register_upstream(registry);
        metrics.register_own(registry);
        metrics
    }

    fn register_upstream(&self, registry: &mut Registry) {
        registry.register(
            "prometheus_sd_file_read_errors",
            "The number of File-SD read errors",
            self.file_read_errors.clone(),
        );
        registry.register(
            "prometheus_sd_file_watcher_errors",
            "The number of File-SD errors caused by filesystem watch failures",
            self.file_watcher_errors.clone(),
        );
        registry.register(
            "prometheus_sd_file_scan_duration_seconds",
            "The duration of the File-SD scan in seconds",
            self.file_scan_duration.0.clone(),
        );
        registry.register(
            "prometheus_sd_file_mtime_seconds",
            "Timestamp (mtime) of files read by FileSD. Timestamp is set at read time",
            self.file_mtime.clone(),
        );
        registry.register(
            "prometheus_sd_http_failures",
            "Number of HTTP service discovery refresh failures",
            self.http_failures.clone(),
        );
        registry.register(
            "prometheus_sd_refresh_failures",
            "Number of refresh failures for the given SD mechanism",
            self.refresh_failures.clone(),
        );
        registry.register(
            "prometheus_sd_refresh_duration_histogram_seconds",
            "The duration of a refresh for the given SD mechanism",
            self.refresh_duration.0.clone(),
        );
        // Prometheus has one manager for scraping and one for alertmanagers.
        let named = registry.sub_registry_with_label(("name".into(), "scrape".into()));
        named.register(
            "prometheus_sd_failed_configs",
            "Current number of service discovery configurations that failed to load",
            self.failed_configs.clone(),
        );
        named.register(
            "prometheus_sd_discovered_targets",
            "Current number of discovered targets",
            self.discovered_targets.clone(),
        );
        named.register(
            "prometheus_sd_received_updates",
            "Total number of update events received from the SD providers",
            self.received_updates.clone(),
        );
        named.register(
            "prometheus_sd_updates_delayed",
            "Total number of update events that couldn't be sent immediately",
            self.delayed_updates.clone(),
        );
        named.register(
            "prometheus_sd_updates",
            "Total number of update events sent to the SD consumers",
            self.updates.clone(),
        );
        named.register(
            "prometheus_sd_last_update_timestamp_seconds",
            "Timestamp of the last update sent to the SD consumers",
            self.last_update.clone(),
        );
    }

    fn register_own(&self, registry: &mut Registry) {
        registry.register(
            "periplus_discovery_providers",
            "Providers that run",
            self.providers.clone(),
        );
        registry.register(
            "periplus_discovery_suppressed_groups",
            "Target groups that a provider delivered again without a change",
            self.suppressed_groups.clone(),
        );
        registry.register(
            "periplus_discovery_final_targets",
            "Targets of a job after relabeling, copies left out",
            self.final_targets.clone(),
        );
        registry.register(
            "periplus_discovery_over_target_limit",
            "Whether a job has more targets than its target_limit, which the scraper refuses",
            self.over_limit.clone(),
        );
        registry.register(
            "periplus_discovery_stale_since_timestamp_seconds",
            "When the targets of a job were last good that come from disk and are not confirmed yet",
            self.stale_since.clone(),
        );
        registry.register(
            "periplus_discovery_state_write_failures",
            "Last known good states of sections that could not be written to disk",
            self.state_failures.clone(),
        );
        registry.register(
            "periplus_discovery_restored_groups",
            "Target groups that were taken from the last known good state on disk",
            self.restored_groups.clone(),
        );
        registry.register(
            "periplus_discovery_publish_latency_seconds",
            "Time from an event of a source to the snapshot that shows it, per pass and provider",
            self.publish_latency.0.clone(),
        );
        registry.register(
            "periplus_pipeline_pass_duration_seconds",
            "Time that one pass of a job's pipeline took, transformers included",
            self.pass_duration.0.clone(),
        );
        registry.register(
            "periplus_pipeline_transform_failures",
            "Calls of transformers that failed",
            self.transform_failures.clone(),
        );
        registry.register(
            "periplus_pipeline_relabelled_targets",
            "Targets that went through the rules of a job",
            self.relabelled_targets.clone(),
        );
        registry.register(
            "periplus_pipeline_refused_labels",
            "Labels without a name that were left out, since one of them spoils a whole list",
            self.refused_labels.clone(),
        );
    }

    /// A snapshot of a job was published, with so many targets before and after the pipeline.
    pub(crate) fn published(
        &self,
        job: &Job,
        (targets, standing): (usize, usize),
        stale: Option<Stale>,
    ) {
        let label = ConfigLabel {
            config: job.name.clone(),
        };
        let shown = self.final_targets.get_or_create(&label);
        shown.set(standing as i64);
        if job.limits.targets > 0 {
            let over = self.over_limit.get_or_create(&label);
            over.set(i64::from(standing as u64 > job.limits.targets));
        } else {
            self.over_limit.remove(&label);
        }
        self.discovered_targets
            .get_or_create(&label)
            .set(targets as i64);
        let now = self.last_update.get_or_create(&label);
        now.set(seconds(SystemTime::now()));
        match stale {
            Some(Stale { since, .. }) => {
                let gauge = self.stale_since.get_or_create(&label);
                gauge.set(seconds(since));
            }
            None => _ = self.stale_since.remove(&label),
        }
        self.updates.inc();
    }

    /// A job is gone.
    pub(crate) fn forget_job(&self, job: &str) {
        let label = ConfigLabel {
            config: job.to_owned(),
        };
        self.discovered_targets.remove(&label);
        self.last_update.remove(&label);
        self.stale_since.remove(&label);
        self.final_targets.remove(&label);
        self.over_limit.remove(&label);
    }
}

fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

// === impl MechanismLabel ===

impl MechanismLabel {
    pub(crate) fn new(mechanism: &str) -> Self {
        Self {
            mechanism: mechanism.to_owned(),
        }
    }
}

// === impl Latency ===

impl Default for Latency {
    fn default() -> Self {
        Self(LatencyBuckets.new_metric())
    }
}

impl Default for LatencyByMechanism {
    fn default() -> Self {
        Self(Family::new_with_constructor(LatencyBuckets))
    }
}

impl MetricConstructor<Histogram> for LatencyBuckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(LATENCIES)
    }
}
