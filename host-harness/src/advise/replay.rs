//! Plays a log again under another configuration.
//!
//! An attempt that the log knows ends as it did. One that was never made, for
//! the policy of that time had given up, ends as a retry of another call did
//! that the log holds: of the same tool of the same upstream, after a failure
//! that looked the same, and of these the one that began nearest in time. If
//! there is none, nothing says that the failure passes, and it is taken to
//! last. What the log cannot tell is how the server would have borne more
//! attempts or fewer.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use serde_json::Value;

use super::{
    answer::Replied,
    learned::Kind,
    trace::{LoggedAttempt, Trace},
};
use crate::{
    gateway::{Attempt, CallContext, Clock, Gateway, Limits, LogicalCall},
    sandbox::{Component, Entropy, Options, Plugin, StartError},
    simulate::{executor::Executor, meter::Meter, time::VirtualClock},
};

/// What came of a log under a configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replayed {
    /// Calls.
    pub calls: u64,
    /// Those that succeeded in the end.
    pub succeeded: u64,
    /// Attempts.
    pub attempts: u64,
    /// Attempts that the log does not know, by what they followed; only of
    /// kinds that were retried in the log.
    pub guessed: BTreeMap<Kind, u64>,
    /// Those of them that were taken to succeed.
    pub guessed_to_succeed: u64,
    /// Attempts that the log does not know, after failures that it never saw
    /// retried: they are taken to fail.
    pub taken_to_fail: u64,
    /// The most attempts for each call within a moment, see `peak`; none if
    /// there are fewer calls than that takes.
    pub peak: Option<f64>,
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
pub(super) const SLICE: Duration = Duration::from_secs(10);

/// The fewest calls of which a peak is made: one retried call among five says
/// nothing of load.
pub const FEWEST_OF_A_PEAK: u64 = 20;

/// The most attempts for each call. `slices` of ten seconds are (calls,
/// attempts), in order of time; those with fewer than [`FEWEST_OF_A_PEAK`] calls
/// are put together with the next such ones until there are as many.
pub(super) fn peak(slices: impl IntoIterator<Item = (u64, u64)>) -> Option<f64> {
    let of = |(calls, attempts): (u64, u64)| attempts as f64 / calls as f64;
    let (mut most, mut few) = (None::<f64>, (0, 0));
    for (calls, attempts) in slices {
        let whole = if calls >= FEWEST_OF_A_PEAK {
            (calls, attempts)
        } else {
            few = (few.0 + calls, few.1 + attempts);
            if few.0 < FEWEST_OF_A_PEAK {
                continue;
            }
            std::mem::take(&mut few)
        };
        most = Some(most.unwrap_or(0.0).max(of(whole)));
    }
    most
}

/// The time that 95 of 100 took at the most.
pub(super) fn p95<T: Ord + Copy>(mut took: Vec<T>) -> Option<T> {
    took.sort_unstable();
    took.get((took.len() * 95).div_ceil(100).max(1) - 1).copied()
}

/// What the log tells of attempts that were not made.
struct Known {
    trace: Trace,
    /// Retries by the failure that they followed, in order of time.
    retries: HashMap<Kind, Vec<Made>>,
    /// How the last attempt of each call ended that is not over.
    last: RefCell<HashMap<usize, LoggedAttempt>>,
    guessed: RefCell<BTreeMap<Kind, u64>>,
    guessed_to_succeed: Cell<u64>,
    taken_to_fail: Cell<u64>,
}

/// A retry of the log.
struct Made {
    /// When it began, in milliseconds since the log began.
    at_ms: u64,
    /// Whose it is: an index into the calls of the log.
    call: usize,
    attempt: LoggedAttempt,
}

impl Known {
    fn of(trace: &Trace) -> Self {
        let mut retries: HashMap<Kind, Vec<Made>> = HashMap::new();
        for (number, call) in trace.calls.iter().enumerate() {
            for pair in call.attempts.windows(2) {
                let [failed, retry] = pair else { continue };
                retries.entry(Kind::of(call, failed)).or_default().push(Made {
                    at_ms: call.at_ms.saturating_add(retry.after_ms),
                    call: number,
                    attempt: retry.clone(),
                });
            }
        }
        for made in retries.values_mut() {
            made.sort_by_key(|made| made.at_ms);
        }
        Self {
            trace: trace.clone(),
            retries,
            last: RefCell::default(),
            guessed: RefCell::default(),
            guessed_to_succeed: Cell::new(0),
            taken_to_fail: Cell::new(0),
        }
    }

    fn attempt(&self, call: usize, attempt: Attempt, now_ms: u64) -> LoggedAttempt {
        let logged = &self.trace.calls[call];
        let made = match logged.attempts.get(attempt.retries() as usize) {
            Some(known) => known.clone(),
            None => self.guess(call, now_ms),
        };
        if made.outcome.succeeds() {
            self.last.borrow_mut().remove(&call);
        } else {
            self.last.borrow_mut().insert(call, made.clone());
        }
        made
    }

    fn guess(&self, call: usize, now_ms: u64) -> LoggedAttempt {
        let logged = &self.trace.calls[call];
        let last = self.last.borrow().get(&call).cloned();
        // Every call of the log has an attempt.
        let last = last.unwrap_or_else(|| logged.attempts[logged.attempts.len() - 1].clone());
        let kind = Kind::of(logged, &last);
        let retries = self.retries.get(&kind).map_or(&[][..], Vec::as_slice);
        let place = retries.partition_point(|other| other.at_ms < now_ms);
        let (before, after) = retries.split_at(place);
        // What became of the call itself says nothing of another attempt.
        let others = |other: &&Made| other.call != call;
        let near = [before.iter().rev().find(others), after.iter().find(others)];
        let nearest = near.into_iter().flatten().min_by_key(|other| other.at_ms.abs_diff(now_ms));
        let Some(nearest) = nearest else {
            self.taken_to_fail.set(self.taken_to_fail.get() + 1);
            return last;
        };
        *self.guessed.borrow_mut().entry(kind).or_default() += 1;
        let succeeds = u64::from(nearest.attempt.outcome.succeeds());
        self.guessed_to_succeed.set(self.guessed_to_succeed.get() + succeeds);
        nearest.attempt.clone()
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
            call.context = Arc::new(CallContext {
                upstream: logged.upstream.clone(),
                annotations: logged.hints.map(Into::into),
                trusted: logged.trusted,
                ..CallContext::default()
            });
            let (gateway, known, clock) = (gateway.clone(), calls.clone(), clock.clone());
            spawner.spawn(async move {
                gateway
                    .run(&call, |attempt| make(known.clone(), clock.clone(), number, attempt))
                    .await;
            });
        }
    });
    executor.run();

    let slices = meter.finish().slices;
    let peak = peak(slices.iter().map(|slice| (slice.tally.calls, slice.tally.attempts)));
    let mut replayed = Replayed {
        guessed: known.guessed.take(),
        guessed_to_succeed: known.guessed_to_succeed.get(),
        taken_to_fail: known.taken_to_fail.get(),
        peak,
        ..Replayed::default()
    };
    let mut took = Vec::new();
    for slice in slices {
        let tally = slice.tally;
        replayed.calls += tally.calls;
        replayed.succeeded += tally.succeeded;
        replayed.attempts += tally.attempts;
        took.extend(tally.took);
    }
    replayed.p95_ms = p95(took).map_or(0.0, |micros| f64::from(micros) / 1_000.0);
    Ok(replayed)
}

/// One attempt, as the log has it.
async fn make(known: Rc<Known>, clock: VirtualClock, call: usize, attempt: Attempt) -> Replied {
    let now_ms = u64::try_from(clock.now().as_millis()).unwrap_or(u64::MAX);
    let logged = known.attempt(call, attempt, now_ms);
    clock.sleep(Duration::from_millis(logged.took_ms)).await;
    Replied::new(&logged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_takes_twenty_calls_which_may_be_those_of_a_long_time() {
        assert_eq!(peak([(1, 4), (5, 5)]), None);
        // A call a minute, one of which was retried three times.
        let quiet = (0..20).map(|minute| (1, if minute == 7 { 4 } else { 1 }));
        assert_eq!(peak(quiet), Some(23.0 / 20.0));
        assert_eq!(peak([(19, 19), (20, 40), (1, 1), (100, 110)]), Some(2.0));
    }
}
