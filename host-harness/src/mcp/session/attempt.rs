//! One attempt: a request of its own to the upstream.

use std::sync::Arc;

use super::{
    Session,
    said::{ATTEMPT, SaidOfAttempt},
};
use crate::mcp::{
    cancellation::Cancellation,
    handler::{Client, Request},
    headers::Headers,
    large::work_on,
    progress::Progress,
    reply::AttemptReply,
    wire::{Id, Message},
};

/// The call that an attempt belongs to.
#[derive(Clone)]
pub(super) struct Origin {
    /// Hears what the upstream says of it.
    pub(super) client: Arc<dyn Client>,
    /// What becomes of it if nobody waits for it any more.
    pub(super) cancellation: Cancellation,
    /// Where progress goes, if the client wants to hear of it.
    pub(super) progress: Option<Arc<Progress>>,
    /// What the client calls its request: what is an integer there is one here,
    /// since some servers read no other ids.
    pub(super) like: Id,
}

impl Session {
    /// A name for an attempt, or for its progress.
    fn fresh(&self, integer: bool) -> Id {
        if integer {
            Id::number_of(self.names.integer())
        } else {
            Id::text(&self.names.name(ATTEMPT))
        }
    }

    /// Makes one attempt: the client's request under an id of its own that
    /// nobody can guess. It never meets an id of the client's, and no other
    /// peer can answer in the upstream's place.
    pub(super) async fn attempt(
        &self,
        mut request: Message,
        headers: Headers,
        origin: Origin,
    ) -> AttemptReply {
        let Origin { client, cancellation, progress, like } = origin;
        let id = self.fresh(like.is_integer());
        let mut token = None;
        if let Some(progress) = &progress {
            let fits = progress.wants_integers() == id.is_integer();
            let own = if fits { id.clone() } else { self.fresh(progress.wants_integers()) };
            progress.begin(&own);
            request = request.with_meta("progressToken", own.raw());
            token = Some(own);
        }
        let said = SaidOfAttempt { said: self.said_to(client), token: token.clone(), progress };
        let Some(mut request) = Request::new(request.with_id(&id), headers) else {
            return AttemptReply::Lost(crate::mcp::reply::Loss::NotSent);
        };
        request.cancellation = cancellation;
        request.token = token;
        let answer = self.upstream.clone().answer(request, Arc::new(said)).await;
        work_on(answer.bytes(), || AttemptReply::of(answer)).await
    }
}
