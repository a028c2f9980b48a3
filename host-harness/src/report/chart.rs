//! Lines over time, as inline SVG.

use std::fmt::Write;

use super::{colours, page::escaped};

/// What a value is, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    Number,
    /// A factor: `2×`.
    Times,
    /// A part of a whole: `50 %`.
    Share,
    /// Milliseconds.
    Millis,
}

/// A series of a chart.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Its name, for whoever cannot see it.
    pub name: &'a str,
    /// Which look it has, see [`colours`].
    pub look: usize,
    /// Its values at equal distances; none is a gap.
    pub values: &'a [Option<f64>],
}

/// A chart over time.
#[derive(Debug)]
pub struct Chart<'a> {
    /// What is shown.
    pub title: &'a str,
    /// What it means.
    pub note: &'a str,
    /// What the values are.
    pub unit: Unit,
    /// The least top of the scale.
    pub top_at_least: f64,
    /// The length of the time axis, in seconds.
    pub seconds: f64,
    /// Spans of time to set apart, in seconds.
    pub spans: &'a [(f64, f64)],
    /// What is drawn, the first one lowest.
    pub lines: &'a [Line<'a>],
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;

impl Chart<'_> {
    /// A `figure` element.
    #[must_use]
    pub fn html(&self) -> String {
        let all = self.lines.iter().flat_map(|line| line.values).flatten();
        let most = all.fold(self.top_at_least, |most, value| most.max(*value));
        let step = round_step(most / 5.0);
        let top = (most / step).ceil() * step;
        let x = |seconds: f64| LEFT + seconds / self.seconds * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);

        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escaped(self.title)
        );
        for (from, to) in self.spans {
            let (left, width) = (x(*from), x(*to) - x(*from));
            let _ = write!(
                svg,
                "<rect class=\"window\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{}\"/>",
                HEIGHT - TOP - BOTTOM
            );
        }
        let mut value = 0.0;
        while value <= top + step / 2.0 {
            let (at, label) = (y(value), self.unit.label(value));
            let right = WIDTH - RIGHT;
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                at + 4.0
            );
            value += step;
        }
        let time_step = round_step(self.seconds / 6.0);
        let mut seconds = 0.0;
        while seconds <= self.seconds {
            let near_end = x(seconds) > WIDTH - 30.0;
            let anchor = if near_end { "end" } else { "middle" };
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{} s</text>",
                if near_end { WIDTH - 2.0 } else { x(seconds) },
                HEIGHT - 10.0,
                plain(seconds)
            );
            seconds += time_step;
        }
        for line in self.lines {
            let slice = self.seconds / line.values.len().max(1) as f64;
            let mut path = String::new();
            let mut pen_down = false;
            for (index, value) in line.values.iter().enumerate() {
                if let Some(value) = value {
                    let letter = if pen_down { 'L' } else { 'M' };
                    let at = x((index as f64 + 0.5) * slice);
                    let _ = write!(path, "{letter}{at:.1} {:.1}", y(*value));
                }
                pen_down = value.is_some();
            }
            if !path.is_empty() {
                let _ = write!(
                    svg,
                    "<path class=\"line\" d=\"{path}\" {}><title>{}</title></path>",
                    stroke(line.look),
                    escaped(line.name)
                );
            }
        }
        svg.push_str("</svg>");
        format!(
            "<figure><figcaption>{} <small>{}</small></figcaption>{svg}</figure>",
            escaped(self.title),
            escaped(self.note)
        )
    }
}

impl Unit {
    /// A value with its unit.
    #[must_use]
    pub fn label(self, value: f64) -> String {
        match self {
            Self::Number => plain(value),
            Self::Times => format!("{}×", plain(value)),
            Self::Share => format!("{} %", plain(value * 100.0)),
            Self::Millis if value >= 1_000.0 => format!("{} s", plain(value / 1_000.0)),
            Self::Millis => format!("{} ms", plain(value)),
        }
    }
}

/// The attributes of a line's stroke.
pub fn stroke(look: usize) -> String {
    let dashes = colours::of(look).dashes;
    let look = look % colours::LOOKS.len();
    let dashes = match dashes {
        "" => String::new(),
        dashes => format!(" stroke-dasharray=\"{dashes}\""),
    };
    format!("style=\"stroke:var(--line-{look})\"{dashes}")
}

/// A sample of a line's look.
pub fn sample(look: usize) -> String {
    format!(
        "<svg viewBox=\"0 0 34 10\" aria-hidden=\"true\"><line class=\"line\" x1=\"1\" x2=\"33\" y1=\"5\" y2=\"5\" {}/></svg>",
        stroke(look)
    )
}

/// The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is not below `least`.
fn round_step(least: f64) -> f64 {
    if least.is_nan() || least <= 0.0 {
        return 1.0;
    }
    let mut power = 1.0;
    while power > least {
        power /= 10.0;
    }
    while power * 10.0 <= least {
        power *= 10.0;
    }
    // Almost is enough: 0.2 is not exactly a fifth of 1.
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|digit| digit * power);
    steps.into_iter().find(|step| *step >= least * 0.999).unwrap_or(10.0 * power)
}

/// As few digits as tell it: at most two after the point.
pub fn plain(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_never_smaller_than_asked_for() {
        for (least, step) in
            [(0.2, 0.2), (0.3, 0.5), (1.0, 1.0), (1.1, 2.0), (24.0, 25.0), (740.0, 1_000.0)]
        {
            assert!((round_step(least) - step).abs() < 1e-9, "{least}");
        }
    }

    #[test]
    fn a_gap_in_the_values_is_a_gap_in_the_line() {
        let values = [Some(1.0), None, Some(1.0), Some(2.0)];
        let lines = [Line { name: "<safe>", look: 1, values: &values }];
        let chart = Chart {
            title: "t",
            note: "n",
            unit: Unit::Times,
            top_at_least: 1.0,
            seconds: 4.0,
            spans: &[],
            lines: &lines,
        };
        let html = chart.html();
        let path = html.split(" d=\"").nth(1).and_then(|rest| rest.split('"').next());
        let path = path.expect("a path");
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches('L').count(), 1, "{path}");
        assert!(html.contains("&lt;safe&gt;") && !html.contains("<safe>"));
    }
}
