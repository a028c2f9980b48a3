//! What came of a scenario, in figures.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    meter::Counted,
    recovery::Recovery,
    run::Slices,
    scenario::{Decider, Policy, Scenario},
    tally::{Slice, Tally},
};

/// A scenario, played under all its policies.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// The scenario's own title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Where chance started.
    pub seed: u64,
    /// How often it was played, each time with another seed.
    pub seeds: u64,
    /// Length of a slice of the series, in milliseconds.
    pub slice_ms: u64,
    /// In the scenario's order.
    pub policies: Vec<PolicyResults>,
}

/// What came of it under one policy.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyResults {
    /// The policy's name.
    pub name: String,
    /// The component's configuration; none for a model of something else.
    pub config: Option<serde_json::Value>,
    /// The figures of each window.
    pub windows: Vec<WindowResults>,
    /// Seconds until all was well again; none if the scenario does not ask.
    pub recovery: Option<Recovery>,
    /// Retries, by why they were made.
    pub retries: BTreeMap<&'static str, u64>,
    /// Calls that failed, by why there was no further retry.
    pub failed: BTreeMap<&'static str, u64>,
    /// Over time.
    pub series: Series,
}

/// The figures of a part of the time: of the calls that arrived in it.
#[derive(Debug, Clone, Serialize)]
pub struct WindowResults {
    /// What it is called.
    pub name: String,
    /// Calls that arrived.
    pub calls: u64,
    /// Attempts that each of them took, on average.
    pub amplification: f64,
    /// The part of the calls that succeeded in the end.
    pub success: f64,
    /// Milliseconds that half of the calls took at the most, waits and failed ones included.
    pub p50_ms: f64,
    /// The same for 95 of 100 calls.
    pub p95_ms: f64,
    /// The same for 99 of 100 calls.
    pub p99_ms: f64,
    /// Calls whose first attempt failed, without those that nothing could help.
    pub failed_first: u64,
    /// The part of them that got a retry; 1 if there are none.
    pub retried: f64,
    /// The part of them that succeeded in the end; 1 if there are none.
    pub saved: f64,
    /// The most attempts that began within a tenth of a second.
    pub peak: u64,
    /// The same of each kind of tool, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<WindowResults>,
}

/// Figures of every slice; none where no call arrived.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Series {
    /// Calls that arrived.
    pub calls: Vec<u64>,
    /// Attempts in a second.
    pub attempts_per_second: Vec<Option<f64>>,
    /// Attempts that began, for each call that arrived.
    pub amplification: Vec<Option<f64>>,
    /// The part of the calls that succeeded in the end.
    pub success: Vec<Option<f64>>,
    /// Milliseconds that half of the calls took at the most.
    pub p50_ms: Vec<Option<f64>>,
    /// The same for 99 of 100 calls.
    pub p99_ms: Vec<Option<f64>>,
    /// What was left in the retry budget.
    pub tokens: Vec<Option<f64>>,
}

/// The windows of a scenario: their names, and from when to when.
pub(super) fn windows(scenario: &Scenario) -> Vec<(String, Duration, Duration)> {
    if scenario.windows.is_empty() {
        return vec![("whole time".to_owned(), Duration::ZERO, scenario.duration())];
    }
    let at = |second: super::scenario::Second| Duration::from_secs(second.0);
    let windows = scenario.windows.iter();
    windows.map(|window| (window.name.clone(), at(window.from_s), at(window.to_s))).collect()
}

impl PolicyResults {
    /// The figures of all runs together. `runs` is not empty.
    pub(super) fn of(scenario: &Scenario, policy: &Policy, mut runs: Vec<Counted>) -> Self {
        let recovery = Recovery::of(scenario, &runs);
        let times = runs.len() as f64;
        let mut counted = runs.remove(0);
        runs.into_iter().for_each(|run| counted.join(run));
        let slices = Slices::of(scenario.duration());
        for slice in &mut counted.slices {
            slice.tally.took.sort_unstable();
        }
        let windows = windows(scenario).into_iter().zip(&counted.spans);
        let windows = windows.map(|((name, ..), kinds)| {
            let all = kinds.iter().fold(Tally::default(), |mut all, kind| {
                all.join(kind);
                all
            });
            let mut window = WindowResults::of(name, all);
            if kinds.len() > 1 {
                let named = scenario.tools.iter().zip(kinds);
                let of = |(tool, tally): (&super::scenario::Tool, &Tally)| {
                    WindowResults::of(tool.name.clone(), tally.clone())
                };
                window.tools = named.map(of).collect();
            }
            window
        });
        Self {
            name: policy.name.clone(),
            config: match &policy.decider {
                Decider::Component(config) => Some(config.clone()),
                Decider::Model(_) => None,
            },
            windows: windows.collect(),
            recovery,
            series: Series::of(&counted.slices, slices.width, times),
            retries: counted.retries,
            failed: counted.failed,
        }
    }

    /// All retries.
    #[must_use]
    pub fn all_retries(&self) -> u64 {
        self.retries.values().sum()
    }
}

impl WindowResults {
    fn of(name: String, mut tally: Tally) -> Self {
        tally.took.sort_unstable();
        let [p50_ms, p95_ms, p99_ms] =
            [0.5, 0.95, 0.99].map(|part| percentile(&tally.took, part).unwrap_or(0.0));
        let part = |count: u64, of: u64, none: f64| {
            if of == 0 { none } else { count as f64 / of as f64 }
        };
        Self {
            name,
            calls: tally.calls,
            amplification: part(tally.attempts, tally.calls, 0.0),
            success: part(tally.succeeded, tally.calls, 0.0),
            p50_ms,
            p95_ms,
            p99_ms,
            failed_first: tally.failed_first,
            retried: part(tally.retried, tally.failed_first, 1.0),
            saved: part(tally.saved, tally.failed_first, 1.0),
            peak: tally.peak,
            tools: Vec::new(),
        }
    }
}

impl Series {
    fn of(slices: &[Slice], width: Duration, times: f64) -> Self {
        let of = |value: &dyn Fn(&Slice) -> Option<f64>| slices.iter().map(value).collect();
        let each = |count: u64, slice: &Slice| {
            (slice.tally.calls > 0).then(|| count as f64 / slice.tally.calls as f64)
        };
        Self {
            calls: slices.iter().map(|slice| slice.tally.calls).collect(),
            attempts_per_second: of(&|slice| {
                Some(slice.attempts as f64 / width.as_secs_f64() / times)
            }),
            amplification: of(&|slice| each(slice.attempts, slice)),
            success: of(&|slice| each(slice.tally.succeeded, slice)),
            p50_ms: of(&|slice| percentile(&slice.tally.took, 0.5)),
            p99_ms: of(&|slice| percentile(&slice.tally.took, 0.99)),
            tokens: of(&|slice| slice.tokens),
        }
    }
}

/// The smallest of some times (microseconds, ascending) that at least this
/// part of them does not exceed, in milliseconds.
fn percentile(ascending: &[u32], part: f64) -> Option<f64> {
    let rank = (part * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.max(1) - 1).map(|micros| f64::from(*micros) / 1_000.0)
}
