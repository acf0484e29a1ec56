//! `plugins:`.

mod source;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Context, duration, path, quoted, units};
use crate::plugin::{Grants, HttpGrant, PluginConfig, PluginLimits};
use crate::yaml::{Fields, Value};

/// Reads the list.
pub(super) fn read(value: &Value<'_>, context: &Context<'_>) -> Vec<PluginConfig> {
    let mut names = BTreeMap::new();
    let plugins = value.list("[]plugin", |item| {
        let plugin = read_plugin(&item, context)?;
        if let Some(name) = &plugin.name
            && let Some(other) = names.insert(name.clone(), item.path.clone())
        {
            let message = format!("found multiple plugins with name {}", quoted(name));
            item.error_with(message, format!("the other one is `{other}`"));
        }
        Some(plugin)
    });
    plugins.unwrap_or_default()
}

fn read_plugin(value: &Value<'_>, context: &Context<'_>) -> Option<PluginConfig> {
    if value.is_nil() {
        value.error_with(
            "empty or null section in plugins",
            "remove it, or add `source: file:PATH`",
        );
        return None;
    }
    let mut fields = value.fields()?;
    let name = fields.string("name");
    let source = fields.take("source");
    let sha256 = fields.read("sha256", |value| read_sha256(&value));
    let allow = fields
        .read("allow", |value| read_grants(&value, context))
        .unwrap_or_default();
    let limits = fields
        .read("limits", |value| read_limits(&value))
        .unwrap_or_default();
    let image_keys = source::read_image_keys(&mut fields, context);
    let source = match source {
        Some(value) => source::read(&value, image_keys, context),
        None => {
            fields.place(&[]).error_with(
                "plugin has no source",
                "add `source: file:PATH`, or `source: oci:IMAGE`",
            );
            None
        }
    };
    fields.finish();
    let (source, image) = source?;
    Some(PluginConfig {
        name: (!name.is_empty()).then_some(name),
        source,
        image,
        sha256,
        allow,
        limits,
        line: value.mark().line,
        key_path: value.path.clone(),
    })
}

fn read_sha256(value: &Value<'_>) -> Option<String> {
    if value.is_nil() {
        return None;
    }
    let digest = value.string()?.to_ascii_lowercase();
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        value.error_with(
            format!("{} is not a SHA-256 digest", quoted(&digest)),
            "write the 64 hexadecimal digits that `sha256sum` prints",
        );
        return None;
    }
    Some(digest)
}

fn read_grants(value: &Value<'_>, context: &Context<'_>) -> Option<Grants> {
    let mut fields = value.fields()?;
    let files = fields
        .read("files", |value| value.strings())
        .unwrap_or_default();
    let files = files.iter().map(|file| path::join(context.directory, file));
    let grants = Grants {
        files: files
            .map(|file| file.to_string_lossy().into_owned())
            .collect(),
        http: fields
            .read("http", |value| {
                value.list("[]origin", |item| read_http_grant(&item))
            })
            .unwrap_or_default(),
        dns: fields
            .read("dns", |value| value.strings())
            .unwrap_or_default(),
    };
    fields.finish();
    Some(grants)
}

/// `https://host`, or a mapping with `origin`, `methods` and `paths`.
fn read_http_grant(value: &Value<'_>) -> Option<HttpGrant> {
    let defaults = || vec!["GET".to_owned(), "HEAD".to_owned()];
    if value.is_scalar() {
        return Some(HttpGrant {
            origin: read_origin(value)?,
            methods: defaults(),
            paths: Vec::new(),
        });
    }
    let mut fields = value.fields()?;
    let origin = fields.take("origin");
    let methods = fields.read("methods", |value| {
        value.list("[]string", |item| {
            item.string().map(|method| method.to_ascii_uppercase())
        })
    });
    let paths = fields.read("paths", |value| {
        value.list("[]string", |item| read_path_prefix(&item))
    });
    let origin = match origin {
        Some(value) => read_origin(&value),
        None => {
            fields
                .place(&[])
                .error_with("grant has no origin", "add `origin: https://HOST`");
            None
        }
    };
    fields.finish();
    Some(HttpGrant {
        origin: origin?,
        methods: methods
            .filter(|methods| !methods.is_empty())
            .unwrap_or_else(defaults),
        paths: paths.unwrap_or_default(),
    })
}

fn read_path_prefix(value: &Value<'_>) -> Option<String> {
    let path = value.string()?;
    if path.starts_with('/') {
        return Some(path);
    }
    value.error_with(
        format!("path {} does not begin with a slash", quoted(&path)),
        "write `/...`",
    );
    None
}

/// `scheme://host[:port]` and nothing behind it.
fn read_origin(value: &Value<'_>) -> Option<String> {
    let text = value.string()?;
    let parsed = url::Url::parse(&text.replacen("://*.", "://", 1)).ok();
    let is_origin = parsed.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if !is_origin {
        value.error_with(
            format!("{} is not an HTTP origin", quoted(&text)),
            "write scheme and host, with a port if it is not the usual one: `https://cmdb.example.com`",
        );
        return None;
    }
    Some(text.trim_end_matches('/').to_ascii_lowercase())
}

fn read_limits(value: &Value<'_>) -> Option<PluginLimits> {
    let mut fields = value.fields()?;
    let limits = PluginLimits {
        memory: read_bytes(&mut fields, "memory"),
        cpu: read_time(&mut fields, "cpu"),
        wall: read_time(&mut fields, "wall"),
        groups: read_count(&mut fields, "groups"),
        targets: read_count(&mut fields, "targets"),
        output: read_bytes(&mut fields, "output"),
    };
    fields.finish();
    Some(limits)
}

fn read_bytes(fields: &mut Fields<'_>, key: &'static str) -> Option<u64> {
    let value = fields.take(key).filter(|value| !value.is_nil())?;
    // Without a unit it is bytes.
    let size = match value.whole_number() {
        Some(number) => number,
        None => u64::try_from(units::read_size(&value)?).unwrap_or_default(),
    };
    positive(&value, size)
}

fn read_time(fields: &mut Fields<'_>, key: &'static str) -> Option<Duration> {
    let value = fields.take(key).filter(|value| !value.is_nil())?;
    let time = duration(&value)?.0;
    positive(&value, u64::from(!time.is_zero())).map(|_| time)
}

fn read_count(fields: &mut Fields<'_>, key: &'static str) -> Option<u64> {
    let value = fields.take(key).filter(|value| !value.is_nil())?;
    positive(&value, value.uint()?)
}

fn positive(value: &Value<'_>, number: u64) -> Option<u64> {
    if number == 0 {
        value.error_with(
            "limit must be greater than zero",
            "remove it to have the host's default",
        );
        return None;
    }
    Some(number)
}
