//! Small pieces that several pages show alike: states, times, labels, links.

use std::time::{Duration, SystemTime};

use maud::{Markup, html};
use periplus_core::LabelSet;

/// Characters of a value that a page shows; the rest is counted.
const MOST_SHOWN: usize = 512;

/// How well something is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    Waiting,
    Bad,
}

/// A state in words, with a sign that does not depend on colour.
pub(super) fn badge(health: Health, text: &str) -> Markup {
    let (class, sign) = match health {
        Health::Good => ("good", "\u{25cf}"),
        Health::Waiting => ("waiting", "\u{25d0}"),
        Health::Bad => ("bad", "\u{25b2}"),
    };
    html! { span.badge.(class) { span aria-hidden="true" { (sign) } " " (text) } }
}

/// How long ago, for people; the time itself on demand.
pub(super) fn ago(time: SystemTime) -> Markup {
    let stamp = humantime::format_rfc3339_seconds(time).to_string();
    let elapsed = time.elapsed().unwrap_or_default();
    html! { time datetime=(stamp) title=(stamp) { (rough(elapsed)) " ago" } }
}

/// How long until then.
pub(super) fn until(time: SystemTime) -> Markup {
    let stamp = humantime::format_rfc3339_seconds(time).to_string();
    let left = time.duration_since(SystemTime::now()).unwrap_or_default();
    html! { time datetime=(stamp) title=(stamp) { "in " (rough(left)) } }
}

pub(super) fn maybe_ago(time: Option<SystemTime>) -> Markup {
    html! { @match time { Some(time) => (ago(time)), None => span.faint { "never" } } }
}

/// A duration in one unit.
pub(super) fn rough(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0 => "under 1 s".to_owned(),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A number with its thousands apart.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Foreign text in a cell: long values are cut, and what would turn the direction of the text
/// around it stays inside.
pub(super) fn value(text: &str) -> Markup {
    let shown: String = text.chars().take(MOST_SHOWN).map(visible).collect();
    let rest = text.len()
        - text
            .char_indices()
            .nth(MOST_SHOWN)
            .map_or(text.len(), |(at, _)| at);
    html! {
        bdi { (shown) }
        @if rest > 0 { span.faint { " … and " (count(rest)) " bytes" } }
    }
}

/// Control characters have pictures of their own.
fn visible(character: char) -> char {
    match character {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + character as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other => other,
    }
}

/// Labels one below the other. Those that `before` has with another value, or not at all, are marked.
pub(super) fn labels(labels: &LabelSet, before: Option<&LabelSet>) -> Markup {
    html! {
        dl.labels {
            @for (name, text) in labels {
                @let old = before.map(|before| before.get(name));
                @let (class, said) = match old {
                    Some(None) => (Some("added"), " (new)"),
                    Some(Some(old)) if old != text => (Some("changed"), " (changed)"),
                    _ => (None, ""),
                };
                div class=[class] {
                    dt { (value(name)) "=" }
                    dd { (value(text)) @if class.is_some() { span.sr { (said) } } }
                }
            }
        }
    }
}

/// An address with parameters; empty ones are left out.
pub(super) fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, text) in parameters.iter().filter(|(_, text)| !text.is_empty()) {
        query.append_pair(name, text);
    }
    let query = query.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_in_its_cell() {
        let text = "<script>\"'&\u{202e}\u{0}\n";
        assert_eq!(
            value(text).into_string(),
            "<bdi>&lt;script&gt;&quot;'&amp;\u{fffd}\u{2400}\u{240a}</bdi>"
        );
        let long = "ä".repeat(70_000);
        let shown = value(&long).into_string();
        assert!(shown.len() < 2_000);
        assert!(shown.contains("138\u{202f}976 bytes"), "{}", &shown[1000..]);
    }

    #[test]
    fn numbers_are_readable() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(count(number), text);
        }
    }
}
