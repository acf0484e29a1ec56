//! Actions, after upstream's `TestRelabel`.

use super::super::{RawRule, Relabeler};
use super::*;
use crate::label::LabelSet;

/// The labels after `rules`, as JSON; `None` if they drop the target.
fn relabel(labels: &str, rules: &str) -> Option<String> {
    let labels: LabelSet = serde_json::from_str(labels).unwrap();
    let raw: Vec<RawRule> = serde_json::from_str(rules).unwrap();
    let rules: Vec<Rule> = raw
        .iter()
        .map(|raw| Rule::new(raw, NameScheme::Utf8).unwrap())
        .collect();
    let mut builder = LabelBuilder::from_set(&labels);
    let keep = Relabeler::new(&rules).process(&mut builder);
    keep.then(|| serde_json::to_string(&builder.build()).unwrap())
}

/// Labels, rules, and the labels afterwards.
type Case = (&'static str, &'static str, Option<&'static str>);

fn check(cases: &[Case]) {
    for (labels, rules, result) in cases {
        assert_eq!(relabel(labels, rules).as_deref(), *result, "{rules}");
    }
}

#[test]
fn values_are_matched_whole_and_replaced() {
    check(&[
        (
            r#"{"a":"foo","b":"bar"}"#,
            r#"[{"source_labels":["a"],"regex":"f(.*)","target_label":"d","separator":";","replacement":"ch${1}-ch${1}"}]"#,
            Some(r#"{"a":"foo","b":"bar","d":"choo-choo"}"#),
        ),
        (
            r#"{"a":"foo","b":"bar"}"#,
            r#"[{"source_labels":["a","b"],"regex":"f(.*);(.*)r","target_label":"a","replacement":"b${1}${2}m"}]"#,
            Some(r#"{"a":"boobam","b":"bar"}"#),
        ),
        (
            r#"{"a":"foo"}"#,
            r#"[{"source_labels":["a"],"regex":".*o.*","action":"drop"}]"#,
            None,
        ),
        // Anchored: neither branch is the whole value.
        (
            r#"{"a":"foo"}"#,
            r#"[{"source_labels":["a"],"regex":"f|o","action":"drop"}]"#,
            Some(r#"{"a":"foo"}"#),
        ),
        (
            r#"{"a":"foo"}"#,
            r#"[{"source_labels":["a"],"regex":"no","action":"keep"}]"#,
            None,
        ),
        (
            r#"{"a":"x\ny"}"#,
            r#"[{"source_labels":["a"],"regex":"x.y","action":"keep"}]"#,
            Some(r#"{"a":"x\ny"}"#),
        ),
        // An empty result removes the label, and one that does not match changes nothing.
        (
            r#"{"a":"foo","f":"1"}"#,
            r#"[{"source_labels":["a"],"regex":"(f).*","target_label":"$1","replacement":"$2"}]"#,
            Some(r#"{"a":"foo"}"#),
        ),
        (
            r#"{"a":"foo"}"#,
            r#"[{"source_labels":["a"],"regex":"bar","target_label":"a","replacement":""}]"#,
            Some(r#"{"a":"foo"}"#),
        ),
        // A target that expands to no name changes nothing.
        (
            r#"{"a":"foo"}"#,
            r#"[{"source_labels":["a"],"regex":"(foo)(x)?","target_label":"$2","replacement":"y"}]"#,
            Some(r#"{"a":"foo"}"#),
        ),
    ]);
}

#[test]
fn values_are_hashed_and_names_mapped_dropped_and_kept() {
    check(&[
        (
            r#"{"c":"baz"}"#,
            r#"[{"source_labels":["c"],"target_label":"d","action":"hashmod","modulus":1000}]"#,
            Some(r#"{"c":"baz","d":"976"}"#),
        ),
        (
            r#"{"a":"foo\nbar"}"#,
            r#"[{"source_labels":["a"],"target_label":"b","action":"hashmod","modulus":1000}]"#,
            Some(r#"{"a":"foo\nbar","b":"734"}"#),
        ),
        (
            r#"{"a":"foo","b1":"bar","b2":"baz"}"#,
            r#"[{"regex":"(b.*)","replacement":"bar_${1}","action":"labelmap"}]"#,
            Some(r#"{"a":"foo","b1":"bar","b2":"baz","bar_b1":"bar","bar_b2":"baz"}"#),
        ),
        // What breaks out of the anchors is replaced wherever it matches.
        (
            r#"{"xabx":"1"}"#,
            r#"[{"regex":"no)|[ab]|(no","replacement":"-","action":"labelmap"}]"#,
            Some(r#"{"x--x":"1","xabx":"1"}"#),
        ),
        (
            r#"{"a":"1","b1":"2","b2":"3"}"#,
            r#"[{"regex":"b.*","action":"labeldrop"}]"#,
            Some(r#"{"a":"1"}"#),
        ),
        (
            r#"{"a":"1","b1":"2","b2":"3"}"#,
            r#"[{"regex":"b.*","action":"labelkeep"}]"#,
            Some(r#"{"b1":"2","b2":"3"}"#),
        ),
    ]);
}

#[test]
fn values_are_compared_and_mapped() {
    check(&[
        (
            r#"{"foo":"bAr123Foo"}"#,
            r#"[{"source_labels":["foo"],"target_label":"l","action":"lowercase"},{"source_labels":["foo"],"target_label":"u","action":"uppercase"}]"#,
            Some(r#"{"foo":"bAr123Foo","l":"bar123foo","u":"BAR123FOO"}"#),
        ),
        (
            r#"{"a":"1","b":"1"}"#,
            r#"[{"source_labels":["a"],"target_label":"b","action":"keepequal"},{"source_labels":["no"],"target_label":"none","action":"keepequal"}]"#,
            Some(r#"{"a":"1","b":"1"}"#),
        ),
        (
            r#"{"a":"1","b":"1"}"#,
            r#"[{"source_labels":["a"],"target_label":"b","action":"dropequal"}]"#,
            None,
        ),
    ]);
}

#[test]
fn of_two_labels_with_one_new_name_the_last_visited_wins() {
    let map =
        |set: &str| format!(r#"[{set}{{"regex":"[xyz]","replacement":"n","action":"labelmap"}}]"#);
    // In the order of the names, where upstream has none.
    assert_eq!(
        relabel(r#"{"x":"1","z":"3","y":"2"}"#, &map("")).unwrap(),
        r#"{"n":"3","x":"1","y":"2","z":"3"}"#
    );
    // Labels that a rule added come after the others.
    let add = r#"{"target_label":"x","replacement":"added"},"#;
    assert_eq!(
        relabel(r#"{"y":"2","z":"3"}"#, &map(add)).unwrap(),
        r#"{"n":"added","x":"added","y":"2","z":"3"}"#
    );
    // Ones that a rule changed stay in their place.
    assert_eq!(
        relabel(r#"{"x":"1","z":"3"}"#, &map(add)).unwrap(),
        r#"{"n":"3","x":"added","z":"3"}"#
    );
}

#[test]
fn a_groups_labels_are_visited_after_the_targets_own() {
    let set = |text| serde_json::from_str::<LabelSet>(text).unwrap();
    let (group, target) = (set(r#"{"a":"group"}"#), set(r#"{"b":"target"}"#));
    let mut builder = LabelBuilder::from_set(&LabelSet::merge(&group, &target));
    builder.set_own(&target);
    let raw: RawRule =
        serde_json::from_str(r#"{"regex":"[ab]","replacement":"n","action":"labelmap"}"#).unwrap();
    let rule = Rule::new(&raw, NameScheme::Utf8).unwrap();
    assert!(Relabeler::new(&[rule]).process(&mut builder));
    assert_eq!(builder.get("n"), Some("group"));
}
