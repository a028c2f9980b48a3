//! The cancellation of a request, and the moment when the upstream has it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use serde_json::json;
use tokio::sync::oneshot;

use crate::mcp::{
    methods::CANCELLED,
    wire::{Id, Message},
};

/// What becomes of a request that nobody waits for any more. Cheap to clone;
/// clones are of the same request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancellation {
    /// The client's own words, if it gave any.
    words: Arc<OnceLock<Message>>,
    /// Whether the upstream has taken the last one; none if there was none.
    taken: Arc<Mutex<Option<Taken>>>,
}

/// A `notifications/cancelled` on its way to the upstream.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) message: Message,
    /// Kept by who delivers the notice, for as long as that takes.
    pub(crate) delivering: Delivering,
}

/// Dropped when the upstream has taken a cancellation, or never will.
#[derive(Debug)]
pub(crate) struct Delivering(
    #[expect(dead_code, reason = "kept to be dropped")] oneshot::Sender<Infallible>,
);

#[derive(Debug)]
struct Taken(oneshot::Receiver<Infallible>);

impl Cancellation {
    /// The client cancels it, in these words. A second notice says nothing new.
    pub(crate) fn say(&self, notice: &Message) {
        let _ = self.words.set(notice.clone());
    }

    /// The client has gone without a word.
    pub(crate) fn closed(&self) {
        let reason = json!({ "reason": "the client closed its stream" });
        self.say(&Message::notification(CANCELLED, &reason));
    }

    /// The same words for another request, which is made in its place.
    pub(crate) fn of_attempts(&self) -> Self {
        Self { words: self.words.clone(), taken: Arc::default() }
    }

    /// Whether both are of the same request.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.words, &other.words)
    }

    /// The notice for the upstream, which knows the request by this id.
    pub(crate) fn notice(&self, id: &Id) -> Notice {
        let (delivering, taken) = oneshot::channel();
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(Taken(taken));
        let words = self.words.get().cloned().unwrap_or_else(|| {
            let reason = json!({ "reason": "the gateway gave the attempt up" });
            Message::notification(CANCELLED, &reason)
        });
        let message = words.with_param("requestId", id.raw().to_owned());
        Notice { message, delivering: Delivering(delivering) }
    }

    /// Waits until the upstream has taken the last notice, or never will.
    pub(crate) async fn settled(&self) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Taken(taken)) = taken {
            // There is nothing but the end to be received.
            let _ = taken.await;
        }
    }
}
