//! The two engines: providers run asynchronously and yield, transformers synchronously on threads
//! of their own.

mod clock;

use std::sync::Arc;

use wasmtime::{Config, Engine, InstanceAllocationStrategy};

use crate::error::PluginError;

pub(crate) use clock::Clock;

/// Both engines. Their configurations are equal but for the kind of calls made on them, so that
/// one entry of the compile cache would serve both; they are two so that a clock tick of one
/// never reaches the other's compiled code.
#[derive(Clone)]
pub(crate) struct Engines {
    pub(crate) providers: Engine,
    pub(crate) transformers: Engine,
    /// Ticks both.
    pub(crate) clock: Arc<Clock>,
}

// === impl Engines ===

impl Engines {
    /// Creates both, and the clock that ticks their epochs.
    pub(crate) fn new() -> Result<Self, PluginError> {
        let make = || {
            engine().map_err(|e| PluginError::Host {
                action: "create the WebAssembly engine",
                source: e.into(),
            })
        };
        let (providers, transformers) = (make()?, make()?);
        let clock = Clock::start(vec![providers.weak(), transformers.weak()]);
        let clock = clock.map_err(|e| PluginError::Host {
            action: "start the epoch thread",
            source: e.into(),
        })?;
        Ok(Self {
            providers,
            transformers,
            clock,
        })
    }
}

/// An engine as both are, and as compilers need it.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .parallel_compilation(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20);
    config
}
