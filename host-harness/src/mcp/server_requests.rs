//! The requests of servers that a client has not answered yet.
//!
//! Two servers may give their requests the same id, and a client that has no
//! session must not answer for another. So clients see ids of ours that nobody
//! can guess; so it is with the tokens of progress.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::value::RawValue;

use crate::mcp::{
    codes::NO_ANSWER,
    live::MAX_LIVE_CALLS,
    wire::{Id, IdKey, Kind, Message},
};

/// What the client has not answered yet.
#[derive(Debug, Default)]
pub(super) struct ServerRequests(Mutex<HashMap<IdKey, Pending>>);

#[derive(Debug)]
struct Pending {
    /// Whose it is.
    at: usize,
    /// What it is called there.
    id: Id,
    /// What it is called by the client.
    ours: Id,
    /// What its progress is reported under there.
    token: Option<Box<RawValue>>,
}

impl ServerRequests {
    /// An upstream's request, as the client is to see it.
    ///
    /// # Errors
    /// There are too many already: what the upstream is to hear.
    pub(super) fn asked(
        &self,
        at: usize,
        id: &Id,
        ours: Id,
        request: Message,
    ) -> Result<Message, Message> {
        let token =
            request.meta().and_then(|meta| meta.get("progressToken")).map(ToOwned::to_owned);
        let renamed = match &token {
            Some(_) => request.with_meta("progressToken", ours.raw()),
            None => request,
        };
        let mut open = self.open();
        if open.len() >= MAX_LIVE_CALLS {
            let text = "the gateway waits for too many answers of its client";
            return Err(Message::error(Some(id), NO_ANSWER, text, None));
        }
        let renamed = renamed.with_id(&ours);
        open.insert(ours.key().clone(), Pending { at, id: id.clone(), ours, token });
        Ok(renamed)
    }

    /// The client's answer, and whose it is; none if nobody has asked.
    pub(super) fn answered(&self, answer: Message) -> Option<(usize, Message)> {
        let Kind::Response { id: Some(id) } = answer.kind() else { return None };
        let request = self.open().remove(id.key())?;
        Some((request.at, answer.with_id(&request.id)))
    }

    /// The client's report of progress, and whose it is; none if nobody has asked for it.
    pub(super) fn progressed(&self, report: Message) -> Option<(usize, Message)> {
        let token = report.id_in_params("progressToken")?;
        let open = self.open();
        let request = open.get(token.key())?;
        Some((request.at, report.with_param("progressToken", request.token.clone()?)))
    }

    /// An upstream's cancellation, as the client is to see it.
    pub(super) fn withdrawn(&self, at: usize, notice: Message) -> Message {
        let Some(id) = notice.id_in_params("requestId") else { return notice };
        let mut open = self.open();
        let same = |request: &&Pending| request.at == at && request.id.key() == id.key();
        let Some(ours) = open.values().find(same).map(|request| request.ours.clone()) else {
            return notice;
        };
        open.remove(ours.key());
        notice.with_param("requestId", ours.raw().to_owned())
    }

    /// Nobody will answer the request that the client knows by this id.
    pub(super) fn forget(&self, ours: &Id) {
        self.open().remove(ours.key());
    }

    /// No code that can panic runs under the lock.
    fn open(&self) -> MutexGuard<'_, HashMap<IdKey, Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_of_two_upstreams_is_two_requests_and_each_gets_its_answer() {
        let requests = ServerRequests::default();
        let asked = r#"{"id":1,"method":"roots/list","params":{"_meta":{"progressToken":"t"}}}"#;
        for (at, ours) in [(0, "a"), (1, "b")] {
            let id = Id::new(serde_json::from_str("1").expect("JSON"));
            let seen =
                requests.asked(at, &id, Id::text(ours), Message::written(asked)).expect("room");
            let expected = asked.replace(":1,", &format!(r#":"{ours}","#));
            assert_eq!(seen.text(), expected.replace(r#""t""#, &format!(r#""{ours}""#)));
        }
        let report = r#"{"method":"notifications/progress","params":{"progressToken":"b"}}"#;
        let (at, report) = requests.progressed(Message::written(report)).expect("a request");
        assert_eq!(at, 1);
        assert!(report.text().contains(r#""progressToken":"t""#));
        let withdrawn = r#"{"method":"notifications/cancelled","params":{"requestId":1}}"#;
        let notice = requests.withdrawn(0, Message::written(withdrawn));
        assert_eq!(notice.text(), withdrawn.replace(":1}", r#":"a"}"#));
        assert!(requests.answered(Message::written(r#"{"id":"a","result":{}}"#)).is_none());
        let (at, answer) =
            requests.answered(Message::written(r#"{"id":"b","result":{}}"#)).expect("one");
        assert_eq!((at, &*answer.text()), (1, r#"{"id":1,"result":{}}"#));
    }
}
