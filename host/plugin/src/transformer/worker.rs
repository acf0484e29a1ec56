//! The thread on which a transformer's guest lives.
//!
//! A plain thread, not one of the runtime: calls are synchronous and do not yield, and the
//! synchronous WASI functions must not find a runtime around them.

use std::sync::Arc;

use periplus_core::LabelSet;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use wasmtime::Store;

use super::batch::Filter;
use super::edits;
use crate::bindings::transformer::TransformerHost;
use crate::error::{CallError, list};
use crate::generation::{CallClock, Generation};
use crate::limits::Limits;
use crate::manifest::Writes;
use crate::metrics::{InstanceGuard, PluginMeters};
use crate::schema::Problem;
use crate::store::{GuestLog, GuestState, Kind, Meter, new_store};

/// Jobs that wait for the thread. Each caller has one under way, so this is about callers.
const QUEUE: usize = 16;

/// The way to the thread, which ends when every clone is gone.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) jobs: mpsc::Sender<Job>,
}

/// One batch. Without rows, the guest is only brought up.
pub(super) struct Job {
    pub(super) rows: Vec<LabelSet>,
    pub(super) answer: oneshot::Sender<Result<Vec<Vec<LabelSet>>, String>>,
}

/// What the thread owns.
struct Bench {
    generation: Arc<Generation>,
    config: String,
    limits: Limits,
    meter: Arc<Meter>,
    meters: PluginMeters,
    writes: Writes,
    guest: Option<Guest>,
}

/// A configured guest.
struct Guest {
    store: Store<GuestState>,
    exports: TransformerHost,
    filter: Filter,
    _counted: InstanceGuard,
}

// === impl Worker ===

impl Worker {
    /// Starts the thread; the guest is brought up by the first job.
    pub(super) fn start(
        generation: &Arc<Generation>,
        config: &Value,
        meters: &PluginMeters,
    ) -> Result<Self, String> {
        let config = generation
            .resolve_transformer(config)
            .map_err(|p| list(&p))?;
        let limits = Limits::transformer(&generation.config.limits);
        let mut bench = Bench {
            config: config.to_string(),
            limits,
            meter: Arc::new(Meter::new(limits.cpu, &generation.clock)),
            meters: meters.clone(),
            writes: generation.manifest.transformer_writes(),
            guest: None,
            generation: Arc::clone(generation),
        };
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name(format!("transform-{}", generation.name()))
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    // Nobody waits any more: the job was reconfigured, or the host stops.
                    if !job.answer.is_closed() {
                        let answer = bench.run(&job.rows);
                        let _ = job.answer.send(answer);
                    }
                }
            })
            .map_err(|e| format!("failed to start a thread for a transformer: {e}"))?;
        Ok(Self { jobs })
    }
}

// === impl Bench ===

impl Bench {
    fn run(&mut self, rows: &[LabelSet]) -> Result<Vec<Vec<LabelSet>>, String> {
        let name = self.generation.name().to_owned();
        let mut guest = match self.guest.take() {
            Some(guest) => guest,
            None => self
                .bring_up()
                .map_err(|e| format!("transformer `{name}`: {e}"))?,
        };
        let encoded = guest.filter.encode(rows);
        if encoded.places.is_empty() {
            self.guest = Some(guest);
            return Ok(rows.iter().map(|row| vec![row.clone()]).collect());
        }
        let clock = CallClock::start();
        let called = self.meter.measure_blocking(|| {
            let exports = guest.exports.periplus_discovery_transformer();
            exports.call_transform(&mut guest.store, &encoded.batch)
        });
        clock.stop(
            &self.meters,
            "transform",
            &self.meter,
            guest.store.data().peak_memory(),
        );
        let answer = match called {
            Ok(answer) => answer,
            Err(error) => {
                // The store goes; the next job brings up another.
                let error = CallError::from_wasmtime(&error, self.limits.output);
                self.meters.failed(error.kind(), true);
                return Err(format!("transformer `{name}`: {error}"));
            }
        };
        self.guest = Some(guest);
        let edits = answer.map_err(|mut message| {
            self.meters.failed("unavailable", false);
            crate::store::truncate(&mut message, 1024);
            format!("transformer `{name}`: {message}")
        })?;
        edits::apply(rows, &encoded.places, edits, &self.writes).map_err(|broken| {
            self.meters.failed("refused", false);
            format!("transformer `{name}`: edits refused: {broken}")
        })
    }

    fn bring_up(&self) -> Result<Guest, String> {
        let Some(pre) = &self.generation.transformer else {
            return Err("the plugin is not a transformer".to_owned());
        };
        let plugin: Arc<str> = self.generation.name().into();
        let log = GuestLog::new(&plugin, "transformer", &self.meters);
        let mut store = new_store(
            pre.engine(),
            Kind::Transformer,
            &self.limits,
            &self.meter,
            log,
        );
        let counted = self.meters.instance();
        let clock = CallClock::start();
        let configured = self.meter.measure_blocking(|| {
            let exports = pre.instantiate(&mut store)?;
            let answer = exports
                .periplus_discovery_transformer()
                .call_configure(&mut store, &self.config)?;
            Ok((exports, answer))
        });
        clock.stop(
            &self.meters,
            "configure",
            &self.meter,
            store.data().peak_memory(),
        );
        let (exports, answer) = configured.map_err(|error: wasmtime::Error| {
            let error = CallError::from_wasmtime(&error, self.limits.output);
            self.meters.failed(error.kind(), true);
            error.to_string()
        })?;
        let interest = answer.map_err(|problems| {
            let problems: Vec<_> = problems
                .into_iter()
                .map(|p| Problem {
                    path: p.path,
                    message: p.message,
                })
                .collect();
            format!("it refuses its configuration: {}", list(&problems))
        })?;
        Ok(Guest {
            store,
            exports,
            filter: Filter::new(interest),
            _counted: counted,
        })
    }
}
