//! What came of a scenario, in figures.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    meter::{Counted, Slice},
    run::Slices,
    scenario::{Decider, Scenario},
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

impl PolicyResults {
    pub(super) fn of(
        scenario: &Scenario,
        policy: &super::scenario::Policy,
        mut counted: Counted,
    ) -> Self {
        let slices = Slices::of(scenario.duration());
        for slice in &mut counted.slices {
            slice.took.sort_unstable();
        }
        let whole = || ("whole time".to_owned(), Duration::ZERO, scenario.duration());
        let windows: Vec<_> = if scenario.windows.is_empty() {
            vec![whole()]
        } else {
            let at = |second: super::scenario::Second| Duration::from_secs(second.0);
            let named = |window: &super::scenario::Window| {
                (window.name.clone(), at(window.from_s), at(window.to_s))
            };
            scenario.windows.iter().map(named).collect()
        };
        let windows = windows.into_iter().map(|(name, from, to)| {
            let begins = |index: usize| {
                slices.width.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX))
            };
            let inside = counted
                .slices
                .iter()
                .enumerate()
                .filter(|(index, _)| (from..to).contains(&begins(*index)));
            WindowResults::of(name, inside.map(|(_, slice)| slice))
        });
        Self {
            name: policy.name.clone(),
            config: match &policy.decider {
                Decider::Component(config) => Some(config.clone()),
                Decider::Model(_) => None,
            },
            windows: windows.collect(),
            series: Series::of(&counted.slices, slices.width),
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
    fn of<'a>(name: String, slices: impl Iterator<Item = &'a Slice>) -> Self {
        let (mut calls, mut succeeded, mut attempts, mut took) = (0, 0, 0, Vec::new());
        for slice in slices {
            calls += slice.calls;
            succeeded += slice.succeeded;
            attempts += slice.attempts_of_calls;
            took.extend_from_slice(&slice.took);
        }
        took.sort_unstable();
        let [p50_ms, p95_ms, p99_ms] =
            [0.5, 0.95, 0.99].map(|part| percentile(&took, part).unwrap_or(0.0));
        let each = |count: u64| if calls == 0 { 0.0 } else { count as f64 / calls as f64 };
        let (amplification, success) = (each(attempts), each(succeeded));
        Self { name, calls, amplification, success, p50_ms, p95_ms, p99_ms }
    }
}

impl Series {
    fn of(slices: &[Slice], width: Duration) -> Self {
        let of = |value: &dyn Fn(&Slice) -> Option<f64>| slices.iter().map(value).collect();
        let each = |count: u64, slice: &Slice| {
            (slice.calls > 0).then(|| count as f64 / slice.calls as f64)
        };
        Self {
            calls: slices.iter().map(|slice| slice.calls).collect(),
            attempts_per_second: of(&|slice| Some(slice.attempts as f64 / width.as_secs_f64())),
            amplification: of(&|slice| each(slice.attempts, slice)),
            success: of(&|slice| each(slice.succeeded, slice)),
            p50_ms: of(&|slice| percentile(&slice.took, 0.5)),
            p99_ms: of(&|slice| percentile(&slice.took, 0.99)),
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
