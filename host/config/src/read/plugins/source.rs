//! Where a plugin comes from: a file, or an image in a registry.

use std::path::PathBuf;

use super::super::{Context, path, quoted};
use crate::plugin::{PluginImage, PullPolicy};
use crate::yaml::{Fields, Value};

/// What is written beside `source` for images alone.
pub(super) struct ImageKeys<'a> {
    pull: Option<PullPolicy>,
    plain_http: bool,
    /// None: they are written, and wrong, which is reported.
    keys: Option<Vec<PathBuf>>,
    /// The first of them that is written, to say where it does not belong.
    written: Option<(&'static str, Value<'a>)>,
}

/// Takes what is there for images.
pub(super) fn read_image_keys<'a>(fields: &mut Fields<'a>, context: &Context<'_>) -> ImageKeys<'a> {
    let mut written = None;
    let mut take = |key: &'static str| {
        let value = fields.take(key)?;
        written.get_or_insert((key, value.clone()));
        Some(value)
    };
    let pull = take("pull").and_then(|value| read_pull(&value));
    let plain_http = take("plain_http").and_then(|value| value.bool());
    let keys = take("verify").map_or(Some(Vec::new()), |value| read_keys(&value, context));
    ImageKeys {
        pull,
        plain_http: plain_http.unwrap_or_default(),
        keys,
        written,
    }
}

/// The source, and what it is pulled by if it is an image.
pub(super) fn read(
    value: &Value<'_>,
    beside: ImageKeys<'_>,
    context: &Context<'_>,
) -> Option<(PathBuf, Option<PluginImage>)> {
    let text = value.string()?;
    if let Some(name) = text.strip_prefix("oci:") {
        if !name.contains('/') {
            value.error_with(
                format!("plugin source {} is not an image", quoted(&text)),
                "write `source: oci:REGISTRY/NAME:TAG`, and `@sha256:...` to pin it",
            );
            return None;
        }
        let image = PluginImage {
            name: name.to_owned(),
            pull: beside.pull.unwrap_or_default(),
            plain_http: beside.plain_http,
            // Nothing is loaded without the check that somebody asked for.
            keys: beside.keys?,
        };
        return Some((PathBuf::from(&text), Some(image)));
    }
    if let Some((key, place)) = beside.written {
        place.error_with(
            format!("{} is for plugins from registries", quoted(key)),
            "remove it, or write `source: oci:REGISTRY/NAME:TAG`; a file is pinned by `sha256`",
        );
        return None;
    }
    let file = text.strip_prefix("file:").unwrap_or(&text);
    if file.is_empty() {
        value.error_with("plugin source is empty", "write `source: file:PATH`");
        return None;
    }
    if let Some((scheme, _)) = file.split_once(':')
        && scheme.len() > 1
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        value.error_with(
            format!("plugin source {} is not supported", quoted(&text)),
            "write `source: file:PATH` or `source: oci:REGISTRY/NAME:TAG`",
        );
        return None;
    }
    Some((path::join(context.directory, file), None))
}

fn read_pull(value: &Value<'_>) -> Option<PullPolicy> {
    match value.string()?.as_str() {
        "always" => Some(PullPolicy::Always),
        "if-not-present" => Some(PullPolicy::IfNotPresent),
        "never" => Some(PullPolicy::Never),
        other => {
            value.error_with(
                format!("unknown pull policy {}", quoted(other)),
                "use `always`, `if-not-present` or `never`",
            );
            None
        }
    }
}

/// A `verify` without keys is an error, never a check that lets everything pass.
fn read_keys(value: &Value<'_>, context: &Context<'_>) -> Option<Vec<PathBuf>> {
    let none = || -> Option<Vec<String>> {
        value.error_with(
            "no key to verify signatures with",
            "write `verify: {keys: [FILE]}`",
        );
        None
    };
    if value.is_nil() {
        none()?;
    }
    let mut fields = value.fields()?;
    let files = fields.read("keys", |value| value.strings());
    if !fields.finish() {
        return None;
    }
    let files = files.filter(|files| !files.is_empty()).or_else(none)?;
    let joined = files.iter().map(|file| path::join(context.directory, file));
    Some(joined.collect())
}
