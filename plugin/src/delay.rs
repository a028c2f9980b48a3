//! How long to wait: exponential backoff with a cap and full jitter.

use rand_core::Rng;

use crate::Millis;

/// Whether the delay is drawn or exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// The delay is the ceiling itself.
    None,
    /// The delay is drawn uniformly from 1 ms up to the ceiling.
    Full,
}

/// An exponential backoff: the ceiling doubles from `base` up to `cap`.
///
/// The formula is "full jitter" of Marc Brooker, *Exponential Backoff And
/// Jitter* (AWS Architecture Blog, 2015), save that 0 is never drawn: in this
/// contract a delay of 0 means "do not retry".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Millis,
    cap: Millis,
    jitter: Jitter,
}

/// A delay and the longest one that could have been drawn in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// What to wait; at least 1 ms and at most `ceiling`.
    pub drawn: Millis,
    /// `min(cap, base * 2^n)`.
    pub ceiling: Millis,
}

impl Backoff {
    /// 200 ms, doubling up to 5 s, with full jitter.
    pub const DEFAULT: Self = Self { base: Millis(200), cap: Millis(5_000), jitter: Jitter::Full };

    /// A backoff, if `1 <= base <= cap <= 1 h`.
    #[must_use]
    pub fn new(base: Millis, cap: Millis, jitter: Jitter) -> Option<Self> {
        let valid = base.0 >= 1 && base <= cap && cap <= Millis::HOUR;
        valid.then_some(Self { base, cap, jitter })
    }

    /// Whether delays are drawn.
    #[must_use]
    pub const fn jitter(&self) -> Jitter {
        self.jitter
    }

    /// The ceiling of the first delay.
    #[must_use]
    pub const fn base(&self) -> Millis {
        self.base
    }

    /// The longest of all delays.
    #[must_use]
    pub const fn cap(&self) -> Millis {
        self.cap
    }

    /// The ceiling after `earlier` retries: `min(cap, base * 2^earlier)`, saturating.
    #[must_use]
    pub fn ceiling(&self, earlier: u32) -> Millis {
        let factor = 1_u64.checked_shl(earlier).unwrap_or(u64::MAX);
        Millis(self.base.0.saturating_mul(factor)).min(self.cap)
    }

    /// The delay before the next attempt, after `earlier` retries of this call.
    pub fn draw(&self, earlier: u32, rng: &mut impl Rng) -> Delay {
        let ceiling = self.ceiling(earlier);
        let drawn = match self.jitter {
            Jitter::None => ceiling,
            Jitter::Full => Millis(1 + u64::from(below(ceiling_u32(ceiling), rng))),
        };
        Delay { drawn, ceiling }
    }
}

/// A ceiling is at most an hour, which fits with room to spare.
fn ceiling_u32(ceiling: Millis) -> u32 {
    u32::try_from(ceiling.0).unwrap_or(u32::MAX)
}

/// A uniform integer below `bound`, without bias: Daniel Lemire, *Fast Random
/// Integer Generation in an Interval* (2019). `bound` is at least 1.
fn below(bound: u32, rng: &mut impl Rng) -> u32 {
    let mut product = u64::from(rng.next_u32()) * u64::from(bound);
    if (product as u32) < bound {
        let threshold = bound.wrapping_neg() % bound;
        while (product as u32) < threshold {
            product = u64::from(rng.next_u32()) * u64::from(bound);
        }
    }
    (product >> 32) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg32;

    use super::*;

    proptest! {
        #[test]
        fn a_delay_is_at_least_one_and_at_most_its_ceiling_at_any_attempt_number(
            base in 1..=Millis::HOUR.0, extra in 0..=Millis::HOUR.0, earlier: u32, seed: u64,
        ) {
            let cap = (base + extra).min(Millis::HOUR.0);
            let backoff = Backoff::new(Millis(base), Millis(cap), Jitter::Full).unwrap();
            let delay = backoff.draw(earlier, &mut Pcg32::seed_from_u64(seed));
            prop_assert!(delay.drawn.0 >= 1);
            prop_assert!(delay.drawn <= delay.ceiling);
            prop_assert!(delay.ceiling.0 <= cap);
        }

        #[test]
        fn ceilings_never_shrink(base in 1..10_000_u64, earlier in 0..u32::MAX) {
            let backoff = Backoff::new(Millis(base), Millis::HOUR, Jitter::None).unwrap();
            prop_assert!(backoff.ceiling(earlier) <= backoff.ceiling(earlier + 1));
        }
    }

    #[test]
    fn full_jitter_reaches_both_ends_and_every_value_about_equally_often() {
        let backoff = Backoff::new(Millis(4), Millis(4), Jitter::Full).unwrap();
        let mut rng = Pcg32::seed_from_u64(7);
        let mut seen = [0_u32; 5];
        for _ in 0..40_000 {
            seen[usize::try_from(backoff.draw(0, &mut rng).drawn.0).unwrap()] += 1;
        }
        assert_eq!(seen[0], 0);
        for count in &seen[1..] {
            assert!((9_500..=10_500).contains(count), "{seen:?}");
        }
    }

    #[test]
    fn a_base_above_the_cap_or_a_cap_above_an_hour_cannot_be_built() {
        assert_eq!(Backoff::new(Millis(2), Millis(1), Jitter::None), None);
        assert_eq!(Backoff::new(Millis(0), Millis(1), Jitter::None), None);
        assert_eq!(Backoff::new(Millis(1), Millis(Millis::HOUR.0 + 1), Jitter::None), None);
    }
}
