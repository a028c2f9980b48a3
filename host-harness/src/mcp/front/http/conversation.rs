//! One session with what is served.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{Stream, future::BoxFuture, stream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    era::{self, Era},
    places::{Asker, Places},
    served::Served,
    shared,
};
use crate::mcp::{
    cancellation::Cancellation,
    child::StartError,
    downstream::{Clients, Downstream},
    front::ToClient,
    handler::{Handler, Request},
    headers::Headers,
    outgoing::{self, Inbox},
    param_headers::ParamHeaders,
    reply::Answer,
    wire::{Id, Message},
};

/// How long each step of an orderly end may take.
const GRACE: Duration = Duration::from_secs(2);

/// Whether a client listens to what the server says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IsHeard(pub(super) bool);

pub(super) struct Conversation {
    handler: Arc<dyn Handler>,
    clients: Clients,
    places: Arc<Places>,
    touched: Mutex<Instant>,
    /// Cancelled when it is to end.
    closed: CancellationToken,
}

impl Conversation {
    /// Connects to the server; the conversation ends with its downstream side.
    pub(super) fn begin(served: &Served, downstream: &Downstream) -> Result<Arc<Self>, StartError> {
        let clients = downstream.clients;
        let closed = downstream.closed.child_token();
        let downstream = Downstream { closed: closed.clone(), ..downstream.clone() };
        let places = Arc::new(Places::new(clients));
        let handler = served.connect(&downstream, places.clone())?;
        let touched = Mutex::new(Instant::now());
        Ok(Arc::new(Self { handler, clients, places, touched, closed }))
    }

    /// Which era of the protocol a server in a command speaks, by its own account.
    pub(super) async fn era(&self, known: &era::Known) -> Era {
        known.of(&self.handler).await
    }

    /// Which parameters of a `tools/call` are in headers as well, if its tool is known.
    pub(super) fn params_of(&self, call: &Message) -> Option<Arc<ParamHeaders>> {
        let name: String = serde_json::from_str(call.param("name")?.get()).ok()?;
        self.handler.params_in_headers(&name)
    }

    /// Makes a request. Dropping the answer is hanging up: the request is cancelled.
    pub(super) fn request(
        self: &Arc<Self>,
        message: Message,
        own: &Id,
        headers: Headers,
    ) -> Answering {
        self.touch();
        let (to, from) = outgoing::queue();
        let (message, id, names) = match self.clients {
            Clients::One => (message, own.clone(), None),
            Clients::Many => {
                let id = self.places.unique();
                let (message, names) = shared::rename(message, own, &id);
                (message, id.clone(), Some((id, names)))
            }
        };
        let asker = self.places.open(to, names);
        let request = Request::new(message, headers);
        let cancellation = request.as_ref().map(|one| one.cancellation.clone()).unwrap_or_default();
        let answer: BoxFuture<'static, Answer> = match request {
            Some(request) => self.handler.clone().answer(request, asker.clone()),
            None => Box::pin(std::future::ready(Answer::Cancelled)),
        };
        let answer = Some(answer);
        Answering { conversation: self.clone(), id, asker, cancellation, answer, last: None, from }
    }

    /// Says what has no answer, as far as the client may.
    pub(super) async fn say(&self, message: Message, headers: Headers) {
        self.touch();
        let Some(message) = self.places.admitted(message) else {
            return tracing::debug!("dropped what a client said that was not for it to say");
        };
        // A server that takes nothing more must not keep the end waiting.
        tokio::select! {
            biased;
            () = self.handler.clone().take(message, headers) => {}
            () = self.closed.cancelled() => {}
            () = self.handler.gone().cancelled() => {}
        }
    }

    /// What the server says by itself, from now on. A stream that was there before
    /// ends: its client may have lost it without the gateway hearing of that.
    pub(super) fn listen(self: &Arc<Self>) -> Listening {
        self.touch();
        let (to, from) = outgoing::queue();
        self.places.listen(to);
        Listening { conversation: self.clone(), from }
    }

    /// Ends it in order: calls are cancelled, the upstream hears of it and is closed.
    pub(super) async fn end(&self) {
        self.closed.cancel();
        let ended = timeout(3 * GRACE, self.handler.end()).await;
        drop(ended);
        // Whoever is still answered at the end gets that.
        let _ = timeout(GRACE, self.places.idle()).await;
        self.places.close();
    }

    /// Whether the client or the upstream is gone.
    pub(super) fn is_over(&self) -> bool {
        self.closed.is_cancelled() || self.handler.gone().is_cancelled()
    }

    /// Whether every upstream of the beginning is still there.
    pub(super) fn is_whole(&self) -> bool {
        self.handler.is_whole()
    }

    /// How long the client has had nothing to do with it.
    pub(super) fn silent_for(&self) -> Duration {
        if self.places.is_busy() || self.places.is_heard() {
            return Duration::ZERO;
        }
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// How long ago the client asked or heard something, if nothing is under
    /// way for it, and whether it listens to what the server says by itself.
    pub(super) fn idle_for(&self) -> Option<(Duration, IsHeard)> {
        if self.places.is_busy() {
            return None;
        }
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        Some((touched.elapsed(), IsHeard(self.places.is_heard())))
    }

    fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// What comes back for a request.
pub(super) struct Answering {
    conversation: Arc<Conversation>,
    id: Id,
    asker: Arc<Asker>,
    cancellation: Cancellation,
    /// None once it has come.
    answer: Option<BoxFuture<'static, Answer>>,
    /// The response, while what was said before it is on its way.
    last: Option<ToClient>,
    from: Inbox,
}

impl Answering {
    /// The next message; none after the response. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<ToClient> {
        if let Some(answer) = &mut self.answer {
            let answer = tokio::select! {
                biased;
                Some(said) = self.from.recv() => return Some(said),
                () = self.asker.overrun() => {
                    self.answer = None;
                    return None;
                }
                answer = answer => answer,
            };
            self.answer = None;
            let response = answer.into_response(&self.id);
            self.last = response.map(|said| self.asker.restored(said));
        }
        match self.from.try_recv() {
            Some(said) => Some(said),
            None => self.last.take(),
        }
    }

    /// The messages that are still to come. `kept` lives as long as they are wanted.
    pub(super) fn rest<K: Send>(self, kept: K) -> impl Stream<Item = ToClient> + Send {
        stream::unfold((self, kept), async |(mut answering, kept)| {
            Some((answering.next().await?, (answering, kept)))
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if self.answer.is_some() {
            self.cancellation.closed();
            self.answer = None;
        }
        self.asker.leave();
        self.conversation.touch();
    }
}

/// What the server says by itself.
pub(super) struct Listening {
    conversation: Arc<Conversation>,
    from: Inbox,
}

impl Listening {
    pub(super) fn messages(self) -> impl Stream<Item = ToClient> + Send {
        stream::unfold(self, async |mut listening| {
            let conversation = &listening.conversation;
            let said = tokio::select! {
                biased;
                said = listening.from.recv() => said?,
                () = conversation.handler.gone().cancelled() => return None,
                () = conversation.closed.cancelled() => return None,
            };
            conversation.touch();
            Some((said, listening))
        })
    }
}
