//! `drop_annotations`.

use crate::kubernetes::NamePatterns;
use crate::read::quoted;
use crate::yaml::Value;

/// Reads patterns on names of annotations.
pub(super) fn read(value: &Value<'_>) -> Option<NamePatterns> {
    let mut is_clean = true;
    let patterns = value.list("[]string", |item| {
        let pattern = item.string()?;
        if !may_match(&pattern) {
            is_clean = false;
            item.error_with(
                format!("no annotation can match {}", quoted(&pattern)),
                "write a name or a pattern, such as `kubectl.kubernetes.io/*`",
            );
        }
        Some(pattern)
    })?;
    if !is_clean {
        return None;
    }
    match NamePatterns::new(patterns) {
        Ok(patterns) => Some(patterns),
        Err(message) => {
            value.error_with(message, "write shorter patterns, or fewer");
            None
        }
    }
}

/// Whether the pattern is made of what names of annotations are made of. The API server lets no
/// other names in.
fn may_match(pattern: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_./*?".contains(c);
    !pattern.is_empty() && pattern.chars().all(is_part) && pattern.matches('/').count() <= 1
}
