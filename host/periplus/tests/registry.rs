//! Plugins in a real registry: `make e2e-oci`. One module per theme; [`lab`] has the registry.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "registry/distribution.rs"]
mod distribution;
#[path = "registry/host.rs"]
mod host;
#[path = "registry/lab.rs"]
mod lab;
#[path = "binary/running.rs"]
#[allow(dead_code, reason = "the tests of the binary use the rest of it")]
mod running;
