//! `static_configs`: groups that are written in the configuration.

use std::sync::Arc;

use async_trait::async_trait;
use periplus_core::TargetGroup;
use tokio_util::sync::CancellationToken;

use crate::discoverer::Discoverer;
use crate::updates::Updates;

/// Delivers its groups once.
#[derive(Debug)]
pub(super) struct Static {
    groups: Vec<Arc<TargetGroup>>,
}

// === impl Static ===

impl Static {
    pub(super) fn new(groups: Vec<Arc<TargetGroup>>) -> Self {
        Self { groups }
    }
}

#[async_trait]
impl Discoverer for Static {
    async fn run(self: Box<Self>, updates: Updates, stop: CancellationToken) {
        updates.replace(self.groups);
        updates.success();
        stop.cancelled().await;
    }
}
