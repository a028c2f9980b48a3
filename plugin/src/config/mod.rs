//! What the operator wants, decoded once into types that cannot be wrong.
//!
//! `keys` says what there is, `setting` how a key is read, `values` and `codes`
//! what may stand there, `parse` reads the whole, and [`Policy`] is what comes
//! of it for one tool.

mod codes;
mod glob;
mod issue;
mod json;
mod keys;
mod overrides;
mod parse;
mod policy;
mod schema;
pub(crate) mod setting;
mod signals;
mod suggest;
mod values;

pub use codes::Codes;
pub use glob::fits as fits_pattern;
pub use issue::Issue;
pub use overrides::Overrides;
pub use parse::{Accepted, parse};
pub use policy::{NestedRetries, Policy, Profile, Pushback, ReplaySafety, Retries, TextCheck};
pub use schema::schema;
pub use signals::{Expected, Means, OwnSignal, Pattern};
pub use suggest::closest as closest_name;

use alloc::{string::String, vec::Vec};

use crate::{Millis, budget::Listed};

/// A whole configuration.
#[derive(Debug)]
pub struct Config {
    /// The base policy and those of the tools that are configured by name or pattern.
    pub policies: Overrides,
    /// `max_tracked_calls`: how many failing calls are remembered at a time.
    pub max_tracked_calls: u32,
    /// `trusted_upstreams`.
    pub trusted: TrustedUpstreams,
    /// `retry_resources`.
    pub retry_resources: bool,
    /// The terms of the retry budgets of tools, which the policies name by number.
    pub budgets: Listed,
}

/// Upstreams whose tool annotations are believed.
#[derive(Debug)]
pub struct TrustedUpstreams(Vec<String>);

impl TrustedUpstreams {
    /// Whether this one is among them. One without a name never is.
    #[must_use]
    pub fn contains(&self, upstream: Option<&str>) -> bool {
        upstream.is_some_and(|name| self.0.iter().any(|known| glob::fits(known, name)))
    }
}

impl Config {
    /// How many failing calls of tools, and how many of resources, are remembered.
    #[must_use]
    pub const fn tracked(&self) -> (u32, u32) {
        // A table takes its room at once; none is needed for what is not retried.
        let reads = if self.retry_resources { self.max_tracked_calls } else { 1 };
        (self.max_tracked_calls, reads)
    }

    /// How long a silent call is remembered: 5 minutes, or twice the longest
    /// wait if that is longer, so that no sleep outlives its state.
    #[must_use]
    pub fn state_ttl(&self) -> Millis {
        const AT_LEAST: Millis = Millis(300_000);
        let longest = self.policies.all().map(Policy::longest_delay).max().unwrap_or(AT_LEAST);
        AT_LEAST.max(Millis(longest.0 * 2))
    }
}
