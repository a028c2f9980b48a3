//! Counts what happens, moment by moment.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    contract::Reason,
    gateway::{Clock, LogicalCall, Observer, Step, Stop},
    simulate::time::VirtualClock,
};

/// What happened in one slice of time. A call belongs to the slice in which it
/// arrived, an attempt to the one in which it began.
#[derive(Debug, Clone, Default)]
pub struct Slice {
    /// Calls that arrived.
    pub calls: u64,
    /// Those of them that succeeded in the end.
    pub succeeded: u64,
    /// Attempts that all of them took.
    pub attempts_of_calls: u64,
    /// Attempts that began, of whatever call.
    pub attempts: u64,
    /// Microseconds that each of these calls took, waits included; not in order.
    pub took: Vec<u32>,
    /// What is left in the emptiest bucket; none if there is none that is not full.
    pub tokens: Option<f64>,
}

/// All that was counted.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// In order of time.
    pub slices: Vec<Slice>,
    /// Retries, by why they were made.
    pub retries: BTreeMap<&'static str, u64>,
    /// Calls that failed, by why there was no further retry.
    pub failed: BTreeMap<&'static str, u64>,
}

/// Counts.
#[derive(Debug)]
pub struct Meter {
    clock: VirtualClock,
    width: Duration,
    counted: Mutex<Counted>,
}

impl Meter {
    /// Slices of `width`, as many as arrivals last for. Attempts that begin
    /// after the last one are none of theirs.
    #[must_use]
    pub fn new(clock: VirtualClock, width: Duration, slices: usize) -> Self {
        let counted =
            Counted { slices: vec![Slice::default(); slices.max(1)], ..Counted::default() };
        Self { clock, width, counted: Mutex::new(counted) }
    }

    /// How full the emptiest budget is now.
    pub fn sample(&self, tokens: Option<f64>) {
        self.with(self.clock.now(), |slice| slice.tokens = tokens);
    }

    /// What was counted; nothing is counted after it.
    #[must_use]
    pub fn finish(&self) -> Counted {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, at: Duration, count: impl FnOnce(&mut Slice)) {
        let mut counted = self.lock();
        let index = (at.as_nanos() / self.width.as_nanos()) as usize;
        if let Some(slice) = counted.slices.get_mut(index) {
            count(slice);
        }
    }
}

impl Observer for Meter {
    fn observe(&self, _: &LogicalCall, step: &Step<'_>) {
        let now = self.clock.now();
        match step {
            Step::AttemptStarted(_) => {
                self.with(now, |slice| slice.attempts += 1);
            }
            Step::AttemptEnded { .. } => {}
            Step::Waiting { verdict, .. } => {
                *self.lock().retries.entry(key(verdict.reason)).or_default() += 1;
            }
            Step::Finished { attempts, stop, took } => {
                let ended = ending(stop);
                if let Some(why) = ended {
                    *self.lock().failed.entry(why).or_default() += 1;
                }
                self.with(now.saturating_sub(*took), |slice| {
                    slice.calls += 1;
                    slice.succeeded += u64::from(ended.is_none());
                    slice.attempts_of_calls += u64::from(attempts.number());
                    slice.took.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
                });
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
