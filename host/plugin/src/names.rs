//! Sets of names written as names and `prefix*`.

/// Which names are meant: exact ones, and those with a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamePatterns {
    exact: Vec<String>,
    prefixes: Vec<String>,
}

// === impl NamePatterns ===

impl NamePatterns {
    /// From `name` and `prefix*`; `*` alone is every name.
    pub(crate) fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Self {
        let mut names = Self::default();
        for pattern in patterns {
            match pattern.as_ref().strip_suffix('*') {
                Some(prefix) => names.prefixes.push(prefix.to_owned()),
                None => names.exact.push(pattern.as_ref().to_owned()),
            }
        }
        names
    }

    /// Whether the name is meant.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.exact.iter().any(|exact| exact == name)
            || self
                .prefixes
                .iter()
                .any(|prefix| name.starts_with(prefix.as_str()))
    }

    /// Whether nothing is named at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_prefixes_match() {
        let names = NamePatterns::new(["__address__", "__meta_x_*"]);
        for (name, expected) in [
            ("__address__", true),
            ("__address__x", false),
            ("__meta_x_", true),
            ("__meta_x_y", true),
            ("__meta_x", false),
        ] {
            assert_eq!(names.contains(name), expected, "{name}");
        }
        assert!(NamePatterns::new(["*"]).contains("any"));
    }
}
