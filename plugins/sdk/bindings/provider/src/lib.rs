//! Bindings of the world `provider-plugin` of `wit/`, as wit-bindgen writes them. Nothing else: `periplus-sdk` converts
//! between these types and its own. A crate per world, since the macros that export a world are named after its
//! interfaces, and both worlds export `plugin`. Empty on any target but WebAssembly.

#[cfg(target_family = "wasm")]
#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "written by wit-bindgen"
)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../../wit",
        world: "provider-plugin",
        pub_export_macro: true,
        export_macro_name: "export_provider_world",
        default_bindings_module: "periplus_bindings_provider",
    });
}

#[cfg(target_family = "wasm")]
pub use bindings::*;
