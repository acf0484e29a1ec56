//! Sizes in bytes: `10MB`, `64MiB`.

use crate::yaml::Value;

const PREFIXES: [(&str, u32); 7] = [
    ("", 0),
    ("K", 1),
    ("M", 2),
    ("G", 3),
    ("T", 4),
    ("P", 5),
    ("E", 6),
];

/// Bytes; `KB` and `KiB` are both 1024 of them. Null is zero.
pub(super) fn read_size(value: &Value<'_>) -> Option<i64> {
    // A text reads itself here, so numbers without a unit arrive as text too.
    if value.is_nil() {
        return Some(0);
    }
    let text = value.string_as("units.Base2Bytes")?;
    match parse(&text, "iB").or_else(|_| parse(&text, "B")) {
        Ok(size) => Some(size),
        Err(message) => {
            value.error_with(
                message,
                "write a number with a unit: `512KiB`, `64MiB`, `1GB`",
            );
            None
        }
    }
}

/// A size with a suffix after the prefix; the errors are upstream's.
fn parse(text: &str, suffix: &str) -> Result<i64, String> {
    let invalid = || format!("units: invalid {text}");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        // `1.2.3` reads as a number and a second one without a unit between them.
        if number.is_empty() || number == "." || number.matches('.').count() > 1 {
            return Err(invalid());
        }
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let scale = scale_of(unit, suffix)
            .ok_or_else(|| format!("units: unknown unit {unit} in {text}"))?;
        sum += number * scale;
        rest = tail;
    }
    if sum > i64::MAX as f64 {
        return Err("units: overflow parsing unit".to_owned());
    }
    let size = sum as i64;
    Ok(if negative { -size } else { size })
}

fn scale_of(unit: &str, suffix: &str) -> Option<f64> {
    let (_, power) = PREFIXES.iter().find(|(prefix, power)| {
        unit.strip_prefix(prefix) == Some(if *power == 0 { "B" } else { suffix })
    })?;
    Some(1024_f64.powi(*power as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("10B", Ok(10)),
            ("1KiB", Ok(1024)),
            ("1.5MiB", Ok(1_572_864)),
            ("1GiB512MiB", Ok(1_610_612_736)),
            ("-1KiB", Ok(-1024)),
            ("10", Err("units: unknown unit  in 10")),
            ("10XiB", Err("units: unknown unit XiB in 10XiB")),
            ("", Err("units: invalid ")),
            ("MiB", Err("units: invalid MiB")),
        ] {
            assert_eq!(parse(text, "iB"), expected.map_err(str::to_owned), "{text}");
        }
        assert_eq!(parse("10MB", "B"), Ok(10 * 1024 * 1024));
    }
}
