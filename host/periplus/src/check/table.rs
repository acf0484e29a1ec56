//! Targets as a table: a row for each, its labels one below the other.

use std::io::{self, Write};

use periplus_core::LabelSet;

use super::discovery::{CheckedTarget, State};

const HEADINGS: [&str; 3] = ["STATE", "BEFORE RELABELING", "AFTER RELABELING"];
/// No column is wider, so that an annotation of a kilobyte leaves the rest readable.
const WIDEST: usize = 72;

/// Writes the table and a line that counts its rows.
pub(super) fn write(out: &mut impl Write, targets: &[CheckedTarget]) -> io::Result<()> {
    let rows: Vec<[Vec<String>; 3]> = targets.iter().map(cells).collect();
    let mut widths = HEADINGS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            let widest = cell.iter().map(|line| line.chars().count()).max();
            *width = (*width).max(widest.unwrap_or_default());
        }
    }
    line(out, widths, HEADINGS)?;
    for row in &rows {
        let height = row.iter().map(Vec::len).max().unwrap_or_default();
        for at in 0..height {
            let parts = row
                .each_ref()
                .map(|cell| cell.get(at).map_or("", String::as_str));
            line(out, widths, parts)?;
        }
        writeln!(out)?;
    }
    let count = |state| targets.iter().filter(|it| it.state == state).count();
    writeln!(
        out,
        "{} targets: {} active, {} dropped, {} invalid, {} copies",
        targets.len(),
        count(State::Active),
        count(State::Dropped),
        count(State::Invalid),
        count(State::Copy)
    )
}

fn cells(target: &CheckedTarget) -> [Vec<String>; 3] {
    let state = match target.state {
        State::Active => "active",
        State::Dropped => "dropped",
        State::Invalid => "invalid",
        State::Copy => "copy",
    };
    let mut after: Vec<String> = Vec::new();
    after.extend(target.scrape_url.as_deref().map(cut));
    after.extend(target.reason.as_deref().map(cut));
    after.extend(lines(&target.labels));
    [
        vec![state.to_owned()],
        lines(&target.discovered_labels),
        after,
    ]
}

fn lines(labels: &LabelSet) -> Vec<String> {
    let lines = labels.iter();
    lines
        .map(|(name, value)| cut(&format!("{name}={value:?}")))
        .collect()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WIDEST {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(WIDEST - 3).collect();
    text.push_str("...");
    text
}

fn line(out: &mut impl Write, widths: [usize; 3], parts: [&str; 3]) -> io::Result<()> {
    let [first, second, _] = widths;
    let [state, before, after] = parts;
    let text = format!("{state:first$}  {before:second$}  {after}");
    writeln!(out, "{}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(state: State, before: &[(&str, &str)], after: &[(&str, &str)]) -> CheckedTarget {
        CheckedTarget {
            discovered_labels: before.iter().copied().collect(),
            labels: after.iter().copied().collect(),
            error: None,
            state,
            reason: (state == State::Dropped).then(|| "by a rule".to_owned()),
            scrape_url: (state == State::Active).then(|| "http://a:1/metrics".to_owned()),
            mechanism: "static".to_owned(),
            source: "0".to_owned(),
        }
    }

    #[test]
    fn labels_stand_beside_what_became_of_them() {
        let long = "x".repeat(100);
        let mut out = Vec::new();
        let targets = [
            target(
                State::Active,
                &[("__address__", "a:1"), ("b", "c")],
                &[("b", "d")],
            ),
            target(State::Dropped, &[("b", &long)], &[]),
        ];
        write(&mut out, &targets).unwrap();
        let expected = format!(
            "\
STATE    {:72}  AFTER RELABELING
active   {:72}  http://a:1/metrics
         {:72}  b=\"d\"

dropped  b=\"{}...  by a rule

2 targets: 1 active, 1 dropped, 0 invalid, 0 copies
",
            "BEFORE RELABELING",
            "__address__=\"a:1\"",
            "b=\"c\"",
            "x".repeat(66)
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
