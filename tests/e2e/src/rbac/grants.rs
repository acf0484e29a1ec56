//! Permissions in manifests of roles: taking them apart, and taking one away.

use serde_json::{Value, json};

/// One verb on one resource in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Permission {
    /// Which manifest, and which rule of it.
    manifest: usize,
    rule: usize,
    /// The namespace of the role; none if it is one of the cluster.
    namespace: Option<String>,
    /// Empty for the core.
    group: String,
    resource: String,
    verb: String,
}

/// All permissions of some manifests.
pub(super) fn permissions(manifests: &[Value]) -> Vec<Permission> {
    let mut found = Vec::new();
    for (manifest, object) in manifests.iter().enumerate() {
        for (rule, content) in items(&object["rules"]).enumerate() {
            // Rules are printed with one group each.
            let group = text(&content["apiGroups"][0]);
            for resource in items(&content["resources"]) {
                for verb in items(&content["verbs"]) {
                    found.push(Permission {
                        manifest,
                        rule,
                        namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
                        group: group.clone(),
                        resource: text(resource),
                        verb: text(verb),
                    });
                }
            }
        }
    }
    found
}

// === impl Permission ===

impl Permission {
    /// The manifests without it, and with everything else.
    pub(super) fn taken_from(&self, manifests: &[Value]) -> Vec<Value> {
        let mut manifests = manifests.to_vec();
        let rules = &mut manifests[self.manifest]["rules"];
        let whole = rules[self.rule].clone();
        let without = |key: &str, what: &str| -> Vec<Value> {
            items(&whole[key])
                .filter(|item| *item != what)
                .cloned()
                .collect()
        };
        let mut others = whole.clone();
        others["resources"] = without("resources", &self.resource).into();
        let mut reduced = whole.clone();
        reduced["resources"] = json!([self.resource]);
        reduced["verbs"] = without("verbs", &self.verb).into();
        if let Some(rules) = rules.as_array_mut() {
            rules.remove(self.rule);
            // A rule without resources or verbs is refused.
            let kept = [others, reduced].into_iter().filter(|rule| {
                ["resources", "verbs"]
                    .iter()
                    .all(|key| items(&rule[*key]).next().is_some())
            });
            rules.extend(kept);
        }
        manifests
    }

    /// Whether it is one to read a whole list.
    pub(super) fn is_to_list(&self) -> bool {
        self.verb == "list"
    }

    /// Whether a text tells that it is missing.
    pub(super) fn is_named_in(&self, text: &str) -> bool {
        text.contains(&self.to_string())
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the permission to `{}` `{}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        write!(f, "`")?;
        match &self.namespace {
            Some(namespace) => write!(f, " in `{namespace}`"),
            None => Ok(()),
        }
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_permission_is_taken_and_every_other_stays() {
        let role = json!({"kind": "Role", "metadata": {"name": "r", "namespace": "n"}, "rules": [
            {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list", "watch"]}]});
        let all = permissions(std::slice::from_ref(&role));
        assert_eq!(all.len(), 4);
        for permission in &all {
            let left = permissions(&permission.taken_from(std::slice::from_ref(&role)));
            let mut names: Vec<String> = left.iter().map(ToString::to_string).collect();
            names.push(permission.to_string());
            names.sort();
            let mut expected: Vec<String> = all.iter().map(ToString::to_string).collect();
            expected.sort();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn a_missing_permission_is_named_by_verb_resource_and_namespace() {
        let role = json!({"metadata": {"namespace": "team"},
                          "rules": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]}]});
        let permission = &permissions(&[role])[0];
        let named = |needed| {
            permission.is_named_in(&format!(
                "403 Forbidden: cannot list resource \"jobs\" in the namespace \"team\"; \
                 the account needs the permission to {needed}; and 1 more"
            ))
        };
        assert!(named("`list` `jobs.batch` in `team`"));
        for other in [
            "`watch` `jobs.batch` in `team`",
            "`list` `cronjobs.batch` in `team`",
            "`list` `jobs.batch` in `teams`",
            "`list` `jobs.batch`",
            "`list` `jobs` in `team`",
        ] {
            assert!(!named(other), "{other}");
        }
    }
}
