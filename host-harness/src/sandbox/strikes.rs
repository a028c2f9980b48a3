//! Counts failures, and says when a fresh instance may be made.

use std::{collections::VecDeque, time::Duration};

use super::{Breakage, Replacement};

/// The failures of one shard.
#[derive(Debug)]
pub(super) struct Strikes {
    policy: Replacement,
    /// Breaks without a good answer in between.
    in_a_row: u32,
    /// When the failures in the window happened, oldest first: less than
    /// [`Replacement::strikes`] of them.
    recent: VecDeque<Duration>,
    rest_until: Duration,
    set_aside_until: Option<Duration>,
}

impl Strikes {
    pub(super) fn none(policy: Replacement) -> Self {
        Self {
            policy,
            in_a_row: 0,
            recent: VecDeque::new(),
            rest_until: Duration::ZERO,
            set_aside_until: None,
        }
    }

    /// The instance broke, or none could be made. True if that sets the shard aside.
    pub(super) fn broke(&mut self, now: Duration) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.rest_until = now.saturating_add(self.rest());
        self.failed(now)
    }

    /// The plugin failed, whatever became of its instance. True if that sets the shard aside.
    pub(super) fn failed(&mut self, now: Duration) -> bool {
        while self.recent.front().is_some_and(|at| now.saturating_sub(*at) >= self.policy.window) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if self.recent.len() < self.policy.strikes {
            return false;
        }
        self.recent.clear();
        self.in_a_row = 0;
        self.set_aside_until = Some(now.saturating_add(self.policy.cool_down));
        true
    }

    /// A good answer forgives the breaks in a row, not those in the window.
    pub(super) fn good(&mut self) {
        self.in_a_row = 0;
    }

    /// Whether a fresh instance may be made now. Ends a cool-down that is over.
    pub(super) fn may_start(&mut self, now: Duration) -> Result<(), Breakage> {
        if let Some(until) = self.set_aside_until {
            let rest = until.saturating_sub(now);
            if !rest.is_zero() {
                return Err(Breakage::SetAside { rest });
            }
            self.set_aside_until = None;
            self.rest_until = now;
        }
        let rest = self.rest_until.saturating_sub(now);
        if rest.is_zero() {
            Ok(())
        } else {
            Err(Breakage::Resting { strikes: self.in_a_row, rest })
        }
    }

    /// How long to leave the shard without an instance: the first break is forgiven at once.
    fn rest(&self) -> Duration {
        match self.in_a_row.checked_sub(2) {
            None => Duration::ZERO,
            Some(doublings) => self
                .policy
                .first_rest
                .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
                .min(self.policy.longest_rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn rest(strikes: &mut Strikes, now: u64) -> Option<Duration> {
        match strikes.may_start(ms(now)) {
            Ok(()) => None,
            Err(Breakage::Resting { rest, .. } | Breakage::SetAside { rest }) => Some(rest),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn rests_double_up_to_the_longest_and_a_good_answer_ends_them() {
        let policy = Replacement {
            first_rest: ms(100),
            longest_rest: ms(350),
            strikes: usize::MAX,
            ..Replacement::default()
        };
        let mut strikes = Strikes::none(policy);
        for expected in [None, Some(ms(100)), Some(ms(200)), Some(ms(350)), Some(ms(350))] {
            assert!(!strikes.broke(ms(1_000)));
            assert_eq!(rest(&mut strikes, 1_000), expected);
        }
        strikes.good();
        assert!(!strikes.broke(ms(2_000)));
        assert_eq!(rest(&mut strikes, 2_000), None);
    }

    #[test]
    fn too_many_strikes_within_the_window_set_aside_until_the_cool_down_is_over() {
        let policy = Replacement {
            strikes: 3,
            window: ms(1_000),
            cool_down: ms(5_000),
            ..Replacement::default()
        };
        let mut strikes = Strikes::none(policy);
        assert!(!strikes.failed(ms(0)));
        strikes.good();
        assert!(!strikes.failed(ms(500)));
        // The first has left the window.
        assert!(!strikes.failed(ms(1_000)));
        assert!(strikes.failed(ms(1_499)), "a good answer does not empty the window");
        assert_eq!(rest(&mut strikes, 1_499), Some(ms(5_000)));
        assert_eq!(rest(&mut strikes, 6_498), Some(ms(1)));
        assert_eq!(rest(&mut strikes, 6_499), None);
        // It starts with a clean record.
        assert!(!strikes.broke(ms(6_500)));
        assert_eq!(rest(&mut strikes, 6_500), None);
    }

    #[test]
    fn no_limit_and_no_clock_overflows() {
        let policy = Replacement {
            strikes: 0,
            first_rest: Duration::MAX,
            longest_rest: Duration::MAX,
            window: Duration::MAX,
            cool_down: Duration::MAX,
        };
        let mut strikes = Strikes::none(policy);
        assert!(strikes.broke(Duration::MAX), "0 strikes are taken for 1");
        assert_eq!(rest(&mut strikes, 0), Some(Duration::MAX));
    }
}
