//! Which policy a tool has.

use alloc::{string::String, vec::Vec};

use super::{Policy, glob};
use crate::{Millis, table::Table};

/// Tools whose policy is found by a pattern and then remembered, at a time.
const REMEMBERED: u32 = 256;

/// The base policy and the `tool_overrides`, each merged over the base. A
/// tool has one of them: that of its exact name, else that of the most
/// specific pattern, else the base.
#[derive(Debug)]
pub struct Overrides {
    policies: Vec<Policy>,
    exact: Table<usize>,
    /// The most specific first.
    patterns: Vec<(String, usize)>,
    found: Table<usize>,
}

impl Overrides {
    pub(super) fn new(base: Policy, overrides: Vec<(String, Policy)>) -> Self {
        let count = u32::try_from(overrides.len()).unwrap_or(u32::MAX);
        let mut policies = alloc::vec![base];
        let (mut exact, mut patterns) = (Table::new(count, 0), Vec::new());
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
                exact.insert(name, String::new(), place, Millis(0));
            }
        }
        let remembered = if patterns.is_empty() { 1 } else { REMEMBERED };
        Self { policies, exact, patterns, found: Table::new(remembered, 0) }
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

    /// The policy of a tool.
    #[inline]
    pub fn of(&mut self, tool: &str) -> &Policy {
        let place = self.place(tool);
        &self.policies[place]
    }

    fn place(&mut self, tool: &str) -> usize {
        if self.policies.len() == 1 {
            return 0;
        }
        if let Some(slot) = self.exact.find(tool, "")
            && let Some(place) = self.exact.get_mut(slot)
        {
            return *place;
        }
        if self.patterns.is_empty() {
            return 0;
        }
        if let Some(slot) = self.found.find(tool, "")
            && let Some(place) = self.found.touch(slot, Millis(0))
        {
            return *place;
        }
        let fitting = self.patterns.iter().find(|(pattern, _)| glob::fits(pattern, tool));
        let place = fitting.map_or(0, |(_, place)| *place);
        if self.found.is_full() {
            self.found.remove_oldest();
        }
        self.found.insert(tool.into(), String::new(), place, Millis(0));
        place
    }
}
