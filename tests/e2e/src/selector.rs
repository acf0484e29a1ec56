//! Selectors as the API server evaluates them, so that the past of an object can be seen as a section saw it.

use serde_json::Value;

use crate::sides::selectors;

/// Whether a section that watches objects of this role sees the object in this state.
pub fn sees(section: &Value, role: &str, object: &Value) -> bool {
    let (labels, fields) = selectors(section, role);
    requirements(&labels).all(|requirement| label_holds(requirement, &object["metadata"]["labels"]))
        && requirements(&fields).all(|requirement| field_holds(requirement, object))
}

/// The parts of a selector: commas between parentheses do not part.
fn requirements(selector: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    selector
        .split(move |c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(str::trim)
        .filter(|requirement| !requirement.is_empty())
}

fn label_holds(requirement: &str, labels: &Value) -> bool {
    let value = |key: &str| labels[key.trim()].as_str();
    let listed = |list: &str, value: &str| {
        let list = list.trim().trim_start_matches('(').trim_end_matches(')');
        list.split(',').any(|item| item.trim() == value)
    };
    if let Some((key, wanted)) = requirement.split_once("!=") {
        return value(key) != Some(wanted.trim());
    }
    if let Some((key, wanted)) = equality(requirement) {
        return value(key) == Some(wanted);
    }
    if let Some((key, list)) = requirement.split_once(" notin ") {
        return value(key).is_none_or(|value| !listed(list, value));
    }
    if let Some((key, list)) = requirement.split_once(" in ") {
        return value(key).is_some_and(|value| listed(list, value));
    }
    match requirement.strip_prefix('!') {
        Some(key) => value(key).is_none(),
        None => value(requirement).is_some(),
    }
}

fn field_holds(requirement: &str, object: &Value) -> bool {
    let value = |path: &str| {
        let pointer = format!("/{}", path.trim().replace('.', "/"));
        let found = object.pointer(&pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    if let Some((path, wanted)) = requirement.split_once("!=") {
        return value(path) != wanted.trim();
    }
    equality(requirement).is_some_and(|(path, wanted)| value(path) == wanted)
}

fn equality(requirement: &str) -> Option<(&str, &str)> {
    let parts = requirement
        .split_once("==")
        .or_else(|| requirement.split_once('='));
    parts.map(|(key, value)| (key, value.trim()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn every_form_of_requirement_is_evaluated() {
        let object = json!({"metadata": {"name": "p", "labels": {"app": "web", "tier": "x"}},
                            "spec": {"nodeName": "n"}});
        let sees = |label: &str, field: &str| {
            let section = json!({"selectors": [{"role": "pod", "label": label, "field": field}]});
            super::sees(&section, "pod", &object)
        };
        for label in [
            "app=web",
            "app==web,tier!=y",
            "app in (web, db),tier",
            "app notin (db,api)",
            "other notin (a)",
            "!other",
            "",
        ] {
            assert!(sees(label, ""), "{label}");
        }
        for label in [
            "app=db",
            "app!=web",
            "app in (db)",
            "app notin (web)",
            "!app",
            "other",
        ] {
            assert!(!sees(label, ""), "{label}");
        }
        assert!(sees("", "spec.nodeName=n,metadata.name!=q"));
        assert!(!sees("", "spec.nodeName=m"));
        assert!(super::sees(&json!({}), "pod", &object));
    }
}
