//! Finding in Periplus' lists the target that another side shows.

use std::collections::BTreeMap;

use crate::compare::{distance, pair};
use crate::periplus::Entry;
use crate::prometheus::Labels;

/// What a list holds for a target that was seen with these labels: of those in the same place of the same object the
/// one that is most like it. The job's defaults are as they were seen.
pub(super) fn counterpart(
    lists: &BTreeMap<String, Vec<Entry>>,
    job: &str,
    seen: &Labels,
) -> Option<Labels> {
    let entries = lists.get(job)?;
    let labels_of = |entry: &Entry| -> Labels {
        // Defaults are no `__meta_` labels, and no list holds them.
        let defaults = seen.iter().filter(|(name, _)| !name.starts_with("__meta_"));
        let mut labels: Labels = defaults.map(|(n, v)| (n.clone(), v.clone())).collect();
        labels.extend(entry.labels.clone());
        labels.extend(
            entry
                .targets
                .first()
                .map(|a| ("__address__".to_owned(), a.clone())),
        );
        labels
    };
    let place = pair(seen);
    entries
        .iter()
        .map(labels_of)
        .filter(|labels| pair(labels) == place)
        .min_by_key(|labels| distance(labels, seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn the_counterpart_of_a_target_has_its_own_labels_and_the_defaults_of_the_job() {
        let seen = labels(&[
            ("__address__", "a"),
            ("__meta_x", "1"),
            ("__meta_y", "2"),
            ("job", "j"),
        ]);
        let find = |address: &str, entry: &[(&str, &str)]| {
            let entry = Entry {
                targets: vec![address.to_owned()],
                labels: labels(entry),
            };
            counterpart(&BTreeMap::from([("j".to_owned(), vec![entry])]), "j", &seen)
        };
        let exact = find("a", &[("__meta_x", "1"), ("__meta_y", "2")]);
        assert_eq!(exact.as_ref(), Some(&seen));
        let other = find("a", &[("__meta_x", "3")]).unwrap();
        assert_eq!(other["job"], "j");
        assert_eq!(other["__meta_x"], "3");
        assert!(!other.contains_key("__meta_y"));
        assert_eq!(find("b", &[("__meta_x", "1")]), None);
    }
}
