//! Patterns on names, of clusters and of annotations.

use std::fmt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Serialize, Serializer};

/// Patterns of which a name matches one, all or none: `*` stands for any text, also with slashes,
/// `?` for one character, and everything else for itself. They are sorted, without repetitions, so
/// that the order in which they are written does not matter. None at all match nothing.
#[derive(Clone, Default)]
pub struct NamePatterns {
    texts: Vec<String>,
    set: GlobSet,
}

// === impl NamePatterns ===

impl NamePatterns {
    /// Compiles patterns.
    ///
    /// # Errors
    /// Patterns whose automaton would be too large.
    pub fn new<T: Into<String>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, String> {
        let mut texts: Vec<String> = patterns.into_iter().map(Into::into).collect();
        texts.sort_unstable();
        texts.dedup();
        let mut set = GlobSetBuilder::new();
        for text in &texts {
            let glob = GlobBuilder::new(&escaped(text))
                .backslash_escape(true)
                .build()
                .map_err(|error| error.kind().to_string())?;
            set.add(glob);
        }
        let set = set.build().map_err(|error| error.kind().to_string())?;
        Ok(Self { texts, set })
    }

    /// Whether one of the patterns matches the whole name.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The patterns as written, sorted.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.texts
    }

    /// Whether a text has a wildcard.
    pub(crate) fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?'])
    }
}

/// The pattern in the words of `globset`, which gives a meaning to more characters than we do.
fn escaped(pattern: &str) -> String {
    let mut escaped = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        match character {
            // Two in a row mean folders there, and the same as one here.
            '*' if escaped.ends_with('*') && !escaped.ends_with("\\*") => continue,
            '[' | ']' | '{' | '}' | '\\' => escaped.push('\\'),
            _ => {}
        }
        escaped.push(character);
    }
    escaped
}

impl fmt::Debug for NamePatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts.fmt(f)
    }
}

impl PartialEq for NamePatterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for NamePatterns {}

impl Serialize for NamePatterns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.texts.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("prod", "prod", true),
            ("prod", "prod-eu", false),
            ("prod-*", "prod-eu", true),
            ("prod-*", "prod-", true),
            ("prod-*", "Prod-eu", false),
            ("*", "", true),
            ("**", "a/b", true),
            ("a**b", "a/x/b", true),
            ("prod-??", "prod-eu", true),
            ("prod-??", "prod-e", false),
            ("kubectl.kubernetes.io/*", "kubectl.kubernetes.io/a", true),
            ("kubectl.kubernetes.io/*", "kubectlXkubernetes.io/a", false),
            ("*/last-applied", "kubectl.kubernetes.io/last-applied", true),
            ("*.io/*", "a.b.io/c/d", true),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
            ("{a,b}", "a", false),
            ("{a,b}", "{a,b}", true),
            ("a\\*", "a\\x", true),
            (
                "arn:aws:eks:*:cluster/x",
                "arn:aws:eks:eu:1:cluster/x",
                true,
            ),
        ] {
            let patterns = NamePatterns::new([pattern]).unwrap();
            assert_eq!(patterns.is_match(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn no_pattern_matches_nothing() {
        let none = NamePatterns::default();
        assert!(none.is_empty());
        assert!(!none.is_match(""));
    }

    #[test]
    fn the_order_of_patterns_does_not_matter() {
        let one = NamePatterns::new(["b", "a", "b"]).unwrap();
        let other = NamePatterns::new(["a", "b"]).unwrap();
        assert_eq!(one, other);
        assert_eq!(serde_json::to_string(&one).unwrap(), r#"["a","b"]"#);
    }
}
