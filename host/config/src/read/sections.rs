//! Discovery: `static_configs` and every `<mechanism>_sd_configs`.

mod file;
mod fixed;
mod http;
mod plugin;

use periplus_core::ContentHash;

use super::{Context, kubernetes, quoted};
use crate::identity;
use crate::section::{Section, SectionKind};
use crate::yaml::{Fields, Value, nearest};

const SUFFIX: &str = "_sd_configs";

/// Mechanisms that need no plugin, beyond `static`.
const NATIVE: [&str; 4] = ["file", "http", "kubernetes", "kubernetes_resource"];

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
    let served = context.options.mechanisms.iter().map(String::as_str);
    let mechanisms = served.chain(NATIVE);
    fields.expect(mechanisms.map(|mechanism| format!("{mechanism}{SUFFIX}")));
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
        sections.extend(fixed::read(&list, &mut static_targets));
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
        "file" => file::read(value, context)?,
        "http" => http::read(value, context)?,
        "kubernetes" => {
            let section = kubernetes::read(value, context)?;
            let identity = identity::of_structure(mechanism, &section, &section.secrets());
            (identity, SectionKind::Kubernetes(section))
        }
        "kubernetes_resource" => {
            let section = kubernetes::resource::read(value, context)?;
            let identity = identity::of_structure(mechanism, &section, &section.secrets());
            (identity, SectionKind::KubernetesResource(section))
        }
        _ if is_served(mechanism, context) => plugin::read(mechanism, value, context)?,
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

fn is_served(mechanism: &str, context: &Context<'_>) -> bool {
    NATIVE.contains(&mechanism) || context.options.mechanisms.contains(mechanism)
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
        format!("unknown key `{key}`")
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
