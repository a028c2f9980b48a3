//! Checks on the answer to an attempt.

use std::time::Duration;

use super::Violation;
use crate::{
    contract::{Class, Outcome, Reason, Verdict},
    sandbox::Limits,
};

/// What a verdict is checked against.
pub(in crate::sandbox) struct Judged<'a> {
    pub(in crate::sandbox) outcome: &'a Outcome,
    /// The attempt's number, from 1.
    pub(in crate::sandbox) attempt: u32,
    /// Whether the verdict is to have metadata.
    pub(in crate::sandbox) with_metadata: bool,
    /// Whether the guest read anything of the answer's body.
    pub(in crate::sandbox) read_content: bool,
    /// The gateway's ceiling on retries.
    pub(in crate::sandbox) max_retries: u32,
    /// How many terms of retry budgets the guest has named.
    pub(in crate::sandbox) budgets: usize,
}

/// Whether a reason speaks for a retry.
fn asks(reason: Reason, delay_ms: u64) -> bool {
    match reason {
        // What it stands for is not known here.
        Reason::Other => delay_ms > 0,
        Reason::ToolError
        | Reason::StructuredError
        | Reason::TextError
        | Reason::RetryableStatus
        | Reason::TimedOut
        | Reason::TransportFailed
        | Reason::RpcError
        | Reason::Transient
        | Reason::Throttled => true,
        Reason::Succeeded
        | Reason::StatusNotRetryable
        | Reason::RpcCodeNotRetryable
        | Reason::RetriesExhausted
        | Reason::DeadlineTooClose
        | Reason::AttemptWouldNotFit
        | Reason::Permanent
        | Reason::QuotaSpent
        | Reason::Unclassified
        | Reason::NotReplaySafe
        | Reason::HintsNotSeen
        | Reason::HintsNotTrusted
        | Reason::HintsSilent
        | Reason::HintsForbid
        | Reason::Continuation
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

/// Whether a class can be that of an attempt which is answered for this reason.
fn agree(class: Class, reason: Reason) -> bool {
    match reason {
        Reason::Succeeded => class == Class::Succeeded,
        Reason::Throttled => class == Class::Throttled,
        Reason::Unclassified => class == Class::Unknown,
        Reason::StatusNotRetryable
        | Reason::RpcCodeNotRetryable
        | Reason::Permanent
        | Reason::QuotaSpent
        | Reason::Unfinished
        | Reason::Cancelled
        | Reason::Refused => class == Class::Permanent,
        // What they stand for is not known here.
        Reason::Other => true,
        // Of these the attempt failed, and another might have helped.
        Reason::ToolError
        | Reason::StructuredError
        | Reason::TextError
        | Reason::RetryableStatus
        | Reason::TimedOut
        | Reason::TransportFailed
        | Reason::RpcError
        | Reason::Transient
        | Reason::RetriesExhausted
        | Reason::DeadlineTooClose
        | Reason::AttemptWouldNotFit
        | Reason::NotReplaySafe
        | Reason::HintsNotSeen
        | Reason::HintsNotTrusted
        | Reason::HintsSilent
        | Reason::HintsForbid
        | Reason::Continuation
        | Reason::PushbackTooLong
        | Reason::PushbackStop
        | Reason::BudgetExhausted
        | Reason::OuterLayerRetries
        | Reason::Shadow => !matches!(class, Class::Succeeded | Class::Permanent),
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
pub(in crate::sandbox) fn check(
    verdict: &Verdict,
    judged: &Judged<'_>,
    limits: &Limits,
) -> Result<(), Violation> {
    let &Verdict { retry_delay_ms: delay_ms, reason, delay_ceiling_ms: ceiling_ms, .. } = verdict;
    match (asks(reason, delay_ms), delay_ms) {
        (true, 0) => return Err(Violation::RetryWithoutDelay(reason)),
        (false, 1..) => return Err(Violation::DelayWithoutRetry { reason, delay_ms }),
        (true, _) => check_retry(verdict, judged, limits)?,
        (false, _) if ceiling_ms > 0 && reason != Reason::Shadow => {
            return Err(Violation::CeilingWithoutRetry { reason, ceiling_ms });
        }
        (false, _) => {}
    }
    check_price(verdict, judged.budgets)?;
    let agrees = match verdict.metadata {
        None => !judged.with_metadata,
        Some(metadata) => {
            judged.with_metadata
                && metadata.retry_delay_ms == delay_ms
                && metadata.retry_count == verdict.failures
        }
    };
    if !agrees {
        return Err(Violation::WrongMetadata);
    }
    let &Verdict { class, not_executed, .. } = verdict;
    if !agree(class, reason) || (not_executed && class == Class::Succeeded) {
        return Err(Violation::WrongClass { class, reason });
    }
    Ok(())
}

/// Checks what a verdict says of retry budgets.
fn check_price(verdict: &Verdict, named: usize) -> Result<(), Violation> {
    let &Verdict { tool_budget: number, cost, reason, .. } = verdict;
    if usize::from(number) > named {
        return Err(Violation::UnknownBudget { number, named });
    }
    if cost > 0 && number == 0 {
        return Err(Violation::CostWithoutBudget { cost });
    }
    if cost > 0 && verdict.retry_delay_ms == 0 && reason != Reason::Shadow {
        return Err(Violation::CostWithoutRetry { reason, cost });
    }
    Ok(())
}

/// Checks a verdict that asks for a retry.
fn check_retry(verdict: &Verdict, judged: &Judged<'_>, limits: &Limits) -> Result<(), Violation> {
    let &Verdict { retry_delay_ms: delay_ms, delay_ceiling_ms: ceiling_ms, .. } = verdict;
    if Duration::from_millis(delay_ms) > limits.max_delay {
        let most_ms = u64::try_from(limits.max_delay.as_millis()).unwrap_or(u64::MAX);
        return Err(Violation::DelayTooLong { delay_ms, most_ms });
    }
    if delay_ms > ceiling_ms {
        return Err(Violation::DelayAboveCeiling { delay_ms, ceiling_ms });
    }
    if !may_have_failed(judged.outcome, judged.read_content) {
        return Err(Violation::RetryOfSuccess);
    }
    if matches!(
        judged.outcome,
        Outcome::Unfinished(_) | Outcome::Cancelled | Outcome::Refused | Outcome::Other
    ) {
        return Err(Violation::RetryOfEnded);
    }
    if judged.attempt > judged.max_retries {
        let (attempt, most) = (judged.attempt, judged.max_retries);
        return Err(Violation::RetryPastCeiling { attempt, most });
    }
    if verdict.failures == 0 {
        return Err(Violation::RetryWithoutFailure);
    }
    Ok(())
}
