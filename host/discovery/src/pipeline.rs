//! A job's pipeline: one task per generation of the job's configuration.
//!
//! ```text
//! Feed of each section --changed groups--> Chain (transformers) --> relabeling --> Results
//!                                                      (collapse of equal targets) --> Publisher
//! ```
//!
//! A reload that changes a job begins a new generation beside the running one. The running one goes
//! on with its old rules and providers until the new one is complete; then the new one publishes,
//! and that ends the old one.

mod chain;
mod collapse;
mod feed;
mod generation;
mod publisher;
mod relabeling;
mod results;
mod stays;

pub(crate) use chain::{Chain, Link};
pub(crate) use feed::{Feed, FeedSender, Known};
pub(crate) use generation::Generation;
pub(crate) use publisher::Publisher;
