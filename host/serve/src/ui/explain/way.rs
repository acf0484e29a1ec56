//! One target's way, step by step.

use maud::{Markup, html};
use periplus_core::LabelSet;

use crate::api::explain::{By, Change, End, ExplainedTarget};
use crate::ui::words::{Health, badge, labels, value};

pub(super) fn of(target: &ExplainedTarget) -> Markup {
    html! {
        section {
            h2 { (value(target.discovered_labels.get("__address__").unwrap_or("no address"))) " " (end(&target.end)) }
            p.faint { (value(&target.mechanism)) ", source " (value(&target.source)) }
            ol.way {
                li { "Found by the provider." details { summary { "Discovered labels" } (labels(&target.discovered_labels, None)) } }
                @if !target.transformers.is_empty() {
                    li {
                        "Transformers " (value(&target.transformers.join(", ")))
                        @match &target.transformed_labels {
                            Some(after) => (labels(&changed(after, &target.discovered_labels), Some(&target.discovered_labels))),
                            None => " did not keep it.",
                        }
                    }
                }
                @if let Some(start) = &target.start {
                    @let before = target.transformed_labels.as_ref().unwrap_or(&target.discovered_labels);
                    li { "Settings of the job" (labels(&changed(start, before), Some(before))) }
                    (rules(target, start))
                }
            }
            @if let End::Active { final_labels, scrape_url } = &target.end {
                p { "Scraped at " code { (value(scrape_url)) } }
                h3 { "Final labels" }
                (labels(final_labels, Some(&target.discovered_labels)))
            }
            (histories(target))
        }
    }
}

fn rules(target: &ExplainedTarget, start: &LabelSet) -> Markup {
    let before = |index: usize| match index {
        0 => start,
        _ => &target.steps[index - 1].output,
    };
    let kept = target.steps.iter().take_while(|step| step.keep).count();
    html! {
        // What comes after the rule that dropped it no longer matters.
        @for (index, step) in target.steps.iter().enumerate().take(kept + 1) {
            @let changed = changed(&step.output, before(index));
            @let removed = removed(before(index), &step.output);
            li {
                "Rule " (index + 1) ": "
                code { (value(&serde_json::to_string(&step.rule).unwrap_or_default())) }
                @if !step.keep { " " (badge(Health::Bad, "drops the target")) }
                @else if changed.is_empty() && removed.is_empty() { span.faint { " changes nothing" } }
                @else { (labels(&changed, Some(before(index)))) }
                @if step.keep && !removed.is_empty() { p { "Removed: " (value(&removed.join(", "))) } }
            }
        }
    }
}

fn end(end: &End) -> Markup {
    match end {
        End::Active { .. } => badge(Health::Good, "served"),
        End::Copy { .. } => badge(Health::Waiting, "a copy; another target stands for both"),
        End::Invalid { reason } => html! { (badge(Health::Bad, "invalid")) " " (value(reason)) },
        End::DroppedByRule { rule } => {
            badge(Health::Waiting, &format!("dropped by rule {}", rule + 1))
        }
        End::DroppedByTransformers => badge(Health::Waiting, "dropped by a transformer"),
    }
}

fn histories(target: &ExplainedTarget) -> Markup {
    html! {
        details {
            summary { "Where each label comes from" }
            div.scroll tabindex="0" role="region" aria-label="Where each label comes from" { table {
                thead { tr { th scope="col" { "Label" } th scope="col" { "Values, the last one last" } } }
                tbody { @for (name, changes) in &target.labels {
                    tr { th scope="row" { (value(name)) } td { ol { @for change in changes { li { (one(change)) } } } } }
                } }
            } }
        }
    }
}

fn one(change: &Change) -> Markup {
    let by = match (&change.by, change.rule) {
        (By::Rule, Some(rule)) => format!("rule {}", rule + 1),
        (By::Rule, None) => "a rule".to_owned(),
        (By::Group, _) => "the group".to_owned(),
        (By::Target, _) => "the target".to_owned(),
        (By::Transformers, _) => "transformers".to_owned(),
        (By::JobSetting, _) => "a setting of the job".to_owned(),
        (By::AddressAsInstance, _) => "the address, since nothing sets it".to_owned(),
    };
    html! {
        @if change.value.is_empty() { "removed" } @else { code { (value(&change.value)) } }
        span.faint { " by " (by) }
    }
}

/// The labels of `after` that `before` has with another value or not at all.
fn changed(after: &LabelSet, before: &LabelSet) -> LabelSet {
    let changed = after
        .iter()
        .filter(|(name, value)| before.get(name) != Some(value));
    changed
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The names of `before` that `after` lacks.
fn removed(before: &LabelSet, after: &LabelSet) -> Vec<String> {
    let removed = before.iter().filter(|(name, _)| after.get(name).is_none());
    removed.map(|(name, _)| name.to_owned()).collect()
}
