//! What becomes of a call whose plugin fails, and of a plugin that fails often.

use std::time::Duration;

/// What happens to a call when its plugin breaks or answers outside of the
/// contract. A plugin that *refuses* does not fail: its call goes on without it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FailPolicy {
    /// The call ends with the upstream's own last result, as without a plugin.
    #[default]
    Open,
    /// The call fails with an error that says so and carries the upstream's
    /// own last result. For plugins that calls must not get past.
    Closed,
    /// A fresh instance is asked the same once; if that fails too, as `Open`.
    Reload,
}

/// When an instance that broke gets a successor. All times are on the clock of the calls.
///
/// There is a successor at once after the first break. Breaks in a row, without
/// a good answer in between, are followed by rests. And each failure, in a row
/// or not, is a strike: too many within a window set the shard aside. Shards
/// are set aside one by one: where calls meet by their upstream or target, one
/// that makes a plugin fail costs the targets of other shards nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replacement {
    /// The rest after the second break in a row; it doubles with each further
    /// one. Default 100 ms.
    pub first_rest: Duration,
    /// The longest rest; default 30 s.
    pub longest_rest: Duration,
    /// So many failures (breaks and answers outside of the contract) within
    /// the window set a shard aside; default 10. 0 is taken for 1.
    pub strikes: usize,
    /// How long a failure counts; default 60 s.
    pub window: Duration,
    /// How long a shard that was set aside stays so; default 60 s.
    pub cool_down: Duration,
}

impl Default for Replacement {
    fn default() -> Self {
        Self {
            first_rest: Duration::from_millis(100),
            longest_rest: Duration::from_secs(30),
            strikes: 10,
            window: Duration::from_secs(60),
            cool_down: Duration::from_secs(60),
        }
    }
}
