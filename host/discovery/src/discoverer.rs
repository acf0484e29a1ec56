//! What a source of targets and an editor of targets must be able to do.

use std::sync::Arc;

use async_trait::async_trait;
use periplus_config::{Section, TransformerConfig};
use periplus_core::LabelSet;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::updates::Updates;

/// A source of target groups: what a provider runs.
#[async_trait]
pub trait Discoverer: Send + 'static {
    /// Runs until `stop` is cancelled. It never ends by failing: it reports through `updates` and
    /// keeps trying. One that returns early keeps its last targets.
    async fn run(self: Box<Self>, updates: Updates, stop: CancellationToken);
}

/// Makes discoverers and transformers from configuration. The binary joins the native mechanisms
/// and the plugins into one.
pub trait Mechanisms: Send + Sync + 'static {
    /// The discoverer for a section, on behalf of the provider `name`, such as `kubernetes/3`.
    ///
    /// Called by the manager's task during a reload: it must not block, and reach nothing outside.
    ///
    /// # Errors
    /// Why this section cannot run; the rest of the configuration does.
    fn discoverer(&self, section: &Section, name: &str) -> Result<Box<dyn Discoverer>, String>;

    /// The transformer for an entry of a job's `transformers:`.
    ///
    /// # Errors
    /// Why it cannot run; the job then stays as it was.
    fn transformer(&self, config: &TransformerConfig) -> Result<Arc<dyn Transformer>, String>;
}

/// Edits targets between discovery and relabeling.
///
/// An answer depends on the row and the configuration alone, never on its neighbours.
#[async_trait]
pub trait Transformer: Send + Sync + 'static {
    /// One answer per row, in order: the row's targets afterwards. None means that the target is
    /// dropped, several that it was multiplied.
    ///
    /// The future may be dropped at any await, when the job is reconfigured or the host stops.
    async fn transform(&self, rows: &[LabelSet]) -> Result<Vec<Vec<LabelSet>>, TransformError>;

    /// Changes whenever answers may differ from before, as after a hot reload: pipelines then
    /// recompute.
    fn generation(&self) -> watch::Receiver<u64>;
}

/// Why a transformer gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TransformError {
    /// What an operator should read.
    pub message: String,
}

// === impl TransformError ===

impl TransformError {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}
