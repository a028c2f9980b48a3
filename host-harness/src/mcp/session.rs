//! What happens to each message of a session.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    contract::TransportFailure,
    gateway::{CallContext, Finished, Gateway, Hook, LogicalCall, marker},
    mcp::{
        attempt::{Origin, attempt},
        attempt_marker,
        call::Call,
        catalogue::Catalogue,
        live::{Cancel, LiveCalls, MAX_LIVE_CALLS},
        pending::{Recipient, Reporter, UpstreamLost},
        progress::Progress,
        relay::RelayOptions,
        reply::{AttemptReply, NO_ANSWER},
        upstream::Upstream,
        wire::{Id, Kind, Message, NotAMessage},
    },
};

const CANCELLED: &str = "notifications/cancelled";
const PROGRESS: &str = "notifications/progress";
const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
/// JSON-RPC: well-formed JSON that is no request.
const INVALID_REQUEST: i64 = -32600;

/// One client in front of one upstream.
pub(super) struct Session {
    pub(super) gateway: Arc<Gateway>,
    pub(super) options: RelayOptions,
    pub(super) upstream: Upstream,
    pub(super) catalogue: Catalogue,
    /// To the client. When it is gone, what was for it is dropped.
    pub(super) front: mpsc::Sender<Message>,
    pub(super) live: Arc<LiveCalls>,
    /// Cancels every live call.
    pub(super) client_gone: CancellationToken,
    pub(super) upstream_gone: CancellationToken,
    /// The upstream is gone, and calls that still hope for another attempt end now.
    pub(super) given_up: CancellationToken,
}

impl Session {
    /// Handles a line of the client. What may be retried goes on in `calls`.
    pub(super) async fn client_said(
        self: &Arc<Self>,
        line: Result<Message, NotAMessage>,
        calls: &mut JoinSet<()>,
    ) {
        let Ok(message) = line else {
            return self
                .tell_client(Message::error(None, INVALID_REQUEST, "Invalid Request", None))
                .await;
        };
        match message.kind().clone() {
            Kind::Request { method, id } => match Call::of(&method, &message) {
                Some(call) if calls.len() < MAX_LIVE_CALLS => {
                    self.start_call(message, id, call, calls)
                }
                Some(_) => {
                    let text = "the gateway has too many calls in flight";
                    self.tell_client(Message::error(Some(&id), NO_ANSWER, text, None)).await;
                }
                None => self.relay_request(message, &method, &id).await,
            },
            Kind::Notification { method } if method == CANCELLED => {
                if let Some(id) = message.id_in_params("requestId") {
                    if self.live.cancel(&id, &message) {
                        // The attempt in flight tells the upstream under its own id.
                        return;
                    }
                    self.upstream.pending.abandon(&id);
                }
                self.tell_upstream(message).await;
            }
            Kind::Notification { .. } | Kind::Response { .. } => self.tell_upstream(message).await,
        }
    }

    /// Handles a line of the upstream.
    pub(super) async fn upstream_said(&self, line: Result<Message, NotAMessage>) {
        let Ok(message) = line else {
            // An error in return could start an endless exchange of errors.
            return tracing::warn!("the upstream sent JSON that is no JSON-RPC message; skipped");
        };
        match message.kind().clone() {
            Kind::Response { id: Some(id) } => match self.upstream.pending.answered(&id) {
                // The attempt may have ended this very moment; then nobody wants it.
                Recipient::Attempt(answer) => drop(answer.send(message)),
                Recipient::Client { lists_tools } => {
                    if let (true, Some(result)) = (lists_tools, message.get("result")) {
                        self.catalogue.learn(result);
                    }
                    self.tell_client(message).await;
                }
                Recipient::Nobody if id.raw().get() == "null" => self.tell_client(message).await,
                Recipient::Nobody => tracing::debug!("dropped a response that nobody waits for"),
            },
            Kind::Notification { method } if method == CANCELLED => {
                let client_id = message
                    .id_in_params("requestId")
                    .and_then(|id| self.upstream.pending.client_id(&id));
                let message = match client_id {
                    Some(id) => message.with_param("requestId", id.raw().to_owned()),
                    None => message,
                };
                self.tell_client(message).await;
            }
            Kind::Notification { method } if method == PROGRESS => self.progressed(message).await,
            Kind::Notification { method } if method == TOOLS_CHANGED => {
                self.catalogue.forget_all();
                self.tell_client(message).await;
            }
            _ => self.tell_client(message).await,
        }
    }

    /// The upstream reports progress.
    async fn progressed(&self, report: Message) {
        let Some(token) = report.id_in_params("progressToken") else {
            return self.tell_client(report).await;
        };
        match self.upstream.pending.reporter(&token) {
            Reporter::Client => self.tell_client(report).await,
            Reporter::Nobody => tracing::debug!("dropped the progress of an attempt that is over"),
            Reporter::Attempt(progress) => {
                // First the room, then the question whether the attempt lives:
                // nothing can come between the answer and the report.
                let Ok(room) = self.front.reserve().await else { return };
                progress.report(&token, report, |report| room.send(report));
            }
        }
    }

    /// The upstream is gone: nobody waits in vain, nothing new is sent.
    pub(super) async fn lose_upstream(&self) {
        for id in self.upstream.pending.lose() {
            self.tell_client(lost(&id)).await;
        }
        // Last: it ends the session, and the errors are to reach the client.
        self.upstream_gone.cancel();
    }

    async fn relay_request(&self, message: Message, method: &str, id: &Id) {
        if self.upstream.pending.relayed(id, method).is_err() {
            return self.tell_client(lost(id)).await;
        }
        // Who registered the loss first answers the client, once.
        if self.upstream.send(message).await.is_err() && self.upstream.pending.abandon(id) {
            self.tell_client(lost(id)).await;
        }
    }

    fn start_call(self: &Arc<Self>, request: Message, id: Id, call: Call, calls: &mut JoinSet<()>) {
        let cancel = Cancel { token: self.client_gone.child_token(), ..Cancel::default() };
        let entered = self.live.enter(&id, cancel.clone());
        let session = self.clone();
        calls.spawn(async move {
            let outer = attempt_marker::read(&call.meta);
            let context = CallContext {
                upstream: session.options.upstream_name.clone(),
                annotations: match call.hook {
                    Hook::ToolPostInvoke => session.catalogue.of(&call.target),
                    Hook::ResourcePostFetch => None,
                },
                outer,
            };
            let logical = LogicalCall {
                hook: call.hook,
                traced: call.traced(),
                target: call.target,
                request_id: session.upstream.pending.unique("call"),
                context: Arc::new(context),
                cancel: cancel.token,
            };
            // A marker that came passes on unchanged if none of ours takes its place.
            let retries = if session.options.mark_attempts {
                session.gateway.retries(&logical)
            } else {
                None
            };
            let progress = call.progress_token.map(|token| Arc::new(Progress::new(token)));
            let attempts = |number| {
                let request = match retries.and_then(|retries| marker(outer, number, retries)) {
                    Some(marker) => attempt_marker::write(request.clone(), marker),
                    None => request.clone(),
                };
                let origin =
                    Origin { client: &id, notice: &cancel.notice, progress: progress.as_ref() };
                attempt(&session.upstream, request, origin)
            };
            let reply = tokio::select! {
                biased;
                finished = session.gateway.run(&logical, attempts) => match finished {
                    Finished::Answered { reply, .. } => reply,
                    Finished::Cancelled { .. } => return,
                },
                () = session.given_up.cancelled() => AttemptReply::Lost(TransportFailure::AfterDispatch),
            };
            // The client may use the id again once it has the response.
            drop(entered);
            session.tell_client(reply.into_response(&id)).await;
        });
    }

    async fn tell_client(&self, message: Message) {
        // A client that is gone needs no answer.
        let _ = self.front.send(message).await;
    }

    async fn tell_upstream(&self, message: Message) {
        // An upstream that is gone ends the session; a notification has no answer to give.
        let _ = self.upstream.send(message).await;
    }
}

fn lost(id: &Id) -> Message {
    Message::error(Some(id), NO_ANSWER, &UpstreamLost.to_string(), None)
}
