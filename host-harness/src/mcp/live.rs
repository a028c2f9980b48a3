//! The requests that the client waits for, by the ids that it gave them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::mcp::{
    cancellation::Cancellation,
    codes::NO_ANSWER,
    wire::{Id, IdKey, Message},
};

/// Requests more than this at a time are refused: memory stays bounded
/// whatever a client does.
pub(super) const MAX_LIVE_CALLS: usize = 1024;

/// Finds the request that a cancellation means.
#[derive(Debug, Default)]
pub(super) struct LiveCalls {
    calls: Mutex<HashMap<IdKey, Live>>,
    fewer: Notify,
}

/// Ends a request; keeps the client's own words for the upstream.
#[derive(Debug, Clone)]
struct Live {
    token: CancellationToken,
    cancellation: Cancellation,
}

/// There are too many already.
#[derive(Debug)]
pub(super) struct TooMany;

impl TooMany {
    /// What the client gets.
    pub(super) fn refusal(&self, id: &Id) -> Message {
        let text = "the gateway has too many calls in flight";
        Message::error(Some(id), NO_ANSWER, text, None)
    }
}

impl LiveCalls {
    /// Enters a request until the guard is dropped; `token` ends it. Of two live
    /// requests with one id, which MCP forbids, the later can be cancelled.
    pub(super) fn enter(
        self: &Arc<Self>,
        id: &Id,
        token: &CancellationToken,
        cancellation: &Cancellation,
    ) -> Result<Entered, TooMany> {
        let mut calls = self.calls();
        if calls.len() >= MAX_LIVE_CALLS {
            return Err(TooMany);
        }
        let live = Live { token: token.clone(), cancellation: cancellation.clone() };
        calls.insert(id.key().clone(), live);
        drop(calls);
        let cancellation = cancellation.clone();
        Ok(Entered { calls: self.clone(), key: id.key().clone(), cancellation })
    }

    /// Cancels the request with this id on behalf of the client. False if there is none.
    pub(super) fn cancel(&self, id: &Id, notice: &Message) -> bool {
        let Some(live) = self.calls().get(id.key()).cloned() else { return false };
        live.cancellation.say(notice);
        live.token.cancel();
        true
    }

    /// Waits until all that are cancelled have ended.
    pub(super) async fn cancelled_have_ended(&self) {
        loop {
            let fewer = self.fewer.notified();
            if !self.calls().values().any(|live| live.token.is_cancelled()) {
                return;
            }
            fewer.await;
        }
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<IdKey, Live>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request is live while this is.
#[derive(Debug)]
pub(super) struct Entered {
    calls: Arc<LiveCalls>,
    key: IdKey,
    cancellation: Cancellation,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut calls = self.calls.calls();
        if calls.get(&self.key).is_some_and(|live| live.cancellation.is(&self.cancellation)) {
            calls.remove(&self.key);
        }
        drop(calls);
        self.calls.fewer.notify_waiters();
    }
}
