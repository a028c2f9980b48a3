//! The scenarios that come with the program.

/// Name and text of each.
pub const SCENARIOS: [(&str, &str); 8] = [
    ("outage", include_str!("scenarios/outage.yaml")),
    ("brown-out", include_str!("scenarios/brown-out.yaml")),
    ("flapping", include_str!("scenarios/flapping.yaml")),
    ("rate-limit", include_str!("scenarios/rate-limit.yaml")),
    ("near-capacity", include_str!("scenarios/near-capacity.yaml")),
    ("steady", include_str!("scenarios/steady.yaml")),
    ("published", include_str!("scenarios/published.yaml")),
    ("million", include_str!("scenarios/million.yaml")),
];

/// The text of a scenario that came with the program.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(other, _)| *other == name).map(|(_, text)| *text)
}
