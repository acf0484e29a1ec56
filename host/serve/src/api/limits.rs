//! Limits of labels that a target passes by itself.

use periplus_config::TargetLimits;
use periplus_core::target::FinalTarget;

/// Why every scrape of a target fails, whatever it exposes; the texts are upstream's
/// (`verifyLabelLimits` in `scrape/scrape.go`), without the metric, which only a scrape knows.
pub(super) fn broken(target: &FinalTarget, limits: &TargetLimits) -> Option<String> {
    if limits.labels == 0 && limits.name_length == 0 && limits.value_length == 0 {
        return None;
    }
    let over = |length: usize, limit: u64| limit > 0 && length as u64 > limit;
    let count = target.public().count();
    if over(count, limits.labels) {
        let limit = limits.labels;
        return Some(format!(
            "label_limit exceeded (number of labels: {count}, limit: {limit})"
        ));
    }
    target.public().find_map(|(name, value)| {
        if over(name.len(), limits.name_length) {
            let (length, limit) = (name.len(), limits.name_length);
            return Some(format!(
                "label_name_length_limit exceeded (label name: {name:.50}, length: {length}, limit: {limit})"
            ));
        }
        let (length, limit) = (value.len(), limits.value_length);
        over(length, limit).then(|| {
            format!(
                "label_value_length_limit exceeded (label name: {name:.50}, value: {value:.50}, length: {length}, limit: {limit})"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named_with_what_passes_it() {
        let labels = [("__scheme__", "https"), ("job", "web"), ("instance", "a:1")];
        let target = FinalTarget {
            labels: labels.into_iter().collect(),
        };
        let limits = |labels, name_length, value_length| TargetLimits {
            targets: 0,
            labels,
            name_length,
            value_length,
        };
        for (limits, text) in [
            (limits(0, 0, 0), None),
            (limits(2, 8, 3), None),
            (
                limits(1, 0, 0),
                Some("label_limit exceeded (number of labels: 2, limit: 1)"),
            ),
            (
                limits(0, 7, 0),
                Some(
                    "label_name_length_limit exceeded (label name: instance, length: 8, limit: 7)",
                ),
            ),
            (
                limits(0, 0, 2),
                Some(
                    "label_value_length_limit exceeded (label name: instance, value: a:1, length: 3, limit: 2)",
                ),
            ),
        ] {
            assert_eq!(broken(&target, &limits).as_deref(), text);
        }
    }
}
