//! Providers over real connections, against the stand-in API server.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod clusters;
mod connections;
mod follow;
mod resources;
mod sharing;
mod support;
