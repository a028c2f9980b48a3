//! What the operator wants, decoded once into types that cannot be wrong.

mod issue;
mod object;
mod parse;
mod suggest;

use alloc::{collections::BTreeMap, string::String, vec::Vec};

pub use issue::Issue;
pub use parse::{Accepted, parse};

use crate::{Millis, delay::Backoff};

/// Retries after the first attempt; attempts = 1 + retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retries(pub u32);

/// Whether JSON in text items counts as a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextCheck {
    /// Texts are never read.
    Off,
    /// Texts are read if a result has no structured content.
    On,
}

/// The status codes that are worth a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(Vec<i32>);

impl StatusSet {
    /// The set of these codes; order and duplicates do not matter.
    #[must_use]
    pub fn new(mut codes: Vec<i32>) -> Self {
        codes.sort_unstable();
        codes.dedup();
        Self(codes)
    }

    /// Whether `code` is worth a retry.
    #[must_use]
    pub fn contains(&self, code: i32) -> bool {
        self.0.binary_search(&code).is_ok()
    }

    /// The codes, ascending.
    #[must_use]
    pub fn codes(&self) -> &[i32] {
        &self.0
    }
}

/// Everything that decides about one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `max_retries`, already clamped to the gateway's ceiling.
    pub max_retries: Retries,
    /// `backoff_base_ms`, `max_backoff_ms` and `jitter`.
    pub backoff: Backoff,
    /// `retry_on_status`.
    pub retry_on_status: StatusSet,
    /// `check_text_content`.
    pub text_check: TextCheck,
}

/// A whole configuration: the base policy and, ready merged, one for each tool
/// that is configured by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Applies to every tool without an override, and to resources.
    pub base: Policy,
    /// `tool_overrides`, each merged over the base.
    pub overrides: BTreeMap<String, Policy>,
    /// `max_tracked_calls`: how many failing calls are remembered at a time.
    pub max_tracked_calls: u32,
}

impl Config {
    /// The policy of a tool.
    #[must_use]
    pub fn policy(&self, tool: &str) -> &Policy {
        if self.overrides.is_empty() {
            return &self.base;
        }
        self.overrides.get(tool).unwrap_or(&self.base)
    }

    /// How long a silent call is remembered: 5 minutes, or twice the longest
    /// backoff if that is longer, so that no sleep outlives its state.
    #[must_use]
    pub fn state_ttl(&self) -> Millis {
        const AT_LEAST: Millis = Millis(300_000);
        let longest = self.overrides.values().map(|policy| policy.backoff.cap());
        let longest = longest.chain([self.base.backoff.cap()]).max().unwrap_or(AT_LEAST);
        AT_LEAST.max(Millis(longest.0 * 2))
    }
}

/// The values that hold where the configuration is silent. Those of the backoff
/// are [`Backoff::DEFAULT`].
mod defaults {
    use super::TextCheck;

    pub(super) const MAX_RETRIES: u32 = 2;
    pub(super) const RETRY_ON_STATUS: [i32; 5] = [429, 500, 502, 503, 504];
    pub(super) const TEXT_CHECK: TextCheck = TextCheck::Off;
    pub(super) const MAX_TRACKED_CALLS: u32 = 10_000;
}
