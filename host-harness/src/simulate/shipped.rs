//! The scenarios that come with the program.

/// Name and text of each. Those before `brown-out` are in the table over all of them.
pub const SCENARIOS: [(&str, &str); 15] = [
    ("near-capacity", include_str!("scenarios/near-capacity.yaml")),
    ("outage", include_str!("scenarios/outage.yaml")),
    ("one-of-ten", include_str!("scenarios/one-of-ten.yaml")),
    ("steady", include_str!("scenarios/steady.yaml")),
    ("deterministic", include_str!("scenarios/deterministic.yaml")),
    ("herd", include_str!("scenarios/herd.yaml")),
    ("flapping", include_str!("scenarios/flapping.yaml")),
    ("rate-limit", include_str!("scenarios/rate-limit.yaml")),
    ("hangs", include_str!("scenarios/hangs.yaml")),
    ("deploys", include_str!("scenarios/deploys.yaml")),
    ("stall", include_str!("scenarios/stall.yaml")),
    ("correlated", include_str!("scenarios/correlated.yaml")),
    ("brown-out", include_str!("scenarios/brown-out.yaml")),
    ("published", include_str!("scenarios/published.yaml")),
    ("million", include_str!("scenarios/million.yaml")),
];

/// How many of them, from the first on, are in the table over all.
pub const COMPARED: usize = 12;

/// The text of a scenario that came with the program.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(other, _)| *other == name).map(|(_, text)| *text)
}
