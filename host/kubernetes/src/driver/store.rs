//! The records of one watch, by key, and what a complete list does to them.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::record::{Record, Writer};
use crate::resource::ObjectKey;

/// Records by key, each with the number of the list that last showed it.
///
/// A list replaces what is known without ever emptying it: objects are put as they are read, and
/// when the list is complete, [`Store::sweep`] takes those that were in no page.
#[derive(Default)]
pub(crate) struct Store {
    entries: HashMap<ObjectKey, Entry>,
    generation: u32,
    position: u64,
    /// When the last whole state began to be told.
    begun: Option<Instant>,
}

struct Entry {
    record: Record,
    generation: u32,
    /// Resource version of the object; 0 where it is no number.
    version: u64,
}

/// What putting an object did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It was not known.
    Added,
    /// It was known, and differs in what matters.
    Changed,
    /// It was known, and nothing that matters differs.
    Unchanged,
}

// === impl Store ===

impl Store {
    /// A list begins. One that began before and did not end is void: what only it has shown goes
    /// when this one ends.
    pub(crate) fn begin(&mut self) {
        self.begun = Some(Instant::now());
        self.generation = self.generation.wrapping_add(1);
    }

    /// The highest version up to which the records are known to be complete: that of the last
    /// complete list, then of each event and bookmark. 0 before that, and where versions are no
    /// numbers. A list from a server that lost its history sets it back.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// When the last whole state began to be told.
    pub(crate) fn begun(&self) -> Option<Instant> {
        self.begun
    }

    /// A whole state was put that is complete up to `version`.
    pub(crate) fn complete_to(&mut self, version: u64) {
        self.position = version;
    }

    /// Every change up to `version` was put.
    pub(crate) fn advance_to(&mut self, version: u64) {
        self.position = self.position.max(version);
    }

    /// Puts what `writer` holds under `key`; the writer is empty afterwards. Costs no allocation
    /// unless something changed. `version` is the object's, 0 if it is no number.
    pub(crate) fn put(&mut self, key: &str, writer: &mut Writer, version: u64) -> Put {
        let Some(entry) = self.entries.get_mut(key) else {
            let entry = Entry {
                record: writer.take(),
                generation: self.generation,
                version,
            };
            self.entries.insert(ObjectKey::new(key), entry);
            return Put::Added;
        };
        entry.generation = self.generation;
        entry.version = version;
        if writer.equals(&entry.record) {
            writer.reset();
            return Put::Unchanged;
        }
        entry.record = writer.take();
        Put::Changed
    }

    /// The version of the object under a key.
    pub(crate) fn version(&self, key: &str) -> Option<u64> {
        self.entries.get(key).map(|entry| entry.version)
    }

    /// Whether the state that is being put has already shown a newer version of this object.
    pub(crate) fn is_newer(&self, key: &str, version: u64) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| {
            entry.generation == self.generation && version != 0 && entry.version > version
        })
    }

    /// Notes that an object is there, though its content could not be read: it stays as it was.
    pub(crate) fn touch(&mut self, key: &str) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.generation = self.generation;
        }
    }

    /// The record under a key.
    pub(crate) fn get(&self, key: &str) -> Option<(&ObjectKey, &Record)> {
        self.entries
            .get_key_value(key)
            .map(|(key, entry)| (key, &entry.record))
    }

    /// All records, with the version of each object (0 if it is no number), in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Record, u64)> {
        let entries = self.entries.iter();
        entries.map(|(key, entry)| (key, &entry.record, entry.version))
    }

    /// Removes a record.
    pub(crate) fn remove(&mut self, key: &str) -> Option<ObjectKey> {
        self.entries.remove_entry(key).map(|(key, _)| key)
    }

    /// A list is complete: removes and returns what it did not show.
    pub(crate) fn sweep(&mut self) -> Vec<ObjectKey> {
        let generation = self.generation;
        self.entries
            .extract_if(|_, entry| entry.generation != generation)
            .map(|(key, _)| key)
            .collect()
    }

    /// How many objects are known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &mut Store, key: &str, content: &str) -> Put {
        let mut writer = Writer::default();
        writer.text(content);
        store.put(key, &mut writer, 1)
    }

    #[test]
    fn a_complete_list_removes_what_it_did_not_show_and_touches_nothing_else() {
        let mut store = Store::default();
        store.begin();
        assert_eq!(put(&mut store, "a", "1"), Put::Added);
        assert_eq!(put(&mut store, "b", "1"), Put::Added);
        assert_eq!(put(&mut store, "c", "1"), Put::Added);
        assert!(store.sweep().is_empty());

        store.begin();
        assert_eq!(put(&mut store, "a", "1"), Put::Unchanged);
        assert_eq!(put(&mut store, "b", "2"), Put::Changed);
        assert_eq!(store.sweep(), [ObjectKey::new("c")]);
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn what_only_an_aborted_list_has_shown_goes_with_the_next_one() {
        let mut store = Store::default();
        store.begin();
        put(&mut store, "a", "1");
        put(&mut store, "gone meanwhile", "1");
        store.begin();
        put(&mut store, "a", "1");
        assert_eq!(store.sweep(), [ObjectKey::new("gone meanwhile")]);
    }

    #[test]
    fn an_object_that_cannot_be_read_stays_as_it_was() {
        let mut store = Store::default();
        store.begin();
        put(&mut store, "a", "1");
        store.begin();
        store.touch("a");
        store.touch("never seen");
        assert!(store.sweep().is_empty());
        assert_eq!(store.len(), 1);
    }
}
