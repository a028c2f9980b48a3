//! What a scenario says of what fails.

use serde::Deserialize;

use super::{Millis, Real, Second, Share, Whole};

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

/// A share of the calls that fail by themselves, whenever they are made: what
/// comes of an attempt is decided by its call.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallFault {
    /// Which part of the calls.
    pub share: Share,
    /// How; default `status-503`.
    #[serde(default, rename = "as")]
    pub kind: FailureKind,
    /// Attempts of such a call that fail; all of them if not given.
    pub attempts: Option<Whole<1, 10>>,
}

impl CallFault {
    /// Whether it strikes an attempt with this number, from 1.
    #[must_use]
    pub fn strikes(&self, attempt: u32) -> bool {
        self.attempts.is_none_or(|most| u64::from(attempt) <= most.0)
    }
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

/// A limit of an API that counts in windows: what is over it gets HTTP 429 at
/// once, with the rest of the window as `Retry-After`, in whole seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiWindow {
    /// How long a window is; the first begins at 0.
    pub seconds: Whole<1, 86_400>,
    /// Attempts in each.
    pub attempts: Whole<1, 1_000_000_000>,
}
