//! Label sets and builders, against a map.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;

use proptest::prelude::*;

use super::*;

type Map = BTreeMap<String, String>;

fn labels() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("[a-cß]{0,3}", "[a-z日]{0,4}"), 0..12)
}

fn as_map(set: &LabelSet) -> Map {
    set.iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn std_hash(set: &LabelSet) -> u64 {
    let mut hasher = DefaultHasher::new();
    set.hash(&mut hasher);
    hasher.finish()
}

#[derive(Clone, Debug)]
enum Change {
    Set(String, String),
    Remove(String),
    Retain(char),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        ("[a-cß]{0,3}", "[a-z]{0,3}").prop_map(|(name, value)| Change::Set(name, value)),
        "[a-cß]{0,3}".prop_map(Change::Remove),
        prop::char::range('a', 'c').prop_map(Change::Retain),
    ];
    prop::collection::vec(change, 0..20)
}

proptest! {
    #[test]
    fn a_set_is_a_sorted_map(labels in labels()) {
        let set: LabelSet = labels.iter().map(|(n, v)| (n, v)).collect();
        let map: Map = labels.into_iter().collect();
        prop_assert_eq!(as_map(&set), map.clone());
        prop_assert!(set.iter().map(|(name, _)| name.to_owned()).eq(map.keys().cloned()));
        prop_assert_eq!(set.len(), map.len());
        for name in ["", "a", "b", "ab", "ß", "zz"] {
            prop_assert_eq!(set.get(name), map.get(name).map(String::as_str));
        }
    }

    #[test]
    fn equality_order_and_hashes_are_those_of_the_labels(left in labels(), right in labels()) {
        let (one, two): (LabelSet, LabelSet) =
            (left.iter().map(|(n, v)| (n, v)).collect(), right.iter().map(|(n, v)| (n, v)).collect());
        let (left, right): (Map, Map) = (left.into_iter().collect(), right.into_iter().collect());
        prop_assert_eq!(one == two, left == right);
        prop_assert_eq!(one.cmp(&two), left.iter().cmp(right.iter()));
        prop_assert_eq!(one.content_hash() == two.content_hash(), left == right);
        prop_assert_eq!(std_hash(&one) == std_hash(&two), left == right);
    }

    #[test]
    fn a_builder_is_a_map_under_change(labels in labels(), changes in changes()) {
        let set: LabelSet = labels.iter().map(|(n, v)| (n, v)).collect();
        let mut map: Map = labels.into_iter().collect();
        let mut builder = LabelBuilder::from_set(&LabelSet::default());
        builder.set("a", "from before the reset");
        builder.reset(&set);
        for change in changes {
            match change {
                Change::Set(name, value) => {
                    builder.set(&name, &value);
                    map.insert(name, value);
                }
                Change::Remove(name) => {
                    builder.remove(&name);
                    map.remove(&name);
                }
                Change::Retain(letter) => {
                    builder.retain(|name| !name.starts_with(letter));
                    map.retain(|name, _| !name.starts_with(letter));
                }
            }
            for name in ["", "a", "b", "ab", "ß"] {
                prop_assert_eq!(builder.get(name), map.get(name).map(String::as_str));
            }
        }
        let seen: Vec<_> = builder.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        prop_assert_eq!(seen, map.clone().into_iter().collect::<Vec<_>>());
        map.retain(|_, value| !value.is_empty());
        prop_assert_eq!(as_map(&builder.build()), map);
    }

    #[test]
    fn a_targets_own_label_wins_and_hides(group in labels(), target in labels()) {
        let merged = LabelSet::merge(
            &group.iter().map(|(n, v)| (n, v)).collect(),
            &target.iter().map(|(n, v)| (n, v)).collect(),
        );
        let mut map: Map = group.into_iter().chain(target).collect();
        map.retain(|_, value| !value.is_empty());
        prop_assert_eq!(as_map(&merged), map);
    }
}

#[test]
fn long_values_are_found() {
    for length in [0, 1, 127, 128, 129, 16_383, 16_384, 3_000_000] {
        let long = "x".repeat(length);
        let set: LabelSet = [("a", "first"), ("b", &long), ("c", "last")]
            .into_iter()
            .collect();
        assert_eq!(set.get("a"), Some("first"));
        assert_eq!(set.get("b"), Some(long.as_str()));
        assert_eq!(set.get("c"), Some("last"));
    }
}

#[test]
fn sets_read_and_write_json() {
    let set: LabelSet = serde_json::from_str(r#"{"b":"2","a":"1","c":""}"#).unwrap();
    assert_eq!(
        serde_json::to_string(&set).unwrap(),
        r#"{"a":"1","b":"2","c":""}"#
    );
    assert!(serde_json::from_str::<LabelSet>(r#"{"a":1}"#).is_err());
}

#[test]
fn content_hashes_never_change() {
    assert_eq!(
        LabelSet::default().content_hash().to_string(),
        "2f7e493a74a51daa01cb3a6a19d394f6"
    );
    let set: LabelSet = [("__address__", "10.0.0.1:80"), ("job", "x")]
        .into_iter()
        .collect();
    assert_eq!(
        set.content_hash().to_string(),
        "be80a26f817c92f495e1740652122413"
    );
}

/// The rule of merging, said naively.
fn naively_merged(group: &LabelSet, target: &LabelSet) -> LabelSet {
    let of_group = group.iter().filter(|(name, _)| target.get(name).is_none());
    let all = of_group.chain(target.iter());
    all.filter(|(_, value)| !value.is_empty()).collect()
}

proptest::proptest! {
    /// Few names, so that remembered plans are used again, for values that they do not suit too.
    #[test]
    fn merging_follows_the_rule_however_often(
        sets in proptest::collection::vec(
            (
                proptest::collection::btree_map("[a-d]", "[x-z]?", 0..4),
                proptest::collection::btree_map("[a-d]", "[x-z]?", 0..4),
            ),
            1..40,
        )
    ) {
        for (group, target) in sets {
            let (group, target): (LabelSet, LabelSet) =
                (group.into_iter().collect(), target.into_iter().collect());
            let merged = LabelSet::merge(&group, &target);
            proptest::prop_assert_eq!(&merged, &naively_merged(&group, &target));
        }
    }

    #[test]
    fn order_is_that_of_the_labels(
        one in proptest::collection::btree_map("[ab]", "[x-z]{0,2}", 0..3),
        two in proptest::collection::btree_map("[ab]", "[x-z]{0,2}", 0..3),
    ) {
        let expected = one.iter().cmp(two.iter());
        let (one, two): (LabelSet, LabelSet) =
            (one.into_iter().collect(), two.into_iter().collect());
        proptest::prop_assert_eq!(one.cmp(&two), expected);
    }
}
