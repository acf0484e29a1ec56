//! Rules in the form in which they run.

use super::Rule;
use crate::label::LabelBuilder;

/// One rule, prepared.
#[derive(Debug)]
pub(super) struct Step(Rule);

impl Step {
    pub(super) fn new(rule: &Rule) -> Self {
        Self(rule.clone())
    }

    /// `false` if the rule drops the target.
    pub(super) fn apply(&self, _labels: &mut LabelBuilder) -> bool {
        let _ = &self.0;
        true
    }
}
