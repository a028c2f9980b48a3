//! A published policy in the place of the component.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Algorithm, Call, Decision, Failed, Published, Pushback};
use crate::{
    contract::{Class, Invocation, MostRetries, Outcome, Reason, Verdict},
    gateway::{Background, CallContext, Hook, LogicalCall, RetryHook, Step},
    sandbox::HookFailure,
    simulate::chance::{Chance, Stream},
};

/// A model of one client: its state for each of its upstreams, and its calls.
#[derive(Debug)]
pub(in crate::simulate) struct Modelled {
    published: Published,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    upstreams: HashMap<Option<String>, Box<dyn Algorithm>>,
    /// Those that have failed and go on, by the id of their request.
    calls: HashMap<String, Call>,
    chance: Chance,
}

impl Modelled {
    pub(in crate::simulate) fn new(published: Published, seed: u64) -> Self {
        let chance = Chance::new(seed, Stream::Models);
        let state = State { upstreams: HashMap::new(), calls: HashMap::new(), chance };
        Self { published, state: Mutex::new(state) }
    }

    /// What is left in its emptiest budget.
    pub(in crate::simulate) fn left(&self) -> Option<f64> {
        self.lock().upstreams.values().filter_map(|it| it.left()).reduce(f64::min)
    }

    /// As [`Observer::observe`](crate::gateway::Observer::observe): some policies count the attempts in flight.
    pub(in crate::simulate) fn observe(&self, call: &LogicalCall, step: &Step<'_>, now: Duration) {
        let mut state = self.lock();
        let upstream = state.upstream(self.published, &call.context);
        match step {
            Step::AttemptStarted(attempt) => upstream.started(attempt.number(), now),
            Step::AttemptEnded { .. } => upstream.ended(),
            Step::Waiting { .. } | Step::Finished { .. } => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn upstream(&mut self, published: Published, context: &CallContext) -> &mut dyn Algorithm {
        upstream(&mut self.upstreams, published, context)
    }
}

/// What is kept for the upstream of a call.
fn upstream<'a>(
    upstreams: &'a mut HashMap<Option<String>, Box<dyn Algorithm>>,
    published: Published,
    context: &CallContext,
) -> &'a mut dyn Algorithm {
    &mut **upstreams.entry(context.upstream.clone()).or_insert_with(|| published.algorithm())
}

impl RetryHook for Modelled {
    fn judge(
        &self,
        _: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, HookFailure> {
        let State { upstreams, calls, chance } = &mut *self.lock();
        let known = calls.remove(invocation.request_id);
        let upstream = upstream(upstreams, self.published, &background.context);
        if known.is_some() {
            upstream.settled();
        }
        let mut call = known.unwrap_or_default();
        let Some(failure) = failure(outcome) else {
            upstream.succeeded(&call);
            return Ok(verdict(0, 0, Reason::Succeeded, invocation.attempt - 1));
        };
        let failed = Failed {
            attempt: invocation.attempt,
            timed_out: matches!(outcome, Outcome::TimedOut),
            pushback: pushback(outcome),
            now: Duration::from_millis(invocation.now_ms),
        };
        Ok(match upstream.failed(&failed, &mut call, chance) {
            Decision::Retry { wait, at_most } => {
                call.waited = Some(wait);
                calls.insert(invocation.request_id.to_owned(), call);
                // The contract has no retry without a wait.
                let (wait, at_most) = (millis(wait).max(1), millis(at_most).max(1));
                verdict(wait, at_most.max(wait), failure, invocation.attempt)
            }
            Decision::Enough => verdict(0, 0, Reason::RetriesExhausted, invocation.attempt),
            Decision::BudgetExhausted => verdict(0, 0, Reason::BudgetExhausted, invocation.attempt),
        })
    }

    fn retries(&self, _: Hook, _: &str, _: &Arc<CallContext>) -> Result<MostRetries, HookFailure> {
        // Asked only to tell servers; the simulated one does not listen.
        Ok(MostRetries { maybe_executed: super::RETRIES, not_executed: super::RETRIES })
    }

    fn forget(&self, _: Hook, _: &str, request_id: &str, context: &CallContext) {
        let mut state = self.lock();
        if state.calls.remove(request_id).is_some() {
            state.upstream(self.published, context).settled();
        }
    }
}

/// What an outcome of the simulated server is a failure for.
const fn failure(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::Returned(returned) if !returned.is_error => None,
        Outcome::TimedOut => Some(Reason::TimedOut),
        Outcome::TransportFailed(_) => Some(Reason::TransportFailed),
        Outcome::RpcError(_) => Some(Reason::RpcError),
        Outcome::HttpError(_) => Some(Reason::RetryableStatus),
        _ => Some(Reason::ToolError),
    }
}

fn pushback(outcome: &Outcome) -> Option<Pushback> {
    let Outcome::HttpError(error) = outcome else { return None };
    let wait = |millis| Pushback::After(Duration::from_millis(millis));
    error.pushback_ms.map(|millis| u64::try_from(millis).map_or(Pushback::Never, wait))
}

const fn verdict(wait: u64, at_most: u64, reason: Reason, failures: u32) -> Verdict {
    Verdict {
        retry_delay_ms: wait,
        reason,
        failures,
        delay_ceiling_ms: at_most,
        class: match reason {
            Reason::Succeeded => Class::Succeeded,
            _ => Class::Transient,
        },
        not_executed: false,
        tool_budget: 0,
        cost: 0,
        pushback_ms: None,
        metadata: None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
