//! One configured guest in its store, called one at a time.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;

use super::Seed;
use super::update::{self, CheckedUpdate};
use crate::bindings::provider::ProviderPlugin;
use crate::error::{CallError, LimitPassed};
use crate::generation::{CallClock, Generation};
use crate::grants::Outside;
use crate::limits::Limits;
use crate::manifest::Writes;
use crate::metrics::{InstanceGuard, PluginMeters};
use crate::schema::Problem;
use crate::store::{GuestLog, GuestState, Kind, Meter, new_store};

/// A provider's instance. After a failed call it must be dropped.
pub(super) struct Instance {
    store: Store<GuestState>,
    guest: ProviderPlugin,
    limits: Limits,
    meter: Arc<Meter>,
    meters: PluginMeters,
    writes: Writes,
    /// Whether it gave a complete update; until then it is asked for everything.
    complete: bool,
    _counted: InstanceGuard,
}

/// What `refresh` said.
pub(super) enum Answer {
    /// Checked, and within all limits.
    Update(CheckedUpdate),
    /// The source did not answer.
    Unavailable {
        message: String,
        retry_after: Option<Duration>,
    },
    /// The update breaks a rule, which the text names.
    Refused(String),
}

/// Why no instance came to be.
#[derive(Debug)]
pub(super) enum StartError {
    /// Schema or plugin refuse the configuration.
    Config(Vec<Problem>),
    /// Instantiation or `configure` failed.
    Call(CallError),
    /// Grants or client settings cannot be used.
    Outside(String),
}

// === impl Instance ===

impl Instance {
    /// Instantiates and configures with the doors closed, then opens them.
    pub(super) async fn start(
        generation: &Arc<Generation>,
        seed: &Seed,
        meters: &PluginMeters,
    ) -> Result<Self, StartError> {
        let mut config = generation
            .resolve_section(&seed.mechanism, &seed.section)
            .map_err(StartError::Config)?;
        let preset = generation
            .preset(&seed.mechanism, &seed.section, &config)
            .map_err(StartError::Config)?;
        // From here on the secrets are the host's alone.
        let secrets = generation.hide_secrets(&seed.mechanism, &mut config);
        let Some(pre) = &generation.provider else {
            return Err(StartError::Outside("the plugin is not a provider".into()));
        };
        let limits = Limits::provider(&generation.config.limits);
        let meter = Arc::new(Meter::new(limits.cpu, &generation.clock));
        let log = GuestLog::new(&generation.name().into(), &seed.name, meters);
        let mut store = new_store(pre.engine(), Kind::Provider, &limits, &meter, log);
        let counted = meters.instance();
        let clock = CallClock::start();
        let configured = bounded(&meter, &limits, async {
            let guest = pre.instantiate_async(&mut store).await?;
            let answer = guest
                .periplus_discovery_provider()
                .call_configure(&mut store, &seed.mechanism, &config.to_string())
                .await?;
            Ok((guest, answer))
        })
        .await;
        clock.stop(meters, "configure", &meter, store.data().peak_memory());
        let (guest, answer) = configured.map_err(StartError::Call)?;
        answer.map_err(|problems| {
            let problem =
                |p: crate::bindings::provider::periplus::discovery::types::Problem| Problem {
                    path: p.path,
                    message: p.message,
                };
            StartError::Config(problems.into_iter().map(problem).collect())
        })?;
        let outside = Outside::new(&generation.config.allow, &seed.section, preset)
            .map_err(StartError::Outside)?
            .with_secrets(secrets);
        store.data_mut().outside = Some(outside);
        let writes = generation.manifest.provider_writes(&seed.mechanism);
        let meters = meters.clone();
        Ok(Self {
            store,
            guest,
            limits,
            meter,
            meters,
            writes,
            complete: false,
            _counted: counted,
        })
    }

    /// Asks for news; for everything, until there was a complete answer.
    pub(super) async fn refresh(&mut self) -> Result<Answer, CallError> {
        let Self {
            store,
            guest,
            limits,
            meter,
            meters,
            ..
        } = self;
        let full = !self.complete;
        let clock = CallClock::start();
        let answer = bounded(
            meter,
            limits,
            guest
                .periplus_discovery_provider()
                .call_refresh(&mut *store, full),
        )
        .await;
        clock.stop(meters, "refresh", meter, store.data().peak_memory());
        Ok(match answer? {
            Ok(update) => match update::check(update, limits, &self.writes) {
                Ok(update) => {
                    self.complete |= update.complete;
                    Answer::Update(update)
                }
                Err(broken) => {
                    // The guest believes that its update was taken: from here on it knows too much.
                    self.complete = false;
                    Answer::Refused(broken)
                }
            },
            Err(unavailable) => {
                let mut message = unavailable.message;
                crate::store::truncate(&mut message, 1024);
                let retry_after = unavailable
                    .retry_after_ms
                    .map(|ms| Duration::from_millis(ms.into()));
                Answer::Unavailable {
                    message,
                    retry_after,
                }
            }
        })
    }

    /// Whether this instance gave a complete update.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Resolves when a request that the guest started has an answer that it has not taken.
    pub(super) async fn answered(&mut self) {
        // Exclusive, since a store may move between threads but not be shared by them.
        let requests = &mut self.store.data_mut().requests;
        let arrived = requests.arrived();
        while !requests.has_ended() {
            arrived.notified().await;
        }
    }
}

/// A call against its budget of CPU time and of time.
async fn bounded<T>(
    meter: &Meter,
    limits: &Limits,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(limits.wall, meter.measure(call)).await {
        Ok(answer) => answer.map_err(|e| CallError::from_wasmtime(&e, limits.output)),
        Err(_) => Err(LimitPassed::Wall(limits.wall).into()),
    }
}
