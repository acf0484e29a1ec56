//! The pending map: whatever the history and whenever it is drained, the last state wins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use periplus_core::TargetGroup;
use periplus_discovery::{ProviderState, Updates};
use proptest::prelude::*;

use crate::support::{group, within};

type Groups = BTreeMap<Arc<str>, Arc<TargetGroup>>;

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<(u8, u8)>),
    Replace {
        groups: Vec<(u8, u8)>,
        lapsed: Vec<u8>,
    },
    /// The other side takes what is pending.
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // A second number of 0 is a group without targets.
    let groups = || proptest::collection::vec((0..5_u8, 0..4_u8), 0..5);
    let step = prop_oneof![
        3 => groups().prop_map(Step::Apply),
        2 => (groups(), proptest::collection::vec(0..5_u8, 0..3))
            .prop_map(|(groups, lapsed)| Step::Replace { groups, lapsed }),
        2 => Just(Step::Drain),
    ];
    proptest::collection::vec(step, 0..20)
}

fn made((source, content): (u8, u8)) -> Arc<TargetGroup> {
    let addresses: &[&str] = if content == 0 {
        &[]
    } else {
        &[&format!("{content}:1")]
    };
    group(&source.to_string(), addresses)
}

/// What every step means, without any pending map.
fn model(state: &mut Groups, step: &Step) {
    let (groups, kept) = match step {
        Step::Apply(groups) => (groups, None),
        Step::Replace { groups, lapsed } => (
            groups,
            Some(lapsed.iter().map(u8::to_string).collect::<BTreeSet<_>>()),
        ),
        Step::Drain => return,
    };
    if let Some(kept) = kept {
        state.retain(|source, _| kept.contains(&**source));
    }
    for group in groups.iter().copied().map(made) {
        if group.targets.is_empty() {
            state.remove(&group.source);
        } else {
            state.insert(Arc::clone(&group.source), group);
        }
    }
}

proptest! {
    #[test]
    fn any_history_ends_in_the_state_of_the_model(steps in steps()) {
        let (updates, probe) = Updates::testing();
        let mut expected = Groups::new();
        for step in &steps {
            model(&mut expected, step);
            match step {
                Step::Apply(groups) => updates.apply_all(groups.iter().copied().map(made)),
                Step::Replace { groups, lapsed } => {
                    let lapsed: Vec<Arc<str>> =
                        lapsed.iter().map(|source| source.to_string().into()).collect();
                    updates.replace_except(groups.iter().copied().map(made).collect(), &lapsed);
                }
                Step::Drain => prop_assert_eq!(&probe.groups(), &expected),
            }
        }
        prop_assert_eq!(&probe.groups(), &expected);
        let status = probe.status();
        prop_assert_eq!(status.groups, expected.len());
        prop_assert_eq!(status.targets, expected.len());
    }
}

#[tokio::test(start_paused = true)]
async fn probe_sees_what_a_provider_says() {
    let (updates, probe) = Updates::testing();
    assert_eq!(probe.status().state, ProviderState::Starting);
    updates.waiting_for(Some("the list".to_owned()));
    within(probe.changed()).await;
    assert_eq!(probe.status().waiting_for.as_deref(), Some("the list"));
    updates.failure("refused");
    assert_eq!(probe.status().state, ProviderState::Failing);
    let writer = tokio::spawn(async move {
        updates.replace(vec![group("0", &["a:1"])]);
        updates.success();
    });
    within(probe.wait_until(|probe| probe.status().state == ProviderState::Ready)).await;
    assert_eq!(probe.groups().len(), 1);
    assert!(probe.status().synced);
    assert_eq!(probe.status().waiting_for, None);
    writer.await.unwrap();
}
