//! What happens to each message of a session.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::Gateway,
    mcp::{
        call::Call,
        catalogue::Catalogue,
        front::ToClient,
        headers::Headers,
        live::{LiveCalls, MAX_LIVE_CALLS},
        pending::{Pending, Recipient, Reporter},
        relay::RelayOptions,
        reply::{Answer, Loss, NO_ANSWER},
        too_long::{TooLong, Unreadable, Was},
        upstream::{Outbox, QUEUE, Upstream},
        wire::{Id, Kind, Message},
    },
};

pub(super) const CANCELLED: &str = "notifications/cancelled";
pub(super) const PROGRESS: &str = "notifications/progress";
const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
/// JSON-RPC: well-formed JSON that is no request.
pub(super) const INVALID_REQUEST: i64 = -32600;

/// One client in front of one upstream.
pub(crate) struct Session {
    pub(super) gateway: Arc<Gateway>,
    pub(super) options: RelayOptions,
    pub(super) upstream: Upstream,
    pub(super) catalogue: Catalogue,
    /// To the client. When it is gone, what was for it is dropped.
    front: mpsc::Sender<ToClient>,
    pub(super) live: Arc<LiveCalls>,
    /// Cancels every live call.
    pub(crate) client_gone: CancellationToken,
    pub(crate) upstream_gone: CancellationToken,
    /// The upstream is gone, and calls that still hope for another attempt end now.
    pub(crate) given_up: CancellationToken,
}

/// Whoever asked may not wait for the answer any more.
struct Asked<'a>(&'a Pending, &'a Id);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.abandon(self.1);
    }
}

/// The far ends of a [`Session`].
pub(crate) struct Ends {
    /// What goes to the upstream, for its link.
    pub(crate) outbox: Outbox,
    /// What goes to the client, for the front.
    pub(crate) inbox: mpsc::Receiver<ToClient>,
}

impl Session {
    /// A session that ends when `stop` is cancelled, and whose ends are not connected yet.
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        options: RelayOptions,
        stop: &CancellationToken,
    ) -> (Arc<Self>, Ends) {
        let (front, inbox) = mpsc::channel(QUEUE);
        let (upstream, outbox) = Upstream::new();
        let session = Self {
            gateway,
            options,
            upstream,
            catalogue: Catalogue::default(),
            front,
            live: Arc::new(LiveCalls::default()),
            client_gone: stop.child_token(),
            upstream_gone: CancellationToken::new(),
            given_up: CancellationToken::new(),
        };
        (Arc::new(session), Ends { outbox, inbox })
    }

    /// Handles a message of the client, and what came with it over HTTP. What
    /// may be retried goes on in `calls`.
    pub(crate) async fn client_said(
        self: &Arc<Self>,
        line: Result<Message, Unreadable>,
        headers: Headers,
        calls: &mut JoinSet<()>,
    ) {
        let message = match line {
            Ok(message) => message,
            Err(Unreadable::NotAMessage(_)) => {
                let refusal = Message::error(None, INVALID_REQUEST, "Invalid Request", None);
                return self.tell_client(refusal.into()).await;
            }
            Err(Unreadable::TooLong(too_long)) => return self.client_said_too_much(too_long).await,
        };
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
    pub(super) fn cancel(&self, id: &Id, notice: &Message) {
        if !self.live.cancel(id, notice) && self.upstream.pending.abandon(id) {
            let notice = notice.clone().with_param("requestId", id.raw().to_owned());
            // Nothing comes after it.
            drop(self.upstream.cancel(notice));
        }
    }

    /// As [`Self::cancel`], without a word to the upstream.
    pub(super) fn forget(&self, id: &Id) {
        self.upstream.pending.abandon(id);
    }

    /// Asks the upstream something on the gateway's own account.
    ///
    /// # Errors
    /// The upstream is gone.
    pub(crate) async fn ask(&self, question: Message) -> Result<Answer, Loss> {
        // Nobody's: no client cancels it, and none hears of its progress.
        let (id, answer) = self.upstream.pending.attempt(&Id::text("gateway"), None)?;
        let _asked = Asked(&self.upstream.pending, &id);
        self.upstream.send(question.with_id(&id), Headers::default()).await?;
        answer.await.map_err(|_| Loss::Closed)
    }

    /// A name that nothing else in this session has.
    pub(crate) fn unique(&self, what: &str) -> String {
        self.upstream.pending.unique(what)
    }

    /// Handles a message of the upstream. `about` is the request in whose
    /// answer it came, by the id that the upstream knows, if the transport tells.
    pub(super) async fn upstream_said(
        &self,
        line: Result<Message, Unreadable>,
        about: Option<&Id>,
    ) {
        let message = match line {
            Ok(message) => message,
            Err(Unreadable::NotAMessage(error)) => {
                // An error in return could start an endless exchange of errors.
                return tracing::warn!(%error, "skipped JSON of the upstream");
            }
            Err(Unreadable::TooLong(too_long)) => {
                return self.upstream_said_too_much(too_long).await;
            }
        };
        let about = about.map(|id| self.upstream.pending.client_id(id).unwrap_or(id.clone()));
        let message = match message.kind().clone() {
            Kind::Response { id: Some(id) } => return self.answered(&id, message).await,
            Kind::Notification { method } if method == PROGRESS => {
                return self.progressed(message, about).await;
            }
            Kind::Notification { method } if method == CANCELLED => {
                let client_id = message
                    .id_in_params("requestId")
                    .and_then(|id| self.upstream.pending.client_id(&id));
                match client_id {
                    Some(id) => message.with_param("requestId", id.raw().to_owned()),
                    None => message,
                }
            }
            Kind::Notification { method } => {
                if method == TOOLS_CHANGED {
                    self.catalogue.forget_all();
                }
                message
            }
            Kind::Request { .. } | Kind::Response { .. } => message,
        };
        self.tell_client(ToClient { message, about, status: None }).await;
    }

    /// A message of the client was too long to be read: who waits gets an error.
    async fn client_said_too_much(&self, too_long: TooLong) {
        tracing::warn!(%too_long, "dropped a message of the client");
        match &too_long.was {
            Was::Request(id) => {
                self.respond(id, too_long.error(id, INVALID_REQUEST, "the request")).await;
            }
            Was::Response(id) => {
                let error = too_long.error(id, NO_ANSWER, "the client's answer");
                self.tell_upstream(error, Headers::default()).await;
            }
            Was::Unknown => {}
        }
    }

    /// A message of the upstream was too long to be read: who waits gets an error.
    async fn upstream_said_too_much(&self, too_long: TooLong) {
        tracing::warn!(%too_long, "dropped a message of the upstream");
        match &too_long.was {
            Was::Request(id) => {
                let error = too_long.error(id, INVALID_REQUEST, "the request");
                self.tell_upstream(error, Headers::default()).await;
            }
            Was::Response(id) => self.unanswered(id, Answer::too_long(&too_long, id)).await,
            Was::Unknown => {}
        }
    }

    /// The upstream has answered a request.
    async fn answered(&self, id: &Id, response: Message) {
        match self.upstream.pending.answered(id) {
            // The attempt may have ended this very moment; then nobody wants it.
            Recipient::Attempt(answer) => drop(answer.send(Answer::Response(response))),
            Recipient::Client { lists_tools } => {
                if let (true, Some(result)) = (lists_tools, response.get("result")) {
                    self.catalogue.learn(result);
                }
                self.respond(id, response).await;
            }
            Recipient::Nobody if id.raw().get() == "null" => {
                self.tell_client(response.into()).await;
            }
            Recipient::Nobody => tracing::debug!("dropped a response that nobody waits for"),
        }
    }

    /// There will be no response to this request.
    pub(super) async fn unanswered(&self, id: &Id, answer: Answer) {
        match self.upstream.pending.answered(id) {
            Recipient::Attempt(attempt) => drop(attempt.send(answer)),
            Recipient::Client { .. } => match answer {
                Answer::Response(response) => self.respond(id, response).await,
                Answer::Http(failure) => self.tell_client(failure.into_response(id)).await,
                Answer::Lost(loss) => self.respond(id, loss.into_response(id)).await,
            },
            Recipient::Nobody => {}
        }
    }

    /// Whether somebody waits for the answer to a request.
    pub(super) fn is_waiting(&self, id: &Id) -> bool {
        self.upstream.pending.is_waiting(id)
    }

    /// Whether a request is an attempt at a call, which the loop may repeat.
    pub(super) fn is_attempt(&self, id: &Id) -> bool {
        self.upstream.pending.client_id(id).is_some()
    }

    /// The upstream reports progress.
    async fn progressed(&self, report: Message, about: Option<Id>) {
        let Some(token) = report.id_in_params("progressToken") else {
            return self.tell_client(ToClient { message: report, about, status: None }).await;
        };
        match self.upstream.pending.reporter(&token) {
            Reporter::Client => {
                self.tell_client(ToClient { message: report, about, status: None }).await;
            }
            Reporter::Nobody => tracing::debug!("dropped the progress of an attempt that is over"),
            Reporter::Attempt(progress) => {
                // First the room, then the question whether the attempt lives:
                // nothing can come between the answer and the report.
                let Ok(room) = self.front.reserve().await else { return };
                let about = self.upstream.pending.client_id(&token);
                progress.report(&token, report, |message| {
                    room.send(ToClient { message, about, status: None });
                });
            }
        }
    }

    /// The upstream is gone: nobody waits in vain, nothing new is sent.
    pub(super) async fn lose_upstream(&self) {
        for id in self.upstream.pending.lose() {
            self.respond(&id, Loss::Closed.into_response(&id)).await;
        }
        // Last: it ends the session, and the errors are to reach the client.
        self.upstream_gone.cancel();
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

    /// Gives the client the response to its request.
    async fn respond(&self, id: &Id, response: Message) {
        let about = Some(id.clone());
        self.tell_client(ToClient { message: response, about, status: None }).await;
    }

    pub(super) async fn tell_client(&self, message: ToClient) {
        // A client that is gone needs no answer.
        let _ = self.front.send(message).await;
    }

    async fn tell_upstream(&self, message: Message, headers: Headers) {
        // An upstream that is gone ends the session; a notification has no answer to give.
        let _ = self.upstream.send(message, headers).await;
    }
}
