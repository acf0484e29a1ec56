//! Walking the targets of a snapshot, and sharing them by shards.

use std::collections::BTreeSet;

use periplus_discovery::{Shard, Snapshot, Stage};

use crate::support::{Host, group, job, mock, rule};

/// Every target as its address at the stage, and the key that it is shared by.
fn walked(snapshot: &Snapshot, stage: Stage) -> Vec<(String, String)> {
    let mut all = Vec::new();
    snapshot.visit_targets(stage, |_, target| {
        let address = target.labels().find(|(name, _)| *name == "__address__");
        let (_, address) = address.unwrap();
        all.push((address.to_owned(), target.shard_key().to_owned()));
    });
    all
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    let of = of.iter();
    of.map(|(address, key)| ((*address).to_owned(), (*key).to_owned()))
        .collect()
}

/// A host whose job cuts addresses at the dash and drops those that begin with `x`.
async fn cutting(groups: &[(&str, &[&str])]) -> (Host, std::sync::Arc<Snapshot>) {
    let host = Host::start();
    let mut job = job("web", vec![mock("m")]);
    job.relabel_rules = vec![
        rule(
            serde_json::json!({"action": "drop", "source_labels": ["__address__"], "regex": "x.*"}),
        ),
        rule(
            serde_json::json!({"source_labels": ["__address__"], "regex": "([a-z]*)-.*", "target_label": "__address__"}),
        ),
    ];
    host.apply(vec![job]).await;
    let groups = groups
        .iter()
        .map(|(source, addresses)| group(source, addresses));
    host.mocks.updates("m").await.replace(groups.collect());
    let known = host.wait("web", |snapshot| snapshot.known).await;
    (host, known)
}

#[tokio::test(start_paused = true)]
async fn walk_shows_each_stage_with_the_discovered_address_and_without_copies() {
    let (_host, snapshot) = cutting(&[("0", &["b-1", "x-1", "a-2"]), ("1", &["a-1", "b-2"])]).await;
    assert_eq!(
        walked(&snapshot, Stage::Final),
        pairs(&[("b", "b-1"), ("a", "a-1")])
    );
    let earlier = pairs(&[("b-1", "b-1"), ("x-1", "x-1"), ("a-1", "a-1")]);
    assert_eq!(walked(&snapshot, Stage::Transformed), earlier);
    assert_eq!(walked(&snapshot, Stage::Discovered), earlier);
}

#[tokio::test(start_paused = true)]
async fn every_target_is_in_one_shard_at_every_stage() {
    let addresses: Vec<String> = (0..200)
        .map(|n| format!("{}-{n}", ["a", "b", "c"][n % 3]))
        .collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let (_host, snapshot) = cutting(&[("0", &addresses[..90]), ("1", &addresses[90..])]).await;
    for stage in Stage::ALL {
        let all = walked(&snapshot, stage);
        assert_eq!(all.len(), 3, "{stage:?}");
        let mut shared = BTreeSet::new();
        for index in 0..3 {
            let shard = Shard::new(index, 3).unwrap();
            for target in all.iter().filter(|(_, key)| shard.holds(key)) {
                assert!(shared.insert(target.clone()), "{target:?} is in two shards");
            }
        }
        assert_eq!(shared.len(), all.len());
    }
}
