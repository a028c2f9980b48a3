//! An answer of a plugin that is there at once, or that has to be waited for.

use std::{fmt, future::Future, pin::Pin};

use crate::{
    contract::Verdict,
    sandbox::{FailPolicy, HookFailure},
};

/// A verdict, or how the plugin failed and what becomes of its call.
pub type Judged = Result<Verdict, (HookFailure, FailPolicy)>;

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
