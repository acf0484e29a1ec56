//! Objects by key and by number, so that indexes hold four bytes for each.

use rustc_hash::FxHashMap;

use crate::record::Record;
use crate::resource::ObjectKey;

/// Objects, each with what is made of it.
pub(super) struct Table<T> {
    slots: Vec<Option<Slot<T>>>,
    free: Vec<u32>,
    numbers: FxHashMap<ObjectKey, u32>,
}

/// One object.
pub(super) struct Slot<T> {
    pub(super) key: ObjectKey,
    pub(super) record: Record,
    /// What is made of it.
    pub(super) state: T,
}

// === impl Table ===

impl<T: Default> Table<T> {
    /// Puts an object; its number, and its record of before.
    pub(super) fn put(&mut self, key: &ObjectKey, record: &Record) -> (u32, Option<Record>) {
        if let Some(&number) = self.numbers.get(key)
            && let Some(slot) = &mut self.slots[number as usize]
        {
            let before = std::mem::replace(&mut slot.record, record.clone());
            return (number, Some(before));
        }
        let slot = Some(Slot {
            key: key.clone(),
            record: record.clone(),
            state: T::default(),
        });
        let number = if let Some(number) = self.free.pop() {
            self.slots[number as usize] = slot;
            number
        } else {
            self.slots.push(slot);
            // More objects than numbers do not fit into any memory.
            (self.slots.len() - 1) as u32
        };
        self.numbers.insert(key.clone(), number);
        (number, None)
    }

    /// Takes an object out, with its number, which may then be another's.
    pub(super) fn remove(&mut self, key: &ObjectKey) -> Option<(u32, Slot<T>)> {
        let number = self.numbers.remove(key)?;
        let slot = self.slots[number as usize].take()?;
        self.free.push(number);
        Some((number, slot))
    }

    pub(super) fn get(&self, number: u32) -> Option<&Slot<T>> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Slot<T>> {
        self.slots.get_mut(number as usize)?.as_mut()
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            numbers: FxHashMap::default(),
        }
    }
}
