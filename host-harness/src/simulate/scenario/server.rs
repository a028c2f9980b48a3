//! What a scenario says of the server.

use serde::Deserialize;

use super::{Real, Second, Share, SomeMillis, Whole};

/// The server: how long an attempt takes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Milliseconds that an attempt takes when it is alone.
    pub latency_ms: SomeMillis,
    /// Milliseconds more for every attempt that is in flight when it starts; default 0.
    #[serde(default)]
    pub latency_per_concurrent_ms: Real<0, 60_000>,
    /// How far latency spreads evenly around its value, as a part of it; default 0.
    #[serde(default)]
    pub latency_spread: Share,
    /// What happens to the work of an attempt that the gateway has given up.
    #[serde(default)]
    pub abandoned: Abandoned,
    /// Times when everything takes longer.
    #[serde(default)]
    pub slowdowns: Vec<Slowdown>,
    /// Attempts that it works on at a time; the others wait, in the order in
    /// which they came. All at once if not given.
    pub workers: Option<Whole<1, 100_000>>,
    /// Times when its workers stand still.
    #[serde(default)]
    pub stalls: Vec<Stall>,
    /// Attempts that it takes on at a time; what is more gets HTTP 503 at once.
    pub max_in_flight: Option<Whole<1, 1_000_000>>,
}

/// What happens to the work of an attempt that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Abandoned {
    /// The server heeds the cancellation.
    #[default]
    Stops,
    /// The server goes on to the end, for nobody.
    GoesOn,
}

/// From a moment on, until the next entry.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slowdown {
    /// Since when, in seconds.
    pub from_s: Second,
    /// What latency is multiplied by.
    pub factor: Real<1, 1_000>,
}

/// A time when nothing moves.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// Since when, in seconds.
    pub from_s: Second,
    /// Until when.
    pub to_s: Second,
}
