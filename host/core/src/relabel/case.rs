//! Letter case as Go maps it: character by character, one character to one.

use crate::unicode::is_assigned;

/// Go's `strings.ToLower`.
pub(super) fn to_lower(text: &str) -> String {
    text.chars().map(simple_lower).collect()
}

/// Go's `strings.ToUpper`.
pub(super) fn to_upper(text: &str) -> String {
    text.chars().map(simple_upper).collect()
}

fn simple_lower(c: char) -> char {
    match c {
        _ if c.is_ascii() => c.to_ascii_lowercase(),
        // The one character whose full mapping is longer: capital I with a dot above.
        '\u{130}' => 'i',
        _ => known_to_go(c, c.to_lowercase().next().unwrap_or(c)),
    }
}

fn simple_upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut full = c.to_uppercase();
    match (full.next(), full.next()) {
        (Some(upper), None) => known_to_go(c, upper),
        _ => simple_upper_of_expanding(c),
    }
}

/// Pairs of which Go's Unicode does not know one yet stay as they are.
fn known_to_go(c: char, mapped: char) -> char {
    if mapped == c || (is_assigned(c) && is_assigned(mapped)) {
        mapped
    } else {
        c
    }
}

/// Characters whose full upper case is longer stay as they are, but for Greek vowels with an iota
/// below, which have a title-case form of one character.
fn simple_upper_of_expanding(c: char) -> char {
    let code = u32::from(c);
    let title = match code {
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => code + 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => code + 9,
        _ => code,
    };
    char::from_u32(title).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_mapped_one_character_to_one() {
        for (text, lower, upper) in [
            ("bAr123Foo", "bar123foo", "BAR123FOO"),
            ("Straße", "straße", "STRAßE"),
            ("ﬁ", "ﬁ", "ﬁ"),
            ("İI", "ii", "İI"),
            ("ΟΔΟΣ", "οδοσ", "ΟΔΟΣ"),
            ("ᾳ", "ᾳ", "ᾼ"),
            ("ᾀ", "ᾀ", "ᾈ"),
            ("ŉ", "ŉ", "ŉ"),
            ("ǆ", "ǆ", "Ǆ"),
            ("ı", "ı", "I"),
            ("ſ", "ſ", "S"),
            ("ƛ", "ƛ", "ƛ"),
        ] {
            assert_eq!(to_lower(text), lower, "{text}");
            assert_eq!(to_upper(text), upper, "{text}");
        }
    }
}
