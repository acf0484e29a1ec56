//! `external_labels`, the only place where Prometheus puts in variables of the environment.

use std::env;

use periplus_core::name::{NameScheme, is_valid_label_name};

use crate::read::quoted;
use crate::yaml::{Value, quote_bytes};

/// Reads and expands the labels, sorted by name; those that are wrong are left out.
pub(super) fn read(value: &Value<'_>, scheme: NameScheme) -> Vec<(String, String)> {
    let pairs = value.map("map[string]string").unwrap_or_default();
    let mut labels: Vec<_> = pairs
        .iter()
        .filter_map(|(key, value)| read_label(key, value, scheme))
        .collect();
    labels.sort_unstable();
    labels
}

fn read_label(key: &Value<'_>, value: &Value<'_>, scheme: NameScheme) -> Option<(String, String)> {
    let name = match key.bytes_as("string")? {
        Ok(name) if is_valid_label_name(&name, scheme) => Ok(name),
        Ok(name) => Err(quoted(&name)),
        Err(bytes) => Err(quote_bytes(&bytes)),
    };
    let text = value.bytes_as("string")?;
    match (name, text) {
        (Ok(name), Ok(text)) => Some((name, expand(&text, &|name| variable(name, value)))),
        (Err(name), _) => {
            value.error(format!("{name} is not a valid label name"));
            None
        }
        (_, Err(bytes)) => {
            let shown = quote_bytes(&bytes);
            value.error(format!("{shown} is not a valid label value"));
            None
        }
    }
}

/// A variable of the environment; one that is not set is empty, which is worth a warning.
fn variable(name: &str, value: &Value<'_>) -> String {
    let set = env::var_os(name).map(|it| it.to_string_lossy().into_owned());
    set.filter(|text| !text.is_empty()).unwrap_or_else(|| {
        value.warn_with(
            format!("environment variable {} is empty", quoted(name)),
            "set it, or write `$$` for a dollar sign",
        );
        String::new()
    })
}

/// Go's `os.Expand`: `$name` and `${name}`, and `$$` for the sign itself, as Prometheus has it.
fn expand(text: &str, variable: &dyn Fn(&str) -> String) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        expanded.push_str(before);
        let (name, width) = name_at(after);
        match name {
            Some("$") => expanded.push('$'),
            Some(name) => expanded.push_str(&variable(name)),
            // Not followed by a name: the sign stays. What is no name in braces is eaten.
            None if width == 0 => expanded.push('$'),
            None => {}
        }
        rest = &after[width..];
    }
    expanded + rest
}

/// The name after a `$`, and how many bytes it takes with its braces.
fn name_at(text: &str) -> (Option<&str>, usize) {
    let is_special = |byte: u8| b"*#$@!?-".contains(&byte) || byte.is_ascii_digit();
    match text.as_bytes() {
        [b'{', first, b'}', ..] if is_special(*first) => (Some(&text[1..2]), 3),
        [b'{', ..] => match text.find('}') {
            Some(1) => (None, 2),
            Some(end) => (Some(&text[1..end]), end + 1),
            None => (None, 1),
        },
        [first, ..] if is_special(*first) => (Some(&text[..1]), 1),
        bytes => {
            let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
            let width = bytes.iter().take_while(is_name).count();
            (Some(&text[..width]).filter(|name| !name.is_empty()), width)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_as_go_does() {
        for (text, expected) in [
            ("plain", "plain"),
            ("$HOME", "<HOME>"),
            ("a${HOME}b", "a<HOME>b"),
            ("a$HOME-b", "a<HOME>-b"),
            ("$A$B", "<A><B>"),
            ("$$", "$"),
            ("$$A", "$A"),
            ("${$}A", "$A"),
            ("$1x", "<1>x"),
            ("$", "$"),
            ("$ a", "$ a"),
            ("ä$ü", "ä$ü"),
            ("${}a", "a"),
            ("${a", "a"),
            ("${a-b}", "<a-b>"),
            ("${*}", "<*>"),
        ] {
            let expanded = expand(text, &|name| format!("<{name}>"));
            assert_eq!(expanded, expected, "{text}");
        }
    }
}
