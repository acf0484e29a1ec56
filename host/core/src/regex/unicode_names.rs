//! The names that Go 1.26 knows in `\p{...}`, and the characters they stand for.

use super::class::{ANY, Class};
use crate::unicode;

const CATEGORIES: [&str; 38] = [
    "C", "Cc", "Cf", "Cn", "Co", "Cs", "L", "LC", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me",
    "Mn", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk",
    "Sm", "So", "Z", "Zl", "Zp", "Zs",
];

/// Scripts. Those of several words are not among them: Go looks for a name without its underscores,
/// and finds none.
const SCRIPTS: [&str; 117] = [
    "Adlam",
    "Ahom",
    "Arabic",
    "Armenian",
    "Avestan",
    "Balinese",
    "Bamum",
    "Batak",
    "Bengali",
    "Bhaiksuki",
    "Bopomofo",
    "Brahmi",
    "Braille",
    "Buginese",
    "Buhid",
    "Carian",
    "Chakma",
    "Cham",
    "Cherokee",
    "Chorasmian",
    "Common",
    "Coptic",
    "Cuneiform",
    "Cypriot",
    "Cyrillic",
    "Deseret",
    "Devanagari",
    "Dogra",
    "Duployan",
    "Elbasan",
    "Elymaic",
    "Ethiopic",
    "Georgian",
    "Glagolitic",
    "Gothic",
    "Grantha",
    "Greek",
    "Gujarati",
    "Gurmukhi",
    "Han",
    "Hangul",
    "Hanunoo",
    "Hatran",
    "Hebrew",
    "Hiragana",
    "Inherited",
    "Javanese",
    "Kaithi",
    "Kannada",
    "Katakana",
    "Kawi",
    "Kharoshthi",
    "Khmer",
    "Khojki",
    "Khudawadi",
    "Lao",
    "Latin",
    "Lepcha",
    "Limbu",
    "Lisu",
    "Lycian",
    "Lydian",
    "Mahajani",
    "Makasar",
    "Malayalam",
    "Mandaic",
    "Manichaean",
    "Marchen",
    "Medefaidrin",
    "Miao",
    "Modi",
    "Mongolian",
    "Mro",
    "Multani",
    "Myanmar",
    "Nabataean",
    "Nandinagari",
    "Newa",
    "Nko",
    "Nushu",
    "Ogham",
    "Oriya",
    "Osage",
    "Osmanya",
    "Palmyrene",
    "Phoenician",
    "Rejang",
    "Runic",
    "Samaritan",
    "Saurashtra",
    "Sharada",
    "Shavian",
    "Siddham",
    "Sinhala",
    "Sogdian",
    "Soyombo",
    "Sundanese",
    "Syriac",
    "Tagalog",
    "Tagbanwa",
    "Takri",
    "Tamil",
    "Tangsa",
    "Tangut",
    "Telugu",
    "Thaana",
    "Thai",
    "Tibetan",
    "Tifinagh",
    "Tirhuta",
    "Toto",
    "Ugaritic",
    "Vai",
    "Vithkuqi",
    "Wancho",
    "Yezidi",
    "Yi",
];

/// Long names of categories.
const ALIASES: [(&str, &str); 42] = [
    ("Casedletter", "LC"),
    ("Closepunctuation", "Pe"),
    ("Cntrl", "Cc"),
    ("Combiningmark", "M"),
    ("Connectorpunctuation", "Pc"),
    ("Control", "Cc"),
    ("Currencysymbol", "Sc"),
    ("Dashpunctuation", "Pd"),
    ("Decimalnumber", "Nd"),
    ("Digit", "Nd"),
    ("Enclosingmark", "Me"),
    ("Finalpunctuation", "Pf"),
    ("Format", "Cf"),
    ("Initialpunctuation", "Pi"),
    ("Letter", "L"),
    ("Letternumber", "Nl"),
    ("Lineseparator", "Zl"),
    ("Lowercaseletter", "Ll"),
    ("Mark", "M"),
    ("Mathsymbol", "Sm"),
    ("Modifierletter", "Lm"),
    ("Modifiersymbol", "Sk"),
    ("Nonspacingmark", "Mn"),
    ("Number", "N"),
    ("Openpunctuation", "Ps"),
    ("Other", "C"),
    ("Otherletter", "Lo"),
    ("Othernumber", "No"),
    ("Otherpunctuation", "Po"),
    ("Othersymbol", "So"),
    ("Paragraphseparator", "Zp"),
    ("Privateuse", "Co"),
    ("Punct", "P"),
    ("Punctuation", "P"),
    ("Separator", "Z"),
    ("Spaceseparator", "Zs"),
    ("Spacingmark", "Mc"),
    ("Surrogate", "Cs"),
    ("Symbol", "S"),
    ("Titlecaseletter", "Lt"),
    ("Unassigned", "Cn"),
    ("Uppercaseletter", "Lu"),
];

/// A character that Unicode moved from nonspacing to spacing marks after 15.0.
const MOVED: u32 = 0x1_171e;

/// The class of a name as written.
pub(super) fn lookup(name: &str, fold_case: bool) -> Option<Class> {
    let name = canonical(name);
    let class = match name.as_str() {
        "Any" => return Some(ANY.clone()),
        "Ascii" => Class::of(&[(0, 0x7f)]),
        // Go inverts the unassigned ones, among which it does not count surrogates.
        "Assigned" => return Some(category("Cn").negated()),
        // Go has no table of what folds to a cased letter.
        "Lc" | "Casedletter" => return Some(category("LC")),
        name if CATEGORIES.contains(&name) => category(name),
        name if SCRIPTS.contains(&name) => {
            Class::from_unicode(&unicode::class(&format!(r"\p{{Script={name}}}")))
        }
        name => {
            let at = ALIASES
                .binary_search_by_key(&name, |(alias, _)| *alias)
                .ok()?;
            category(ALIASES[at].1)
        }
    };
    Some(if fold_case { class.folded() } else { class })
}

fn category(name: &str) -> Class {
    const SURROGATES: (u32, u32) = (0xd800, 0xdfff);
    let surrogates = Class::of(&[SURROGATES]);
    match name {
        "Cs" => surrogates,
        "Cn" => {
            // Surrogates are not unassigned, though no table of characters has them.
            let mut assigned = Class::from_unicode(&unicode::unassigned()).negated();
            assigned.union(&surrogates);
            assigned.negated()
        }
        "C" => {
            let mut all = surrogates;
            for part in ["Cc", "Cf", "Cn", "Co"] {
                all.union(&category(part));
            }
            all
        }
        // `regex-syntax` spells cased letters in full.
        "LC" => Class::from_unicode(&unicode::class(r"[\p{Lu}\p{Ll}\p{Lt}]")),
        "Mn" => {
            let mut marks = general_category(name);
            marks.union(&Class::of(&[(MOVED, MOVED)]));
            marks
        }
        "Mc" => {
            let mut others = general_category(name).negated();
            others.union(&Class::of(&[(MOVED, MOVED)]));
            others.negated()
        }
        _ => general_category(name),
    }
}

fn general_category(name: &str) -> Class {
    Class::from_unicode(&unicode::class(&format!(r"\p{{gc={name}}}")))
}

/// The name as Go looks it up: without underscores, hyphens and spaces, the first letter in upper
/// case and the others in lower case.
fn canonical(name: &str) -> String {
    let mut canonical = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')) {
        let first = canonical.is_empty();
        canonical.push(if first {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        });
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(name: &str, c: char) -> bool {
        lookup(name, false).unwrap().contains(u32::from(c))
    }

    #[test]
    fn names_are_found_as_go_finds_them() {
        for name in [
            "L",
            "Lu",
            "lu",
            "l_u",
            "Greek",
            "gReek",
            "Gr eek",
            "Letter",
            "uppercase-letter",
            "punct",
        ] {
            assert!(lookup(name, false).is_some(), "{name}");
        }
        for name in [
            "",
            "X",
            "Grek",
            "Old_Italic",
            "OldItalic",
            "SignWriting",
            "alpha",
            "gc=Lu",
        ] {
            assert_eq!(lookup(name, false), None, "{name}");
        }
    }

    #[test]
    fn aliases_are_sorted_for_the_search() {
        assert!(ALIASES.is_sorted());
        for (alias, _) in ALIASES {
            assert!(lookup(alias, false).is_some(), "{alias}");
        }
    }

    #[test]
    fn classes_are_those_of_unicode_15() {
        assert!(contains("Lu", 'A') && !contains("Lu", 'a'));
        assert!(contains("Greek", 'α') && !contains("Greek", 'a'));
        // Assigned later, never assigned, moved later.
        assert!(contains("Cn", '\u{a7cb}') && !contains("Lu", '\u{a7cb}'));
        assert!(contains("Cn", '\u{fdd0}') && !contains("Assigned", '\u{ffff}'));
        assert!(contains("Mn", '\u{1171e}') && !contains("Mc", '\u{1171e}'));
        // Surrogates are of a class of their own, though no text holds them.
        assert_eq!(lookup("Cs", false).unwrap().ranges(), [(0xd800, 0xdfff)]);
        assert!(!lookup("Cn", false).unwrap().contains(0xd800));
    }
}
