//! Tries configurations on a log and picks one.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::{Value, json};

use super::{
    replay::{Replayed, replay},
    trace::{LoggedOutcome, Trace},
};
use crate::{
    gateway::Limits,
    sandbox::{Component, StartError},
};

/// A configuration and what came of it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What to call it.
    pub name: String,
    /// The component's configuration.
    pub config: Value,
    /// What came of the log.
    pub replayed: Replayed,
}

/// What can be said of one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolAdvice {
    /// Its name.
    pub tool: String,
    /// Calls of it in the log.
    pub calls: u64,
    /// Those whose first attempt failed.
    pub failures: u64,
    /// Calls that succeed under the recommended configuration only if the tool
    /// is marked `idempotent: true`.
    pub saved_by_mark: u64,
}

/// The outcome of it all.
#[derive(Debug, Clone)]
pub struct Advice {
    /// What the log itself tells of the policy of that time.
    pub logged: Replayed,
    /// All that was tried; the policies that have a name come first.
    pub candidates: Vec<Candidate>,
    /// Which of them to take: an index into `candidates`.
    pub best: usize,
    /// What marking tools would bring, most first.
    pub tools: Vec<ToolAdvice>,
}

/// No candidate is taken that ever asks for more attempts than this for each call, within ten seconds.
pub const MOST_PEAK: f64 = 1.5;
/// Success within so much of the best is as good; then the fewest attempts win.
pub const AS_GOOD: f64 = 0.001;

/// The names and configurations that are always tried.
fn named() -> Vec<(String, Value)> {
    let named = |name: &str, config: Value| (name.to_owned(), config);
    vec![
        named("none", json!({ "max_retries": 0 })),
        named("compatible", json!({})),
        named("safe", json!({ "profile": "safe" })),
    ]
}

/// Variations of the safe profile.
fn variations() -> Vec<(String, Value)> {
    let mut tried = Vec::new();
    for max_retries in [1, 2, 3] {
        for base in [100, 200, 500, 1_000] {
            for (tokens, ratio) in [(20, 0.1), (50, 0.1), (200, 0.2)] {
                let config = json!({
                    "profile": "safe",
                    "max_retries": max_retries,
                    "backoff_base_ms": base,
                    "budget": { "max_tokens": tokens, "token_ratio": ratio },
                });
                let name = format!("safe, {max_retries} retries from {base} ms, {tokens} tokens");
                tried.push((name, config));
            }
        }
    }
    tried
}

/// Tries configurations on a log. Tools of `marked` count as idempotent.
///
/// # Errors
/// The component refuses a configuration (the marks are the caller's), or breaks.
pub fn advise(
    component: &Component,
    trace: &Trace,
    marked: &[String],
    limits: Limits,
) -> Result<Advice, StartError> {
    let mut candidates = Vec::new();
    for (name, mut config) in named().into_iter().chain(variations()) {
        mark(&mut config, marked);
        let replayed = replay(component, trace, &config, limits)?;
        candidates.push(Candidate { name, config, replayed });
    }
    let best = best(&candidates);
    let tools = tools(component, trace, &candidates[best], marked, limits)?;
    Ok(Advice { logged: logged(trace), candidates, best, tools })
}

fn mark(config: &mut Value, tools: &[String]) {
    for tool in tools {
        config["tool_overrides"][tool.as_str()]["idempotent"] = Value::Bool(true);
    }
}

/// Among the variations of `safe` whose peak is bearable, those that save as many
/// calls as any; among these the one with the fewest attempts, then the quickest.
fn best(candidates: &[Candidate]) -> usize {
    let safe = |(_, candidate): &(usize, &Candidate)| candidate.config["profile"] == "safe";
    let all: Vec<_> = candidates.iter().enumerate().filter(safe).collect();
    let bearable: Vec<_> =
        all.iter().copied().filter(|(_, one)| one.replayed.peak <= MOST_PEAK).collect();
    let all = if bearable.is_empty() { all } else { bearable };
    let most = all.iter().map(|(_, one)| one.replayed.success()).fold(0.0, f64::max);
    all.into_iter()
        .filter(|(_, one)| one.replayed.success() >= most - AS_GOOD)
        .min_by(|(_, one), (_, other)| {
            let (one, other) = (&one.replayed, &other.replayed);
            one.attempts.cmp(&other.attempts).then(one.p95_ms.total_cmp(&other.p95_ms))
        })
        .map_or(0, |(index, _)| index)
}

/// What the log tells of itself.
fn logged(trace: &Trace) -> Replayed {
    let mut took = Vec::new();
    let (mut succeeded, mut attempts) = (0, 0);
    let mut slices: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for call in &trace.calls {
        let count = call.attempts.len() as u64;
        attempts += count;
        let slice = slices.entry(call.at_ms / 10_000).or_default();
        *slice = (slice.0 + 1, slice.1 + count);
        if let Some(last) = call.attempts.last() {
            succeeded += u64::from(succeeds(last.outcome));
            took.push(last.after_ms + last.took_ms);
        }
    }
    took.sort_unstable();
    let rank = (took.len() * 95).div_ceil(100).max(1) - 1;
    let peak = slices.values().map(|(calls, attempts)| *attempts as f64 / *calls as f64);
    Replayed {
        calls: trace.calls.len() as u64,
        succeeded,
        attempts,
        guessed: 0,
        peak: peak.fold(0.0, f64::max),
        p95_ms: took.get(rank).map_or(0.0, |millis| *millis as f64),
    }
}

fn succeeds(outcome: LoggedOutcome) -> bool {
    match outcome {
        LoggedOutcome::Returned { is_error, structured } => {
            let wrong = structured.is_some_and(|facts| {
                facts.is_error || facts.status_code.is_some_and(|code| code >= 400)
            });
            !is_error && !wrong
        }
        _ => false,
    }
}

/// What each mark would bring, one at a time.
fn tools(
    component: &Component,
    trace: &Trace,
    best: &Candidate,
    marked: &[String],
    limits: Limits,
) -> Result<Vec<ToolAdvice>, StartError> {
    let mut counted: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for call in &trace.calls {
        let (calls, failures) = counted.entry(&call.tool).or_default();
        *calls += 1;
        *failures += u64::from(!succeeds(call.attempts[0].outcome));
    }
    let mut advice = Vec::new();
    for (tool, (calls, failures)) in counted {
        if failures == 0 || marked.iter().any(|other| other == tool) {
            continue;
        }
        let mut config = best.config.clone();
        mark(&mut config, &[tool.to_owned()]);
        let with_mark = replay(component, trace, &config, limits)?.succeeded;
        let saved_by_mark = with_mark.saturating_sub(best.replayed.succeeded);
        if saved_by_mark > 0 {
            advice.push(ToolAdvice { tool: tool.to_owned(), calls, failures, saved_by_mark });
        }
    }
    advice.sort_by_key(|advice| Reverse(advice.saved_by_mark));
    Ok(advice)
}
