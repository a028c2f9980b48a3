//! `host-harness advise`: from a log of calls to a configuration.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use host_harness::{
    advise::{Advice, Replayed, Trace, advise, recommend},
    bundled,
    sandbox::Component,
};

use crate::cli::{Limits, plugin};

#[derive(Debug, Args)]
pub(super) struct Advise {
    /// The log that `host-harness proxy --trace FILE` wrote.
    #[arg(long, value_name = "TRACE.jsonl")]
    from: PathBuf,
    /// A tool that may be called twice (`idempotent: true`); may be given again.
    #[arg(long, value_name = "TOOL")]
    idempotent: Vec<String>,
    #[command(flatten)]
    limits: Limits,
}

pub(super) fn run(options: Advise) -> anyhow::Result<ExitCode> {
    let place = options.from.display().to_string();
    let text =
        fs::read_to_string(&options.from).with_context(|| format!("{place}: cannot be read"))?;
    let trace = Trace::parse(&place, &text)?;
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT)?;
    let advice = advise(&component, &trace, &options.idempotent, options.limits.into())
        .map_err(|error| plugin::complaint(&place, error))?;
    print(&mut io::stdout().lock(), &advice)?;
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, advice: &Advice) -> io::Result<()> {
    let best = &advice.candidates[advice.best];
    writeln!(
        out,
        "{:<44} {:>8} {:>13} {:>6} {:>8} {:>8}",
        format!("{} calls", advice.logged.calls),
        "success",
        "attempts/call",
        "peak",
        "p95 ms",
        "guessed"
    )?;
    row(out, "as it was", &advice.logged)?;
    for (index, candidate) in advice.candidates.iter().enumerate() {
        // Of the variations only the one to take is worth a line.
        if index < 3 || index == advice.best {
            row(out, &candidate.name, &candidate.replayed)?;
        }
    }
    writeln!(
        out,
        "\n`peak`: the most attempts for each call within ten seconds. `guessed`: attempts that the"
    )?;
    writeln!(
        out,
        "log does not know; each is taken to end as the one nearest in time to the same tool did."
    )?;

    writeln!(out, "\nrecommended: {}", best.name)?;
    writeln!(out, "{:#}", best.config)?;
    let none = &advice.candidates[0].replayed;
    let saved = best.replayed.succeeded.saturating_sub(none.succeeded);
    let extra = best.replayed.attempts.saturating_sub(none.attempts);
    writeln!(
        out,
        "It saves {saved} of the {} calls that fail without retries, for {extra} attempts more.",
        none.calls - none.succeeded
    )?;
    writeln!(
        out,
        "Of {} variations of the safe profile with a peak of at most {}×, none saves over {} % of\nall calls more, and none that saves as many makes fewer attempts.",
        advice.candidates.len() - 2,
        recommend::MOST_PEAK,
        recommend::AS_GOOD * 100.0
    )?;
    if !advice.tools.is_empty() {
        writeln!(
            out,
            "\nThese tools may have done their work when they failed, so they were not called again."
        )?;
        writeln!(out, "If calling one twice does no harm, say so:")?;
    }
    for tool in &advice.tools {
        writeln!(
            out,
            "  --idempotent {:<24} saves {} of {} calls that failed at first ({} calls in all)",
            tool.tool, tool.saved_by_mark, tool.failures, tool.calls
        )?;
    }
    Ok(())
}

fn row(out: &mut impl Write, name: &str, replayed: &Replayed) -> io::Result<()> {
    writeln!(
        out,
        "{name:<44} {:>6.2} % {:>12.3}× {:>5.2}× {:>8.0} {:>8}",
        replayed.success() * 100.0,
        replayed.amplification(),
        replayed.peak,
        replayed.p95_ms,
        replayed.guessed
    )
}
