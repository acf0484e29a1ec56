//! The fronts over a real manager, without sockets but for the tests of the listener.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod api;
mod conditional;
mod explain;
mod files;
mod freeze;
mod gzip;
mod health;
mod listener;
mod lists;
mod mads;
mod metrics;
mod otel;
mod pages;
mod parts;
mod refresh;
mod reload;
mod support;
mod watch;
mod web;
