//! What a plugin says of itself, checked against `wit/manifest.schema.json`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::inspect::Exports;
use crate::names::NamePatterns;
use crate::schema::{ConfigSchema, Problem};

static SCHEMA: LazyLock<Option<ConfigSchema>> = LazyLock::new(|| {
    let text = include_str!("../../../wit/manifest.schema.json");
    serde_json::from_str(text)
        .ok()
        .and_then(|schema| ConfigSchema::new(schema).ok())
});

/// A plugin's manifest.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Manifest {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence for people.
    #[serde(default)]
    pub description: Option<String>,
    /// What it serves as a provider.
    #[serde(default)]
    pub mechanisms: BTreeMap<String, Mechanism>,
    /// Present if it is a transformer.
    #[serde(default)]
    pub transformer: Option<TransformerManifest>,
    /// Labels that it writes, where a mechanism or the transformer does not say its own.
    #[serde(default)]
    pub writes: Option<Vec<String>>,
    /// Grants that it asks for, to show.
    #[serde(default)]
    pub requests: Value,
    /// Credentials that it asks for, to show.
    #[serde(default)]
    pub credentials: Value,
}

/// One mechanism.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Mechanism {
    /// One sentence for people.
    #[serde(default)]
    pub description: Option<String>,
    /// JSON Schema of a section.
    pub config: Value,
    /// Labels that it writes.
    #[serde(default)]
    pub writes: Option<Vec<String>>,
}

/// The transformer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TransformerManifest {
    /// One sentence for people.
    #[serde(default)]
    pub description: Option<String>,
    /// JSON Schema of its configuration.
    pub config: Value,
    /// Labels that it writes.
    #[serde(default)]
    pub writes: Option<Vec<String>>,
}

/// Which labels may be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Those that the manifest names.
    Named(NamePatterns),
    /// Any that does not steer the scraper: no `__` in front.
    Plain,
}

// === impl Manifest ===

impl Manifest {
    /// Reads a manifest and checks that it fits what the component exports.
    pub(crate) fn parse(text: &str, exports: Exports) -> Result<Self, Vec<Problem>> {
        let value: Value =
            serde_json::from_str(text).map_err(|e| vec![Problem::new("", &e.to_string())])?;
        if let Some(schema) = &*SCHEMA {
            schema.check(&value)?;
        }
        let manifest: Self =
            serde_json::from_value(value).map_err(|e| vec![Problem::new("", &e.to_string())])?;
        let mut problems = Vec::new();
        if exports.provider == manifest.mechanisms.is_empty() {
            let text = "mechanisms are named if and only if the component exports `provider`";
            problems.push(Problem::new("/mechanisms", text));
        }
        if exports.transformer != manifest.transformer.is_some() {
            let text = "it is there if and only if the component exports `transformer`";
            problems.push(Problem::new("/transformer", text));
        }
        if problems.is_empty() {
            Ok(manifest)
        } else {
            Err(problems)
        }
    }

    /// The labels that a mechanism may set.
    pub(crate) fn provider_writes(&self, mechanism: &str) -> Writes {
        let own = self
            .mechanisms
            .get(mechanism)
            .and_then(|m| m.writes.as_ref());
        match own.or(self.writes.as_ref()) {
            Some(named) => Writes::Named(NamePatterns::new(named)),
            None => Writes::Named(NamePatterns::new([
                "__address__".to_owned(),
                format!("__meta_{mechanism}_*"),
            ])),
        }
    }

    /// The labels that the transformer may set.
    pub(crate) fn transformer_writes(&self) -> Writes {
        let own = self.transformer.as_ref().and_then(|t| t.writes.as_ref());
        match own.or(self.writes.as_ref()) {
            Some(named) => Writes::Named(NamePatterns::new(named)),
            None => Writes::Plain,
        }
    }
}

// === impl Writes ===

impl Writes {
    /// Whether the label may be set.
    pub(crate) fn allow(&self, name: &str) -> bool {
        match self {
            Self::Named(names) => names.contains(name),
            Self::Plain => !name.starts_with("__"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Exports = Exports {
        provider: true,
        transformer: true,
    };
    const PROVIDER: Exports = Exports {
        provider: true,
        transformer: false,
    };

    fn problems(text: &str, exports: Exports) -> String {
        crate::error::list(&Manifest::parse(text, exports).unwrap_err())
    }

    #[test]
    fn a_full_manifest_is_read() {
        let manifest = Manifest::parse(
            r#"{"name": "a-b", "version": "1.2.3", "mechanisms": {"a_b": {"config": {"type": "object"}}},
                "transformer": {"config": {}, "writes": ["x", "__param_*"]}, "unknown": 1}"#,
            BOTH,
        )
        .unwrap();
        let writes = manifest.provider_writes("a_b");
        assert!(writes.allow("__address__") && writes.allow("__meta_a_b_x"));
        assert!(!writes.allow("__param_x") && !writes.allow("job"));
        let writes = manifest.transformer_writes();
        assert!(writes.allow("x") && writes.allow("__param_y") && !writes.allow("y"));
    }

    #[test]
    fn what_the_schema_refuses_is_told_with_its_place() {
        let text = problems(
            r#"{"name": "A b", "version": "1.2.3", "mechanisms": {"x": {}}}"#,
            PROVIDER,
        );
        assert!(
            text.contains("`/name`") && text.contains("`/mechanisms/x`"),
            "{text}"
        );
        assert!(problems("{", PROVIDER).contains("EOF"));
    }

    #[test]
    fn the_manifest_must_fit_the_exports() {
        let text = problems(
            r#"{"name": "a", "version": "1.2.3", "transformer": {"config": {}}}"#,
            PROVIDER,
        );
        assert!(
            text.contains("`/mechanisms`") && text.contains("`/transformer`"),
            "{text}"
        );
    }

    #[test]
    fn a_transformer_without_writes_may_not_steer_the_scraper() {
        assert!(Writes::Plain.allow("team"));
        assert!(!Writes::Plain.allow("__address__"));
    }
}
