//! `managedFields` as the API server keeps them: which fields an object has, as a tree of their names.

use serde_json::{Map, Value, json};

/// Lists whose items are known by some of their fields; all others are owned as a whole.
const KEYED: [(&str, &[&str]); 10] = [
    ("containers", &["name"]),
    ("ports", &["containerPort", "protocol"]),
    ("env", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumes", &["name"]),
    ("conditions", &["type"]),
    ("ownerReferences", &["uid"]),
    ("podIPs", &["ip"]),
    ("hostIPs", &["ip"]),
    ("addresses", &["type"]),
];

/// What the server itself writes is nobody's.
const UNMANAGED: [&str; 6] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "managedFields",
    "resourceVersion",
];

/// The entry of a manager that wrote all of an object but its status, or its status alone.
pub(super) fn entry(object: &Value, manager: &str, subresource: Option<&str>) -> Value {
    let mut fields = Map::new();
    if subresource.is_some() {
        fields.insert("f:status".into(), tree(&object["status"]));
    } else {
        let metadata = object["metadata"].as_object().into_iter().flatten();
        let owned: Map<String, Value> = metadata
            .filter(|(key, _)| !UNMANAGED.contains(&key.as_str()))
            .map(|(key, value)| (format!("f:{key}"), child(key, value)))
            .collect();
        fields.insert("f:metadata".into(), owned.into());
        fields.insert("f:spec".into(), tree(&object["spec"]));
    }
    let mut entry = json!({
        "manager": manager, "operation": "Update", "apiVersion": "v1",
        "time": "2026-11-01T10:00:09Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
    });
    if let Some(subresource) = subresource {
        entry["subresource"] = subresource.into();
    }
    entry
}

fn tree(value: &Value) -> Value {
    let fields = value.as_object().into_iter().flatten();
    let named = fields.map(|(key, value)| (format!("f:{key}"), child(key, value)));
    Value::Object(named.collect())
}

/// What stands behind a field: more of them, or nothing.
fn child(key: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) if !map.is_empty() => present(tree(value)),
        Value::Array(items) => match KEYED.iter().find(|(list, _)| *list == key) {
            Some((_, keys)) => present(items.iter().map(|item| keyed(item, keys)).collect()),
            None => json!({}),
        },
        _ => json!({}),
    }
}

/// `k:{"name":"x"}` and the fields of the item.
fn keyed(item: &Value, keys: &[&str]) -> (String, Value) {
    let identity: Map<String, Value> = keys
        .iter()
        .map(|key| ((*key).to_owned(), item[*key].clone()))
        .collect();
    let name = format!("k:{}", Value::Object(identity));
    (name, present(tree(item)))
}

/// Says that the field itself is owned, not only what is in it.
fn present(fields: Value) -> Value {
    let mut all = Map::from_iter([(".".to_owned(), json!({}))]);
    if let Value::Object(fields) = fields {
        all.extend(fields);
    }
    all.into()
}
