//! What a scalar's text means in YAML 1.1, as go-yaml v2 has it.

/// The value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// Nothing.
    Null,
    /// `true`, `yes`, `on`, `y` and their opposites.
    Bool(bool),
    /// An integer that fits in 64 bits with a sign.
    Int(i64),
    /// A larger integer.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text,
    /// A date or a time; text, unless somebody asks for a number.
    Timestamp,
}

pub(super) const PREFIX: &str = "tag:yaml.org,2002:";

// === impl Scalar ===

impl Scalar {
    /// The short tag, as errors name it.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Text => "!!str",
            Self::Timestamp => "!!timestamp",
        }
    }
}

/// Resolves a scalar with the given long tag; the error is go-yaml's text.
pub(crate) fn resolve(tag: Option<&str>, text: &str, plain: bool) -> Result<Scalar, String> {
    let Some(tag) = tag else {
        return Ok(if plain {
            untagged(text, true)
        } else {
            Scalar::Text
        });
    };
    let short = tag.strip_prefix(PREFIX).unwrap_or_default();
    let scalar = match short {
        "bool" | "int" | "float" | "null" => untagged(text, false),
        "timestamp" => untagged(text, true),
        // `!!str`, and tags that mean nothing to us: text as it stands.
        _ => return Ok(Scalar::Text),
    };
    match (short, scalar) {
        ("float", Scalar::Int(number)) => Ok(Scalar::Float(number as f64)),
        (_, scalar) if scalar.tag()[2..] == *short => Ok(scalar),
        (_, scalar) => Err(format!(
            "cannot decode {} `{text}` as a !!{short}",
            scalar.tag()
        )),
    }
}

fn untagged(text: &str, timestamps: bool) -> Scalar {
    if let Some(scalar) = word(text) {
        return scalar;
    }
    match text.as_bytes().first() {
        Some(b'.') => float(text).map_or(Scalar::Text, Scalar::Float),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            if timestamps && is_timestamp(text) {
                return Scalar::Timestamp;
            }
            number(&text.replace('_', ""))
        }
        _ => Scalar::Text,
    }
}

fn word(text: &str) -> Option<Scalar> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Scalar {
    if let Some(number) = integer(text) {
        return i64::try_from(number).map_or_else(
            |_| u64::try_from(number).map_or(Scalar::Text, Scalar::Uint),
            Scalar::Int,
        );
    }
    if is_decimal_float(text) {
        return float(text).map_or(Scalar::Text, Scalar::Float);
    }
    Scalar::Text
}

/// Go's `strconv.ParseInt` and `ParseUint` with base 0, within 64 bits.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let signed = text.starts_with(['-', '+']);
    let number = if negative { -magnitude } else { magnitude };
    // `ParseUint` takes no sign, so beyond 63 bits a signed number is none.
    (!signed || i64::try_from(number).is_ok()).then_some(number)
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_decimal_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_ok =
        digits(whole) && digits(fraction) && (!whole.is_empty() || !fraction.is_empty());
    mantissa_ok && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

/// A float in Go's notation; out of range is none.
fn float(text: &str) -> Option<f64> {
    is_decimal_float(text)
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number: &f64| number.is_finite())
}

/// `2001-12-14`, `2001-12-14 21:59:43.1`, `2001-12-14T21:59:43.1Z` and the like.
fn is_timestamp(text: &str) -> bool {
    let mut scan = Scan(text.as_bytes());
    let Some(year) = scan.exactly(4) else {
        return false;
    };
    let date = (scan.byte(b'-').and_then(|()| scan.upto(2)))
        .zip(scan.byte(b'-').and_then(|()| scan.upto(2)));
    let Some((month, day)) = date else {
        return false;
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return false;
    }
    match scan.next() {
        None => true,
        Some(b' ') => scan.time().is_some() && scan.0.is_empty(),
        Some(b'T' | b't') => scan.time().is_some() && scan.zone().is_some() && scan.0.is_empty(),
        Some(_) => false,
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// Reads numbers and marks from the front of a text.
struct Scan<'a>(&'a [u8]);

// === impl Scan ===

impl Scan<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.0.first() == Some(&byte)).then(|| self.0 = &self.0[1..])
    }

    fn digits(&mut self, most: usize) -> (usize, u32) {
        let count = self
            .0
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let number = self.0[..count]
            .iter()
            .fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0'));
        self.0 = &self.0[count..];
        (count, number)
    }

    fn exactly(&mut self, count: usize) -> Option<u32> {
        let (found, number) = self.digits(count);
        (found == count).then_some(number)
    }

    fn upto(&mut self, most: usize) -> Option<u32> {
        let (found, number) = self.digits(most);
        (found > 0).then_some(number)
    }

    fn time(&mut self) -> Option<()> {
        let hour = self.upto(2)?;
        self.byte(b':')?;
        let minute = self.upto(2)?;
        self.byte(b':')?;
        let second = self.upto(2)?;
        if self.byte(b'.').is_some() || self.byte(b',').is_some() {
            self.upto(9)?;
        }
        (hour < 24 && minute < 60 && second < 60).then_some(())
    }

    fn zone(&mut self) -> Option<()> {
        match self.next()? {
            b'Z' => Some(()),
            b'+' | b'-' => {
                let hour = self.exactly(2)?;
                self.byte(b':')?;
                let minute = self.exactly(2)?;
                (hour <= 24 && minute < 60).then_some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_yaml_1_1_says() {
        for (text, expected) in [
            ("", Scalar::Null),
            ("NULL", Scalar::Null),
            ("y", Scalar::Bool(true)),
            ("Off", Scalar::Bool(false)),
            ("oN", Scalar::Text),
            ("010", Scalar::Int(8)),
            ("0o10", Scalar::Int(8)),
            ("0x_ff", Scalar::Int(255)),
            ("0b11", Scalar::Int(3)),
            ("-0b11", Scalar::Int(-3)),
            ("1_000", Scalar::Int(1000)),
            ("+5", Scalar::Int(5)),
            ("09", Scalar::Float(9.0)),
            ("18446744073709551615", Scalar::Uint(u64::MAX)),
            (
                "18446744073709551616",
                Scalar::Float(18_446_744_073_709_551_616.0),
            ),
            ("1.5", Scalar::Float(1.5)),
            ("1.", Scalar::Float(1.0)),
            (".5e1", Scalar::Float(5.0)),
            ("1e400", Scalar::Text),
            ("-.inf", Scalar::Float(f64::NEG_INFINITY)),
            ("2001-12-14", Scalar::Timestamp),
            ("2001-2-29", Scalar::Text),
            ("2001-12-14 1:2:3.5", Scalar::Timestamp),
            ("2001-12-14t21:59:43+01:00", Scalar::Timestamp),
            ("1:30", Scalar::Text),
            ("5m", Scalar::Text),
            ("--5", Scalar::Text),
            ("0x-5", Scalar::Text),
        ] {
            assert_eq!(resolve(None, text, true), Ok(expected), "{text}");
        }
    }

    #[test]
    fn quotes_make_text_of_anything() {
        for text in ["", "5", "true", "null"] {
            assert_eq!(resolve(None, text, false), Ok(Scalar::Text));
        }
    }

    #[test]
    fn tags_decide_or_fail() {
        let long = |short: &str| format!("{PREFIX}{short}");
        assert_eq!(resolve(Some(&long("str")), "5", true), Ok(Scalar::Text));
        assert_eq!(
            resolve(Some(&long("float")), "5", false),
            Ok(Scalar::Float(5.0))
        );
        assert_eq!(resolve(Some(&long("int")), "5", false), Ok(Scalar::Int(5)));
        assert_eq!(
            resolve(Some(&long("int")), "x", true),
            Err("cannot decode !!str `x` as a !!int".to_owned())
        );
    }
}
