//! The answer to a simulated attempt.

use std::{sync::Arc, time::Duration};

use crate::{
    contract::Outcome,
    gateway::{Content, Reply},
};

/// How an attempt ended. It has no body: nothing here reads one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer(pub(crate) Outcome);

impl Reply for Answer {
    fn outcome(&self) -> Outcome {
        self.0
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(_: Duration) -> Self {
        Self(Outcome::TimedOut)
    }
}
