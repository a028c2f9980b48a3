//! One attempt: a request of its own to the upstream.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::json;

use crate::mcp::{
    headers::Headers,
    large::work_on,
    progress::Progress,
    reply::{AttemptReply, Loss},
    upstream::{Taken, Upstream},
    wire::{Id, Message},
};

/// The call that an attempt belongs to.
pub(super) struct Origin<'a> {
    /// The id that the client gave it.
    pub(super) client: &'a Id,
    /// The client's words when it cancels.
    pub(super) notice: &'a OnceLock<Message>,
    /// What came with it over HTTP.
    pub(super) headers: Headers,
    /// Where progress goes, if the client wants to hear of it.
    pub(super) progress: Option<&'a Arc<Progress>>,
    /// What became of the attempt before.
    pub(super) before: &'a Before,
}

/// The attempt before, if it was cancelled: the upstream may not know yet.
#[derive(Debug, Default)]
pub(super) struct Before(Mutex<Option<Taken>>);

impl Before {
    /// Waits until the upstream has taken the cancellation, if there was one.
    pub(super) async fn settled(&self) {
        let taken = self.cancelled().take();
        if let Some(taken) = taken {
            taken.wait().await;
        }
    }

    fn cancelled(&self) -> std::sync::MutexGuard<'_, Option<Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes one attempt: the client's request under an id of its own. When the
/// future is dropped before the response, the upstream is told, in the words
/// of the client if it gave any.
pub(super) async fn attempt(
    upstream: &Upstream,
    mut request: Message,
    origin: Origin<'_>,
) -> AttemptReply {
    let Ok((id, answer)) = upstream.pending.attempt(origin.client, origin.progress) else {
        return AttemptReply::Lost(Loss::NotSent);
    };
    if let Some(progress) = origin.progress {
        progress.begin(&id);
        request = request.with_meta("progressToken", id.raw());
    }
    let mut flight = InFlight { upstream, id: &id, origin: &origin, sent: false };
    if upstream.send(request.with_id(&id), origin.headers.clone()).await.is_err() {
        return AttemptReply::Lost(Loss::NotSent);
    }
    flight.sent = true;
    match answer.await {
        Ok(answer) => work_on(answer.bytes(), || AttemptReply::of(answer)).await,
        Err(_) => AttemptReply::Lost(Loss::Closed),
    }
}

/// Cancels upstream what nobody waits for any more.
struct InFlight<'a> {
    upstream: &'a Upstream,
    id: &'a Id,
    origin: &'a Origin<'a>,
    sent: bool,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.upstream.pending.abandon(self.id) || !self.sent {
            return;
        }
        let notice = match self.origin.notice.get() {
            Some(notice) => notice.clone(),
            None => {
                let reason = json!({ "reason": "the gateway gave the attempt up" });
                Message::notification("notifications/cancelled", &reason)
            }
        };
        let notice = notice.with_param("requestId", self.id.raw().to_owned());
        *self.origin.before.cancelled() = Some(self.upstream.cancel(notice));
    }
}
