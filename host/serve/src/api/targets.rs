//! `/api/v1/targets` in the shape of Prometheus.
//!
//! "Discovered labels" are those that relabeling starts from: after the job's transformers, with
//! the job's settings where a target sets none. Periplus scrapes nothing, so health is `unknown`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::uri::Uri;
use axum::response::Response;
use periplus_core::target::{FinalTarget, Outcome, ScrapeDefaults, populate_discovered};
use periplus_core::{LabelSet, TargetGroup};
use periplus_discovery::{GroupResult, Snapshot};
use serde::{Serialize, Serializer};

use crate::error::ApiError;
use crate::state::App;

/// Go's zero time: what Prometheus shows for a target that was never scraped.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// Above so many groups the answer is made on a blocking thread.
const BLOCKING_GROUPS: usize = 256;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "upstream's names")]
struct Targets<'a> {
    active_targets: Vec<ActiveTarget<'a>>,
    dropped_targets: Vec<DroppedTarget<'a>>,
    /// `null` where dropped targets were not asked for, as upstream.
    dropped_target_counts: Option<BTreeMap<&'a str, usize>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActiveTarget<'a> {
    discovered_labels: LabelSet,
    #[serde(serialize_with = "public")]
    labels: &'a FinalTarget,
    scrape_pool: &'a str,
    scrape_url: String,
    global_url: String,
    last_error: &'static str,
    last_scrape: &'static str,
    last_scrape_duration: u8,
    health: &'static str,
    scrape_interval: String,
    scrape_timeout: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DroppedTarget<'a> {
    discovered_labels: LabelSet,
    scrape_pool: &'a str,
}

/// What is asked for.
struct Filter {
    active: bool,
    dropped: bool,
    scrape_pool: Option<String>,
}

/// All targets of all jobs, or of one.
pub(crate) async fn targets(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, ApiError> {
    let filter = Filter::of(uri.query());
    let directory = app.directory();
    let snapshots = directory
        .jobs
        .iter()
        .map(|(name, job)| (name.clone(), job.snapshots.borrow().clone()));
    let snapshots: Vec<(String, Arc<Snapshot>)> = snapshots.collect();
    let groups: usize = snapshots
        .iter()
        .map(|(_, snapshot)| snapshot.groups.len())
        .sum();
    let make = move || super::encode(&Targets::of(&snapshots, &filter));
    if groups <= BLOCKING_GROUPS {
        return Ok(super::json(make()));
    }
    let body = tokio::task::spawn_blocking(make).await;
    Ok(super::json(body.map_err(|_| {
        ApiError::unavailable("the host is stopping")
    })?))
}

// === impl Filter ===

impl Filter {
    /// As upstream: a state that does not exist shows nothing.
    fn of(query: Option<&str>) -> Self {
        let (mut state, mut scrape_pool) = (None, None);
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "state" => _ = state.get_or_insert_with(|| value.to_lowercase()),
                "scrapePool" => _ = scrape_pool.get_or_insert_with(|| value.into_owned()),
                _ => {}
            }
        }
        let state = state.unwrap_or_default();
        let all = matches!(&*state, "" | "any");
        Self {
            active: all || state == "active",
            dropped: all || state == "dropped",
            scrape_pool: scrape_pool.filter(|pool| !pool.is_empty()),
        }
    }

    fn takes(&self, pool: &str) -> bool {
        self.scrape_pool
            .as_deref()
            .is_none_or(|wanted| wanted == pool)
    }
}

// === impl Targets ===

impl<'a> Targets<'a> {
    fn of(snapshots: &'a [(String, Arc<Snapshot>)], filter: &Filter) -> Self {
        let mut targets = Self {
            active_targets: Vec::new(),
            dropped_targets: Vec::new(),
            dropped_target_counts: filter.dropped.then(BTreeMap::new),
        };
        for (pool, snapshot) in snapshots {
            let wanted = filter.takes(pool);
            let defaults = &snapshot.job.defaults;
            let mut dropped = 0;
            for result in snapshot.groups.values() {
                let group = result.discovered().group();
                if filter.active && wanted {
                    targets
                        .active_targets
                        .extend(active(result, &group, pool, defaults));
                }
                if filter.dropped {
                    let before = targets.dropped_targets.len();
                    targets
                        .dropped_targets
                        .extend(self::dropped(result, &group, pool, defaults));
                    dropped += targets.dropped_targets.len() - before;
                    if !wanted {
                        targets.dropped_targets.truncate(before);
                    }
                }
            }
            if let Some(counts) = &mut targets.dropped_target_counts {
                // Of all pools, whichever is asked for: so upstream.
                counts.insert(pool, dropped);
            }
        }
        targets
    }
}

fn active<'a>(
    result: &'a GroupResult,
    group: &TargetGroup,
    pool: &'a str,
    defaults: &'a ScrapeDefaults,
) -> impl Iterator<Item = ActiveTarget<'a>> {
    result
        .targets
        .iter()
        .enumerate()
        .filter_map(move |(index, target)| {
            let Outcome::Active(labels) = &target.outcome else {
                return None;
            };
            if result.is_copy(index) {
                return None;
            }
            let scrape_url = labels.scrape_url(defaults);
            let text = |name| labels.labels.get(name).unwrap_or_default().to_owned();
            Some(ActiveTarget {
                discovered_labels: populate_discovered(&result.transformed(group, index), defaults)
                    .build(),
                labels,
                scrape_pool: pool,
                global_url: scrape_url.clone(),
                scrape_url,
                last_error: "",
                last_scrape: NEVER,
                last_scrape_duration: 0,
                health: "unknown",
                scrape_interval: text("__scrape_interval__"),
                scrape_timeout: text("__scrape_timeout__"),
            })
        })
}

/// What a rule dropped, then what a transformer dropped: of that no labels but the discovered
/// ones exist.
fn dropped<'a>(
    result: &GroupResult,
    group: &TargetGroup,
    pool: &'a str,
    defaults: &'a ScrapeDefaults,
) -> impl Iterator<Item = DroppedTarget<'a>> {
    let by_rule = result.targets.iter().enumerate();
    let by_rule = by_rule.filter(|(_, target)| target.outcome == Outcome::Dropped);
    let by_rule = by_rule.map(|(index, _)| result.transformed(group, index).into_owned());
    let labels = by_rule.chain(without_result(group, result));
    labels.map(move |labels| DroppedTarget {
        discovered_labels: populate_discovered(&labels, defaults).build(),
        scrape_pool: pool,
    })
}

fn without_result<'a>(
    group: &'a TargetGroup,
    result: &GroupResult,
) -> impl Iterator<Item = LabelSet> + 'a {
    let rows = result.places().filter(|(_, at)| at.is_none());
    let own = rows.filter_map(|(row, _)| group.targets.get(row));
    own.map(|own| LabelSet::merge(&group.labels, own))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn public<S: Serializer>(target: &&FinalTarget, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(target.public())
}
