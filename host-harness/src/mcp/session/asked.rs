//! Which questions of the upstream the client has not answered.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    gateway::{Question, Questions},
    mcp::{
        live::MAX_LIVE_CALLS,
        methods::CANCELLED,
        wire::{IdKey, Kind, Message},
    },
};

/// Follows the requests of an upstream from their beginning to the client's answer.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) questions: Questions,
    open: Mutex<HashMap<IdKey, Question>>,
}

impl Asked {
    /// The upstream says something to the client: it asks, or takes back what it has asked.
    pub(super) fn hear(&self, said: &Message) {
        match said.kind() {
            Kind::Request { id, .. } => {
                let question = self.questions.ask();
                let mut open = self.open();
                if open.len() < MAX_LIVE_CALLS {
                    open.insert(id.key().clone(), question);
                }
            }
            Kind::Notification { method } if method == CANCELLED => {
                if let Some(id) = said.id_in_params("requestId") {
                    self.open().remove(id.key());
                }
            }
            _ => {}
        }
    }

    /// The upstream is told something: it may be an answer.
    pub(super) fn answered(&self, told: &Message) {
        if let Kind::Response { id: Some(id) } = told.kind() {
            self.open().remove(id.key());
        }
    }

    /// No code that can panic runs under the lock.
    fn open(&self) -> MutexGuard<'_, HashMap<IdKey, Question>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
