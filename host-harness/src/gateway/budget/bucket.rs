//! One token bucket, in fixed point: sums of thousandths are exact.

use crate::contract::BudgetTerms;

/// In milliseconds; rates are for a minute.
const MINUTE: u64 = 60_000;

/// Never below zero, never above its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    size: u64,
    left: u64,
    /// What time brings by itself, in thousandths a minute, by the last terms.
    floor: u32,
    /// What time has brought beyond whole thousandths, in parts of [`MINUTE`].
    fraction: u64,
    /// Up to when the floor is accounted for, in milliseconds.
    updated: u64,
    /// When something succeeded last; at first when it was made.
    succeeded: u64,
}

impl Bucket {
    pub(super) const fn full(terms: &BudgetTerms, now: u64) -> Self {
        let size = terms.size as u64;
        Self {
            size,
            left: size,
            floor: terms.floor_per_minute,
            fraction: 0,
            updated: now,
            succeeded: now,
        }
    }

    /// In thousandths of a token.
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// In thousandths of a token.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// What is left if nothing but time comes until then.
    pub(super) fn left_at(&self, now: u64) -> u64 {
        let passed = now.saturating_sub(self.updated);
        let parts = passed.saturating_mul(self.floor.into()).saturating_add(self.fraction);
        self.left.saturating_add(parts / MINUTE).min(self.size)
    }

    /// Whether it says nothing that a new one would not say.
    pub(super) const fn is_full(&self) -> bool {
        self.left == self.size
    }

    /// Brings it up to date: what the floor has brought since, and the size, if
    /// that is another one now. What is left stays, as far as there is room.
    pub(super) fn update(&mut self, terms: &BudgetTerms, now: u64) {
        let passed = now.saturating_sub(self.updated);
        self.updated = self.updated.max(now);
        self.size = terms.size.into();
        self.floor = terms.floor_per_minute;
        self.bring(passed.saturating_mul(terms.floor_per_minute.into()));
    }

    /// So many attempts have succeeded.
    pub(super) fn deposit(&mut self, terms: &BudgetTerms, successes: u32, now: u64) {
        self.update(terms, now);
        let since = now.saturating_sub(self.succeeded).min(MINUTE);
        self.succeeded = self.succeeded.max(now);
        self.bring(since.saturating_mul(terms.refill_per_minute.into()));
        self.put_in(u64::from(terms.success).saturating_mul(successes.into()));
    }

    pub(super) fn take(&mut self, cost: u32) {
        self.left = self.left.saturating_sub(cost.into());
    }

    pub(super) fn put_in(&mut self, tokens: u64) {
        self.left = self.left.saturating_add(tokens).min(self.size);
        if self.is_full() {
            // Nothing gathers in a full one, so that to forget it loses nothing.
            self.fraction = 0;
        }
    }

    /// What time brings, in parts of a [`MINUTE`].
    fn bring(&mut self, parts: u64) {
        let parts = parts.saturating_add(self.fraction);
        self.fraction = parts % MINUTE;
        self.put_in(parts / MINUTE);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_terms() -> impl Strategy<Value = BudgetTerms> {
        (1..1_000_000_u32, 0..10_000_u32, 0..1_000_000_u32, 0..1_000_000_u32).prop_map(
            |(size, success, refill_per_minute, floor_per_minute)| BudgetTerms {
                size,
                success,
                refill_per_minute,
                floor_per_minute,
            },
        )
    }

    const STILL: BudgetTerms =
        BudgetTerms { size: 1_000_000_000, success: 0, refill_per_minute: 0, floor_per_minute: 0 };

    proptest! {
        #[test]
        fn it_is_never_above_its_size_and_only_a_withdrawal_makes_it_less(
            terms in any_terms(), ops in prop::collection::vec((0..4_u8, 0..100_000_u32), 0..200),
        ) {
            let (mut now, mut bucket) = (0, Bucket::full(&terms, 0));
            for (op, number) in ops {
                let before = bucket.left;
                match op {
                    0 => bucket.take(number),
                    1 => bucket.deposit(&terms, 1, now),
                    2 => bucket.put_in(number.into()),
                    _ => now += u64::from(number),
                }
                bucket.update(&terms, now);
                prop_assert!(bucket.left <= u64::from(terms.size));
                prop_assert!(op == 0 || bucket.left >= before);
            }
        }

        #[test]
        fn the_floor_brings_the_same_however_often_it_is_looked_at(
            rate in 0..=1_000_000_u32, steps in prop::collection::vec(0..10_000_u64, 1..100),
        ) {
            let terms = BudgetTerms { floor_per_minute: rate, ..STILL };
            let mut bucket = Bucket::full(&terms, 0);
            bucket.take(terms.size);
            let end = steps.iter().sum();
            let seen_from_the_start = bucket.left_at(end);
            let mut now = 0;
            for step in steps {
                now += step;
                bucket.update(&terms, now);
            }
            prop_assert_eq!(bucket.left, now * u64::from(rate) / MINUTE);
            prop_assert_eq!(bucket.left_at(end), seen_from_the_start);
        }

        #[test]
        fn a_ratio_holds_exactly_in_whatever_batches(
            ratio in 1..=1_000_u32, batches in prop::collection::vec(1..100_u32, 1..100),
        ) {
            let terms = BudgetTerms { success: ratio, ..STILL };
            let mut bucket = Bucket::full(&terms, 0);
            bucket.take(terms.size);
            for batch in &batches {
                bucket.deposit(&terms, *batch, 0);
            }
            let successes: u64 = batches.iter().map(|batch| u64::from(*batch)).sum();
            prop_assert_eq!(bucket.left, successes * u64::from(ratio));
        }
    }

    #[test]
    fn a_success_brings_the_refill_of_a_minute_at_the_most() {
        let terms = BudgetTerms { refill_per_minute: 2_000, ..STILL };
        let mut bucket = Bucket::full(&terms, 0);
        bucket.take(terms.size);
        bucket.deposit(&terms, 1, 30_000);
        assert_eq!(bucket.left(), 1_000);
        bucket.deposit(&terms, 1, 30_000);
        assert_eq!(bucket.left(), 1_000, "no time has passed");
        bucket.deposit(&terms, 1, 10 * MINUTE);
        assert_eq!(bucket.left(), 3_000);
    }

    #[test]
    fn a_smaller_bucket_keeps_what_fits_and_a_larger_one_keeps_all() {
        let of = |size| BudgetTerms { size, ..STILL };
        let mut bucket = Bucket::full(&of(100), 0);
        bucket.take(20);
        bucket.update(&of(1_000), 0);
        assert_eq!(bucket.left(), 80);
        bucket.update(&of(50), 0);
        assert_eq!(bucket.left(), 50);
    }
}
