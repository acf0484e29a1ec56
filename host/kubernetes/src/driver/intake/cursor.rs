//! How far a watch has got.

/// How far a watch has got.
#[derive(Debug)]
pub(in crate::driver) struct Cursor {
    /// The version of the last event.
    pub(in crate::driver) version: String,
    /// Whether any event could be read.
    pub(in crate::driver) fruitful: bool,
    /// The version at the beginning, where it is a number.
    began: Option<u64>,
    /// Whether the state is still being told, whose objects come in no order.
    pub(in crate::driver) initial: bool,
    /// Whether something came that is no object of a state, but a change of one.
    pub(in crate::driver) saw_change: bool,
}

// === impl Cursor ===

impl Cursor {
    /// A watch that begins after `version`.
    pub(in crate::driver) fn new(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            fruitful: false,
            began: version.parse().ok(),
            initial: false,
            saw_change: false,
        }
    }

    /// A stream that begins with a state.
    pub(in crate::driver) fn initial() -> Self {
        Self {
            initial: true,
            ..Self::new("")
        }
    }

    /// The state was told, and is complete up to `version`.
    pub(super) fn complete(&mut self, version: &str) {
        *self = Self::new(version);
    }

    /// Goes on to the version of an event. False if it lies before the beginning: versions of a
    /// watch only grow, so the server has another history than the one that was listed.
    pub(super) fn advance(&mut self, version: &str) -> bool {
        if self.initial {
            self.fruitful = true;
            return true;
        }
        let rewound = match (self.began, version.parse::<u64>()) {
            (Some(began), Ok(version)) => version < began,
            _ => false,
        };
        if rewound {
            return false;
        }
        self.fruitful = true;
        if !version.is_empty() {
            self.version.clear();
            self.version.push_str(version);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_never_goes_back() {
        let mut cursor = Cursor::new("10");
        assert!(cursor.advance("12"));
        assert!(cursor.advance(""));
        assert_eq!(cursor.version, "12");
        assert!(!cursor.advance("9"));
        assert_eq!(cursor.version, "12");
        // Versions are opaque where they are no numbers.
        let mut cursor = Cursor::new("abc");
        assert!(cursor.advance("aaa"));
        assert_eq!(cursor.version, "aaa");
    }
}
