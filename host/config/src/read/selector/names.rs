//! Which keys and values Kubernetes' labels can have.

const KEY_PATTERN: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const KEY_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const DNS_PATTERN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const DNS_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";

/// What is wrong with a label's key; empty if nothing is.
pub(super) fn key_problems(key: &str) -> Vec<String> {
    let key_rule = || pattern_text(KEY_RULE, KEY_PATTERN, &["MyName", "my.name", "123-abc"]);
    let mut problems = Vec::new();
    let (prefix, name) = match key.split('/').collect::<Vec<_>>()[..] {
        [name] => (None, name),
        [prefix, name] => (Some(prefix), name),
        _ => {
            return vec![format!(
                "a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                key_rule()
            )];
        }
    };
    match prefix {
        Some("") => problems.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => {
            problems.extend(
                dns_problems(prefix)
                    .iter()
                    .map(|text| format!("prefix part {text}")),
            );
        }
        None => {}
    }
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push(format!("name part {}", too_long(63)));
    }
    if !is_word(name) {
        problems.push(format!("name part {}", key_rule()));
    }
    problems
}

/// What is wrong with a label's value; empty if nothing is.
pub(super) fn value_problems(value: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if value.len() > 63 {
        problems.push(too_long(63));
    }
    if !value.is_empty() && !is_word(value) {
        let rule = format!(
            "a valid label must be an empty string or {}",
            &KEY_RULE["must ".len()..]
        );
        let pattern = format!("({KEY_PATTERN})?");
        problems.push(pattern_text(
            &rule,
            &pattern,
            &["MyValue", "my_value", "12345"],
        ));
    }
    problems
}

fn dns_problems(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name.len() > 253 {
        problems.push(too_long(253));
    }
    let is_label = |label: &str| {
        let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(is_label) {
        problems.push(pattern_text(DNS_RULE, DNS_PATTERN, &["example.com"]));
    }
    problems
}

/// Whether the text matches the pattern of keys.
fn is_word(text: &str) -> bool {
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    is_edge(text.bytes().next()) && is_edge(text.bytes().last()) && text.bytes().all(inner)
}

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} bytes")
}

fn pattern_text(rule: &str, pattern: &str, examples: &[&str]) -> String {
    let examples: Vec<_> = examples
        .iter()
        .map(|example| format!("'{example}', "))
        .collect();
    format!(
        "{rule} (e.g. {}regex used for validation is '{pattern}')",
        examples.join(" or ")
    )
}
