//! An answer of a plugin that is there at once, or that has to be waited for.

use std::{fmt, future::Future, pin::Pin};

use crate::{
    contract::Verdict,
    gateway::Price,
    sandbox::{FailPolicy, HookFailure},
};

/// What a plugin says of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Its verdict.
    pub verdict: Verdict,
    /// What the verdict comes to within a retry budget; none if no budget applies.
    pub price: Option<Price>,
}

impl From<Verdict> for Judgement {
    /// Outside of any budget.
    fn from(verdict: Verdict) -> Self {
        Self { verdict, price: None }
    }
}

/// A judgement, or how the plugin failed and what becomes of its call.
pub type Judged = Result<Judgement, (HookFailure, FailPolicy)>;

/// What a plugin decides. Most decisions take less than a microsecond and are
/// made where they are asked for; one that would hold up the thread is made
/// elsewhere and awaited.
pub enum Decision<'a, T> {
    /// Made already.
    Made(T),
    /// It takes long, or somebody else's does that comes first.
    Pending(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<'a, T> Decision<'a, T> {
    /// One that has to be waited for.
    pub fn pending(decision: impl Future<Output = T> + Send + 'a) -> Self {
        Self::Pending(Box::pin(decision))
    }

    /// The decision, when it is made.
    pub async fn wait(self) -> T {
        match self {
            Self::Made(decision) => decision,
            Self::Pending(decision) => decision.await,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Decision<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(decision) => f.debug_tuple("Made").field(decision).finish(),
            Self::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}
