//! Finagle: `RetryBudget` with its defaults ("Retry Budgets", finagle.github.io,
//! 2016, and the documentation of `RetryBudget.apply`) under
//! `RetryPolicy.tries(4)`, whose waits are `Backoff.decorrelatedJittered(5 ms, 200 ms)`.

use std::{collections::VecDeque, time::Duration};

use super::{Algorithm, Call, Decision, Failed, RETRIES};
use crate::simulate::chance::Chance;

/// "20% of requests to be retried on top of a minimum of 10 retries per second",
/// and "credits expire after 10 seconds". In its code: a call deposits 1, a retry
/// withdraws 1 / 0.2 = 5; the balance is what was deposited less what was
/// withdrawn in the last ten windows of a second, and a reserve of 10 retries a
/// second x 10 s = 500.
#[derive(Debug, Default)]
pub(super) struct Finagle {
    /// The balance of each second that is not over ten seconds old.
    windows: VecDeque<(u64, f64)>,
}

const TTL_SECONDS: u64 = 10;
const WITHDRAWAL: f64 = 1.0 / 0.2;
const RESERVE: f64 = 10.0 * TTL_SECONDS as f64 * WITHDRAWAL;
const FIRST: Duration = Duration::from_millis(5);
const MOST: Duration = Duration::from_millis(200);

impl Finagle {
    fn add(&mut self, amount: f64, now: Duration) {
        let second = now.as_secs();
        self.windows.retain(|(of, _)| of + TTL_SECONDS > second);
        match self.windows.back_mut() {
            Some((of, sum)) if *of == second => *sum += amount,
            _ => self.windows.push_back((second, amount)),
        }
    }

    fn balance(&self) -> f64 {
        RESERVE + self.windows.iter().map(|(_, sum)| sum).sum::<f64>()
    }
}

impl Algorithm for Finagle {
    fn started(&mut self, attempt: u32, now: Duration) {
        if attempt == 1 {
            self.add(1.0, now);
        }
    }

    fn succeeded(&mut self, _: &Call) {}

    fn failed(&mut self, failed: &Failed, call: &mut Call, chance: &mut Chance) -> Decision {
        if failed.attempt > RETRIES {
            return Decision::Enough;
        }
        self.add(0.0, failed.now);
        if self.balance() < WITHDRAWAL {
            return Decision::BudgetExhausted;
        }
        self.add(-WITHDRAWAL, failed.now);
        // min(maximum, random(start, 3 * previous)), the first being `start`.
        let at_most = call.waited.map_or(FIRST, |last| last.saturating_mul(3)).min(MOST);
        let wait = FIRST + at_most.saturating_sub(FIRST).mul_f64(chance.share());
        Decision::Retry { wait, at_most }
    }

    fn left(&self) -> Option<f64> {
        Some(self.balance() / WITHDRAWAL)
    }
}
