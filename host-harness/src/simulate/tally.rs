//! Sums over calls.

use std::time::Duration;

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Attempts that it took.
    pub attempts: u32,
    /// Whether nothing could make it succeed.
    pub hopeless: bool,
    /// From its first attempt to its end.
    pub took: Duration,
}

/// Calls that arrived in one span of time. A call belongs to the span in which
/// it arrived, an attempt to the one in which it began.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Calls that arrived.
    pub calls: u64,
    /// Those of them that succeeded in the end.
    pub succeeded: u64,
    /// Attempts that all of them took.
    pub attempts: u64,
    /// Those whose first attempt failed, without those that nothing could help.
    pub failed_first: u64,
    /// Those of them that got a retry.
    pub retried: u64,
    /// Those of them that succeeded in the end.
    pub saved: u64,
    /// Microseconds that each of these calls took, waits included; not in order.
    pub took: Vec<u32>,
    /// The most attempts that began within a tenth of a second.
    pub peak: u64,
}

impl Tally {
    /// Another call.
    pub fn add(&mut self, call: &Ended) {
        let retried = call.attempts > 1;
        self.calls += 1;
        self.succeeded += u64::from(call.succeeded);
        self.attempts += u64::from(call.attempts);
        if !call.hopeless && (retried || !call.succeeded) {
            self.failed_first += 1;
            self.retried += u64::from(retried);
            self.saved += u64::from(call.succeeded);
        }
        self.took.push(u32::try_from(call.took.as_micros()).unwrap_or(u32::MAX));
    }

    /// The calls of both.
    pub fn join(&mut self, other: &Self) {
        self.calls += other.calls;
        self.succeeded += other.succeeded;
        self.attempts += other.attempts;
        self.failed_first += other.failed_first;
        self.retried += other.retried;
        self.saved += other.saved;
        self.took.extend_from_slice(&other.took);
        self.peak = self.peak.max(other.peak);
    }
}

/// What happened in one slice of time.
#[derive(Debug, Clone, Default)]
pub struct Slice {
    /// The calls that arrived in it.
    pub tally: Tally,
    /// Attempts that began, of whatever call.
    pub attempts: u64,
    /// What is left in the emptiest bucket; none if there is none that is not full.
    pub tokens: Option<f64>,
}
