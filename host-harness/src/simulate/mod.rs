//! What a retry policy does to a server on a bad day, before it is trusted with one.
//!
//! A discrete-event simulation: calls arrive, a server answers as its scenario
//! says, and between them runs the real [gateway loop](crate::gateway) with the
//! real component in the real sandbox. Only time, chance and the server are
//! made up, and all three depend on nothing but the scenario and its seed: the
//! same file gives the same figures, to the last digit.

pub(crate) mod answer;
mod calls;
mod chance;
mod comparison;
pub mod executor;
mod finding;
mod limit;
pub(crate) mod meter;
mod policy;
mod recovery;
mod results;
mod run;
pub mod scenario;
mod server;
pub mod shipped;
mod tally;
pub mod time;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

pub use comparison::{Compared, Comparison};
pub use finding::{Figures, Finding, sentence};
pub use policy::{BucketTerms, Published};
pub use recovery::Recovery;
pub use results::{PolicyResults, Results, Series, WindowResults};
pub use run::Slices;
pub use scenario::{Measure, Scenario, ScenarioError};

use crate::sandbox::{Component, StartError};

/// A policy's configuration is wrong, or the component broke over it.
#[derive(Debug, thiserror::Error)]
#[error("policy `{policy}`: {error}")]
pub struct PolicyError {
    /// Whose.
    pub policy: String,
    /// What the component says.
    pub error: StartError,
}

/// How far a run is, for whoever waits for it.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// Milliseconds that were simulated, of all policies together.
    #[must_use]
    pub fn simulated_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Plays a scenario under all its policies, as many at a time as there are cores.
///
/// # Errors
/// The component refuses a policy's configuration, or breaks.
pub fn simulate(
    component: &Component,
    scenario: &Scenario,
    progress: &Arc<Progress>,
) -> Result<Results, PolicyError> {
    let seeds = scenario.seeds.0;
    let runs: Vec<_> = (scenario.policies.iter().enumerate())
        .flat_map(|(index, policy)| (0..seeds).map(move |more| (index, policy, more)))
        .collect();
    let next = AtomicUsize::new(0);
    let played = Mutex::new(Vec::new());
    let play_some = || {
        while let Some((index, policy, more)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (progress, last) = (progress.clone(), AtomicU64::new(0));
            let tell = move |now: Duration| {
                let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
                let before = last.swap(now, Ordering::Relaxed);
                progress.0.fetch_add(now - before, Ordering::Relaxed);
            };
            // Far enough apart that no gateway of one run has the seed of another's.
            let seed = scenario.seed.wrapping_add(more.wrapping_mul(1 << 32));
            let result = run::play(component, scenario, policy, seed, tell)
                .map_err(|error| PolicyError { policy: policy.name.clone(), error });
            played.lock().unwrap_or_else(PoisonError::into_inner).push((*index, *more, result));
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores.min(runs.len()) {
            scope.spawn(play_some);
        }
    });
    let mut played = played.into_inner().unwrap_or_else(PoisonError::into_inner);
    played.sort_by_key(|(index, more, _)| (*index, *more));
    let mut played = played.into_iter().map(|(.., result)| result);
    let mut policies = Vec::new();
    for policy in &scenario.policies {
        let runs = played.by_ref().take(usize::try_from(seeds).unwrap_or(usize::MAX));
        policies.push(PolicyResults::of(scenario, policy, runs.collect::<Result<_, _>>()?));
    }
    let slices = Slices::of(scenario.duration());
    Ok(Results {
        title: scenario.title.clone(),
        description: scenario.description.clone(),
        seed: scenario.seed,
        seeds,
        slice_ms: u64::try_from(slices.width.as_millis()).unwrap_or(u64::MAX),
        policies,
    })
}
