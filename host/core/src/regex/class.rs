//! Sets of characters, surrogates among them, as ranges.

use std::sync::LazyLock;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use crate::unicode;

/// The last character.
pub(super) const MAX_RUNE: u32 = 0x10_ffff;
const SURROGATES: (u32, u32) = (0xd800, 0xdfff);

/// Pairs of characters that Unicode 15.1 made equal but for case; Go knows 15.0.
static FOLDED_LATER: LazyLock<ClassUnicode> = LazyLock::new(|| {
    let later = [
        '\u{390}', '\u{1fd3}', '\u{3b0}', '\u{1fe3}', '\u{fb05}', '\u{fb06}',
    ];
    ClassUnicode::new(later.map(|c| ClassUnicodeRange::new(c, c)))
});

/// Ranges in ascending order that neither overlap nor touch.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Class(Vec<(u32, u32)>);

impl Class {
    pub(super) fn of(ranges: &[(u32, u32)]) -> Self {
        let mut class = Self(ranges.to_vec());
        class.normalize();
        class
    }

    /// The characters of a class of `regex-syntax`, which knows no surrogates.
    pub(super) fn from_unicode(class: &ClassUnicode) -> Self {
        let bounds = |range: &ClassUnicodeRange| (u32::from(range.start()), u32::from(range.end()));
        Self(class.iter().map(bounds).collect())
    }

    /// The class without surrogates, which no text holds.
    pub(super) fn to_unicode(&self) -> ClassUnicode {
        let (first, last) = SURROGATES;
        let parts = self.0.iter().flat_map(|(low, high)| {
            [
                (*low, (*high).min(first - 1)),
                ((*low).max(last + 1), *high),
            ]
        });
        ClassUnicode::new(
            parts
                .filter(|(low, high)| low <= high)
                .filter_map(|(low, high)| {
                    Some(ClassUnicodeRange::new(
                        char::from_u32(low)?,
                        char::from_u32(high)?,
                    ))
                }),
        )
    }

    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    pub(super) fn contains(&self, rune: u32) -> bool {
        self.0
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&rune))
    }

    pub(super) fn union(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
        self.normalize();
    }

    pub(super) fn negated(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.0.len() + 1);
        let mut next = 0;
        for (low, high) in &self.0 {
            if next < *low {
                ranges.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= MAX_RUNE {
            ranges.push((next, MAX_RUNE));
        }
        Self(ranges)
    }

    /// The class with every character that differs from one of it only in case.
    pub(super) fn folded(&self) -> Self {
        let mut unicode = self.to_unicode();
        unicode::keep_assigned(&mut unicode);
        // Fails only where `regex-syntax` was built without its tables.
        let _ = unicode.try_case_fold_simple();
        unicode::keep_assigned(&mut unicode);
        unicode.difference(&FOLDED_LATER);
        let mut folded = Self::from_unicode(&unicode);
        // Surrogates, unassigned characters and those folded later went on the way.
        folded.union(self);
        folded
    }

    fn normalize(&mut self) {
        self.0.sort_unstable();
        self.0.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1.saturating_add(1);
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
    }
}

/// The characters that differ from `rune` only in case, itself among them.
pub(super) fn orbit(rune: u32) -> Class {
    Class::of(&[(rune, rune)]).folded()
}

/// The least character that differs from `rune` only in case.
pub(super) fn least_of_orbit(rune: u32) -> u32 {
    orbit(rune).0.first().map_or(rune, |(low, _)| *low)
}

/// Go's Perl classes; `\s` has no vertical tab.
pub(super) fn perl_class(letter: u8) -> Option<&'static [(u32, u32)]> {
    Some(match letter.to_ascii_lowercase() {
        b'd' => &[(0x30, 0x39)],
        b's' => &[(0x9, 0xa), (0xc, 0xd), (0x20, 0x20)],
        b'w' => &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)],
        _ => return None,
    })
}

/// Go's POSIX classes by the name between `[:` and `:]`.
pub(super) fn posix_class(name: &str) -> Option<&'static [(u32, u32)]> {
    Some(match name {
        "alnum" => &[(0x30, 0x39), (0x41, 0x5a), (0x61, 0x7a)],
        "alpha" => &[(0x41, 0x5a), (0x61, 0x7a)],
        "ascii" => &[(0x0, 0x7f)],
        "blank" => &[(0x9, 0x9), (0x20, 0x20)],
        "cntrl" => &[(0x0, 0x1f), (0x7f, 0x7f)],
        "digit" => &[(0x30, 0x39)],
        "graph" => &[(0x21, 0x7e)],
        "lower" => &[(0x61, 0x7a)],
        "print" => &[(0x20, 0x7e)],
        "punct" => &[(0x21, 0x2f), (0x3a, 0x40), (0x5b, 0x60), (0x7b, 0x7e)],
        "space" => &[(0x9, 0xd), (0x20, 0x20)],
        "upper" => &[(0x41, 0x5a)],
        "word" => &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)],
        "xdigit" => &[(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)],
        _ => return None,
    })
}

/// The class that matches every character.
pub(super) static ANY: LazyLock<Class> = LazyLock::new(|| Class::of(&[(0, MAX_RUNE)]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_merged_and_negated() {
        let class = Class::of(&[(5, 9), (1, 2), (3, 3), (8, 20)]);
        assert_eq!(class.ranges(), [(1, 3), (5, 20)]);
        assert_eq!(class.negated().ranges(), [(0, 0), (4, 4), (21, MAX_RUNE)]);
        assert_eq!(class.negated().negated(), class);
        assert_eq!(ANY.negated().ranges(), []);
    }

    #[test]
    fn case_folds_by_orbits() {
        assert_eq!(
            orbit(u32::from('k')).ranges(),
            [(0x4b, 0x4b), (0x6b, 0x6b), (0x212a, 0x212a)]
        );
        assert_eq!(least_of_orbit(u32::from('ſ')), u32::from('S'));
        assert_eq!(least_of_orbit(u32::from('ı')), u32::from('ı'));
        assert_eq!(orbit(0xd800).ranges(), [(0xd800, 0xd800)]);
    }
}
