//! URLs that may hold credentials.

use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};

use crate::secret::SHOWN;

/// A URL as written, whose user and password are secret: printing or serialising it shows
/// `https://<secret>@host/path`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretUrl(String);

// === impl SecretUrl ===

impl SecretUrl {
    /// Wraps a URL.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The URL itself; for the place that connects to it, and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `user:password` as written, for the place that sends it; none if there is no `@`.
    #[must_use]
    pub fn user_info(&self) -> Option<&str> {
        user_info(&self.0).map(|range| &self.0[range.start..range.end - 1])
    }

    /// The URL without user and password.
    #[must_use]
    pub fn without_user_info(&self) -> String {
        self.replaced("")
    }

    /// The same without the query, which may hold a token: for errors and logs.
    #[must_use]
    pub fn for_messages(&self) -> String {
        let url = self.without_user_info();
        match url.find(['?', '#']) {
            Some(end) => url[..end].to_owned(),
            None => url,
        }
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What belongs to a section's identity and does not show in the serialised form.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.user_info()
    }

    fn replaced(&self, by: &str) -> String {
        match user_info(&self.0) {
            Some(range) => format!("{}{by}{}", &self.0[..range.start], &self.0[range.end..]),
            None => self.0.clone(),
        }
    }

    fn shown(&self) -> String {
        self.replaced(&format!("{SHOWN}@"))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown(), f)
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

/// A text that is no URL, without what might be meant as credentials.
pub(crate) fn without_credentials(text: &str) -> String {
    let start = text.find("//").map_or(0, |at| at + 2);
    match text[start..].rfind('@') {
        Some(at) => format!("{}{SHOWN}{}", &text[..start], &text[start + at..]),
        None => text.to_owned(),
    }
}

/// The place of `user:password@`, by the rules of Go's `net/url`.
fn user_info(text: &str) -> Option<Range<usize>> {
    let end = text.find(['#', '?']).unwrap_or(text.len());
    let scheme = text[..end].find("//")?;
    // Two slashes of a path are no authority.
    if !text[..scheme].is_empty()
        && (!text[..scheme].ends_with(':') || text[..scheme].contains('/'))
    {
        return None;
    }
    let start = scheme + 2;
    let authority = &text[start..end];
    let authority = authority.split('/').next().unwrap_or_default();
    let at = authority.rfind('@')?;
    Some(start..start + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_and_shown_nowhere() {
        for (text, user_info, bare) in [
            ("https://u:p@h/x?y", Some("u:p"), "https://h/x?y"),
            ("https://u@h", Some("u"), "https://h"),
            ("https://u:p%40@h:1/a@b", Some("u:p%40"), "https://h:1/a@b"),
            ("https://u:a@b@h", Some("u:a@b"), "https://h"),
            ("//u:p@h", Some("u:p"), "//h"),
            ("https://h/a@b", None, "https://h/a@b"),
            ("https://h?a@b", None, "https://h?a@b"),
            ("http:a//b@c", None, "http:a//b@c"),
            ("/a//b@c", None, "/a//b@c"),
            ("", None, ""),
        ] {
            let url = SecretUrl::new(text);
            assert_eq!(url.user_info(), user_info, "{text}");
            assert_eq!(url.without_user_info(), bare, "{text}");
            for shown in [
                url.to_string(),
                format!("{url:?}"),
                serde_json::to_string(&url).unwrap(),
            ] {
                let is_shown = user_info.is_some_and(|secret| shown.contains(secret));
                assert!(!is_shown, "{shown}");
                assert_eq!(shown.contains("<secret>@"), user_info.is_some(), "{shown}");
            }
        }
    }

    #[test]
    fn messages_have_no_query() {
        let url = SecretUrl::new("https://u:p@h/x?token=t#f");
        assert_eq!(url.for_messages(), "https://h/x");
    }

    #[test]
    fn what_is_no_url_is_shown_without_what_stands_before_the_last_at() {
        assert_eq!(without_credentials("http://u:a/b@h/"), "http://<secret>@h/");
        assert_eq!(without_credentials("http://h/%zz"), "http://h/%zz");
        assert_eq!(without_credentials("u:p@h"), "<secret>@h");
    }
}
