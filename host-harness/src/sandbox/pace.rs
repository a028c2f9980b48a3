//! How quickly a plugin decides: whether threads that serve others can wait
//! for it, and whether it is too slow to be kept.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::ticks::{self, TICK};

/// Decisions that an average is made of, more or less: each counts for a
/// sixteenth, and those before it for the rest.
const SHARE: u64 = 16;
/// Parts of a tick that an average is counted in.
const PARTS: u64 = 1 << 16;
/// A plugin that takes longer on average holds up the threads that serve other
/// calls. The average of a quick one stays below, even after a call that was
/// interrupted by a tick; and this is twenty times what handing a decision over
/// to another thread costs.
const QUICK: Duration = Duration::from_micros(500);
/// A tick more in one decision says nothing more of the plugin: it was stopped,
/// together with its thread or its machine.
const MOST_COUNTED: u64 = 20;
/// For so long after a decision that was not quick decisions are made elsewhere.
/// A plugin that is quick all the time but once holds up each thread once in
/// such a time.
const DISTRUST: Duration = Duration::from_secs(1);

/// Whether a plugin was quick of late. All its shards share it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The tick at which decisions may be made on any thread again.
    slow_until: AtomicU64,
}

impl Pace {
    /// Whether a decision may be made on a thread that serves others as well.
    #[inline]
    pub(super) fn is_quick(&self) -> bool {
        ticks::now() >= self.slow_until.load(Ordering::Relaxed)
    }

    /// A call that took so many ticks did not end well. That is held against the
    /// plugin elsewhere.
    pub(super) fn broke_after(&self, ticks: u64) {
        if ticks > 1 {
            self.was_slow();
        }
    }

    fn was_slow(&self) {
        let until = ticks::now().saturating_add(ticks::within(DISTRUST));
        self.slow_until.store(until, Ordering::Relaxed);
    }
}

/// The average time of one shard's decisions.
#[derive(Debug, Default)]
pub(super) struct Average {
    /// In parts of a tick.
    parts: u64,
}

impl Average {
    /// A decision took so many ticks.
    #[inline]
    pub(super) fn add(&mut self, ticks: u64, pace: &Pace) {
        // Nothing new, which is true of nearly all decisions.
        if ticks == 0 && self.parts == 0 {
            return;
        }
        let parts = ticks.min(MOST_COUNTED) * PARTS;
        self.parts = self.parts - self.parts.div_ceil(SHARE) + parts / SHARE;
        if self.parts > in_parts(QUICK) {
            pace.was_slow();
        }
    }

    /// Whether it is above `most`. If so, it begins anew: the same decisions are
    /// not held against the plugin twice.
    #[inline]
    pub(super) fn exceeds(&mut self, most: Duration) -> bool {
        if self.parts == 0 || self.parts <= in_parts(most) {
            return false;
        }
        self.parts = 0;
        true
    }
}

fn in_parts(time: Duration) -> u64 {
    let parts = time.as_nanos().saturating_mul(PARTS.into()) / TICK.as_nanos();
    u64::try_from(parts).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_millis(20);

    /// Decisions of so many ticks each; how often their average exceeded [`MOST`].
    fn exceeded(ticks: impl IntoIterator<Item = u64>, pace: &Pace) -> usize {
        let mut average = Average::default();
        ticks
            .into_iter()
            .filter(|ticks| {
                average.add(*ticks, pace);
                average.exceeds(MOST)
            })
            .count()
    }

    #[test]
    fn one_tick_in_a_quick_decision_is_chance() {
        let pace = Pace::default();
        let quick = (0..100_000).map(|n| u64::from(n % 100 == 7));
        assert_eq!(exceeded(quick, &pace), 0);
        assert!(pace.is_quick());
    }

    #[test]
    fn a_decision_of_two_ticks_and_a_few_of_one_are_not_quick() {
        for slow in [vec![2], vec![1, 0, 1], vec![0, 1, 0, 0, 0, 1]] {
            let pace = Pace::default();
            assert_eq!(exceeded(slow, &pace), 0);
            assert!(!pace.is_quick());
        }
    }

    #[test]
    fn a_plugin_that_is_always_slow_exceeds_its_average_again_and_again() {
        let pace = Pace::default();
        // 90 ms each, then 25 ms, then 15 ms.
        assert!(exceeded([18; 64], &pace) >= 10);
        assert!(exceeded([5; 640], &pace) >= 10);
        assert_eq!(exceeded([3; 6_400], &pace), 0);
    }

    #[test]
    fn a_machine_that_stops_a_quick_plugin_now_and_then_exceeds_nothing() {
        let pace = Pace::default();
        // A second, once in twenty calls: far worse than a busy machine.
        let starved = (0..10_000).map(|n| if n % 20 == 0 { 200 } else { 0 });
        assert_eq!(exceeded(starved, &pace), 0);
    }

    #[test]
    fn no_time_overflows() {
        let pace = Pace::default();
        assert!(exceeded([u64::MAX; 100], &pace) > 0);
        let mut average = Average::default();
        average.add(u64::MAX, &pace);
        assert!(!average.exceeds(Duration::MAX));
    }
}
