//! A token bucket of a scenario's own.

use std::time::Duration;

use serde::Deserialize;

use super::{Algorithm, Call, Decision, Failed, doubled};
use crate::simulate::{
    chance::Chance,
    scenario::{Real, SomeMillis, Whole},
};

/// Retries with full jitter, each of which takes a token out of a bucket that
/// calls or successes fill: Marc Brooker, "Fixing retries with token buckets and
/// circuit breakers" (2022).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketTerms {
    /// Retries of one call; default 3.
    #[serde(default = "defaults::retries")]
    pub max_retries: Whole<0, 10>,
    /// The longest first delay; default 200 ms. It doubles with every retry.
    #[serde(default = "defaults::base")]
    pub backoff_base_ms: SomeMillis,
    /// The longest delay; default 5 s.
    #[serde(default = "defaults::cap")]
    pub max_backoff_ms: SomeMillis,
    /// Tokens that a new call puts in; default 0.
    #[serde(default)]
    pub tokens_per_call: Real<0, 1>,
    /// Tokens that a success puts in; default 0.
    #[serde(default)]
    pub tokens_per_success: Real<0, 1>,
    /// The size of the bucket, which starts full.
    pub max_tokens: Whole<1, 1_000_000>,
}

mod defaults {
    use super::{SomeMillis, Whole};

    pub(super) fn retries() -> Whole<0, 10> {
        Whole(super::super::RETRIES.into())
    }

    pub(super) fn base() -> SomeMillis {
        Whole(200)
    }

    pub(super) fn cap() -> SomeMillis {
        Whole(5_000)
    }
}

#[derive(Debug)]
pub(super) struct Bucket {
    terms: BucketTerms,
    tokens: f64,
}

impl Bucket {
    pub(super) fn full(terms: BucketTerms) -> Self {
        Self { terms, tokens: terms.max_tokens.0 as f64 }
    }

    fn put_in(&mut self, tokens: f64) {
        self.tokens = (self.tokens + tokens).min(self.terms.max_tokens.0 as f64);
    }
}

impl Algorithm for Bucket {
    fn started(&mut self, attempt: u32, _: Duration) {
        if attempt == 1 {
            self.put_in(self.terms.tokens_per_call.0);
        }
    }

    fn succeeded(&mut self, _: &Call) {
        self.put_in(self.terms.tokens_per_success.0);
    }

    fn failed(&mut self, failed: &Failed, _: &mut Call, chance: &mut Chance) -> Decision {
        if u64::from(failed.attempt) > self.terms.max_retries.0 {
            return Decision::Enough;
        }
        if self.tokens < 1.0 {
            return Decision::BudgetExhausted;
        }
        self.tokens -= 1.0;
        let base = Duration::from_millis(self.terms.backoff_base_ms.0);
        let cap = Duration::from_millis(self.terms.max_backoff_ms.0);
        Decision::up_to(doubled(base, failed.attempt - 1, cap), chance)
    }

    fn left(&self) -> Option<f64> {
        Some(self.tokens)
    }
}
