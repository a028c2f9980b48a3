//! What a call is to those who trace it: a span for the call, and in it one for
//! each attempt and one for each decision.
//!
//! `retry_attempt`, `retry_count` and `retry_delay_ms` are the original's names
//! and mean what they mean there: how many retries came before, 0 for the first
//! attempt; how many failures of this call the plugin has counted, 0 if this was
//! none; the delay that the plugin asks for, 0 if it asks for no retry.
//!
//! Nothing here is of what was asked or answered.

use tracing::{Span, debug_span, field::Empty};

use crate::{
    contract::{Outcome, Verdict},
    gateway::{Attempt, Hook, LogicalCall, Stop, label, shown::shown},
    sandbox::HookFailure,
};

/// Where these spans, and nothing else, come from.
pub(crate) const TARGET: &str = module_path!();

/// Of a logical call; its end is filled in later.
pub(crate) fn call(hook: Hook, target: &str, upstream: Option<&str>) -> Span {
    let target = &*shown(hook, target);
    debug_span!(
        "call",
        otel.kind = "server",
        hook = label::hook(hook),
        target,
        upstream,
        attempts = Empty,
        end = Empty,
    )
}

/// The call has ended.
pub(super) fn call_ended(call: &LogicalCall, attempts: Attempt, stop: &Stop) {
    call.span.record("attempts", attempts.number());
    call.span.record("end", label::end(stop));
}

/// Of an attempt; its outcome is filled in later.
pub(super) fn attempt(call: &LogicalCall, attempt: Attempt) -> Span {
    debug_span!(
        parent: &call.span,
        "attempt",
        otel.kind = "client",
        retry_attempt = attempt.retries(),
        outcome = Empty,
        otel.status_code = Empty,
    )
}

/// The attempt has ended; without an outcome its call was cancelled.
pub(super) fn attempt_ended(span: &Span, outcome: Option<&Outcome>) {
    let outcome = outcome.map_or("cancelled", label::outcome);
    span.record("outcome", outcome);
    if !matches!(outcome, "result" | "unfinished") {
        span.record("otel.status_code", "ERROR");
    }
}

/// Of a decision, which lasts as long as the plugin is asked.
pub(super) fn decision(call: &LogicalCall, attempt: Attempt) -> Span {
    debug_span!(
        parent: &call.span,
        "decision",
        retry_attempt = attempt.retries(),
        retry_count = Empty,
        retry_delay_ms = Empty,
        reason = Empty,
        failure = Empty,
        otel.status_code = Empty,
    )
}

/// The plugin has answered, or failed.
pub(super) fn decided(span: &Span, answer: Result<&Verdict, &HookFailure>) {
    match answer {
        Ok(verdict) => {
            span.record("retry_count", verdict.failures);
            span.record("retry_delay_ms", verdict.retry_delay_ms);
            span.record("reason", label::reason(verdict.reason));
        }
        Err(failure) => match label::failure(failure) {
            Some(kind) => {
                span.record("failure", kind);
                span.record("otel.status_code", "ERROR");
            }
            None => drop(span.record("reason", "not_judged")),
        },
    }
}
