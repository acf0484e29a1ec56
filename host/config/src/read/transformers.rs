//! A job's `transformers:`.

use periplus_core::hash::ContentHasher;

use super::quoted;
use crate::identity;
use crate::plugin::{OnError, TransformerConfig};
use crate::yaml::Value;

/// Reads the list.
pub(super) fn read(value: &Value<'_>) -> Option<Vec<TransformerConfig>> {
    value.list("[]transformer", |item| read_transformer(&item))
}

fn read_transformer(value: &Value<'_>) -> Option<TransformerConfig> {
    if value.is_nil() {
        value.error_with(
            "empty or null section in transformers",
            "remove it, or add `plugin: NAME`",
        );
        return None;
    }
    let mut fields = value.fields()?;
    let plugin = fields.string("plugin");
    let config = fields
        .read("config", |value| value.json_object())
        .unwrap_or_default();
    let on_error = fields
        .read("on_error", |value| read_on_error(&value))
        .unwrap_or_default();
    if !fields.finish() {
        return None;
    }
    if plugin.is_empty() {
        fields.place(&["plugin"]).error_with(
            "transformer names no plugin",
            "add `plugin: NAME`, a name of the list `plugins:`",
        );
        return None;
    }
    let config = serde_json::Value::Object(config);
    let mut hasher = ContentHasher::default();
    hasher.field(plugin.as_bytes()).field(&[on_error as u8]);
    identity::add(&mut hasher, &config, false);
    Some(TransformerConfig {
        plugin,
        config,
        on_error,
        identity: hasher.finish(),
        key_path: value.path.clone(),
        line: value.mark().line,
    })
}

fn read_on_error(value: &Value<'_>) -> Option<OnError> {
    if value.is_nil() {
        return None;
    }
    Some(match value.string()?.as_str() {
        "keep" => OnError::Keep,
        "pass" => OnError::Pass,
        "drop" => OnError::Drop,
        other => {
            value.error_with(
                format!("unknown on_error {}", quoted(other)),
                "write `keep`, `pass` or `drop`",
            );
            return None;
        }
    })
}
