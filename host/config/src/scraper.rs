//! The scrape section that belongs on a scraper which reads a job's final targets from us.

use serde_json::{Map, Value, json};
use url::Url;

use crate::config::Job;
use crate::lost::{LostLabel, lost_labels};
use crate::secret::SHOWN;
use crate::section::without_secrets;

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
    job: &Job,
    base: &Url,
    with_secrets: bool,
) -> Result<ScraperSection, String> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| format!("`{base}` is no URL of a server: write `http://HOST:PORT`"))?
        .pop_if_empty()
        .extend(["sd", &job.name]);
    let whole = Value::Object(scrape_settings(job));
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
pub fn scrape_settings(job: &Job) -> Map<String, Value> {
    let mut settings = job.scrape_section(true).section;
    // Done already where final targets are read.
    settings.remove("relabel_configs");
    let name = Map::from_iter([("job_name".to_owned(), job.name.clone().into())]);
    name.into_iter().chain(settings).collect()
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
