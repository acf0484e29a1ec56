//! Every metric of this crate.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::driver::state::WatchEnd;

/// The metrics of all Kubernetes providers of this process. Cheap to clone.
///
/// | name | labels | meaning |
/// |---|---|---|
/// | `prometheus_sd_kubernetes_events_total` | `role`, `event` (`add`, `update`, `delete`) | objects seen new, seen again, and gone; as Prometheus |
/// | `prometheus_sd_kubernetes_failures_total` | | failed list and watch requests; as Prometheus |
/// | `prometheus_sd_kubernetes_http_request_total` | `status_code` (`<error>` without an answer) | requests to API servers; as Prometheus |
/// | `periplus_kubernetes_unchanged_total` | `role` | objects that came again without a difference that matters |
/// | `periplus_kubernetes_rejected_total` | `role` | objects and lines that could not be read and were skipped |
/// | `periplus_kubernetes_lists_total` | `role` | complete lists that were begun |
/// | `periplus_kubernetes_streams_total` | `role` | complete states that were asked for as a stream |
/// | `periplus_kubernetes_derived_groups_total` | `role` (also `resource`) | groups that were made or made again |
/// | `periplus_kubernetes_watches` | `role` | watches that run now, whatever the number of their readers |
/// | `periplus_kubernetes_watch_ends_total` | `reason` | watches that ended |
///
/// Every label has a fixed set of values: cardinality does not grow with clusters.
#[derive(Clone, Debug, Default)]
pub struct KubernetesMetrics {
    events: Family<EventLabels, Counter>,
    failures: Counter,
    requests: Family<StatusLabels, Counter>,
    unchanged: Family<RoleLabels, Counter>,
    rejected: Family<RoleLabels, Counter>,
    lists: Family<RoleLabels, Counter>,
    streams: Family<RoleLabels, Counter>,
    derived_groups: Family<RoleLabels, Counter>,
    watches: Family<RoleLabels, Gauge>,
    watch_ends: Family<ReasonLabels, Counter>,
}

/// A watch that runs; it is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct RunningWatch(Gauge);

/// Counts the objects of one role.
#[derive(Clone, Debug)]
pub(crate) struct ObjectMetrics {
    added: Counter,
    updated: Counter,
    deleted: Counter,
    unchanged: Counter,
    rejected: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    role: &'static str,
    event: EventKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabels {
    role: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status_code: StatusCode,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EventKind {
    /// It is new.
    Add,
    /// It was known.
    Update,
    /// It is gone.
    Delete,
}

/// The status of an answer; `None` if there was none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct StatusCode(Option<u16>);

// === impl KubernetesMetrics ===

impl KubernetesMetrics {
    /// Makes the metrics and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for role in [
            "node",
            "pod",
            "service",
            "endpoints",
            "endpointslice",
            "ingress",
        ] {
            for event in [EventKind::Add, EventKind::Update, EventKind::Delete] {
                drop(metrics.events.get_or_create(&EventLabels { role, event }));
            }
        }
        registry.register(
            "prometheus_sd_kubernetes_events",
            "The number of Kubernetes events handled",
            metrics.events.clone(),
        );
        registry.register(
            "prometheus_sd_kubernetes_failures",
            "The number of failed WATCH/LIST requests",
            metrics.failures.clone(),
        );
        registry.register(
            "prometheus_sd_kubernetes_http_request",
            "Total number of HTTP requests to the Kubernetes API by status code",
            metrics.requests.clone(),
        );
        registry.register(
            "periplus_kubernetes_unchanged",
            "Objects that came again without a difference that matters",
            metrics.unchanged.clone(),
        );
        registry.register(
            "periplus_kubernetes_rejected",
            "Objects and lines that could not be read and were skipped",
            metrics.rejected.clone(),
        );
        registry.register(
            "periplus_kubernetes_lists",
            "Complete lists that were begun",
            metrics.lists.clone(),
        );
        registry.register(
            "periplus_kubernetes_streams",
            "Complete states that were asked for as a stream",
            metrics.streams.clone(),
        );
        registry.register(
            "periplus_kubernetes_derived_groups",
            "Groups that were made or made again",
            metrics.derived_groups.clone(),
        );
        registry.register(
            "periplus_kubernetes_watches",
            "Watches that run now",
            metrics.watches.clone(),
        );
        registry.register(
            "periplus_kubernetes_watch_ends",
            "Watches that ended, by reason",
            metrics.watch_ends.clone(),
        );
        metrics
    }

    /// The counters of the objects of one role, found once: they are counted for each event.
    pub(crate) fn objects(&self, role: &'static str) -> ObjectMetrics {
        let event = |event| {
            let labels = EventLabels { role, event };
            self.events.get_or_create(&labels).clone()
        };
        ObjectMetrics {
            added: event(EventKind::Add),
            updated: event(EventKind::Update),
            deleted: event(EventKind::Delete),
            unchanged: self.unchanged.get_or_create(&RoleLabels { role }).clone(),
            rejected: self.rejected.get_or_create(&RoleLabels { role }).clone(),
        }
    }

    pub(crate) fn failure(&self) {
        self.failures.inc();
    }

    pub(crate) fn request(&self, status_code: Option<u16>) {
        let labels = StatusLabels {
            status_code: StatusCode(status_code),
        };
        self.requests.get_or_create(&labels).inc();
    }

    pub(crate) fn list_began(&self, role: &'static str) {
        self.lists.get_or_create(&RoleLabels { role }).inc();
    }

    pub(crate) fn stream_began(&self, role: &'static str) {
        self.streams.get_or_create(&RoleLabels { role }).inc();
    }

    pub(crate) fn derived_groups(&self, role: &'static str, groups: usize) {
        self.derived_groups
            .get_or_create(&RoleLabels { role })
            .inc_by(groups as u64);
    }

    pub(crate) fn watch_runs(&self, role: &'static str) -> RunningWatch {
        let gauge = self.watches.get_or_create(&RoleLabels { role }).clone();
        gauge.inc();
        RunningWatch(gauge)
    }

    pub(crate) fn watch_ended(&self, end: &WatchEnd) {
        let reason = match end {
            WatchEnd::Closed => "closed",
            WatchEnd::ClosedAtOnce => "closed_at_once",
            WatchEnd::Silent => "silent",
            WatchEnd::NotOpened(_) => "not_opened",
            WatchEnd::Broken(_) => "broken",
            WatchEnd::ErrorEvent(error) if error.is_expired() => "expired",
            WatchEnd::ErrorEvent(_) => "error_event",
            WatchEnd::Rewound => "rewound",
            WatchEnd::Endless => "endless",
        };
        self.watch_ends
            .get_or_create(&ReasonLabels { reason })
            .inc();
    }

    #[cfg(test)]
    pub(crate) fn count(&self, role: &'static str, event: EventKind) -> u64 {
        self.events
            .get_or_create(&EventLabels { role, event })
            .get()
    }

    #[cfg(test)]
    pub(crate) fn rejected_count(&self, role: &'static str) -> u64 {
        self.rejected.get_or_create(&RoleLabels { role }).get()
    }

    #[cfg(test)]
    pub(crate) fn derived_count(&self, role: &'static str) -> u64 {
        let labels = RoleLabels { role };
        self.derived_groups.get_or_create(&labels).get()
    }

    #[cfg(test)]
    pub(crate) fn failure_count(&self) -> u64 {
        self.failures.get()
    }
}

// === impl ObjectMetrics ===

impl ObjectMetrics {
    pub(crate) fn event(&self, event: EventKind) {
        match event {
            EventKind::Add => self.added.inc(),
            EventKind::Update => self.updated.inc(),
            EventKind::Delete => self.deleted.inc(),
        };
    }

    pub(crate) fn unchanged(&self) {
        self.unchanged.inc();
    }

    pub(crate) fn rejected(&self) {
        self.rejected.inc();
    }
}

// === impl RunningWatch ===

impl Drop for RunningWatch {
    fn drop(&mut self) {
        self.0.dec();
    }
}

// === impl EventKind ===

impl EncodeLabelValue for EventKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        let text = match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Delete => "delete",
        };
        text.encode(encoder)
    }
}

// === impl StatusCode ===

impl EncodeLabelValue for StatusCode {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self.0 {
            Some(code) => code.to_string().encode(encoder),
            None => "<error>".encode(encoder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus() {
        let mut registry = Registry::default();
        let metrics = KubernetesMetrics::register(&mut registry);
        let pods = metrics.objects("pod");
        pods.event(EventKind::Add);
        pods.event(EventKind::Delete);
        metrics.failure();
        metrics.request(Some(200));
        metrics.request(None);
        pods.unchanged();
        pods.rejected();
        metrics.list_began("pod");
        metrics.stream_began("pod");
        metrics.derived_groups("pod", 3);
        metrics.watch_ended(&WatchEnd::Silent);
        let _runs = metrics.watch_runs("pod");
        drop(metrics.watch_runs("pod"));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "prometheus_sd_kubernetes_events_total{role=\"pod\",event=\"add\"} 1",
            "prometheus_sd_kubernetes_events_total{role=\"pod\",event=\"update\"} 0",
            "prometheus_sd_kubernetes_events_total{role=\"pod\",event=\"delete\"} 1",
            "prometheus_sd_kubernetes_events_total{role=\"ingress\",event=\"delete\"} 0",
            "prometheus_sd_kubernetes_failures_total 1",
            "prometheus_sd_kubernetes_http_request_total{status_code=\"200\"} 1",
            "prometheus_sd_kubernetes_http_request_total{status_code=\"<error>\"} 1",
            "periplus_kubernetes_unchanged_total{role=\"pod\"} 1",
            "periplus_kubernetes_rejected_total{role=\"pod\"} 1",
            "periplus_kubernetes_lists_total{role=\"pod\"} 1",
            "periplus_kubernetes_streams_total{role=\"pod\"} 1",
            "periplus_kubernetes_derived_groups_total{role=\"pod\"} 3",
            "periplus_kubernetes_watches{role=\"pod\"} 1",
            "periplus_kubernetes_watch_ends_total{reason=\"silent\"} 1",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
