//! Durations as Prometheus writes them: `1h30m`, `90d`, `0`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::quote::quote;

/// Units from the longest to the shortest, with their length in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3600 * 1_000_000_000),
    ("w", 7 * 24 * 3600 * 1_000_000_000),
    ("d", 24 * 3600 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// A duration as Prometheus' configuration reads and prints it (`model.Duration`).
///
/// Never negative, and never longer than 2^63 - 1 nanoseconds when it was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PromDuration(pub Duration);

/// Why a text is no duration; the texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// There is no text at all.
    #[error("empty duration string")]
    Empty,
    /// The text has another form than numbers with units from long to short.
    #[error("not a valid duration string: {}", quote(.0))]
    Invalid(String),
    /// A number has a unit that does not exist.
    #[error("unknown unit {} in duration {}", quote(.unit), quote(.text))]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// The duration is longer than about 292 years.
    #[error("duration out of range")]
    OutOfRange,
}

// === impl PromDuration ===

impl PromDuration {
    /// A duration of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Whether the duration is zero.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl FromStr for PromDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        match text {
            "0" => return Ok(Self::default()),
            "" => return Err(DurationError::Empty),
            _ => {}
        }
        let invalid = || DurationError::Invalid(text.to_owned());
        let mut rest = text;
        let mut nanoseconds = 0_u64;
        let mut units = &UNITS[..];
        while !rest.is_empty() {
            let (number, tail) = split_at(rest, |byte| !byte.is_ascii_digit());
            let number: u64 = number.parse().map_err(|_| invalid())?;
            let (unit, tail) = split_at(tail, |byte| byte.is_ascii_digit());
            if unit.is_empty() {
                return Err(invalid());
            }
            if !UNITS.iter().any(|(name, _)| *name == unit) {
                return Err(DurationError::UnknownUnit {
                    unit: unit.into(),
                    text: text.into(),
                });
            }
            // Each unit at most once, from the longest to the shortest.
            let at = units
                .iter()
                .position(|(name, _)| *name == unit)
                .ok_or_else(invalid)?;
            nanoseconds = number
                .checked_mul(units[at].1)
                .and_then(|part| nanoseconds.checked_add(part))
                .filter(|sum| i64::try_from(*sum).is_ok())
                .ok_or(DurationError::OutOfRange)?;
            units = &units[at + 1..];
            rest = tail;
        }
        Ok(Self(Duration::from_nanos(nanoseconds)))
    }
}

fn split_at(text: &str, ends: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().position(ends).unwrap_or(text.len()))
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, nanoseconds) in UNITS {
            let length = u128::from(nanoseconds / 1_000_000);
            // Years and weeks only if nothing remains: 90d reads better than 12w6d.
            if matches!(unit, "y" | "w") && !rest.is_multiple_of(length) {
                continue;
            }
            let count = rest / length;
            if count > 0 {
                write!(f, "{count}{unit}")?;
                rest %= length;
            }
        }
        Ok(())
    }
}

impl serde::Serialize for PromDuration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PromDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl From<PromDuration> for Duration {
    fn from(duration: PromDuration) -> Self {
        duration.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse_and_print_as_upstream() {
        for (text, nanoseconds, printed) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("0w", 0, "0s"),
            ("324ms", 324_000_000, "324ms"),
            ("3s", 3_000_000_000, "3s"),
            ("5m", 300_000_000_000, "5m"),
            ("1h", 3_600_000_000_000, "1h"),
            ("4d", 345_600_000_000_000, "4d"),
            ("4d1h", 349_200_000_000_000, "4d1h"),
            ("14d", 1_209_600_000_000_000, "2w"),
            ("3w", 1_814_400_000_000_000, "3w"),
            ("3w2d1h", 1_990_800_000_000_000, "23d1h"),
            ("8y", 252_288_000_000_000_000, "8y"),
            ("90s", 90_000_000_000, "1m30s"),
            ("90d", 7_776_000_000_000_000, "90d"),
            ("1500ms", 1_500_000_000, "1s500ms"),
        ] {
            let duration: PromDuration = text.parse().unwrap();
            assert_eq!(duration.0, Duration::from_nanos(nanoseconds), "{text}");
            assert_eq!(duration.to_string(), printed, "{text}");
        }
    }

    #[test]
    fn errors_have_upstreams_texts() {
        for (text, error) in [
            ("", "empty duration string"),
            ("1", "not a valid duration string: \"1\""),
            ("1y1m1d", "not a valid duration string: \"1y1m1d\""),
            ("-1w", "not a valid duration string: \"-1w\""),
            ("1.5d", "unknown unit \".\" in duration \"1.5d\""),
            ("d", "not a valid duration string: \"d\""),
            ("1s1s", "not a valid duration string: \"1s1s\""),
            ("10 s", "unknown unit \" s\" in duration \"10 s\""),
            (
                "99999999999999999999s",
                "not a valid duration string: \"99999999999999999999s\"",
            ),
            ("294y", "duration out of range"),
            ("200y10400w", "duration out of range"),
            ("107675d", "duration out of range"),
            ("9223372036854775807ms", "duration out of range"),
        ] {
            assert_eq!(
                text.parse::<PromDuration>().unwrap_err().to_string(),
                error,
                "{text}"
            );
        }
    }
}
