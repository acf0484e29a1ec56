//! Fronts: the HTTP side of Periplus, through which scrapers read targets and people look inside.
//!
//! This crate owns routes, formats, negotiation and the listener. It reads snapshots and statuses
//! through types of `periplus_discovery` and changes nothing but by asking for a reload. It must
//! not know kube, wasmtime, the configuration file's format, or where a target comes from.
//!
//! ```text
//! Directory --Snapshot--> BodyCache (plain), ViewCache (gzip, parts) --(ETag)--> GET /sd/{job}
//!          \--Follow--> POST /mads/{job}/v3/... and GET /api/v1/watch/{job}
//!          \--> files for file_sd
//!          \--statuses--> /api/v1/..., /-/ready, pages        reload <-- POST /-/reload (admin)
//! ```
//!
//! `web` holds readers to a web configuration file (TLS, passwords) before any route is asked.
//!
//! A new front is a file of its own here and a line in `router.rs`.

mod admin;
mod api;
mod body;
mod browse;
mod conditional;
mod encoding;
mod error;
mod files;
mod follow;
mod freeze;
mod guard;
mod health;
mod jobs;
mod mads;
mod metrics;
mod otel;
mod readings;
mod refresh;
mod reload;
mod router;
mod sd;
mod segments;
mod server;
mod state;
mod ui;
mod views;
mod watch;
mod web;

pub use files::{FileFormat, SdFiles, write_files};
pub use metrics::ServeMetrics;
pub use otel::{AllocatorSettings, ClientCertificate, OtelFront};
pub use reload::{ReloadHandle, ReloadRequest, reload_channel};
pub use router::{Routes, router, routes};
pub use server::{ServeLimits, serve, serve_secured, serve_with};
pub use state::{About, ServeState};
pub use web::{WebConfig, WebConfigError};
