//! Which policy a tool has.

use alloc::{format, string::String, vec::Vec};

use super::{Policy, glob};
use crate::{Millis, table::Table};

/// Tools whose policy is found by a search and then remembered, at a time.
const REMEMBERED: u32 = 256;

/// The base policy and the `tool_overrides`, each merged over the base. A tool
/// has one of them: that of its exact name, with its upstream's before it or
/// without, else that of the most specific pattern, else the base.
#[derive(Debug)]
pub struct Overrides {
    policies: Vec<Policy>,
    exact: Table<u64>,
    /// The most specific first.
    patterns: Vec<(String, usize)>,
    /// By tool and upstream.
    found: Table<u64>,
    /// Whether a name or a pattern may speak of an upstream.
    by_upstream: bool,
}

impl Overrides {
    pub(super) fn new(base: Policy, overrides: Vec<(String, Policy)>) -> Self {
        let count = u32::try_from(overrides.len()).unwrap_or(u32::MAX);
        let mut policies = alloc::vec![base];
        let (mut exact, mut patterns) = (Table::new(count, 0), Vec::new());
        let by_upstream = overrides.iter().any(|(name, _)| glob::speaks_of_an_upstream(name));
        for (name, policy) in overrides {
            let place = policies.len();
            policies.push(policy);
            if glob::is_pattern(&name) {
                let more_specific = |(other, _): &(String, usize)| {
                    glob::specificity(other) < glob::specificity(&name)
                };
                let rank = patterns.partition_point(more_specific);
                patterns.insert(rank, (name, place));
            } else {
                exact.insert(name, String::new(), place as u64, Millis(0));
            }
        }
        let searched = by_upstream || !patterns.is_empty();
        let remembered = if searched { REMEMBERED } else { 1 };
        Self { policies, exact, patterns, found: Table::new(remembered, 0), by_upstream }
    }

    /// The policy that applies to every tool without an override, and to resources.
    #[must_use]
    pub fn base(&self) -> &Policy {
        &self.policies[0]
    }

    /// All policies.
    pub fn all(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter()
    }

    /// Whether the policy of a tool may depend on its upstream.
    #[must_use]
    pub const fn by_upstream(&self) -> bool {
        self.by_upstream
    }

    /// The policy of a tool.
    #[inline]
    pub fn of(&mut self, tool: &str, upstream: Option<&str>) -> &Policy {
        let place = if self.policies.len() == 1 { 0 } else { self.place(tool, upstream) };
        &self.policies[place]
    }

    #[inline(never)]
    fn place(&mut self, tool: &str, upstream: Option<&str>) -> usize {
        if !self.by_upstream {
            if let Some(place) = self.named(tool) {
                return place;
            }
            if self.patterns.is_empty() {
                return 0;
            }
        }
        let upstream = upstream.unwrap_or_default();
        if let Some(slot) = self.found.find(tool, upstream)
            && let Some(place) = self.found.touch(slot, Millis(0))
        {
            return *place as usize;
        }
        let place = self.search(tool, upstream);
        if self.found.is_full() {
            self.found.remove_oldest();
        }
        self.found.insert(tool.into(), upstream.into(), place as u64, Millis(0));
        place
    }

    fn named(&mut self, name: &str) -> Option<usize> {
        let slot = self.exact.find(name, "")?;
        self.exact.get_mut(slot).map(|place| *place as usize)
    }

    fn search(&mut self, tool: &str, upstream: &str) -> usize {
        let full = if upstream.is_empty() { String::new() } else { format!("{upstream}/{tool}") };
        let exact = if full.is_empty() { None } else { self.named(&full) };
        exact.or_else(|| self.named(tool)).unwrap_or_else(|| {
            let mut patterns = self.patterns.iter();
            let fitting = patterns.find(|(pattern, _)| glob::covers(pattern, tool, &full));
            fitting.map_or(0, |(_, place)| *place)
        })
    }
}
