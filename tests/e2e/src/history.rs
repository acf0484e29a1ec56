//! Every state that each object has been in, as the API server answered it.
//!
//! Prometheus keeps labels of related objects as they were when it last built a group. Whether a value on its
//! side is such a memory, and the value on ours is the present, only the history can say.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::script::ObjectName;

/// The states of all objects that the harness has written.
#[derive(Debug, Default)]
pub struct History {
    states: Mutex<States>,
}

/// For each object what it has been, oldest first; `None` when it was not there.
type States = HashMap<ObjectName, Vec<Option<Value>>>;

// === impl History ===

impl History {
    /// The object is now as the server answered, or gone.
    pub fn record(&self, name: &ObjectName, state: Option<Value>) {
        let mut states = self.lock();
        let states = states.entry(name.clone()).or_insert_with(|| vec![None]);
        if states.last() != Some(&state) {
            states.push(state);
        }
    }

    /// What the object is now; `None` if it is not there.
    pub fn now(&self, name: &ObjectName) -> Option<Value> {
        self.lock().get(name)?.last()?.clone()
    }

    /// Whether the harness has ever written it.
    pub fn knows(&self, name: &ObjectName) -> bool {
        self.lock().contains_key(name)
    }

    /// What the object was before now, oldest first. That it was not there comes first, always.
    pub fn before(&self, name: &ObjectName) -> Vec<Option<Value>> {
        let states = self.lock();
        match states.get(name).map(Vec::as_slice) {
            Some([earlier @ .., _]) if !earlier.is_empty() => earlier.to_vec(),
            _ => vec![None],
        }
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_present_is_not_part_of_the_past() {
        let history = History::default();
        let name = ObjectName::named("Pod", "n", "p");
        assert_eq!(history.before(&name), [None]);
        for state in [Some(json!(1)), Some(json!(1)), Some(json!(2)), None] {
            history.record(&name, state);
        }
        assert_eq!(history.now(&name), None);
        assert_eq!(
            history.before(&name),
            [None, Some(json!(1)), Some(json!(2))]
        );
    }
}
