//! All scenarios under the same policies.

use serde::Serialize;

use super::{Finding, Measure, Results, Scenario, finding::sentence};

/// A row a policy, a column a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The policies, in order.
    pub policies: Vec<String>,
    /// The scenarios, in order.
    pub scenarios: Vec<Compared>,
}

/// A scenario's column.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What its first figure is.
    pub measure: Measure,
    /// What it comes to, in a sentence.
    pub sentence: String,
    /// A finding for each policy, in their order.
    pub findings: Vec<Finding>,
}

impl Compared {
    /// A scenario that was played.
    #[must_use]
    pub fn of(name: &str, scenario: &Scenario, results: &Results) -> Self {
        let findings = results.policies.iter().map(|policy| Finding::of(scenario, policy));
        Self {
            name: name.to_owned(),
            title: results.title.clone(),
            measure: scenario.column.measure,
            sentence: sentence(scenario, results).unwrap_or_default(),
            findings: findings.collect(),
        }
    }
}
