//! Plays a log again under another configuration.
//!
//! An attempt that the log knows ends as it did. One that was never made, for
//! the policy of that time had given up, ends as the attempt to the same tool
//! of another call did that began nearest in time. What the log cannot tell is how the server
//! would have borne more attempts or fewer.

use std::{cell::Cell, collections::HashMap, num::NonZeroUsize, rc::Rc, sync::Arc, time::Duration};

use serde_json::Value;

use super::trace::{LoggedAttempt, Trace};
use crate::{
    gateway::{Attempt, CallContext, Clock, Gateway, Limits, LogicalCall},
    sandbox::{Component, Entropy, Options, Plugin, StartError},
    simulate::{answer::Answer, executor::Executor, meter::Meter, time::VirtualClock},
};

/// What came of a log under a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// Calls.
    pub calls: u64,
    /// Those that succeeded in the end.
    pub succeeded: u64,
    /// Attempts.
    pub attempts: u64,
    /// Attempts that the log does not know.
    pub guessed: u64,
    /// The most attempts for each call within ten seconds.
    pub peak: f64,
    /// Milliseconds that 95 of 100 calls took at the most.
    pub p95_ms: f64,
}

impl Replayed {
    /// The part of the calls that succeeded.
    #[must_use]
    pub fn success(&self) -> f64 {
        self.succeeded as f64 / self.calls.max(1) as f64
    }

    /// Attempts for each call.
    #[must_use]
    pub fn amplification(&self) -> f64 {
        self.attempts as f64 / self.calls.max(1) as f64
    }
}

/// The slices in which a peak is looked for.
const SLICE: Duration = Duration::from_secs(10);

/// What the log tells of attempts that were not made.
struct Known {
    trace: Trace,
    /// By tool, in order of time.
    by_tool: HashMap<String, Vec<Made>>,
    guessed: Cell<u64>,
}

/// An attempt of the log.
struct Made {
    /// When it began, in milliseconds since the log began.
    at_ms: u64,
    /// Whose it is: an index into the calls of the log.
    call: usize,
    attempt: LoggedAttempt,
}

impl Known {
    fn of(trace: &Trace) -> Self {
        let mut by_tool: HashMap<String, Vec<_>> = HashMap::new();
        for (number, call) in trace.calls.iter().enumerate() {
            let made = call.attempts.iter().map(|attempt| Made {
                at_ms: call.at_ms.saturating_add(attempt.after_ms),
                call: number,
                attempt: *attempt,
            });
            by_tool.entry(call.tool.clone()).or_default().extend(made);
        }
        for attempts in by_tool.values_mut() {
            attempts.sort_by_key(|made| made.at_ms);
        }
        Self { trace: trace.clone(), by_tool, guessed: Cell::new(0) }
    }

    fn attempt(&self, call: usize, attempt: Attempt, now_ms: u64) -> LoggedAttempt {
        let logged = &self.trace.calls[call];
        if let Some(known) = logged.attempts.get(attempt.retries() as usize) {
            return *known;
        }
        self.guessed.set(self.guessed.get() + 1);
        // Every call of the log has an attempt, so its tool has one.
        let attempts = &self.by_tool[&logged.tool];
        let place = attempts.partition_point(|other| other.at_ms < now_ms);
        let (before, after) = attempts.split_at(place);
        // What became of the call itself says nothing of another attempt.
        let others = |other: &&Made| other.call != call;
        let near = [before.iter().rev().find(others), after.iter().find(others)];
        let nearest = near.into_iter().flatten().min_by_key(|other| other.at_ms.abs_diff(now_ms));
        nearest.map_or(logged.attempts[logged.attempts.len() - 1], |other| other.attempt)
    }
}

/// Plays a log under a configuration of the component.
///
/// # Errors
/// The component refuses the configuration, or breaks.
pub fn replay(
    component: &Component,
    trace: &Trace,
    config: &Value,
    limits: Limits,
) -> Result<Replayed, StartError> {
    let mut options = Options {
        config: config.to_string(),
        max_tool_retries: limits.max_tool_retries,
        shards: NonZeroUsize::MIN,
        entropy: Entropy::Seeded(1),
        ..Options::default()
    };
    // A busy machine must not change a result.
    options.limits.call_time = Duration::from_secs(600);
    let plugin = Arc::new(Plugin::start(component, options)?);

    let mut executor = Executor::default();
    let clock = executor.clock();
    let last = trace.calls.last().map_or(0, |call| call.at_ms);
    let slices = usize::try_from(u128::from(last) / SLICE.as_millis()).unwrap_or(usize::MAX) + 1;
    let meter = Arc::new(Meter::new(clock.clone(), SLICE, slices));
    let gateway = Rc::new(Gateway {
        hook: Some(plugin),
        // How long attempts took is in the log.
        limits: Limits { attempt_timeout: None, ..limits },
        clock: Arc::new(clock.clone()),
        budgets: Arc::new(crate::gateway::InProcessBudgets::default()),
        observer: meter.clone(),
    });
    let known = Rc::new(Known::of(trace));
    let (spawner, calls) = (executor.spawner(), known.clone());
    executor.spawner().spawn(async move {
        for (number, logged) in calls.trace.calls.iter().enumerate() {
            let at = Duration::from_millis(logged.at_ms);
            clock.sleep(at.saturating_sub(clock.now())).await;
            let mut call = LogicalCall::new(logged.tool.clone(), number.to_string());
            let upstream = logged.upstream.clone();
            call.context = Arc::new(CallContext { upstream, ..CallContext::default() });
            let (gateway, known, clock) = (gateway.clone(), calls.clone(), clock.clone());
            spawner.spawn(async move {
                gateway
                    .run(&call, |attempt| make(known.clone(), clock.clone(), number, attempt))
                    .await;
            });
        }
    });
    executor.run();

    let (mut replayed, mut took) = (
        Replayed {
            calls: 0,
            succeeded: 0,
            attempts: 0,
            guessed: known.guessed.get(),
            peak: 0.0,
            p95_ms: 0.0,
        },
        Vec::new(),
    );
    for slice in meter.finish().slices {
        replayed.calls += slice.calls;
        replayed.succeeded += slice.succeeded;
        replayed.attempts += slice.attempts_of_calls;
        if slice.calls > 0 {
            replayed.peak = replayed.peak.max(slice.attempts_of_calls as f64 / slice.calls as f64);
        }
        took.extend(slice.took);
    }
    took.sort_unstable();
    let rank = (took.len() * 95).div_ceil(100).max(1) - 1;
    replayed.p95_ms = took.get(rank).map_or(0.0, |micros| f64::from(*micros) / 1_000.0);
    Ok(replayed)
}

/// One attempt, as the log has it.
async fn make(known: Rc<Known>, clock: VirtualClock, call: usize, attempt: Attempt) -> Answer {
    let now_ms = u64::try_from(clock.now().as_millis()).unwrap_or(u64::MAX);
    let logged = known.attempt(call, attempt, now_ms);
    clock.sleep(Duration::from_millis(logged.took_ms)).await;
    Answer(logged.outcome.into())
}
