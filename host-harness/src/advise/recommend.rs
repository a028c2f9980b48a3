//! Tries configurations on a log and picks one.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::{Value, json};

use super::{
    learned::{Learned, Recovery},
    replay::{Replayed, SLICE, p95, peak, replay},
    trace::{LoggedCall, LoggedHints, Trace},
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

/// Whether a tool changes something, by its hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// It only reads, or doing it twice is as good as once.
    SafeToRepeat,
    /// `readOnlyHint` is false, and `idempotentHint` is not true.
    Writes,
    /// The log holds no hint that would say it.
    Unknown,
}

impl From<Option<LoggedHints>> for Writes {
    fn from(hints: Option<LoggedHints>) -> Self {
        match hints {
            Some(LoggedHints { read_only: Some(true), .. })
            | Some(LoggedHints { idempotent: Some(true), .. }) => Self::SafeToRepeat,
            Some(LoggedHints { read_only: Some(false), .. }) => Self::Writes,
            _ => Self::Unknown,
        }
    }
}

/// What can be said of one tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAdvice {
    /// Its name, after that of its upstream and a slash if that has one: as
    /// `tool_overrides` takes it.
    pub tool: String,
    /// Calls of it in the log.
    pub calls: u64,
    /// Those whose first attempt failed.
    pub failures: u64,
    /// Calls that succeed under the recommended configuration only if the tool
    /// is marked `idempotent: true`.
    pub saved_by_mark: u64,
    /// What its retries in the log say, of attempts that may have been executed.
    pub recovery: Recovery,
    /// What the log says of what it does.
    pub writes: Writes,
}

/// The outcome of it all.
#[derive(Debug, Clone)]
pub struct Advice {
    /// What the log itself tells of the policy of that time.
    pub logged: Replayed,
    /// What the retries of the log say. If there are none, nothing is promised.
    pub learned: Learned,
    /// All that was tried; the policies that have a name come first.
    pub candidates: Vec<Candidate>,
    /// Which of them to take: an index into `candidates`.
    pub best: usize,
    /// What marking tools would bring, most first.
    pub tools: Vec<ToolAdvice>,
}

/// Calls that a configuration saves, of those that fail without retries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saved {
    /// As played.
    pub calls: u64,
    /// At the least and at the most, with a confidence of 95 % in what the log
    /// says of attempts that it does not know (see [`Recovery::interval`]).
    pub between: (u64, u64),
}

impl Advice {
    /// The one to take.
    #[must_use]
    pub fn best(&self) -> &Candidate {
        &self.candidates[self.best]
    }

    /// Whether its peak is within [`MOST_PEAK`], as far as a peak is known.
    #[must_use]
    pub fn within_bound(&self) -> bool {
        bearable(&self.best().replayed)
    }

    /// How many variations of the safe profile, itself included, are.
    #[must_use]
    pub fn within(&self) -> usize {
        let safe = self.candidates.iter().filter(|one| one.config["profile"] == "safe");
        safe.filter(|one| bearable(&one.replayed)).count()
    }

    /// What the one to take saves; none if the log holds no retries, so that
    /// nothing says that another attempt helps.
    #[must_use]
    pub fn saved(&self) -> Option<Saved> {
        if self.learned.all().retried == 0 {
            return None;
        }
        let (none, best) = (&self.candidates[0].replayed, &self.best().replayed);
        let calls = best.succeeded.saturating_sub(none.succeeded);
        let known = calls.saturating_sub(best.guessed_to_succeed);
        let (mut least, mut most) = (0.0, 0.0);
        for (kind, guesses) in &best.guessed {
            let recovery = self.learned.kinds.get(kind).copied().unwrap_or_default();
            let (low, high) = recovery.interval();
            least += low * *guesses as f64;
            most += high * *guesses as f64;
        }
        let between = (known + least as u64, known + most.ceil() as u64);
        Some(Saved { calls, between: (between.0.min(calls), between.1.max(calls)) })
    }
}

/// No candidate is taken that ever asks for more attempts than this for each
/// call, if there is another.
pub const MOST_PEAK: f64 = 1.5;
/// Success within so much of the best is as good; then the fewest attempts win.
pub const AS_GOOD: f64 = 0.001;
/// A mark is advised only for tools whose retries succeed at least so often, by
/// the lower end of their interval.
pub const LEAST_RECOVERY: f64 = 0.05;
/// How many policies with a name are tried before the variations.
pub const NAMED: usize = 3;
/// Which of them is `safe`.
const SAFE: usize = 2;

/// The names and configurations that are always tried.
fn named() -> [(String, Value); NAMED] {
    let named = |name: &str, config: Value| (name.to_owned(), config);
    [
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

/// Tries configurations on a log. Tools of `marked` count as idempotent. If the
/// log holds no retries, nothing but the policies with a name is tried, and
/// `safe` is taken, for want of a reason for another.
///
/// # Errors
/// The component refuses a configuration (the marks are the caller's), or breaks.
pub fn advise(
    component: &Component,
    trace: &Trace,
    marked: &[String],
    limits: Limits,
) -> Result<Advice, StartError> {
    let learned = Learned::of(trace);
    let silent = learned.all().retried == 0;
    let tried = if silent { Vec::new() } else { variations() };
    let mut candidates = Vec::new();
    for (name, mut config) in named().into_iter().chain(tried) {
        mark(&mut config, marked);
        let replayed = replay(component, trace, &config, limits)?;
        candidates.push(Candidate { name, config, replayed });
    }
    let best = if silent { SAFE } else { best(&candidates) };
    let tools = tools(component, trace, &learned, &candidates[best], marked, limits)?;
    Ok(Advice { logged: logged(trace), learned, candidates, best, tools })
}

fn mark(config: &mut Value, tools: &[String]) {
    for tool in tools {
        config["tool_overrides"][tool.as_str()]["idempotent"] = Value::Bool(true);
    }
}

fn bearable(replayed: &Replayed) -> bool {
    replayed.peak.is_none_or(|peak| peak <= MOST_PEAK)
}

/// Among the variations of `safe` whose peak is bearable, those that save as many
/// calls as any; among these the one with the fewest attempts, then the quickest.
/// If no peak is bearable, the lowest.
fn best(candidates: &[Candidate]) -> usize {
    let safe = |(_, candidate): &(usize, &Candidate)| candidate.config["profile"] == "safe";
    let all: Vec<_> = candidates.iter().enumerate().filter(safe).collect();
    let within: Vec<_> = all.iter().copied().filter(|(_, one)| bearable(&one.replayed)).collect();
    if within.is_empty() {
        let peak = |one: &Candidate| one.replayed.peak.unwrap_or_default();
        let lowest =
            all.into_iter().min_by(|(_, one), (_, other)| peak(one).total_cmp(&peak(other)));
        return lowest.map_or(SAFE, |(index, _)| index);
    }
    let most = within.iter().map(|(_, one)| one.replayed.success()).fold(0.0, f64::max);
    within
        .into_iter()
        .filter(|(_, one)| one.replayed.success() >= most - AS_GOOD)
        .min_by(|(_, one), (_, other)| {
            let (one, other) = (&one.replayed, &other.replayed);
            one.attempts.cmp(&other.attempts).then(one.p95_ms.total_cmp(&other.p95_ms))
        })
        .map_or(SAFE, |(index, _)| index)
}

/// What the log tells of itself.
fn logged(trace: &Trace) -> Replayed {
    let mut took = Vec::new();
    let mut replayed = Replayed { calls: trace.calls.len() as u64, ..Replayed::default() };
    let mut slices: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for call in &trace.calls {
        let count = call.attempts.len() as u64;
        replayed.attempts += count;
        let slice = slices.entry(call.at_ms / SLICE.as_millis() as u64).or_default();
        *slice = (slice.0 + 1, slice.1 + count);
        if let Some(last) = call.attempts.last() {
            replayed.succeeded += u64::from(last.outcome.succeeds());
            took.push(last.after_ms + last.took_ms);
        }
    }
    replayed.peak = peak(slices.into_values());
    replayed.p95_ms = p95(took).map_or(0.0, |millis| millis as f64);
    replayed
}

/// What is counted of a tool.
#[derive(Default)]
struct Counted {
    calls: u64,
    failures: u64,
    recovery: Recovery,
    hints: Option<LoggedHints>,
}

impl Counted {
    fn count(&mut self, call: &LoggedCall) {
        self.calls += 1;
        self.failures += u64::from(!call.attempts[0].outcome.succeeds());
        self.hints = call.hints.or(self.hints);
        for pair in call.attempts.windows(2) {
            let [failed, retry] = pair else { continue };
            // What was not executed is retried without a mark.
            if failed.not_executed != Some(true) {
                self.recovery.retried += 1;
                self.recovery.recovered += u64::from(retry.outcome.succeeds());
            }
        }
    }
}

/// What each mark would bring, one at a time. Only of tools whose repeated
/// attempts the log shows to succeed.
fn tools(
    component: &Component,
    trace: &Trace,
    learned: &Learned,
    best: &Candidate,
    marked: &[String],
    limits: Limits,
) -> Result<Vec<ToolAdvice>, StartError> {
    if learned.all().recovered == 0 {
        return Ok(Vec::new());
    }
    let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
    for call in &trace.calls {
        let name = match &call.upstream {
            Some(upstream) => format!("{upstream}/{}", call.tool),
            None => call.tool.clone(),
        };
        counted.entry(name).or_default().count(call);
    }
    let mut advice = Vec::new();
    for (tool, Counted { calls, failures, recovery, hints }) in counted {
        let helps = recovery.recovered > 0 && recovery.interval().0 >= LEAST_RECOVERY;
        if !helps || marked.contains(&tool) {
            continue;
        }
        let mut config = best.config.clone();
        mark(&mut config, std::slice::from_ref(&tool));
        let with_mark = replay(component, trace, &config, limits)?.succeeded;
        let saved_by_mark = with_mark.saturating_sub(best.replayed.succeeded);
        if saved_by_mark > 0 {
            let writes = hints.into();
            advice.push(ToolAdvice { tool, calls, failures, saved_by_mark, recovery, writes });
        }
    }
    advice.sort_by_key(|advice| Reverse(advice.saved_by_mark));
    Ok(advice)
}
