//! `relabel_configs` and `metric_relabel_configs`.

use periplus_core::name::NameScheme;
use periplus_core::relabel::{RawRule, Rule, RuleError};

use crate::lost::{LostLabel, lost_labels};
use crate::yaml::{Fields, Value, quote_bytes};

/// One rule, or the place of a null where a rule should be.
pub(super) enum RuleDraft<'a> {
    Rule(Box<WrittenRule<'a>>),
    Null(Value<'a>),
}

/// A rule of the right shape.
pub(super) struct WrittenRule<'a> {
    raw: RawRule,
    fields: Fields<'a>,
}

/// Reads the rules; they are checked when the job's scheme of names is known.
pub(super) fn read<'a>(value: &Value<'a>) -> Option<Vec<RuleDraft<'a>>> {
    value.list("[]*relabel.Config", |item| read_rule(&item))
}

/// Checks the rules; `kind` is `target` or `metric`.
pub(super) fn validate(drafts: &[RuleDraft<'_>], kind: &str, scheme: NameScheme) -> Vec<Rule> {
    let rules = drafts.iter().filter_map(|draft| match draft {
        RuleDraft::Null(value) => {
            value.error(format!(
                "empty or null {kind} relabeling rule in scrape config"
            ));
            None
        }
        RuleDraft::Rule(rule) => match Rule::new(&rule.raw, scheme) {
            Ok(rule) => Some(rule),
            Err(error) => {
                report(&rule.fields, &error);
                None
            }
        },
    });
    rules.collect()
}

/// Warns of rules that do what a list of final targets cannot say.
pub(super) fn warn_of_lost(drafts: &[RuleDraft<'_>], rules: &[Rule]) {
    if drafts.len() != rules.len() {
        // Some are wrong, so there will be nothing to serve.
        return;
    }
    for LostLabel { name, rule, always } in lost_labels(rules) {
        let Some(RuleDraft::Rule(written)) = drafts.get(rule) else {
            continue;
        };
        let message = format!(
            "{} without `{name}` here, which a list of final targets cannot say: \
             scrapers put in their own",
            if always {
                "targets are"
            } else {
                "targets can be"
            }
        );
        let hint = match (name, always) {
            ("job", true) => {
                "`periplus config scraper` prints a section that removes it on the scraper"
            }
            (_, true) => "leave the label, or serve the job at stage `transformed`",
            (_, false) => {
                "an expression that matches no empty value, such as `(.+)`, leaves the label as it is"
            }
        };
        written
            .fields
            .place(&["target_label", "regex", "action"])
            .warn_with(message, hint);
    }
}

fn read_rule<'a>(value: &Value<'a>) -> Option<RuleDraft<'a>> {
    if value.is_null() {
        return Some(RuleDraft::Null(value.clone()));
    }
    let mut fields = value.fields()?;
    let action = fields.read("action", |value| read_nullable(&value));
    let raw = RawRule {
        source_labels: fields.read("source_labels", |value| read_names(&value)),
        separator: fields.read("separator", |value| value.string()),
        regex: fields.read("regex", |value| read_nullable(&value)),
        modulus: fields.read("modulus", |value| value.uint_as("uint64")),
        target_label: fields.read("target_label", |value| read_target(&value, action.as_ref())),
        replacement: fields.read("replacement", |value| value.string()),
        action,
    };
    fields
        .finish()
        .then(|| RuleDraft::Rule(Box::new(WrittenRule { raw, fields })))
}

/// Names of labels; a name that nothing can have is an error here.
fn read_names(value: &Value<'_>) -> Option<Vec<String>> {
    value.list("model.LabelNames", |item| {
        match item.bytes_as("string")? {
            // A null bypasses the check of names.
            Ok(name) if !name.is_empty() || item.is_null() => Some(name),
            Ok(_) => {
                item.error("\"\" is not a valid label name");
                None
            }
            Err(bytes) => {
                item.error(format!("{} is not a valid label name", quote_bytes(&bytes)));
                None
            }
        }
    })
}

/// The name of a label; bytes that are none are refused with the words for any other bad name.
fn read_target(value: &Value<'_>, action: Option<&Option<String>>) -> Option<String> {
    match value.bytes_as("string")? {
        Ok(name) => Some(name),
        Err(bytes) => {
            let action = action.and_then(Option::as_deref).unwrap_or("replace");
            value.error(format!(
                "{} is invalid 'target_label' for {action} action",
                quote_bytes(&bytes)
            ));
            None
        }
    }
}

#[expect(clippy::option_option, reason = "a null is not the same as no key")]
fn read_nullable(value: &Value<'_>) -> Option<Option<String>> {
    if value.is_null() {
        return Some(None);
    }
    value.string().map(Some)
}

/// Puts the error at the key that it is about.
fn report(fields: &Fields<'_>, error: &RuleError) {
    let key = match error {
        RuleError::SourceLabel(_) => "source_labels",
        RuleError::Regex(_) => "regex",
        RuleError::Modulus => "modulus",
        RuleError::Target { .. } => "target_label",
        RuleError::UnwantedReplacement(_) | RuleError::Replacement { .. } => "replacement",
        _ => "action",
    };
    let place = fields.place(&[key, "action"]);
    match hint(error) {
        Some(hint) => place.error_with(error.to_string(), hint),
        None => place.error(error.to_string()),
    }
}

fn hint(error: &RuleError) -> Option<&'static str> {
    Some(match error {
        RuleError::UnknownAction(_) => {
            "actions are replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase"
        }
        RuleError::MissingTarget(_) => "add `target_label: NAME`",
        RuleError::Modulus => "add `modulus: N`, the number of shards",
        RuleError::Regex(error) if error.is_too_large() => {
            "write `+` or `*` for counted repetitions such as `\\pL{1000}`"
        }
        RuleError::Regex(_) => "expressions are those of RE2, as Go reads them",
        _ => return None,
    })
}
