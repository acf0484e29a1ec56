//! How targets are shared out among OpenTelemetry collectors.

use std::time::Duration;

/// `target_allocator`: who scrapes what, as the target allocator's API tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetAllocator {
    /// How a target finds its collector.
    pub strategy: AllocationStrategy,
    /// What becomes of a target that [`AllocationStrategy::PerNode`] finds no collector for: another
    /// strategy, or nothing, which leaves it out.
    pub fallback: Option<AllocationStrategy>,
    /// The label of a target that names its zone. A target goes to a collector of its zone as long as
    /// there is one.
    pub zone_label: Option<String>,
    /// Where the collectors are known from.
    pub collectors: CollectorSource,
    /// How a target moves from one collector to another without a gap; none to move it at once.
    pub handover: Option<Handover>,
}

/// How a target finds its collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllocationStrategy {
    /// By the hash of its address: no state, the same on every replica.
    #[default]
    ConsistentHashing,
    /// To the collector with the fewest targets by its weight. It stays there: state of one replica.
    LeastWeighted,
    /// To the collector on its node.
    PerNode,
}

/// Where the collectors are known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectorSource {
    /// The configuration lists them.
    List(Vec<Collector>),
    /// Whoever asks is one.
    Requests {
        /// Who has not asked for so long is gone.
        expire_after: Duration,
        /// So long after the start nobody is told anything, so that the first to ask does not get all.
        settle: Duration,
    },
    /// The targets of a job, such as the collectors' own Pods.
    Job(JobCollectors),
}

/// A collector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Collector {
    /// Its `collector_id`.
    pub id: String,
    /// Its share of targets beside the others', 1 to [`Collector::MAX_WEIGHT`].
    pub weight: u32,
    /// The zone that it is in.
    pub zone: Option<String>,
    /// The node that it runs on.
    pub node: Option<String>,
}

/// Which labels of a job's targets say what of the collectors that they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCollectors {
    /// The job, one of the same configuration.
    pub job: String,
    /// The label with the `collector_id`.
    pub id_label: String,
    /// The label with the node.
    pub node_label: String,
    /// The label with the zone; none takes the label that targets have theirs from.
    pub zone_label: Option<String>,
    /// The label with the weight.
    pub weight_label: Option<String>,
}

/// How a target moves without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// What a collector takes at most from an answer to its scrape loops.
    pub reload_tick: Duration,
    /// The old owner is told of a target that moved for no longer than this.
    pub deadline: Duration,
}

// === impl TargetAllocator ===

impl Default for TargetAllocator {
    fn default() -> Self {
        Self {
            strategy: AllocationStrategy::default(),
            fallback: Some(AllocationStrategy::ConsistentHashing),
            zone_label: None,
            collectors: CollectorSource::default(),
            handover: Some(Handover::default()),
        }
    }
}

// === impl AllocationStrategy ===

impl AllocationStrategy {
    /// All strategies with their names.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::ConsistentHashing, "consistent-hashing"),
        (Self::LeastWeighted, "least-weighted"),
        (Self::PerNode, "per-node"),
    ];

    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

// === impl CollectorSource ===

impl CollectorSource {
    /// Four times a collector asks in it.
    pub const DEFAULT_EXPIRE_AFTER: Duration = Duration::from_mins(2);
    /// A collector asks every 30 s unless told otherwise.
    pub const DEFAULT_SETTLE: Duration = Duration::from_secs(35);
}

impl Default for CollectorSource {
    fn default() -> Self {
        Self::Requests {
            expire_after: Self::DEFAULT_EXPIRE_AFTER,
            settle: Self::DEFAULT_SETTLE,
        }
    }
}

// === impl Collector ===

impl Collector {
    /// The largest weight.
    pub const MAX_WEIGHT: u32 = 100;

    /// A collector of weight 1 of which nothing else is known.
    #[must_use]
    pub fn named(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            weight: 1,
            zone: None,
            node: None,
        }
    }
}

// === impl Handover ===

impl Default for Handover {
    /// Discovery and scraping of a collector each look for changes every 5 s.
    fn default() -> Self {
        Self {
            reload_tick: Duration::from_secs(10),
            deadline: Duration::from_mins(5),
        }
    }
}
