//! Objects, their versions and their history.
//!
//! One mutex guards everything and is held for a lookup or a write, never across an await. Readers who
//! wait for changes subscribe to the newest version and read the history from where they stand, so that
//! none can miss an event, however slow it is.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::object::{Key, Object};
use crate::resource::{Resource, builtin};

/// Snapshots that continue tokens may refer to; the oldest expires first.
const SNAPSHOTS: usize = 64;

type Objects = BTreeMap<Key, Arc<Object>>;

/// What happened to an object, as the history keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) resource: Arc<str>,
    /// The state before; none when the object is new.
    pub(crate) previous: Option<Arc<Object>>,
    /// The state after; for a deletion the last state, at the version of the deletion.
    pub(crate) object: Arc<Object>,
    pub(crate) deleted: bool,
}

/// The history no longer reaches back to the version asked for.
#[derive(Debug)]
pub(crate) struct Gone {
    /// The oldest version that can be continued from.
    pub(crate) oldest: u64,
}

/// A consistent view of one resource.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) objects: Arc<Vec<Arc<Object>>>,
}

/// A snapshot that continue tokens refer to.
#[derive(Debug)]
struct Kept {
    resource: Arc<str>,
    snapshot: Snapshot,
    since: Instant,
}

#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    version: u64,
    /// Versions below this one cannot be continued from.
    oldest: u64,
    /// The same for watches that run already: a compaction does not disturb one that is up to date.
    oldest_running: u64,
    uids: u64,
    history_limit: usize,
    resources: HashMap<Arc<str>, Arc<Resource>>,
    objects: HashMap<Arc<str>, Objects>,
    history: VecDeque<Event>,
    snapshots: VecDeque<Kept>,
}

// === impl Store ===

impl Store {
    pub(crate) fn new(history_limit: usize, first_version: u64) -> Self {
        let resources = builtin()
            .into_iter()
            .map(|r| (Arc::from(r.id()), Arc::new(r)))
            .collect();
        let state = State {
            version: first_version,
            oldest: first_version,
            oldest_running: first_version,
            uids: 0,
            history_limit,
            resources,
            objects: HashMap::new(),
            history: VecDeque::new(),
            snapshots: VecDeque::new(),
        };
        Self {
            state: Mutex::new(state),
            newest: watch::channel(first_version).0,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces the newest version; every write happens before it.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    pub(crate) fn version(&self) -> u64 {
        self.state().version
    }

    pub(crate) fn register(&self, resource: Resource) {
        self.state()
            .resources
            .insert(Arc::from(resource.id()), Arc::new(resource));
    }

    pub(crate) fn resources(&self) -> Vec<Arc<Resource>> {
        let mut all: Vec<_> = self.state().resources.values().cloned().collect();
        all.sort_by_key(|r| r.id());
        all
    }

    pub(crate) fn resource(&self, id: &str) -> Option<Arc<Resource>> {
        self.state().resources.get(id).cloned()
    }

    /// The resource of objects of this kind; a kind never heard of is registered.
    pub(crate) fn resource_of(&self, api_version: &str, kind: &str, ns: bool) -> Arc<Resource> {
        let mut state = self.state();
        let known = state
            .resources
            .values()
            .find(|r| r.kind == kind && r.api_version() == api_version);
        if let Some(known) = known {
            return known.clone();
        }
        let resource = Arc::new(Resource::guess(api_version, kind, ns));
        state
            .resources
            .insert(Arc::from(resource.id()), resource.clone());
        resource
    }

    pub(crate) fn get(&self, resource: &Resource, key: &Key) -> Option<Arc<Object>> {
        self.state()
            .objects
            .get(resource.id().as_str())?
            .get(key)
            .cloned()
    }

    /// Everything of one resource as it is now, in order of namespace and name.
    pub(crate) fn snapshot(&self, resource: &Resource) -> Snapshot {
        let state = self.state();
        let objects = state.objects.get(resource.id().as_str());
        let objects = objects
            .map(|o| o.values().cloned().collect())
            .unwrap_or_default();
        Snapshot {
            version: state.version,
            objects: Arc::new(objects),
        }
    }

    /// Keeps a snapshot for the pages after the first.
    pub(crate) fn keep(&self, resource: &Resource, snapshot: Snapshot) {
        let mut state = self.state();
        if state.snapshots.len() == SNAPSHOTS {
            state.snapshots.pop_front();
        }
        state.snapshots.push_back(Kept {
            resource: Arc::from(resource.id()),
            snapshot,
            since: Instant::now(),
        });
    }

    /// A snapshot kept before, unless it has expired or is older than `lifetime`.
    pub(crate) fn kept(
        &self,
        resource: &Resource,
        version: u64,
        lifetime: Duration,
    ) -> Option<Snapshot> {
        let id = resource.id();
        let state = self.state();
        let found = state.snapshots.iter().rev().find(|kept| {
            *kept.resource == *id
                && kept.snapshot.version == version
                && kept.since.elapsed() <= lifetime
        });
        found.map(|kept| kept.snapshot.clone())
    }

    /// Forgets all kept snapshots, so that continue tokens expire; the history stays.
    pub(crate) fn forget_snapshots(&self) {
        self.state().snapshots.clear();
    }

    /// What happened to a resource after `version`, and the version that this reaches.
    pub(crate) fn events(&self, resource: &str, after: u64) -> Result<(Vec<Event>, u64), Gone> {
        let state = self.state();
        if after < state.oldest_running {
            return Err(Gone {
                oldest: state.oldest,
            });
        }
        let start = state.history.partition_point(|e| e.version <= after);
        let events = state
            .history
            .range((Bound::Included(start), Bound::Unbounded));
        let events = events
            .filter(|e| &*e.resource == resource)
            .cloned()
            .collect();
        Ok((events, state.version))
    }

    /// Writes an object whose identity is decided; says so if nothing changed and nothing was written.
    pub(crate) fn put(&self, resource: &Resource, mut value: Value) -> (Arc<Object>, bool) {
        let mut state = self.state();
        let id: Arc<str> = Arc::from(resource.id());
        let next = state.version + 1;
        let candidate = Object::new(&value, next);
        let key = candidate.key();
        let previous = state.objects.get(&id).and_then(|o| o.get(&key)).cloned();
        let uid_missing = value.pointer("/metadata/uid").is_none();
        if uid_missing {
            value["metadata"]["uid"] = state.new_uid().into();
        }
        let object = if uid_missing {
            Object::new(&value, next)
        } else {
            candidate
        };
        if let Some(previous) = &previous
            && same_content(previous, &object)
        {
            return (previous.clone(), false);
        }
        let object = Arc::new(object);
        state
            .objects
            .entry(id.clone())
            .or_default()
            .insert(key, object.clone());
        let event = Event {
            version: next,
            resource: id,
            previous,
            object: object.clone(),
            deleted: false,
        };
        self.record(state, event);
        (object, true)
    }

    /// Removes an object; the answer is its last state.
    pub(crate) fn remove(&self, resource: &Resource, key: &Key) -> Option<Arc<Object>> {
        let mut state = self.state();
        let id: Arc<str> = Arc::from(resource.id());
        let previous = state.objects.get_mut(&id)?.remove(key)?;
        let next = state.version + 1;
        let object = Arc::new(previous.at_version(next));
        let event = Event {
            version: next,
            resource: id,
            previous: Some(previous),
            object: object.clone(),
            deleted: true,
        };
        self.record(state, event);
        Some(object)
    }

    /// Whether a new watch can go on from a version.
    pub(crate) fn reaches(&self, version: u64) -> Result<(), Gone> {
        let oldest = self.state().oldest;
        if version < oldest {
            Err(Gone { oldest })
        } else {
            Ok(())
        }
    }

    fn record(&self, mut state: MutexGuard<'_, State>, event: Event) {
        state.version = event.version;
        state.history.push_back(event);
        while state.history.len() > state.history_limit {
            if let Some(dropped) = state.history.pop_front() {
                state.oldest = state.oldest.max(dropped.version);
                state.oldest_running = state.oldest_running.max(dropped.version);
            }
        }
        let version = state.version;
        drop(state);
        self.newest.send_replace(version);
    }

    /// Every object, whole, in order of resource, namespace and name.
    pub(crate) fn everything(&self) -> Vec<Value> {
        let state = self.state();
        let mut resources: Vec<_> = state.resources.iter().collect();
        resources.sort_by_key(|(id, _)| (*id).clone());
        let objects = resources.into_iter().flat_map(|(id, resource)| {
            let of_kind = state.objects.get(id).into_iter().flat_map(BTreeMap::values);
            of_kind.map(|o| o.value(&resource.kind, &resource.api_version()))
        });
        objects.collect()
    }

    /// Forgets everything, and begins again at `version` with these objects.
    pub(crate) fn begin_again(&self, version: u64, objects: Vec<(Arc<Resource>, Value)>) {
        let mut state = self.state();
        state.version = version;
        state.history.clear();
        state.snapshots.clear();
        state.objects.clear();
        for (resource, mut value) in objects {
            state.version += 1;
            if value.pointer("/metadata/uid").is_none() {
                value["metadata"]["uid"] = state.new_uid().into();
            }
            let object = Arc::new(Object::new(&value, state.version));
            let of_kind = state.objects.entry(Arc::from(resource.id())).or_default();
            of_kind.insert(object.key(), object);
        }
        // Nothing that happened while the objects were put back can be told any more.
        state.oldest = state.version;
        state.oldest_running = state.version;
        let version = state.version;
        drop(state);
        self.newest.send_replace(version);
    }

    /// Forgets the history and all kept snapshots: older versions and continue tokens expire.
    pub(crate) fn compact(&self) {
        let mut state = self.state();
        state.oldest_running = state.version;
        // A version of its own, so that even a client that is up to date cannot resume.
        state.version += 1;
        state.oldest = state.version;
        state.history.clear();
        state.snapshots.clear();
        let version = state.version;
        drop(state);
        self.newest.send_replace(version);
    }
}

// === impl State ===

impl State {
    /// A UID that no object has had, nor will have.
    fn new_uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }
}

/// Equal but for the version, which both carry as text of possibly different length.
fn same_content(a: &Object, b: &Object) -> bool {
    let strip = |object: &Object| {
        let mut value: Value = serde_json::from_slice(&object.json).unwrap_or_default();
        if let Some(metadata) = value
            .pointer_mut("/metadata")
            .and_then(Value::as_object_mut)
        {
            metadata.shift_remove("resourceVersion");
        }
        value
    };
    a.labels == b.labels && strip(a) == strip(b)
}
