//! One cluster for one provider: what changes there becomes groups.

use std::collections::HashSet;
use std::sync::Arc;

use periplus_core::TargetGroup;
use periplus_discovery::Updates;
use tokio_util::sync::CancellationToken;

use crate::progress::WatchReport;
use crate::shared::{Cluster, Inbox, Need, Pending, Subscription};
use crate::view::{Derived, View};

/// Groups that are made before other tasks get a turn, and that are handed over together.
const GROUPS_PER_TURN: usize = 256;

/// Feeds a view from its watches, and the provider from the view.
pub(crate) struct Follower {
    view: View,
    inbox: Arc<Inbox>,
    updates: Updates,
    /// One per need, in order.
    reports: Vec<Arc<WatchReport>>,
    /// Needs whose first state has not come.
    missing: HashSet<usize>,
    /// Sources with targets, where they are to be taken back when the cluster goes.
    sources: Option<HashSet<Arc<str>>>,
    is_synced: bool,
    _subscriptions: Vec<Subscription>,
}

// === impl Follower ===

impl Follower {
    /// Begins to follow what `view` needs of a cluster. Only if `can_go` may the cluster go before
    /// the provider does; see [`Follower::take_back`].
    pub(crate) fn new(
        cluster: &Arc<Cluster>,
        view: View,
        needs: Vec<(Need, WatchReport)>,
        updates: Updates,
        can_go: bool,
    ) -> Self {
        let inbox = Inbox::new();
        let mut reports = Vec::with_capacity(needs.len());
        let mut subscriptions = Vec::with_capacity(needs.len());
        for (place, (need, report)) in needs.into_iter().enumerate() {
            let report = Arc::new(report);
            reports.push(Arc::clone(&report));
            subscriptions.push(cluster.join(need, place, Arc::clone(&inbox), report));
        }
        Self {
            view,
            inbox,
            updates,
            missing: (0..reports.len()).collect(),
            reports,
            sources: can_go.then(HashSet::new),
            is_synced: false,
            _subscriptions: subscriptions,
        }
    }

    /// Follows until `stop` is cancelled. What was found stays.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Self {
        stop.run_until_cancelled(self.follow()).await;
        self
    }

    /// The cluster is no longer among those that are configured: its groups are gone.
    pub(crate) fn take_back(self) {
        let gone = self.sources.into_iter().flatten().map(|source| {
            Arc::new(TargetGroup {
                source,
                ..TargetGroup::default()
            })
        });
        self.updates.apply_all(gone);
    }

    async fn follow(&mut self) {
        loop {
            self.inbox.ready().await;
            let pending = self.inbox.take();
            self.work_in(pending).await;
        }
    }

    async fn work_in(&mut self, pending: Pending) {
        let Pending {
            changes,
            observed,
            synced,
        } = pending;
        for (key, (kind, record)) in changes {
            self.view.apply(kind, &key, record.as_ref());
        }
        for place in synced {
            if self.missing.remove(&place) {
                self.reports[place].arrived();
            }
        }
        // Half of a join would show targets without their metadata, or none at all.
        if self.view.has_joins() && !self.missing.is_empty() {
            return;
        }
        while self.view.is_pending() {
            let derived = self.view.take(GROUPS_PER_TURN);
            if let Some(observed) = observed {
                self.updates.observed_at(observed);
            }
            self.hand_over(derived);
            tokio::task::yield_now().await;
        }
        if self.missing.is_empty() && !std::mem::replace(&mut self.is_synced, true) {
            for report in &self.reports {
                report.synced();
            }
        }
    }

    fn hand_over(&mut self, derived: Vec<Derived>) {
        if let Some(sources) = &mut self.sources {
            for Derived { group, .. } in &derived {
                if group.targets.is_empty() {
                    sources.remove(&group.source);
                } else {
                    sources.insert(Arc::clone(&group.source));
                }
            }
        }
        let (mut kept, mut remade) = (Vec::new(), Vec::new());
        for Derived { group, origin } in derived {
            match origin {
                Some(origin) => remade.push((group, origin)),
                None => kept.push(group),
            }
        }
        if !kept.is_empty() {
            self.updates.apply_all(kept);
        }
        if !remade.is_empty() {
            self.updates.apply_derived(remade);
        }
    }
}
