//! Label names: which ones are valid, and how foreign names become part of one.

/// The rule for valid label names, as `metric_name_validation_scheme` chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum NameScheme {
    /// Any non-empty UTF-8.
    #[default]
    Utf8,
    /// Letters, digits and underscores of ASCII, not beginning with a digit.
    Legacy,
}

/// Whether `name` may name a label under `scheme`.
pub fn is_valid_label_name(name: &str, scheme: NameScheme) -> bool {
    match scheme {
        NameScheme::Utf8 => !name.is_empty(),
        NameScheme::Legacy => {
            !name.is_empty()
                && !name.as_bytes()[0].is_ascii_digit()
                && name.bytes().all(is_legacy_name_byte)
        }
    }
}

/// Replaces every character that a legacy label name cannot hold with an underscore.
///
/// A leading digit stays: the result is meant for the end of a name that begins well, such as
/// `__meta_kubernetes_pod_label_<result>`. Upstream's `strutil.SanitizeLabelName`.
pub fn sanitize_label_name(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

fn is_legacy_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_names_are_ascii_words_that_begin_with_no_digit() {
        for (name, legacy, utf8) in [
            ("", false, false),
            ("a", true, true),
            ("_", true, true),
            ("a1", true, true),
            ("1a", false, true),
            ("a-b", false, true),
            ("a b", false, true),
            ("é", false, true),
            ("$1", false, true),
        ] {
            assert_eq!(
                is_valid_label_name(name, NameScheme::Legacy),
                legacy,
                "{name:?}"
            );
            assert_eq!(
                is_valid_label_name(name, NameScheme::Utf8),
                utf8,
                "{name:?}"
            );
        }
    }

    #[test]
    fn every_foreign_character_becomes_one_underscore() {
        for (input, output) in [
            ("app.kubernetes.io/name", "app_kubernetes_io_name"),
            ("1a", "1a"),
            ("", ""),
            ("a--b", "a__b"),
            ("größe", "gr__e"),
            ("日本", "__"),
        ] {
            assert_eq!(sanitize_label_name(input), output, "{input:?}");
        }
    }
}
