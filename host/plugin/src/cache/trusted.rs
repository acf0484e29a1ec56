//! The one place with `unsafe`: machine code that this host compiled and wrote itself.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Loads a component that [`Component::serialize`] wrote on this machine.
///
/// The caller has checked the content against its checksum, and reads it from a directory of mode
/// 0700 that only this host writes.
#[allow(
    unsafe_code,
    reason = "wasmtime cannot check machine code; see the safety note"
)]
pub(super) fn deserialize(engine: &Engine, content: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are the unchanged output of `Component::serialize`: they lie in a private
    // directory (0700) under a name that holds the plugin's digest and the engine's compatibility
    // hash, are written whole or not at all, and match the SHA-256 written with them. Whoever can
    // forge that can already write as this user. wasmtime itself checks version and settings.
    unsafe { Component::deserialize(engine, content) }
}
