//! Paths as a grant compares them: after everything that a server may undo has been undone.

use percent_encoding::percent_decode_str;

/// How often a path may be encoded upon itself before it is refused.
const MAX_ROUNDS: usize = 4;

/// Whether `path` lies below one of the prefixes in every reading that a server may give it: as
/// written, and with escapes, backslashes, double slashes and dot segments resolved, repeatedly.
/// No prefixes: any path.
pub(crate) fn is_below(path: &str, prefixes: &[String]) -> bool {
    if prefixes.is_empty() {
        return true;
    }
    prefixes.iter().any(|prefix| {
        let mut reading = path.to_owned();
        for _ in 0..MAX_ROUNDS {
            if !has_prefix(&reading, prefix) {
                return false;
            }
            let next = resolve(&reading);
            if next == reading {
                return true;
            }
            reading = next;
        }
        false
    })
}

/// At segment borders: `/api` covers `/api` and `/api/x`, not `/apix`.
fn has_prefix(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => prefix.ends_with('/') || rest.is_empty() || rest.starts_with(['/', ';', '?']),
        None => false,
    }
}

/// One round of undoing: escapes decoded, `\` as `/`, empty and dot segments resolved.
fn resolve(path: &str) -> String {
    let decoded = percent_decode_str(path)
        .decode_utf8_lossy()
        .replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        // What follows `;` is a parameter to some servers, and `..;` a dot segment.
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let tail = if decoded.ends_with('/') && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{tail}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(path: &str) -> bool {
        is_below(path, &["/api".to_owned(), "/v2/".to_owned()])
    }

    #[test]
    fn paths_below_a_prefix_pass() {
        for path in ["/api", "/api/", "/api/x%20y", "/v2/", "/v2/a/b"] {
            assert!(below(path), "{path}");
        }
    }

    #[test]
    fn paths_that_leave_the_prefix_in_some_reading_are_refused() {
        for path in [
            "/",
            "/apix",
            "/v2",
            "/other",
            "/api/../admin",
            "/api/..%2fadmin",
            "/api/%2e%2e/admin",
            "/api/..%5cadmin",
            "/api/%252e%252e%252fadmin",
            "/api/..;/admin",
            "/api/%25252525252e",
        ] {
            assert!(!below(path), "{path}");
        }
    }

    #[test]
    fn without_prefixes_every_path_passes() {
        assert!(is_below("/anything/../at/all", &[]));
    }
}
