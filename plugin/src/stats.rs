//! How often each decision was taken.

use alloc::{format, string::String, vec::Vec};

use crate::{
    decide::{Stop, Verdict},
    detect::{Permanent, Signal},
};

/// A number with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Lower case, never made from what callers choose.
    pub name: String,
    /// The value now.
    pub value: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Decisions {
    by_reason: [u64; REASONS.len()],
    pub(crate) forgotten: u64,
}

/// The reasons of the contract, in its order and spelling.
const REASONS: [&str; 12] = [
    "tool-error",
    "structured-error",
    "text-error",
    "retryable-status",
    "timed-out",
    "transport-failed",
    "rpc-error",
    "succeeded",
    "status-not-retryable",
    "rpc-code-not-retryable",
    "retries-exhausted",
    "deadline-too-close",
];

impl Decisions {
    pub(crate) fn count(&mut self, verdict: &Verdict) {
        let reason = match verdict {
            Verdict::Retry { signal, .. } => match signal {
                Signal::ToolError => 0,
                Signal::StructuredError => 1,
                Signal::TextError => 2,
                Signal::RetryableStatus => 3,
                Signal::TimedOut => 4,
                Signal::TransportFailed => 5,
                Signal::RpcError => 6,
            },
            Verdict::Stop { why, .. } => match why {
                Stop::Succeeded => 7,
                Stop::Permanent(Permanent::Status) => 8,
                Stop::Permanent(Permanent::RpcCode) => 9,
                Stop::RetriesExhausted => 10,
                Stop::DeadlineTooClose => 11,
            },
        };
        self.by_reason[reason] += 1;
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let by_reason = REASONS.iter().zip(self.by_reason);
        let named = by_reason.map(|(reason, value)| Metric {
            name: format!("decisions.{}", reason.replace('-', "_")),
            value,
        });
        let forgotten = Metric { name: String::from("calls.forgotten"), value: self.forgotten };
        named.chain([forgotten]).collect()
    }
}
