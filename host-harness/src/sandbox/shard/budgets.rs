//! The terms of retry budgets that a plugin names by number.

use crate::{
    contract::{BudgetTerms, Configured, Verdict},
    gateway::{Price, Terms},
};

#[derive(Debug)]
pub(super) struct Budgets {
    upstream: Option<BudgetTerms>,
    targets: Vec<BudgetTerms>,
}

impl Budgets {
    pub(super) fn of(configured: &Configured) -> Self {
        let Configured { upstream_budget, tool_budgets, notices: _ } = configured;
        Self { upstream: *upstream_budget, targets: tool_budgets.clone() }
    }

    /// How many numbers mean something.
    pub(super) const fn count(&self) -> usize {
        self.targets.len()
    }

    /// What a verdict that passed the boundary comes to; none outside of any budget.
    pub(super) fn price(&self, verdict: &Verdict) -> Option<Price> {
        let place = usize::from(verdict.tool_budget).checked_sub(1)?;
        let terms = Terms { target: *self.targets.get(place)?, upstream: self.upstream };
        Some(Price { cost: verdict.cost, terms })
    }
}
