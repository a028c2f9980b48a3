//! The calls that the client waits for, by the id that it gave them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::mcp::wire::{Id, IdKey, Message};

/// Calls more than this at a time are refused: memory stays bounded
/// whatever a client does.
pub(super) const MAX_LIVE_CALLS: usize = 1024;

/// Finds the call that a cancellation means.
#[derive(Debug, Default)]
pub(super) struct LiveCalls(Mutex<HashMap<IdKey, Cancel>>);

/// Ends a call; keeps the client's own words for the upstream.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancel {
    pub(super) token: CancellationToken,
    pub(super) notice: Arc<OnceLock<Message>>,
}

impl LiveCalls {
    /// Enters a call until the guard is dropped. Of two live calls with one
    /// id, which MCP forbids, the later can be cancelled.
    pub(super) fn enter(self: &Arc<Self>, id: &Id, cancel: Cancel) -> Entered {
        self.calls().insert(id.key().clone(), cancel.clone());
        Entered { calls: self.clone(), key: id.key().clone(), cancel }
    }

    /// Cancels the call with this id on behalf of the client. False if there is none.
    pub(super) fn cancel(&self, id: &Id, notice: &Message) -> bool {
        let Some(call) = self.calls().get(id.key()).cloned() else { return false };
        // A second notice about one call says nothing new.
        let _ = call.notice.set(notice.clone());
        call.token.cancel();
        true
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<IdKey, Cancel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call is live while this is.
#[derive(Debug)]
pub(super) struct Entered {
    calls: Arc<LiveCalls>,
    key: IdKey,
    pub(super) cancel: Cancel,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut calls = self.calls.calls();
        if calls.get(&self.key).is_some_and(|call| Arc::ptr_eq(&call.notice, &self.cancel.notice)) {
            calls.remove(&self.key);
        }
    }
}
