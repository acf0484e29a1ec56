//! Plugins in a real registry: `make e2e-oci`. One module per theme; [`lab`] has the registry.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "registry/distribution.rs"]
mod distribution;
#[path = "registry/lab.rs"]
mod lab;
