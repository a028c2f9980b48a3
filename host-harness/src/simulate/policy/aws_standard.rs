//! The SDKs of AWS: the retry mode `standard`, as "Retry behavior" in the AWS
//! SDKs and Tools Reference Guide has it without `AWS_NEW_RETRIES_2026`.

use std::time::Duration;

use super::{Algorithm, Call, Decision, Failed, doubled};
use crate::simulate::chance::Chance;

/// Three attempts. A quota of 500 for each client: a retry takes 5, after a
/// timeout 10, and is refused where less is left. A call that succeeds after
/// retries puts back what its last one took, one that succeeds at once 1. The
/// wait before retry `i`, from 0, is `min(random(0, 1) * 2^i, 20)` seconds.
#[derive(Debug)]
pub(super) struct AwsStandard {
    quota: f64,
}

const MAX_ATTEMPTS: u32 = 3;
const QUOTA: f64 = 500.0;
const RETRY_COST: f64 = 5.0;
const TIMEOUT_COST: f64 = 10.0;
const NO_RETRY_INCREMENT: f64 = 1.0;
const BASE: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(20);

impl Default for AwsStandard {
    fn default() -> Self {
        Self { quota: QUOTA }
    }
}

impl Algorithm for AwsStandard {
    fn succeeded(&mut self, call: &Call) {
        let back = if call.paid > 0.0 { call.paid } else { NO_RETRY_INCREMENT };
        self.quota = (self.quota + back).min(QUOTA);
    }

    fn failed(&mut self, failed: &Failed, call: &mut Call, chance: &mut Chance) -> Decision {
        if failed.attempt >= MAX_ATTEMPTS {
            return Decision::Enough;
        }
        let cost = if failed.timed_out { TIMEOUT_COST } else { RETRY_COST };
        if self.quota < cost {
            return Decision::BudgetExhausted;
        }
        self.quota -= cost;
        call.paid = cost;
        Decision::up_to(doubled(BASE, failed.attempt - 1, MAX_BACKOFF), chance)
    }

    fn left(&self) -> Option<f64> {
        Some(self.quota / RETRY_COST)
    }
}
