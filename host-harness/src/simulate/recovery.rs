//! How long it takes until all is well again.

use serde::Serialize;

use super::{meter::Counted, scenario::Scenario};

/// Seconds that pass between the end of what was wrong and the first moment
/// from which on 95 % of the calls that arrive succeed for 5 s.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "after", rename_all = "kebab-case")]
pub enum Recovery {
    /// The mean over the seeds.
    Seconds {
        /// So many.
        mean: f64,
    },
    /// With one seed at least it does not come to that while calls arrive.
    Never {
        /// So many seconds calls went on to arrive.
        within: u64,
    },
}

const SPAN: usize = 5;
const WELL: f64 = 0.95;

impl Recovery {
    /// That of some runs; none if the scenario does not say when it is over.
    pub(super) fn of(scenario: &Scenario, runs: &[Counted]) -> Option<Self> {
        let over = scenario.column.over_at_s?.0;
        let never = Self::Never { within: scenario.duration_s.0 - over };
        let start = usize::try_from(over).unwrap_or(usize::MAX);
        let mut sum = 0.0;
        for run in runs {
            match after(run.seconds.get(start..).unwrap_or_default()) {
                Some(seconds) => sum += seconds as f64,
                None => return Some(never),
            }
        }
        Some(Self::Seconds { mean: sum / runs.len() as f64 })
    }
}

/// How many of these seconds pass before all is well.
fn after(seconds: &[(u64, u64)]) -> Option<usize> {
    seconds.windows(SPAN).position(|span| {
        let (calls, succeeded) =
            span.iter().fold((0, 0), |sum, second| (sum.0 + second.0, sum.1 + second.1));
        calls > 0 && succeeded as f64 >= WELL * calls as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_well_when_95_of_100_succeed_for_five_seconds() {
        let of = |succeeded: [u64; 8]| after(&succeeded.map(|it| (100, it)));
        assert_eq!(of([95; 8]), Some(0));
        assert_eq!(of([0, 50, 95, 95, 95, 95, 95, 95]), Some(2));
        assert_eq!(of([100, 100, 100, 100, 80, 100, 100, 100]), Some(0), "it counts together");
        assert_eq!(of([94; 8]), None);
        assert_eq!(after(&[(0, 0); 8]), None, "silence is no success");
    }
}
