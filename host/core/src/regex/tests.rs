//! Expressions: what is refused with which text, and what is matched.

use super::*;

fn error(pattern: &str) -> String {
    let text = Regex::new(pattern).unwrap_err().to_string();
    text.strip_prefix("error parsing regexp: ")
        .unwrap()
        .to_owned()
}

#[test]
fn refusals_have_the_texts_of_go() {
    for (pattern, text) in [
        ("a(", "missing closing ): `^(?s:a()$`"),
        ("a)", "unexpected ): `^(?s:a))$`"),
        ("[a", "missing closing ]: `[a)$`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        (
            r"\p{Script=Greek}",
            r"invalid character class range: `\p{Script=Greek}`",
        ),
        (
            r"\p{Old_Italic}",
            r"invalid character class range: `\p{Old_Italic}`",
        ),
        (r"\pX", r"invalid character class range: `\pX`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*?{2}", "invalid nested repetition operator: `*?{2}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        ("a{1,9999999999}", "invalid repeat count: `{1,9999999999}`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"\x4", r"invalid escape sequence: `\x4)`"),
        (r"\u0041", r"invalid escape sequence: `\u`"),
        (r"\é", r"invalid escape sequence: `\é`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?x:a)", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?i-:a)", "invalid or unsupported Perl syntax: `(?i-:`"),
        ("(?P<n", "invalid named capture: `(?P<n)$`"),
        ("(?P<n-m>a)", "invalid named capture: `(?P<n-m>`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        // Without an end, the quotation takes the wrapper in.
        (r"\Qa", r"missing closing ): `^(?s:\Qa)$`"),
    ] {
        assert_eq!(error(pattern), text, "{pattern}");
    }
}

#[test]
fn limits_are_those_of_go() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Regex::new(&nested(900)).is_ok());
    assert!(error(&nested(1000)).starts_with("expression nests too deeply: "));
    assert!(Regex::new("((((((((((a{2}){2}){2}){2}){2}){2}){2}){2}){2}))").is_ok());
    assert!(Regex::new("(a{1000}){1}").is_ok());
    let large = "((((a{100}){2}){5}|b{1000}){1}c{1000})".repeat(2000);
    assert!(error(&large).starts_with("expression too large: "));
}

#[test]
fn expressions_match_as_in_go() {
    for (pattern, matching, others) in [
        ("", &[""][..], &["a", "\n"][..]),
        ("(.*)", &["", "a", "a\nb"], &[]),
        (".+", &["a", "\n"], &[""]),
        ("foo", &["foo"], &["foo\n", "xfoo", "Foo"]),
        ("foo|fob|bar", &["foo", "fob", "bar"], &["fo", "foob", ""]),
        ("pre(.*)", &["pre", "prefix"], &["pr", "xpre"]),
        ("(.+)suf", &["xsuf"], &["suf", "suffix"]),
        ("aba(.*)aba", &["abaaba", "aba-aba"], &["ababa"]),
        ("a)|(b", &["ax", "xb"], &["xa", "bx"]),
        (r"\d", &["5"], &["٣"]),
        (r"\s", &["\t", " "], &["\u{b}", "\u{a0}"]),
        (r"(?i)\w", &["K", "\u{212a}", "ſ"], &["é"]),
        (r"\w", &["k"], &["\u{212a}"]),
        ("(?i)straße", &["STRAẞE", "straße"], &["strasse"]),
        (r"\x{D800}", &["\u{fffd}"], &["a", ""]),
        (r"a\x{D800}.*", &["a\u{fffd}", "a\u{fffd}b"], &["a"]),
        (r"\x{D800}.*a?", &[], &["\u{fffd}", "\u{fffd}a"]),
        (r".\x{D800}", &[], &["a\u{fffd}"]),
        (r"[\x{D800}]?a", &["a"], &["\u{fffd}a"]),
        (r"a\<b", &["a<b"], &["a b"]),
        ("[a&&b]+", &["&", "ab"], &["c"]),
        ("[[a]", &["[", "a"], &["]"]),
        ("a{,2}", &["a{,2}"], &["a", "aa"]),
        (r"\Qa.b\E+", &["a.b", "a.bb"], &["axb"]),
        (r"\p{Greek}\pL", &["αx"], &["xα"]),
        (r"\p{^Greek}", &["x"], &["α"]),
        (r"(?-s).", &["a"], &["\n"]),
        ("(?m)a$.b", &["a\nb"], &["ab"]),
        (r"a\bé", &["aé"], &["ab"]),
        (r"\P{Any}?", &[""], &["a"]),
        ("(?i)a|[b-d]", &["A", "C"], &["e"]),
    ] {
        let regex = Regex::new(pattern).unwrap();
        for value in matching {
            assert!(regex.is_match(value), "{pattern} should match {value:?}");
        }
        for value in others {
            assert!(
                !regex.is_match(value),
                "{pattern} should not match {value:?}"
            );
        }
    }
}

#[test]
fn groups_are_those_of_the_leftmost_first_match() {
    for (pattern, value, groups) in [
        ("(a|ab)(c|bcd)?.*", "abcd", &[Some("a"), Some("bcd")][..]),
        ("(a*)+", "aa", &[Some("aa")]),
        ("(?:(a)|b)*", "ab", &[Some("a")]),
        ("(?U)(a+)(a*)", "aaa", &[Some("a"), Some("aa")]),
        ("(.+?):(.*)", "a:b:c", &[Some("a"), Some("b:c")]),
        ("x(.*)y", "xay", &[Some("a")]),
        ("(x)?(.*)", "y", &[None, Some("y")]),
        ("(?P<1>a)(?P<1>b)", "ab", &[Some("a"), Some("b")]),
        ("(|a)*", "aa", &[Some("a")]),
    ] {
        let regex = Regex::new(pattern).unwrap();
        let mut slots = Slots::new(groups.len() + 1);
        assert!(regex.captures(value, &mut slots), "{pattern}");
        let found: Vec<_> = (1..=groups.len())
            .map(|group| slots.group(group, value))
            .collect();
        assert_eq!(found, groups, "{pattern}");
    }
}

#[test]
fn every_match_is_replaced_as_in_go() {
    for (pattern, value, replaced) in [
        ("(.*)", "abc", Some("<abc>")),
        ("x", "abc", None),
        ("no)|(?:b", "abcb", Some("abc<b>")),
        ("no)|(?:b*|$", "bb", Some("<bb>")),
        ("no)|(?:", "éa", Some("éa<>")),
        ("no)|[bc]|(?:x", "abcbéc", Some("a<b><c><b>é<c>")),
        ("no)|b*|(?:x", "abcbbéc", Some("<>a<b>c<bb>é<>c<>")),
    ] {
        let regex = Regex::new(pattern).unwrap();
        let mut out = String::new();
        let is_match = regex.replace_all(value, &mut Slots::new(1), &mut out, |slots, out| {
            out.push('<');
            out.push_str(slots.group(0, value).unwrap());
            out.push('>');
        });
        assert_eq!(is_match.then_some(out.as_str()), replaced, "{pattern}");
    }
}

/// A search would take gigabytes: found by feeding random text.
#[test]
fn many_groups_around_large_classes_are_too_large() {
    let pattern = |groups: usize| format!("(?:{}x)", r"(\pL{9})|".repeat(groups));
    assert!(Regex::new(&pattern(8)).is_ok());
    assert!(error(&pattern(200)).starts_with("expression too large: "));
}

#[test]
fn frequent_expressions_need_no_engine() {
    for pattern in [
        "(.*)",
        ".+",
        "foo",
        "foo|fob|bar",
        "a?b",
        "pre_(.+)",
        ".*-suf",
        "",
        "(?i)12",
    ] {
        assert_ne!(
            Regex::new(pattern).unwrap().0.shape,
            Shape::Other,
            "{pattern}"
        );
    }
    for pattern in ["(?i)foo", "a)|(b", r"\d+", "a.*b.*c", "(?-s).*", "(?m)^foo"] {
        assert_eq!(
            Regex::new(pattern).unwrap().0.shape,
            Shape::Other,
            "{pattern}"
        );
    }
}
