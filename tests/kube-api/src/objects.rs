//! Objects as a test sees and writes them: whole, and without the rules that hold over HTTP.

use std::io;
use std::sync::Arc;

use serde_json::Value;

use crate::resource::Resource;
use crate::{KubeApi, write};

impl KubeApi {
    /// Writes a whole object (`apiVersion`, `kind` and `metadata.name` given), new or not, status included.
    /// Answers with its version; an object that is the same already is not written again. A UID that is
    /// given is kept, also if it differs from the old one; one that is missing stays as it was.
    pub fn apply(&self, mut value: Value) -> u64 {
        let resource = self.resource_of(&value);
        let text = |pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let key = (text("/metadata/namespace"), text("/metadata/name"));
        if let Some(old) = self.shared.store.get(&resource, &key) {
            let old = old.value(&resource.kind, &resource.api_version());
            for field in ["uid", "creationTimestamp"] {
                if value["metadata"][field].is_null() {
                    value["metadata"][field] = old["metadata"][field].clone();
                }
            }
        } else if resource.namespaced {
            write::ensure_namespace(&self.shared.store, &key.0);
        }
        write::complete(&mut value);
        self.shared.store.put(&resource, value).0.version
    }

    /// Applies a JSON merge patch to an object, status included; its new version, if it exists.
    pub fn patch(&self, resource: &str, namespace: &str, name: &str, patch: &Value) -> Option<u64> {
        let mut value = self.get(resource, namespace, name)?;
        write::merge(&mut value, patch);
        Some(self.apply(value))
    }

    /// Removes an object of a resource (`v1/pods`, `apps/v1/deployments`); false if there is none.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> bool {
        let key = (namespace.to_owned(), name.to_owned());
        let resource = self.shared.store.resource(resource);
        resource.is_some_and(|r| self.shared.store.remove(&r, &key).is_some())
    }

    /// One object of a resource (`v1/pods`).
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let resource = self.shared.store.resource(resource)?;
        let key = (namespace.to_owned(), name.to_owned());
        let object = self.shared.store.get(&resource, &key)?;
        Some(object.value(&resource.kind, &resource.api_version()))
    }

    /// Namespaces and names of all objects of a resource (`v1/pods`).
    pub fn names(&self, resource: &str) -> Vec<(String, String)> {
        let Some(resource) = self.shared.store.resource(resource) else {
            return Vec::new();
        };
        self.shared
            .store
            .snapshot(&resource)
            .objects
            .iter()
            .map(|o| o.key())
            .collect()
    }

    /// Offers a kind of object that is not there by itself.
    pub fn register(&self, resource: Resource) {
        self.shared.store.register(resource);
    }

    /// The version of the last write.
    pub fn version(&self) -> u64 {
        self.shared.store.version()
    }

    /// Every object of every kind, as a backup has them.
    pub fn backup(&self) -> Vec<Value> {
        self.shared.store.everything()
    }

    /// Restarts the server with these objects and no history, its versions going on from `version`, as
    /// after etcd is restored. An object keeps the UID that it carries; one without gets a new one. What
    /// carries a version gets another.
    ///
    /// If `version` is so high that a client's version from before is reached again by later writes, no
    /// client can tell that anything happened: stay well below.
    pub async fn lose_history(&mut self, version: u64, objects: Vec<Value>) -> io::Result<()> {
        self.pause().await;
        let placed = objects.into_iter().map(|mut value| {
            write::complete(&mut value);
            (self.resource_of(&value), value)
        });
        let placed = placed.collect();
        self.shared.store.begin_again(version, placed);
        self.resume()
    }

    fn resource_of(&self, value: &Value) -> Arc<Resource> {
        let text = |pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default()
        };
        self.shared.store.resource_of(
            text("/apiVersion"),
            text("/kind"),
            !text("/metadata/namespace").is_empty(),
        )
    }
}
