//! Models of published algorithms, to check the simulation against what their
//! authors report, and to compare the component with. They are no part of the
//! component and run outside of the sandbox.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    contract::{Class, Invocation, MostRetries, Outcome, Reason, Verdict},
    gateway::{Background, CallContext, Hook, RetryHook},
    sandbox::HookFailure,
    simulate::{
        chance::{Chance, Stream},
        scenario::ModelBudget,
    },
};

/// A bucket out of which every retry takes a token; see [`ModelBudget`].
#[derive(Debug)]
pub struct Model {
    terms: ModelBudget,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    chance: Chance,
}

impl Model {
    /// With a full bucket.
    #[must_use]
    pub fn new(terms: ModelBudget, seed: u64) -> Self {
        let chance = Chance::new(seed, Stream::Models);
        Self { terms, bucket: Mutex::new(Bucket { tokens: terms.max_tokens.0 as f64, chance }) }
    }

    /// What is left in the bucket.
    #[must_use]
    pub fn tokens(&self) -> f64 {
        self.lock().tokens
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RetryHook for Model {
    fn judge(
        &self,
        _: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        _: Background,
    ) -> Result<Verdict, HookFailure> {
        let terms = &self.terms;
        let mut bucket = self.lock();
        let put_in = |bucket: &mut Bucket, tokens: f64| {
            bucket.tokens = (bucket.tokens + tokens).min(terms.max_tokens.0 as f64);
        };
        if invocation.attempt == 1 {
            put_in(&mut bucket, terms.tokens_per_call.0);
        }
        let Some(failure) = failure(outcome) else {
            put_in(&mut bucket, terms.tokens_per_success.0);
            return Ok(stop(Reason::Succeeded, 0));
        };
        if u64::from(invocation.attempt) > terms.max_retries.0 {
            return Ok(stop(Reason::RetriesExhausted, invocation.attempt));
        }
        if bucket.tokens < 1.0 {
            return Ok(stop(Reason::BudgetExhausted, invocation.attempt));
        }
        bucket.tokens -= 1.0;
        let doubled = terms.backoff_base_ms.0.saturating_mul(1 << (invocation.attempt - 1).min(20));
        let ceiling = doubled.min(terms.max_backoff_ms.0);
        let delay = 1 + (bucket.chance.share() * ceiling as f64) as u64;
        Ok(Verdict {
            retry_delay_ms: delay,
            reason: failure,
            failures: invocation.attempt,
            delay_ceiling_ms: ceiling,
            class: Class::Transient,
            not_executed: false,
            tool_budget: 0,
            cost: 0,
            pushback_ms: None,
            metadata: None,
        })
    }

    fn retries(&self, _: Hook, _: &str, _: &Arc<CallContext>) -> Result<MostRetries, HookFailure> {
        let retries = u32::try_from(self.terms.max_retries.0).unwrap_or(u32::MAX);
        Ok(MostRetries { maybe_executed: retries, not_executed: retries })
    }

    fn forget(&self, _: Hook, _: &str, _: &str, _: &CallContext) {}
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

const fn stop(reason: Reason, failures: u32) -> Verdict {
    let class = match reason {
        Reason::Succeeded => Class::Succeeded,
        _ => Class::Transient,
    };
    Verdict {
        retry_delay_ms: 0,
        reason,
        failures,
        delay_ceiling_ms: 0,
        class,
        not_executed: false,
        tool_budget: 0,
        cost: 0,
        pushback_ms: None,
        metadata: None,
    }
}
