//! What stands behind one guest: its limits, its meter, its log, and doors that are closed until
//! it is configured.

mod log;
mod meter;
mod output;

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

use crate::error::LimitPassed;
use crate::functions::Requests;
use crate::grants::Outside;
use crate::limits::{Limits, MAX_HANDLES, MAX_INSTANCES, MAX_TABLE_ELEMENTS};

pub(crate) use log::{GuestLog, Level, truncate};
pub(crate) use meter::Meter;

/// The host's side of one store.
pub(crate) struct GuestState {
    wasi: WasiCtx,
    table: ResourceTable,
    limiter: Limiter,
    pub(crate) log: GuestLog,
    /// None: closed; whatever is asked for is refused.
    pub(crate) outside: Option<Outside>,
    pub(crate) requests: Requests,
}

/// Bounds memory and tables, and remembers how far they grew.
pub(crate) struct Limiter {
    max_memory: usize,
    /// Of all memories together.
    memory: usize,
    peak: usize,
}

/// Which kind of guest a store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Asynchronous, with a clock and random numbers.
    Provider,
    /// Synchronous; its clock stands still and its random numbers repeat.
    Transformer,
}

/// A clock that stands still.
struct Frozen;

// === impl GuestState ===

impl GuestState {
    /// The most memory that the guest had, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        self.limiter.peak
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// A store with every bound in place and nothing granted.
pub(crate) fn new_store(
    engine: &Engine,
    kind: Kind,
    limits: &Limits,
    meter: &Arc<Meter>,
    log: GuestLog,
) -> Store<GuestState> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_HANDLES);
    let state = GuestState {
        wasi: wasi(kind, &log),
        table,
        limiter: Limiter {
            max_memory: limits.memory,
            memory: 0,
            peak: 0,
        },
        log,
        outside: None,
        requests: Requests::default(),
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(limits.output);
    store.set_max_component_handles(MAX_HANDLES);
    store.set_epoch_deadline(1);
    let meter = Arc::clone(meter);
    store.epoch_deadline_callback(move |_| {
        meter.check()?;
        Ok(match kind {
            // To the runtime and back, so that timers and other tasks get their turn.
            Kind::Provider => UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())),
            Kind::Transformer => UpdateDeadline::Continue(1),
        })
    });
    store
}

/// WASI 0.2 with nothing behind it: no files, environment, arguments or network; output is logged.
fn wasi(kind: Kind, log: &GuestLog) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(output::LineLog::new(log.clone(), Level::Info))
        .stderr(output::LineLog::new(log.clone(), Level::Warn))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(1 << 20);
    if kind == Kind::Transformer {
        builder
            .wall_clock(Frozen)
            .monotonic_clock(Frozen)
            .secure_random(Deterministic::new(vec![4]))
            .insecure_random(Deterministic::new(vec![4]))
            .insecure_random_seed(4);
    }
    builder.build()
}

// === impl Limiter ===

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let asked = self.memory.saturating_add(desired.saturating_sub(current));
        if asked > self.max_memory {
            // A trap with a name is clearer than what guests do when memory does not grow.
            let limit = self.max_memory;
            return Err(wasmtime::Error::new(LimitPassed::Memory { asked, limit }));
        }
        self.memory = asked;
        self.peak = self.peak.max(asked);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            return Err(wasmtime::Error::new(LimitPassed::Table(desired)));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_INSTANCES
    }
}

// === impl Frozen ===

impl HostWallClock for Frozen {
    fn resolution(&self) -> std::time::Duration {
        std::time::Duration::from_secs(1)
    }

    fn now(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}
