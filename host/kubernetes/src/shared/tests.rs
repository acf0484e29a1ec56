//! Readers of shared watches: what each sees, and what it sees when it moves.

use std::collections::BTreeMap;

use periplus_discovery::Updates;
use serde_json::json;
use tokio::time::Instant;

use super::fanout::{Fanout, Reader};
use super::handover::hand_over;
use super::*;
use crate::driver::kept::{Kept, SharedKept};
use crate::driver::{Consumer, Problem};
use crate::progress::Progress;
use crate::record::{Record, Writer};
use crate::resource::any::WatchedKind;
use crate::resource::filter::AnnotationFilter;
use crate::resource::pod::Pod;
use crate::resource::testing::keyed_record_of;
use crate::resource::{ObjectKey, Resource};
use crate::selector::Filter;
use crate::view::ObjectKind;

/// A watch of Pods, driven by hand.
struct Watch(SharedKept<Fanout>);

/// Somebody who reads watches, and what they were told.
struct Person {
    need: Need,
    inbox: Arc<Inbox>,
    report: Arc<WatchReport>,
    probe: periplus_discovery::UpdatesProbe,
}

impl Watch {
    fn new() -> Self {
        Self(SharedKept::new(Fanout::new(
            ObjectKind::Pod,
            Arc::default(),
        )))
    }

    /// As the driver does for an object of a list or an event.
    fn put(&self, name: &str, app: &str, version: u64) {
        let mut kept = self.0.lock();
        let Kept { store, consumer } = &mut *kept;
        let (key, _) = object(name, app);
        store.put(key.source().as_ref(), &mut written(name, app), version);
        let (key, record) = store.get(&key.source()).unwrap();
        consumer.changed(key, record);
        consumer.publish(Instant::now());
    }

    fn remove(&self, name: &str) {
        let mut kept = self.0.lock();
        let Kept { store, consumer } = &mut *kept;
        let key = store.remove(&object(name, "").0.source()).unwrap();
        consumer.gone(&key);
        consumer.publish(Instant::now());
    }

    /// The state is complete up to a version.
    fn sync(&self, version: u64) {
        let mut kept = self.0.lock();
        kept.store.complete_to(version);
        kept.consumer.synced();
    }

    fn join(&self, id: u64, person: &Person, watch: &Need) {
        let mut kept = self.0.lock();
        let Kept { store, consumer } = &mut *kept;
        consumer.join(person.reader(id, watch), store);
    }
}

impl Person {
    fn new(labels: &str) -> Self {
        let (updates, probe) = Updates::testing();
        let progress = Progress::new(updates);
        let report = Arc::new(progress.watch("list of `pods`".to_owned()));
        progress.all_named();
        Self {
            need: pods(labels),
            inbox: Inbox::new(),
            report,
            probe,
        }
    }

    fn reader(&self, id: u64, watch: &Need) -> Reader {
        let (inbox, report) = (Arc::clone(&self.inbox), Arc::clone(&self.report));
        Reader::new(id, 0, inbox, report, Filter::between(watch, &self.need))
    }

    /// What was told since the last call: `+name` or `-name`.
    fn told(&self) -> Vec<String> {
        let changes = self.inbox.take().changes.into_iter();
        let told: BTreeMap<String, bool> = changes
            .map(|(key, (_, record))| (key.name().to_owned(), record.is_some()))
            .collect();
        let sign = |is_there| if is_there { '+' } else { '-' };
        told.into_iter()
            .map(|(name, is_there)| format!("{}{name}", sign(is_there)))
            .collect()
    }
}

fn pods(labels: &str) -> Need {
    Need {
        labels: (!labels.is_empty()).then(|| labels.into()),
        ..Need::all(WatchedKind::Pod)
    }
}

fn object(name: &str, app: &str) -> (ObjectKey, Record) {
    let pod = json!({"metadata": {"namespace": "ns", "name": name, "labels": {"app": app}}});
    keyed_record_of(&Pod::new(AnnotationFilter::default()), &pod).unwrap()
}

fn written(name: &str, app: &str) -> Writer {
    let pod = json!({"metadata": {"namespace": "ns", "name": name, "labels": {"app": app}}});
    let bytes = serde_json::to_vec(&pod).unwrap();
    let mut writer = Writer::default();
    Pod::new(AnnotationFilter::default())
        .pack(&serde_json::from_slice(&bytes).unwrap(), &mut writer);
    writer
}

#[test]
fn a_reader_sees_what_it_selects_and_loses_what_leaves_the_selection() {
    let watch = Watch::new();
    watch.put("a", "web", 1);
    watch.put("b", "db", 2);
    let (all, web) = (Person::new(""), Person::new("app=web"));
    watch.join(1, &all, &pods(""));
    watch.join(2, &web, &pods(""));
    assert_eq!(all.told(), ["+a", "+b"]);
    assert_eq!(web.told(), ["+a"]);

    watch.put("b", "web", 3);
    watch.put("a", "db", 4);
    assert_eq!(web.told(), ["-a", "+b"]);
    watch.put("a", "cache", 5);
    watch.remove("a");
    assert!(web.told().is_empty(), "it had lost that one already");
    assert_eq!(all.told(), ["-a", "+b"]);
    watch.remove("b");
    assert_eq!(web.told(), ["-b"]);
}

#[test]
fn who_joins_late_is_told_at_once_what_is_known_and_how_the_watch_does() {
    let watch = Watch::new();
    watch.put("a", "web", 1);
    watch.sync(1);
    let late = Person::new("");
    watch.join(1, &late, &pods(""));
    assert_eq!(late.inbox.take().synced, [0]);

    let problem = Problem {
        text: "unreachable".to_owned(),
        is_forbidden: false,
    };
    watch.0.lock().consumer.failed(&problem);
    let later = Person::new("");
    watch.join(2, &later, &pods(""));
    for person in [&late, &later] {
        assert!(
            person
                .probe
                .status()
                .last_error
                .unwrap()
                .1
                .contains("unreachable")
        );
    }
}

#[test]
fn a_reader_that_moves_is_told_the_difference_alone() {
    let since = Instant::now();
    for (from, to) in [("", "app=web"), ("app=web", "")] {
        let (old, new) = (Watch::new(), Watch::new());
        for (watch, labels) in [(&old, from), (&new, to)] {
            watch.put("same", "web", 1);
            watch.put("changed", "web", 2);
            watch.put("deleted", "web", 3);
            if labels.is_empty() {
                watch.put("other", "db", 4);
            }
            watch.sync(4);
        }
        // What the new watch has seen already, and the old one not yet.
        new.put("changed", "web", 5);
        new.0.lock().store.remove("pod/ns/deleted");
        new.put("new", "web", 6);
        let person = Person::new("app=web");
        old.join(7, &person, &pods(from));
        person.inbox.take();

        let filter = Filter::between(&pods(to), &person.need);
        assert!(hand_over(7, ObjectKind::Pod, filter, &old.0, &new.0, since));
        assert_eq!(
            person.told(),
            ["-deleted", "+new"],
            "from {from:?} to {to:?}"
        );
        assert!(old.0.lock().consumer.is_idle());
        if to.is_empty() {
            new.put("same", "db", 7);
        } else {
            // The server says so when an object leaves the selection.
            new.remove("same");
        }
        assert_eq!(person.told(), ["-same"]);
    }
}

#[test]
fn nobody_moves_to_a_watch_that_knows_less() {
    let since = Instant::now();
    let (old, new) = (Watch::new(), Watch::new());
    old.put("a", "web", 1);
    old.sync(1);
    let person = Person::new("app=web");
    old.join(1, &person, &pods(""));
    person.inbox.take();
    let go = || {
        let filter = Filter::between(&pods("app=web"), &person.need);
        hand_over(1, ObjectKind::Pod, filter, &old.0, &new.0, since)
    };
    assert!(!go(), "it is not complete");
    new.put("a", "web", 1);
    new.sync(1);
    old.put("b", "web", 9);
    assert!(!go(), "it does not show what the reader was told");
    assert_eq!(person.told(), ["+b"]);
    old.put("unrelated", "db", 20);
    new.put("b", "web", 9);
    new.0.lock().store.advance_to(9);
    assert!(go(), "what the reader does not see is of no account");
    assert!(person.told().is_empty());
}

#[test]
fn nobody_moves_to_a_watch_that_may_be_dead() {
    let (old, new) = (Watch::new(), Watch::new());
    for watch in [&old, &new] {
        watch.put("a", "web", 1);
        watch.sync(9);
    }
    let person = Person::new("");
    old.join(1, &person, &pods(""));
    // The server lost its history: versions are lower, and only the old watch has noticed.
    old.put("b", "web", 2);
    let since = Instant::now();
    let go = || hand_over(1, ObjectKind::Pod, None, &old.0, &new.0, since);
    assert!(!go());
    new.put("b", "web", 2);
    assert!(go());
    assert_eq!(person.told(), ["+a", "+b"]);
}

#[test]
fn nobody_moves_to_a_watch_that_was_silent_since_the_other_began_anew() {
    let (old, new) = (Watch::new(), Watch::new());
    for watch in [&old, &new] {
        watch.put("a", "web", 7);
        watch.sync(9);
    }
    let person = Person::new("");
    old.join(1, &person, &pods(""));
    let since = Instant::now();
    new.put("a", "web", 7);
    // The server lost its history, and the old watch is told what there is at lower versions; the
    // new one does not know yet that its connection is dead.
    old.0.lock().store.begin();
    old.put("a", "web", 1);
    old.put("b", "web", 2);
    person.inbox.take();
    let go = || hand_over(1, ObjectKind::Pod, None, &old.0, &new.0, since);
    assert!(!go(), "while it is told");
    old.sync(2);
    assert!(!go(), "and afterwards");
    new.put("b", "web", 2);
    assert!(go());
    assert!(person.told().is_empty(), "nothing vanished");
}

#[test]
fn from_a_watch_that_never_worked_everybody_may_go() {
    let (refused, own) = (Watch::new(), Watch::new());
    let person = Person::new("app=web");
    refused.join(1, &person, &pods(""));
    let forbidden = Problem {
        text: "forbidden".to_owned(),
        is_forbidden: true,
    };
    refused.0.lock().consumer.failed(&forbidden);
    assert!(refused.0.lock().consumer.is_refused);
    let now = Instant::now();
    assert!(hand_over(1, ObjectKind::Pod, None, &refused.0, &own.0, now));
    own.put("a", "web", 1);
    own.sync(1);
    assert_eq!(person.told(), ["+a"]);
}
