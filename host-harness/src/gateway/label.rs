//! What the steps of a call are called in metrics and spans: few names, and
//! none that a caller or an upstream chooses.

use crate::{
    contract::{HookError, Outcome, Reason, Returned, Structured, TransportFailure},
    gateway::{Hook, Stop},
    sandbox::{Breakage, HookFailure},
};

/// As gateways call them in their configuration.
pub(crate) const fn hook(hook: Hook) -> &'static str {
    match hook {
        Hook::ToolPostInvoke => "tool_post_invoke",
        Hook::ResourcePostFetch => "resource_post_fetch",
    }
}

/// Why a call made no further attempt.
pub(crate) fn end(stop: &Stop) -> &'static str {
    match stop {
        Stop::Plugin(verdict) => reason(verdict.reason),
        Stop::Ceiling(_) => "ceiling",
        Stop::Deadline(_) => "deadline",
        Stop::NoMoreAttempts(_) => "no_more_attempts",
        Stop::WaitTooLong(_) => "wait_too_long",
        Stop::BudgetExhausted(_) => "budget_exhausted",
        Stop::NotJudged(_) => "target_too_long",
        Stop::PluginFailed(HookFailure::Refused(HookError::Unsupported)) => "not_judged",
        Stop::PluginFailed(_) => "plugin_failed",
        Stop::FailedClosed(_) => "failed_closed",
        Stop::NoPlugin => "no_plugin",
        Stop::Cancelled => "cancelled",
    }
}

/// As the plugin's own statistics call them.
pub(crate) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ToolError => "tool_error",
        Reason::StructuredError => "structured_error",
        Reason::TextError => "text_error",
        Reason::RetryableStatus => "retryable_status",
        Reason::TimedOut => "timed_out",
        Reason::TransportFailed => "transport_failed",
        Reason::RpcError => "rpc_error",
        Reason::Transient => "transient",
        Reason::Throttled => "throttled",
        Reason::Succeeded => "succeeded",
        Reason::StatusNotRetryable => "status_not_retryable",
        Reason::RpcCodeNotRetryable => "rpc_code_not_retryable",
        Reason::RetriesExhausted => "retries_exhausted",
        Reason::DeadlineTooClose => "deadline_too_close",
        Reason::AttemptWouldNotFit => "attempt_would_not_fit",
        Reason::Permanent => "permanent",
        Reason::QuotaSpent => "quota_spent",
        Reason::Unclassified => "unclassified",
        Reason::NotReplaySafe => "not_replay_safe",
        Reason::HintsNotSeen => "hints_not_seen",
        Reason::HintsNotTrusted => "hints_not_trusted",
        Reason::HintsSilent => "hints_silent",
        Reason::HintsForbid => "hints_forbid",
        Reason::Continuation => "continuation",
        Reason::PushbackTooLong => "pushback_too_long",
        Reason::PushbackStop => "pushback_stop",
        Reason::BudgetExhausted => "budget_exhausted",
        Reason::OuterLayerRetries => "outer_layer_retries",
        Reason::Unfinished => "unfinished",
        Reason::Cancelled => "cancelled",
        Reason::Refused => "refused",
        Reason::Shadow => "shadow",
        Reason::Other => "other",
    }
}

/// Kinds only: statuses and codes are the upstream's to choose.
pub(crate) fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Returned(Returned { is_error: true, .. })
        | Outcome::Returned(Returned {
            structured: Some(Structured { is_error: true, .. }), ..
        }) => "error_result",
        Outcome::Returned(_) => "result",
        Outcome::TimedOut => "timed_out",
        Outcome::TransportFailed(TransportFailure::BeforeDispatch) => "not_sent",
        Outcome::TransportFailed(TransportFailure::AfterDispatch) => "connection_lost",
        Outcome::RpcError(_) => "rpc_error",
        Outcome::HttpError(_) => "http_error",
        Outcome::Unfinished(_) => "unfinished",
        Outcome::Cancelled => "cancelled",
        Outcome::Refused => "refused",
        Outcome::Other => "other",
    }
}

/// What kind of failure it is; none if the plugin just does not judge such calls.
pub(crate) fn failure(failure: &HookFailure) -> Option<&'static str> {
    match failure {
        HookFailure::Refused(HookError::Unsupported) => None,
        HookFailure::Refused(_) => Some("refused"),
        HookFailure::Broke(Breakage::TooSlow(_)) => Some("too_slow"),
        HookFailure::Broke(Breakage::Trapped(_)) => Some("trapped"),
        HookFailure::Broke(Breakage::NoInstance(_)) => Some("no_instance"),
        HookFailure::Broke(Breakage::Exceeded(_)) => Some("exceeded"),
        HookFailure::Broke(Breakage::Resting { .. }) => Some("resting"),
        HookFailure::Broke(Breakage::SetAside { .. }) => Some("set_aside"),
        HookFailure::Broke(Breakage::Busy { .. }) => Some("busy"),
        HookFailure::Rejected(_) => Some("rejected"),
    }
}
