//! Go's quoted strings (`%q`), which upstream's error texts are made of.

use std::fmt::Write as _;

use crate::unicode::is_print;

/// `text` between double quotes, escaped as Go's `strconv.Quote` does it.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        push_escaped(&mut quoted, c);
    }
    quoted.push('"');
    quoted
}

fn push_escaped(quoted: &mut String, c: char) {
    match c {
        '"' => quoted.push_str("\\\""),
        '\\' => quoted.push_str("\\\\"),
        '\u{7}' => quoted.push_str("\\a"),
        '\u{8}' => quoted.push_str("\\b"),
        '\u{c}' => quoted.push_str("\\f"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        '\u{b}' => quoted.push_str("\\v"),
        _ if is_print(c) => quoted.push(c),
        _ => {
            let code = u32::from(c);
            // Writing to a string cannot fail.
            let _ = match code {
                0..=0x7f => write!(quoted, "\\x{code:02x}"),
                0x80..=0xffff => write!(quoted, "\\u{code:04x}"),
                _ => write!(quoted, "\\U{code:08x}"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go() {
        for (text, quoted) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            (
                "\n\t\r\u{7}\u{8}\u{b}\u{c}\u{0}\u{1f}\u{7f}",
                r#""\n\t\r\a\b\v\f\x00\x1f\x7f""#,
            ),
            ("é日☃🎉", r#""é日☃🎉""#),
            (
                "\u{a0}\u{ad}\u{200b}\u{feff}\u{e000}",
                r#""\u00a0\u00ad\u200b\ufeff\ue000""#,
            ),
            ("\u{e0001}\u{10ffff}", r#""\U000e0001\U0010ffff""#),
            ("\u{301}", "\"\u{301}\""),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }
}
