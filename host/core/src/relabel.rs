//! Relabeling: a job's rules over the labels of one target.
//!
//! [`RawRule`] is a rule as the configuration writes it, [`Rule`] one that was validated and whose
//! expression was compiled, [`Relabeler`] a whole list, ready to run.

mod case;
mod raw;
mod rule;
mod step;
mod template;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use raw::RawRule;
pub use rule::{Rule, RuleError};

use crate::label::LabelBuilder;
use step::Step;

/// What a rule does with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Action {
    /// Sets a label to what the replacement expands to.
    #[default]
    Replace,
    /// Drops targets that do not match.
    Keep,
    /// Drops targets that match.
    Drop,
    /// Drops targets whose label differs from the source labels.
    KeepEqual,
    /// Drops targets whose label equals the source labels.
    DropEqual,
    /// Sets a label to the hash of the source labels modulo a number.
    HashMod,
    /// Copies labels to new names.
    LabelMap,
    /// Removes the labels whose names match.
    LabelDrop,
    /// Removes the labels whose names do not match.
    LabelKeep,
    /// Sets a label to the source labels in lower case.
    Lowercase,
    /// Sets a label to the source labels in upper case.
    Uppercase,
}

/// A name that no action has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown relabel action {}", crate::quote::quote(.0))]
pub struct UnknownAction(pub String);

/// A list of rules, ready to run over any number of targets. Cloning is a reference count.
#[derive(Clone, Debug, Default)]
pub struct Relabeler(Arc<[Step]>);

/// Names of the actions, in the order of [`Action`].
const ACTIONS: [(Action, &str); 11] = [
    (Action::Replace, "replace"),
    (Action::Keep, "keep"),
    (Action::Drop, "drop"),
    (Action::KeepEqual, "keepequal"),
    (Action::DropEqual, "dropequal"),
    (Action::HashMod, "hashmod"),
    (Action::LabelMap, "labelmap"),
    (Action::LabelDrop, "labeldrop"),
    (Action::LabelKeep, "labelkeep"),
    (Action::Lowercase, "lowercase"),
    (Action::Uppercase, "uppercase"),
];

// === impl Action ===

impl Action {
    /// The action's name in lower case.
    pub fn name(self) -> &'static str {
        ACTIONS
            .iter()
            .find(|(action, _)| *action == self)
            .map_or("", |(_, name)| name)
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let name = case::to_lower(text);
        ACTIONS
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(action, _)| *action)
            .ok_or_else(|| UnknownAction(text.to_owned()))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Relabeler ===

impl Relabeler {
    /// Prepares `rules` to run in this order.
    pub fn new(rules: &[Rule]) -> Self {
        Self(rules.iter().map(Step::new).collect())
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Runs the rules over `labels`; `false` as soon as one of them drops the target.
    pub fn process(&self, labels: &mut LabelBuilder) -> bool {
        self.0.iter().all(|step| step.apply(labels))
    }
}
