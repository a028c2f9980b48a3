//! How to run a plugin.

use std::num::NonZeroUsize;

use super::{Entropy, Expected, FailPolicy, Limits, Replacement};

/// How to run a plugin.
#[derive(Debug, Clone)]
pub struct Options {
    /// The plugin's own configuration, as JSON; `null` for its defaults.
    pub config: String,
    /// The gateway's ceiling on retries of one call, to which the plugin clamps its own.
    pub max_tool_retries: u32,
    /// How many instances there are.
    pub shards: NonZeroUsize,
    /// Where randomness comes from.
    pub entropy: Entropy,
    /// What an instance may use.
    pub limits: Limits,
    /// What becomes of a call whose plugin fails.
    pub fail_policy: FailPolicy,
    /// When an instance that broke gets a successor.
    pub replacement: Replacement,
    /// What the plugin is to say of itself.
    pub expected: Expected,
}

impl Default for Options {
    /// The plugin's defaults, a ceiling of 3 retries, a shard for every core
    /// (8 at the least, for there may be more threads than cores), randomness
    /// of the operating system.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            config: "null".to_owned(),
            max_tool_retries: 3,
            shards: cores.max(NonZeroUsize::MIN.saturating_add(7)),
            entropy: Entropy::Os,
            limits: Limits::default(),
            fail_policy: FailPolicy::default(),
            replacement: Replacement::default(),
            expected: Expected::default(),
        }
    }
}
