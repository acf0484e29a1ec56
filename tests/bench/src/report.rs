//! What was measured, as JSON and as a table.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// All figures of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Small numbers were used: the figures say little.
    quick: bool,
    processors: usize,
    figures: Vec<Figure>,
}

/// One measured value.
#[derive(Debug, Serialize)]
struct Figure {
    part: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    /// What the design wants to reach, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    aim: Option<&'static str>,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(quick: bool) -> Self {
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        Self {
            quick,
            processors,
            figures: Vec::new(),
        }
    }

    pub(crate) fn add(
        &mut self,
        part: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) {
        self.figures.push(Figure {
            part,
            name: name.into(),
            value,
            unit,
            aim: None,
        });
    }

    /// Says what the last figure should reach.
    pub(crate) fn aim(&mut self, aim: &'static str) {
        if let Some(last) = self.figures.last_mut() {
            last.aim = Some(aim);
        }
    }

    /// Middle and tail of many timings.
    pub(crate) fn add_times(&mut self, part: &'static str, name: &str, times: &mut [Duration]) {
        times.sort_unstable();
        let at = |share: f64| quantile(times, share) * 1e6;
        let (middle, tail, last) = (at(0.5), at(0.99), at(1.0));
        self.add(part, format!("{name}, p50"), middle, "us");
        self.add(part, format!("{name}, max"), last, "us");
        // Last, since aims are of the tail.
        self.add(part, format!("{name}, p99"), tail, "us");
    }
}

/// The time that this share of them does not exceed, in seconds; the times are in order.
pub(crate) fn quantile(times: &[Duration], share: f64) -> f64 {
    let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    times.get(index).map_or(f64::NAN, Duration::as_secs_f64)
}

/// As many digits as say something.
pub(crate) fn digits(value: f64) -> usize {
    match value.abs() {
        large if large >= 1000.0 => 0,
        medium if medium >= 10.0 => 1,
        _ => 3,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = if self.quick {
            "; quick, the figures say little"
        } else {
            ""
        };
        writeln!(f, "{} processors{note}", self.processors)?;
        let width = self
            .figures
            .iter()
            .map(|figure| figure.name.len())
            .max()
            .unwrap_or(0);
        let mut part = "";
        for figure in &self.figures {
            if figure.part != part {
                part = figure.part;
                writeln!(f, "\n{part}")?;
            }
            let Figure {
                name, value, unit, ..
            } = figure;
            let digits = digits(*value);
            write!(f, "  {name:<width$}  {value:>12.digits$} {unit:<6}")?;
            if let Some(aim) = figure.aim {
                write!(f, "  (aim: {aim})")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
