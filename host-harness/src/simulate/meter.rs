//! Counts what happens, moment by moment.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    contract::Reason,
    gateway::{Clock, LogicalCall, Observer, Step, Stop},
    simulate::{
        tally::{Ended, Slice, Tally},
        time::VirtualClock,
    },
};

/// All that was counted.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// In order of time.
    pub slices: Vec<Slice>,
    /// Of each span that was watched, of each kind of tool.
    pub spans: Vec<Vec<Tally>>,
    /// Calls that arrived in each second, and those of them that succeeded.
    pub seconds: Vec<(u64, u64)>,
    /// Retries, by why they were made.
    pub retries: BTreeMap<&'static str, u64>,
    /// Calls that failed, by why there was no further retry.
    pub failed: BTreeMap<&'static str, u64>,
}

impl Counted {
    /// What another run of the same scenario counted. What was left in the
    /// budgets stays that of the first.
    pub fn join(&mut self, other: Self) {
        for (slice, more) in self.slices.iter_mut().zip(&other.slices) {
            slice.tally.join(&more.tally);
            slice.attempts += more.attempts;
        }
        let spans = self.spans.iter_mut().flatten();
        spans.zip(other.spans.iter().flatten()).for_each(|(tally, more)| tally.join(more));
        for (reason, count) in other.retries {
            *self.retries.entry(reason).or_default() += count;
        }
        for (reason, count) in other.failed {
            *self.failed.entry(reason).or_default() += count;
        }
    }
}

/// What is counted apart, beside the slices.
#[derive(Debug, Default)]
pub struct Watched {
    /// From when to when.
    pub spans: Vec<(Duration, Duration)>,
    /// The kind of each tool, by its name; the first if it is not here.
    pub kinds: HashMap<String, usize>,
    /// How many kinds there are.
    pub kind_count: usize,
    /// How many seconds are looked at one by one.
    pub seconds: usize,
}

/// Counts.
#[derive(Debug)]
pub struct Meter {
    clock: VirtualClock,
    width: Duration,
    watched: Watched,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counted: Counted,
    /// Requests that cannot succeed.
    hopeless: HashSet<String>,
    /// The tenth of a second in which an attempt began last, and how many did.
    burst: (u128, u64),
}

impl Meter {
    /// Slices of `width`, as many as arrivals last for. Attempts that begin
    /// after the last one are none of theirs.
    #[must_use]
    pub fn new(clock: VirtualClock, width: Duration, slices: usize) -> Self {
        Self::watching(clock, width, slices, Watched::default())
    }

    /// The same, that counts some spans apart.
    #[must_use]
    pub fn watching(clock: VirtualClock, width: Duration, slices: usize, watched: Watched) -> Self {
        let kinds = vec![Tally::default(); watched.kind_count];
        let counted = Counted {
            slices: vec![Slice::default(); slices.max(1)],
            spans: vec![kinds; watched.spans.len()],
            seconds: vec![(0, 0); watched.seconds],
            ..Counted::default()
        };
        let state = Mutex::new(State { counted, ..State::default() });
        Self { clock, width, watched, state }
    }

    /// How full the emptiest budget is now.
    pub fn sample(&self, tokens: Option<f64>) {
        self.slice(&mut self.lock(), self.clock.now(), |slice| slice.tokens = tokens);
    }

    /// Nothing that is done for this request makes it succeed.
    pub fn hopeless(&self, request_id: &str) {
        self.lock().hopeless.insert(request_id.to_owned());
    }

    /// What was counted; nothing is counted after it.
    #[must_use]
    pub fn finish(&self) -> Counted {
        std::mem::take(&mut self.lock().counted)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slice(&self, state: &mut State, at: Duration, count: impl FnOnce(&mut Slice)) {
        let index = (at.as_nanos() / self.width.as_nanos()) as usize;
        if let Some(slice) = state.counted.slices.get_mut(index) {
            count(slice);
        }
    }

    /// The spans that a moment belongs to, of the kind of a tool.
    fn spans(&self, state: &mut State, at: Duration, tool: &str, count: impl Fn(&mut Tally)) {
        let kind = self.watched.kinds.get(tool).copied().unwrap_or(0);
        for ((from, to), kinds) in self.watched.spans.iter().zip(&mut state.counted.spans) {
            if (*from..*to).contains(&at)
                && let Some(tally) = kinds.get_mut(kind)
            {
                count(tally);
            }
        }
    }
}

impl Observer for Meter {
    fn observe(&self, call: &LogicalCall, step: &Step<'_>) {
        let now = self.clock.now();
        let state = &mut *self.lock();
        match step {
            Step::AttemptStarted(_) => {
                let tenth = now.as_millis() / 100;
                let before = if state.burst.0 == tenth { state.burst.1 } else { 0 };
                state.burst = (tenth, before + 1);
                let burst = before + 1;
                self.slice(state, now, |slice| slice.attempts += 1);
                self.spans(state, now, &call.target, |tally| tally.peak = tally.peak.max(burst));
            }
            Step::AttemptEnded { .. } => {}
            Step::Waiting { verdict, .. } => {
                *state.counted.retries.entry(key(verdict.reason)).or_default() += 1;
            }
            Step::Finished { attempts, stop, took } => {
                let failed = ending(stop);
                if let Some(why) = failed {
                    *state.counted.failed.entry(why).or_default() += 1;
                }
                let ended = Ended {
                    succeeded: failed.is_none(),
                    attempts: attempts.number(),
                    hopeless: state.hopeless.remove(&call.request_id),
                    took: *took,
                };
                let arrived = now.saturating_sub(*took);
                self.slice(state, arrived, |slice| slice.tally.add(&ended));
                self.spans(state, arrived, &call.target, |tally| tally.add(&ended));
                let second = usize::try_from(arrived.as_secs()).unwrap_or(usize::MAX);
                if let Some((calls, succeeded)) = state.counted.seconds.get_mut(second) {
                    *calls += 1;
                    *succeeded += u64::from(ended.succeeded);
                }
            }
        }
    }
}

/// Why a call failed for good; none if it succeeded.
fn ending(stop: &Stop) -> Option<&'static str> {
    match stop {
        Stop::Plugin(verdict) if verdict.reason == Reason::Succeeded => None,
        Stop::Plugin(verdict) => Some(key(verdict.reason)),
        Stop::Ceiling(_) => Some("ceiling"),
        Stop::Deadline(_) => Some("deadline"),
        Stop::NoMoreAttempts(_) => Some("no-more-attempts"),
        Stop::WaitTooLong(_) => Some("wait-too-long"),
        Stop::BudgetExhausted(_) => Some("budget-exhausted"),
        Stop::NotJudged(_) => Some("target-too-long"),
        Stop::PluginFailed(_) => Some("plugin-failed"),
        Stop::FailedClosed(_) => Some("failed-closed"),
        Stop::NoPlugin => Some("no-plugin"),
        Stop::Cancelled => Some("cancelled"),
    }
}

/// A reason as the contract writes it.
pub const fn key(reason: Reason) -> &'static str {
    match reason {
        Reason::ToolError => "tool-error",
        Reason::StructuredError => "structured-error",
        Reason::TextError => "text-error",
        Reason::RetryableStatus => "retryable-status",
        Reason::TimedOut => "timed-out",
        Reason::TransportFailed => "transport-failed",
        Reason::RpcError => "rpc-error",
        Reason::Transient => "transient",
        Reason::Throttled => "throttled",
        Reason::Succeeded => "succeeded",
        Reason::StatusNotRetryable => "status-not-retryable",
        Reason::RpcCodeNotRetryable => "rpc-code-not-retryable",
        Reason::RetriesExhausted => "retries-exhausted",
        Reason::DeadlineTooClose => "deadline-too-close",
        Reason::AttemptWouldNotFit => "attempt-would-not-fit",
        Reason::Permanent => "permanent",
        Reason::QuotaSpent => "quota-spent",
        Reason::Unclassified => "unclassified",
        Reason::NotReplaySafe => "not-replay-safe",
        Reason::HintsNotSeen => "hints-not-seen",
        Reason::HintsNotTrusted => "hints-not-trusted",
        Reason::HintsSilent => "hints-silent",
        Reason::HintsForbid => "hints-forbid",
        Reason::Continuation => "continuation",
        Reason::PushbackTooLong => "pushback-too-long",
        Reason::PushbackStop => "pushback-stop",
        Reason::BudgetExhausted => "budget-exhausted",
        Reason::OuterLayerRetries => "outer-layer-retries",
        Reason::Unfinished => "unfinished",
        Reason::Cancelled => "cancelled",
        Reason::Refused => "refused",
        Reason::Shadow => "shadow",
        Reason::Other => "other",
    }
}
