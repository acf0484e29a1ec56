//! A row of bars, drawn inline, with its figures as text for those who do not see it.

use maud::{Markup, html};

const HEIGHT: f64 = 40.0;
const STEP: usize = 6;

/// Bars for `values`, the oldest first; `label` says what they are and `most` how high they go.
pub(super) fn bars(label: &str, values: &[f64], most: &str) -> Markup {
    let highest = values.iter().copied().fold(0.0, f64::max);
    let width = values.len() * STEP;
    html! {
        figure {
            figcaption { (label) span.faint { ", at most " (most) } }
            svg role="img" aria-label={ (label) ", at most " (most) } viewBox={ "0 0 " (width) " " (HEIGHT) }
                preserveAspectRatio="none" {
                line.axis x1="0" x2=(width) y1=(HEIGHT - 0.5) y2=(HEIGHT - 0.5) {}
                @for (index, value) in values.iter().enumerate() {
                    @if *value > 0.0 {
                        @let height = (value / highest * (HEIGHT - 2.0)).max(1.0);
                        rect x=(index * STEP + 1) y={ (format!("{:.1}", HEIGHT - height)) }
                            width=(STEP - 2) height={ (format!("{height:.1}")) } {}
                    }
                }
            }
        }
    }
}
