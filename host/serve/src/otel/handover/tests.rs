use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use periplus_core::ContentHash;

const PACE: Pace = Pace {
    settle: Duration::from_secs(40),
    deadline: Duration::from_mins(5),
};
const ONE: Key = ContentHash(1);

fn owners(pairs: &[(Key, &str)]) -> FxHashMap<Key, CollectorId> {
    pairs.iter().map(|(key, id)| (*key, (*id).into())).collect()
}

/// Time that passes when a test says so.
struct Lab {
    handovers: Handovers,
    now: Instant,
}

impl Lab {
    fn owned_by(id: &str) -> Self {
        let mut lab = Self {
            handovers: Handovers::default(),
            now: Instant::now(),
        };
        lab.moves_to(id);
        lab
    }

    fn moves_to(&mut self, id: &str) {
        self.handovers
            .update(owners(&[(ONE, id)]), Some(PACE), self.now);
    }

    fn asks(&mut self, id: &str) {
        self.handovers.settle(Some(PACE), self.now);
        self.handovers.told(id, self.now);
    }

    fn after(&mut self, seconds: u64) -> String {
        self.now += Duration::from_secs(seconds);
        self.handovers.settle(Some(PACE), self.now);
        let holders = [self.handovers.owner(ONE), self.handovers.leaving(ONE)];
        let holders: Vec<&str> = holders.into_iter().flatten().map(|id| &**id).collect();
        holders.join("+")
    }
}

#[test]
fn new_target_has_one_owner_at_once() {
    assert_eq!(Lab::owned_by("a").after(0), "a");
}

#[test]
fn old_owner_stays_until_the_new_one_asked_and_scraped() {
    let mut lab = Lab::owned_by("a");
    lab.moves_to("b");
    assert_eq!(lab.after(100), "b+a");
    lab.asks("a");
    lab.asks("c");
    assert_eq!(lab.after(50), "b+a", "others asking changes nothing");
    lab.asks("b");
    assert_eq!(lab.after(39), "b+a");
    lab.asks("b");
    assert_eq!(lab.after(1), "b", "counted from the first time it was told");
}

#[test]
fn deadline_ends_it_whether_the_new_owner_asked_or_not() {
    let mut lab = Lab::owned_by("a");
    lab.moves_to("b");
    assert_eq!(lab.after(299), "b+a");
    lab.asks("b");
    assert_eq!(lab.after(1), "b");
}

#[test]
fn target_that_comes_back_was_never_away() {
    let mut lab = Lab::owned_by("a");
    lab.moves_to("b");
    lab.asks("b");
    lab.after(10);
    lab.moves_to("a");
    assert_eq!(lab.after(0), "a");
    lab.moves_to("b");
    assert_eq!(lab.after(299), "b+a", "time counts from the last loss");
}

#[test]
fn target_that_moves_on_keeps_its_first_owner() {
    let mut lab = Lab::owned_by("a");
    lab.moves_to("b");
    lab.asks("b");
    lab.after(10);
    lab.moves_to("c");
    assert_eq!(lab.after(100), "c+a", "b having asked means nothing for c");
    lab.asks("c");
    assert_eq!(lab.after(40), "c");
    lab.moves_to("d");
    assert_eq!(lab.after(0), "d+c");
}

#[test]
fn target_that_is_gone_is_nobodys() {
    let mut lab = Lab::owned_by("a");
    lab.moves_to("b");
    lab.handovers
        .update(FxHashMap::default(), Some(PACE), lab.now);
    assert_eq!(lab.after(0), "");
    assert!(!lab.handovers.is_leaving("a"));
    lab.moves_to("c");
    assert_eq!(lab.after(0), "c", "what returns is new");
}

#[test]
fn without_a_hand_over_targets_move_at_once() {
    let mut lab = Lab::owned_by("a");
    lab.moves_to("b");
    lab.handovers.update(owners(&[(ONE, "c")]), None, lab.now);
    assert_eq!(lab.after(0), "c");
}

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    Assign(Vec<Option<u8>>),
    Ask(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(prop::option::weighted(0.9, 0_u8..4), 6).prop_map(Step::Assign),
        (0_u8..4).prop_map(Step::Ask),
        (0_u64..200).prop_map(Step::Wait),
    ]
}

proptest! {
    /// No target without its owner, never more than two, and nobody told beside the owner for longer
    /// than the deadline after having lost it.
    #[test]
    fn nothing_is_lost_and_nothing_is_owned_twice_beyond_the_deadline(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut handovers = Handovers::default();
        let mut now = Instant::now();
        let mut expected = FxHashMap::<Key, CollectorId>::default();
        // When each collector that is no owner any more began to be told beside the owner.
        let mut beside = FxHashMap::<(Key, CollectorId), Instant>::default();
        for step in steps {
            match step {
                Step::Assign(list) => {
                    let named = list.iter().enumerate();
                    expected = named
                        .filter_map(|(key, id)| {
                            Some((ContentHash(key as u128), CollectorId::from(id.as_ref()?.to_string())))
                        })
                        .collect();
                    handovers.update(expected.clone(), Some(PACE), now);
                }
                Step::Ask(id) => {
                    handovers.settle(Some(PACE), now);
                    handovers.told(&id.to_string(), now);
                }
                Step::Wait(seconds) => {
                    now += Duration::from_secs(seconds);
                    handovers.settle(Some(PACE), now);
                }
            }
            let mut told = BTreeSet::new();
            for key in (0..6).map(ContentHash) {
                prop_assert_eq!(handovers.owner(key), expected.get(&key));
                if let Some(from) = handovers.leaving(key) {
                    prop_assert!(expected.contains_key(&key));
                    prop_assert_ne!(Some(from), expected.get(&key));
                    told.insert((key, Arc::clone(from)));
                }
            }
            beside.retain(|pair, _| told.contains(pair));
            for pair in told {
                let since = *beside.entry(pair).or_insert(now);
                prop_assert!(now < since + PACE.deadline);
            }
        }
    }
}
