//! Discovery as its users see it: configurations in, snapshots out.

mod collapse;
mod file;
mod manager;
mod metrics;
mod pipeline;
mod readiness;
mod reload;
mod render;
mod support;
mod updates;
