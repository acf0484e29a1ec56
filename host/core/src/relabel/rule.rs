//! Validated rules.

use std::sync::LazyLock;

use super::{Action, RawRule, UnknownAction};
use crate::name::{NameScheme, is_valid_label_name};
use crate::quote::quote;
use crate::regex::{Regex, RegexError};

/// The expression of a rule that names none.
static DEFAULT_REGEX: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(.*)").expect("the default expression is valid"));

/// A rule that upstream would accept, with its expression compiled. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rule {
    raw: RawRule,
    pub(super) action: Action,
    pub(super) source_labels: Vec<String>,
    pub(super) separator: String,
    pub(super) regex: Regex,
    pub(super) modulus: u64,
    pub(super) target_label: String,
    pub(super) replacement: String,
    pub(super) scheme: NameScheme,
}

/// Why a rule is refused; the texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A source label is no label name.
    #[error("{} is not a valid label name", quote(.0))]
    SourceLabel(String),
    /// The expression is not accepted.
    #[error(transparent)]
    Regex(#[from] RegexError),
    /// The action does not exist.
    #[error(transparent)]
    UnknownAction(#[from] UnknownAction),
    /// The action is null.
    #[error("relabel action cannot be empty")]
    EmptyAction,
    /// `hashmod` has nothing to divide by.
    #[error("relabel configuration for hashmod requires non-zero modulus")]
    Modulus,
    /// The action sets or compares a label, but none is named.
    #[error("relabel configuration for {0} action requires 'target_label' value")]
    MissingTarget(Action),
    /// The label to set has no valid name.
    #[error("{} is invalid 'target_label' for {action} action", quote(.name))]
    Target {
        /// The name as written.
        name: String,
        /// The rule's action.
        action: Action,
    },
    /// The action knows no replacement.
    #[error("'replacement' can not be set for {0} action")]
    UnwantedReplacement(Action),
    /// The new name of a `labelmap` is invalid.
    #[error("{} is invalid 'replacement' for {action} action", quote(.text))]
    Replacement {
        /// The replacement as written.
        text: String,
        /// The rule's action.
        action: Action,
    },
    /// `keepequal` and `dropequal` look at labels alone.
    #[error("{0} action requires only 'source_labels' and `target_label`, and no other fields")]
    OnlyLabels(Action),
    /// `labeldrop` and `labelkeep` look at the expression alone.
    #[error("{0} action requires only 'regex', and no other fields")]
    OnlyRegex(Action),
}

// === impl Rule ===

impl Rule {
    /// Validates a rule as upstream does, and compiles its expression.
    pub fn new(raw: &RawRule, scheme: NameScheme) -> Result<Self, RuleError> {
        let source_labels = raw.source_labels.clone().unwrap_or_default();
        if source_labels.iter().any(String::is_empty) {
            return Err(RuleError::SourceLabel(String::new()));
        }
        let regex = match &raw.regex {
            None => DEFAULT_REGEX.clone(),
            Some(pattern) => Regex::new(pattern.as_deref().unwrap_or_default())?,
        };
        let action = match &raw.action {
            None => Action::Replace,
            Some(None) => return Err(RuleError::EmptyAction),
            Some(Some(name)) => name.parse()?,
        };
        let rule = Self {
            raw: raw.clone(),
            action,
            source_labels,
            separator: raw.separator.clone().unwrap_or_else(|| ";".to_owned()),
            regex,
            modulus: raw.modulus.unwrap_or_default(),
            target_label: raw.target_label.clone().unwrap_or_default(),
            replacement: raw.replacement.clone().unwrap_or_else(|| "$1".to_owned()),
            scheme,
        };
        rule.validate()?;
        Ok(rule)
    }

    /// What the rule does.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Bytes that its compiled expression takes.
    pub fn memory(&self) -> usize {
        self.regex.memory()
    }

    /// The rule as written.
    pub fn raw(&self) -> &RawRule {
        &self.raw
    }

    /// The order of the checks is upstream's, so that a rule with several faults shows the same one.
    fn validate(&self) -> Result<(), RuleError> {
        use Action::{DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, LabelMap, Replace};
        use Action::{Lowercase, Uppercase};
        let action = self.action;
        if action == HashMod && self.modulus == 0 {
            return Err(RuleError::Modulus);
        }
        let compares_or_maps = matches!(action, Lowercase | Uppercase | KeepEqual | DropEqual);
        let sets = compares_or_maps || matches!(action, Replace | HashMod);
        if sets && self.target_label.is_empty() {
            return Err(RuleError::MissingTarget(action));
        }
        if action == Replace && !self.is_target_template_valid() {
            return Err(self.target_error());
        }
        if compares_or_maps && !is_valid_label_name(&self.target_label, self.scheme) {
            return Err(self.target_error());
        }
        if compares_or_maps && self.replacement != "$1" {
            return Err(RuleError::UnwantedReplacement(action));
        }
        if action == LabelMap && !is_valid_template(&self.replacement, self.scheme) {
            return Err(RuleError::Replacement {
                text: self.replacement.clone(),
                action,
            });
        }
        if action == HashMod && !is_valid_label_name(&self.target_label, self.scheme) {
            return Err(self.target_error());
        }
        let separated = self.separator != ";";
        if matches!(action, KeepEqual | DropEqual)
            && (self.raw.regex.is_some() || self.modulus != 0 || separated)
        {
            return Err(RuleError::OnlyLabels(action));
        }
        if matches!(action, LabelDrop | LabelKeep)
            && (self.raw.source_labels.is_some()
                || !self.target_label.is_empty()
                || self.modulus != 0
                || separated
                || self.replacement != "$1")
        {
            return Err(RuleError::OnlyRegex(action));
        }
        Ok(())
    }

    fn is_target_template_valid(&self) -> bool {
        if self.target_label.contains('$') {
            is_valid_template(&self.target_label, self.scheme)
        } else {
            is_valid_label_name(&self.target_label, self.scheme)
        }
    }

    fn target_error(&self) -> RuleError {
        RuleError::Target {
            name: self.target_label.clone(),
            action: self.action,
        }
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw && self.scheme == other.scheme
    }
}

/// Whether a text that may hold references to groups can become a label name. UTF-8 names may hold
/// `$` and braces themselves; legacy ones follow upstream's `relabelTargetLegacy`.
fn is_valid_template(template: &str, scheme: NameScheme) -> bool {
    match scheme {
        NameScheme::Utf8 => is_valid_label_name(template, scheme),
        NameScheme::Legacy => is_valid_legacy_template(template),
    }
}

/// `^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$`: words and references, beginning with no digit.
fn is_valid_legacy_template(template: &str) -> bool {
    let bytes = template.as_bytes();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let word = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|byte| is_word(byte))
            .count()
    };
    let mut at = 0;
    while at < bytes.len() {
        at = match bytes[at] {
            b'$' if bytes.get(at + 1) == Some(&b'{') => {
                let length = word(at + 2);
                if length == 0 || bytes.get(at + 2 + length) != Some(&b'}') {
                    return false;
                }
                at + 3 + length
            }
            b'$' => match word(at + 1) {
                0 => return false,
                length => at + 1 + length,
            },
            // A digit may follow anything, but not begin.
            byte if is_word(&byte) && (at > 0 || !byte.is_ascii_digit()) => at + 1,
            _ => return false,
        };
    }
    !bytes.is_empty()
}

#[cfg(test)]
mod tests;
