//! What comes of a decision.

use crate::{
    delay::Delay,
    detect::{Failure, Permanent},
};

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after the delay.
    Retry {
        /// How long to wait; never 0.
        delay: Delay,
        /// What made the attempt a failure.
        failure: Failure,
        /// Transient failures of this call, this one included.
        failures: u32,
    },
    /// What would have been a retry, if this were not shadow mode.
    Shadow {
        /// How long it would have waited.
        delay: Delay,
        /// What made the attempt a failure.
        failure: Failure,
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
    Succeeded {
        /// But there was one before: a retry has paid.
        recovered: bool,
    },
    /// The failure would be repeated, or the call is not over.
    Permanent(Permanent),
    /// All retries of the call are spent.
    RetriesExhausted,
    /// An outer layer retries the call.
    OuterLayerRetries,
    /// The upstream may have done the work, and twice is not known to be safe.
    NotReplaySafe,
    /// The upstream does not want to be called again for longer than the policy waits.
    PushbackTooLong,
    /// The upstream does not want to be called again.
    PushbackStop,
    /// The retry budget is spent.
    BudgetExhausted,
    /// The delay would not end before the deadline of the call.
    DeadlineTooClose,
    /// The attempt after the delay would not.
    AttemptWouldNotFit,
}
