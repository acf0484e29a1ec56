//! The two engines: providers run asynchronously and yield, transformers synchronously on threads
//! of their own.

use std::time::Duration;

use wasmtime::{Config, Engine, EngineWeak, InstanceAllocationStrategy};

use crate::error::PluginError;
use crate::limits::EPOCH_TICK;

/// Both engines. Their configurations are equal but for the kind of calls made on them, so that
/// one entry of the compile cache would serve both; they are two so that a clock tick of one
/// never reaches the other's compiled code.
#[derive(Clone)]
pub(crate) struct Engines {
    pub(crate) providers: Engine,
    pub(crate) transformers: Engine,
}

// === impl Engines ===

impl Engines {
    /// Creates both and starts the thread that ticks their epochs; it ends with them.
    pub(crate) fn new() -> Result<Self, PluginError> {
        let engine = || {
            Engine::new(&config()).map_err(|e| PluginError::Host {
                action: "create the WebAssembly engine",
                source: e.into(),
            })
        };
        let engines = Self {
            providers: engine()?,
            transformers: engine()?,
        };
        let weak = [engines.providers.weak(), engines.transformers.weak()];
        std::thread::Builder::new()
            .name("plugin-epochs".into())
            .spawn(move || tick(&weak, EPOCH_TICK))
            .map_err(|e| PluginError::Host {
                action: "start the epoch thread",
                source: e.into(),
            })?;
        Ok(engines)
    }
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

#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own, outside every runtime"
)]
fn tick(engines: &[EngineWeak], every: Duration) {
    loop {
        std::thread::sleep(every);
        let mut alive = false;
        for engine in engines.iter().filter_map(EngineWeak::upgrade) {
            engine.increment_epoch();
            alive = true;
        }
        if !alive {
            return;
        }
    }
}
