//! What a scenario says of the tools that are called.

use serde::Deserialize;

use super::{CallFault, Failures, Real, Whole};

/// A tool, or several of a kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name; with `count`, that of the kind.
    pub name: String,
    /// How many there are of the kind, `NAME-1` and so on; default 1.
    #[serde(default = "one")]
    pub count: Whole<1, 1_000>,
    /// How often each is called, beside the others; default 1.
    #[serde(default = "same")]
    pub weight: Real<0, 1_000_000>,
    /// The upstream that it belongs to; one without a name if not given.
    pub upstream: Option<String>,
    /// When its attempts fail; as those of the scenario if not given.
    pub failures: Option<Vec<Failures>>,
    /// Its calls that fail by themselves; as those of the scenario if not given.
    pub call_faults: Option<Vec<CallFault>>,
}

fn one() -> Whole<1, 1_000> {
    Whole(1)
}

fn same() -> Real<0, 1_000_000> {
    Real(1.0)
}

impl Tool {
    /// The tool that there is if a scenario names none.
    pub(super) fn only() -> Vec<Self> {
        let name = "tool".to_owned();
        let (upstream, failures, call_faults) = (None, None, None);
        vec![Self { name, count: one(), weight: same(), upstream, failures, call_faults }]
    }

    /// The names of all of its kind.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self.count.0 {
            1 => vec![self.name.clone()],
            count => (1..=count).map(|number| format!("{}-{number}", self.name)).collect(),
        }
    }

    /// How often one of the kind is called, beside the others.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.weight.0 * self.count.0 as f64
    }
}
