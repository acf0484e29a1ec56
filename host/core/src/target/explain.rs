//! The way of one target through its job, step by step: for people who ask why.

use super::{Outcome, ScrapeDefaults, finish, populate_discovered, settings};
use crate::label::LabelSet;
use crate::relabel::{Relabeler, Rule};
use crate::target::FinalTarget;

/// What became of a target, and when.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What relabeling started from: the labels that the target came with, and the job's settings
    /// where it sets none itself.
    pub start: LabelSet,
    /// One step for each rule that ran; the last one may have dropped the target.
    pub steps: Vec<Step>,
    /// What the whole job makes of it.
    pub outcome: Outcome,
}

/// What one rule did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whether the target went on.
    pub keep: bool,
    /// The labels afterwards; those before if the target was dropped.
    pub output: LabelSet,
}

/// Who gave a label a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The target came with it.
    Discovered,
    /// A setting of the job, since the target came without one.
    Setting,
    /// The rule at this place of `relabel_configs`, counted from 0.
    Rule(usize),
    /// `instance` is the address where no rule sets it.
    Instance,
}

/// Explains what [`Populator::outcome`](super::Populator::outcome) does with a target, by doing it
/// rule by rule.
pub fn explain(
    discovered: &LabelSet,
    own: Option<&LabelSet>,
    defaults: &ScrapeDefaults,
    rules: &[Rule],
) -> Explanation {
    let mut labels = populate_discovered(discovered, defaults);
    if let Some(own) = own {
        labels.set_own(own);
    }
    let start = labels.build();
    let mut steps = Vec::new();
    for rule in rules {
        let keep = Relabeler::new(std::slice::from_ref(rule)).process(&mut labels);
        let output = labels.build();
        steps.push(Step { keep, output });
        if !keep {
            let outcome = Outcome::Dropped;
            return Explanation {
                start,
                steps,
                outcome,
            };
        }
    }
    let outcome = match finish(&mut labels) {
        Ok(()) => Outcome::Active(FinalTarget {
            labels: labels.build(),
        }),
        Err(text) => Outcome::Invalid(text),
    };
    Explanation {
        start,
        steps,
        outcome,
    }
}

// === impl Explanation ===

impl Explanation {
    /// Who gave a label its values, in order, each with the value; a value that is gone is empty.
    /// `discovered` are the labels that the target came with.
    pub fn history<'a>(
        &'a self,
        name: &str,
        discovered: &'a LabelSet,
        defaults: &ScrapeDefaults,
    ) -> Vec<(Origin, &'a str)> {
        let came_with = discovered.get(name).is_some_and(|value| !value.is_empty());
        let mut history = Vec::new();
        let mut last = "";
        let mut note = |origin, value: &'a str| {
            if value != last {
                history.push((origin, value));
                last = value;
            }
        };
        if let Some(value) = self.start.get(name) {
            let is_setting = !came_with && settings(defaults).iter().any(|(it, _)| it.is(name));
            let origin = if is_setting {
                Origin::Setting
            } else {
                Origin::Discovered
            };
            note(origin, value);
        }
        for (at, step) in self.steps.iter().enumerate() {
            note(Origin::Rule(at), step.output.get(name).unwrap_or_default());
        }
        // What is removed at the end, by its name alone, is no news.
        if let Outcome::Active(target) = &self.outcome
            && let Some(value) = target.labels.get(name)
        {
            note(Origin::Instance, value);
        }
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::PromDuration;
    use crate::name::NameScheme;
    use crate::target::{Populator, ScrapeDefaults};

    fn labels(json: &str) -> LabelSet {
        serde_json::from_str(json).unwrap()
    }

    fn rules(json: &str) -> Vec<Rule> {
        let raw: Vec<crate::relabel::RawRule> = serde_json::from_str(json).unwrap();
        let rules = raw.iter().map(|raw| Rule::new(raw, NameScheme::Utf8));
        rules.collect::<Result<_, _>>().unwrap()
    }

    fn defaults() -> ScrapeDefaults {
        ScrapeDefaults {
            job: "web".to_owned(),
            scrape_interval: PromDuration::from_secs(60),
            scrape_timeout: PromDuration::from_secs(10),
            metrics_path: "/metrics".to_owned(),
            scheme: "http".to_owned(),
            params: Vec::new(),
            convert_classic_histograms_to_nhcb: false,
            always_scrape_classic_histograms: false,
            scrape_native_histograms: false,
        }
    }

    const RULES: &str = r#"[
        {"source_labels":["__meta_ns"],"target_label":"ns"},
        {"source_labels":["__meta_ns"],"regex":"kube-.*","action":"drop"},
        {"target_label":"ns","replacement":"x-$1","source_labels":["ns"]},
        {"regex":"job","action":"labeldrop"}
    ]"#;

    #[test]
    fn every_value_has_an_origin() {
        let found = labels(r#"{"__address__":"a:1","__meta_ns":"team","__scheme__":"https"}"#);
        let explanation = explain(&found, None, &defaults(), &rules(RULES));
        let history = |name| explanation.history(name, &found, &defaults());
        use Origin::{Discovered, Instance, Rule, Setting};
        assert_eq!(history("ns"), [(Rule(0), "team"), (Rule(2), "x-team")]);
        assert_eq!(history("job"), [(Setting, "web"), (Rule(3), "")]);
        assert_eq!(history("__scheme__"), [(Discovered, "https")]);
        assert_eq!(history("__metrics_path__"), [(Setting, "/metrics")]);
        assert_eq!(history("instance"), [(Instance, "a:1")]);
        assert_eq!(history("__meta_ns"), [(Discovered, "team")]);
        assert_eq!(history("none"), []);
    }

    #[test]
    fn the_rule_that_drops_is_the_last() {
        let found = labels(r#"{"__address__":"a:1","__meta_ns":"kube-system"}"#);
        let explanation = explain(&found, None, &defaults(), &rules(RULES));
        assert_eq!(explanation.outcome, Outcome::Dropped);
        let keeps: Vec<bool> = explanation.steps.iter().map(|step| step.keep).collect();
        assert_eq!(keeps, [true, false]);
        assert_eq!(explanation.steps[1].output, explanation.steps[0].output);
    }

    #[test]
    fn it_says_what_the_pipeline_does() {
        for found in [
            r#"{"__address__":"a:1","__meta_ns":"team"}"#,
            r#"{"__address__":"a:1","__meta_ns":"kube-x"}"#,
            r#"{"__meta_ns":"team"}"#,
            r#"{"__address__":"a/b"}"#,
            r#"{"__address__":"a:1","instance":"i","job":"j"}"#,
        ] {
            let found = labels(found);
            let mut populator = Populator::new(&defaults(), Relabeler::new(&rules(RULES)));
            let explanation = explain(&found, None, &defaults(), &rules(RULES));
            assert_eq!(
                explanation.outcome,
                populator.outcome(&found, None),
                "{found:?}"
            );
        }
    }
}
