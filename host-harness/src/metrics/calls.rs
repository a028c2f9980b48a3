//! The watcher of the retry loop.

use super::{AttemptLabels, CallLabels, DecisionLabels, Metrics};
use crate::{
    contract::{HookError, Outcome, Reason, Returned, Structured, TransportFailure, Verdict},
    gateway::{Attempt, Hook, LogicalCall, Observer, Step, Stop},
    sandbox::HookFailure,
};

impl Observer for Metrics {
    fn observe(&self, call: &LogicalCall, step: &Step<'_>) {
        let upstream = || call.context.upstream.clone().unwrap_or_default();
        let hook = match call.hook {
            Hook::ToolPostInvoke => "tool_post_invoke",
            Hook::ResourcePostFetch => "resource_post_fetch",
        };
        match step {
            Step::AttemptStarted(attempt) => {
                if *attempt == Attempt::FIRST {
                    self.calls_in_flight.inc();
                }
                self.woken(call);
            }
            Step::AttemptEnded { attempt, outcome, took } => {
                let retry = if *attempt == Attempt::FIRST { "false" } else { "true" };
                let outcome = outcome_label(outcome);
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
                if let Stop::Plugin(verdict) | Stop::Ceiling(verdict) | Stop::Deadline(verdict) =
                    stop
                {
                    self.decided(verdict);
                }
                self.woken(call);
                self.calls_in_flight.dec();
                let labels = CallLabels { upstream: upstream(), hook, end: end_label(stop) };
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
        let labels = DecisionLabels { retry, reason: reason_label(verdict.reason) };
        self.decisions.get_or_create(&labels).inc();
    }
}

fn end_label(stop: &Stop) -> &'static str {
    match stop {
        Stop::Plugin(verdict) => reason_label(verdict.reason),
        Stop::Ceiling(_) => "ceiling",
        Stop::Deadline(_) => "deadline",
        Stop::PluginFailed(HookFailure::Refused(HookError::Unsupported)) => "not_judged",
        Stop::PluginFailed(_) => "plugin_failed",
        Stop::FailedClosed(_) => "failed_closed",
        Stop::NoPlugin => "no_plugin",
        Stop::Cancelled => "cancelled",
    }
}

/// As the plugin's own statistics call them.
const fn reason_label(reason: Reason) -> &'static str {
    match reason {
        Reason::ToolError => "tool_error",
        Reason::StructuredError => "structured_error",
        Reason::TextError => "text_error",
        Reason::RetryableStatus => "retryable_status",
        Reason::TimedOut => "timed_out",
        Reason::TransportFailed => "transport_failed",
        Reason::RpcError => "rpc_error",
        Reason::Succeeded => "succeeded",
        Reason::StatusNotRetryable => "status_not_retryable",
        Reason::RpcCodeNotRetryable => "rpc_code_not_retryable",
        Reason::RetriesExhausted => "retries_exhausted",
        Reason::DeadlineTooClose => "deadline_too_close",
        Reason::AttemptWouldNotFit => "attempt_would_not_fit",
        Reason::NotReplaySafe => "not_replay_safe",
        Reason::PushbackTooLong => "pushback_too_long",
        Reason::PushbackStop => "pushback_stop",
        Reason::BudgetExhausted => "budget_exhausted",
        Reason::OuterLayerRetries => "outer_layer_retries",
        Reason::Unfinished => "unfinished",
        Reason::Cancelled => "cancelled",
        Reason::Refused => "refused",
        Reason::Shadow => "shadow",
    }
}

/// Kinds only: statuses and codes are the upstream's to choose.
fn outcome_label(outcome: &Outcome) -> &'static str {
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
    }
}
