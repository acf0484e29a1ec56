//! Sections of mechanisms that plugins serve.

use std::time::Duration;

use periplus_core::ContentHash;
use periplus_core::hash::ContentHasher;

use crate::http_client::HttpClientConfig;
use crate::identity;
use crate::plugin::PluginSection;
use crate::read::{Context, duration, http_client};
use crate::section::SectionKind;
use crate::yaml::Value;

/// Reads one section.
pub(super) fn read(
    mechanism: &str,
    value: &Value<'_>,
    context: &Context<'_>,
) -> Option<(ContentHash, SectionKind)> {
    let section = read_plugin_section(value, context)?;
    let mut hasher = ContentHasher::default();
    hasher
        .field(mechanism.as_bytes())
        .number(section.refresh_interval.as_millis() as u64);
    identity::add(&mut hasher, &section.config, false);
    let http = identity::of_structure("http", &section.http, &section.http.secrets());
    hasher.field(&http.0.to_le_bytes());
    Some((hasher.finish(), SectionKind::Plugin(section)))
}

/// Splits a section into what the host does (intervals, HTTP) and what the plugin is given.
fn read_plugin_section(value: &Value<'_>, context: &Context<'_>) -> Option<PluginSection> {
    let mut fields = value.fields()?;
    let refresh_interval = fields.read("refresh_interval", |value| duration(&value));
    // Zero, which upstream accepts and then dies of, is as if nothing were written.
    let written_interval = refresh_interval
        .filter(|interval| !interval.is_zero())
        .map(|interval| interval.0);
    let refresh_interval = written_interval.unwrap_or(Duration::from_mins(1));
    let http = http_client::take(&mut fields, context);
    let mut config = serde_json::Map::new();
    for (key, value) in fields.take_matching(|_| true) {
        config.insert(key, value.json()?);
    }
    // Errors so far lie in what the host reads. The plugin's part is handed on all the same, so
    // that its errors are told along with them.
    let http = if fields.finish() {
        http.validate(&fields, context)
    } else {
        None
    };
    let http = http.unwrap_or_default();
    let written = value.json_object().unwrap_or_default();
    let is_http = |key: &String| HttpClientConfig::KEYS.contains(&key.as_str());
    let http_client = written
        .into_iter()
        .filter(|(key, _)| is_http(key))
        .collect();
    Some(PluginSection {
        config: serde_json::Value::Object(config),
        refresh_interval,
        written_interval,
        http_client: serde_json::Value::Object(http_client),
        http,
    })
}
