//! Rules in the form in which they run.

use md5::{Digest as _, Md5};

use super::template::Template;
use super::{Action, Rule, case};
use crate::label::{Copied, LabelBuilder, LabelRef, Scratch};
use crate::name::{NameScheme, is_valid_label_name};
use crate::regex::{Regex, Slots};

/// One rule, prepared.
#[derive(Debug)]
pub(super) struct Step {
    source: Source,
    operation: Operation,
}

/// Where the value comes from that a rule looks at.
#[derive(Debug)]
enum Source {
    Label(LabelRef),
    Joined {
        labels: Vec<LabelRef>,
        separator: String,
    },
}

#[derive(Debug)]
enum Operation {
    Replace(Replace),
    Keep(Regex),
    Drop(Regex),
    KeepEqual {
        target: LabelRef,
    },
    DropEqual {
        target: LabelRef,
    },
    HashMod {
        target: LabelRef,
        modulus: u64,
    },
    LabelMap {
        regex: Regex,
        replacement: Template,
        groups: usize,
    },
    LabelDrop(Regex),
    LabelKeep(Regex),
    Lowercase {
        target: LabelRef,
    },
    Uppercase {
        target: LabelRef,
    },
}

#[derive(Debug)]
struct Replace {
    regex: Regex,
    target: Target,
    replacement: Template,
    /// How many groups the templates need of a match, the whole one included.
    groups: usize,
}

/// The label that a replacement goes to.
#[derive(Debug)]
enum Target {
    Label(LabelRef),
    /// Its name depends on the match; where it expands to no valid name, nothing is set.
    Template(Template, NameScheme),
}

// === impl Step ===

impl Step {
    pub(super) fn new(rule: &Rule) -> Self {
        let source = match &rule.source_labels[..] {
            [label] => Source::Label(LabelRef::new(label)),
            labels => Source::Joined {
                labels: labels.iter().map(|label| LabelRef::new(label)).collect(),
                separator: rule.separator.clone(),
            },
        };
        Self {
            source,
            operation: Operation::new(rule),
        }
    }

    /// `false` if the rule drops the target.
    pub(super) fn apply(&self, labels: &mut LabelBuilder) -> bool {
        // Taken out, so that a value borrowed from the labels and the memory for the result do not
        // stand in each other's way.
        let mut scratch = labels.take_scratch();
        let keep = self.operation.apply(&self.source, labels, &mut scratch);
        labels.give_scratch(scratch);
        keep
    }
}

// === impl Source ===

impl Source {
    fn value<'a>(&self, labels: &'a LabelBuilder, joined: &'a mut String) -> &'a str {
        match self {
            Self::Label(label) => labels.get_ref(label).unwrap_or_default(),
            Self::Joined {
                labels: names,
                separator,
            } => {
                joined.clear();
                for (at, name) in names.iter().enumerate() {
                    if at > 0 {
                        joined.push_str(separator);
                    }
                    joined.push_str(labels.get_ref(name).unwrap_or_default());
                }
                joined
            }
        }
    }
}

// === impl Operation ===

impl Operation {
    fn new(rule: &Rule) -> Self {
        let regex = rule.regex.clone();
        let target = LabelRef::new(&rule.target_label);
        match rule.action {
            Action::Replace => Self::Replace(Replace::new(rule)),
            Action::Keep => Self::Keep(regex),
            Action::Drop => Self::Drop(regex),
            Action::KeepEqual => Self::KeepEqual { target },
            Action::DropEqual => Self::DropEqual { target },
            Action::HashMod => Self::HashMod {
                target,
                modulus: rule.modulus,
            },
            Action::LabelMap => {
                let replacement = Template::new(&rule.replacement, &regex);
                // The whole match is always needed, to know what it leaves.
                let groups = replacement.groups().max(1);
                Self::LabelMap {
                    regex,
                    replacement,
                    groups,
                }
            }
            Action::LabelDrop => Self::LabelDrop(regex),
            Action::LabelKeep => Self::LabelKeep(regex),
            Action::Lowercase => Self::Lowercase { target },
            Action::Uppercase => Self::Uppercase { target },
        }
    }

    fn apply(&self, source: &Source, labels: &mut LabelBuilder, scratch: &mut Scratch) -> bool {
        let Scratch { value: joined, .. } = scratch;
        match self {
            Self::Keep(regex) => return regex.is_match(source.value(labels, joined)),
            Self::Drop(regex) => return !regex.is_match(source.value(labels, joined)),
            Self::KeepEqual { target } => {
                return labels.get_ref(target).unwrap_or_default() == source.value(labels, joined);
            }
            Self::DropEqual { target } => {
                return labels.get_ref(target).unwrap_or_default() != source.value(labels, joined);
            }
            Self::Replace(replace) => replace.apply(source, labels, scratch),
            Self::LabelMap {
                regex,
                replacement,
                groups,
            } => {
                map_labels(regex, replacement, *groups, labels, scratch);
            }
            Self::LabelDrop(regex) => labels.retain(|name| !regex.is_match(name)),
            Self::LabelKeep(regex) => labels.retain(|name| regex.is_match(name)),
            Self::HashMod { target, modulus } => {
                let hash = last_half_of_md5(source.value(labels, joined));
                labels.set_ref(target, itoa::Buffer::new().format(hash % modulus));
            }
            Self::Lowercase { target } => {
                let lower = case::to_lower(source.value(labels, joined));
                labels.set_ref(target, &lower);
            }
            Self::Uppercase { target } => {
                let upper = case::to_upper(source.value(labels, joined));
                labels.set_ref(target, &upper);
            }
        }
        true
    }
}

/// The last eight bytes of the hash, as the oldest versions of Prometheus took it.
fn last_half_of_md5(value: &str) -> u64 {
    let hash: [u8; 16] = Md5::digest(value.as_bytes()).into();
    hash[8..]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

// === impl Replace ===

impl Replace {
    fn new(rule: &Rule) -> Self {
        let regex = rule.regex.clone();
        let target = Template::new(&rule.target_label, &regex);
        let replacement = Template::new(&rule.replacement, &regex);
        let groups = target.groups().max(replacement.groups());
        let target = match target.as_text() {
            Some(name) if is_valid_label_name(name, rule.scheme) => {
                Target::Label(LabelRef::new(name))
            }
            _ => Target::Template(target, rule.scheme),
        };
        Self {
            regex,
            target,
            replacement,
            groups,
        }
    }

    fn apply(&self, source: &Source, labels: &mut LabelBuilder, scratch: &mut Scratch) {
        let Scratch {
            value: joined,
            name,
            text,
            ..
        } = scratch;
        let value = source.value(labels, joined);
        let mut slots = Slots::new(self.groups);
        let is_match = if self.groups == 0 {
            self.regex.is_match(value)
        } else {
            self.regex.captures(value, &mut slots)
        };
        if !is_match {
            return;
        }
        text.clear();
        self.replacement.expand(value, &slots, text);
        match &self.target {
            Target::Label(label) => labels.set_ref(label, text),
            Target::Template(template, scheme) => {
                name.clear();
                template.expand(value, &slots, name);
                match (is_valid_label_name(name, *scheme), text.is_empty()) {
                    (false, _) => {}
                    (true, true) => labels.remove(name),
                    (true, false) => labels.set(name, text),
                }
            }
        }
    }
}

/// Copies every label whose name matches to a new name. All labels are looked at before the first
/// copy; of two that get one name, the one that upstream visits last wins. Where its order is random
/// we take that of the names.
fn map_labels(
    regex: &Regex,
    replacement: &Template,
    groups: usize,
    labels: &mut LabelBuilder,
    scratch: &mut Scratch,
) {
    let Scratch { text, copies, .. } = scratch;
    text.clear();
    copies.clear();
    let mut slots = Slots::new(groups);
    let prefix = regex.prefix();
    let mut labels_from_prefix = labels.iter_from(prefix);
    while let Some((name, value, place)) = labels_from_prefix.next_with_place() {
        if !prefix.is_empty() && !name.starts_with(prefix) {
            break;
        }
        if value.is_empty() {
            continue;
        }
        let start = text.len();
        if regex.replace_all(name, &mut slots, text, |slots, out| {
            replacement.expand(name, slots, out);
        }) {
            let name_end = text.len();
            text.push_str(value);
            copies.push(Copied {
                turn: labels.turn(name, place),
                start,
                name_end,
                end: text.len(),
            });
        }
    }
    // Stable, so that labels of one turn stay in the order of their names.
    copies.sort_by_key(|copy| copy.turn);
    for Copied {
        start,
        name_end,
        end,
        ..
    } in copies.iter().copied()
    {
        labels.set(&text[start..name_end], &text[name_end..end]);
    }
}

#[cfg(test)]
mod tests;
