//! Within a group, only what changed moves; and groups that can be made again are not kept.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use periplus_config::OnError;
use periplus_core::TargetGroup;
use periplus_core::target::Outcome;
use periplus_discovery::{DiscoveryMetrics, GroupOrigin, Snapshot, Stage, Updates};
use prometheus_client::registry::Registry;

use crate::support::{
    Fake, Host, group, job, mock, rule, served, settle, transformer, with, within,
};

type Change = dyn Fn(&mut Vec<String>);

fn addresses(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("host-{n:04}:1")).collect()
}

fn group_of(addresses: &[String]) -> Arc<TargetGroup> {
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    group("0", &addresses)
}

fn relabelled(registry: &Registry) -> u64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    let name = "periplus_pipeline_relabelled_targets_total ";
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap().parse().unwrap()
}

/// What a host shows that has seen nothing but this state.
async fn fresh(group: Arc<TargetGroup>) -> Arc<Snapshot> {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("m")])]).await;
    host.mocks.updates("m").await.replace(vec![group]);
    host.wait("web", |snapshot| snapshot.known).await
}

#[tokio::test(start_paused = true)]
async fn only_changed_targets_of_a_group_are_relabelled() {
    let mut registry = Registry::default();
    let host = Host::start_with(DiscoveryMetrics::register(&mut registry));
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    let mut all = addresses(1000);
    updates.replace(vec![group_of(&all)]);
    let mut last = host.wait("web", |snapshot| snapshot.known).await;
    assert_eq!(relabelled(&registry), 1000);

    let steps: [(&str, u64, &Change); 5] = [
        ("one changes", 1, &|all| all[500] = "other:1".to_owned()),
        ("one goes", 0, &|all| _ = all.remove(300)),
        ("two come", 2, &|all| {
            all.insert(0, "first:1".to_owned());
            all.push("last:1".to_owned());
        }),
        ("two change places", 0, &|all| all.swap(10, 700)),
        ("a copy comes", 1, &|all| all.insert(20, all[700].clone())),
    ];
    for (what, expected, change) in steps {
        let before = relabelled(&registry);
        change(&mut all);
        updates.apply(group_of(&all));
        let changed = host
            .wait("web", |snapshot| snapshot.version != last.version)
            .await;
        assert_eq!(relabelled(&registry) - before, expected, "{what}");
        let expected = fresh(group_of(&all)).await;
        assert_eq!(changed.version, expected.version, "{what}");
        for stage in Stage::ALL {
            assert_eq!(served(&changed, stage), served(&expected, stage), "{what}");
        }
        last = changed;
    }
}

#[tokio::test(start_paused = true)]
async fn change_of_a_groups_labels_reaches_all_its_targets() {
    let mut registry = Registry::default();
    let host = Host::start_with(DiscoveryMetrics::register(&mut registry));
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    let all = addresses(10);
    updates.replace(vec![group_of(&all)]);
    let before = host.wait("web", |snapshot| snapshot.known).await;
    let mut labelled = TargetGroup::clone(&group_of(&all));
    labelled.labels = [("env", "prod")].into_iter().collect();
    updates.apply(Arc::new(labelled));
    let after = host
        .wait("web", |snapshot| snapshot.version != before.version)
        .await;
    let list = served(&after, Stage::Final);
    let mut targets = list.as_array().unwrap().iter();
    assert!(targets.all(|target| target["labels"]["env"] == "prod"));
    assert_eq!(relabelled(&registry), 20);
}

#[tokio::test(start_paused = true)]
async fn only_changed_rows_reach_a_transformer() {
    let host = Host::start();
    let fake = Fake::new(|row| match row.get("__address__") {
        Some("twice:1") => Ok(vec![row.clone(), with(row, "again", "yes")]),
        Some("bad:1") => Err("no".to_owned()),
        _ => Ok(vec![row.clone()]),
    });
    host.mocks.serve("t", fake.clone());
    let mut web = job("web", vec![mock("m")]);
    web.transformers = vec![transformer("t", OnError::Drop)];
    host.apply(vec![web]).await;
    let updates = host.mocks.updates("m").await;
    let mut all = addresses(10);
    all[3] = "twice:1".to_owned();
    updates.replace(vec![group_of(&all)]);
    let before = host.wait("web", |snapshot| snapshot.known).await;
    assert_eq!(fake.take_calls(), [10]);

    all.remove(0);
    all[7] = "new:1".to_owned();
    updates.apply(group_of(&all));
    let after = host
        .wait("web", |snapshot| snapshot.version != before.version)
        .await;
    assert_eq!(fake.take_calls(), [1]);
    let result = after.groups.values().next().unwrap();
    let rows: Vec<u32> = result.targets.iter().map(|target| target.row).collect();
    assert_eq!(rows, [0, 1, 2, 2, 3, 4, 5, 6, 7, 8]);

    // A transformer that fails on one row drops the whole group, rows that stayed included.
    all[1] = "bad:1".to_owned();
    updates.apply(group_of(&all));
    host.wait("web", |snapshot| {
        snapshot
            .groups
            .values()
            .all(|group| group.targets.is_empty())
    })
    .await;
    all[1] = "good:1".to_owned();
    updates.apply(group_of(&all));
    let healed = host
        .wait("web", |snapshot| {
            snapshot
                .groups
                .values()
                .all(|group| group.targets.len() == 10)
        })
        .await;
    assert_eq!(served(&healed, Stage::Final).as_array().unwrap().len(), 10);
}

/// Makes a group of one target, and counts how often.
struct Origin {
    address: String,
    derived: Arc<AtomicUsize>,
}

impl GroupOrigin for Origin {
    fn derive(&self) -> TargetGroup {
        self.derived.fetch_add(1, Ordering::SeqCst);
        TargetGroup::clone(&group(&self.address, &[&self.address]))
    }
}

/// Hands over a group with an origin; whether the group is still kept can be seen afterwards.
fn derive(updates: &Updates, address: &str, derived: &Arc<AtomicUsize>) -> Weak<TargetGroup> {
    let origin = Arc::new(Origin {
        address: address.to_owned(),
        derived: Arc::clone(derived),
    });
    let group = group(address, &[address]);
    let weak = Arc::downgrade(&group);
    updates.apply_derived([(group, origin as Arc<dyn GroupOrigin>)]);
    weak
}

#[tokio::test(start_paused = true)]
async fn group_with_an_origin_is_shown_and_not_kept() {
    let host = Host::start();
    let mut web = job("web", vec![mock("m")]);
    let dropped = serde_json::json!(
        {"source_labels": ["__address__"], "regex": "drop.*", "action": "drop"}
    );
    web.relabel_rules = vec![rule(dropped)];
    host.apply(vec![web]).await;
    let updates = host.mocks.updates("m").await;
    let derived = Arc::default();
    let kept = ["a:1", "drop:1"].map(|address| derive(&updates, address, &derived));
    updates.synced();
    let snapshot = host
        .wait("web", |snapshot| {
            snapshot.known && snapshot.groups.len() == 2
        })
        .await;
    assert!(kept.iter().all(|group| group.upgrade().is_none()));
    assert_eq!(derived.load(Ordering::SeqCst), 0, "the group was at hand");
    assert_eq!(served(&snapshot, Stage::Final)[0]["targets"][0], "a:1");
    assert_eq!(
        derived.load(Ordering::SeqCst),
        0,
        "the final list needs no group"
    );
    let discovered = served(&snapshot, Stage::Discovered);
    assert_eq!(discovered[1]["targets"][0], "drop:1");
    assert_eq!(derived.load(Ordering::SeqCst), 2);
    let expected = Host::start();
    let mut web = snapshot.job.as_ref().clone();
    web.sections = vec![mock("m")];
    expected.apply(vec![web]).await;
    let whole = ["a:1", "drop:1"].map(|address| group(address, &[address]));
    expected.mocks.updates("m").await.replace(whole.to_vec());
    let expected = expected.wait("web", |snapshot| snapshot.known).await;
    assert_eq!(snapshot.version, expected.version);
}

#[tokio::test(start_paused = true)]
async fn group_with_an_origin_goes_and_feeds_later_jobs() {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    let derived = Arc::default();
    derive(&updates, "a:1", &derived);
    derive(&updates, "b:1", &derived);
    updates.synced();
    host.wait_addresses("web", &["a:1", "b:1"]).await;
    host.apply(vec![
        job("web", vec![mock("m")]),
        job("late", vec![mock("m")]),
    ])
    .await;
    host.wait_addresses("late", &["a:1", "b:1"]).await;
    updates.apply(group("a:1", &[]));
    host.wait_addresses("web", &["b:1"]).await;
    host.wait_addresses("late", &["b:1"]).await;
}

#[tokio::test(start_paused = true)]
async fn burst_of_groups_waits_without_being_kept() {
    let (updates, probe) = Updates::testing();
    let derived: Arc<AtomicUsize> = Arc::default();
    let kept: Vec<_> = addresses(3000)
        .iter()
        .map(|address| derive(&updates, address, &derived))
        .collect();
    let waiting = kept.iter().filter(|group| group.upgrade().is_some());
    assert_eq!(waiting.count(), 1024);
    assert_eq!(within(async { probe.groups().len() }).await, 3000);
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn targets_that_are_not_active_stay_too() {
    let mut registry = Registry::default();
    let host = Host::start_with(DiscoveryMetrics::register(&mut registry));
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    let mut all = addresses(8);
    all[2] = "in/valid".to_owned();
    updates.replace(vec![group_of(&all)]);
    host.wait("web", |snapshot| snapshot.known).await;
    all.remove(0);
    updates.apply(group_of(&all));
    let after = host
        .wait("web", |snapshot| {
            snapshot
                .groups
                .values()
                .all(|group| group.targets.len() == 7)
        })
        .await;
    let result = after.groups.values().next().unwrap();
    assert!(matches!(&result.targets[1].outcome, Outcome::Invalid(_)));
    assert_eq!(relabelled(&registry), 8);
}
