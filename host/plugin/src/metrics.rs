//! Every metric of this crate. Cardinality: one series per configured plugin, times a few kinds.
//!
//! | metric | meaning |
//! |---|---|
//! | `periplus_plugin_calls_total{plugin,call}` | calls of `configure`, `refresh` and `transform` |
//! | `periplus_plugin_call_failures_total{plugin,kind}` | calls without a good answer: `unavailable`, `refused`, `trap`, `cpu`, `wall`, `memory`, `output` |
//! | `periplus_plugin_cpu_seconds_total{plugin}` | CPU time in guests, host functions included |
//! | `periplus_plugin_call_seconds{plugin}` | wall time of calls |
//! | `periplus_plugin_memory_peak_bytes{plugin}` | the most linear memory of the last finished call's store |
//! | `periplus_plugin_instances{plugin}` | stores that exist now |
//! | `periplus_plugin_reloads_total{plugin,outcome}` | changed files: `taken`, `refused` |
//! | `periplus_plugin_log_lines_dropped_total{plugin}` | lines past the rate |

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// All plugins' metrics.
#[derive(Clone, Debug)]
pub struct PluginMetrics {
    calls: Family<CallLabels, Counter>,
    failures: Family<KindLabels, Counter>,
    cpu: Family<PluginLabels, Counter<f64, AtomicU64>>,
    seconds: Family<PluginLabels, Histogram, fn() -> Histogram>,
    memory: Family<PluginLabels, Gauge>,
    instances: Family<PluginLabels, Gauge>,
    reloads: Family<OutcomeLabels, Counter>,
    log_dropped: Family<PluginLabels, Counter>,
}

/// One plugin's.
#[derive(Clone)]
pub(crate) struct PluginMeters {
    plugin: Arc<str>,
    all: PluginMetrics,
    pub(crate) log_dropped: Counter,
    totals: Arc<Totals>,
}

/// What a plugin's status shows.
#[derive(Default)]
struct Totals {
    calls: AtomicU64,
    traps: AtomicU64,
    instances: AtomicU64,
}

/// Counts an instance for as long as it exists.
pub(crate) struct InstanceGuard(PluginMeters);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabels {
    plugin: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    plugin: String,
    call: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    plugin: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    plugin: String,
    outcome: &'static str,
}

// === impl PluginMetrics ===

impl PluginMetrics {
    pub(crate) fn new() -> Self {
        Self {
            calls: Family::default(),
            failures: Family::default(),
            cpu: Family::default(),
            // From 0.1 ms to 7 minutes: a call may wait for a slow source.
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.000_1, 4.0, 12))
            }),
            memory: Family::default(),
            instances: Family::default(),
            reloads: Family::default(),
            log_dropped: Family::default(),
        }
    }

    /// Puts all metrics into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("periplus_plugin");
        registry.register("calls", "Calls into plugins", self.calls.clone());
        registry.register(
            "call_failures",
            "Calls into plugins without a good answer",
            self.failures.clone(),
        );
        registry.register_with_unit(
            "cpu",
            "CPU time in plugins",
            Unit::Seconds,
            self.cpu.clone(),
        );
        registry.register_with_unit(
            "call",
            "Wall time of calls into plugins",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register_with_unit(
            "memory_peak",
            "The most linear memory of the store that finished a call last",
            Unit::Bytes,
            self.memory.clone(),
        );
        registry.register(
            "instances",
            "Instances that exist now",
            self.instances.clone(),
        );
        registry.register("reloads", "Changed files of plugins", self.reloads.clone());
        registry.register(
            "log_lines_dropped",
            "Log lines of plugins past their rate",
            self.log_dropped.clone(),
        );
    }

    pub(crate) fn plugin(&self, plugin: &Arc<str>) -> PluginMeters {
        let labels = PluginLabels {
            plugin: plugin.to_string(),
        };
        PluginMeters {
            plugin: Arc::clone(plugin),
            all: self.clone(),
            log_dropped: self.log_dropped.get_or_create_owned(&labels),
            totals: Arc::default(),
        }
    }
}

// === impl PluginMeters ===

impl PluginMeters {
    fn labels(&self) -> PluginLabels {
        PluginLabels {
            plugin: self.plugin.to_string(),
        }
    }

    /// A call that ended, however it did.
    pub(crate) fn called(&self, call: &'static str, cpu: Duration, wall: Duration, memory: usize) {
        let labels = self.labels();
        self.totals.calls.fetch_add(1, Ordering::Relaxed);
        let calls = CallLabels {
            plugin: self.plugin.to_string(),
            call,
        };
        self.all.calls.get_or_create(&calls).inc();
        self.all
            .cpu
            .get_or_create(&labels)
            .inc_by(cpu.as_secs_f64());
        self.all
            .seconds
            .get_or_create(&labels)
            .observe(wall.as_secs_f64());
        self.all.memory.get_or_create(&labels).set(memory as i64);
    }

    /// A call without a good answer; `lost` if the store went with it.
    pub(crate) fn failed(&self, kind: &'static str, lost: bool) {
        if lost {
            self.totals.traps.fetch_add(1, Ordering::Relaxed);
        }
        let labels = KindLabels {
            plugin: self.plugin.to_string(),
            kind,
        };
        self.all.failures.get_or_create(&labels).inc();
    }

    /// A changed file that was taken or not.
    pub(crate) fn reloaded(&self, taken: bool) {
        let outcome = if taken { "taken" } else { "refused" };
        let labels = OutcomeLabels {
            plugin: self.plugin.to_string(),
            outcome,
        };
        self.all.reloads.get_or_create(&labels).inc();
    }

    /// Counts a new instance until the guard is dropped.
    pub(crate) fn instance(&self) -> InstanceGuard {
        self.totals.instances.fetch_add(1, Ordering::Relaxed);
        self.all.instances.get_or_create(&self.labels()).inc();
        InstanceGuard(self.clone())
    }

    pub(crate) fn calls(&self) -> u64 {
        self.totals.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn traps(&self) -> u64 {
        self.totals.traps.load(Ordering::Relaxed)
    }

    pub(crate) fn instances(&self) -> usize {
        self.totals.instances.load(Ordering::Relaxed) as usize
    }
}

impl Drop for InstanceGuard {
    fn drop(&mut self) {
        self.0.totals.instances.fetch_sub(1, Ordering::Relaxed);
        self.0.all.instances.get_or_create(&self.0.labels()).dec();
    }
}
