//! What comes of a decision.

use crate::{
    Millis,
    budget::{Budget, Thousandths},
    delay::Delay,
    detect::{Failure, Permanent, Wish},
    replay::Unsafe,
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
        /// What made the attempt a failure, if that is one that passes.
        failure: Option<Failure>,
    },
}

/// What kind of failure an attempt was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// None.
    Succeeded,
    /// One that may pass.
    Transient,
    /// One that may pass, for there were too many requests.
    Throttled,
    /// One that stays.
    Permanent,
    /// One that nothing is known of.
    Unknown,
}

impl Verdict {
    /// The failure, if it is one that may pass.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Retry { failure, .. } | Self::Shadow { failure, .. } => Some(failure),
            Self::Stop { failure, .. } => failure.as_ref(),
        }
    }

    /// What kind of failure the attempt was.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Stop { why: Stop::Succeeded { .. }, .. } => Kind::Succeeded,
            Self::Stop { why: Stop::Permanent(Permanent::Unclassified), .. } => Kind::Unknown,
            Self::Stop { why: Stop::Permanent(_), .. } => Kind::Permanent,
            _ => match self.failure() {
                Some(failure) if failure.is_throttling() => Kind::Throttled,
                _ => Kind::Transient,
            },
        }
    }

    /// What the retry that it asks for, or would ask for, costs within a budget.
    #[must_use]
    pub fn cost(&self, budget: &Budget) -> Thousandths {
        match self {
            Self::Retry { failure, .. } | Self::Shadow { failure, .. } => budget.cost(failure),
            Self::Stop { .. } => 0,
        }
    }

    /// How long the upstream asked to be left alone.
    #[must_use]
    pub const fn pushback(&self) -> Option<Millis> {
        match self.failure() {
            Some(Failure { wish: Some(Wish::Wait(time)), .. }) => Some(*time),
            _ => None,
        }
    }
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
    Unsafe(Unsafe),
    /// The upstream may have done the work, and the call is one that must not
    /// be made twice: it continues another.
    Continuation,
    /// The upstream does not want to be called again for longer than the policy waits.
    PushbackTooLong,
    /// The upstream does not want to be called again.
    PushbackStop,
    /// The delay would not end before the deadline of the call.
    DeadlineTooClose,
    /// The attempt after the delay would not.
    AttemptWouldNotFit,
}
