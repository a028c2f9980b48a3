//! Who waits for which response of the upstream.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::mcp::{
    progress::Progress,
    reply::{Answer, Loss},
    unique::Unique,
    wire::{Id, IdKey},
};

/// The requests that the upstream has not answered yet.
///
/// Every attempt of a call that may be retried gets an id of its own, a text that
/// nobody can guess: it never meets an id of the client's, and no other peer can
/// answer in the upstream's place. All other requests keep the client's id: the protocol quotes
/// request ids in more places than the response (the `subscriptionId` in the
/// `_meta` of 2026-07-28 is one), and those must stay true.
#[derive(Debug, Default)]
pub struct Pending {
    names: Unique,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    lost: bool,
    attempts: HashMap<IdKey, WaitingAttempt>,
    relayed: HashMap<IdKey, Relayed>,
}

#[derive(Debug)]
struct Relayed {
    id: Id,
    lists_tools: bool,
}

#[derive(Debug)]
struct WaitingAttempt {
    client: Id,
    progress: Option<Arc<Progress>>,
    answer: oneshot::Sender<Answer>,
}

/// Whom a response belongs to.
#[derive(Debug)]
pub enum Recipient {
    /// An attempt that waits here.
    Attempt(oneshot::Sender<Answer>),
    /// The client, under the id that the response has.
    Client {
        /// It is the answer to a `tools/list`.
        lists_tools: bool,
    },
    /// Nobody: the request was cancelled, or never made.
    Nobody,
}

/// Whose progress token it is.
#[derive(Debug)]
pub(super) enum Reporter {
    /// That of a live attempt, reported for its call.
    Attempt(Arc<Progress>),
    /// One that the client gave.
    Client,
    /// That of an attempt that is over.
    Nobody,
}

/// How the ids of attempts begin.
const ATTEMPT: &str = "attempt";

impl Pending {
    /// A name that no other call or attempt has.
    #[must_use]
    pub fn unique(&self, what: &str) -> String {
        self.names.name(what)
    }

    /// Registers an attempt of the client's request: its id, and where its response will arrive.
    ///
    /// # Errors
    /// The upstream is gone.
    pub(super) fn attempt(
        &self,
        client: &Id,
        progress: Option<&Arc<Progress>>,
    ) -> Result<(Id, oneshot::Receiver<Answer>), Loss> {
        let id = Id::text(&self.unique(ATTEMPT));
        let (answer, answered) = oneshot::channel();
        let attempt =
            WaitingAttempt { client: client.clone(), progress: progress.cloned(), answer };
        self.open()?.attempts.insert(id.key().clone(), attempt);
        Ok((id, answered))
    }

    /// Who hears the progress that is reported under this token.
    pub(super) fn reporter(&self, token: &Id) -> Reporter {
        if let Some(attempt) = self.tables().attempts.get(token.key()) {
            return attempt.progress.clone().map_or(Reporter::Nobody, Reporter::Attempt);
        }
        if self.names.made(ATTEMPT, token.raw()) { Reporter::Nobody } else { Reporter::Client }
    }

    /// Registers a request that keeps the client's id.
    ///
    /// # Errors
    /// The upstream is gone.
    pub fn relayed(&self, id: &Id, method: &str) -> Result<(), Loss> {
        let relayed = Relayed { id: id.clone(), lists_tools: method == "tools/list" };
        self.open()?.relayed.insert(id.key().clone(), relayed);
        Ok(())
    }

    /// Somebody's response has come; whose? Forgets the request.
    #[must_use]
    pub fn answered(&self, id: &Id) -> Recipient {
        let mut tables = self.tables();
        if let Some(attempt) = tables.attempts.remove(id.key()) {
            Recipient::Attempt(attempt.answer)
        } else if let Some(Relayed { lists_tools, .. }) = tables.relayed.remove(id.key()) {
            Recipient::Client { lists_tools }
        } else {
            Recipient::Nobody
        }
    }

    /// Whether somebody waits for this response.
    pub(super) fn is_waiting(&self, id: &Id) -> bool {
        let tables = self.tables();
        tables.attempts.contains_key(id.key()) || tables.relayed.contains_key(id.key())
    }

    /// Nobody waits for this response any more. True if somebody did.
    pub fn abandon(&self, id: &Id) -> bool {
        !matches!(self.answered(id), Recipient::Nobody)
    }

    /// The id that the client gave the call of a live attempt.
    #[must_use]
    pub fn client_id(&self, attempt: &Id) -> Option<Id> {
        Some(self.tables().attempts.get(attempt.key())?.client.clone())
    }

    /// The upstream is gone: wakes every attempt without a response and
    /// returns the client's other requests, which nobody will answer.
    #[must_use]
    pub fn lose(&self) -> Vec<Id> {
        let mut tables = self.tables();
        tables.lost = true;
        tables.attempts.clear();
        tables.relayed.drain().map(|(_, relayed)| relayed.id).collect()
    }

    fn open(&self) -> Result<MutexGuard<'_, Tables>, Loss> {
        let tables = self.tables();
        if tables.lost { Err(Loss::NotSent) } else { Ok(tables) }
    }

    /// No code that can panic runs under the lock, so the tables are whole even if it is poisoned.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_of_one_request_have_different_ids() {
        let pending = Pending::default();
        let client = Id::text("7");
        let (first, _one) = pending.attempt(&client, None).expect("open");
        let (second, _two) = pending.attempt(&client, None).expect("open");
        assert_ne!(first.key(), second.key());
        assert_eq!(pending.client_id(&first).expect("live").key(), client.key());
    }

    #[test]
    fn an_abandoned_attempt_and_an_unknown_id_belong_to_nobody() {
        let pending = Pending::default();
        let (id, _answer) = pending.attempt(&Id::text("7"), None).expect("open");
        assert!(pending.abandon(&id));
        assert!(!pending.abandon(&id));
        assert!(matches!(pending.answered(&id), Recipient::Nobody));
    }

    #[test]
    fn losing_the_upstream_wakes_attempts_and_returns_the_rest() {
        let pending = Pending::default();
        let (_, mut answer) = pending.attempt(&Id::text("7"), None).expect("open");
        pending.relayed(&Id::text("8"), "ping").expect("open");
        let orphans: Vec<_> =
            pending.lose().into_iter().map(|id| id.raw().get().to_owned()).collect();
        assert_eq!(orphans, [r#""8""#]);
        assert!(answer.try_recv().is_err());
        assert!(pending.attempt(&Id::text("9"), None).is_err());
    }
}
