//! One element of `scrape_configs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use periplus_core::duration::PromDuration;
use periplus_core::name::NameScheme;
use periplus_core::target::ScrapeDefaults;

use super::global::{self, Global};
use super::relabel::{self, RuleDraft};
use super::sections::{self, Discovery};
use super::{Context, duration, http_client, quoted, transformers};
use crate::config::{ExplicitScrape, Job, TargetLimits};
use crate::plugin::TransformerConfig;
use crate::yaml::{Fields, Value};

/// A job as written, before it inherits.
struct Draft<'a> {
    limits: TargetLimits,
    name: String,
    scrape_interval: PromDuration,
    scrape_timeout: PromDuration,
    scrape_protocols: Option<Vec<String>>,
    fallback_protocol: String,
    metrics_path: String,
    scheme: String,
    params: BTreeMap<String, Vec<String>>,
    name_scheme: Option<NameScheme>,
    name_escaping: String,
    scrape_native_histograms: Option<bool>,
    convert_classic_histograms_to_nhcb: Option<bool>,
    always_scrape_classic_histograms: Option<bool>,
    discovery: Discovery<'a>,
    transformers: Vec<TransformerConfig>,
    relabel_rules: Vec<RuleDraft<'a>>,
    metric_rules: Vec<RuleDraft<'a>>,
    fields: Fields<'a>,
}

/// Reads and checks a job. It is given even if something in it is wrong, as long as its name is
/// known, so that repeated names are found too.
pub(super) fn read(value: &Value<'_>, global: &Global, context: &Context<'_>) -> Option<Job> {
    if value.is_null() {
        value.error_with(
            "empty or null scrape config section",
            "remove it, or add `job_name:`",
        );
        return None;
    }
    let mut fields = value.fields()?;
    let http = http_client::take(&mut fields, context);
    let draft = take(fields, context);
    let is_shaped = draft.fields.finish();
    if draft.name.is_empty() {
        draft
            .fields
            .place(&["job_name"])
            .error_with("job_name is empty", "add `job_name: NAME`");
    }
    if is_shaped {
        http.validate(&draft.fields, context);
    }
    Some(draft.resolve(global))
}

fn take<'a>(mut fields: Fields<'a>, context: &Context<'_>) -> Draft<'a> {
    let f = &mut fields;
    take_unused(f);
    Draft {
        limits: global::take_limits(f),
        name: f.string("job_name"),
        scrape_interval: f
            .read("scrape_interval", |value| duration(&value))
            .unwrap_or_default(),
        scrape_timeout: f
            .read("scrape_timeout", |value| duration(&value))
            .unwrap_or_default(),
        scrape_protocols: f.read("scrape_protocols", |value| global::read_protocols(&value)),
        fallback_protocol: f
            .read("fallback_scrape_protocol", |value| {
                value.string_as("config.ScrapeProtocol")
            })
            .unwrap_or_default(),
        metrics_path: read_or(f, "metrics_path", "/metrics"),
        scheme: read_or(f, "scheme", "http"),
        params: f
            .read("params", |value| read_params(&value))
            .unwrap_or_default(),
        name_scheme: f.read("metric_name_validation_scheme", |value| {
            global::read_name_scheme(&value)
        }),
        name_escaping: f.string("metric_name_escaping_scheme"),
        scrape_native_histograms: flag(f, "scrape_native_histograms"),
        convert_classic_histograms_to_nhcb: flag(f, "convert_classic_histograms_to_nhcb"),
        always_scrape_classic_histograms: flag(f, "always_scrape_classic_histograms"),
        relabel_rules: f
            .read("relabel_configs", |value| relabel::read(&value))
            .unwrap_or_default(),
        metric_rules: f
            .read("metric_relabel_configs", |value| relabel::read(&value))
            .unwrap_or_default(),
        transformers: f
            .read("transformers", |value| transformers::read(&value))
            .unwrap_or_default(),
        discovery: sections::take(f, context),
        fields,
    }
}

/// Keys that must be right but concern the scraper alone.
fn take_unused(fields: &mut Fields<'_>) {
    for key in [
        "honor_labels",
        "honor_timestamps",
        "track_timestamps_staleness",
    ] {
        fields.bool(key, false);
    }
    fields.bool("enable_compression", true);
    fields.bool("extra_scrape_metrics", false);
    fields.string("scrape_failure_log_file");
    fields.uint("native_histogram_bucket_limit");
    fields.read("native_histogram_min_bucket_factor", |value| value.float());
}

/// A text with a default, which a written null replaces by nothing.
fn read_or(fields: &mut Fields<'_>, key: &'static str, default: &str) -> String {
    match fields.take(key) {
        Some(value) => value.string().unwrap_or_default(),
        None => default.to_owned(),
    }
}

fn flag(fields: &mut Fields<'_>, key: &'static str) -> Option<bool> {
    fields.read(
        key,
        |value| if value.is_nil() { None } else { value.bool() },
    )
}

fn read_params(value: &Value<'_>) -> Option<BTreeMap<String, Vec<String>>> {
    let pairs = value.map("url.Values")?;
    Some(
        pairs
            .iter()
            .filter_map(|(key, value)| Some((key.string()?, value.strings()?)))
            .collect(),
    )
}

/// As upstream: 0 is as if it were not written.
fn inherit(own: TargetLimits, global: TargetLimits) -> TargetLimits {
    let or = |own, global| if own == 0 { global } else { own };
    TargetLimits {
        targets: or(own.targets, global.targets),
        labels: or(own.labels, global.labels),
        name_length: or(own.name_length, global.name_length),
        value_length: or(own.value_length, global.value_length),
    }
}

// === impl Draft ===

impl Draft<'_> {
    /// Applies what the job inherits, and makes the checks that need it.
    fn resolve(self, global: &Global) -> Job {
        let (scrape_interval, scrape_timeout) = self.times(global);
        self.check_protocols();
        self.check_escaping(global);
        if self.relabel_rules.is_empty() {
            self.discovery.check_static_targets();
        }
        let name_scheme = self.name_scheme.unwrap_or(global.name_scheme);
        let relabel_rules = relabel::validate(&self.relabel_rules, "target", name_scheme);
        relabel::warn_of_lost(&self.relabel_rules, &relabel_rules);
        relabel::validate(&self.metric_rules, "metric", name_scheme);
        let mut explicit = self.explicit(global);
        // An interval of ours that shortens the timeout needs it beside it: the scraper's own would be
        // longer than the interval, and the target be refused.
        explicit.scrape_timeout |=
            explicit.scrape_interval && scrape_timeout < Global::default().scrape_timeout;
        let native = self
            .scrape_native_histograms
            .unwrap_or(global.scrape_native_histograms);
        let convert = self.convert_classic_histograms_to_nhcb;
        let always = self.always_scrape_classic_histograms;
        let defaults = ScrapeDefaults {
            job: self.name.clone(),
            scrape_interval,
            scrape_timeout,
            metrics_path: self.metrics_path,
            scheme: self.scheme,
            params: self.params.into_iter().collect(),
            convert_classic_histograms_to_nhcb: convert
                .unwrap_or(global.convert_classic_histograms_to_nhcb),
            always_scrape_classic_histograms: always
                .unwrap_or(global.always_scrape_classic_histograms),
            scrape_native_histograms: native,
        };
        Job {
            name: self.name,
            defaults,
            explicit,
            sections: self.discovery.sections,
            transformers: self.transformers,
            relabel_rules,
            limits: inherit(self.limits, global.limits),
            name_scheme,
            verbatim: self.fields.value.json_as_written(),
            inherited: Arc::clone(&global.inherited),
        }
    }

    /// Interval and timeout; a timeout that is inherited is never longer than the interval.
    fn times(&self, global: &Global) -> (PromDuration, PromDuration) {
        let or_else = |time: PromDuration, other| if time.is_zero() { other } else { time };
        let interval = or_else(self.scrape_interval, global.scrape_interval);
        // None at all: it was refused where it is written, and there is nothing to compare with.
        if self.scrape_timeout > interval && !interval.is_zero() {
            let message = format!(
                "scrape timeout greater than scrape interval for scrape config with job name {}",
                quoted(&self.name)
            );
            let hint = format!("the interval is {interval}: lower `scrape_timeout` or raise it");
            self.fields
                .place(&["scrape_timeout"])
                .error_with(message, hint);
        }
        (
            interval,
            or_else(self.scrape_timeout, global.scrape_timeout.min(interval)),
        )
    }

    fn check_protocols(&self) {
        // What the job does not set was checked in `global`, or is our default.
        let protocols = self.scrape_protocols.as_deref();
        if let Some(problem) = protocols.and_then(global::protocols_problem) {
            let name = quoted(&self.name);
            let message = format!("{problem} for scrape config with job name {name}");
            self.fields.place(&["scrape_protocols"]).error(message);
        }
        if self.fallback_protocol.is_empty() {
            return;
        }
        if let Some(problem) = global::protocol_problem(&self.fallback_protocol) {
            let message = format!(
                "invalid fallback_scrape_protocol for scrape config with job name {}: {problem}",
                quoted(&self.name)
            );
            self.fields
                .place(&["fallback_scrape_protocol"])
                .error(message);
        }
    }

    fn check_escaping(&self, global: &Global) {
        let place = self.fields.place(&[
            "metric_name_escaping_scheme",
            "metric_name_validation_scheme",
        ]);
        if !is_escaping(&global.name_escaping) && !global.name_escaping.is_empty() {
            place.error(format!(
                "unknown global name escaping method specified, must be one of {ESCAPINGS}, got {}",
                quoted(&global.name_escaping)
            ));
            return;
        }
        let by_scheme = |scheme| {
            if scheme == NameScheme::Legacy {
                "underscores"
            } else {
                "allow-utf-8"
            }
        };
        let global_escaping = match global.name_escaping.as_str() {
            "" => by_scheme(global.name_scheme),
            escaping => escaping,
        };
        let escaping = match (self.name_escaping.as_str(), self.name_scheme) {
            ("", None) => global_escaping,
            ("", Some(scheme)) => by_scheme(scheme),
            (escaping, _) => escaping,
        };
        let scheme = self.name_scheme.unwrap_or(global.name_scheme);
        if escaping == "allow-utf-8" && scheme != NameScheme::Utf8 {
            place.error("utf8 metric names requested but validation scheme is not set to UTF8");
        } else if !is_escaping(escaping) {
            place.error(format!(
                "unknown scrape config name escaping method specified, must be one of {ESCAPINGS}, got {}",
                quoted(escaping)
            ));
        }
    }

    fn explicit(&self, global: &Global) -> ExplicitScrape {
        let inherited = global.explicit;
        ExplicitScrape {
            scrape_interval: inherited.scrape_interval || !self.scrape_interval.is_zero(),
            scrape_timeout: inherited.scrape_timeout || !self.scrape_timeout.is_zero(),
            convert_classic_histograms_to_nhcb: inherited.convert_classic_histograms_to_nhcb
                || self.convert_classic_histograms_to_nhcb.is_some(),
            always_scrape_classic_histograms: inherited.always_scrape_classic_histograms
                || self.always_scrape_classic_histograms.is_some(),
            scrape_native_histograms: inherited.scrape_native_histograms
                || self.scrape_native_histograms.is_some(),
        }
    }
}

const ESCAPINGS: &str = "'allow-utf-8', 'underscores', 'dots', or 'values'";

fn is_escaping(text: &str) -> bool {
    matches!(text, "allow-utf-8" | "underscores" | "dots" | "values")
}
