//! `target_allocator:`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{duration, quoted};
use crate::allocator::{
    AllocationStrategy, Collector, CollectorSource, Handover, JobCollectors, TargetAllocator,
};
use crate::yaml::{Fields, Value};

const SOURCES: [&str; 3] = [
    "collectors",
    "collectors_from_requests",
    "collectors_from_job",
];
const STRATEGIES: &str = "write `consistent-hashing`, `least-weighted` or `per-node`";

/// Reads the section. What is wrong in it is as if it were not written.
pub(super) fn read(value: &Value<'_>, jobs: &BTreeSet<&str>) -> TargetAllocator {
    let mut allocator = TargetAllocator::default();
    let Some(mut fields) = value.fields() else {
        return allocator;
    };
    if let Some(strategy) = fields.read("strategy", |value| read_strategy(&value)) {
        allocator.strategy = strategy;
    }
    if let Some(value) = fields.take("fallback_strategy") {
        allocator.fallback = read_fallback(&value);
    }
    let zone_label = fields.string("zone_label");
    allocator.zone_label = (!zone_label.is_empty()).then_some(zone_label);
    let list = fields.read("collectors", |value| read_list(&value));
    let requests = fields.read("collectors_from_requests", |value| read_requests(&value));
    let from_job = fields.read("collectors_from_job", |value| read_job(&value, jobs));
    if let Some(value) = fields.take("handover") {
        allocator.handover = read_handover(&value);
    }
    if fields.finish() {
        check_sources(&fields);
        check_fallback(&allocator, &fields);
    }
    if let Some(source) = list.or(requests).or(from_job) {
        allocator.collectors = source;
    }
    check_zones(&allocator, &fields);
    allocator
}

fn read_strategy(value: &Value<'_>) -> Option<AllocationStrategy> {
    let text = value.string()?;
    let mut all = AllocationStrategy::ALL.into_iter();
    let found = all.find(|(_, name)| *name == text);
    if found.is_none() {
        value.error_with(format!("unknown strategy {}", quoted(&text)), STRATEGIES);
    }
    found.map(|(strategy, _)| strategy)
}

/// None for `none`.
fn read_fallback(value: &Value<'_>) -> Option<AllocationStrategy> {
    if value.string()? == "none" {
        return None;
    }
    let strategy = read_strategy(value)?;
    if strategy == AllocationStrategy::PerNode {
        value.error_with(
            "`per-node` cannot fall back to itself",
            "write `consistent-hashing`, `least-weighted` or `none`",
        );
        return None;
    }
    Some(strategy)
}

fn read_list(value: &Value<'_>) -> Option<CollectorSource> {
    let mut lines = BTreeMap::new();
    let list = value.list("[]collector", |item| {
        let collector = read_collector(&item)?;
        if let Some(first) = lines.insert(collector.id.clone(), item.mark().line) {
            item.key("id").error_with(
                format!(
                    "found multiple collectors with id {}",
                    quoted(&collector.id)
                ),
                format!("the first one is on line {first}: every collector has an id of its own"),
            );
        }
        Some(collector)
    });
    let list = list?;
    if value.children().is_empty() {
        value.error_with(
            "the list of collectors is empty",
            "list their `id`s, or write `collectors_from_requests: {}`",
        );
    }
    Some(CollectorSource::List(list))
}

fn read_collector(value: &Value<'_>) -> Option<Collector> {
    if value.is_nil() {
        value.error_with(
            "empty or null section in collectors",
            "remove it, or add `id: NAME`",
        );
        return None;
    }
    let mut fields = value.fields()?;
    let mut collector = Collector::named(fields.string("id"));
    if let Some(weight) = fields.read("weight", |value| read_weight(&value)) {
        collector.weight = weight;
    }
    let mut text = |key| Some(fields.string(key)).filter(|text| !text.is_empty());
    collector.zone = text("zone");
    collector.node = text("node");
    if !fields.finish() {
        return None;
    }
    if collector.id.is_empty() {
        fields.place(&["id"]).error_with(
            "collector has no id",
            "add `id: NAME`, the `collector_id` of its Prometheus receiver",
        );
        return None;
    }
    Some(collector)
}

fn read_weight(value: &Value<'_>) -> Option<u32> {
    let number = value.uint()?;
    let weight = u32::try_from(number).ok();
    let weight = weight.filter(|weight| (1..=Collector::MAX_WEIGHT).contains(weight));
    if weight.is_none() {
        let most = Collector::MAX_WEIGHT;
        value.error_with(
            format!("weight {number} is not between 1 and {most}"),
            format!(
                "write a whole number from 1 to {most}; leave out a collector that gets nothing"
            ),
        );
    }
    weight
}

fn read_requests(value: &Value<'_>) -> Option<CollectorSource> {
    let mut fields = value.fields()?;
    let expire_after = read_time(
        &mut fields,
        "expire_after",
        CollectorSource::DEFAULT_EXPIRE_AFTER,
    );
    // Nothing to wait for is fine, as where all collectors start afresh with us.
    let settle = fields.read("settle", |value| duration(&value));
    let settle = settle.map_or(CollectorSource::DEFAULT_SETTLE, Into::into);
    fields.finish();
    Some(CollectorSource::Requests {
        expire_after,
        settle,
    })
}

fn read_job(value: &Value<'_>, jobs: &BTreeSet<&str>) -> Option<CollectorSource> {
    let mut fields = value.fields()?;
    let job = fields.string("job");
    let mut label = |key| Some(fields.string(key)).filter(|text| !text.is_empty());
    let id_label = label("id_label");
    let node_label = label("node_label");
    let zone_label = label("zone_label");
    let weight_label = label("weight_label");
    if !fields.finish() {
        return None;
    }
    if job.is_empty() {
        let hint = "add `job: NAME`, a job whose targets are the collectors";
        fields
            .place(&["job"])
            .error_with("collectors_from_job names no job", hint);
    } else if !jobs.contains(&*job) {
        fields.place(&["job"]).error_with(
            format!("there is no job {}", quoted(&job)),
            "name a job of `scrape_configs` whose targets are the collectors",
        );
    }
    let or = |label: Option<String>, default: &str| label.unwrap_or_else(|| default.to_owned());
    Some(CollectorSource::Job(JobCollectors {
        job,
        id_label: or(id_label, "__meta_kubernetes_pod_name"),
        node_label: or(node_label, "__meta_kubernetes_pod_node_name"),
        zone_label,
        weight_label,
    }))
}

/// None if it is switched off.
fn read_handover(value: &Value<'_>) -> Option<Handover> {
    let mut fields = value.fields()?;
    let default = Handover::default();
    let enabled = fields.bool("enabled", true);
    let reload_tick = fields.read("reload_tick", |value| duration(&value));
    let reload_tick = reload_tick.map_or(default.reload_tick, Into::into);
    let deadline = read_time(&mut fields, "deadline", default.deadline);
    if fields.finish() && deadline <= reload_tick {
        fields.place(&["deadline", "reload_tick"]).error_with(
            "the deadline of a hand-over is not longer than `reload_tick`",
            "raise `deadline`: the new owner must have asked by then, reloaded and scraped once",
        );
    }
    enabled.then_some(Handover {
        reload_tick,
        deadline,
    })
}

/// A time that must not be zero.
fn read_time(fields: &mut Fields<'_>, key: &'static str, default: Duration) -> Duration {
    let time = fields.read(key, |value| {
        let time = duration(&value)?;
        if time.is_zero() {
            value.error_with(format!("{key} is zero"), "write a time such as `2m`");
        }
        Some(time)
    });
    time.map_or(default, Into::into)
}

fn check_sources(fields: &Fields<'_>) {
    let written: Vec<_> = SOURCES
        .iter()
        .filter(|key| fields.is_written(key))
        .collect();
    if let [first, second, ..] = &written[..] {
        fields.place(&[second]).error_with(
            format!("both `{first}` and `{second}` say who the collectors are"),
            "keep one of the two",
        );
    }
}

fn check_fallback(allocator: &TargetAllocator, fields: &Fields<'_>) {
    if fields.is_written("fallback_strategy") && allocator.strategy != AllocationStrategy::PerNode {
        fields.place(&["fallback_strategy"]).error_with(
            format!("strategy `{}` has no fallback", allocator.strategy.name()),
            "remove `fallback_strategy`, or write `strategy: per-node`",
        );
    }
}

fn check_zones(allocator: &TargetAllocator, fields: &Fields<'_>) {
    let CollectorSource::List(list) = &allocator.collectors else {
        return;
    };
    if allocator.zone_label.is_none() && list.iter().any(|collector| collector.zone.is_some()) {
        fields.place(&["collectors"]).error_with(
            "collectors have zones, but nothing says which zone a target is in",
            "add `zone_label: LABEL`, such as \
             `__meta_kubernetes_node_label_topology_kubernetes_io_zone`",
        );
    }
}
