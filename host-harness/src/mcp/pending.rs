//! Who waits for which response of a server that all requests share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::mcp::{
    handler::Client,
    reply::{Answer, Loss},
    wire::{Id, IdKey, Message},
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
    id: Id,
    token: Option<Id>,
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
        token: Option<Id>,
        client: Arc<dyn Client>,
    ) -> Result<oneshot::Receiver<Answer>, Loss> {
        let (answer, answered) = oneshot::channel();
        let mut tables = self.tables();
        if tables.lost {
            return Err(Loss::NotSent);
        }
        let waiting = Waiting { id: id.clone(), token, answer, client };
        tables.waiting.insert(id.key().clone(), waiting);
        Ok(answered)
    }

    /// Gives a response to who waits for it, under the id that the request had.
    /// False if nobody does: the request was cancelled, or never made.
    pub(crate) fn respond(&self, id: &Id, response: Message) -> bool {
        let Some(waiting) = self.take(id) else { return false };
        let is_spelt_so = waiting.id.key() == id.key();
        let response = if is_spelt_so { response } else { response.with_id(&waiting.id) };
        // Whoever waits may have gone this very moment.
        drop(waiting.answer.send(Answer::Response(response)));
        true
    }

    /// Gives an answer of the gateway's own to who waits for it.
    pub(crate) fn answer(&self, id: &Id, answer: Answer) -> bool {
        self.take(id).map(|waiting| drop(waiting.answer.send(answer))).is_some()
    }

    /// Exactly this request, or else the one whose id is only spelt otherwise.
    fn take(&self, id: &Id) -> Option<Waiting> {
        let mut tables = self.tables();
        if let Some(waiting) = tables.waiting.remove(id.key()) {
            return Some(waiting);
        }
        let like = tables.waiting.values().find(|waiting| waiting.id.is_like(id))?;
        let key = like.id.key().clone();
        tables.waiting.remove(&key)
    }

    /// Who hears what is said about a request, by its id or the token of its progress.
    pub(crate) fn client(&self, id: &Id) -> Option<Arc<dyn Client>> {
        let tables = self.tables();
        let exactly = tables.waiting.get(id.key());
        let by_token = || {
            let named =
                |waiting: &&Waiting| waiting.token.as_ref().is_some_and(|it| it.is_like(id));
            tables.waiting.values().find(named)
        };
        Some(exactly.or_else(by_token)?.client.clone())
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
        let _answer = pending.enter(&id, None, Arc::new(Nobody)).expect("open");
        assert!(pending.abandon(&id));
        assert!(!pending.abandon(&id));
        assert!(!pending.answer(&id, Answer::Lost(Loss::Closed)));
    }

    #[test]
    fn losing_the_server_wakes_all_who_wait_and_lets_nobody_in() {
        let pending = Pending::default();
        let mut answer = pending.enter(&Id::text("7"), None, Arc::new(Nobody)).expect("open");
        pending.lose();
        assert!(answer.try_recv().is_err());
        assert!(pending.enter(&Id::text("9"), None, Arc::new(Nobody)).is_err());
    }
}
