//! How often each decision was taken.

use alloc::{string::String, vec::Vec};

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
        let mut metrics = Vec::with_capacity(Reason::NAMES.len() + 10);
        for (reason, value) in Reason::NAMES.iter().zip(self.by_reason) {
            add(&mut metrics, "decisions.", reason, value);
        }
        add(&mut metrics, "calls.", "forgotten", self.forgotten);
        add(&mut metrics, "calls.", "recovered", self.recovered);
        metrics
    }
}

/// Adds one that is called by its group and its name there.
#[inline(never)]
pub(crate) fn add(metrics: &mut Vec<Metric>, group: &str, name: &str, value: u64) {
    let mut full = String::from(group);
    full.push_str(name);
    metrics.push(Metric { name: full, value });
}
