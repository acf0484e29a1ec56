//! Reading the configuration again, on `SIGHUP` and `POST /-/reload`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use periplus_config::TargetAllocator;
use periplus_discovery::ManagerHandle;
use periplus_plugin::PluginHost;
use periplus_serve::{ReloadHandle, ReloadRequest};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::args::LoadArgs;
use crate::load;

/// Owns the running configuration: the only place that applies one.
pub(crate) struct Reloader {
    pub(crate) config: PathBuf,
    pub(crate) load: LoadArgs,
    pub(crate) plugins: Arc<PluginHost>,
    pub(crate) manager: ManagerHandle,
    pub(crate) metrics: ReloadMetrics,
    /// Remembers how the last reload went, for people.
    pub(crate) outcomes: ReloadHandle,
    /// Takes how collectors share targets, for the front that tells them.
    pub(crate) allocator: watch::Sender<Option<Arc<TargetAllocator>>>,
}

/// How the last reload ended, under Prometheus' names.
#[derive(Clone, Debug)]
pub(crate) struct ReloadMetrics {
    successful: Gauge,
    success_time: Gauge<f64, AtomicU64>,
}

// === impl Reloader ===

impl Reloader {
    /// Reads, checks and applies the configuration. A bad one changes nothing.
    pub(crate) async fn reload(&self) -> Result<(), String> {
        let outcome = self.try_reload().await;
        self.metrics.outcome(outcome.is_ok());
        self.outcomes.note(&outcome);
        outcome
    }

    async fn try_reload(&self) -> Result<(), String> {
        let checked = load::load(&self.config, &self.load, &self.plugins)
            .await
            .map_err(|errors| errors.to_string())?;
        for warning in &checked.warnings {
            warn!(%warning, "Configuration warning");
        }
        self.plugins.activate();
        let allocator = checked.config.target_allocator.clone().map(Arc::new);
        let report = self.manager.apply(checked.config).await;
        self.allocator.send_replace(allocator);
        for (key_path, reason) in &report.failed_sections {
            error!(section = %key_path, %reason, "Cannot start a section; its job keeps what it has");
        }
        Ok(())
    }

    /// Serves requests and signals until `stop`.
    pub(crate) async fn run(
        self,
        mut requests: mpsc::Receiver<ReloadRequest>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        loop {
            let answer = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = hangup.recv() => None,
                // A plugin that was waited for can be had.
                () = self.plugins.arrived() => None,
                request = requests.recv() => match request {
                    Some(request) => Some(request.answer),
                    None => return Ok(()),
                },
            };
            let outcome = self.reload().await;
            match &outcome {
                Ok(()) => info!(config = %self.config.display(), "Configuration reloaded"),
                Err(reason) => {
                    error!(config = %self.config.display(), %reason, "Configuration refused, the old one stays");
                }
            }
            if let Some(answer) = answer {
                // The reader may have gone; the reload has happened all the same.
                let _ = answer.send(outcome);
            }
        }
    }
}

// === impl ReloadMetrics ===

impl ReloadMetrics {
    /// Registers the two metrics that Prometheus has for its own reloads.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            successful: Gauge::default(),
            success_time: Gauge::default(),
        };
        registry.register(
            "periplus_config_last_reload_successful",
            "Whether the last attempt to read the configuration succeeded",
            metrics.successful.clone(),
        );
        registry.register(
            "periplus_config_last_reload_success_timestamp_seconds",
            "When the configuration was last read with success",
            metrics.success_time.clone(),
        );
        metrics
    }

    /// Notes how a reload ended.
    pub(crate) fn outcome(&self, success: bool) {
        self.successful.set(i64::from(success));
        if success {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            self.success_time.set(now.as_secs_f64());
        }
    }
}
