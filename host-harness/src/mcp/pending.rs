//! Who waits for which response of a server that all requests share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::mcp::{
    handler::Client,
    reply::{Answer, Loss},
    wire::{Id, IdKey},
};

/// The requests that the server has not answered yet.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    lost: bool,
    waiting: HashMap<IdKey, Waiting>,
}

struct Waiting {
    answer: oneshot::Sender<Answer>,
    /// Hears what the server says about the request.
    client: Arc<dyn Client>,
}

impl Pending {
    /// Registers a request: where its answer will arrive.
    ///
    /// # Errors
    /// The server is gone.
    pub(crate) fn enter(
        &self,
        id: &Id,
        client: Arc<dyn Client>,
    ) -> Result<oneshot::Receiver<Answer>, Loss> {
        let (answer, answered) = oneshot::channel();
        let mut tables = self.tables();
        if tables.lost {
            return Err(Loss::NotSent);
        }
        tables.waiting.insert(id.key().clone(), Waiting { answer, client });
        Ok(answered)
    }

    /// Gives an answer to who waits for it. False if nobody does: the request
    /// was cancelled, or never made.
    pub(crate) fn answer(&self, id: &Id, answer: Answer) -> bool {
        let waiting = self.tables().waiting.remove(id.key());
        // Whoever waits may have gone this very moment.
        waiting.map(|waiting| drop(waiting.answer.send(answer))).is_some()
    }

    /// Who hears what is said about a request.
    pub(crate) fn client(&self, id: &Id) -> Option<Arc<dyn Client>> {
        Some(self.tables().waiting.get(id.key())?.client.clone())
    }

    /// Whether somebody waits for this response.
    pub(crate) fn is_waiting(&self, id: &Id) -> bool {
        self.tables().waiting.contains_key(id.key())
    }

    /// Nobody waits for this response any more. True if somebody did.
    pub(crate) fn abandon(&self, id: &Id) -> bool {
        self.tables().waiting.remove(id.key()).is_some()
    }

    /// The server is gone: wakes all who wait.
    pub(crate) fn lose(&self) {
        let mut tables = self.tables();
        tables.lost = true;
        tables.waiting.clear();
    }

    /// No code that can panic runs under the lock, so the tables are whole even if it is poisoned.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::handler::Nobody;

    #[test]
    fn an_abandoned_request_and_an_unknown_id_are_nobodys() {
        let pending = Pending::default();
        let id = Id::text("7");
        let _answer = pending.enter(&id, Arc::new(Nobody)).expect("open");
        assert!(pending.abandon(&id));
        assert!(!pending.abandon(&id));
        assert!(!pending.answer(&id, Answer::Lost(Loss::Closed)));
    }

    #[test]
    fn losing_the_server_wakes_all_who_wait_and_lets_nobody_in() {
        let pending = Pending::default();
        let mut answer = pending.enter(&Id::text("7"), Arc::new(Nobody)).expect("open");
        pending.lose();
        assert!(answer.try_recv().is_err());
        assert!(pending.enter(&Id::text("9"), Arc::new(Nobody)).is_err());
    }
}
