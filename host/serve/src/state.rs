//! What the binary hands to the fronts, and what the fronts keep for themselves.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use periplus_discovery::{Directory, ManagerHandle, PluginStatuses, Readiness};
use prometheus_client::registry::Registry;

use crate::body::BodyCache;
use crate::follow::Held;
use crate::mads;
use crate::metrics::ServeMetrics;
use crate::otel::OtelFront;
use crate::readings::Readings;
use crate::reload::ReloadHandle;
use crate::ui::Pulse;
use crate::views::ViewCache;
use crate::watch::History;

/// Everything that the fronts read from, or ask.
pub struct ServeState {
    /// Jobs and providers.
    pub manager: ManagerHandle,
    /// The plugins' statuses.
    pub plugins: Arc<dyn PluginStatuses>,
    /// All metrics of the process, for `/metrics`.
    pub registry: Arc<Registry>,
    /// The fronts' own metrics, registered in `registry`.
    pub metrics: ServeMetrics,
    /// The way to a reload.
    pub reload: ReloadHandle,
    /// Ready after this time at the latest, counted from the call of [`router`](crate::router).
    pub ready_timeout: Duration,
    /// How long a job that a reload removed is answered with an empty list.
    pub removed_grace: Duration,
    /// The most bytes that plain bodies may take together which are kept for the next reader, and
    /// again the most for compressed lists and parts of lists.
    pub body_cache_bytes: usize,
    /// The front for OpenTelemetry collectors.
    pub otel: OtelFront,
    /// What the host says of itself.
    pub about: About,
}

/// What the host says of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// The version of the binary.
    pub version: String,
    /// When the process started.
    pub started: SystemTime,
    /// The configuration file.
    pub config_file: PathBuf,
}

/// The state behind every handler.
pub(crate) struct App {
    pub(crate) manager: ManagerHandle,
    pub(crate) plugins: Arc<dyn PluginStatuses>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) metrics: ServeMetrics,
    pub(crate) reload: ReloadHandle,
    pub(crate) readiness: Readiness,
    pub(crate) removed_grace: Duration,
    pub(crate) bodies: Arc<BodyCache>,
    pub(crate) views: Arc<ViewCache>,
    pub(crate) otel: OtelFront,
    pub(crate) mads_reported: mads::Reported,
    pub(crate) watched: Arc<History>,
    pub(crate) held: Held,
    pub(crate) readings: Arc<Readings>,
    pub(crate) pulse: Pulse,
    pub(crate) about: About,
}

// === impl ServeState ===

impl ServeState {
    /// Two minutes.
    pub const DEFAULT_READY_TIMEOUT: Duration = Duration::from_mins(2);
    /// A day.
    pub const DEFAULT_REMOVED_GRACE: Duration = Duration::from_hours(24);
    /// 64 MiB: some hundred thousand targets that many readers ask for.
    pub const DEFAULT_BODY_CACHE_BYTES: usize = 64 << 20;
}

// === impl App ===

impl App {
    pub(crate) fn new(state: ServeState) -> Self {
        let ServeState {
            manager,
            plugins,
            registry,
            metrics,
            reload,
            ready_timeout,
            removed_grace,
            body_cache_bytes,
            otel,
            about,
        } = state;
        let bodies = BodyCache::new(body_cache_bytes, metrics.clone());
        let views = ViewCache::new(body_cache_bytes, metrics.clone());
        let readiness = Readiness::new(ready_timeout);
        Self {
            manager,
            plugins,
            registry,
            metrics,
            reload,
            readiness,
            removed_grace,
            bodies,
            views,
            otel,
            mads_reported: mads::Reported::default(),
            watched: Arc::default(),
            held: Held::default(),
            readings: Arc::default(),
            pulse: Pulse::default(),
            about,
        }
    }

    /// The jobs as they are now.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.manager.directory().borrow())
    }
}
