//! gRPC: proposal A6, "gRPC Retry Design" (github.com/grpc/proposal, file
//! A6-client-retries.md, last updated in August 2024).

use std::time::Duration;

use super::{Algorithm, Call, Decision, Failed, Pushback, RETRIES, doubled};
use crate::simulate::chance::Chance;

/// The numbers of the proposal's examples: `maxTokens` 10, `tokenRatio` 0.1,
/// `maxAttempts` 4, `initialBackoff` 0.1 s, `maxBackoff` 1 s, `backoffMultiplier` 2.
///
/// "For each server name", every RPC that fails with a retryable status takes 1
/// from `token_count`, every one that succeeds adds `tokenRatio`; at or below
/// `maxTokens / 2` nothing is retried. Failures are priced, retried or not. A wait
/// is `min(initialBackoff * backoffMultiplier^(n-1), maxBackoff) * random(0.8, 1.2)`,
/// and `grpc-retry-pushback-ms` takes its place, as it is.
#[derive(Debug)]
pub(super) struct Grpc {
    tokens: f64,
}

const MAX_TOKENS: f64 = 10.0;
const TOKEN_RATIO: f64 = 0.1;
const INITIAL: Duration = Duration::from_millis(100);
const MAX: Duration = Duration::from_secs(1);

impl Default for Grpc {
    fn default() -> Self {
        Self { tokens: MAX_TOKENS }
    }
}

impl Algorithm for Grpc {
    fn succeeded(&mut self, _: &Call) {
        self.tokens = (self.tokens + TOKEN_RATIO).min(MAX_TOKENS);
    }

    fn failed(&mut self, failed: &Failed, _: &mut Call, chance: &mut Chance) -> Decision {
        self.tokens = (self.tokens - 1.0).max(0.0);
        if failed.attempt > RETRIES {
            return Decision::Enough;
        }
        if self.tokens <= MAX_TOKENS / 2.0 {
            return Decision::BudgetExhausted;
        }
        match failed.pushback {
            Some(Pushback::Never) => Decision::Enough,
            Some(Pushback::After(wait)) => Decision::Retry { wait, at_most: wait },
            None => {
                let backoff = doubled(INITIAL, failed.attempt - 1, MAX);
                let wait = backoff.mul_f64(0.8 + 0.4 * chance.share());
                Decision::Retry { wait, at_most: backoff.mul_f64(1.2) }
            }
        }
    }

    fn left(&self) -> Option<f64> {
        Some((self.tokens - MAX_TOKENS / 2.0).max(0.0))
    }
}
