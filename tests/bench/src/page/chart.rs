//! A chart of horizontal bars in groups, drawn as SVG.

use svg::Document;
use svg::node::element::{Group, Line, Rectangle, Text};

const WIDTH: f64 = 820.0;
/// Where bars begin; the names of their groups stand before.
const LEFT: f64 = 250.0;
/// Room for the figure behind the longest bar.
const RIGHT: f64 = 90.0;
const TOP: f64 = 70.0;
const BAR: f64 = 15.0;
const GAP: f64 = 12.0;
/// Told apart by those who do not see colours, too.
const COLOURS: [&str; 4] = ["#b0b7c0", "#1f6feb", "#e3a008", "#0f766e"];

/// What is drawn.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) unit: &'a str,
    pub(super) scale: Scale,
    /// The names of the bars in each group.
    pub(super) series: Vec<String>,
    pub(super) groups: Vec<Bars>,
}

/// How lengths follow from values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// In proportion.
    Linear,
    /// Each power of ten is as long as the next.
    Logarithmic,
}

/// Bars that belong together: a value for each of the series, where there is one.
pub(super) struct Bars {
    pub(super) name: String,
    pub(super) values: Vec<Option<f64>>,
}

// === impl Chart ===

impl Chart<'_> {
    /// Draws it.
    pub(super) fn draw(&self) -> String {
        let rows: usize = self.groups.iter().map(|group| group.values.len()).sum();
        let height = TOP + rows as f64 * BAR + self.groups.len() as f64 * GAP + 10.0;
        let background = Rectangle::new()
            .set("width", WIDTH)
            .set("height", height)
            .set("fill", "#ffffff");
        let title = text(self.title, 12.0, 24.0, "start").set("font-weight", "bold");
        let mut document = Document::new()
            .set("viewBox", (0.0, 0.0, WIDTH, height))
            .set("font-family", "system-ui, sans-serif")
            .set("font-size", 12)
            .add(background)
            .add(title.set("font-size", 15))
            .add(self.legend())
            .add(self.grid(height));
        let mut y = TOP;
        for group in &self.groups {
            document = document.add(self.bars(group, y));
            y += group.values.len() as f64 * BAR + GAP;
        }
        document.to_string() + "\n"
    }

    fn legend(&self) -> Group {
        let mut x = 12.0;
        let mut legend = Group::new();
        for (name, colour) in self.series.iter().zip(COLOURS) {
            legend = legend.add(rectangle(x, 36.0, 12.0, 12.0, colour));
            legend = legend.add(text(name, x + 18.0, 46.0, "start"));
            x += 40.0 + 7.0 * name.len() as f64;
        }
        let unit = match self.scale {
            Scale::Linear => self.unit.to_owned(),
            Scale::Logarithmic => format!("{}, logarithmic", self.unit),
        };
        legend.add(text(&unit, WIDTH - 12.0, 46.0, "end").set("fill", "#57606a"))
    }

    fn bars(&self, group: &Bars, y: f64) -> Group {
        let middle = y + group.values.len() as f64 * BAR / 2.0 + 4.0;
        let mut drawn = Group::new().add(text(&group.name, LEFT - 10.0, middle, "end"));
        for (number, (value, colour)) in group.values.iter().zip(COLOURS).enumerate() {
            let Some(value) = value else { continue };
            let top = y + number as f64 * BAR;
            let length = self.length(*value);
            drawn = drawn.add(rectangle(LEFT, top, length, BAR - 2.0, colour));
            let figure = figure(*value);
            drawn = drawn.add(text(&figure, LEFT + length + 5.0, top + 11.0, "start"));
        }
        drawn
    }

    /// Lines at the powers of ten, without which lengths could not be read.
    fn grid(&self, height: f64) -> Group {
        let mut grid = Group::new();
        if self.scale == Scale::Linear {
            return grid;
        }
        let (lowest, highest) = self.powers();
        for power in lowest..=highest {
            let value = 10_f64.powi(power);
            let x = LEFT + self.length(value);
            let line = Line::new().set("x1", x).set("x2", x);
            let line = line.set("y1", TOP - 4.0).set("y2", height - 6.0);
            grid = grid.add(line.set("stroke", "#e5e7eb"));
            let name = text(&figure(value), x, TOP - 8.0, "middle");
            grid = grid.add(name.set("fill", "#57606a").set("font-size", 10));
        }
        grid
    }

    fn length(&self, value: f64) -> f64 {
        let room = WIDTH - LEFT - RIGHT;
        match self.scale {
            Scale::Linear => {
                let greatest = self.values().fold(0.0, f64::max);
                if greatest > 0.0 {
                    value / greatest * room
                } else {
                    0.0
                }
            }
            Scale::Logarithmic => {
                let (lowest, highest) = self.powers();
                let powers = value.max(f64::MIN_POSITIVE).log10() - f64::from(lowest);
                // A little of everything, so that nothing is not taken for a missing figure.
                (powers / f64::from(highest - lowest) * room).max(1.0)
            }
        }
    }

    /// The powers of ten that lie around all values.
    fn powers(&self) -> (i32, i32) {
        let positive = || self.values().filter(|value| *value > 0.0);
        let lowest = positive().fold(f64::INFINITY, f64::min);
        let highest = positive().fold(0.0, f64::max);
        if highest <= 0.0 {
            return (0, 1);
        }
        let lowest = lowest.log10().floor() as i32;
        (lowest, (highest.log10().ceil() as i32).max(lowest + 1))
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.groups
            .iter()
            .flat_map(|group| group.values.iter().copied().flatten())
    }
}

fn rectangle(x: f64, y: f64, width: f64, height: f64, colour: &str) -> Rectangle {
    let place = Rectangle::new().set("x", x).set("y", y);
    let size = place.set("width", round(width)).set("height", height);
    size.set("fill", colour)
}

fn text(content: &str, x: f64, y: f64, anchor: &str) -> Text {
    let place = Text::new(content).set("x", round(x)).set("y", round(y));
    place.set("text-anchor", anchor)
}

fn round(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

/// Three digits at most that say something.
fn figure(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        medium if medium >= 10.0 => 1,
        small if small >= 1.0 => 2,
        tiny if tiny >= 0.01 => 3,
        _ => 5,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale) -> Chart<'static> {
        Chart {
            title: "a <title>",
            unit: "s",
            scale,
            series: vec!["theirs".to_owned(), "ours".to_owned()],
            groups: vec![Bars {
                name: "first".to_owned(),
                values: vec![Some(1_000.0), Some(10.0)],
            }],
        }
    }

    #[test]
    fn lengths_follow_from_values() {
        let room = WIDTH - LEFT - RIGHT;
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        let linear = chart(Scale::Linear);
        assert!(close(linear.length(1_000.0), room) && close(linear.length(10.0), room / 100.0));
        let powers = chart(Scale::Logarithmic);
        assert!(close(powers.length(1_000.0), room) && close(powers.length(100.0), room / 2.0));
        assert!(close(powers.length(0.0), 1.0));
    }

    #[test]
    fn a_chart_shows_every_name_and_figure_and_no_markup_of_others() {
        let drawn = chart(Scale::Logarithmic).draw();
        for part in [
            "theirs",
            "ours",
            "first",
            "1000",
            "a &lt;title&gt;",
            "logarithmic",
        ] {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
        assert_eq!(figure(0.05), "0.05");
        assert_eq!(figure(1_217.4), "1217");
        assert_eq!(figure(0.0), "0");
    }
}
