//! What a retry policy does to a server on a bad day, before it is trusted with one.
//!
//! A discrete-event simulation: calls arrive, a server answers as its scenario
//! says, and between them runs the real [gateway loop](crate::gateway) with the
//! real component in the real sandbox. Only time, chance and the server are
//! made up, and all three depend on nothing but the scenario and its seed: the
//! same file gives the same figures, to the last digit.

pub(crate) mod answer;
mod chance;
pub mod executor;
pub(crate) mod meter;
mod model;
mod results;
mod run;
pub mod scenario;
mod server;
pub mod shipped;
pub mod time;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

pub use results::{PolicyResults, Results, Series, WindowResults};
pub use run::Slices;
pub use scenario::{Scenario, ScenarioError};

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
    let policies = &scenario.policies;
    let next = AtomicUsize::new(0);
    let played = Mutex::new(Vec::new());
    let play_some = || {
        while let Some((index, policy)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            policies.get(index).map(|policy| (index, policy))
        } {
            let (progress, last) = (progress.clone(), AtomicU64::new(0));
            let tell = move |now: Duration| {
                let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
                let before = last.swap(now, Ordering::Relaxed);
                progress.0.fetch_add(now - before, Ordering::Relaxed);
            };
            let result = run::play(component, scenario, policy, tell)
                .map(|counted| PolicyResults::of(scenario, policy, counted))
                .map_err(|error| PolicyError { policy: policy.name.clone(), error });
            played.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores.min(policies.len()) {
            scope.spawn(play_some);
        }
    });
    let mut played = played.into_inner().unwrap_or_else(PoisonError::into_inner);
    played.sort_by_key(|(index, _)| *index);
    let slices = Slices::of(scenario.duration());
    Ok(Results {
        title: scenario.title.clone(),
        description: scenario.description.clone(),
        seed: scenario.seed,
        slice_ms: u64::try_from(slices.width.as_millis()).unwrap_or(u64::MAX),
        policies: played.into_iter().map(|(_, result)| result).collect::<Result<_, _>>()?,
    })
}
