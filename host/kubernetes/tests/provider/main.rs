//! Providers over real connections, against the stand-in API server.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod clusters;
mod follow;
mod sharing;
mod support;
