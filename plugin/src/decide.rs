//! From a detection to a verdict.

use alloc::string::String;

use rand_core::Rng;

use crate::{
    Millis,
    config::Policy,
    delay::Delay,
    detect::{Detection, Permanent, Signal},
    state::CallState,
};

/// One attempt of one logical call.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The tool's name.
    pub target: String,
    /// Names the logical call.
    pub request_id: String,
    /// The gateway's own count of attempts, from 1.
    pub attempt: u32,
    /// The gateway's monotonic clock.
    pub now: Millis,
    /// Time until the deadline of the call.
    pub time_left: Option<Millis>,
}

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after the delay.
    Retry {
        /// How long to wait; never 0.
        delay: Delay,
        /// What made the attempt a failure.
        signal: Signal,
        /// Transient failures of this call, this one included.
        failures: u32,
    },
    /// Leave it.
    Stop {
        /// Why.
        why: Stop,
        /// Transient failures of this call; 0 if this outcome is none.
        failures: u32,
    },
}

/// Why there is no retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// There was no failure.
    Succeeded,
    /// The failure would be repeated.
    Permanent(Permanent),
    /// All retries of the call are spent.
    RetriesExhausted,
    /// The delay would not end before the deadline of the call.
    DeadlineTooClose,
}

/// Decides about one attempt and updates the state of its call: a retry keeps
/// it, everything else ends the call and drops it.
pub fn decide(
    invocation: Invocation,
    detection: Detection,
    policy: &Policy,
    state: &mut CallState,
    rng: &mut impl Rng,
) -> Verdict {
    let Invocation { target, request_id, attempt, now, time_left } = invocation;
    state.evict_expired(now);
    let signal = match detection {
        Detection::Transient(signal) => signal,
        Detection::Success => {
            state.remove(&target, &request_id);
            return Verdict::Stop { why: Stop::Succeeded, failures: 0 };
        }
        Detection::Permanent(permanent) => {
            state.remove(&target, &request_id);
            return Verdict::Stop { why: Stop::Permanent(permanent), failures: 0 };
        }
    };
    let (call, failures) = state.record_failure(target, request_id, attempt, now);
    if failures > policy.max_retries.0 {
        state.release(call);
        return Verdict::Stop { why: Stop::RetriesExhausted, failures };
    }
    let delay = policy.backoff.draw(failures - 1, rng);
    if time_left.is_some_and(|left| delay.drawn >= left) {
        state.release(call);
        return Verdict::Stop { why: Stop::DeadlineTooClose, failures };
    }
    Verdict::Retry { delay, signal, failures }
}
