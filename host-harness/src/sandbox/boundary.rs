//! Checks on what comes out of the sandbox.

use std::time::Duration;

use super::Limits;
use crate::contract::{Issue, Outcome, Reason, Verdict};

/// An answer that the contract forbids. The host does not act on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A delay beyond [`Limits::max_delay`].
    #[error("it asks to wait {delay_ms} ms; the most is {most_ms}")]
    DelayTooLong {
        /// What it asks for.
        delay_ms: u64,
        /// What it may ask for.
        most_ms: u64,
    },
    /// A reason that speaks for a retry, and no delay.
    #[error("its reason ({0:?}) asks for a retry, but the delay is 0")]
    RetryWithoutDelay(Reason),
    /// A reason that speaks against a retry, and a delay.
    #[error("its reason ({reason:?}) speaks against a retry, but the delay is {delay_ms} ms")]
    DelayWithoutRetry {
        /// The reason.
        reason: Reason,
        /// The delay.
        delay_ms: u64,
    },
    /// A delay above the ceiling that it claims to be drawn from.
    #[error("the delay of {delay_ms} ms is above its own ceiling of {ceiling_ms}")]
    DelayAboveCeiling {
        /// The delay.
        delay_ms: u64,
        /// The claimed ceiling.
        ceiling_ms: u64,
    },
    /// A retry of a result in which nothing speaks of a failure, and whose body it never read.
    #[error("it asks for a retry of a result without any sign of failure")]
    RetryOfSuccess,
    /// A retry of a call that goes on elsewhere, was given up, or was refused.
    #[error("it asks for a retry of an attempt that must not be repeated")]
    RetryOfEnded,
    /// Metadata for a call without a trace, none for one with, or other numbers than the verdict's.
    #[error("its trace metadata do not go with the call and the verdict")]
    WrongMetadata,
}

/// Whether a reason speaks for a retry.
fn asks(reason: Reason) -> bool {
    match reason {
        Reason::ToolError
        | Reason::StructuredError
        | Reason::TextError
        | Reason::RetryableStatus
        | Reason::TimedOut
        | Reason::TransportFailed
        | Reason::RpcError => true,
        Reason::Succeeded
        | Reason::StatusNotRetryable
        | Reason::RpcCodeNotRetryable
        | Reason::RetriesExhausted
        | Reason::DeadlineTooClose
        | Reason::AttemptWouldNotFit
        | Reason::NotReplaySafe
        | Reason::PushbackTooLong
        | Reason::PushbackStop
        | Reason::BudgetExhausted
        | Reason::OuterLayerRetries
        | Reason::Unfinished
        | Reason::Cancelled
        | Reason::Refused
        | Reason::Shadow => false,
    }
}

/// Whether there is anything in this outcome that could be taken for a failure.
fn may_have_failed(outcome: &Outcome, read_content: bool) -> bool {
    match outcome {
        Outcome::Returned(returned) => {
            let told = returned.structured.is_some_and(|s| s.is_error || s.status_code.is_some());
            returned.is_error || told || read_content
        }
        _ => true,
    }
}

/// Checks a verdict against the call that it answers.
pub(super) fn check(
    verdict: &Verdict,
    outcome: &Outcome,
    with_metadata: bool,
    read_content: bool,
    limits: &Limits,
) -> Result<(), Violation> {
    let &Verdict { retry_delay_ms: delay_ms, reason, delay_ceiling_ms: ceiling_ms, .. } = verdict;
    match (asks(reason), delay_ms) {
        (true, 0) => return Err(Violation::RetryWithoutDelay(reason)),
        (false, 1..) => return Err(Violation::DelayWithoutRetry { reason, delay_ms }),
        _ => {}
    }
    if Duration::from_millis(delay_ms) > limits.max_delay {
        let most_ms = u64::try_from(limits.max_delay.as_millis()).unwrap_or(u64::MAX);
        return Err(Violation::DelayTooLong { delay_ms, most_ms });
    }
    if delay_ms > ceiling_ms {
        return Err(Violation::DelayAboveCeiling { delay_ms, ceiling_ms });
    }
    if delay_ms > 0 && !may_have_failed(outcome, read_content) {
        return Err(Violation::RetryOfSuccess);
    }
    let ended = matches!(outcome, Outcome::Unfinished(_) | Outcome::Cancelled | Outcome::Refused);
    if delay_ms > 0 && ended {
        return Err(Violation::RetryOfEnded);
    }
    let agrees = match verdict.metadata {
        None => !with_metadata,
        Some(metadata) => {
            with_metadata
                && metadata.retry_delay_ms == delay_ms
                && metadata.retry_count == verdict.failures
        }
    };
    if agrees { Ok(()) } else { Err(Violation::WrongMetadata) }
}

/// Issues go to terminals and logs: a line each, without control characters.
pub(super) fn printable(issues: Vec<Issue>) -> Vec<Issue> {
    let clean = |text: String| text.replace(char::is_control, "\u{fffd}");
    let issue = |Issue { path, message }| Issue { path: clean(path), message: clean(message) };
    issues.into_iter().map(issue).collect()
}
