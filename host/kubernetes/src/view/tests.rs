//! The roles of Prometheus, case by case, on objects as the API server sends them.

mod custom;
mod endpoints;
mod history;
mod ingress;
mod joins;
mod node;
mod pod;
mod service;
mod slice;

use std::collections::BTreeMap;

use periplus_config::NamePatterns;
use periplus_core::LabelSet;
use serde_json::{Value, json};

use super::*;
use crate::resource::any::WatchedKind;
use crate::resource::testing::packed;

/// A view with the groups that it handed out and that stand.
struct Bench {
    spec: ViewSpec,
    view: View,
    metrics: KubernetesMetrics,
    groups: BTreeMap<String, Arc<TargetGroup>>,
}

fn attach(what: &str) -> AttachMetadata {
    let has = |name| what.split(' ').any(|it| it == name);
    AttachMetadata {
        node: has("node"),
        namespace: has("namespace"),
        deployment: has("deployment"),
        job: has("job"),
        cronjob: has("cronjob"),
    }
}

fn spec(role: Role, attached: &str) -> ViewSpec {
    ViewSpec {
        role: ViewRole::Builtin(role),
        attach: attach(attached),
        drop_annotations: AnnotationFilter::default(),
        cluster: None,
    }
}

fn filter(patterns: &[&str]) -> AnnotationFilter {
    AnnotationFilter::new(&NamePatterns::new(patterns.iter().copied()).unwrap())
}

fn record_of(kind: ObjectKind, object: &Value) -> Result<Record, String> {
    let kind = WatchedKind::of(kind, &spec(Role::Pod, "")).unwrap();
    packed(&kind, &AnnotationFilter::default(), object).map(|(_, record)| record)
}

/// The group of an object of a role that attaches nothing.
fn group_of(role: Role, object: &Value) -> TargetGroup {
    let mut bench = Bench::new(spec(role, ""));
    let kind = bench.spec.kinds()[0];
    let key = bench.put(kind, object);
    bench.take();
    let group = bench.groups.get(key.as_str());
    group.map_or_else(
        || TargetGroup {
            source: key.source(),
            ..TargetGroup::default()
        },
        |group| TargetGroup::clone(group),
    )
}

/// Labels as JSON, for comparison.
fn labels(labels: &LabelSet) -> Value {
    serde_json::to_value(labels).unwrap()
}

fn addresses(group: &TargetGroup) -> Vec<&str> {
    let targets = group.targets.iter();
    targets
        .map(|target| target.get("__address__").unwrap())
        .collect()
}

// === impl Bench ===

impl Bench {
    fn new(spec: ViewSpec) -> Self {
        let metrics = KubernetesMetrics::default();
        Self {
            view: View::new(spec.clone(), metrics.clone()),
            spec,
            metrics,
            groups: BTreeMap::new(),
        }
    }

    fn put(&mut self, kind: ObjectKind, object: &Value) -> ObjectKey {
        let watched = WatchedKind::of(kind, &self.spec).unwrap();
        let (key, record) = packed(&watched, &AnnotationFilter::default(), object).unwrap();
        self.view.apply(kind, &key, Some(&record));
        key
    }

    fn remove(&mut self, kind: ObjectKind, key: &str) {
        self.view.apply(kind, &ObjectKey::new(key), None);
    }

    /// The sources of the groups that changed, sorted.
    fn take(&mut self) -> Vec<String> {
        let mut sources = Vec::new();
        let mut derived = Vec::new();
        while self.view.is_pending() {
            // In parts, as followers take them.
            derived.extend(self.view.take(2));
        }
        for Derived { group, origin } in derived {
            if let Some(origin) = origin {
                assert_eq!(origin.derive(), *group);
            }
            let source = group.source.to_string();
            if group.targets.is_empty() {
                assert!(group.labels.is_empty());
                self.groups.remove(&source);
            } else {
                self.groups.insert(source.clone(), group);
            }
            sources.push(source);
        }
        sources.sort();
        sources
    }

    fn group(&self, source: &str) -> &Arc<TargetGroup> {
        let known: Vec<_> = self.groups.keys().collect();
        let group = self.groups.get(source);
        group.unwrap_or_else(|| panic!("no `{source}` among {known:?}"))
    }

    /// A label of the group.
    fn label(&self, source: &str, name: &str) -> Option<String> {
        let name = format!("__meta_kubernetes_{name}");
        self.group(source).labels.get(&name).map(str::to_owned)
    }

    /// A label of each target.
    fn target_label(&self, source: &str, name: &str) -> Vec<Option<String>> {
        let name = format!("__meta_kubernetes_{name}");
        let targets = self.group(source).targets.iter();
        targets
            .map(|target| target.get(&name).map(str::to_owned))
            .collect()
    }

    /// How many groups were derived.
    fn derived(&self) -> u64 {
        let ViewRole::Builtin(role) = &self.spec.role else {
            return self.metrics.derived_count("resource");
        };
        self.metrics.derived_count(role.as_str())
    }
}
