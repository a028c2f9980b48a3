//! What servers ask the client while its calls are under way. People take their
//! time, and it is not the server's: the clock of an attempt stands meanwhile.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// The questions of one session that have no answer yet. Cheap to clone; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Questions(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    asked: u64,
    open: BTreeSet<u64>,
}

/// A question that is open until this is dropped.
#[derive(Debug)]
pub struct Question {
    number: u64,
    shared: Arc<Shared>,
}

impl Questions {
    /// The client is asked something.
    #[must_use = "the question is answered when this is dropped"]
    pub fn ask(&self) -> Question {
        let number = {
            let mut state = self.0.state();
            state.asked += 1;
            let number = state.asked;
            state.open.insert(number);
            number
        };
        self.0.changed.notify_waiters();
        Question { number, shared: self.0.clone() }
    }

    /// Those that are asked from now on. An earlier one is about another attempt, and
    /// a client that never answers it holds up that one only.
    pub(super) fn since_now(&self) -> SinceNow<'_> {
        SinceNow { shared: &self.0, after: self.0.state().asked }
    }
}

/// The questions that may be about one attempt.
pub(super) struct SinceNow<'a> {
    shared: &'a Shared,
    after: u64,
}

impl SinceNow<'_> {
    /// Whether one of them has no answer yet.
    pub(super) fn are_open(&self) -> bool {
        self.shared.state().open.range(self.after + 1..).next().is_some()
    }

    /// Waits until that is, or is not, so.
    pub(super) async fn until(&self, open: bool) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // From here on nothing is missed.
            changed.as_mut().enable();
            if self.are_open() == open {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.shared.state().open.remove(&self.number);
        self.shared.changed.notify_waiters();
    }
}

impl Shared {
    /// No code that can panic runs under the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
