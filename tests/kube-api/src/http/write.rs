//! Single objects: reading, creating, replacing, patching and deleting them, `status` included.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use super::negotiate::{View, partial};
use super::{Call, Response, json_response, success, value_response};
use crate::object::Key;
use crate::requests::Verb;
use crate::status::Problem;
use crate::write::{complete, ensure_namespace, merge};

pub(super) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let object = call
        .shared
        .store
        .get(&call.resource, &key(call))
        .ok_or_else(|| missing(call))?;
    let text = match call.view {
        View::Whole => object.wire(&format!("{{{}", call.prefix())),
        View::Metadata => partial(&object),
    };
    Ok(json_response(text.into()))
}

pub(super) fn delete(call: &Call<'_>) -> Result<Response, Problem> {
    let removed = call.shared.store.remove(&call.resource, &key(call));
    removed
        .map(|_| value_response(&success(), 200))
        .ok_or_else(|| missing(call))
}

pub(super) fn write(
    call: &Call<'_>,
    verb: Verb,
    value: Value,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    match verb {
        Verb::Create => create(call, value),
        Verb::Patch => patch(call, &value, headers),
        _ => update(call, value),
    }
}

fn create(call: &Call<'_>, mut value: Value) -> Result<Response, Problem> {
    prepare(call, &mut value)?;
    let name = value
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if name.is_empty() {
        return Err(Problem::new(
            422,
            "Invalid",
            "metadata.name: Required value: name is required",
        ));
    }
    let name = name.to_owned();
    let store = &call.shared.store;
    if store
        .get(&call.resource, &(call.namespace.clone(), name.clone()))
        .is_some()
    {
        return Err(Problem::exists(&call.resource, &name));
    }
    if call.resource.plural == "pods" {
        // What a client says of the status of a new Pod is not taken.
        value["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
    }
    if call.resource.namespaced {
        ensure_namespace(store, &call.namespace);
    }
    Ok(stored(call, value, 201))
}

fn update(call: &Call<'_>, mut value: Value) -> Result<Response, Problem> {
    let old = current(call)?;
    prepare(call, &mut value)?;
    value["metadata"]["name"] = call.name.clone().into();
    let asked = value
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str);
    if asked.is_some_and(|asked| {
        !asked.is_empty()
            && old
                .pointer("/metadata/resourceVersion")
                .and_then(Value::as_str)
                != Some(asked)
    }) {
        return Err(Problem::conflict(&call.resource, &call.name));
    }
    let next = separate_status(call, old, value);
    Ok(stored(call, next, 200))
}

fn patch(call: &Call<'_>, change: &Value, headers: &HeaderMap) -> Result<Response, Problem> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    if !kind.starts_with("application/merge-patch+json") {
        let message = format!("this server knows merge patches alone, not `{kind}`");
        return Err(Problem::new(415, "UnsupportedMediaType", message));
    }
    let old = current(call)?;
    let mut value = old.clone();
    merge(&mut value, change);
    let next = separate_status(call, old, value);
    Ok(stored(call, next, 200))
}

/// A write to the object leaves its status alone, a write to the status the rest.
fn separate_status(call: &Call<'_>, old: Value, mut new: Value) -> Value {
    let (mut result, other) = if call.subresource == "status" {
        let status = new.get_mut("status").map(Value::take);
        (old, status)
    } else {
        for field in ["uid", "creationTimestamp"] {
            new["metadata"][field] = old["metadata"][field].clone();
        }
        let status = old.get("status").cloned();
        (new, status)
    };
    if let Some(map) = result.as_object_mut() {
        match other {
            Some(status) => map.insert("status".into(), status),
            None => map.shift_remove("status"),
        };
    }
    result
}

fn stored(call: &Call<'_>, mut value: Value, code: u16) -> Response {
    complete(&mut value);
    let (object, _) = call.shared.store.put(&call.resource, value);
    value_response(
        &object.value(&call.resource.kind, &call.resource.api_version()),
        code,
    )
}

fn prepare(call: &Call<'_>, value: &mut Value) -> Result<(), Problem> {
    let Some(map) = value.as_object_mut() else {
        return Err(Problem::bad_request("the body is not an object"));
    };
    let metadata = map
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    let Some(metadata) = metadata.as_object_mut() else {
        return Err(Problem::bad_request("metadata is not an object"));
    };
    if call.resource.namespaced {
        metadata.insert("namespace".into(), call.namespace.clone().into());
    }
    Ok(())
}

fn key(call: &Call<'_>) -> Key {
    (call.namespace.clone(), call.name.clone())
}

fn current(call: &Call<'_>) -> Result<Value, Problem> {
    let object = call
        .shared
        .store
        .get(&call.resource, &key(call))
        .ok_or_else(|| missing(call))?;
    Ok(object.value(&call.resource.kind, &call.resource.api_version()))
}

fn missing(call: &Call<'_>) -> Problem {
    Problem::not_found(&call.resource, &call.name)
}
