//! Discovery: `static_configs` and every `<mechanism>_sd_configs`.

use std::sync::Arc;
use std::time::Duration;

use periplus_core::hash::ContentHasher;
use periplus_core::{ContentHash, LabelBuilder, LabelSet, TargetGroup};

use super::{Context, duration, http_client, kubernetes, path, quoted};
use crate::http_client::HttpClientConfig;
use crate::identity;
use crate::plugin::PluginSection;
use crate::section::{FileSection, Section, SectionKind};
use crate::yaml::{Fields, Value, nearest, quote_bytes};

const SUFFIX: &str = "_sd_configs";

/// Mechanisms that Prometheus has, for better hints.
const UPSTREAM: [&str; 36] = [
    "aws",
    "azure",
    "consul",
    "digitalocean",
    "dns",
    "docker",
    "dockerswarm",
    "ec2",
    "ecs",
    "elasticache",
    "eureka",
    "file",
    "gce",
    "hetzner",
    "http",
    "ionos",
    "kubernetes",
    "kuma",
    "lightsail",
    "linode",
    "marathon",
    "msk",
    "nerve",
    "nomad",
    "oci",
    "openstack",
    "outscale",
    "ovhcloud",
    "puppetdb",
    "rds",
    "scaleway",
    "serverset",
    "stackit",
    "triton",
    "uyuni",
    "vultr",
];

/// The discovery of one job.
pub(super) struct Discovery<'a> {
    pub(super) sections: Vec<Section>,
    /// The addresses in `static_configs`, which a job without rules must not write as URLs.
    static_targets: Vec<(String, Value<'a>)>,
}

/// Takes all discovery keys out of a job, in the order of Prometheus: by key, static last.
pub(super) fn take<'a>(fields: &mut Fields<'a>, context: &Context<'_>) -> Discovery<'a> {
    let mut lists = fields.take_matching(|key| key.ends_with(SUFFIX));
    lists.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut sections = Vec::new();
    for (key, list) in &lists {
        let mechanism = key.strip_suffix(SUFFIX).unwrap_or(key);
        if !is_served(mechanism, context) && !context.options.allow_missing {
            refuse_missing(mechanism, key, list, fields, context);
            continue;
        }
        let items = list.list(&type_name(mechanism), |item| {
            read_section(mechanism, key, &item, context)
        });
        sections.extend(items.unwrap_or_default());
    }
    let mut static_targets = Vec::new();
    if let Some(list) = fields.take("static_configs") {
        sections.extend(read_static(&list, &mut static_targets));
    }
    Discovery {
        sections,
        static_targets,
    }
}

// === impl Discovery ===

impl Discovery<'_> {
    /// Refuses static targets that look like URLs; a job with rules may mean them.
    pub(super) fn check_static_targets(&self) {
        for (target, value) in self
            .static_targets
            .iter()
            .filter(|(target, _)| target.contains('/'))
        {
            value.error_with(
                format!("{} is not a valid hostname", quoted(target)),
                "write `host:port`; scheme and path are settings of the job",
            );
        }
    }
}

fn type_name(mechanism: &str) -> String {
    let package = match mechanism {
        "dockerswarm" => "moby",
        other => other,
    };
    format!("[]*{package}.SDConfig")
}

fn read_section(
    mechanism: &str,
    key: &str,
    value: &Value<'_>,
    context: &Context<'_>,
) -> Option<Section> {
    if value.is_null() {
        value.error_with(
            format!("empty or null section in {key}"),
            "remove it, or fill it in",
        );
        return None;
    }
    let (identity, kind) = match mechanism {
        "file" => read_file(value, context)?,
        "kubernetes" => {
            let section = kubernetes::read(value, context)?;
            let secrets = section.http_client.secrets();
            let identity = identity::of_structure(mechanism, &section, &secrets);
            (identity, SectionKind::Kubernetes(section))
        }
        _ if is_served(mechanism, context) => read_plugin(mechanism, value, context)?,
        _ => read_missing(mechanism, value, context),
    };
    Some(Section {
        mechanism: mechanism.to_owned(),
        key_path: value.path.clone(),
        line: value.mark().line,
        identity,
        kind,
    })
}

// === file ===

fn read_file(value: &Value<'_>, context: &Context<'_>) -> Option<(ContentHash, SectionKind)> {
    let mut fields = value.fields("file.plain")?;
    let files = fields.read("files", |value| read_file_names(&value));
    let refresh_interval = fields
        .read("refresh_interval", |value| duration(&value))
        .map_or(Duration::from_secs(300), |interval| interval.0);
    if !fields.finish() {
        return None;
    }
    let files = files.unwrap_or_default();
    if files.is_empty() {
        fields.place(&["files"]).error_with(
            "file service discovery config must contain at least one path name",
            "add `files: [targets/*.yml]`",
        );
        return None;
    }
    let mut clean = true;
    for (name, value) in files.iter().filter(|(name, _)| !is_file_pattern(name)) {
        clean = false;
        value.error_with(
            format!("path name {} is not valid for file discovery", quoted(name)),
            "names end in .json, .yml or .yaml, with `*` in the last part alone",
        );
    }
    if !clean {
        return None;
    }
    let patterns = files
        .iter()
        .map(|(name, _)| path::join(context.directory, name))
        .collect();
    let section = FileSection {
        patterns,
        refresh_interval,
    };
    let mut hasher = ContentHasher::default();
    hasher
        .field(b"file")
        .number(section.refresh_interval.as_millis() as u64);
    for pattern in &section.patterns {
        hasher.field(pattern.as_os_str().as_encoded_bytes());
    }
    Some((hasher.finish(), SectionKind::File(section)))
}

fn read_file_names<'a>(value: &Value<'a>) -> Option<Vec<(String, Value<'a>)>> {
    value.list("[]string", |item| Some((item.string()?, item)))
}

/// `^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$`
fn is_file_pattern(name: &str) -> bool {
    let suffixes = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"];
    let Some(stem) = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)) else {
        return false;
    };
    stem.split_once('*')
        .is_none_or(|(_, tail)| !tail.contains('/'))
}

// === static ===

fn read_static<'a>(
    list: &Value<'a>,
    static_targets: &mut Vec<(String, Value<'a>)>,
) -> Option<Section> {
    let groups = list.list("[]*targetgroup.Group", |item| {
        read_group(&item, static_targets)
    })?;
    if groups.is_empty() {
        return None;
    }
    let mut hasher = ContentHasher::default();
    hasher.field(b"static");
    let mut numbered = Vec::with_capacity(groups.len());
    for (index, mut group) in groups.into_iter().enumerate() {
        group.source = index.to_string().into();
        hasher.field(&group.content_hash().0.to_le_bytes());
        numbered.push(Arc::new(group));
    }
    Some(Section {
        mechanism: "static".to_owned(),
        key_path: list.path.clone(),
        line: list.mark().line,
        identity: hasher.finish(),
        kind: SectionKind::Static(numbered),
    })
}

fn read_group<'a>(
    value: &Value<'a>,
    static_targets: &mut Vec<(String, Value<'a>)>,
) -> Option<TargetGroup> {
    const TYPE: &str = "struct { Targets []string \"yaml:\\\"targets\\\"\"; Labels model.LabelSet \"yaml:\\\"labels\\\"\" }";
    if value.is_null() {
        value.error_with(
            "empty or null section in static_configs",
            "remove it, or add `targets:`",
        );
        return None;
    }
    let mut fields = value.fields(TYPE)?;
    let targets = fields.read("targets", |value| {
        value.list("[]string", |item| Some((item.string()?, item)))
    });
    let labels = fields
        .read("labels", |value| read_labels(&value))
        .unwrap_or_default();
    fields.finish();
    let targets = targets.unwrap_or_default();
    let addresses = targets.iter().map(|(target, _)| {
        let mut builder = LabelBuilder::default();
        builder.set("__address__", target);
        builder.build()
    });
    let group = TargetGroup {
        source: Arc::default(),
        labels,
        targets: addresses.collect(),
    };
    static_targets.extend(targets);
    Some(group)
}

/// Labels of a group. A value that is empty stays, because it hides a job's default.
fn read_labels(value: &Value<'_>) -> Option<LabelSet> {
    let mut pairs = Vec::new();
    for (key, value) in value.map("model.LabelSet")? {
        let name = match key.bytes_as("string")? {
            Ok(name) if !name.is_empty() => name,
            // Upstream takes a null for a name that no label has, and loses it later.
            Ok(_) if key.is_null() => continue,
            Ok(_) => {
                value.error("\"\" is not a valid label name");
                continue;
            }
            Err(bytes) => {
                value.error(format!("{} is not a valid label name", quote_bytes(&bytes)));
                continue;
            }
        };
        if let Some(text) = value.string_as("model.LabelValue") {
            pairs.push((name, text));
        }
    }
    Some(pairs.into_iter().collect())
}

// === plugins ===

fn read_plugin(
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
    let mut fields = value.fields("plugin section")?;
    let refresh_interval = fields
        .read("refresh_interval", |value| duration(&value))
        .map_or(Duration::from_secs(60), |interval| interval.0);
    let http = http_client::take(&mut fields, context);
    let mut config = serde_json::Map::new();
    for (key, value) in fields.take_matching(|_| true) {
        if let Some(json) = value.json() {
            config.insert(key, json);
        }
    }
    if !fields.finish() {
        return None;
    }
    let http = http.validate(&fields, context)?;
    let written = value.json_object().unwrap_or_default();
    let is_http = |key: &String| HttpClientConfig::KEYS.contains(&key.as_str());
    let http_client = written
        .into_iter()
        .filter(|(key, _)| is_http(key))
        .collect();
    Some(PluginSection {
        config: serde_json::Value::Object(config),
        refresh_interval,
        http_client: serde_json::Value::Object(http_client),
        http,
    })
}

fn is_served(mechanism: &str, context: &Context<'_>) -> bool {
    matches!(mechanism, "file" | "kubernetes") || context.options.mechanisms.contains(mechanism)
}

/// A mechanism that nobody serves, where that is allowed.
fn read_missing(
    mechanism: &str,
    value: &Value<'_>,
    context: &Context<'_>,
) -> (ContentHash, SectionKind) {
    value.warn_with(
        format!("nobody serves the mechanism `{mechanism}`: the job stays unknown"),
        plugin_hint(mechanism, context),
    );
    let content = value.json_as_written();
    (
        identity::of_structure(mechanism, &content, &[]),
        SectionKind::Missing,
    )
}

/// Says that nobody serves a mechanism: one that Prometheus does not know either is, in its words,
/// a key that does not exist.
fn refuse_missing(
    mechanism: &str,
    key: &str,
    list: &Value<'_>,
    fields: &Fields<'_>,
    context: &Context<'_>,
) {
    let is_upstream = UPSTREAM.contains(&mechanism);
    if is_upstream
        && list
            .list(&type_name(mechanism), Some)
            .is_none_or(|list| list.is_empty())
    {
        return;
    }
    let message = if is_upstream {
        format!("nobody serves the mechanism `{mechanism}`")
    } else {
        format!("field {key} not found in type config.ScrapeConfig")
    };
    fields
        .place(&[key])
        .error_with(message, plugin_hint(mechanism, context));
}

fn plugin_hint(mechanism: &str, context: &Context<'_>) -> String {
    let mut known: Vec<&str> = UPSTREAM.to_vec();
    known.extend(context.options.mechanisms.iter().map(String::as_str));
    if let Some(near) = nearest(mechanism, &known).filter(|near| *near != mechanism) {
        return format!("did you mean `{near}{SUFFIX}`?");
    }
    format!(
        "add a plugin that serves it: `plugins: [{{source: file:plugins/{mechanism}.wasm}}]`, \
         or start with --allow-missing"
    )
}
