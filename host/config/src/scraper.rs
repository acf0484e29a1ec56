//! The scrape section that belongs on a scraper which reads a job's final targets from us.

use serde_json::{Map, Value, json};
use url::Url;

use crate::config::Job;
use crate::load::Loaded;
use crate::lost::{LostLabel, lost_labels};
use crate::secret::SHOWN;
use crate::section::without_secrets;

/// Settings of `global` that a job inherits. The scraper's own `global` may be another one, so they
/// are written out.
const INHERITED: [&str; 17] = [
    "scrape_interval",
    "scrape_timeout",
    "scrape_protocols",
    "scrape_native_histograms",
    "convert_classic_histograms_to_nhcb",
    "always_scrape_classic_histograms",
    "extra_scrape_metrics",
    "metric_name_validation_scheme",
    "metric_name_escaping_scheme",
    "scrape_failure_log_file",
    "body_size_limit",
    "sample_limit",
    "target_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "keep_dropped_targets",
];

/// How often the scraper asks for the list. An unchanged one costs it a 304.
const REFRESH_INTERVAL: &str = "15s";

/// A scrape section and what to know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScraperSection {
    /// The section, an element of `scrape_configs`.
    pub section: Value,
    /// Whether it holds `<secret>` in the place of secrets.
    pub hides_secrets: bool,
    /// What the scraper will do otherwise than Prometheus with the original section.
    pub notes: Vec<String>,
}

/// The section for a job: everything that final targets cannot say (credentials, several values of a
/// parameter, metric relabeling, limits) as it stands, and our URL in the place of its discovery.
/// `base` is where we serve; secrets are left out unless `with_secrets` is set.
///
/// # Errors
/// A base that cannot have a path.
pub fn scraper_section(
    loaded: &Loaded,
    job: &Job,
    base: &Url,
    with_secrets: bool,
) -> Result<ScraperSection, String> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| format!("`{base}` is no URL of a server: write `http://HOST:PORT`"))?
        .pop_if_empty()
        .extend(["sd", &job.name]);
    let whole = Value::Object(scrape_settings(loaded, job));
    let shown = hide_secrets(&whole);
    let hides_secrets = shown != whole && !with_secrets;
    let mut section = if with_secrets { whole } else { shown };
    section["http_sd_configs"] =
        json!([{ "url": url.as_str(), "refresh_interval": REFRESH_INTERVAL }]);
    let lost = lost_labels(&job.relabel_rules);
    if lost.iter().any(|it| it.name == "job" && it.always) {
        section["relabel_configs"] = json!([{ "action": "labeldrop", "regex": "job" }]);
    }
    Ok(ScraperSection {
        section,
        hides_secrets,
        notes: lost.iter().filter_map(note).collect(),
    })
}

/// A job as its scraper needs it: as written, without discovery, transformers and relabeling, and with
/// what it inherits from `global`. It holds secrets.
#[must_use]
pub fn scrape_settings(loaded: &Loaded, job: &Job) -> Map<String, Value> {
    let mut settings = Map::new();
    settings.insert("job_name".to_owned(), job.name.clone().into());
    let written = job.verbatim.as_object().cloned().unwrap_or_default();
    settings.extend(written.into_iter().filter(|(key, _)| stays(key)));
    for key in INHERITED {
        if let Some(value) = loaded.global.get(key).filter(|value| !value.is_null())
            && settings.get(key).is_none_or(Value::is_null)
        {
            settings.insert(key.to_owned(), value.clone());
        }
    }
    settings
}

/// Whether a key of the job is the scraper's business.
fn stays(key: &str) -> bool {
    let ours = ["static_configs", "relabel_configs", "transformers"];
    !ours.contains(&key) && !key.ends_with("_sd_configs")
}

/// A part of a configuration as it may be shown: values of keys that name secrets, and URLs with
/// passwords, are `<secret>`.
#[must_use]
pub fn hide_secrets(value: &Value) -> Value {
    let mut shown = without_secrets(value);
    hide_proxies(&mut shown);
    shown
}

fn hide_proxies(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), &mut *value) {
                    ("proxy_connect_header", _) => *value = SHOWN.into(),
                    (_, Value::String(text)) if has_password(text) => *value = SHOWN.into(),
                    _ => hide_proxies(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_proxies),
        _ => {}
    }
}

/// Whether a text is a URL with a password in it.
fn has_password(text: &str) -> bool {
    text.contains("://") && Url::parse(text).is_ok_and(|url| url.password().is_some())
}

fn note(lost: &LostLabel) -> Option<String> {
    match (lost.name, lost.always) {
        ("job", true) => None,
        ("job", false) => Some(format!(
            "relabel_configs[{}] can leave targets without `job`; the scraper sets it to the job's name",
            lost.rule
        )),
        (name, _) => Some(format!(
            "relabel_configs[{}] can leave targets without `{name}`; the scraper sets it to its default",
            lost.rule
        )),
    }
}
