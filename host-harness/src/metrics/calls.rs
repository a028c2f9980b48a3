//! The watcher of the retry loop.

use super::{AttemptLabels, CallLabels, DecisionLabels, Metrics};
use crate::{
    contract::Verdict,
    gateway::{Attempt, LogicalCall, Observer, Step, Stop, label},
};

impl Observer for Metrics {
    fn observe(&self, call: &LogicalCall, step: &Step<'_>) {
        let upstream = || call.context.upstream.clone().unwrap_or_default();
        let hook = label::hook(call.hook);
        match step {
            Step::AttemptStarted(attempt) => {
                if *attempt == Attempt::FIRST {
                    self.calls_in_flight.inc();
                }
                self.woken(call);
            }
            Step::AttemptEnded { attempt, outcome, took } => {
                let retry = if *attempt == Attempt::FIRST { "false" } else { "true" };
                let outcome = label::outcome(outcome);
                let labels = AttemptLabels { upstream: upstream(), hook, retry, outcome };
                self.attempts.get_or_create(&labels).inc();
                self.attempt_seconds.observe(took.as_secs_f64());
            }
            Step::Waiting { verdict, .. } => {
                self.decided(verdict);
                if self.asleep().insert(call.request_id.clone()) {
                    self.sleeping_retries.inc();
                }
            }
            Step::Finished { stop, .. } => {
                if let Stop::Plugin(verdict)
                | Stop::Ceiling(verdict)
                | Stop::Deadline(verdict)
                | Stop::NoMoreAttempts(verdict)
                | Stop::WaitTooLong(verdict)
                | Stop::BudgetExhausted(verdict) = stop
                {
                    self.decided(verdict);
                }
                self.woken(call);
                self.calls_in_flight.dec();
                let labels = CallLabels { upstream: upstream(), hook, end: label::end(stop) };
                self.calls.get_or_create(&labels).inc();
            }
        }
    }
}

impl Metrics {
    fn woken(&self, call: &LogicalCall) {
        if self.asleep().remove(&call.request_id) {
            self.sleeping_retries.dec();
        }
    }

    fn decided(&self, verdict: &Verdict) {
        let retry = if verdict.retry_delay_ms > 0 { "true" } else { "false" };
        let labels = DecisionLabels { retry, reason: label::reason(verdict.reason) };
        self.decisions.get_or_create(&labels).inc();
    }
}
