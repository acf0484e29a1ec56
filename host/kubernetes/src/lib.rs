//! `kubernetes_sd_configs`: follows objects of Kubernetes API servers and makes target groups of
//! them, label for label as Prometheus.
//!
//! This crate owns the connections to API servers, the list/watch driver, the watches that
//! providers share, the packed records of objects and the roles. It knows nothing of jobs,
//! relabeling, fronts or plugins: what it finds goes to [`periplus_discovery::Updates`].
//!
//! ```text
//! connect --> Api --bytes--> frame --objects--> driver --records--> shared --changes--> view --groups--> Updates
//! (kube:      (requests,     (splits lists      (state machine,     (one watch for      (one per
//!  TLS, auth)  bodies)        and watches)       store, back-off)    all who need it)    provider: joins)
//! ```
//!
//! kube opens the connection and nothing more: no full object is ever built, since one Pod of
//! 8.6 KB takes some 90 KB in kube's types and under 1 KB as a record.

mod api;
mod clusters;
mod connect;
mod driver;
mod follower;
mod frame;
mod labels;
mod mechanism;
mod metrics;
mod progress;
mod provider;
mod record;
mod resource;
mod selector;
mod shared;
mod view;
mod wanted;
mod wire;

pub use mechanism::{KubernetesMechanism, KubernetesOptions};
pub use metrics::KubernetesMetrics;
