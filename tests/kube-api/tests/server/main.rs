//! The stand-in as a client sees it, over real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod access;
mod client;
mod faults;
mod lists;
mod load;
mod metadata;
mod watch_list;
mod watches;
mod writes;
