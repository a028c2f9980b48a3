//! How often each decision was taken.

use alloc::{format, string::String, vec::Vec};

use crate::{
    reason::Reason,
    verdict::{Stop, Verdict},
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
    by_reason: [u64; Reason::NAMES.len()],
    /// Calls that succeeded after a failure.
    pub(crate) recovered: u64,
    pub(crate) forgotten: u64,
}

impl Decisions {
    #[inline]
    pub(crate) fn count(&mut self, verdict: &Verdict) {
        self.by_reason[verdict.reason() as usize] += 1;
        if let Verdict::Stop { why: Stop::Succeeded { recovered: true }, .. } = verdict {
            self.recovered += 1;
        }
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let by_reason = Reason::NAMES.iter().zip(self.by_reason);
        let named =
            by_reason.map(|(reason, value)| Metric { name: format!("decisions.{reason}"), value });
        let calls = [("calls.forgotten", self.forgotten), ("calls.recovered", self.recovered)];
        named.chain(calls.map(|(name, value)| Metric { name: name.into(), value })).collect()
    }
}
