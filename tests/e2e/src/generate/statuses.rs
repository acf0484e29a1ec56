//! What happens to the status of objects: merge patches.

use serde_json::{Value, json};

use super::objects::{node_status, pod_status};
use super::random::Random;
use crate::script::ObjectName;

/// A change of an object's status; `None` if its kind has none that matters.
pub(super) fn patch(random: &mut Random, name: &ObjectName) -> Option<Value> {
    let status = match name.kind.as_str() {
        "Pod" if random.chance(40) => json!({"phase": random.one_of(&super::objects::PHASES)}),
        "Pod" => pod_status(random, name),
        "Node" => node_status(random, name),
        _ => return None,
    };
    Some(json!({ "status": status }))
}
