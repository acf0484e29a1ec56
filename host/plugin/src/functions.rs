//! The interfaces that a guest imports, answered by the host.
//!
//! A provider's are asynchronous and go through its grants. A transformer has a log and nothing
//! else; the other interfaces are linked for language runtimes that import their whole world, and
//! refuse.

mod dns;
mod files;
mod http;
mod log;
mod refused;
mod requests;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{provider, transformer};
use crate::store::GuestState;

pub(crate) use requests::Requests;

/// Everything that a provider may import.
pub(crate) fn provider_linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    provider::ProviderPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// Everything that a transformer may import.
pub(crate) fn transformer_linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    transformer::TransformerHost::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}
