//! What the loop tells whoever watches it: logs, metrics, the demo's timeline.

use std::time::Duration;

use crate::{
    contract::{Outcome, Verdict},
    gateway::{Attempt, LogicalCall, TargetTooLong},
    sandbox::HookFailure,
};

/// Why a call made no further attempt.
#[derive(Debug)]
pub enum Stop {
    /// The plugin asked for none; `Verdict::reason` says why.
    Plugin(Verdict),
    /// The plugin asked for one more than the gateway's ceiling allows.
    Ceiling(Verdict),
    /// The delay would not have ended before the deadline of the call.
    Deadline(Verdict),
    /// The plugin asked for another, but there will be none: the gateway is
    /// about to stop, or the upstream is gone for good.
    NoMoreAttempts(Verdict),
    /// The plugin asked for a longer wait than [`Limits::max_wait`](super::Limits::max_wait).
    WaitTooLong(Verdict),
    /// The name of what is called is too long to be judged.
    NotJudged(TargetTooLong),
    /// The plugin gave no verdict that can be used.
    PluginFailed(HookFailure),
    /// The plugin broke or answered outside of the contract, and the operator
    /// wants such a call to fail ([`FailPolicy::Closed`](crate::sandbox::FailPolicy::Closed)).
    FailedClosed(HookFailure),
    /// The retry budget does not pay for the retry that the plugin asked for, or
    /// would have asked for if it were not in shadow mode.
    BudgetExhausted(Verdict),
    /// No plugin is loaded.
    NoPlugin,
    /// The client went away.
    Cancelled,
}

impl Stop {
    /// The plugin's last verdict, if there was one.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Plugin(verdict)
            | Self::Ceiling(verdict)
            | Self::Deadline(verdict)
            | Self::NoMoreAttempts(verdict)
            | Self::WaitTooLong(verdict)
            | Self::BudgetExhausted(verdict) => Some(verdict),
            Self::NotJudged(_)
            | Self::PluginFailed(_)
            | Self::FailedClosed(_)
            | Self::NoPlugin
            | Self::Cancelled => None,
        }
    }
}

/// One step in the life of a call.
#[derive(Debug)]
pub enum Step<'a> {
    /// An attempt is about to be sent upstream.
    AttemptStarted(Attempt),
    /// An attempt has ended.
    AttemptEnded {
        /// Which one.
        attempt: Attempt,
        /// How.
        outcome: &'a Outcome,
        /// How long it took.
        took: Duration,
    },
    /// The gateway waits before the next attempt, as the plugin asked.
    Waiting {
        /// The attempt that failed.
        after: Attempt,
        /// The plugin's answer to it.
        verdict: &'a Verdict,
    },
    /// The call is over.
    Finished {
        /// The last attempt that was made.
        attempts: Attempt,
        /// Why there was no other.
        stop: &'a Stop,
        /// Time from the first attempt's start, sleeps included.
        took: Duration,
    },
}

/// Watches calls. Must not block: it runs inside the loop.
pub trait Observer: Send + Sync {
    /// Called at every step of every call.
    fn observe(&self, call: &LogicalCall, step: &Step<'_>);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _: &LogicalCall, _: &Step<'_>) {}
}
