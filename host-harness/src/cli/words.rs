//! Reasons and outcomes in words for people.

use host_harness::{
    contract::{Outcome, Reason, Returned, Structured, TransportFailure},
    gateway::Stop,
};

/// Why the plugin decided as it did.
pub const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ToolError => "the tool reported an error",
        Reason::StructuredError => "its structured content reports an error",
        Reason::TextError => "its text reports an error",
        Reason::RetryableStatus => "the status is worth a retry",
        Reason::TimedOut => "it took too long",
        Reason::TransportFailed => "the connection failed",
        Reason::RpcError => "the error may pass",
        Reason::Succeeded => "succeeded",
        Reason::StatusNotRetryable => "the status is not worth a retry",
        Reason::RpcCodeNotRetryable => "the request itself is wrong",
        Reason::RetriesExhausted => "all retries are spent",
        Reason::DeadlineTooClose => "the deadline is too close",
    }
}

/// Why a call made no further attempt.
pub fn stop(stop: &Stop) -> String {
    match stop {
        Stop::Plugin(verdict) => reason(verdict.reason).to_owned(),
        Stop::Ceiling(_) => "the gateway's ceiling on retries is reached".to_owned(),
        Stop::Deadline(_) => "the wait would not end before the deadline".to_owned(),
        Stop::PluginFailed(failure) => format!("the plugin gave no verdict: {failure}"),
        Stop::NoPlugin => "no plugin is loaded".to_owned(),
        Stop::Cancelled => "cancelled".to_owned(),
    }
}

/// How an attempt ended.
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
    }
}

/// `NO_COLOR` (no-color.org): set to anything but nothing, it asks for none.
pub fn colour_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
