//! The table over all scenarios.

use std::fmt::Write;

use super::page::{Page, escaped};
use crate::simulate::{Comparison, Finding, Measure, Recovery};

/// What a cell shows.
const LEGEND: &str = "success in the end (or what the column names) · attempts a call · time to recover; of several \
     windows one figure each. `retried`: of the calls that failed at first and that a retry could \
     help, the part that got one; `saved`: the part that succeeded in the end.";

/// A table in Markdown, aligned for a terminal, and a sentence for each scenario.
#[must_use]
pub fn comparison_table(comparison: &Comparison) -> String {
    let rows = rows(comparison);
    let widths: Vec<_> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    let _ = writeln!(text, "\n{LEGEND}\n");
    for scenario in &comparison.scenarios {
        let _ = writeln!(text, "* `{}`: {}", scenario.name, scenario.sentence);
    }
    text
}

/// The same as a page.
#[must_use]
pub fn comparison_page(comparison: &Comparison) -> String {
    const TITLE: &str = "Retry policies on bad days";
    let mut page = Page::new(TITLE, LEGEND);
    let rows = rows(comparison);
    let html: Vec<Vec<_>> =
        rows.iter().map(|row| row.iter().map(|cell| escaped(cell)).collect()).collect();
    page.table("A row a policy, a column a scenario", &html[0], &html[1..]);
    page.heading("What each scenario comes to");
    for scenario in &comparison.scenarios {
        let (title, sentence) = (escaped(&scenario.title), escaped(&scenario.sentence));
        page.push(&format!("<p><b>{title}.</b> {sentence}</p>"));
    }
    page.html(TITLE)
}

/// The head, and a row for each policy.
fn rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let head = comparison.scenarios.iter().map(|scenario| match scenario.measure {
        Measure::Success => scenario.name.clone(),
        Measure::Retried => format!("{}: retried", scenario.name),
        Measure::Saved => format!("{}: saved", scenario.name),
    });
    let head = ["policy".to_owned()].into_iter().chain(head).collect();
    let row = |(index, name): (usize, &String)| {
        let cells = comparison.scenarios.iter().map(|scenario| cell(&scenario.findings[index]));
        [name.clone()].into_iter().chain(cells).collect()
    };
    [head].into_iter().chain(comparison.policies.iter().enumerate().map(row)).collect()
}

fn cell(finding: &Finding) -> String {
    let each = |figure: &dyn Fn(&crate::simulate::Figures) -> String| {
        finding.windows.iter().map(figure).collect::<Vec<_>>().join(" / ")
    };
    let measured = each(&|window| format!("{:.1}", 100.0 * window.measured));
    let load = each(&|window| format!("{:.3}", window.load));
    match finding.recovery {
        Some(Recovery::Seconds { mean }) => format!("{measured} % · {load}× · {mean:.0} s"),
        Some(Recovery::Never { .. }) => format!("{measured} % · {load}× · never"),
        None => format!("{measured} % · {load}×"),
    }
}
