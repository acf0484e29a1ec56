//! Real components in the real host: what works, and what a hostile plugin can do, which is
//! nothing but cost itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "plugins/lab.rs"]
mod lab;
#[path = "plugins/loading.rs"]
mod loading;
#[path = "plugins/providers.rs"]
mod providers;
#[path = "plugins/reload.rs"]
mod reload;
#[path = "plugins/shipped.rs"]
mod shipped;
#[path = "plugins/transformers.rs"]
mod transformers;
