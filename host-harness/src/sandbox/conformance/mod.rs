//! Tries a component against the contract, whatever its policy is.
//!
//! Each [`Check`] runs on an instance of its own, within the limits of the
//! options, and every answer passes the same boundary checks as in a gateway.

mod hooks;
mod lifecycle;
mod subject;

use subject::Subject;

use super::{Component, Options};

/// One thing that the contract asks of a component.
#[derive(Debug)]
pub struct Check {
    /// What it is: "it ...".
    pub name: &'static str,
    /// The error says what the component did instead.
    pub outcome: Result<(), String>,
}

/// Ok, or what the component did instead.
type Outcome = Result<(), String>;

type Try = fn(&Subject<'_>) -> Outcome;

/// Runs every check. The options give the configuration, which a good component
/// accepts, the ceiling on retries, and the limits.
#[must_use]
pub fn run(component: &Component, options: &Options) -> Vec<Check> {
    let subject = Subject { component, options };
    let checks: [(&'static str, Try); 15] = [
        ("needs no more to start than the limits allow", lifecycle::starts),
        ("describes itself, before it is configured", lifecycle::describes_itself),
        ("has a JSON object as its configuration schema", lifecycle::has_a_schema),
        ("judges nothing before it is configured", hooks::declines_unconfigured),
        ("accepts the configuration", lifecycle::accepts_the_configuration),
        ("survives configurations that make no sense", lifecycle::survives_nonsense),
        ("answers every kind of outcome within the contract", hooks::answers_every_outcome),
        ("never asks for more retries than the gateway allows", hooks::keeps_to_the_ceiling),
        ("announces no more retries than the gateway allows", hooks::announces_no_more),
        ("takes any text for a target and a request id", hooks::takes_any_text),
        ("survives whatever a result may hold", hooks::survives_any_content),
        ("forgets calls, also those that it does not know", hooks::forgets),
        ("has at most 64 metrics, whatever the targets are called", lifecycle::has_few_metrics),
        ("stays within its memory when calls are abandoned", hooks::stays_small),
        ("judges nothing after it was shut down", lifecycle::shuts_down),
    ];
    checks.map(|(name, check)| Check { name, outcome: check(&subject) }).into()
}
