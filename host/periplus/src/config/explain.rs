//! `periplus config explain`: the configuration as resolved, and where each part comes from.

use std::io::Write;

use periplus_config::{
    Job, JobOrigin, Loaded, Places, Section, SectionKind, hide_secrets, scrape_settings,
};
use periplus_core::name::NameScheme;
use periplus_core::relabel::{Action, Rule};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::yaml;
use crate::args::{ExplainConfigArgs, ExplainFormat};
use crate::load::{find_job, load_or_say, plugin_host};

/// A value and where it comes from: `FILE:LINE`, or `default`.
#[derive(Serialize)]
pub(super) struct Explained {
    pub(super) value: Value,
    pub(super) origin: String,
}

/// A key with its value.
type Setting = (String, Explained);

/// A job as resolved.
pub(super) struct ExplainedJob {
    pub(super) origin: String,
    pub(super) settings: Vec<Setting>,
    /// By mechanism.
    pub(super) discovery: Vec<Setting>,
    /// By plugin.
    pub(super) transformers: Vec<Setting>,
    pub(super) rules: Vec<Explained>,
}

/// Prints the whole configuration, or one job of it.
pub(crate) async fn explain(args: ExplainConfigArgs) -> anyhow::Result<()> {
    let plugins = plugin_host(&args.load)?;
    let loaded = load_or_say(&args.config.path, &args.load, &plugins).await?;
    let only = args.job.as_deref();
    let only = only.map(|name| find_job(&loaded, name)).transpose()?;
    let jobs = loaded.config.jobs.iter().zip(&loaded.origins);
    let jobs: Vec<ExplainedJob> = jobs
        .filter(|(job, _)| only.is_none_or(|only| only.name == job.name))
        .map(|(job, origin)| of_job(job, origin, &loaded))
        .collect();
    let shared = if only.is_some() {
        Vec::new()
    } else {
        of_file(&loaded)
    };
    let mut out = std::io::stdout().lock();
    match args.format {
        ExplainFormat::Yaml => yaml::write(&mut out, &shared, &jobs)?,
        ExplainFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &as_json(&shared, &jobs))?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// What belongs to no job.
fn of_file(loaded: &Loaded) -> Vec<Setting> {
    let labels: Map<String, Value> = loaded
        .external_labels
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let config = &loaded.config;
    let entries = [
        ("global.external_labels", Value::Object(labels)),
        ("plugins", json!(config.plugins)),
        ("clusters", json!(config.clusters)),
    ];
    let written = entries
        .into_iter()
        .filter(|(key, _)| loaded.places.line(key).is_some());
    written
        .map(|(key, value)| {
            let origin = origin(&loaded.places, &[key.to_owned()]);
            let value = hide_secrets(&value);
            (key.to_owned(), Explained { value, origin })
        })
        .collect()
}

fn of_job(job: &Job, origin: &JobOrigin, loaded: &Loaded) -> ExplainedJob {
    let places = &loaded.places;
    let path = &origin.key_path;
    let entry = |key: &str, value: Value| {
        let keys = [format!("{path}.{key}"), format!("global.{key}")];
        let origin = self::origin(places, &keys);
        (key.to_owned(), Explained { value, origin })
    };
    let mut settings: Vec<Setting> = resolved_settings(job)
        .into_iter()
        .map(|(key, value)| entry(key, hide_secrets(&json!({ key: value }))[key].take()))
        .collect();
    // The rest concerns the scraper alone: as written.
    let written = hide_secrets(&Value::Object(scrape_settings(job)));
    for (key, value) in written.as_object().into_iter().flatten() {
        if !settings.iter().any(|(known, _)| known == key) {
            settings.push(entry(key, value.clone()));
        }
    }
    let rules = job.relabel_rules.iter().enumerate().map(|(index, rule)| {
        let key = format!("{path}.relabel_configs[{index}]");
        Explained {
            value: whole_rule(rule),
            origin: self::origin(places, &[key]),
        }
    });
    let at = |key_path: &String| self::origin(places, std::slice::from_ref(key_path));
    ExplainedJob {
        origin: format!("{}:{}", origin.file.display(), origin.line),
        settings,
        discovery: job
            .sections
            .iter()
            .map(|section| {
                let value = shown(section);
                let origin = at(&section.key_path);
                (section.mechanism.clone(), Explained { value, origin })
            })
            .collect(),
        transformers: job
            .transformers
            .iter()
            .map(|it| {
                let value = json!({ "config": hide_secrets(&it.config), "on_error": it.on_error });
                let origin = at(&it.key_path);
                (it.plugin.clone(), Explained { value, origin })
            })
            .collect(),
        rules: rules.collect(),
    }
}

fn resolved_settings(job: &Job) -> Vec<(&'static str, Value)> {
    let defaults = &job.defaults;
    let params: Map<String, Value> = defaults
        .params
        .iter()
        .map(|(name, values)| (name.clone(), json!(values)))
        .collect();
    let scheme = match job.name_scheme {
        NameScheme::Legacy => "legacy",
        NameScheme::Utf8 => "utf8",
    };
    vec![
        ("job_name", job.name.as_str().into()),
        (
            "scrape_interval",
            defaults.scrape_interval.to_string().into(),
        ),
        ("scrape_timeout", defaults.scrape_timeout.to_string().into()),
        ("scheme", defaults.scheme.as_str().into()),
        ("metrics_path", defaults.metrics_path.as_str().into()),
        ("params", Value::Object(params)),
        ("metric_name_validation_scheme", scheme.into()),
        (
            "scrape_native_histograms",
            defaults.scrape_native_histograms.into(),
        ),
        (
            "convert_classic_histograms_to_nhcb",
            defaults.convert_classic_histograms_to_nhcb.into(),
        ),
        (
            "always_scrape_classic_histograms",
            defaults.always_scrape_classic_histograms.into(),
        ),
    ]
}

/// A section as it runs; static groups in full, since they are short and have no secrets.
fn shown(section: &Section) -> Value {
    let SectionKind::Static(groups) = &section.kind else {
        return hide_secrets(&section.shown());
    };
    let groups = groups.iter().map(|group| {
        let targets = group.targets.iter();
        let targets: Vec<&str> = targets
            .map(|target| target.get("__address__").unwrap_or_default())
            .collect();
        json!({ "targets": targets, "labels": group.labels })
    });
    groups.collect()
}

/// A rule with the defaults of the keys that its action looks at.
fn whole_rule(rule: &Rule) -> Value {
    let raw = rule.raw();
    let action = rule.action();
    let by_name = matches!(
        action,
        Action::LabelMap | Action::LabelDrop | Action::LabelKeep
    );
    let compares = matches!(action, Action::KeepEqual | Action::DropEqual);
    let mut whole = Map::from_iter([("action".to_owned(), action.name().into())]);
    let mut put = |key: &str, value: Value| whole.insert(key.to_owned(), value);
    if !by_name {
        put(
            "source_labels",
            json!(raw.source_labels.as_deref().unwrap_or_default()),
        );
        put("separator", raw.separator.as_deref().unwrap_or(";").into());
    }
    let matches = matches!(action, Action::Replace | Action::Keep | Action::Drop);
    if by_name || matches {
        let regex = match &raw.regex {
            None => "(.*)",
            Some(pattern) => pattern.as_deref().unwrap_or_default(),
        };
        put("regex", regex.into());
    }
    if let Some(modulus) = raw.modulus.filter(|_| action == Action::HashMod) {
        put("modulus", modulus.into());
    }
    let sets = matches!(
        action,
        Action::Replace | Action::HashMod | Action::Lowercase | Action::Uppercase
    );
    if sets || compares {
        put(
            "target_label",
            raw.target_label.as_deref().unwrap_or_default().into(),
        );
    }
    if matches!(action, Action::Replace | Action::LabelMap) {
        put(
            "replacement",
            raw.replacement.as_deref().unwrap_or("$1").into(),
        );
    }
    Value::Object(whole)
}

/// Where the first of these keys that is written stands.
fn origin(places: &Places, keys: &[String]) -> String {
    let written = keys.iter().find_map(|key| places.line(key));
    written.map_or_else(
        || "default".to_owned(),
        |(file, line)| format!("{}:{line}", file.display()),
    )
}

fn as_json(shared: &[Setting], jobs: &[ExplainedJob]) -> Value {
    let object = |settings: &[Setting]| {
        let members = settings.iter();
        members
            .map(|(key, it)| (key.clone(), json!(it)))
            .collect::<Map<_, _>>()
    };
    let list = |settings: &[Setting], name: &str| {
        let items = settings.iter();
        items
            .map(|(key, it)| json!({ name: key, "value": it.value, "origin": it.origin }))
            .collect::<Vec<_>>()
    };
    let jobs = jobs.iter().map(|job| {
        json!({
            "origin": job.origin,
            "settings": object(&job.settings),
            "discovery": list(&job.discovery, "mechanism"),
            "transformers": list(&job.transformers, "plugin"),
            "relabel_configs": job.rules,
        })
    });
    json!({ "file": object(shared), "jobs": jobs.collect::<Vec<_>>() })
}
