//! Objects that no API server should send.

use super::streams::state_end;
use super::*;

/// What is made of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    Skipped,
}

fn named(fields: Value) -> Value {
    let mut object = json!({"metadata": {"namespace": "ns", "name": "x", "resourceVersion": "11"}});
    for (field, value) in fields.as_object().unwrap() {
        object[field] = value.clone();
    }
    object
}

fn metadata(name: &str, value: Value) -> Value {
    let mut object = named(json!({}));
    object["metadata"][name] = value;
    object
}

/// All of them.
fn hostile() -> impl Iterator<Item = (&'static str, Value, Fate)> {
    let kept = odd()
        .into_iter()
        .map(|(what, object)| (what, object, Fate::Kept));
    let skipped = bad()
        .into_iter()
        .map(|(what, object)| (what, object, Fate::Skipped));
    kept.chain(skipped)
}

/// Unusual, and nothing that could not be.
fn odd() -> Vec<(&'static str, Value)> {
    let ports: Vec<Value> = (0..70_000)
        .map(|at| json!({"containerPort": at % 65_536}))
        .collect();
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let pairs: Vec<String> = (0..10_000)
        .map(|at| format!("\"key-{at}\":\"{at}\""))
        .collect();
    let many_labels: Value = serde_json::from_str(&format!("{{{}}}", pairs.join(","))).unwrap();
    vec![
        ("nothing but names", named(json!({}))),
        ("no status", named(json!({"spec": {"nodeName": "n"}}))),
        ("null parts", named(json!({"spec": null, "status": null}))),
        ("null labels", metadata("labels", json!(null))),
        ("null owners", metadata("ownerReferences", json!(null))),
        ("unknown fields", named(json!({"zzz": deep}))),
        (
            "70,000 ports",
            named(json!({"spec": {"containers": [{"name": "c", "ports": ports}]}})),
        ),
        ("10,000 labels", metadata("labels", many_labels)),
        (
            "a huge label",
            metadata("labels", json!({"a": "b".repeat(1 << 20)})),
        ),
    ]
}

/// No objects of this kind.
fn bad() -> Vec<(&'static str, Value)> {
    vec![
        ("labels that are a number", metadata("labels", json!(7))),
        (
            "a label that is a number",
            metadata("labels", json!({"a": 7})),
        ),
        (
            "owners that are a map",
            metadata("ownerReferences", json!({})),
        ),
        ("a name that is a list", metadata("name", json!([]))),
        ("a name with a slash", metadata("name", json!("a/b"))),
        ("an empty name", metadata("name", json!(""))),
        ("no namespace", metadata("namespace", json!(null))),
        ("metadata that is a text", json!({"metadata": "x"})),
        (
            "containers that are a map",
            named(json!({"spec": {"containers": {}}})),
        ),
        (
            "a status that is a text",
            named(json!({"status": "Running"})),
        ),
        (
            "a port that is a text",
            named(json!({"spec": {"containers": [
                {"name": "c", "ports": [{"containerPort": "http"}]},
            ]}})),
        ),
        (
            "gigantic",
            metadata("labels", json!({"a": "b".repeat(9 << 20)})),
        ),
    ]
}

/// The object between two good ones, in each way in which it can come.
fn ways(object: &Value) -> [(&'static str, Vec<Answer>, bool); 3] {
    let (a, b) = (pod("a", 1, "1.1.1.1"), pod("b", 2, "1.1.1.2"));
    let after = event("MODIFIED", &pod("b", 12, "9.9.9.9"));
    let added = |object: &Value| event("ADDED", object);
    [
        (
            "listed",
            vec![
                list(11, &[a.clone(), object.clone(), b.clone()]),
                watch(std::slice::from_ref(&after)),
            ],
            false,
        ),
        (
            "watched",
            vec![
                list(10, &[a.clone(), b.clone()]),
                watch(&[added(object), after.clone()]),
            ],
            false,
        ),
        (
            "streamed",
            vec![watch(&[
                added(&a),
                added(object),
                added(&b),
                state_end(11),
                after,
            ])],
            true,
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_hostile_object_is_kept_or_skipped_and_spoils_no_other() {
    for (what, object, fate) in hostile() {
        for (way, answers, streams) in ways(&object) {
            let run = if streams {
                run_on(Capabilities::default(), SHORT, answers).await
            } else {
                run_for(SHORT, answers).await
            };
            let requests = if streams { 1 } else { 2 };
            assert_eq!(
                run.calls().len(),
                requests,
                "{what}, {way}: {:?}",
                run.shape()
            );
            let names = run.seen.names();
            let expected: &[&str] = match fate {
                Fate::Kept => &["a", "b", "x"],
                Fate::Skipped => &["a", "b"],
            };
            assert_eq!(names, expected, "{what}, {way}");
            let rejected = u64::from(fate == Fate::Skipped);
            assert_eq!(run.metrics.rejected_count("pod"), rejected, "{what}, {way}");
            let told = run.seen.told();
            assert_eq!(told.last().unwrap(), "+pod/ns/b", "{what}, {way}");
            assert!(
                run.status.synced && run.status.problem.is_none(),
                "{what}, {way}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_an_object_outlives_what_cannot_be_read_of_it() {
    for (what, object, fate) in hostile() {
        if fate == Fate::Kept || object["metadata"]["name"] != json!("x") {
            continue;
        }
        let known = || list(10, &[pod("x", 1, "1.1.1.1")]);
        let relisted = [
            known(),
            watch(&[error(410)]),
            list(20, std::slice::from_ref(&object)),
            watch(&[]),
        ];
        let changed = [known(), watch(&[event("MODIFIED", &object)])];
        for answers in [relisted.to_vec(), changed.to_vec()] {
            let run = run_for(SHORT, answers).await;
            assert_eq!(run.seen.names(), ["x"], "{what}: {:?}", run.shape());
            assert_eq!(run.seen.told(), ["+pod/ns/x"], "{what}");
        }
    }
}
