//! Envoy: `config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget`, with the
//! back-off of "Router", `x-envoy-max-retries`.

use std::time::Duration;

use super::{Algorithm, Call, Decision, Failed, RETRIES};
use crate::simulate::chance::Chance;

/// `budget_percent`, default 20: "the limit on concurrent retries as a percentage
/// of the sum of active requests and active pending requests";
/// `min_retry_concurrency`, default 3: "the number of active retries may never go
/// below this number". A retry is active from the decision to the end of its
/// attempt, its wait included. Waits have full jitter: the `n`th is below
/// `(2^n - 1) * 25` ms, at most 250 ms.
#[derive(Debug, Default)]
pub(super) struct Envoy {
    requests: u32,
    retries: u32,
}

const BUDGET: f64 = 0.2;
const MIN_RETRY_CONCURRENCY: f64 = 3.0;
const BASE: Duration = Duration::from_millis(25);
const MAX: Duration = Duration::from_millis(250);

impl Envoy {
    fn limit(&self) -> f64 {
        (BUDGET * f64::from(self.requests)).max(MIN_RETRY_CONCURRENCY)
    }
}

impl Algorithm for Envoy {
    fn started(&mut self, _: u32, _: Duration) {
        self.requests += 1;
    }

    fn ended(&mut self) {
        self.requests = self.requests.saturating_sub(1);
    }

    fn succeeded(&mut self, _: &Call) {}

    fn failed(&mut self, failed: &Failed, _: &mut Call, chance: &mut Chance) -> Decision {
        if failed.attempt > RETRIES {
            return Decision::Enough;
        }
        if f64::from(self.retries) >= self.limit() {
            return Decision::BudgetExhausted;
        }
        self.retries += 1;
        let span = BASE.saturating_mul((1 << failed.attempt) - 1);
        Decision::up_to(span.min(MAX), chance)
    }

    fn settled(&mut self) {
        self.retries = self.retries.saturating_sub(1);
    }

    fn left(&self) -> Option<f64> {
        Some((self.limit() - f64::from(self.retries)).max(0.0))
    }
}
