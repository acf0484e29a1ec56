//! Hashes by which equal configurations are known.

use periplus_core::ContentHash;
use periplus_core::hash::ContentHasher;
use serde::Serialize;
use serde_json::Value;

/// Hashes a structure's content. What is at its default is left out, so that a setting which is
/// added later does not change the hash of sections without it. Secrets do not show in a
/// structure's serialised form; those that belong to it come in `secrets`.
pub(crate) fn of_structure(kind: &str, content: &impl Serialize, secrets: &[&str]) -> ContentHash {
    let content = serde_json::to_value(content).unwrap_or_default();
    let mut hasher = ContentHasher::default();
    hasher.field(kind.as_bytes());
    add(&mut hasher, &content, true);
    for secret in secrets {
        hasher.field(secret.as_bytes());
    }
    hasher.finish()
}

/// Adds a value; the order of an object's keys does not matter.
pub(crate) fn add(hasher: &mut ContentHasher, value: &Value, skip_empty: bool) {
    match value {
        Value::Null => drop(hasher.field(b"null")),
        Value::Bool(truth) => drop(hasher.field(if *truth { b"true" } else { b"false" })),
        Value::Number(number) => drop(hasher.field(b"number").field(number.to_string().as_bytes())),
        Value::String(text) => drop(hasher.field(b"text").field(text.as_bytes())),
        Value::Array(items) => {
            hasher.field(b"list").number(items.len() as u64);
            for item in items {
                add(hasher, item, skip_empty);
            }
        }
        Value::Object(members) => {
            let kept = members
                .iter()
                .filter(|(_, value)| !(skip_empty && is_empty(value)));
            let mut sorted: Vec<_> = kept.collect();
            sorted.sort_by_key(|(key, _)| *key);
            hasher.field(b"object").number(sorted.len() as u64);
            for (key, value) in sorted {
                hasher.field(key.as_bytes());
                add(hasher, value, skip_empty);
            }
        }
    }
}

/// Whether a value says nothing.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
    }
}
