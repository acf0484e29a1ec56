//! `global`.

mod external_labels;

use std::sync::Arc;

use periplus_core::duration::PromDuration;
use periplus_core::name::NameScheme;

use serde_json::Map;

use super::{duration, quoted, units};
use crate::config::{ExplicitScrape, TargetLimits};
use crate::scrape_section::INHERITED;
use crate::yaml::{Fields, Value};

/// What jobs inherit.
#[derive(Clone, Debug)]
pub(super) struct Global {
    pub(super) scrape_interval: PromDuration,
    pub(super) scrape_timeout: PromDuration,
    pub(super) scrape_protocols: Option<Vec<String>>,
    pub(super) name_scheme: NameScheme,
    pub(super) name_escaping: String,
    pub(super) scrape_native_histograms: bool,
    pub(super) convert_classic_histograms_to_nhcb: bool,
    pub(super) always_scrape_classic_histograms: bool,
    pub(super) explicit: ExplicitScrape,
    pub(super) limits: TargetLimits,
    /// Sorted by name.
    pub(super) external_labels: Vec<(String, String)>,
    /// The settings that jobs inherit, as written.
    pub(super) inherited: Arc<Map<String, serde_json::Value>>,
}

/// Protocols in the order in which upstream lists them.
const PROTOCOLS: [&str; 6] = [
    "OpenMetricsText0.0.1",
    "OpenMetricsText1.0.0",
    "OpenMetricsText2.0.0",
    "PrometheusProto",
    "PrometheusText0.0.4",
    "PrometheusText1.0.0",
];

const DEFAULT_TIMEOUT: PromDuration = PromDuration::from_secs(10);

// === impl Global ===

impl Default for Global {
    fn default() -> Self {
        Self {
            scrape_interval: PromDuration::from_secs(60),
            scrape_timeout: DEFAULT_TIMEOUT,
            scrape_protocols: None,
            name_scheme: NameScheme::Utf8,
            name_escaping: String::new(),
            scrape_native_histograms: false,
            convert_classic_histograms_to_nhcb: false,
            always_scrape_classic_histograms: false,
            explicit: ExplicitScrape::default(),
            limits: TargetLimits::default(),
            external_labels: Vec::new(),
            inherited: Arc::default(),
        }
    }
}

/// Reads the section; what is wrong in it is as if it were not written.
pub(super) fn read(value: &Value<'_>) -> Global {
    if value.is_null() {
        return Global::default();
    }
    let Some(mut fields) = value.fields() else {
        return Global::default();
    };
    let mut global = take(&mut fields);
    let external_labels = fields.take("external_labels");
    take_unused(&mut fields);
    global.inherited = inherited(value);
    if fields.finish() {
        if let Some(labels) = external_labels {
            global.external_labels = external_labels::read(&labels, global.name_scheme);
        }
        settle(&mut global, &fields);
    }
    global
}

/// What is handed on to scrapers with each job.
fn inherited(value: &Value<'_>) -> Arc<Map<String, serde_json::Value>> {
    let mut written = match value.json_as_written() {
        serde_json::Value::Object(written) => written,
        _ => Map::new(),
    };
    written.retain(|key, value| INHERITED.contains(&&**key) && !value.is_null());
    Arc::new(written)
}

fn take(fields: &mut Fields<'_>) -> Global {
    let mut explicit = ExplicitScrape::default();
    let mut time = |key, set: &mut bool| {
        let time = fields
            .read(key, |value| duration(&value))
            .unwrap_or_default();
        *set = !time.is_zero();
        time
    };
    let scrape_interval = time("scrape_interval", &mut explicit.scrape_interval);
    let scrape_timeout = time("scrape_timeout", &mut explicit.scrape_timeout);
    let mut flag = |key, set: &mut bool| {
        let value = fields.take(key).filter(|value| !value.is_nil());
        *set = value.is_some();
        value.and_then(|value| value.bool()).unwrap_or_default()
    };
    Global {
        scrape_interval,
        scrape_timeout,
        scrape_native_histograms: flag(
            "scrape_native_histograms",
            &mut explicit.scrape_native_histograms,
        ),
        convert_classic_histograms_to_nhcb: flag(
            "convert_classic_histograms_to_nhcb",
            &mut explicit.convert_classic_histograms_to_nhcb,
        ),
        always_scrape_classic_histograms: flag(
            "always_scrape_classic_histograms",
            &mut explicit.always_scrape_classic_histograms,
        ),
        scrape_protocols: fields.read("scrape_protocols", |value| read_protocols(&value)),
        name_scheme: fields
            .read("metric_name_validation_scheme", |value| {
                read_name_scheme(&value)
            })
            .unwrap_or_default(),
        name_escaping: fields.string("metric_name_escaping_scheme"),
        explicit,
        limits: take_limits(fields),
        external_labels: Vec::new(),
        inherited: Arc::default(),
    }
}

/// Keys that must be right but do not concern discovery.
fn take_unused(fields: &mut Fields<'_>) {
    fields.read("evaluation_interval", |value| duration(&value));
    fields.read("rule_query_offset", |value| duration(&value));
    fields.read("query_max_duration", |value| duration(&value));
    fields.read("query_max_samples_read", |value| value.uint_as("uint64"));
    fields.read("query_max_series", |value| value.uint_as("uint64"));
    fields.string("query_log_file");
    fields.string("scrape_failure_log_file");
    fields.bool("extra_scrape_metrics", false);
}

/// The limits that `global` and jobs share.
pub(super) fn take_limits(fields: &mut Fields<'_>) -> TargetLimits {
    fields.read("body_size_limit", |value| units::read_size(&value));
    fields.uint("sample_limit");
    fields.uint("keep_dropped_targets");
    TargetLimits {
        targets: fields.uint("target_limit"),
        labels: fields.uint("label_limit"),
        name_length: fields.uint("label_name_length_limit"),
        value_length: fields.uint("label_value_length_limit"),
    }
}

/// Applies defaults and the rules between interval and timeout.
fn settle(global: &mut Global, fields: &Fields<'_>) {
    if global.scrape_interval.is_zero() {
        global.scrape_interval = Global::default().scrape_interval;
    }
    if global.scrape_timeout > global.scrape_interval {
        fields.place(&["scrape_timeout"]).error_with(
            "global scrape timeout greater than scrape interval",
            "lower `scrape_timeout`, or raise `scrape_interval`",
        );
    }
    if global.scrape_timeout.is_zero() {
        global.scrape_timeout = DEFAULT_TIMEOUT.min(global.scrape_interval);
    }
    if let Some(protocols) = &global.scrape_protocols
        && let Some(problem) = protocols_problem(protocols)
    {
        fields
            .place(&["scrape_protocols"])
            .error(format!("{problem} for global config"));
    }
}

/// Protocols as written; null is as if they were not.
pub(super) fn read_protocols(value: &Value<'_>) -> Option<Vec<String>> {
    if value.is_nil() {
        return None;
    }
    value.list("[]config.ScrapeProtocol", |item| {
        item.string_as("config.ScrapeProtocol")
    })
}

/// What upstream objects to in a list of protocols.
pub(super) fn protocols_problem(protocols: &[String]) -> Option<String> {
    if protocols.is_empty() {
        return Some("scrape_protocols cannot be empty".to_owned());
    }
    for (index, protocol) in protocols.iter().enumerate() {
        if protocols[..index]
            .iter()
            .any(|other| other.eq_ignore_ascii_case(protocol))
        {
            let list = protocols.join(" ");
            return Some(format!(
                "duplicated protocol in scrape_protocols, got [{list}]"
            ));
        }
        if let Some(problem) = protocol_problem(protocol) {
            return Some(format!("scrape_protocols: {problem}"));
        }
    }
    None
}

/// What upstream objects to in one protocol.
pub(super) fn protocol_problem(protocol: &str) -> Option<String> {
    (!PROTOCOLS.contains(&protocol)).then(|| {
        format!(
            "unknown scrape protocol {protocol}, supported: [{}]",
            PROTOCOLS.join(" ")
        )
    })
}

/// A scheme of names; nothing if it is null or empty.
pub(super) fn read_name_scheme(value: &Value<'_>) -> Option<NameScheme> {
    if value.is_null() {
        return None;
    }
    match value.string()?.as_str() {
        "" => None,
        "utf8" => Some(NameScheme::Utf8),
        "legacy" => Some(NameScheme::Legacy),
        other => {
            value.error_with(
                format!("unrecognized ValidationScheme: {}", quoted(other)),
                "write `utf8` or `legacy`",
            );
            None
        }
    }
}
