//! A job's section as a scraper reads it that discovers through us.

use serde_json::{Map, Value};

use crate::config::Job;

/// Keys of a job that are ours, or say how targets are discovered.
const OURS: [&str; 2] = ["transformers", "static_configs"];
const DISCOVERY: &str = "_sd_configs";

/// What jobs inherit from `global`, as far as only the scraper uses it.
pub(crate) const INHERITED: [&str; 15] = [
    "scrape_protocols",
    "body_size_limit",
    "sample_limit",
    "target_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "keep_dropped_targets",
    "metric_name_validation_scheme",
    "metric_name_escaping_scheme",
    "scrape_failure_log_file",
    "extra_scrape_metrics",
    "convert_classic_histograms_to_nhcb",
    "always_scrape_classic_histograms",
    "scrape_native_histograms",
];

/// A job's section for a scraper.
#[derive(Clone, PartialEq, Eq)]
pub struct ScrapeSection {
    /// The section: what `global` sets is written out, discovery and our own keys are left out. It
    /// holds secrets only if they were asked for.
    pub section: Map<String, Value>,
    /// Keys that were left out because they hold secrets.
    pub left_out: Vec<String>,
}

// === impl Job ===

impl Job {
    /// The section that a scraper needs beside the targets. Credentials that the file holds itself are
    /// left out unless `with_secrets`; those in files of the scraper's (`*_file`) always stay.
    #[must_use]
    pub fn scrape_section(&self, with_secrets: bool) -> ScrapeSection {
        let mut section = self.verbatim.as_object().cloned().unwrap_or_default();
        section.retain(|key, _| !OURS.contains(&&**key) && !key.ends_with(DISCOVERY));
        for (key, value) in &*self.inherited {
            if section.get(key).is_none_or(is_unset) {
                section.insert(key.clone(), value.clone());
            }
        }
        let (defaults, explicit) = (&self.defaults, &self.explicit);
        let times = [
            (
                "scrape_interval",
                explicit.scrape_interval,
                defaults.scrape_interval,
            ),
            (
                "scrape_timeout",
                explicit.scrape_timeout,
                defaults.scrape_timeout,
            ),
        ];
        for (key, is_explicit, time) in times {
            if is_explicit {
                section.insert(key.to_owned(), time.to_string().into());
            } else {
                section.remove(key);
            }
        }
        let mut left_out = Vec::new();
        if !with_secrets {
            leave_out(&mut section, &mut left_out);
        }
        ScrapeSection { section, left_out }
    }
}

/// Whether a job's own value makes it inherit: Go's zero values.
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => matches!(&**text, "" | "0" | "0B"),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Takes secrets out with all that means nothing, or is refused, without them.
fn leave_out(section: &mut Map<String, Value>, left_out: &mut Vec<String>) {
    let secret = [
        "password",
        "credentials",
        "client_secret",
        "client_certificate_key",
    ];
    for block in ["basic_auth", "authorization", "oauth2"] {
        let holds = |value: &Value| {
            let inner = &value["tls_config"]["key"];
            let keys = secret.iter().map(|key| &value[*key]).chain([inner]);
            keys.into_iter().any(|it| !is_unset(it)) || has_headers(value) || has_user(value)
        };
        if section.get(block).is_some_and(holds) {
            section.remove(block);
            left_out.push(block.to_owned());
        }
    }
    for key in ["bearer_token", "proxy_connect_header"] {
        if section.get(key).is_some_and(|value| !is_unset(value)) {
            section.remove(key);
            left_out.push(key.to_owned());
        }
    }
    if section.get("proxy_url").is_some() && has_user(&Value::Object(section.clone())) {
        section.remove("proxy_url");
        left_out.push("proxy_url".to_owned());
    }
    if let Some(Value::Object(tls)) = section.get_mut("tls_config")
        && tls.get("key").is_some_and(|key| !is_unset(key))
    {
        // A certificate without its key is refused.
        for key in ["key", "cert", "cert_file"] {
            tls.remove(key);
        }
        left_out.push("tls_config.key".to_owned());
    }
    if let Some(Value::Object(headers)) = section.get_mut("http_headers") {
        headers.retain(|name, header| {
            let is_secret = !is_unset(&header["secrets"]);
            if is_secret {
                left_out.push(format!("http_headers.{name}"));
            }
            !is_secret
        });
    }
}

fn has_headers(block: &Value) -> bool {
    !is_unset(&block["proxy_connect_header"])
}

/// Whether one of the block's URLs names a user, and so perhaps a password.
fn has_user(block: &Value) -> bool {
    let urls = ["proxy_url", "token_url"].map(|key| block[key].as_str().unwrap_or_default());
    urls.iter().any(|url| {
        let rest = url.split_once("://").map_or(*url, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.contains('@')
    })
}
