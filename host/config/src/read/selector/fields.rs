//! Field selectors: terms `name=value`, `name==value` or `name!=value` between commas.

/// Checks a selector; the error is client-go's text.
pub(in crate::read) fn check(selector: &str) -> Result<(), String> {
    let mut terms = split_terms(selector);
    terms.sort_unstable();
    for term in terms.into_iter().filter(|term| !term.is_empty()) {
        let Some(value) = value_of(term) else {
            return Err(format!(
                "invalid selector: '{selector}'; can't understand '{term}'"
            ));
        };
        check_value(value)?;
    }
    Ok(())
}

/// Splits at commas that no backslash precedes.
fn split_terms(selector: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (index, character) in selector.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&selector[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&selector[start..]);
    terms
}

/// What stands behind the first operator.
fn value_of(term: &str) -> Option<&str> {
    term.char_indices().find_map(|(index, _)| {
        ["!=", "==", "="]
            .iter()
            .find_map(|operator| term[index..].strip_prefix(operator))
    })
}

fn check_value(value: &str) -> Result<(), String> {
    const ESCAPE: &str = "invalid field selector: invalid escape sequence:";
    let mut escaped = false;
    for character in value.chars() {
        match character {
            '\\' | ',' | '=' if escaped => escaped = false,
            other if escaped => return Err(format!("{ESCAPE} \\{other}")),
            '\\' => escaped = true,
            ',' | '=' => {
                let code = character as u32;
                return Err(format!(
                    "invalid field selector: unescaped character in value: {code}"
                ));
            }
            _ => {}
        }
    }
    if escaped {
        Err(format!("{ESCAPE} \\"))
    } else {
        Ok(())
    }
}
