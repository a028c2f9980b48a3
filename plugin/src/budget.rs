//! Retry budgets, as far as they are the plugin's to say: what a retry costs,
//! and on what terms. The buckets themselves are the gateway's: one for all
//! instances, which outlives each of them.

use alloc::vec::Vec;

use crate::detect::Failure;

/// Tokens, in thousandths of one: every number of the configuration has at
/// most three digits after the point, so all sums are exact.
pub type Thousandths = u32;

/// How a bucket fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// What it holds when it is full.
    pub size: Thousandths,
    /// `token_ratio`.
    pub success: Thousandths,
    /// `refill_per_minute`.
    pub refill_per_minute: Thousandths,
    /// `floor_per_minute`.
    pub floor_per_minute: Thousandths,
}

/// The budget of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Of the bucket of each tool.
    pub tool: Terms,
    /// Of the bucket that the tools of an upstream share.
    pub upstream: Terms,
    /// `retry_cost`.
    pub retry: Thousandths,
    /// `throttle_cost`.
    pub throttle: Thousandths,
    /// `timeout_cost`.
    pub timeout: Thousandths,
}

impl Budget {
    /// What a retry after this failure costs.
    #[must_use]
    pub fn cost(&self, failure: &Failure) -> Thousandths {
        if failure.is_throttling() {
            match failure.wish {
                // The upstream asks for that one: it costs what a success brings.
                Some(_) => self.throttle / 10,
                None => self.throttle,
            }
        } else if failure.is_timeout() {
            self.timeout
        } else {
            self.retry
        }
    }

    /// The dearest retry.
    #[must_use]
    pub fn dearest(&self) -> Thousandths {
        self.retry.max(self.throttle).max(self.timeout)
    }
}

/// Which of the [`Listed`] terms a call falls under, counted from 1; 0: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Number(pub u16);

/// What a decision comes to for the gateway's buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Under which terms.
    pub number: Number,
    /// What the retry costs; 0 if none is asked for.
    pub cost: Thousandths,
}

/// The terms of the tools, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed(Vec<Terms>);

impl Listed {
    /// The number of the terms of a budget.
    pub fn number(&mut self, budget: Option<&Budget>) -> Number {
        let Some(budget) = budget else { return Number::default() };
        let known = self.0.iter().position(|terms| *terms == budget.tool);
        let place = known.unwrap_or_else(|| {
            // There are never so many; those beyond would have the terms of the last.
            if self.0.len() < usize::from(u16::MAX) {
                self.0.push(budget.tool);
            }
            self.0.len() - 1
        });
        Number(u16::try_from(place + 1).unwrap_or(u16::MAX))
    }

    /// All of them, the first with number 1.
    #[must_use]
    pub fn all(&self) -> &[Terms] {
        &self.0
    }
}
