//! What a scenario says of the server.

use serde::Deserialize;

use super::{Millis, Real, Second, Share, SomeMillis, Whole};

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

/// From a moment on, until the next entry.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// Since when, in seconds.
    pub from_s: Second,
    /// Which part of the attempts fails.
    pub share: Share,
    /// How; default `status-503`.
    #[serde(default, rename = "as")]
    pub kind: FailureKind,
}

/// How an attempt fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// HTTP 503, after the usual time.
    #[default]
    #[serde(rename = "status-503")]
    Status503,
    /// A result with `isError`, after the usual time.
    ToolError,
    /// A JSON-RPC internal error, after the usual time.
    RpcError,
    /// The connection breaks, after the usual time.
    ConnectionLost,
    /// No connection, at once.
    NotSent,
    /// No answer ever.
    Hang,
}

/// A token bucket on the server's side: what is over it gets HTTP 429 at once.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Attempts in a second.
    pub attempts_per_second: Real<1, 1_000_000>,
    /// Attempts at once, when none came for a while.
    pub burst: Whole<1, 1_000_000>,
    /// Milliseconds that the answer asks the gateway to wait (`Retry-After`); nothing if not given.
    pub pushback_ms: Option<Millis>,
}
