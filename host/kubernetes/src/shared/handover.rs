//! A reader moves from one watch to another, and sees nothing vanish that is there.

use std::borrow::Borrow;

use tokio::time::Instant;

use super::fanout::{Fanout, Reader};
use crate::driver::kept::{Kept, SharedKept};
use crate::selector::Filter;
use crate::view::ObjectKind;

/// Moves reader `id` from `old` to `new`, where it sees what `filter` lets through. It is told
/// what differs between the two, and nothing else.
///
/// False, and nothing moved, as long as `new` knows less than the reader was told: it is not
/// complete, an object that the reader knows is newer than the state that it shows, or nothing
/// came by it since `since`, or since `old` was told a whole state anew. Versions alone do not tell: a
/// connection may be dead and not known to be, and the server may have lost its history meanwhile.
pub(super) fn hand_over(
    id: u64,
    kind: ObjectKind,
    filter: Option<Filter>,
    old: &SharedKept<Fanout>,
    new: &SharedKept<Fanout>,
    since: Instant,
) -> bool {
    // Only the keeper ever holds two of these locks.
    let mut old = old.lock();
    let mut new = new.lock();
    let since = old.store.begun().map_or(since, |begun| begun.max(since));
    let is_alive = new.consumer.heard.is_some_and(|heard| heard >= since);
    if old.consumer.is_synced && !(is_alive && is_caught_up(id, &old, &new)) {
        return false;
    }
    let Some(leaving) = old.consumer.leave(id) else {
        return true;
    };
    let (inbox, report) = (leaving.inbox.clone(), leaving.report.clone());
    let mut moved = Reader::new(id, leaving.place, inbox, report, filter);
    for (key, record, _) in new.store.iter() {
        let is_known = leaving.knows(key)
            && old
                .store
                .get(key.borrow())
                .is_some_and(|(_, known)| known == record);
        if moved.wants(key, record) && !is_known {
            moved.inbox.put(kind, key, Some(record));
        }
    }
    for (key, _, _) in old.store.iter() {
        let is_shown = new.store.get(key.borrow()).is_some() && moved.knows(key);
        if leaving.knows(key) && !is_shown {
            moved.inbox.put(kind, key, None);
        }
    }
    new.consumer.welcome(moved);
    true
}

fn is_caught_up(id: u64, old: &Kept<Fanout>, new: &Kept<Fanout>) -> bool {
    let Some(reader) = old.consumer.reader(id) else {
        return true;
    };
    let position = new.store.position();
    new.consumer.is_synced
        && old
            .store
            .iter()
            .all(|(key, _, version)| version <= position || !reader.knows(key))
}
