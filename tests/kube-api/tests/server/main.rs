//! The stand-in as a client sees it, over real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod access;
mod chaos;
mod client;
mod connections;
mod faults;
mod history;
mod lists;
mod load;
mod metadata;
mod secure;
mod watch_list;
mod watches;
mod writes;
