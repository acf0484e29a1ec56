//! Field selectors: terms `name=value`, `name==value` or `name!=value` between commas.

use crate::kubernetes::FieldRequirement;

/// Checks a selector; the error is client-go's text.
pub(in crate::read) fn check(selector: &str) -> Result<(), String> {
    parse(selector).map(drop)
}

/// What a selector requires; the error is client-go's text.
pub(crate) fn parse(selector: &str) -> Result<Vec<FieldRequirement>, String> {
    let mut terms = split_terms(selector);
    terms.sort_unstable();
    let terms = terms.into_iter().filter(|term| !term.is_empty());
    terms.map(|term| requirement(term, selector)).collect()
}

fn requirement(term: &str, selector: &str) -> Result<FieldRequirement, String> {
    let Some((field, operator, value)) = split_term(term) else {
        return Err(format!(
            "invalid selector: '{selector}'; can't understand '{term}'"
        ));
    };
    Ok(FieldRequirement {
        field: field.to_owned(),
        is_equal: operator != "!=",
        value: unescaped(value)?,
    })
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

/// What stands before the first operator, the operator, and what stands behind it.
fn split_term(term: &str) -> Option<(&str, &str, &str)> {
    term.char_indices().find_map(|(index, _)| {
        ["!=", "==", "="].iter().find_map(|operator| {
            let value = term[index..].strip_prefix(operator)?;
            Some((&term[..index], *operator, value))
        })
    })
}

fn unescaped(value: &str) -> Result<String, String> {
    const ESCAPE: &str = "invalid field selector: invalid escape sequence:";
    let mut text = String::with_capacity(value.len());
    let mut escaped = false;
    for character in value.chars() {
        match character {
            '\\' | ',' | '=' if escaped => escaped = false,
            other if escaped => return Err(format!("{ESCAPE} \\{other}")),
            '\\' => {
                escaped = true;
                continue;
            }
            ',' | '=' => {
                let code = character as u32;
                return Err(format!(
                    "invalid field selector: unescaped character in value: {code}"
                ));
            }
            _ => {}
        }
        text.push(character);
    }
    if escaped {
        Err(format!("{ESCAPE} \\"))
    } else {
        Ok(text)
    }
}
