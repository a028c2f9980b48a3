//! Reasons and outcomes in words for people.

use crate::{
    contract::{Outcome, Reason, Returned, Structured, TransportFailure, Unfinished},
    gateway::Stop,
};

/// Why the plugin decided as it did.
#[must_use]
pub const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ToolError => "the tool reported an error",
        Reason::StructuredError => "its structured content reports an error",
        Reason::TextError => "its text reports an error",
        Reason::RetryableStatus => "the status is worth a retry",
        Reason::TimedOut => "it took too long",
        Reason::TransportFailed => "the connection failed",
        Reason::RpcError => "the error may pass",
        Reason::Transient => "what the server says may pass",
        Reason::Throttled => "the server says that it gets too many requests",
        Reason::Succeeded => "succeeded",
        Reason::StatusNotRetryable => "the status is not worth a retry",
        Reason::RpcCodeNotRetryable => "the request itself is wrong",
        Reason::RetriesExhausted => "all retries are spent",
        Reason::DeadlineTooClose => "the deadline is too close",
        Reason::AttemptWouldNotFit => "an attempt would not end before the deadline",
        Reason::Permanent => "the server says that trying again will not help",
        Reason::QuotaSpent => "the quota is used up",
        Reason::Unclassified => "nothing says that the failure passes (`signals`)",
        Reason::NotReplaySafe => {
            "the configuration says not to do it twice (`replay_safety`, `idempotent`)"
        }
        Reason::HintsNotSeen => "no hints seen that it is safe to do twice (`idempotent`)",
        Reason::HintsNotTrusted => {
            "the server's hints are not trusted (`trusted_upstreams`, `idempotent`)"
        }
        Reason::HintsSilent => {
            "the server's hints do not say that it is safe to do twice (`idempotent`)"
        }
        Reason::HintsForbid => {
            "the server's hints say that it is not safe to do twice (`idempotent`)"
        }
        Reason::Continuation => "it continues another call and may have been sent",
        Reason::PushbackTooLong => "the server asks for a longer wait than `pushback.max_ms`",
        Reason::PushbackStop => "the server does not want to be called again",
        Reason::BudgetExhausted => "the retry budget is spent",
        Reason::OuterLayerRetries => "a layer before this one retries",
        Reason::Unfinished => "the call goes on elsewhere",
        Reason::Cancelled => "the client gave it up",
        Reason::Refused => "another plugin refused it",
        Reason::Shadow => "would be retried, but this is shadow mode",
        Reason::Other => "a reason that this gateway does not know",
    }
}

/// Why a call made no further attempt.
#[must_use]
pub fn stop(stop: &Stop) -> String {
    match stop {
        Stop::Plugin(verdict) => reason(verdict.reason).to_owned(),
        Stop::Ceiling(_) => "the gateway's ceiling on retries is reached".to_owned(),
        Stop::Deadline(_) => "the wait would not end before the deadline".to_owned(),
        Stop::NoMoreAttempts(_) => {
            "no further attempt: the gateway stops, or the server is gone".to_owned()
        }
        Stop::WaitTooLong(verdict) => format!(
            "the plugin asked for a wait of {} ms, which is longer than the gateway allows",
            match verdict.reason {
                Reason::Shadow => verdict.delay_ceiling_ms,
                _ => verdict.retry_delay_ms,
            }
        ),
        Stop::BudgetExhausted(_) => {
            "the retry budget of the tool or of its server is spent (`budget`)".to_owned()
        }
        Stop::NotJudged(too_long) => format!("it is not judged: {too_long}"),
        Stop::PluginFailed(failure) | Stop::FailedClosed(failure) => {
            format!("the plugin gave no verdict: {failure}")
        }
        Stop::NoPlugin => "no plugin is loaded".to_owned(),
        Stop::Cancelled => "cancelled".to_owned(),
    }
}

/// How an attempt ended.
#[must_use]
pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Returned(Returned { is_error, structured }) => match structured {
            Some(Structured { status_code: Some(status), .. }) => format!("status {status}"),
            _ if *is_error => "isError".to_owned(),
            Some(Structured { is_error: true, .. }) => "structured isError".to_owned(),
            _ => "a result".to_owned(),
        },
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::TransportFailed(TransportFailure::BeforeDispatch) => "not sent".to_owned(),
        Outcome::TransportFailed(TransportFailure::AfterDispatch) => "connection lost".to_owned(),
        Outcome::RpcError(code) => format!("RPC error {code}"),
        Outcome::HttpError(error) => format!("HTTP {}", error.status),
        Outcome::Unfinished(Unfinished::InputRequired) => "input required".to_owned(),
        Outcome::Unfinished(Unfinished::Task) => "a task".to_owned(),
        Outcome::Cancelled => "cancelled".to_owned(),
        Outcome::Refused => "refused".to_owned(),
        Outcome::Other => "an outcome without a name".to_owned(),
    }
}
