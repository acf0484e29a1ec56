//! Plugins: WebAssembly components that serve mechanisms (providers) or edit targets
//! (transformers).
//!
//! This crate owns the sandbox: loading, compiling, linking, limits, grants, restarts and hot
//! reload. It is the only one that names wasmtime, and no type of wasmtime leaves it. It knows
//! nothing of jobs, pipelines or fronts: a provider is a [`Discoverer`], a transformer a
//! [`Transformer`].
//!
//! ```text
//! file --source--> verified bytes --inspect, compile (cache)--> linked --describe--> Generation
//!                                                                                       |
//!   Discoverer (async store, one call at a time) <--configure------ provider <----------+
//!   Transformer (worker thread, sync store)      <--configure---- transformer <---------+
//! ```
//!
//! [`Discoverer`]: periplus_discovery::Discoverer
//! [`Transformer`]: periplus_discovery::Transformer

mod bindings;
mod cache;
mod compiler;
mod engine;
mod error;
mod files;
mod functions;
mod generation;
mod grants;
mod host;
mod image;
mod inspect;
mod limits;
mod manifest;
mod metrics;
mod names;
mod plugin;
mod presets;
mod provider;
mod publish;
mod schema;
mod secrets;
mod source;
mod store;
mod transformer;
mod watch;

pub use compiler::{ChildCompiler, Compiler, CompilerBounds, compile_as_child};
pub use error::PluginError;
pub use host::{PluginHost, PluginHostOptions};
pub use manifest::{Manifest, Mechanism, TransformerManifest};
pub use metrics::PluginMetrics;
pub use publish::PluginFile;
pub use schema::Problem;
