//! Why a verdict is what it is, in the words of the contract.

use crate::{
    detect::{Permanent, Signal},
    replay::Unsafe,
    verdict::{Stop, Verdict},
};

/// The reasons of the contract, in its order; the WIT files document them.
#[expect(missing_docs, reason = "the WIT files document these items")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    ToolError,
    StructuredError,
    TextError,
    RetryableStatus,
    TimedOut,
    TransportFailed,
    RpcError,
    Transient,
    Throttled,
    Succeeded,
    StatusNotRetryable,
    RpcCodeNotRetryable,
    RetriesExhausted,
    DeadlineTooClose,
    AttemptWouldNotFit,
    Permanent,
    QuotaSpent,
    Unclassified,
    NotReplaySafe,
    HintsNotSeen,
    HintsNotTrusted,
    HintsSilent,
    HintsForbid,
    Continuation,
    PushbackTooLong,
    PushbackStop,
    OuterLayerRetries,
    Unfinished,
    Cancelled,
    Refused,
    Shadow,
}

impl Reason {
    /// Their names in metrics, in the same order.
    pub(crate) const NAMES: [&str; 31] = [
        "tool_error",
        "structured_error",
        "text_error",
        "retryable_status",
        "timed_out",
        "transport_failed",
        "rpc_error",
        "transient",
        "throttled",
        "succeeded",
        "status_not_retryable",
        "rpc_code_not_retryable",
        "retries_exhausted",
        "deadline_too_close",
        "attempt_would_not_fit",
        "permanent",
        "quota_spent",
        "unclassified",
        "not_replay_safe",
        "hints_not_seen",
        "hints_not_trusted",
        "hints_silent",
        "hints_forbid",
        "continuation",
        "pushback_too_long",
        "pushback_stop",
        "outer_layer_retries",
        "unfinished",
        "cancelled",
        "refused",
        "shadow",
    ];
}

impl Verdict {
    /// Why it is what it is.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Retry { failure, .. } => failure.signal.reason(),
            Self::Shadow { .. } => Reason::Shadow,
            Self::Stop { why, .. } => why.reason(),
        }
    }
}

impl Signal {
    const fn reason(self) -> Reason {
        match self {
            Self::ToolError => Reason::ToolError,
            Self::StructuredError => Reason::StructuredError,
            Self::TextError => Reason::TextError,
            Self::RetryableStatus => Reason::RetryableStatus,
            Self::TimedOut => Reason::TimedOut,
            Self::TransportFailed { .. } => Reason::TransportFailed,
            Self::RpcError => Reason::RpcError,
            Self::Transient => Reason::Transient,
            Self::Throttled => Reason::Throttled,
        }
    }
}

impl Stop {
    const fn reason(self) -> Reason {
        match self {
            Self::Succeeded { .. } => Reason::Succeeded,
            Self::Permanent(Permanent::Status) => Reason::StatusNotRetryable,
            Self::Permanent(Permanent::RpcCode) => Reason::RpcCodeNotRetryable,
            Self::Permanent(Permanent::Words) => Reason::Permanent,
            Self::Permanent(Permanent::Quota) => Reason::QuotaSpent,
            Self::Permanent(Permanent::Unclassified) => Reason::Unclassified,
            Self::Permanent(Permanent::Unfinished) => Reason::Unfinished,
            Self::Permanent(Permanent::Cancelled) => Reason::Cancelled,
            Self::Permanent(Permanent::Refused) => Reason::Refused,
            Self::RetriesExhausted => Reason::RetriesExhausted,
            Self::OuterLayerRetries => Reason::OuterLayerRetries,
            Self::Unsafe(Unsafe::Marked) => Reason::NotReplaySafe,
            Self::Unsafe(Unsafe::NotSeen) => Reason::HintsNotSeen,
            Self::Unsafe(Unsafe::NotTrusted) => Reason::HintsNotTrusted,
            Self::Unsafe(Unsafe::Silent) => Reason::HintsSilent,
            Self::Unsafe(Unsafe::Forbidden) => Reason::HintsForbid,
            Self::Continuation => Reason::Continuation,
            Self::PushbackTooLong => Reason::PushbackTooLong,
            Self::PushbackStop => Reason::PushbackStop,
            Self::DeadlineTooClose => Reason::DeadlineTooClose,
            Self::AttemptWouldNotFit => Reason::AttemptWouldNotFit,
        }
    }
}
