//! What the client says.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{CANCELLED, Session};
use crate::mcp::{
    call::Call,
    headers::Headers,
    live::MAX_LIVE_CALLS,
    reply::{Answer, NO_ANSWER},
    wire::{Id, Kind, Message},
};

impl Session {
    /// Handles a message of the client, and what came with it over HTTP. What
    /// may be retried goes on in `calls`.
    pub(crate) async fn client_said(
        self: &Arc<Self>,
        message: Message,
        headers: Headers,
        calls: &mut JoinSet<()>,
    ) {
        match message.kind().clone() {
            Kind::Request { method, id } => match Call::of(&method, &message) {
                Some(call) if calls.len() < MAX_LIVE_CALLS => {
                    self.start_call(message, headers, id, call, calls)
                }
                Some(_) => {
                    let text = "the gateway has too many calls in flight";
                    self.respond(&id, Message::error(Some(&id), NO_ANSWER, text, None)).await;
                }
                None => self.relay_request(message, headers, &method, &id).await,
            },
            Kind::Notification { method } if method == CANCELLED => {
                if let Some(id) = message.id_in_params("requestId") {
                    if self.live.cancel(&id, &message) {
                        // The attempt in flight tells the upstream under its own id.
                        return;
                    }
                    self.upstream.pending.abandon(&id);
                }
                self.tell_upstream(message, headers).await;
            }
            Kind::Notification { .. } | Kind::Response { .. } => {
                self.tell_upstream(message, headers).await;
            }
        }
    }

    /// The client has closed the stream that the answer to this request was to
    /// come on. Nobody can come back for it, so nothing more is done for it.
    pub(crate) fn client_hung_up(&self, id: &Id) {
        let reason = serde_json::json!({ "reason": "the client closed its stream" });
        self.cancel(id, &Message::notification(CANCELLED, &reason));
    }

    /// Nobody waits for the answer to this request any more; `notice` has the words for the upstream.
    pub(in crate::mcp) fn cancel(&self, id: &Id, notice: &Message) {
        if !self.live.cancel(id, notice) && self.upstream.pending.abandon(id) {
            let notice = notice.clone().with_param("requestId", id.raw().to_owned());
            // Nothing comes after it.
            drop(self.upstream.cancel(notice));
        }
    }

    /// As [`Self::cancel`], without a word to the upstream.
    pub(in crate::mcp) fn forget(&self, id: &Id) {
        self.upstream.pending.abandon(id);
    }

    async fn relay_request(&self, message: Message, headers: Headers, method: &str, id: &Id) {
        if let Err(loss) = self.upstream.pending.relayed(id, method) {
            return self.respond(id, loss.into_response(id)).await;
        }
        // Who registered the loss first answers the client, once.
        if let Err(loss) = self.upstream.send(message, headers).await {
            self.unanswered(id, Answer::Lost(loss)).await;
        }
    }
}
