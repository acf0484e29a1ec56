//! Discovery: providers, the manager that owns them, and the pipelines that turn what they find
//! into final targets.
//!
//! This crate owns the traits behind which sources and transformers live, the state of every
//! provider and job, and the snapshots that fronts read. It knows neither kube nor wasmtime nor
//! any front: the binary hands it a [`Mechanisms`], fronts read a [`Directory`].
//!
//! ```text
//! Discoverer --Updates (pending map, last state wins)--> Manager --changed groups--> pipeline of
//!   each job (transformers, relabeling, collapse) --watch--> Snapshot --segment--> fronts
//! ```

mod body;
mod discovered;
pub mod discoverer;
mod group;
pub mod manager;
pub mod metrics;
pub mod native;
mod pipeline;
pub mod readiness;
mod recent;
mod render;
mod shard;
mod snapshot;
mod state;
pub mod status;
mod targets;
pub mod updates;
mod view;

pub use body::BodyPieces;
pub use discovered::{Discovered, GroupOrigin};
pub use discoverer::{Discoverer, Mechanisms, TransformError, Transformer};
pub use group::{GroupKey, GroupResult, Stage, TargetResult};
pub use manager::{ApplyReport, Manager, ManagerHandle, ManagerOptions};
pub use metrics::DiscoveryMetrics;
pub use readiness::{Readiness, readiness};
pub use recent::Span;
pub use render::FinalForm;
pub use shard::{Shard, ShardError};
pub use snapshot::{Directory, JobHandle, Snapshot};
pub use state::{Stale, StateDir};
pub use status::{PluginStatus, PluginStatuses, ProviderState, ProviderStatus, RefreshError};
pub use targets::StagedTarget;
pub use updates::{Updates, UpdatesProbe};
pub use view::{Names, View};
