//! A stored object: its JSON as it goes over the wire, and the few fields that selectors look at.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

/// Namespace and name; the namespace is empty for objects of the cluster.
pub(crate) type Key = (String, String);

/// One version of one object. Never changes; a write makes a new one.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) labels: BTreeMap<String, String>,
    /// The fields that field selectors may name, less the metadata ones.
    pub(crate) fields: BTreeMap<&'static str, String>,
    /// JSON without `kind` and `apiVersion`: lists leave them out, watches and reads add them.
    pub(crate) json: Bytes,
}

impl Object {
    /// Takes an object whose metadata is complete.
    pub(crate) fn new(value: &Value, version: u64) -> Self {
        let mut body = value.clone();
        if let Some(map) = body.as_object_mut() {
            map.shift_remove("kind");
            map.shift_remove("apiVersion");
        }
        body["metadata"]["resourceVersion"] = Value::String(version.to_string());
        let text = |pointer: &str| {
            value
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let labels = value.pointer("/metadata/labels").and_then(Value::as_object);
        Self {
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            version,
            labels: labels.map(string_map).unwrap_or_default(),
            fields: BTreeMap::from([
                ("spec.nodeName", text("/spec/nodeName")),
                ("status.phase", text("/status/phase")),
            ]),
            json: Bytes::from(body.to_string()),
        }
    }

    pub(crate) fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }

    /// The whole object, `kind` and `apiVersion` first.
    pub(crate) fn value(&self, kind: &str, api_version: &str) -> Value {
        let mut whole = Map::new();
        whole.insert("kind".into(), kind.into());
        whole.insert("apiVersion".into(), api_version.into());
        // What is stored was serialised here and is an object.
        if let Ok(Value::Object(rest)) = serde_json::from_slice(&self.json) {
            whole.extend(rest);
        }
        Value::Object(whole)
    }

    /// The JSON of [`Object::value`] without parsing anything.
    pub(crate) fn wire(&self, prefix: &str) -> Vec<u8> {
        wire(prefix, &self.json)
    }
}

/// `{` + prefix + the rest of an object's JSON.
pub(crate) fn wire(prefix: &str, json: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(prefix.len() + json.len());
    text.extend_from_slice(prefix.as_bytes());
    text.extend_from_slice(json.get(1..).unwrap_or_default());
    text
}

fn string_map(map: &Map<String, Value>) -> BTreeMap<String, String> {
    map.iter()
        .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect()
}
