//! The one place with `unsafe`: machine code that this host compiled and wrote itself.

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Maps a component that this host or its compiler wrote on this machine.
///
/// The caller has checked the content against its checksum, and the file lies in a directory of
/// mode 0700 that only this host writes.
#[allow(
    unsafe_code,
    reason = "wasmtime cannot check machine code; see the safety note"
)]
pub(super) fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file is the unchanged output of `Component::serialize` or
    // `Engine::precompile_component`: it lies in a private directory (0700) under a name that
    // holds the plugin's digest and the engine's compatibility hash, was renamed there when it was
    // whole, is never written to again, and matches the checksum in its name. Whoever can forge
    // that can already write as this user. wasmtime itself checks version and settings.
    unsafe { Component::deserialize_file(engine, path) }
}
