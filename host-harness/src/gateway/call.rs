//! What the retry loop needs to know of a call and of the answers to it.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::contract::Outcome;

/// One logical call: what the client sees, however many attempts it takes.
#[derive(Debug, Clone)]
pub struct LogicalCall {
    /// The tool's name.
    pub target: String,
    /// Unique among the calls to this target that are alive.
    pub request_id: String,
    /// Whether the call carries a trace id.
    pub traced: bool,
    /// Ends the call, in the middle of an attempt or of a sleep.
    pub cancel: CancellationToken,
}

/// The number of an attempt within its call; the first is 1.
///
/// Attempts = 1 + retries: attempt `n` follows `n - 1` retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt(NonZeroU32);

impl Attempt {
    /// The attempt that is no retry.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The attempt after this one. Saturates.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its number, from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0.get()
    }

    /// How many retries were made up to and including this attempt.
    #[must_use]
    pub const fn retries(self) -> u32 {
        self.0.get() - 1
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text items of a result, read only if the plugin asks.
pub trait Texts: Send + Sync {
    /// How many items of the result are text.
    fn count(&self) -> usize;
    /// The text item with this index among the text items.
    fn get(&self, index: usize) -> Option<&str>;
}

/// The content of an answer that has none.
#[derive(Debug, Clone, Copy)]
pub struct NoTexts;

impl Texts for NoTexts {
    fn count(&self) -> usize {
        0
    }

    fn get(&self, _: usize) -> Option<&str> {
        None
    }
}

/// What an attempt brought back, whole: the loop returns the last one to the client unchanged.
pub trait Reply: Send {
    /// The facts that the plugin judges.
    fn outcome(&self) -> Outcome;

    /// The texts that the plugin may ask for.
    fn texts(&self) -> Arc<dyn Texts>;

    /// What the client is told of an attempt that the gateway gave up after `after`.
    fn timed_out(after: Duration) -> Self;
}
