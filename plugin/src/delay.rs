//! How long to wait: exponential backoff, always capped first, then drawn, and never 0.

use rand_core::Rng;

use crate::{Millis, config::setting::choice};

choice! {
    /// How a delay is drawn below its ceiling.
    ///
    /// The names and formulas are those of Marc Brooker, *Exponential Backoff
    /// And Jitter* (AWS Architecture Blog, 2015), save that 0 is never drawn:
    /// in this contract a delay of 0 means "do not retry".
    pub enum Jitter {
        /// The delay is the ceiling itself.
        None = "none",
        /// Uniform from 1 ms up to the ceiling.
        Full = "full",
        /// Uniform from half of the ceiling up to it.
        Equal = "equal",
        /// Uniform from the base up to three times the call's last delay.
        Decorrelated = "decorrelated",
    }
}

/// An exponential backoff: the ceiling grows from `base` up to `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Millis,
    cap: Millis,
    /// In thousandths.
    multiplier: u32,
    jitter: Jitter,
}

/// A delay and the longest one that could have been drawn in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// What to wait; at least 1 ms and at most `ceiling`.
    pub drawn: Millis,
    /// The longest that could have been drawn.
    pub ceiling: Millis,
}

impl Backoff {
    /// A backoff, if `1 <= base <= cap <= 1 h` and the multiplier, given in
    /// thousandths, is 1 to 10.
    #[must_use]
    pub fn new(base: Millis, cap: Millis, multiplier: u32, jitter: Jitter) -> Option<Self> {
        let valid = base.0 >= 1
            && base <= cap
            && cap <= Millis::HOUR
            && (1_000..=10_000).contains(&multiplier);
        valid.then_some(Self { base, cap, multiplier, jitter })
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

    /// The ceiling after `earlier` retries: `min(cap, base * multiplier^earlier)`, saturating.
    #[must_use]
    #[inline]
    pub fn ceiling(&self, earlier: u32) -> Millis {
        if self.multiplier == 2_000 {
            let factor = 1_u64.checked_shl(earlier).unwrap_or(u64::MAX);
            return Millis(self.base.0.saturating_mul(factor)).min(self.cap);
        }
        // In microseconds, so that a multiplier near 1 is not rounded
        // away. It ends early: nothing grows beyond the cap, and 1 never grows.
        let (mut micros, cap) = (self.base.0 * 1_000, self.cap.0 * 1_000);
        for _ in 0..earlier {
            let grown = micros * u64::from(self.multiplier) / 1_000;
            if grown >= cap || grown == micros {
                micros = grown.min(cap);
                break;
            }
            micros = grown;
        }
        Millis(micros / 1_000)
    }

    /// From when to when the next attempt may come, after `earlier` retries of
    /// this call, the last of which waited for `last`.
    #[inline]
    #[must_use]
    pub fn span(&self, earlier: u32, last: Option<Millis>) -> Span {
        let most = match self.jitter {
            // As published: drawn up to three times the last delay, then cut at the cap.
            Jitter::Decorrelated => {
                let widest = last.unwrap_or(self.base).0.saturating_mul(3);
                let most = Millis(widest).min(Millis::HOUR).max(self.base);
                return Span { least: self.base, most, cut: self.cap };
            }
            _ => self.ceiling(earlier),
        };
        let least = match self.jitter {
            Jitter::None => most,
            Jitter::Full | Jitter::Decorrelated => Millis(1),
            Jitter::Equal => Millis(most.0.div_ceil(2)),
        };
        Span { least, most, cut: most }
    }

    /// The same after the upstream asked to wait for `pushback`, which is at
    /// most an hour: not before it, and up to a sixth of it later, or the base
    /// if that is more, so that not all come back together. Those that one
    /// window turned away at one time would make the same peak again.
    #[must_use]
    pub fn span_after(&self, pushback: Millis) -> Span {
        let latest = self.latest(pushback);
        Span { least: pushback, most: latest, cut: latest }
    }

    /// The latest time at which anybody comes back who was asked to stay away so long.
    #[must_use]
    pub fn latest(&self, pushback: Millis) -> Millis {
        match self.jitter {
            Jitter::None => pushback,
            _ => Millis(pushback.0 + self.base.0.max(pushback.0 / 6)).min(Millis::HOUR),
        }
    }
}

/// The times of which one is drawn, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The shortest of them.
    pub least: Millis,
    most: Millis,
    /// What is drawn beyond it is this long.
    cut: Millis,
}

impl Span {
    /// Those of them that are at most `room`; none if there is none.
    #[must_use]
    #[inline]
    pub fn within(self, room: Millis) -> Option<Self> {
        if room >= self.most.min(self.cut) {
            return Some(self);
        }
        (self.least <= room).then_some(Self { least: self.least, most: room, cut: room })
    }

    /// The same with none beyond `cap`, but for the shortest.
    #[must_use]
    pub fn capped(self, cap: Millis) -> Self {
        let cap = cap.max(self.least);
        Self { most: self.most.min(cap), cut: self.cut.min(cap), ..self }
    }

    /// One of them.
    #[inline]
    pub fn draw(self, rng: &mut impl Rng) -> Delay {
        let drawn = between(self.least, self.most, rng).min(self.cut);
        Delay { drawn, ceiling: self.most.min(self.cut) }
    }
}

impl Delay {
    /// The longer of two.
    #[must_use]
    pub fn or_later(self, other: Self) -> Self {
        Self { drawn: self.drawn.max(other.drawn), ceiling: self.ceiling.max(other.ceiling) }
    }
}

/// A uniform time from `least` to `most`, which is at most an hour.
#[inline]
fn between(least: Millis, most: Millis, rng: &mut impl Rng) -> Millis {
    match u32::try_from(most.since(least).0) {
        // Nothing to draw: chance is not asked, so exact delays use none of it up.
        Ok(0) | Err(_) => most,
        Ok(spread) => Millis(least.0 + u64::from(below(spread + 1, rng))),
    }
}

/// A uniform integer below `bound`, without bias: Daniel Lemire, *Fast Random
/// Integer Generation in an Interval* (2019). `bound` is at least 1.
#[inline]
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

    fn any_jitter() -> impl Strategy<Value = Jitter> {
        prop::sample::select(Jitter::CASES)
    }

    fn any_backoff() -> impl Strategy<Value = Backoff> {
        let numbers = (1..=Millis::HOUR.0, 0..=Millis::HOUR.0, 1_000..=10_000_u32, any_jitter());
        numbers.prop_map(|(base, extra, multiplier, jitter)| {
            let cap = Millis((base + extra).min(Millis::HOUR.0));
            Backoff::new(Millis(base), cap, multiplier, jitter).unwrap()
        })
    }

    proptest! {
        #[test]
        fn a_delay_is_at_least_one_and_at_most_its_ceiling_at_any_attempt_number(
            backoff in any_backoff(), earlier: u32, last in prop::option::of(0..=Millis::HOUR.0), seed: u64,
        ) {
            let delay = backoff.span(earlier, last.map(Millis)).draw(&mut Pcg32::seed_from_u64(seed));
            prop_assert!(delay.drawn.0 >= 1);
            prop_assert!(delay.drawn <= delay.ceiling);
            prop_assert!(delay.ceiling <= backoff.cap());
        }

        #[test]
        fn what_is_drawn_inside_a_room_fits_it_and_only_what_cannot_is_refused(
            backoff in any_backoff(), earlier in 0..12_u32, last in prop::option::of(1..=Millis::HOUR.0),
            room in 0..=Millis::HOUR.0, seed: u64,
        ) {
            let span = backoff.span(earlier, last.map(Millis));
            match span.within(Millis(room)) {
                Some(inside) => {
                    let delay = inside.draw(&mut Pcg32::seed_from_u64(seed));
                    prop_assert!(span.least <= delay.drawn && delay.drawn <= delay.ceiling);
                    prop_assert!(delay.ceiling.0 <= room);
                }
                None => prop_assert!(span.least.0 > room),
            }
        }

        #[test]
        fn ceilings_never_shrink(backoff in any_backoff(), earlier in 0..u32::MAX) {
            prop_assert!(backoff.ceiling(earlier) <= backoff.ceiling(earlier + 1));
        }

        #[test]
        fn equal_jitter_waits_for_half_of_the_ceiling_at_least(
            base in 1..10_000_u64, earlier in 0..12_u32, seed: u64,
        ) {
            let backoff = Backoff::new(Millis(base), Millis::HOUR, 2_000, Jitter::Equal).unwrap();
            let delay = backoff.span(earlier, None).draw(&mut Pcg32::seed_from_u64(seed));
            prop_assert!(delay.drawn.0 * 2 >= delay.ceiling.0);
        }

        #[test]
        fn decorrelated_jitter_stays_between_the_base_and_three_times_the_last_delay(
            base in 1..1_000_u64, last in 1..=Millis::HOUR.0, seed: u64,
        ) {
            let backoff = Backoff::new(Millis(base), Millis::HOUR, 2_000, Jitter::Decorrelated).unwrap();
            let drawn = backoff.span(1, Some(Millis(last))).draw(&mut Pcg32::seed_from_u64(seed)).drawn.0;
            prop_assert!(drawn >= base);
            prop_assert!(drawn <= (last * 3).max(base).min(Millis::HOUR.0));
        }

        #[test]
        fn a_pushback_is_never_cut_short_nor_exceeded_by_more_than_the_jitter(
            backoff in any_backoff(), pushback in 0..=Millis::HOUR.0, earlier in 0..12_u32, seed: u64,
        ) {
            let mut rng = Pcg32::seed_from_u64(seed);
            let delay = backoff.span(earlier, None).draw(&mut rng);
            let later = delay.or_later(backoff.span_after(Millis(pushback)).draw(&mut rng));
            prop_assert!(later.drawn.0 >= pushback.max(1) && later.drawn >= delay.drawn);
            prop_assert!(later.drawn.0 <= delay.drawn.0.max(pushback + backoff.base().0.max(pushback / 6)));
            prop_assert!(later.drawn <= later.ceiling && later.ceiling <= Millis::HOUR);
        }
    }

    #[test]
    fn a_multiplier_grows_the_ceiling_by_its_powers() {
        let ceilings = |multiplier| {
            let backoff =
                Backoff::new(Millis(100), Millis(1_000), multiplier, Jitter::None).unwrap();
            [0, 1, 2, 3, u32::MAX].map(|earlier| backoff.ceiling(earlier).0)
        };
        assert_eq!(ceilings(1_000), [100; 5]);
        assert_eq!(ceilings(1_500), [100, 150, 225, 337, 1_000]);
        assert_eq!(ceilings(2_000), [100, 200, 400, 800, 1_000]);
        assert_eq!(ceilings(10_000), [100, 1_000, 1_000, 1_000, 1_000]);
        assert_eq!(ceilings(1_001)[4], 1_000);
    }

    #[test]
    fn full_jitter_reaches_both_ends_and_every_value_about_equally_often() {
        let backoff = Backoff::new(Millis(4), Millis(4), 2_000, Jitter::Full).unwrap();
        let mut rng = Pcg32::seed_from_u64(7);
        let mut seen = [0_u32; 5];
        for _ in 0..40_000 {
            seen[usize::try_from(backoff.span(0, None).draw(&mut rng).drawn.0).unwrap()] += 1;
        }
        assert_eq!(seen[0], 0);
        for count in &seen[1..] {
            assert!((9_500..=10_500).contains(count), "{seen:?}");
        }
    }

    #[test]
    fn a_base_above_the_cap_or_a_cap_above_an_hour_cannot_be_built() {
        for (base, cap, multiplier) in [
            (2, 1, 2_000),
            (0, 1, 2_000),
            (1, Millis::HOUR.0 + 1, 2_000),
            (1, 2, 999),
            (1, 2, 10_001),
        ] {
            assert_eq!(Backoff::new(Millis(base), Millis(cap), multiplier, Jitter::None), None);
        }
    }
}
