//! What the allocator measures.
//!
//! | metric | meaning |
//! |---|---|
//! | `periplus_allocator_collectors` | collectors that take part |
//! | `periplus_allocator_targets_assigned` | targets, by address and job, that have an owner |
//! | `periplus_allocator_targets_unassigned` | those that nobody may have |
//! | `periplus_allocator_targets_moving` | those of which two collectors are told, since they move |

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::allocator::Totals;

/// The allocator's metrics. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllocatorMetrics {
    collectors: Gauge,
    assigned: Gauge,
    unassigned: Gauge,
    moving: Gauge,
}

// === impl AllocatorMetrics ===

impl AllocatorMetrics {
    /// Makes the metrics and registers them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let gauges = [
            (
                "collectors",
                "Collectors among which targets are shared",
                &metrics.collectors,
            ),
            (
                "targets_assigned",
                "Targets that a collector owns",
                &metrics.assigned,
            ),
            (
                "targets_unassigned",
                "Targets that no collector may have",
                &metrics.unassigned,
            ),
            (
                "targets_moving",
                "Targets that two collectors are told of, since they move",
                &metrics.moving,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(format!("periplus_allocator_{name}"), help, gauge.clone());
        }
        metrics
    }

    pub(super) fn set(&self, totals: &Totals) {
        let set = |gauge: &Gauge, number: usize| {
            gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
        };
        set(&self.collectors, totals.collectors);
        set(&self.assigned, totals.assigned);
        set(&self.unassigned, totals.unassigned);
        set(&self.moving, totals.moving);
    }
}
