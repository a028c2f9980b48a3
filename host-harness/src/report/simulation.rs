//! The report of a simulation.

use std::{collections::BTreeMap, fmt::Write};

use super::{
    bars::Bars,
    chart::{Chart, Line, Unit, sample},
    page::{Page, escaped},
};
use crate::simulate::{PolicyResults, Results, Scenario, Series, WindowResults, sentence};

/// One self-contained page.
#[must_use]
pub fn simulation_page(scenario: &Scenario, results: &Results) -> String {
    let mut page = Page::new(&results.title, &results.description);
    if let Some(sentence) = sentence(scenario, results) {
        page.push(&format!("<p><b>{}</b></p>", escaped(&sentence)));
    }
    page.push(&legend(&results.policies));
    page.push("<div class=\"charts\">");
    for chart in charts(scenario, results) {
        page.push(&chart);
    }
    page.push("</div>");
    page.heading("Figures");
    let windows = results.policies.first().map_or(&[][..], |policy| &policy.windows);
    for (index, window) in windows.iter().enumerate() {
        let caption = format!("{}: {} calls", window.name, window.calls);
        page.table(&caption, &head(), &rows(&results.policies, |policy| &policy.windows[index]));
        for (kind, tool) in window.tools.iter().enumerate() {
            let caption = format!("{}, `{}`: {} calls", window.name, tool.name, tool.calls);
            let rows = rows(&results.policies, |policy| &policy.windows[index].tools[kind]);
            page.table(&caption, &head(), &rows);
        }
    }
    page.push(&configurations(&results.policies));
    page.push(&format!(
        "<footer>host-harness {} · seed {}{} · a call counts where it arrived, an attempt where it \
         began; latency is that of whole calls, waits and failures included. Simulated time; the \
         component and the gateway loop are the real ones. Retried and saved are parts of the calls \
         whose first attempt failed and that a retry could help.</footer>",
        env!("CARGO_PKG_VERSION"),
        results.seed,
        match results.seeds {
            1 => String::new(),
            seeds => format!(" and {} more", seeds - 1),
        }
    ));
    page.html(&results.title)
}

fn legend(policies: &[PolicyResults]) -> String {
    let items: String = policies
        .iter()
        .enumerate()
        .map(|(index, policy)| format!("<li>{}{}</li>", sample(index), escaped(&policy.name)))
        .collect();
    format!("<ul class=\"legend\">{items}</ul>")
}

fn head() -> Vec<String> {
    ["policy", "attempts/call", "success", "retried", "saved", "p50", "p95", "p99", "peak in 0.1 s"]
        .map(str::to_owned)
        .to_vec()
}

fn rows(
    policies: &[PolicyResults],
    of: impl Fn(&PolicyResults) -> &WindowResults,
) -> Vec<Vec<String>> {
    let row = |(index, policy): (usize, &PolicyResults)| {
        let figures = of(policy);
        let millis = |millis: f64| Unit::Millis.label(rounded(millis));
        vec![
            format!("{}{}", sample(index), escaped(&policy.name)),
            format!("{:.2}×", figures.amplification),
            format!("{:.1} %", figures.success * 100.0),
            format!("{:.1} %", figures.retried * 100.0),
            format!("{:.1} %", figures.saved * 100.0),
            millis(figures.p50_ms),
            millis(figures.p95_ms),
            millis(figures.p99_ms),
            figures.peak.to_string(),
        ]
    };
    policies.iter().enumerate().map(row).collect()
}

/// Three digits are enough for a latency.
fn rounded(millis: f64) -> f64 {
    if millis >= 100.0 { millis.round() } else { (millis * 10.0).round() / 10.0 }
}

fn charts(scenario: &Scenario, results: &Results) -> Vec<String> {
    let windows: Vec<_> = scenario
        .windows
        .iter()
        .filter(|window| window.trouble)
        .map(|window| (window.from_s.0 as f64, window.to_s.0 as f64))
        .collect();
    let chart = |title, note, unit, top_at_least, pick: fn(&Series) -> &[Option<f64>]| {
        let lines: Vec<_> = results
            .policies
            .iter()
            .enumerate()
            .map(|(look, policy)| Line { name: &policy.name, look, values: pick(&policy.series) })
            .collect();
        let seconds = scenario.duration().as_secs_f64();
        let spans = &windows;
        Chart { title, note, unit, top_at_least, seconds, spans, lines: &lines }.html()
    };
    let mut charts = vec![
        chart(
            "Load amplification",
            "attempts for each call that arrived",
            Unit::Times,
            1.0,
            |series| &series.amplification,
        ),
        chart("Success", "calls that succeeded in the end", Unit::Share, 1.0, |series| {
            &series.success
        }),
        chart("Load on the server", "attempts in a second", Unit::Number, 1.0, |series| {
            &series.attempts_per_second
        }),
        chart("Median latency", "half of the calls took at most", Unit::Millis, 1.0, |series| {
            &series.p50_ms
        }),
        chart(
            "99th percentile of latency",
            "99 of 100 calls took at most",
            Unit::Millis,
            1.0,
            |series| &series.p99_ms,
        ),
    ];
    if results.policies.iter().any(|policy| policy.series.tokens.iter().any(Option::is_some)) {
        let note = "left in the emptiest bucket of the retry budget; no line where all are full";
        charts.push(chart("Tokens", note, Unit::Number, 1.0, |series| &series.tokens));
    }
    let policies = &results.policies;
    let why = "why an attempt was followed by another one";
    charts.extend(reasons("Retries by reason", why, policies, |policy| &policy.retries));
    let why = "why there was no further attempt";
    charts.extend(reasons("Failed calls by reason", why, policies, |policy| &policy.failed));
    charts
}

/// Counts by reason, a row for each policy.
fn reasons<'a>(
    title: &'a str,
    note: &'a str,
    policies: &'a [PolicyResults],
    of: impl Fn(&'a PolicyResults) -> &'a BTreeMap<&'static str, u64>,
) -> Option<String> {
    let rows = policies.iter().map(|policy| (policy.name.as_str(), of(policy))).collect();
    Bars { title, note, rows }.html()
}

fn configurations(policies: &[PolicyResults]) -> String {
    let mut text = String::new();
    for policy in policies {
        let config = match &policy.config {
            Some(config) => config.to_string(),
            None => "(a model of a published algorithm, not the component)".to_owned(),
        };
        let _ = writeln!(text, "{:<16} {config}", policy.name);
    }
    format!(
        "<details><summary>Configurations</summary><pre>{}</pre></details>",
        escaped(text.trim_end())
    )
}
