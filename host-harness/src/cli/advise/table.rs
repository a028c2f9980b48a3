//! Advice for people.

use std::io::{self, Write};

use host_harness::advise::{
    Advice, Recovery, Replayed,
    recommend::{AS_GOOD, MOST_PEAK, NAMED, Saved, ToolAdvice, Writes},
    replay::FEWEST_OF_A_PEAK,
};

pub(super) fn print(out: &mut impl Write, advice: &Advice) -> io::Result<()> {
    candidates(out, advice)?;
    retries(out, advice)?;
    recommended(out, advice)?;
    marks(out, &advice.tools)
}

fn candidates(out: &mut impl Write, advice: &Advice) -> io::Result<()> {
    let calls = format!("{} calls", advice.logged.calls);
    writeln!(
        out,
        "{calls:<44} {:>8} {:>13} {:>6} {:>8} {:>8}",
        "success", "attempts/call", "peak", "p95 ms", "guessed"
    )?;
    row(out, "as it was", &advice.logged)?;
    for (index, candidate) in advice.candidates.iter().enumerate() {
        // Of the variations only the one to take is worth a line.
        if index < NAMED || index == advice.best {
            row(out, &candidate.name, &candidate.replayed)?;
        }
    }
    writeln!(
        out,
        "\n`peak`: the most attempts for each call within ten seconds, or as long as it takes for\n\
         {FEWEST_OF_A_PEAK} calls. `guessed`: attempts that the log does not know; each is taken to end as the\n\
         retry nearest in time did that followed the same failure of the same tool. After\n\
         failures that the log never saw retried, further attempts are taken to fail."
    )
}

fn row(out: &mut impl Write, name: &str, replayed: &Replayed) -> io::Result<()> {
    let peak = replayed.peak.map_or_else(|| "-".to_owned(), |peak| format!("{peak:.2}×"));
    writeln!(
        out,
        "{name:<44} {:>6.2} % {:>12.3}× {peak:>6} {:>8.0} {:>8}",
        replayed.success() * 100.0,
        replayed.amplification(),
        replayed.p95_ms,
        replayed.guessed.values().sum::<u64>() + replayed.taken_to_fail
    )
}

fn retries(out: &mut impl Write, advice: &Advice) -> io::Result<()> {
    if advice.learned.kinds.is_empty() {
        return writeln!(out, "\n{}", super::NO_RETRIES);
    }
    writeln!(out, "\nWhat the retries of this log say (with the 95 % interval of the rate):")?;
    for (kind, recovery) in &advice.learned.kinds {
        let tool = match &kind.upstream {
            Some(upstream) => format!("{upstream}/{}", kind.tool),
            None => kind.tool.clone(),
        };
        let after = format!("after {}", kind.signal);
        writeln!(out, "  {tool:<24} {after:<36} {}", share(*recovery))?;
    }
    Ok(())
}

fn share(recovery: Recovery) -> String {
    let (low, high) = recovery.interval();
    let Recovery { retried, recovered } = recovery;
    let percent = |share: f64| (share * 100.0).round();
    format!(
        "{recovered} of {retried} retries succeeded: {} % ({} to {} %)",
        percent(recovery.rate()),
        percent(low),
        percent(high)
    )
}

fn recommended(out: &mut impl Write, advice: &Advice) -> io::Result<()> {
    let best = advice.best();
    writeln!(out, "\nrecommended: {}", best.name)?;
    writeln!(out, "{:#}", best.config)?;
    let none = &advice.candidates[0].replayed;
    let failed = none.calls - none.succeeded;
    let Some(Saved { calls, between: (least, most) }) = advice.saved() else {
        return writeln!(
            out,
            "It is what the gateway does by itself. Of the {failed} calls that failed at first, this log\n\
             cannot say how many it would save."
        );
    };
    let extra = best.replayed.attempts.saturating_sub(none.attempts);
    let range = if least == most { String::new() } else { format!(" (95 %: {least} to {most})") };
    writeln!(
        out,
        "It saves {calls}{range} of the {failed} calls that fail without retries, for {extra} attempts more."
    )?;
    // With `safe` itself.
    let (tried, within) = (advice.candidates.len() - NAMED + 1, advice.within());
    let percent = AS_GOOD * 100.0;
    match (best.replayed.peak, advice.within_bound()) {
        (Some(peak), false) => writeln!(
            out,
            "Its peak of {peak:.2}× is above the bound of {MOST_PEAK}×: none of {tried} variations of the safe profile\n\
             stays within it, and this one has the lowest."
        ),
        (Some(_), true) => writeln!(
            out,
            "Of {within} variations of the safe profile with a peak of at most {MOST_PEAK}×, none saves over {percent} % of\n\
             all calls more, and none that saves as many makes fewer attempts."
        ),
        (None, _) => writeln!(
            out,
            "The log has fewer than {FEWEST_OF_A_PEAK} calls: nothing is said of a peak. Of {tried} variations of the safe\n\
             profile none saves over {percent} % of all calls more, and none that saves as many makes\n\
             fewer attempts."
        ),
    }
}

fn marks(out: &mut impl Write, tools: &[ToolAdvice]) -> io::Result<()> {
    if tools.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nThese tools may have done their work when they failed, so they were not called again.\n\
         Whether calling one twice does no harm is not in the log: that is your decision.\n\
         Only if it does none:"
    )?;
    for tool in tools {
        writeln!(
            out,
            "  --idempotent {:<24} saves {} of {} calls that failed at first ({} calls in all)",
            tool.tool, tool.saved_by_mark, tool.failures, tool.calls
        )?;
        writeln!(out, "    {}", share(tool.recovery))?;
        match tool.writes {
            Writes::Writes => writeln!(
                out,
                "    careful: its server says that it writes (`readOnlyHint: false`, no `idempotentHint`)"
            )?,
            Writes::Unknown => {
                writeln!(out, "    the log holds no hint of whether it writes")?;
            }
            Writes::SafeToRepeat => {
                writeln!(
                    out,
                    "    its server says that it is safe to repeat, but is not trusted (`--trust`)"
                )?;
            }
        }
    }
    Ok(())
}
