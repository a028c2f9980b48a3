//! Advice for programs.

use host_harness::advise::{
    Advice, Recovery, Replayed, Trace,
    learned::Kind,
    recommend::{MOST_PEAK, Saved, ToolAdvice, Writes},
};
use serde_json::{Value, json};

/// One object; what is not known is null.
pub(super) fn of(advice: &Advice, trace: &Trace) -> Value {
    let candidates = advice.candidates.iter().map(|candidate| {
        json!({
            "name": candidate.name,
            "config": candidate.config,
            "replayed": replayed(&candidate.replayed),
        })
    });
    let retries = advice.learned.kinds.iter().map(|(kind, recovery)| {
        let mut entry = self::recovery(*recovery);
        let Kind { upstream, tool, signal } = kind;
        entry["upstream"] = json!(upstream);
        entry["tool"] = json!(tool);
        entry["after"] = json!(signal.to_string());
        entry["class"] = json!(signal.class);
        entry
    });
    let silent = advice.learned.all().retried == 0;
    json!({
        "calls": advice.logged.calls,
        "cut_off": trace.cut_off,
        "logged": replayed(&advice.logged),
        "retries": retries.collect::<Vec<_>>(),
        "note": silent.then(|| super::NO_RETRIES.replace('\n', " ")),
        "candidates": candidates.collect::<Vec<_>>(),
        "recommended": {
            "name": advice.best().name,
            "config": advice.best().config,
            "saved": advice.saved().map(saved),
            "within_bound": advice.within_bound(),
            "bound": MOST_PEAK,
        },
        "marks": advice.tools.iter().map(tool).collect::<Vec<_>>(),
    })
}

fn saved(Saved { calls, between }: Saved) -> Value {
    json!({ "calls": calls, "between": [between.0, between.1] })
}

fn replayed(replayed: &Replayed) -> Value {
    json!({
        "calls": replayed.calls,
        "succeeded": replayed.succeeded,
        "attempts": replayed.attempts,
        "guessed": replayed.guessed.values().sum::<u64>(),
        "taken_to_fail": replayed.taken_to_fail,
        "peak": replayed.peak,
        "p95_ms": replayed.p95_ms,
    })
}

fn recovery(recovery: Recovery) -> Value {
    let (low, high) = recovery.interval();
    json!({
        "retried": recovery.retried,
        "recovered": recovery.recovered,
        "rate": recovery.rate(),
        "interval": [low, high],
    })
}

fn tool(advice: &ToolAdvice) -> Value {
    json!({
        "tool": advice.tool,
        "calls": advice.calls,
        "failures": advice.failures,
        "saved_by_mark": advice.saved_by_mark,
        "recovery": recovery(advice.recovery),
        "writes": match advice.writes {
            Writes::SafeToRepeat => Value::Bool(false),
            Writes::Writes => Value::Bool(true),
            Writes::Unknown => Value::Null,
        },
        "decision": "the operator's: whether calling it twice does no harm is not in the log",
    })
}
