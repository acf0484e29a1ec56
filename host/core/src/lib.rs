//! The domain of Periplus: labels, target groups, relabeling, Prometheus' regular expressions,
//! durations and content hashes.
//!
//! This crate owns what a target *is* and what a job's rules do to it. It knows nothing of tokio,
//! Kubernetes, WebAssembly, HTTP or YAML; every other crate builds on it.
//!
//! ```text
//! TargetGroup --merge--> LabelSet (discovered) --Relabeler--> LabelSet (final)
//! ```

pub mod duration;
pub mod group;
pub mod hash;
pub mod label;
pub mod name;
mod quote;
pub mod regex;
pub mod relabel;
pub mod selector;
pub mod target;
mod unicode;

pub use duration::PromDuration;
pub use group::TargetGroup;
pub use hash::ContentHash;
pub use label::{LabelBuilder, LabelSet};
pub use quote::quote;
pub use selector::{Selector, SelectorError};
