//! Where in an object a value stands.

use std::fmt;

use serde::{Serialize, Serializer};

/// A JSON pointer (RFC 6901) in which a segment `*` stands for each element of a list or each value
/// of a mapping, such as `/spec/listeners/*/port`. It has at least one segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(Vec<Segment>);

/// One step of a [`Pointer`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The member of this name, unescaped; in a list, the element with this number from 0.
    Key(String),
    /// Each element of a list, or each value of a mapping.
    Each,
}

// === impl Pointer ===

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("pointer is empty".to_owned());
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("pointer `{text}` does not begin with `/`"));
        };
        let segments: Result<_, String> = rest.split('/').map(Segment::parse).collect();
        let segments = segments.map_err(|problem| format!("pointer `{text}` has {problem}"))?;
        Ok(Self(segments))
    }

    /// The steps from the object to the value.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.0 {
            match segment {
                Segment::Key(key) => write!(f, "/{}", key.replace('~', "~0").replace('/', "~1"))?,
                Segment::Each => f.write_str("/*")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// === impl Segment ===

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty segment".to_owned());
        }
        if text == "*" {
            return Ok(Self::Each);
        }
        let mut tildes = text.split('~').skip(1);
        if !tildes.all(|rest| rest.starts_with(['0', '1'])) {
            return Err(format!("a `~` in `{text}` that is neither `~0` nor `~1`"));
        }
        Ok(Self::Key(text.replace("~1", "/").replace("~0", "~")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Segment {
        Segment::Key(text.to_owned())
    }

    #[test]
    fn pointers_are_read_and_shown() {
        for (text, expected) in [
            ("/spec", vec![key("spec")]),
            (
                "/spec/listeners/*/port",
                vec![key("spec"), key("listeners"), Segment::Each, key("port")],
            ),
            ("/a/0", vec![key("a"), key("0")]),
            (
                "/metadata/labels/app.kubernetes.io~1name",
                vec![
                    key("metadata"),
                    key("labels"),
                    key("app.kubernetes.io/name"),
                ],
            ),
            ("/~01/~0~1", vec![key("~1"), key("~/")]),
            ("/a*/**", vec![key("a*"), key("**")]),
        ] {
            let pointer = Pointer::parse(text).unwrap();
            assert_eq!(pointer.segments(), expected, "{text}");
            assert_eq!(pointer.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for (text, expected) in [
            ("", "pointer is empty"),
            ("spec/host", "pointer `spec/host` does not begin with `/`"),
            ("$.spec", "pointer `$.spec` does not begin with `/`"),
            ("/", "pointer `/` has an empty segment"),
            ("/spec//host", "pointer `/spec//host` has an empty segment"),
            ("/spec/", "pointer `/spec/` has an empty segment"),
            (
                "/a~2",
                "pointer `/a~2` has a `~` in `a~2` that is neither `~0` nor `~1`",
            ),
            (
                "/a~",
                "pointer `/a~` has a `~` in `a~` that is neither `~0` nor `~1`",
            ),
        ] {
            assert_eq!(Pointer::parse(text), Err(expected.to_owned()), "{text}");
        }
    }
}
