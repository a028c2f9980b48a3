//! How long attempts usually take.

use crate::{Millis, table::Table};

/// Tools whose times are known, at a time; the one that was heard of longest ago makes room.
const MOST: u32 = 1_024;

/// A decayed mean for each tool of an upstream, and one for all resources of it
/// together: every new time moves it by an eighth of the difference, as TCP smooths its round-trip times (RFC 6298, section 2).
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
    pub fn learn(&mut self, of: Attempted<'_>, took: Millis, now: Millis) -> Millis {
        // Beyond an hour nothing fits any deadline that a wait could fit.
        let took = took.min(Millis::HOUR).0;
        let (upstream, target) = of.key();
        if let Some(slot) = self.means.find(upstream, target)
            && let Some(mean) = self.means.touch(slot, now)
        {
            *mean = *mean - mean.div_ceil(8) + took;
            return Millis(*mean / 8);
        }
        if self.means.is_full() {
            self.means.remove_oldest();
        }
        self.means.insert(upstream.into(), target.into(), took * 8, now);
        Millis(took)
    }

    /// What is usual, as far as it is known; else 0.
    pub fn usual(&mut self, of: Attempted<'_>) -> Millis {
        let (upstream, target) = of.key();
        let mean = self.means.find(upstream, target).and_then(|slot| self.means.get_mut(slot));
        Millis(mean.map_or(0, |mean| *mean / 8))
    }
}

/// Whose time it is: that of a tool of an upstream, or of all resources of one.
#[derive(Debug, Clone, Copy)]
pub struct Attempted<'a> {
    /// The upstream's name; empty if it has none.
    pub upstream: &'a str,
    /// The tool, if it is one.
    pub tool: Option<&'a str>,
}

impl<'a> Attempted<'a> {
    fn key(self) -> (&'a str, &'a str) {
        // No name of a tool holds a character of control.
        (self.upstream, self.tool.unwrap_or("\0resources"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tool<'a>(upstream: &'a str, name: &'a str) -> Attempted<'a> {
        Attempted { upstream, tool: Some(name) }
    }

    #[test]
    fn the_same_tool_of_two_upstreams_has_two_times() {
        let mut times = AttemptTimes::new(1);
        times.learn(tool("slow", "search"), Millis(20_000), Millis(0));
        times.learn(tool("fast", "search"), Millis(50), Millis(0));
        assert_eq!(times.usual(tool("slow", "search")), Millis(20_000));
        assert_eq!(times.usual(tool("fast", "search")), Millis(50));
        assert_eq!(times.usual(tool("", "search")), Millis(0));
        assert_eq!(times.usual(Attempted { upstream: "slow", tool: None }), Millis(0));
    }

    #[test]
    fn the_first_time_is_the_mean_and_later_ones_move_it_by_an_eighth() {
        let mut times = AttemptTimes::new(1);
        let mut learn = |took| times.learn(tool("a", "t"), Millis(took), Millis(0)).0;
        assert_eq!([learn(800), learn(0), learn(700), learn(1_500)], [800, 700, 700, 800]);
        let settled = (0..200).map(|_| learn(80)).last();
        assert_eq!(settled, Some(80));
    }

    #[test]
    fn tools_have_times_of_their_own_and_the_oldest_makes_room() {
        let mut times = AttemptTimes::new(1);
        times.learn(tool("a", "first"), Millis(100), Millis(0));
        for number in 0..u64::from(MOST) {
            let name = alloc::format!("{number}");
            times.learn(tool("a", &name), Millis(number), Millis(number));
        }
        assert_eq!(times.learn(tool("a", "first"), Millis(9), Millis(9)).0, 9);
        assert_eq!(times.learn(tool("a", "1023"), Millis(1_023), Millis(9)).0, 1_023);
    }
}
