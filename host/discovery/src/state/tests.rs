//! What is written can be read, and what cannot be read hurts nobody.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use periplus_core::LabelSet;
use proptest::prelude::*;

use super::*;

const SECTION: ContentHash = ContentHash(7);

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    pairs
        .iter()
        .collect::<Vec<_>>()
        .into_iter()
        .copied()
        .collect()
}

fn group(source: &str, addresses: &[&str]) -> Arc<TargetGroup> {
    let target = |address: &&str| labels(&[("__address__", address), ("hides", "")]);
    Arc::new(TargetGroup {
        source: source.into(),
        labels: labels(&[("__meta_note", "line\nbreak \"\u{1f600}\"")]),
        targets: addresses.iter().map(target).collect(),
    })
}

fn known(groups: &[Arc<TargetGroup>]) -> OrdMap<Arc<str>, Discovered> {
    let entries = groups.iter().map(|group| {
        let discovered = Discovered::whole(Arc::clone(group));
        (Arc::clone(&group.source), discovered)
    });
    entries.collect()
}

/// A folder with the state of one section.
fn saved(groups: &[Arc<TargetGroup>]) -> (tempfile::TempDir, StateDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let state = StateDir::open(&path, StateDir::DEFAULT_MAX_STALE_AGE).unwrap();
    state.save(SECTION, &known(groups)).unwrap();
    (folder, state)
}

fn age(state: &StateDir, age: Duration) {
    let file = File::options().append(true).open(state.file(SECTION));
    file.unwrap().set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn groups_come_back_as_they_were() {
    let groups = [
        group("a", &["10.0.0.1:80", "10.0.0.2:80"]),
        group("", &["b"]),
    ];
    let (_folder, state) = saved(&groups);
    let mut restored = state.load(SECTION).unwrap();
    restored
        .groups
        .sort_by(|one, two| two.source.cmp(&one.source));
    assert_eq!(restored.groups, groups);
    assert_eq!(state.load(ContentHash(8)).map(|it| it.groups), None);
}

#[test]
fn only_the_owner_may_read_it() {
    let (_folder, state) = saved(&[group("a", &["a"])]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state.path), 0o700);
    assert_eq!(mode(&state.file(SECTION)), 0o600);
}

#[test]
fn old_state_is_not_served_and_goes() {
    let (_folder, state) = saved(&[group("a", &["a"])]);
    age(&state, Duration::from_hours(23));
    let stale = state.load(SECTION).unwrap().stale;
    let left = stale.until.duration_since(SystemTime::now()).unwrap();
    assert!(left <= Duration::from_hours(1), "{left:?}");
    state.confirm(SECTION).unwrap();
    assert!(state.load(SECTION).unwrap().stale.since > stale.since);
    age(&state, Duration::from_hours(25));
    assert!(state.load(SECTION).is_none());
    StateDir::open(&state.path, state.max_stale_age).unwrap();
    assert_eq!(fs::read_dir(&state.path).unwrap().count(), 0);
}

#[test]
fn half_a_file_is_set_aside() {
    let groups: Vec<_> = (0..50)
        .map(|n| group(&format!("s{n}"), &["a", "b"]))
        .collect();
    let (_folder, state) = saved(&groups);
    let whole = fs::read(state.file(SECTION)).unwrap();
    for length in 0..whole.len() {
        fs::write(state.file(SECTION), &whole[..length]).unwrap();
        assert!(state.load(SECTION).is_none(), "the first {length} bytes");
        assert!(!state.file(SECTION).exists());
    }
    let names = fs::read_dir(&state.path).unwrap();
    let names: Vec<_> = names.map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, [format!("{SECTION}.state.gz.corrupt").as_str()]);
    fs::write(state.file(SECTION), [&whole[..], b"x"].concat()).unwrap();
    assert!(state.load(SECTION).is_none(), "bytes behind the end");
}

#[test]
fn remains_of_an_interrupted_write_go() {
    let (_folder, state) = saved(&[group("a", &["a"])]);
    fs::write(state.path.join(".draft-x"), "half").unwrap();
    let again = StateDir::open(&state.path, state.max_stale_age).unwrap();
    assert_eq!(fs::read_dir(&state.path).unwrap().count(), 1);
    assert!(again.load(SECTION).is_some());
}

#[test]
fn a_write_that_fails_keeps_the_state_before() {
    let (_folder, state) = saved(&[group("a", &["a"])]);
    let gone = StateDir {
        path: state.path.join("missing"),
        max_stale_age: state.max_stale_age,
    };
    assert!(gone.save(SECTION, &known(&[])).is_err());
    assert_eq!(state.load(SECTION).unwrap().groups.len(), 1);
}

proptest! {
    #[test]
    fn a_changed_byte_is_noticed(at in 0_usize..10_000, flip in 1_u8..) {
        let groups = vec![group("a", &["a", "b"]), group("b", &["c"])];
        let (_folder, state) = saved(&groups);
        let mut bytes = fs::read(state.file(SECTION)).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        fs::write(state.file(SECTION), bytes).unwrap();
        // Some bits of gzip mean nothing.
        if let Some(restored) = state.load(SECTION) {
            prop_assert_eq!(restored.groups, groups);
        }
    }
}
