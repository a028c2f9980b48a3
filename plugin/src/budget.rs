//! Retry budgets: token buckets in fixed point.
//!
//! The rule is that of gRPC (proposal A6, *gRPC Retry Design*, "Throttling
//! Retry Attempts and Hedged RPCs"): a failure takes tokens out, a success puts
//! a fraction of one in, and retries are made only while more than half is
//! left. Added to it are a slow refill by time, and that a retry which is
//! asleep counts as spent until it is known how it went.

mod buckets;

pub use buckets::{Budgets, Levels, Owner, Place, Reservation};

use crate::Millis;

/// Tokens, in thousandths of one: every number of the configuration has at
/// most three digits after the point, so all sums are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tokens(u64);

impl Tokens {
    /// So many tokens.
    #[must_use]
    pub const fn whole(tokens: u64) -> Self {
        Self(tokens.saturating_mul(1_000))
    }

    /// So many thousandths of one.
    #[must_use]
    pub const fn thousandths(thousandths: u32) -> Self {
        Self(thousandths as u64)
    }

    /// The sum. Saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// In thousandths.
    #[must_use]
    pub const fn in_thousandths(self) -> u64 {
        self.0
    }
}

/// What a bucket holds, and what things cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// `max_tokens`.
    pub size: Tokens,
    /// `token_ratio`.
    pub success: Tokens,
    /// `failure_cost`; also what a sleeping retry holds back.
    pub failure: Tokens,
    /// `throttle_cost`.
    pub throttle: Tokens,
    /// `timeout_cost`.
    pub timeout: Tokens,
    /// `refill_per_minute`.
    pub refill_per_minute: Tokens,
}

/// One bucket. Never below zero, never above its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    size: Tokens,
    left: Tokens,
    /// Up to when the refill is accounted for.
    refilled: Millis,
    /// What the refill has brought beyond whole thousandths, in parts of 60,000.
    fraction: u64,
    /// Retries that are asleep.
    asleep: u32,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub const fn full(terms: &Terms, now: Millis) -> Self {
        Self { size: terms.size, left: terms.size, refilled: now, fraction: 0, asleep: 0 }
    }

    /// What is left.
    #[must_use]
    pub const fn left(&self) -> Tokens {
        self.left
    }

    /// Whether it says nothing that a new bucket would not say.
    #[must_use]
    pub fn is_as_new(&self) -> bool {
        self.asleep == 0 && self.left == self.size
    }

    /// Brings it up to date: what time has put in since the last time, and the
    /// size, if that is another one now. What is left stays, as far as there is room.
    pub fn update(&mut self, terms: &Terms, now: Millis) {
        const MINUTE: u64 = 60_000;
        let passed = now.since(self.refilled).0;
        let brought =
            passed.saturating_mul(terms.refill_per_minute.0).saturating_add(self.fraction);
        self.refilled = self.refilled.max(now);
        self.fraction = brought % MINUTE;
        self.size = terms.size;
        self.put_in(Tokens(brought / MINUTE));
    }

    /// A success.
    pub fn deposit(&mut self, terms: &Terms) {
        self.put_in(terms.success);
    }

    /// A failure that costs so much.
    pub fn charge(&mut self, cost: Tokens) {
        self.left = Tokens(self.left.0.saturating_sub(cost.0));
    }

    /// Whether retries are made: more than half is left.
    #[must_use]
    pub const fn allows_retries(&self) -> bool {
        self.left.0 > self.size.0 / 2
    }

    /// Holds back the price of a failure for a retry that goes to sleep, or
    /// what is left of it.
    #[must_use]
    pub fn reserve(&mut self, terms: &Terms) -> Tokens {
        let held = terms.failure.min(self.left);
        self.left = Tokens(self.left.0 - held.0);
        self.asleep += 1;
        held
    }

    /// A retry is asleep no more: what it held comes back, and how it went is
    /// accounted for apart from it.
    pub fn give_back(&mut self, held: Tokens) {
        self.put_in(held);
        self.asleep = self.asleep.saturating_sub(1);
    }

    fn put_in(&mut self, tokens: Tokens) {
        self.left = Tokens(self.left.0.saturating_add(tokens.0)).min(self.size);
    }
}

#[cfg(test)]
mod tests;
