//! Responses that come on the stream of what the server says by itself: some
//! servers accept a request (202) and answer it there.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::mcp::wire::{Id, Message};

/// So many are kept for who comes for them; of more the oldest go.
const MOST: usize = 64;

/// Responses that nobody has come for yet.
#[derive(Debug, Default)]
pub(super) struct Unclaimed {
    responses: Mutex<VecDeque<Message>>,
    more: Notify,
    /// Whether the stream is open that they come on.
    open: AtomicBool,
}

impl Unclaimed {
    /// The stream was opened, or has ended.
    pub(super) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Release);
        self.more.notify_waiters();
    }

    /// A response has come.
    pub(super) fn put(&self, response: Message) {
        let mut responses = self.responses();
        if responses.len() == MOST {
            responses.pop_front();
        }
        responses.push_back(response);
        drop(responses);
        self.more.notify_waiters();
    }

    /// The response to a request, when it comes; none if it cannot come, since
    /// there is no stream.
    pub(super) async fn take(&self, id: &Id) -> Option<Message> {
        loop {
            let more = self.more.notified();
            {
                let mut responses = self.responses();
                if let Some(at) = responses.iter().position(|response| response.answers(id)) {
                    return responses.remove(at);
                }
            }
            if !self.open.load(Ordering::Acquire) {
                return None;
            }
            more.await;
        }
    }

    /// No code that can panic runs under the lock.
    fn responses(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.responses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_response_waits_for_who_asked_and_who_asked_for_it_while_there_is_a_stream() {
        let (unclaimed, id) = (Unclaimed::default(), Id::text("a"));
        assert!(unclaimed.take(&id).await.is_none(), "nothing can come");
        unclaimed.set_open(true);
        let response = || Message::written(r#"{"id":"a","result":{}}"#);
        unclaimed.put(response());
        assert!(unclaimed.take(&id).await.is_some());
        let later = async {
            for _ in 0..2 * MOST {
                unclaimed.put(Message::written(r#"{"id":"b","result":{}}"#));
            }
            unclaimed.put(response());
        };
        let (taken, ()) = tokio::join!(unclaimed.take(&id), later);
        assert!(taken.is_some());
        let ends = async { unclaimed.set_open(false) };
        let (taken, ()) = tokio::join!(unclaimed.take(&id), ends);
        assert!(taken.is_none());
    }
}
