//! The figures of a run, for a terminal.

use std::io::{self, Write};

use super::{
    cases::classic,
    figure::{Figure, Run, Unit},
};

pub fn print(run: &Run, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "host-harness {} on {} cores; peer: {}\n", run.version, run.cores, run.peer)?;
    writeln!(out, "{:<46} {:>14} {:>12}   half of the samples", "", "median", "best")?;
    for figure in &run.figures {
        let [low, high, best] =
            [figure.low, figure.high, figure.best].map(|value| number(figure, value));
        let sampled =
            if low == high { String::new() } else { format!("{best:>12}   {low} to {high}") };
        writeln!(out, "{:<46} {:>14} {sampled}", figure.name, value(figure))?;
    }
    let ratios: Vec<_> =
        RATIOS.iter().filter_map(|(what, of, by)| ratio(run, what, of, by)).collect();
    if !ratios.is_empty() {
        writeln!(out, "\nratios of the best samples of this run")?;
    }
    for line in ratios {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What is worth dividing: a text, the dividend, the divisor. A name without a
/// case stands for the sum of the four classic cases.
const RATIOS: [(&str, &str, &str); 10] = [
    ("the sandbox, over the native policy", "sandbox", "native"),
    (
        "1 MiB against 1 KiB, texts not read",
        "sandbox/1 MiB, texts not read",
        "sandbox/1 KiB, texts not read",
    ),
    ("2 threads against 1", "concurrent/2 threads", "concurrent/1 threads"),
    ("8 threads against 1", "concurrent/8 threads", "concurrent/1 threads"),
    (
        "8 threads against 1, safe, one upstream",
        "concurrent, safe, one upstream/8 threads",
        "concurrent, safe, one upstream/1 threads",
    ),
    (
        "2 threads, over 2 that share nothing",
        "concurrent/2 threads",
        "concurrent, nothing shared/2 threads",
    ),
    (
        "8 threads, over 8 that share nothing",
        "concurrent/8 threads",
        "concurrent, nothing shared/8 threads",
    ),
    ("the peer's core, over our sandbox", "peer core", "sandbox"),
    ("the peer's full hook, over our sandbox", "peer hook", "sandbox"),
    ("the peer's gateway path, over our sandbox", "peer gateway path", "sandbox"),
];

fn ratio(run: &Run, what: &str, of: &str, by: &str) -> Option<String> {
    let best = |name: &str| match name.contains('/') {
        true => Some(run.figure(name)?.best),
        false => classic()
            .iter()
            .map(|(case, _)| Some(run.figure(&format!("{name}/{case}"))?.best))
            .sum(),
    };
    let ratio: f64 = best(of)? / best(by)?;
    Some(format!("{what:<46} {ratio:>13.2}×"))
}

/// A figure's median with its unit.
pub fn value(figure: &Figure) -> String {
    let number = number(figure, figure.median);
    match figure.unit {
        Unit::Nanoseconds => format!("{number} ns"),
        Unit::PerSecond => format!("{number} /s"),
        Unit::Bytes => format!("{number} B"),
    }
}

fn number(figure: &Figure, value: f64) -> String {
    match figure.unit {
        Unit::Nanoseconds if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
