use periplus_config::AllocationStrategy::{ConsistentHashing, LeastWeighted, PerNode};
use proptest::prelude::*;

use super::*;

const HASHING: Options = Options {
    strategy: ConsistentHashing,
    fallback: None,
    rebalance: false,
};
const LEAST: Options = Options {
    strategy: LeastWeighted,
    fallback: None,
    rebalance: true,
};

fn key(number: usize) -> Key {
    ContentHash::of(format!("10.0.{}.{}:80", number >> 8, number & 255).as_bytes())
}

fn target(number: usize) -> Candidate<'static> {
    Candidate {
        key: key(number),
        node: None,
        zone: None,
        before: None,
    }
}

fn targets(count: usize) -> Vec<Candidate<'static>> {
    (0..count).map(target).collect()
}

fn collector(text: &str) -> Collector {
    // `id*weight@zone/node`
    let (text, node) = text
        .split_once('/')
        .map_or((text, None), |(a, b)| (a, Some(b)));
    let (text, zone) = text
        .split_once('@')
        .map_or((text, None), |(a, b)| (a, Some(b)));
    let (id, weight) = text.split_once('*').unwrap_or((text, "1"));
    Collector {
        id: id.into(),
        weight: weight.parse().expect("a number"),
        zone: zone.map(Into::into),
        node: node.map(Into::into),
    }
}

fn roster(texts: &[&str]) -> Roster {
    Roster::new(texts.iter().map(|text| collector(text)))
}

fn ids(owners: &[Option<Member>], roster: &Roster) -> Vec<Option<String>> {
    let id = |owner: &Option<Member>| owner.map(|it| roster.members()[it].id.clone());
    owners.iter().map(id).collect()
}

fn loads(owners: &[Option<Member>], roster: &Roster) -> Vec<usize> {
    let mut loads = vec![0; roster.members().len()];
    for owner in owners.iter().flatten() {
        loads[*owner] += 1;
    }
    loads
}

/// What owners become when the collectors change from one list to another.
fn moved(
    targets: &[Candidate<'static>],
    (from, to): (&Roster, &Roster),
    options: Options,
) -> Vec<(Option<String>, Option<String>)> {
    let before = ids(&assign(targets, from, options, &[]), from);
    let mut targets = targets.to_vec();
    for (target, owner) in targets.iter_mut().zip(&before) {
        target.before = owner.as_ref().and_then(|id| to.find(id));
    }
    let after = ids(&assign(&targets, to, options, &[]), to);
    before.into_iter().zip(after).collect()
}

#[test]
fn hashing_never_changes_between_versions() {
    let roster = roster(&["otel-0", "otel-1", "otel-2*2"]);
    let owners = assign(&targets(16), &roster, HASHING, &[]);
    let owners: Vec<usize> = owners.into_iter().flatten().collect();
    assert_eq!(owners, [1, 0, 1, 0, 0, 0, 2, 2, 0, 1, 2, 1, 0, 2, 1, 1]);
}

#[test]
fn loads_follow_weights() {
    let roster = roster(&["a", "b*2", "c*3"]);
    for (options, tolerance) in [(HASHING, 200), (LEAST, 1)] {
        let found = loads(&assign(&targets(12_000), &roster, options, &[]), &roster);
        for (found, fair) in found.iter().zip([2000, 4000, 6000]) {
            assert!(found.abs_diff(fair) <= tolerance, "{found} for {fair}");
        }
    }
}

#[test]
fn target_goes_to_its_zone_as_long_as_somebody_is_there() {
    let both = roster(&["a@east", "b@west", "c@west"]);
    let rest = roster(&["a@east"]);
    let mut all = targets(300);
    for (number, target) in all.iter_mut().enumerate() {
        target.zone = [Some("east"), Some("west"), Some("moon"), None][number % 4];
    }
    for options in [HASHING, LEAST] {
        for (number, owner) in ids(&assign(&all, &both, options, &[]), &both)
            .iter()
            .enumerate()
        {
            let owner = owner.as_deref().expect("everything has an owner");
            match number % 4 {
                0 => assert_eq!(owner, "a"),
                1 => assert_ne!(owner, "a"),
                _ => {}
            }
        }
        assert_eq!(loads(&assign(&all, &rest, options, &[]), &rest), [300]);
    }
}

#[test]
fn target_goes_to_its_node_and_else_falls_back() {
    let roster = roster(&["x/n1", "y/n2", "n3"]);
    let nodes = [Some("n1"), Some("n2"), Some("n3"), Some("n4"), None];
    let mut all = targets(50);
    for (number, target) in all.iter_mut().enumerate() {
        target.node = nodes[number % 5];
    }
    for fallback in [None, Some(ConsistentHashing), Some(LeastWeighted)] {
        let options = Options {
            strategy: PerNode,
            fallback,
            rebalance: true,
        };
        let owners = ids(&assign(&all, &roster, options, &[]), &roster);
        for (number, owner) in owners.iter().enumerate() {
            match number % 5 {
                0 => assert_eq!(owner.as_deref(), Some("x")),
                1 => assert_eq!(owner.as_deref(), Some("y")),
                2 => assert_eq!(owner.as_deref(), Some("n3")),
                _ => assert_eq!(owner.is_some(), fallback.is_some()),
            }
        }
    }
}

#[test]
fn least_weighted_counts_other_jobs_and_then_this_one() {
    let roster = roster(&["a", "b", "c"]);
    let owners = assign(&targets(4), &roster, LEAST, &[5, 2, 5]);
    assert_eq!(loads(&owners, &roster), [1, 3, 0]);
    // a and b have as much; of this job b has less.
    let mut three = targets(3);
    three[0].before = Some(0);
    let still = Options {
        rebalance: false,
        ..LEAST
    };
    let owners = assign(&three, &roster, still, &[0, 1, 9]);
    assert_eq!(ids(&owners[1..2], &roster), [Some("b".to_owned())]);
}

#[test]
fn least_weighted_stays_put_unless_collectors_change() {
    let roster = roster(&["a", "b"]);
    let mut all = targets(10);
    for target in &mut all {
        target.before = Some(0);
    }
    let still = Options {
        rebalance: false,
        ..LEAST
    };
    assert_eq!(loads(&assign(&all, &roster, still, &[]), &roster), [10, 0]);
    assert_eq!(loads(&assign(&all, &roster, LEAST, &[]), &roster), [5, 5]);
}

#[test]
fn nobody_there_means_no_owner() {
    let empty = roster(&[]);
    assert_eq!(assign(&targets(2), &empty, HASHING, &[]), [None, None]);
    assert_eq!(assign(&targets(2), &empty, LEAST, &[]), [None, None]);
}

fn collectors() -> impl Strategy<Value = Vec<Collector>> {
    let one = (
        "[a-h]",
        1_u32..4,
        prop::option::of("[xy]"),
        prop::option::of("[mn]"),
    );
    let one = one.prop_map(|(id, weight, zone, node)| Collector {
        id,
        weight,
        zone,
        node,
    });
    prop::collection::vec(one, 1..8)
}

fn options() -> impl Strategy<Value = Options> {
    let strategy = prop::sample::select(vec![ConsistentHashing, LeastWeighted, PerNode]);
    let fallback = prop::sample::select(vec![ConsistentHashing, LeastWeighted]);
    (strategy, fallback).prop_map(|(strategy, fallback)| Options {
        strategy,
        fallback: Some(fallback),
        rebalance: true,
    })
}

fn marked() -> impl Strategy<Value = Vec<Candidate<'static>>> {
    let zones = prop::sample::select(vec![None, Some("x"), Some("y"), Some("z")]);
    let nodes = prop::sample::select(vec![None, Some("m"), Some("n"), Some("a")]);
    let marks = prop::collection::vec((zones, nodes), 0..200);
    marks.prop_map(|marks| {
        let targets = marks.into_iter().enumerate();
        let marked = targets.map(|(number, (zone, node))| Candidate {
            node,
            zone,
            ..target(number)
        });
        marked.collect()
    })
}

proptest! {
    /// The order in which collectors are known does not matter, and everything has an owner.
    #[test]
    fn everything_has_one_owner_in_whatever_order(
        all in marked(),
        collectors in collectors(),
        options in options(),
    ) {
        let mut back = collectors.clone();
        // Of two with one id the first in order counts, so that is no matter of luck either.
        back.reverse();
        let (one, other) = (Roster::new(collectors), Roster::new(back));
        let owners = ids(&assign(&all, &one, options, &[]), &one);
        prop_assert!(owners.iter().all(Option::is_some));
        prop_assert_eq!(owners, ids(&assign(&all, &other, options, &[]), &other));
    }

    /// Who stays keeps what they have, but for what the one who comes gets.
    #[test]
    fn only_what_must_moves_by_hashing(count in 1_usize..400, size in 1_usize..12, weight in 1_u32..5) {
        let before = Roster::new((0..size).map(|n| Collector::named(format!("c{n}"))));
        let newcomer = Collector { weight, ..Collector::named("new") };
        let after = Roster::new(before.members().iter().cloned().chain([newcomer]));
        let all = targets(count);
        for (from, to) in moved(&all, (&before, &after), HASHING) {
            prop_assert!(from == to || to.as_deref() == Some("new"));
        }
        for (from, to) in moved(&all, (&after, &before), HASHING) {
            prop_assert!(from == to || from.as_deref() == Some("new"));
        }
    }

    /// No more moves than the newcomer's fair share, and loads are even afterwards.
    #[test]
    fn only_what_must_moves_by_load(count in 1_usize..400, size in 1_usize..12) {
        let before = Roster::new((0..size).map(|n| Collector::named(format!("c{n}"))));
        let newcomer = Collector::named("new");
        let after = Roster::new(before.members().iter().cloned().chain([newcomer]));
        let all = targets(count);
        let moves = moved(&all, (&before, &after), LEAST);
        let changed = moves.iter().filter(|(from, to)| from != to).count();
        prop_assert!(changed <= count.div_ceil(size + 1));
        let to: Vec<_> = moves.iter().map(|(_, to)| to.as_deref().and_then(|id| after.find(id))).collect();
        let loads = loads(&to, &after);
        prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
        for (from, to) in moved(&all, (&after, &before), LEAST) {
            prop_assert!(from == to || from.as_deref() == Some("new"));
        }
    }
}
