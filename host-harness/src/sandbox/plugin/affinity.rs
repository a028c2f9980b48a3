//! What the plugin says of its calls, for threads that ask at every call.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::contract::Affinity;

/// The affinity that the configuration in force has.
#[derive(Debug)]
pub(super) struct InForce {
    /// Whether calls have nothing in common.
    calls_apart: AtomicBool,
}

impl InForce {
    pub(super) const fn new(affinity: Affinity) -> Self {
        Self { calls_apart: AtomicBool::new(matches!(affinity, Affinity::Call)) }
    }

    /// A call that is alive over a change may end at another shard than the one
    /// that knows it; it goes on by the number of its attempt.
    pub(super) fn set(&self, affinity: Affinity) {
        self.calls_apart.store(matches!(affinity, Affinity::Call), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Affinity {
        if self.calls_apart.load(Ordering::Relaxed) { Affinity::Call } else { Affinity::Upstream }
    }
}
