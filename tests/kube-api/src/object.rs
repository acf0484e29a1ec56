//! A stored object: its JSON as it goes over the wire, and the few fields that selectors look at.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::fields;

/// Namespace and name; the namespace is empty for objects of the cluster.
pub(crate) type Key = (String, String);

/// One version of one object. Never changes; a write makes a new one.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) labels: BTreeMap<String, String>,
    /// The fields that field selectors may name, less the metadata and those with their default.
    fields: Vec<(&'static str, Box<str>)>,
    /// JSON without `kind` and `apiVersion`: lists leave them out, watches and reads add them. The metadata
    /// come first.
    pub(crate) json: Bytes,
    /// Where the metadata end in `json`.
    metadata_end: usize,
}

impl Object {
    /// Takes an object whose metadata is complete.
    pub(crate) fn new(value: &Value, version: u64) -> Self {
        let (json, metadata_end) = serialise(value, version);
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
            fields: fields::of(value),
            json,
            metadata_end,
        }
    }

    /// The same state at another version, as deletions show it.
    pub(crate) fn at_version(&self, version: u64) -> Self {
        // What is stored was serialised here and is an object.
        let value: Value = serde_json::from_slice(&self.json).unwrap_or_default();
        let (json, metadata_end) = serialise(&value, version);
        Self {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            version,
            labels: self.labels.clone(),
            fields: self.fields.clone(),
            json,
            metadata_end,
        }
    }

    /// `{"metadata":{...}}` and no more.
    pub(crate) fn metadata_json(&self) -> Vec<u8> {
        let mut text = self.json[..self.metadata_end].to_vec();
        text.push(b'}');
        text
    }

    /// The value that a field selector compares with; empty if there is none.
    pub(crate) fn field(&self, field: &str) -> &str {
        match field {
            "metadata.name" => &self.name,
            "metadata.namespace" => &self.namespace,
            _ => {
                let found = self.fields.iter().find(|(name, _)| *name == field);
                found.map_or_else(|| fields::default(field), |(_, value)| value)
            }
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

/// The stored JSON, metadata first, and where those end.
fn serialise(value: &Value, version: u64) -> (Bytes, usize) {
    let mut metadata = value["metadata"].clone();
    metadata["resourceVersion"] = Value::String(version.to_string());
    let mut text = format!(r#"{{"metadata":{metadata}"#);
    let end = text.len();
    let rest = value.as_object().into_iter().flatten();
    for (key, value) in
        rest.filter(|(k, _)| !matches!(k.as_str(), "kind" | "apiVersion" | "metadata"))
    {
        text.push(',');
        text.push_str(&Value::String(key.clone()).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    text.push('}');
    (Bytes::from(text), end)
}

/// The prefix, which opens an object, and the rest of an object's JSON.
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
