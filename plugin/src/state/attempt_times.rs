//! How long attempts usually take.

use super::Kind;
use crate::{Millis, table::Table};

/// Tools whose times are known, at a time; the one that was heard of longest ago makes room.
const MOST: u32 = 1_024;

/// A decayed mean for each tool, and one for all resources together: every new time moves it by an eighth of the
/// difference, as TCP smooths its round-trip times (RFC 6298, section 2).
#[derive(Debug)]
pub struct AttemptTimes {
    /// In eighths of a millisecond, so that the decay is not rounded away.
    means: Table<u64>,
}

impl AttemptTimes {
    pub(super) fn new(seed: u64) -> Self {
        Self { means: Table::new(MOST, seed) }
    }

    /// Learns that an attempt took so long, and returns what is usual now.
    pub fn learn(&mut self, kind: Kind, target: &str, took: Millis, now: Millis) -> Millis {
        let key = match kind {
            Kind::Tool => ("tool", target),
            Kind::Resource => ("resources", ""),
        };
        // Beyond an hour nothing fits any deadline that a wait could fit.
        let took = took.min(Millis::HOUR).0;
        if let Some(slot) = self.means.find(key.0, key.1)
            && let Some(mean) = self.means.touch(slot, now)
        {
            *mean = *mean - mean.div_ceil(8) + took;
            return Millis(*mean / 8);
        }
        if self.means.is_full() {
            self.means.remove_oldest();
        }
        self.means.insert(key.0.into(), key.1.into(), took * 8, now);
        Millis(took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_the_mean_and_later_ones_move_it_by_an_eighth() {
        let mut times = AttemptTimes::new(1);
        let mut learn = |took| times.learn(Kind::Tool, "t", Millis(took), Millis(0)).0;
        assert_eq!([learn(800), learn(0), learn(700), learn(1_500)], [800, 700, 700, 800]);
        let settled = (0..200).map(|_| learn(80)).last();
        assert_eq!(settled, Some(80));
    }

    #[test]
    fn tools_have_times_of_their_own_and_the_oldest_makes_room() {
        let mut times = AttemptTimes::new(1);
        times.learn(Kind::Tool, "first", Millis(100), Millis(0));
        for tool in 0..u64::from(MOST) {
            times.learn(Kind::Tool, &alloc::format!("{tool}"), Millis(tool), Millis(tool));
        }
        assert_eq!(times.learn(Kind::Tool, "first", Millis(9), Millis(9)).0, 9);
        assert_eq!(times.learn(Kind::Tool, "1023", Millis(1_023), Millis(9)).0, 1_023);
    }
}
