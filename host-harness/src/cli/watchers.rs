//! Who watches calls: the log, and the numbers.

use std::sync::Arc;

use host_harness::{
    gateway::{LogicalCall, Observer, Step},
    metrics::Metrics,
};

use crate::cli::call_log::CallLog;

/// Logs calls and counts them.
pub(super) struct Watchers {
    pub(super) log: CallLog,
    pub(super) metrics: Arc<Metrics>,
}

impl Observer for Watchers {
    fn observe(&self, call: &LogicalCall, step: &Step<'_>) {
        self.log.observe(call, step);
        self.metrics.observe(call, step);
    }
}
