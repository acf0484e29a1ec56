//! Guest SDK: what a plugin author writes against, in place of the raw contract in `wit/`.
//!
//! Owns the traits [`Provider`] and [`Transformer`], the macros that export them as a component, the manifest, and
//! safe access to what the host offers ([`http`], [`files`], [`dns`], [`log`]). It must not know any mechanism.
//!
//! ```text
//! host --configure(JSON)--> parse, with JSON pointers in problems --> Provider::configure
//! host --refresh----------> Provider::refresh --> Update (groups, lapses)          --> host
//! host --transform(batch)-> Batch of Rows     --> Transformer::edit (once per row) --> edits
//! ```
//!
//! Only `component` and the crates under `bindings/` are specific to WebAssembly. On any other target the host is a
//! fake, of the module `testing`, so that a plugin's tests are plain `cargo test`.
//!
//! A whole provider, in a crate of its own with `crate-type = ["cdylib"]`:
//! ```
//! use periplus_sdk::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Config {
//!     /// Where the list of hosts is.
//!     url: String,
//! }
//!
//! struct Hosts(Config);
//!
//! impl Provider for Hosts {
//!     type Config = Config;
//!
//!     fn configure(_mechanism: &str, config: Config) -> Result<Self, Vec<Problem>> {
//!         Ok(Self(config))
//!     }
//!
//!     fn refresh(&mut self, _full: bool) -> Result<Update, Unavailable> {
//!         let hosts: Vec<String> = http::get(&self.0.url)?.json(&self.0.url)?;
//!         let group = |host: &String| Group::new(host).target(format!("{host}:9100"));
//!         Ok(Update::complete(hosts.iter().map(group)))
//!     }
//! }
//!
//! export_provider!(Hosts, manifest!().mechanism::<Config>("hosts"));
//! # fn main() {}
//! ```

mod batch;
mod config;
pub mod dns;
mod edits;
mod failure;
pub mod files;
pub mod http;
pub mod log;
mod manifest;
mod provider;
mod transformer;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod component;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use batch::{Batch, Row};
pub use config::Problem;
pub use edits::{Edit, Edits};
pub use failure::{Failure, FailureKind};
pub use manifest::Manifest;
pub use provider::{Group, Lapse, Provider, Target, Unavailable, Update};
pub use schemars;
pub use serde_json;
pub use transformer::{Interest, Transformer};

/// What most plugins need: `use periplus_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Edits, Failure, FailureKind, Group, Interest, Manifest, Problem, Provider, Row, Target,
        Transformer, Unavailable, Update, dns, export_provider, export_transformer, files, http,
        manifest,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
}

/// Makes this crate a provider plugin: `export_provider!(Type, manifest!().mechanism::<Config>("name"));`.
///
/// The second argument is an expression that gives the [`Manifest`]. Once per crate, which must be a `cdylib`. Also
/// defines `periplus_manifest()`, for the crate's tests.
#[macro_export]
macro_rules! export_provider {
    ($provider:ty, $manifest:expr $(,)?) => {
        $crate::__manifest_function!($manifest);

        // So that the compiler knows it to be in use where nothing is exported.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Manifest = $crate::testing::provider_in_use::<$provider>(periplus_manifest);

        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::component::provider::exports::periplus::discovery as exports;

            ::std::thread_local! {
                static INSTANCE: $crate::component::Slot<$provider> = const { $crate::component::Slot::empty() };
            }
            struct Component;

            impl exports::plugin::Guest for Component {
                fn describe() -> String {
                    periplus_manifest().to_json()
                }
            }

            impl exports::provider::Guest for Component {
                fn configure(
                    mechanism: String,
                    config: String,
                ) -> Result<(), Vec<exports::provider::Problem>> {
                    INSTANCE.with(|slot| slot.configure_provider(&mechanism, &config))
                }

                fn refresh(
                    full: bool,
                ) -> Result<exports::provider::Update, exports::provider::Unavailable> {
                    INSTANCE.with(|slot| slot.refresh(full))
                }
            }

            $crate::component::provider::export_provider_world!(
                Component with_types_in $crate::component::provider
            );
        };
    };
}

/// Makes this crate a transformer plugin: `export_transformer!(Type, manifest!().transformer::<Config>());`.
///
/// The second argument is an expression that gives the [`Manifest`]. Once per crate, which must be a `cdylib`. Also
/// defines `periplus_manifest()`, for the crate's tests.
#[macro_export]
macro_rules! export_transformer {
    ($transformer:ty, $manifest:expr $(,)?) => {
        $crate::__manifest_function!($manifest);

        // So that the compiler knows it to be in use where nothing is exported.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Manifest = $crate::testing::transformer_in_use::<$transformer>(periplus_manifest);

        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::component::transformer::exports::periplus::discovery as exports;

            ::std::thread_local! {
                static INSTANCE: $crate::component::Slot<$transformer> = const { $crate::component::Slot::empty() };
            }
            struct Component;

            impl exports::plugin::Guest for Component {
                fn describe() -> String {
                    periplus_manifest().to_json()
                }
            }

            impl exports::transformer::Guest for Component {
                fn configure(
                    config: String,
                ) -> Result<exports::transformer::Interest, Vec<exports::transformer::Problem>>
                {
                    INSTANCE.with(|slot| slot.configure_transformer(&config))
                }

                fn transform(
                    batch: exports::transformer::Batch,
                ) -> Result<Vec<exports::transformer::Edit>, String> {
                    INSTANCE.with(|slot| slot.transform(batch))
                }
            }

            $crate::component::transformer::export_transformer_world!(
                Component with_types_in $crate::component::transformer
            );
        };
    };
}

/// A [`Manifest`] with the name, version and description of the crate that calls it.
#[macro_export]
macro_rules! manifest {
    () => {
        $crate::Manifest::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .description(env!("CARGO_PKG_DESCRIPTION"))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __manifest_function {
    ($manifest:expr) => {
        /// The manifest that `describe` returns.
        #[cfg_attr(
            not(target_family = "wasm"),
            allow(dead_code, reason = "only tests call it here")
        )]
        fn periplus_manifest() -> $crate::Manifest {
            $manifest
        }
    };
}
