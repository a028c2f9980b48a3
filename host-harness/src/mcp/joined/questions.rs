//! What the upstreams ask the client.
//!
//! Two upstreams may give their requests the same id, so the client sees ids
//! of ours; so it is with the tokens of their progress.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::value::RawValue;

use crate::mcp::{
    live::MAX_LIVE_CALLS,
    members::Members,
    reply::NO_ANSWER,
    wire::{Id, IdKey, Kind, Message},
};

/// The requests that the client has not answered yet.
#[derive(Debug, Default)]
pub(super) struct Questions(Mutex<HashMap<IdKey, Question>>);

#[derive(Debug)]
struct Question {
    /// Whose it is.
    at: usize,
    /// What it is called there.
    id: Id,
    /// What it is called by the client.
    ours: Id,
    /// What its progress is reported under there.
    token: Option<Box<RawValue>>,
}

impl Questions {
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
        let token = request
            .param("_meta")
            .and_then(|meta| Members::parse(&meta).ok())
            .and_then(|meta| Some(meta.get("progressToken")?.to_owned()));
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
        open.insert(ours.key().clone(), Question { at, id: id.clone(), ours, token });
        Ok(renamed)
    }

    /// The client's answer, and whose it is; none if nobody has asked.
    pub(super) fn answered(&self, answer: Message) -> Option<(usize, Message)> {
        let Kind::Response { id: Some(id) } = answer.kind() else { return None };
        let question = self.open().remove(id.key())?;
        Some((question.at, answer.with_id(&question.id)))
    }

    /// The client's report of progress, and whose it is; none if nobody has asked for it.
    pub(super) fn progressed(&self, report: Message) -> Option<(usize, Message)> {
        let token = report.id_in_params("progressToken")?;
        let open = self.open();
        let question = open.get(token.key())?;
        Some((question.at, report.with_param("progressToken", question.token.clone()?)))
    }

    /// An upstream's cancellation, as the client is to see it.
    pub(super) fn withdrawn(&self, at: usize, notice: Message) -> Message {
        let Some(id) = notice.id_in_params("requestId") else { return notice };
        let mut open = self.open();
        let same = |question: &&Question| question.at == at && question.id.key() == id.key();
        let Some(ours) = open.values().find(same).map(|question| question.ours.clone()) else {
            return notice;
        };
        open.remove(ours.key());
        notice.with_param("requestId", ours.raw().to_owned())
    }

    /// No code that can panic runs under the lock.
    fn open(&self) -> MutexGuard<'_, HashMap<IdKey, Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_of_two_upstreams_is_two_questions_and_each_gets_its_answer() {
        let questions = Questions::default();
        let asked = r#"{"id":1,"method":"roots/list","params":{"_meta":{"progressToken":"t"}}}"#;
        for (at, ours) in [(0, "a"), (1, "b")] {
            let id = Id::new(serde_json::from_str("1").expect("JSON"));
            let seen =
                questions.asked(at, &id, Id::text(ours), Message::written(asked)).expect("room");
            let expected = asked.replace(":1,", &format!(r#":"{ours}","#));
            assert_eq!(seen.text(), expected.replace(r#""t""#, &format!(r#""{ours}""#)));
        }
        let report = r#"{"method":"notifications/progress","params":{"progressToken":"b"}}"#;
        let (at, report) = questions.progressed(Message::written(report)).expect("a question");
        assert_eq!(at, 1);
        assert!(report.text().contains(r#""progressToken":"t""#));
        let withdrawn = r#"{"method":"notifications/cancelled","params":{"requestId":1}}"#;
        let notice = questions.withdrawn(0, Message::written(withdrawn));
        assert_eq!(notice.text(), withdrawn.replace(":1}", r#":"a"}"#));
        assert!(questions.answered(Message::written(r#"{"id":"a","result":{}}"#)).is_none());
        let (at, answer) =
            questions.answered(Message::written(r#"{"id":"b","result":{}}"#)).expect("one");
        assert_eq!((at, &*answer.text()), (1, r#"{"id":1,"result":{}}"#));
    }
}
