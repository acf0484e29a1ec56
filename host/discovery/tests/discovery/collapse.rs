//! Targets of a job that are the same count once.

use std::collections::BTreeMap;
use std::sync::Arc;

use periplus_config::Job;
use periplus_core::TargetGroup;
use periplus_discovery::{Snapshot, Stage};
use proptest::prelude::*;

use crate::support::{Host, group, job, mock, rule, served};

/// A job whose rules make the part of the address before the dash the whole address.
fn merging() -> Job {
    let mut job = job("web", vec![mock("m"), mock("n")]);
    job.relabel_rules = vec![rule(
        serde_json::json!({"source_labels": ["__address__"], "regex": "([a-z]*)-.*", "target_label": "__address__"}),
    )];
    job
}

/// The discovered address that stands for each final one.
fn standing(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let mut standing = BTreeMap::new();
    for result in snapshot.groups.values() {
        for (index, target) in result.targets.iter().enumerate() {
            let periplus_core::target::Outcome::Active(last) = &target.outcome else {
                continue;
            };
            if !result.is_copy(index) {
                let address = last.labels.get("__address__").unwrap().to_owned();
                let row = result.discovered().group().targets[target.row as usize].clone();
                let discovered = row.get("__address__").unwrap().to_owned();
                let earlier = standing.insert(address.clone(), discovered);
                assert_eq!(earlier, None, "two targets stand for `{address}`");
            }
        }
    }
    standing
}

fn pairs(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter()
        .map(|(last, discovered)| ((*last).to_owned(), (*discovered).to_owned()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn equal_targets_of_two_providers_count_once_and_removing_one_keeps_the_other() {
    let host = Host::start();
    host.apply(vec![merging()]).await;
    let (m, n) = (host.mocks.updates("m").await, host.mocks.updates("n").await);
    m.replace(vec![group("0", &["a-2", "b-1"])]);
    n.replace(vec![group("0", &["a-1"]), group("1", &["c-1"])]);
    let both = host.wait_addresses("web", &["a", "b", "c"]).await;
    assert_eq!(
        standing(&both),
        pairs(&[("a", "a-1"), ("b", "b-1"), ("c", "c-1")])
    );
    let discovered = served(&both, Stage::Discovered);
    assert_eq!(
        discovered.as_array().unwrap().len(),
        4,
        "earlier stages show every copy"
    );

    n.apply(group("0", &[]));
    let expected = pairs(&[("a", "a-2"), ("b", "b-1"), ("c", "c-1")]);
    let one = host
        .wait("web", |snapshot| standing(snapshot) == expected)
        .await;
    let result = |snapshot: &Snapshot| {
        let of = |source: &str, address: &str| {
            let mut all = snapshot.groups.iter();
            all.find(|(key, result)| {
                *key.source == *source
                    && result.discovered().group().targets[0].get("__address__") == Some(address)
            })
            .map(|(_, result)| Arc::clone(result))
            .unwrap()
        };
        (of("0", "a-2"), of("1", "c-1"))
    };
    assert!(!Arc::ptr_eq(&result(&both).0, &result(&one).0));
    assert!(
        Arc::ptr_eq(&result(&both).1, &result(&one).1),
        "others are not touched"
    );
    assert_ne!(
        both.stage_version(Stage::Final),
        one.stage_version(Stage::Discovered)
    );
}

#[tokio::test(start_paused = true)]
async fn copies_within_one_group_count_once() {
    let host = Host::start();
    host.apply(vec![merging()]).await;
    host.mocks.updates("n").await.replace(Vec::new());
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["a-3", "a-1", "a-2", "a-1"])]);
    let snapshot = host.wait_addresses("web", &["a"]).await;
    assert_eq!(standing(&snapshot), pairs(&[("a", "a-1")]));
}

/// What happens to one group: its new addresses.
type Step = (bool, u8, Vec<String>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let address = ("[ab]", 0..3_u8).prop_map(|(name, n)| format!("{name}-{n}"));
    let addresses = proptest::collection::vec(address, 0..4);
    proptest::collection::vec((any::<bool>(), 0..4_u8, addresses), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However groups came and went, the smallest discovered address stands, and the snapshot is
    /// the same as that of a host that has seen the last state alone.
    #[test]
    fn any_history_ends_like_its_last_state(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut model: BTreeMap<(bool, u8), Arc<TargetGroup>> = BTreeMap::new();
            let host = Host::start();
            host.apply(vec![merging()]).await;
            let (m, n) = (host.mocks.updates("m").await, host.mocks.updates("n").await);
            m.synced();
            n.synced();
            for (at_m, source, addresses) in steps {
                let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
                let group = group(&source.to_string(), &addresses);
                if at_m { &m } else { &n }.apply(Arc::clone(&group));
                model.insert((at_m, source), group);
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            let last = Host::start();
            last.apply(vec![merging()]).await;
            for (id, side) in [("m", true), ("n", false)] {
                let groups = model.iter().filter(|((at_m, _), _)| *at_m == side);
                let groups = groups.map(|(_, group)| Arc::clone(group)).collect();
                last.mocks.updates(id).await.replace(groups);
            }
            let expected = last.wait("web", |snapshot| snapshot.known).await;
            let actual = host.now("web");
            assert_eq!(served(&actual, Stage::Final), served(&expected, Stage::Final));
            assert_eq!(actual.version, expected.version);
            assert_eq!(standing(&actual), smallest(model.values()));
        });
    }
}

/// The rule, said naively.
fn smallest<'a>(groups: impl Iterator<Item = &'a Arc<TargetGroup>>) -> BTreeMap<String, String> {
    let mut smallest: BTreeMap<String, String> = BTreeMap::new();
    for target in groups.flat_map(|group| &group.targets) {
        let discovered = target.get("__address__").unwrap();
        let last = discovered.split('-').next().unwrap().to_owned();
        let stands = smallest
            .entry(last)
            .or_insert_with(|| discovered.to_owned());
        if discovered < stands.as_str() {
            discovered.clone_into(stands);
        }
    }
    smallest
}
