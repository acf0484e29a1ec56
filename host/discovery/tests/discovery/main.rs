//! Discovery as its users see it: configurations in, snapshots out.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod collapse;
mod file;
mod http;
mod manager;
mod metrics;
mod partial;
mod pipeline;
mod readiness;
mod reload;
mod render;
mod state;
mod support;
mod targets;
mod updates;
