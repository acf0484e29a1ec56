//! What a plugin says of itself, by `wit/manifest.schema.json`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// A plugin's manifest. Begin with [`manifest!`](crate::manifest).
#[derive(Clone, Debug)]
pub struct Manifest {
    name: String,
    version: String,
    description: String,
    mechanisms: Map<String, Value>,
    transformer: Option<Value>,
    writes: Vec<String>,
    requests: Map<String, Value>,
}

impl Manifest {
    /// A manifest that serves nothing yet.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            description: String::new(),
            mechanisms: Map::new(),
            transformer: None,
            writes: Vec::new(),
            requests: Map::new(),
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Serves `<name>_sd_configs` with sections of type `C`. Lower case letters, digits and underscores.
    #[must_use]
    pub fn mechanism<C: JsonSchema>(mut self, name: impl Into<String>) -> Self {
        self.mechanisms
            .insert(name.into(), json!({"config": schema::<C>()}));
        self
    }

    /// Serves entries of `transformers:` whose `config` is of type `C`.
    #[must_use]
    pub fn transformer<C: JsonSchema>(mut self) -> Self {
        self.transformer = Some(json!({"config": schema::<C>()}));
        self
    }

    /// Labels that the plugin sets: names, or `prefix*`; the host refuses others. Without it, a provider writes
    /// `__address__` and `__meta_<mechanism>_*`, a transformer any name that does not begin with `__`.
    #[must_use]
    pub fn writes<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.writes.extend(names.into_iter().map(Into::into));
        self
    }

    /// An origin that the plugin asks for, and why. `{/url}` stands for what the configuration has at that pointer.
    #[must_use]
    pub fn asks_http(self, origin: &str, reason: &str) -> Self {
        self.asks("http", origin, reason)
    }

    /// A path or pattern of files that the plugin asks for, and why.
    #[must_use]
    pub fn asks_files(self, pattern: &str, reason: &str) -> Self {
        self.asks("files", pattern, reason)
    }

    /// A name or pattern of names that the plugin looks up, and why.
    #[must_use]
    pub fn asks_dns(self, pattern: &str, reason: &str) -> Self {
        self.asks("dns", pattern, reason)
    }

    /// The JSON text that `describe` returns.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// The manifest as a JSON value.
    pub fn to_value(&self) -> Value {
        let mut manifest = json!({"name": self.name, "version": self.version});
        if !self.description.is_empty() {
            manifest["description"] = json!(self.description);
        }
        if !self.mechanisms.is_empty() {
            manifest["mechanisms"] = Value::Object(self.mechanisms.clone());
        }
        if let Some(transformer) = &self.transformer {
            manifest["transformer"] = transformer.clone();
        }
        if !self.writes.is_empty() {
            manifest["writes"] = json!(self.writes);
        }
        if !self.requests.is_empty() {
            manifest["requests"] = Value::Object(self.requests.clone());
        }
        manifest
    }

    fn asks(mut self, kind: &str, grant: &str, reason: &str) -> Self {
        let requests = self.requests.entry(kind).or_insert_with(|| json!([]));
        if let Value::Array(requests) = requests {
            requests.push(json!({"grant": grant, "reason": reason}));
        }
        self
    }
}

/// JSON Schema (2020-12) of a configuration as the operator writes it.
fn schema<C: JsonSchema>() -> Value {
    // Inlined: the host holds each schema by itself, and shows parts of it in messages.
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings
        .into_generator()
        .into_root_schema_for::<C>()
        .to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Sample {
        /// Where to ask.
        url: String,
        #[serde(default = "port")]
        port: u16,
        #[serde(default)]
        inner: Inner,
    }

    #[derive(Default, Deserialize, serde::Serialize, JsonSchema)]
    struct Inner {
        names: Vec<String>,
    }

    fn port() -> u16 {
        9100
    }

    #[test]
    fn a_provider_describes_its_mechanism() {
        let manifest = Manifest::new("racks", "1.2.3")
            .mechanism::<Sample>("racks")
            .asks_http("{/url}", "reads the inventory")
            .to_value();
        assert_eq!(manifest["name"], "racks");
        assert_eq!(manifest["version"], "1.2.3");
        assert_eq!(manifest["requests"]["http"][0]["grant"], "{/url}");
        let config = &manifest["mechanisms"]["racks"]["config"];
        assert_eq!(config["type"], "object");
        assert_eq!(config["required"], json!(["url"]));
        assert_eq!(config["properties"]["port"]["default"], 9100);
        assert_eq!(config["properties"]["url"]["description"], "Where to ask.");
        assert_eq!(config["additionalProperties"], false);
        assert_eq!(
            config["properties"]["inner"]["type"], "object",
            "inlined: {config}"
        );
        assert!(manifest.get("transformer").is_none());
    }

    #[test]
    fn a_transformer_describes_its_configuration_and_labels() {
        let manifest = Manifest::new("t", "0.1.0")
            .transformer::<Sample>()
            .writes(["team"])
            .to_value();
        assert_eq!(manifest["transformer"]["config"]["type"], "object");
        assert_eq!(manifest["writes"], json!(["team"]));
        assert!(manifest.get("mechanisms").is_none());
    }

    #[test]
    fn the_crate_names_its_manifest() {
        let manifest = crate::manifest!().to_value();
        assert_eq!(manifest["name"], "periplus-sdk");
        assert!(
            manifest["description"]
                .as_str()
                .unwrap()
                .contains("Periplus")
        );
    }
}
